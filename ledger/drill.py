"""The drill: damage a copy of a ledger in many ways and places and see whether the audit finds each of them.

Damages are what disks and copies do: a flipped bit, a file cut short, a sector that reads as zeros, a sector written
twice. A damage that leaves the bytes as they were is none and is drawn again. `rewrite` is the harder case, an operator
who changes records and signs anew.
"""

import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ledger.audit import verify
from ledger.blocks import NO_BLOCK, header_hash, header_message
from ledger.journal import read_blocks
from ledger.keys import Signer
from ledger.merkle import Frontier, leaf_hash, merkle_root
from ledger.records import RecordType, frame_record, split_records
from ledger.segments import SegmentWriter
from ledger.state import State
from market.errors import ConfigError, LedgerError

SECTOR = 512
"""Bytes of a sector."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Damage:
    """One damage and what the audit said: `finding` is empty when it was missed.

    `byte` is where it begins in the file; `bit` is the flipped one, 0 in other kinds.
    """

    file: str
    byte: int
    bit: int
    finding: str
    kind: str = "flip"


def flip_bits(folder: Path, places: int, seed: int = 0, progress: Progress | None = None) -> list[Damage]:
    """Flip one bit at a time in `places` places of all files of a ledger; the folder itself is only read.

    A place is drawn from all bytes of all files alike.
    """
    return damage(folder, places, seed, ("flip",), progress)


def damage(
    folder: Path, rounds: int, seed: int = 0, kinds: Sequence[str] = (), progress: Progress | None = None
) -> list[Damage]:
    """Do one damage at a time to a copy of a ledger, `rounds` times; the folder itself is only read.

    A place is drawn from all bytes of all files alike, a kind from `kinds`, all of them if none is given.

    Raises:
        ConfigError: unknown kind, or no file to damage.
    """
    chosen = list(kinds or KINDS)
    for kind in set(chosen) - set(KINDS):
        raise ConfigError(f"unknown damage {kind!r}", do=f"choose among {', '.join(KINDS)}")
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "ledger"
        shutil.copytree(folder, copy)
        files = sorted(path for path in copy.rglob("*") if path.is_file())
        sizes = [path.stat().st_size for path in files]
        if not sum(sizes):
            raise ConfigError("no bytes to damage", where=str(folder), do="give a ledger folder")
        done = []
        for path in dice.choices(files, sizes, k=rounds):
            kind = chosen[0] if len(chosen) == 1 else dice.choice(chosen)
            done.append(_damage(copy, path, kind, dice))
            if progress:
                progress(len(done), rounds)
        return done


def _damage(folder: Path, path: Path, kind: str, dice: random.Random) -> Damage:
    data = spoiled = path.read_bytes()
    if len(data) < 2 * SECTOR:
        kind = "flip"  # there is no other sector to write in its place
    while spoiled == data:
        byte, bit = dice.randrange(len(data)), dice.randrange(8)
        spoiled = KINDS[kind](data, byte, bit)
    path.write_bytes(spoiled)
    verdict = verify(folder)
    path.write_bytes(data)
    finding = "" if verdict.ok else verdict.lines[0]
    return Damage(path.relative_to(folder).as_posix(), byte, bit if kind == "flip" else 0, finding, kind)


def _flip(data: bytes, byte: int, bit: int) -> bytes:
    return data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :]


def _cut(data: bytes, byte: int, _: int) -> bytes:
    return data[:byte]


def _zero(data: bytes, byte: int, _: int) -> bytes:
    start = byte - byte % SECTOR
    size = len(data[start : start + SECTOR])
    return data[:start] + bytes(size) + data[start + size :]


def _twice(data: bytes, byte: int, _: int) -> bytes:
    """A sector stands again in place of the next one, as when a disk writes to the wrong address."""
    start = byte - byte % SECTOR
    size = len(data[start + SECTOR : start + 2 * SECTOR])
    return data[: start + SECTOR] + data[start : start + size] + data[start + SECTOR + size :]


def _inserted(data: bytes, byte: int, _: int) -> bytes:
    """A sector stands twice, everything behind it moves on."""
    start = byte - byte % SECTOR
    return data[: start + SECTOR] + data[start:]


KINDS: dict[str, Callable[[bytes, int, int], bytes]] = {
    "flip": _flip,
    "cut": _cut,
    "zero": _zero,
    "misplace": _twice,
    "duplicate": _inserted,
}
"""Damages by name: each takes bytes, a place and a bit and gives the bytes afterwards."""


def rewrite(folder: Path, target: Path, operator: Signer, change: Callable[[RecordType, bytes], bytes]) -> None:
    """Write what the operator could: one world's ledger with bodies changed and everything above made to fit.

    Sizes, roots, links and signatures are right; what follows from the rules is left as it was. The state root stays
    where the changed records have none.

    Args:
        folder: one world's ledger, only read.
        target: a new folder.
        operator: signs the headers.
        change: what a body becomes, given the type of its record.
    """
    writer, previous, log, state = SegmentWriter(target), NO_BLOCK, Frontier(), State()
    for block in read_blocks(folder):
        changed = [(kind, change(kind, body)) for kind, body in split_records(block.records)]
        records = [frame_record(kind, body) for kind, body in changed]
        leaves, log_size = [leaf_hash(record) for record in records], log.size
        for leaf in leaves:
            log.append(leaf)
        header = replace(
            block.header,
            previous=previous,
            records_root=merkle_root(leaves),
            records=len(records),
            record_bytes=sum(len(record) for record in records),
            log_size=log_size,
            log_root=log.root(),
            state_root=_follow(state, changed, block.header.state_root),
        ).to_bytes()
        previous = header_hash(header)
        writer.append(b"".join([header, operator.sign(header_message(header)), *records]))
    writer.close()


def _follow(state: State, records: Sequence[tuple[RecordType, bytes]], otherwise: bytes) -> bytes:
    """State root after some records, or the other one where they cannot be read."""
    try:
        for kind, body in records:
            state.take(kind, body)
        return state.root()
    except (LedgerError, ArithmeticError, IndexError, KeyError, TypeError, ValueError):
        return otherwise
