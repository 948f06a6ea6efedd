"""Pruning: a copy of a world's ledger without the bodies of old envelopes, from which old receipts are still upheld.

A pruned ledger is segment files whose first frame is a snapshot record, and whose other frames are blocks, the old ones
in the form

    magic "DGPB" | version u8 | header | signature 64 | each record: 0 and its leaf hash 32, or 1 and the record itself

Only envelopes, sealed orders and their shares are left out, the bulk of a ledger. Headers, signatures, leaf hashes, and
all records of settlement, registry, programs, evidence and outages are kept, so every root can still be derived:
records root and log root from the leaves, state root from the kept records. What is lost is that orders can be matched
again.

Snapshot record, type 17: height u64 of the last pruned block | state root 32 | canonical state (`ledger.state`). The
root is that of the block's signed header, so the state is certified like the block, and who trusts the header needs
nothing older to know balances, positions, use of lines and registry at its end.
"""

import hashlib
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ledger.blocks import HEADER_BYTES, Block, read_block, read_header
from ledger.chain import ChainCheck, Located
from ledger.encoding import SIGNATURE_BYTES
from ledger.journal import read_blocks
from ledger.merkle import HASH_BYTES, Tree, leaf_hash
from ledger.proofs import Place, Proof
from ledger.quorum import Administrators
from ledger.receipts import Receipt
from ledger.records import RecordType, frame_record, split_records
from ledger.rules import read_genesis
from ledger.segments import SegmentWriter, read_frames
from ledger.state import STATE_TAG
from market.errors import ConfigError, LedgerError

PRUNED = frozenset({RecordType.ENVELOPE, RecordType.SEALED, RecordType.SHARE})
"""Records whose bodies are left out."""
MAGIC, VERSION = b"DGPB", 1
_START = struct.Struct(">4sB")
_SNAPSHOT = struct.Struct(">Q32s")
_RECORD = struct.Struct(">BI")
_LEAF, _WHOLE = 0, 1


@dataclass(frozen=True)
class Snapshot:
    """The state at the end of a block: its height, the state root of its header, the canonical bytes."""

    height: int
    root: bytes
    state: bytes

    def to_bytes(self) -> bytes:
        """Body of the snapshot record."""
        return _SNAPSHOT.pack(self.height, self.root) + self.state


def read_snapshot(body: bytes) -> Snapshot:
    """A snapshot from a record body; raises LedgerError unless its root is that of its state."""
    if len(body) < _SNAPSHOT.size:
        raise LedgerError("snapshot record has a wrong length")
    height, root = _SNAPSHOT.unpack_from(body)
    snapshot = Snapshot(height, root, body[_SNAPSHOT.size :])
    if hashlib.sha256(STATE_TAG + snapshot.state).digest() != snapshot.root:
        raise LedgerError("state of the snapshot is not that of its root")
    return snapshot


@dataclass(frozen=True)
class Slim:
    """A block of a pruned ledger: header and signature, leaf hashes, and the records that are kept by number."""

    block: Block
    leaves: tuple[bytes, ...]
    kept: dict[int, bytes]


@dataclass(frozen=True)
class Pruning:
    """What pruning did: blocks made slim, records left out, bytes of all segments before and after."""

    blocks: int
    records: int
    bytes_before: int
    bytes_after: int


def prune(folder: Path, out: Path, height: int, administrators: Administrators | None = None) -> Pruning:
    """Copy a world's ledger into a new folder, blocks below `height` without envelopes; the ledger itself is only read.

    Chain, roots and header signatures are checked on the way, and so is the copy when it is written; epochs after the
    first with the keys of their `administrators`.

    Raises:
        ConfigError: there is nothing below this height, or no such block.
        LedgerError: the ledger is damaged or pruned already, or the folder is not empty or cannot be written.
    """
    snapshot = _snapshot_below(folder, height, administrators)
    writer, left_out, size = SegmentWriter(out), 0, 0
    try:
        writer.append(frame_record(RecordType.SNAPSHOT, snapshot.to_bytes()))
        for payload, place in read_frames(folder):
            block = read_block(payload, place)
            data = slim_bytes(block) if block.header.height < height else payload
            left_out += sum(kind in PRUNED for kind, _ in split_records(block.records)) if data is not payload else 0
            size += len(payload)
            writer.append(data)
    finally:
        writer.close()
    check_pruned(out, administrators)
    return Pruning(height, left_out, size, sum(len(payload) for payload, _ in read_frames(out)))


def slim_bytes(block: Block) -> bytes:
    """A block without its envelopes."""
    parts = [_START.pack(MAGIC, VERSION), block.header_bytes, block.signature]
    for kind, body in split_records(block.records):
        record = frame_record(kind, body)
        parts.append(bytes([_LEAF]) + leaf_hash(record) if kind in PRUNED else bytes([_WHOLE]) + record)
    return b"".join(parts)


def read_slim(payload: bytes, place: str) -> Slim:
    """Cut a frame into a block of a pruned ledger, slim or whole; raises LedgerError unless it is exactly one."""
    if payload[: len(MAGIC)] != MAGIC:
        block = read_block(payload, place)
        kept = {at: frame_record(kind, body) for at, (kind, body) in enumerate(split_records(block.records))}
        return Slim(block, tuple(leaf_hash(record) for record in kept.values()), kept)
    body = _START.size + HEADER_BYTES + SIGNATURE_BYTES
    if len(payload) < body or payload[len(MAGIC)] != VERSION:
        raise LedgerError("pruned block is too short or not of this version", where=place)
    header_bytes = payload[_START.size : _START.size + HEADER_BYTES]
    header = read_header(header_bytes, place)
    leaves, kept, at = list[bytes](), dict[int, bytes](), body
    while at < len(payload):
        leaf, record, at = _take_record(payload, at, place)
        if record is not None:
            kept[len(leaves)] = record
        leaves.append(leaf)
    if len(leaves) != header.records:
        raise LedgerError("pruned block has a wrong number of records", where=place)
    signature = payload[_START.size + HEADER_BYTES : body]
    return Slim(Block(header_bytes, header, signature, b"", place), tuple(leaves), kept)


def _take_record(payload: bytes, at: int, place: str) -> tuple[bytes, bytes | None, int]:
    """Leaf hash, record if kept, and the byte behind them."""
    form, at = payload[at], at + 1
    size = HASH_BYTES if form == _LEAF else _RECORD.size
    if form not in (_LEAF, _WHOLE) or at + size > len(payload):
        raise LedgerError("record of a pruned block is cut short or of unknown form", where=place)
    if form == _LEAF:
        return payload[at : at + size], None, at + size
    end = at + size + _RECORD.unpack_from(payload, at)[1]
    if end > len(payload) or payload[at] in PRUNED:
        raise LedgerError("record of a pruned block is cut short, or should have been left out", where=place)
    return leaf_hash(payload[at:end]), payload[at:end], end


class PrunedCheck(ChainCheck):
    """Follows the blocks of a pruned ledger: every link, root and header signature."""

    def take(self, slim: Slim) -> None:
        """Check one block; raises LedgerError naming the first bad place."""
        self.check_link(slim.block)
        self.check_leaves(slim.block, slim.leaves)
        place = self.place(slim.block)
        records: list[Located] = [
            (*next(split_records(record)), f"{place}, record {number}") for number, record in slim.kept.items()
        ]
        self.close_block(slim.block, records)


def read_pruned(folder: Path) -> tuple[Snapshot, Iterator[Slim]]:
    """Snapshot and blocks of a pruned ledger, as read; raises LedgerError where bytes do not fit or it is another."""
    frames = read_frames(folder)
    first, place = next(frames)
    if first[:1] != bytes([RecordType.SNAPSHOT]):
        raise LedgerError("ledger is not pruned", where=place, do="`digitalgrid ledger verify` checks a whole one")
    records = list(split_records(first))
    if len(records) != 1:
        raise LedgerError("a pruned ledger begins with one snapshot record", where=place)
    return read_snapshot(records[0][1]), (read_slim(payload, where) for payload, where in frames)


def check_pruned(folder: Path, administrators: Administrators | None = None) -> PrunedCheck:
    """Check a pruned ledger: links, roots over records, log and state, header signatures, epochs, and the snapshot.

    Raises:
        LedgerError: at the first place that does not fit.
    """
    snapshot, blocks = read_pruned(folder)
    check = PrunedCheck(administrators)
    for slim in blocks:
        check.take(slim)
        header = slim.block.header
        if header.height == snapshot.height and header.state_root != snapshot.root:
            raise LedgerError("state of the snapshot is not that of its block", where=slim.block.place)
        if (slim.block.records == b"") != (header.height <= snapshot.height):
            raise LedgerError("blocks up to the snapshot are pruned, and no others", where=slim.block.place)
    if check.height <= snapshot.height:
        raise LedgerError("the block of the snapshot is missing", where=str(folder))
    check.require_end()
    return check


def prove_pruned(folder: Path, index: int, record: bytes | None = None) -> Proof:
    """The proof of record `index` from a pruned ledger; of an envelope left out, whoever has its record gives it.

    Raises:
        ConfigError: there is no such record, it is not the one given, or its body is not here.
        LedgerError: where bytes do not fit.
    """
    tree = Tree()
    for slim in read_pruned(folder)[1]:
        for leaf in slim.leaves:
            tree.append(leaf)
        if index < len(tree):
            number = index - slim.block.header.log_size
            body = slim.kept.get(number) if record is None else record
            if body is None:
                raise ConfigError(
                    f"the body of record {index} was pruned", do="give the record as its receipt holds it"
                )
            if leaf_hash(body) != slim.leaves[number]:
                raise ConfigError(f"record {index} of this ledger is another than the one given")
            place = Place(body, index, slim.block.header.height)
            return Proof(place, slim.block, tuple(tree.inclusion_proof(index)))
    raise ConfigError(f"there is no record {index} in this ledger")


def upholds(folder: Path, receipt: Receipt) -> bool:
    """Whether a receipt's record stands where it says, under the header it shows, in a pruned ledger.

    Raises:
        LedgerError: where bytes do not fit.
    """
    try:
        proof = prove_pruned(folder, receipt.index, receipt.record)
    except ConfigError:
        return False
    return (proof.block.header_bytes, proof.nodes) == (receipt.header, receipt.proof)


def height_kept(folder: Path, days: int) -> int:
    """Height of the first block of the last days of a world's ledger; raises LedgerError where bytes do not fit."""
    ends, per_day = list[int](), 1
    for block in read_blocks(folder):
        if not ends:
            per_day = read_genesis(next(split_records(block.records))[1]).rules.calendar.per_day
        ends.append(block.header.last_slot)
    return bisect_right(ends, ends[-1] - days * per_day)


def _snapshot_below(folder: Path, height: int, administrators: Administrators | None) -> Snapshot:
    """Check the ledger and take the state at the end of the last block below `height`."""
    check, snapshot = ChainCheck(administrators), None
    for block in read_blocks(folder):
        check.close_block(block, check.open_block(block))
        if check.height == height:
            snapshot = Snapshot(height - 1, block.header.state_root, check.state.to_bytes())
    check.require_end()
    if snapshot is None or check.height == height:
        raise ConfigError(
            f"nothing to prune below block {height}: the ledger has {check.height}, and one is kept", where=str(folder)
        )
    return snapshot
