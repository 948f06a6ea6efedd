"""Restart: a ledger derived again from a block on, without the records before it.

A snapshot for a restart is everything the audit knows at the end of a block: the state that the block's header names
(balances, positions, use of lines, registry), and what no header names: open orders in their order of arrival,
contracts not delivered yet, what outages still pay, the newest sequence of each key, capacities, certificates, and the
frontier of the log. In a file:

    magic | zlib stream of: genesis length u32 | genesis | frozen audit (`ledger.freezing`) | count u8 | count times
    (administrator u8, signature 64)

Its root is a SHA-256 over chain, block and content. q administrators who have derived the same sign it: then nothing
before its block need be believed that was not certified. Without their signatures it is the word of whoever made it,
and a reader is told. Whether what follows derives from it is checked in either case, to the same roots.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ledger.audit import KeysOf, Verdict, WorldAudit, find_worlds
from ledger.blocks import Block, header_hash, read_block
from ledger.content import fixed_dtype
from ledger.encoding import SIGNATURE_BYTES
from ledger.freezing import Given, freeze, thaw
from ledger.journal import read_blocks
from ledger.keeper import join_heads
from ledger.keys import is_signed_by, read_verifier
from ledger.programs import check_programs, read_programs
from ledger.quorum import Administrators
from ledger.records import RecordType
from ledger.replay import Replay
from ledger.rules import read_genesis
from ledger.segments import read_frames
from ledger.snapshots import read_slim
from market.errors import ConfigError, LedgerError
from market.settlement import KINDS

MAGIC = b"DGREST\0\1"
RESTART_TAG = b"DG/restart/v1\0"
_LENGTH = struct.Struct(">I")
_SIGNED = struct.Struct(f">B{SIGNATURE_BYTES}s")
MAX_BYTES = 1 << 32


@dataclass(frozen=True)
class Restart:
    """What the audit knew at the end of a block: the genesis, the frozen audit, and who signed for it."""

    genesis: bytes
    frozen: bytes
    signatures: tuple[tuple[int, bytes], ...] = ()

    @property
    def root(self) -> bytes:
        """What administrators sign: the hash of the genesis and of everything frozen."""
        return hashlib.sha256(RESTART_TAG + hashlib.sha256(self.genesis).digest() + self.frozen).digest()

    def message(self, chain_id: bytes, height: int, head: bytes) -> bytes:
        """What an administrator signs who has derived the same."""
        return RESTART_TAG + chain_id + height.to_bytes(8, "big") + head + self.root

    def to_bytes(self) -> bytes:
        """The file."""
        signed = b"".join(_SIGNED.pack(*pair) for pair in sorted(self.signatures))
        content = _LENGTH.pack(len(self.genesis)) + self.genesis + _LENGTH.pack(len(self.frozen)) + self.frozen
        return MAGIC + zlib.compress(content + bytes([len(self.signatures)]) + signed, 6)


def take_snapshot(audit: WorldAudit) -> Restart:
    """What an audit knows at the edge of a block; raises LedgerError before the first."""
    replay, genesis = audit.replayed, audit.front[0]
    return Restart(genesis, freeze(audit, _given(genesis, replay)))


def read_restart(path: Path) -> Restart:
    """A snapshot from its file; raises ConfigError where it is not there, LedgerError where it is not one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read: {error.strerror}", where=str(path), do="make it with `digitalgrid ledger snapshot`"
        ) from error
    try:
        if not data.startswith(MAGIC):
            raise ValueError("not a snapshot of this version")
        content = zlib.decompressobj().decompress(data[len(MAGIC) :], MAX_BYTES)
        genesis, at = _cut(content, 0)
        frozen, at = _cut(content, at)
        signatures = tuple((who, sign) for who, sign in _SIGNED.iter_unpack(content[at + 1 :]))
        if len(signatures) != content[at]:
            raise ValueError("another number of signatures than it says")
    except (ValueError, IndexError, struct.error, zlib.error) as error:
        raise LedgerError(f"snapshot cannot be read: {error}", where=str(path), do="make it again") from error
    return Restart(genesis, frozen, signatures)


def restart(snapshot: Restart, administrators: Administrators | None = None, trust_source: bool = False) -> WorldAudit:
    """The audit as it was at the end of the snapshot's block.

    Raises:
        LedgerError: bytes do not fit, other programs are installed than the ledger registers, or a signature is bad.
    """
    audit = thaw(snapshot.frozen, _given(snapshot.genesis))
    if not isinstance(audit, WorldAudit) or audit.front[0] != snapshot.genesis:
        raise LedgerError("snapshot is not of an audit, or of another genesis")
    audit.chain.administrators = audit.replayed.administrators = administrators
    audit.replayed.matched = None
    for member in audit.replayed.registry.members.values():
        member.verifier = read_verifier(member.public_key)
    audit.stand_ins = check_programs(read_programs(audit.front[4]), trust_source)
    if administrators is not None:
        _check_signatures(snapshot, audit, administrators)
    return audit


def describe_trust(snapshot: Restart, administrators: Administrators | None) -> str:
    """On whose word a snapshot stands, in a few words."""
    if administrators is None:
        return "on its maker's word"
    count, needed = len(snapshot.signatures), administrators.quorum
    few = "" if count >= needed else f", {needed} are needed"
    return f"signed by {count} of {len(administrators.keys)} administrators{few}"


def blocks_behind(folder: Path, audit: WorldAudit) -> Iterator[Block]:
    """Blocks of a world's ledger, whole or pruned, behind the snapshot's; its header must name the state frozen.

    Raises:
        LedgerError: the ledger does not hold the snapshot's block, another one, or a later one without its envelopes.
    """
    height, head, seen = audit.chain.height, audit.chain.head, False
    for payload, place in read_frames(folder):
        if payload[:1] == bytes([RecordType.SNAPSHOT]):
            continue
        block = read_slim(payload, place).block
        if block.header.height == height - 1:
            if header_hash(block.header_bytes) != head:
                raise LedgerError("the snapshot is of another ledger: its block has another hash", where=place)
            known = audit.chain.state.root(), audit.replayed.head
            if (block.header.state_root, block.header.content_head) != known:
                raise LedgerError("the snapshot holds another state than the header of its block names", where=place)
            seen = True
        elif block.header.height >= height and seen:
            if not block.records:
                do = "begin at a snapshot of a later block"
                raise LedgerError("the block was pruned, its envelopes are not here", where=place, do=do)
            yield read_block(payload, place)
    if not seen:
        raise LedgerError(f"block {height - 1}, where the snapshot was taken, is not here", where=folder.name)


def verify_from(
    folder: Path,
    snapshots: Path,
    height: int,
    expected_head: bytes | None = None,
    trust_source: bool = False,
    keys_of: KeysOf = lambda world: None,
) -> Verdict:
    """Derive a run's ledger again from the snapshots of block `height` on; see `ledger.audit.verify`."""
    heads, contents, lines, counts, where = [], [], list[str](), dict[str, int](), str(folder)
    try:
        for path in find_worlds(folder):
            where = path.name
            snapshot, known = read_restart(snapshot_path(snapshots, path.name, height)), keys_of(path.name)
            audit = restart(snapshot, known, trust_source)
            first = audit.chain.height
            for block in blocks_behind(path, audit):
                audit.check_block(block)
            audit.chain.require_end()
            heads.append(audit.chain.head)
            contents.append(audit.replayed.head)
            said = f"blocks {first} to {audit.chain.height - 1} derived again behind a snapshot"
            lines += [f"{path.name}: {said} {describe_trust(snapshot, known)}; nothing differs"]
            lines += [f"{path.name}: {change}" for change in audit.chain.changes]
            for name, count in audit.counts().items():
                counts[name] = counts.get(name, 0) + count
        where, found = str(folder), join_heads(heads)
        if expected_head is not None and found != expected_head:
            raise LedgerError(f"chain head is {found.hex()}, the run's was {expected_head.hex()}")
    except LedgerError as error:
        return Verdict(False, (f"{where}: {error}",), counts)
    return Verdict(True, tuple(lines), counts, found, tuple(contents))


def write_snapshots(
    folder: Path, snapshots: Path, height: int, keys_of: KeysOf = lambda world: None, trust_source: bool = False
) -> list[Path]:
    """Derive each world of a run up to block `height` and write what is known then; the files written.

    Raises:
        ConfigError: there is no such block, or a file stands already.
        LedgerError: where a ledger does not derive.
    """
    made = []
    for world in find_worlds(folder):
        audit = WorldAudit(trust_source, keys_of(world.name))
        for block in islice(read_blocks(world), height + 1):
            audit.check_block(block)
        if audit.chain.height <= height:
            do = f"give 0 to {audit.chain.height - 1}"
            raise ConfigError(f"{world.name} has no block {height}", where="--block", do=do)
        made.append(snapshot_path(snapshots, world.name, height))
        save(take_snapshot(audit), made[-1])
    return made


def snapshot_path(snapshots: Path, world: str, height: int) -> Path:
    """Where the snapshot of a world at a block lies."""
    return snapshots / world / f"block-{height:08d}.dgr"


def save(snapshot: Restart, path: Path) -> None:
    """Write a new file, whole or not at all; raises ConfigError where it stands already or cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise FileExistsError(17, "it stands already")
        part = path.with_suffix(".part")
        part.write_bytes(snapshot.to_bytes())
        part.rename(path)
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(path), do="remove it first") from error


def _given(genesis: bytes, replay: Replay | None = None) -> Given:
    """What follows from the genesis and is not frozen."""
    read = read_genesis(genesis) if replay is None else replay.genesis
    accounts = read.rules.accounts
    row = fixed_dtype(accounts.parties, accounts.count, KINDS)
    return {"Genesis": read, "Rules": read.rules, "dtype": row}


def _check_signatures(snapshot: Restart, audit: WorldAudit, administrators: Administrators) -> None:
    chain = audit.chain
    message = snapshot.message(administrators.chain_id, chain.height - 1, chain.head)
    for who, signature in snapshot.signatures:
        key = administrators.keys[who] if who < len(administrators.keys) else b""
        if not key or not is_signed_by(read_verifier(key), signature, message):
            raise LedgerError(f"signature of administrator {who} under the snapshot is not good")
    if len({who for who, _ in snapshot.signatures}) != len(snapshot.signatures):
        raise LedgerError("an administrator signed the snapshot twice")


def _cut(data: bytes, at: int) -> tuple[bytes, int]:
    start = at + _LENGTH.size
    end = start + _LENGTH.unpack_from(data, at)[0]
    if end > len(data):
        raise ValueError("cut short")
    return data[start:end], end
