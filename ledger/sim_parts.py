"""What the simulator gives the production code instead of the world: keys, a program, a disk.

- Signatures are keyed hashes: whoever has the "public" key can forge, but nobody in the simulator does.
- The program folds each block's input into one hash; a block records its input and the hash that follows. It is judged
  through the same `Judge` as the market is.
- The disk keeps what was synced, and of the rest a beginning of drawn length when its machine crashes.
"""

import hashlib
from collections.abc import Sequence
from random import Random

from ledger.blocks import Header, header_message
from ledger.encoding import SIGNATURE_BYTES
from ledger.epochs import Entry, open_entry, tip_of
from ledger.merkle import leaf_hash, merkle_root
from ledger.records import RecordType, frame_record
from ledger.replica_state import Sign

CHAIN = b"S" + bytes(15)
ZERO = bytes(32)
WHOLE_RATE = 0.3
"""How often a crash comes between the disk's last byte and the first word about it."""


class SimulatedCrashError(Exception):
    """The machine went down while it was writing."""


def signer_of(index: int) -> Sign:
    """How an administrator signs."""
    key = key_of(index)
    return lambda message: sign_as(key, message)


def key_of(index: int) -> bytes:
    """Key of an administrator."""
    return index.to_bytes(32, "big")


def sign_as(key: bytes, message: bytes) -> bytes:
    """A keyed hash of the size of a signature."""
    return hashlib.blake2b(message, key=key, digest_size=SIGNATURE_BYTES).digest()


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the hash is right."""
    return sign_as(public_key, message) == signature


class Memo:
    """What was read and computed once in a run, for all replicas: both depend on the bytes alone."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Entry] = {}
        self.by_digest: dict[bytes, Entry] = {}
        self.results: dict[bytes, bytes] = {ZERO: ZERO}


class SimulatedJudge:
    """The stand-in program of one administrator, who signs what it seals."""

    def __init__(self, sign: Sign, memo: Memo) -> None:
        self._sign, self._memo = sign, memo

    def read(self, data: bytes) -> Entry:
        """Cut a block; raises LedgerError where bytes do not fit."""
        entry = self._memo.entries.get(data)
        if entry is None:
            entry = self._memo.entries[data] = open_entry(data)
            self._memo.by_digest[entry.digest] = entry
        return entry

    def judge(self, below: Sequence[Entry], entry: Entry) -> str:
        """Fold the input again and compare."""
        before = self._memo.results.get(tip_of(below).digest, ZERO)
        after = before if entry.start else _execute(before, entry.data[-40:-32])
        if entry.start is None and entry.data[-32:] != after:
            return "recorded result does not follow from the input"
        self._memo.results[entry.digest] = after
        return ""

    def seal(self, below: Sequence[Entry], epoch: int, record: bytes) -> bytes:
        """A block of one record, signed."""
        tip = tip_of(below)
        header = Header(
            chain_id=CHAIN,
            epoch=epoch,
            height=tip.length,
            previous=tip.digest,
            records_root=merkle_root([leaf_hash(record)]),
            records=1,
            record_bytes=len(record),
            first_slot=0,
            last_slot=0,
            content_head=ZERO,
            log_size=tip.length,
            log_root=ZERO,
            state_root=ZERO,
        ).to_bytes()
        return header + self._sign(header_message(header)) + record

    def propose(self, below: Sequence[Entry], epoch: int, given: bytes, wrong: bool = False) -> bytes:
        """A block of one input (8 bytes) and its result, or a wrong one."""
        result = ZERO if wrong else _execute(self._memo.results.get(tip_of(below).digest, ZERO), given)
        return self.seal(below, epoch, frame_record(RecordType.STEP, given + result))


def _execute(before: bytes, given: bytes) -> bytes:
    return hashlib.sha256(before + given).digest()


class SimulatedDisk:
    """An append-only file under a machine that may crash; `crash_rate` is the chance that it does within a write."""

    def __init__(self, dice: Random, crash_rate: float) -> None:
        self._dice, self.crash_rate = dice, crash_rate
        self._kept, self._pending = b"", b""
        self.torn = 0

    def read(self) -> bytes:
        """What is there after a crash or a stop."""
        return self._kept

    def cut(self, size: int) -> None:
        """Drop a torn end."""
        self._kept = self._kept[:size]

    def append(self, data: bytes) -> None:
        """Hand bytes to the disk's cache."""
        self._pending += data

    def sync(self) -> None:
        """Empty the cache, unless the machine crashes in the middle: raises SimulatedCrashError then."""
        if self.crash_rate and self._dice.random() < self.crash_rate:
            self.crash()
            raise SimulatedCrashError
        self._kept, self._pending = self._kept + self._pending, b""

    def crash(self) -> None:
        """Keep a beginning of what was not synced, sometimes with zeros behind it, or all of it, unknown to anyone."""
        if not self._pending:
            return
        whole = self._dice.random() < WHOLE_RATE
        length = len(self._pending) if whole else self._dice.randrange(len(self._pending))
        zeros = bytes(self._dice.randrange(32)) if not whole and self._dice.random() < 0.5 else b""
        self._kept, self._pending = self._kept + self._pending[:length] + zeros, b""
        self.torn += not whole
