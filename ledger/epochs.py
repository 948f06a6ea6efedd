"""Epochs: who orders blocks from where on; each change is a record that q administrators promised.

    promise      tag | chain 16 | epoch u32 | administrator u8 | last epoch u32 | length u64 | tip hash 32
    epoch start  (record 18, alone in its block)  epoch u32 | last epoch u32 | length u64 | tip hash 32 | count u8
                 | count times (administrator u8, last epoch u32, length u64, tip hash 32, signature 64)
                 | by disaster: signature of the operator 64

Epoch e is ordered by administrator e mod n. It begins with a block that holds only this record, on top of the log with
the greatest (last epoch, length) among q promises: not the longest one, which may be an older epoch's. Whoever promised
an epoch signs nothing of an older one. Blocks of older epochs are certified by the start block only, never again by
themselves (the rule of Raft, section 5.4.2, Ongaro and Ousterhout 2014; views as in Viewstamped Replication, Liskov and
Cowling 2012).

Logs of one epoch are beginnings of each other unless its sequencer signed two blocks at one height. A start whose
promises name a log that is not a beginning of the one below it is refused: the change stops, and the two headers are
the evidence. So with 2q - n - 1 liars no certified block can be replaced.

By disaster, where fewer than q are left, an epoch begins on the log that goes furthest among the survivors, and the
operator signs for it. It may stand on less than was certified, so administrators at work do not follow such a start;
whoever reads the ledger is told (one server remains: paper 2.1; that the operator answers: an assumption).
"""

import hashlib
import struct
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

from ledger.blocks import NO_BLOCK, header_hash, read_block
from ledger.encoding import SIGNATURE_BYTES
from ledger.merkle import leaf_hash, merkle_root
from ledger.quorum import Administrators, Verify
from ledger.records import RecordType, frame_record, split_records
from market.errors import LedgerError

PROMISE_TAG, DISASTER_TAG = b"DG/promise/v1\0", b"DG/disaster/v1\0"
_SAID = struct.Struct(">16sIBIQ32s")
_HEAD = struct.Struct(">IIQ32sB")
_PROMISE = struct.Struct(">BIQ32s64s")


class Tip(NamedTuple):
    """How far a log goes: epoch of its last block, number of blocks, hash of the last; in order of precedence."""

    epoch: int
    length: int
    digest: bytes


EMPTY = Tip(0, 0, NO_BLOCK)


class Promise(NamedTuple):
    """An administrator's word that it signs nothing older than `epoch`, and how far its log goes."""

    epoch: int
    administrator: int
    tip: Tip
    signature: bytes


class EpochStart(NamedTuple):
    """An epoch start record: the log it stands on, the promises, and by disaster the operator's signature."""

    epoch: int
    base: Tip
    promises: tuple[Promise, ...]
    operator: bytes = b""

    def to_bytes(self) -> bytes:
        """Body of the record."""
        promises = b"".join(
            _PROMISE.pack(promise.administrator, *promise.tip, promise.signature) for promise in self.promises
        )
        return _HEAD.pack(self.epoch, *self.base, len(self.promises)) + promises + self.operator

    def to_record(self) -> bytes:
        """The record as it stands in its block."""
        return frame_record(RecordType.EPOCH, self.to_bytes())


def read_epoch_start(body: bytes) -> EpochStart:
    """An epoch start from its bytes; raises LedgerError on a wrong length or promises out of order."""
    if len(body) < _HEAD.size:
        raise LedgerError("epoch record is cut short")
    epoch, last, length, digest, count = _HEAD.unpack_from(body)
    end = _HEAD.size + count * _PROMISE.size
    if len(body) not in (end, end + SIGNATURE_BYTES):
        raise LedgerError("epoch record has a wrong length")
    said = _PROMISE.iter_unpack(body[_HEAD.size : end])
    promises = tuple(Promise(epoch, who, Tip(*tip), signature) for who, *tip, signature in said)
    if any(a.administrator >= b.administrator for a, b in pairwise(promises)):
        raise LedgerError("promises are not in order, each administrator once")
    return EpochStart(epoch, Tip(last, length, digest), promises, body[end:])


def disaster_message(chain_id: bytes, start: EpochStart) -> bytes:
    """What the operator signs when an epoch begins by disaster."""
    return DISASTER_TAG + chain_id + hashlib.sha256(start._replace(operator=b"").to_bytes()).digest()


def promise_message(chain_id: bytes, epoch: int, administrator: int, tip: Tip) -> bytes:
    """What an administrator signs when it promises."""
    return PROMISE_TAG + _SAID.pack(chain_id, epoch, administrator, *tip)


def is_promise_good(administrators: Administrators, promise: Promise, verify: Verify) -> bool:
    """Whether the promise is the named administrator's."""
    epoch, who, tip, signature = promise
    if who >= len(administrators.keys):
        return False
    message = promise_message(administrators.chain_id, epoch, who, tip)
    return verify(administrators.keys[who], signature, message)


class Entry(NamedTuple):
    """A block as administrators pass it on: what its header says, its hash, its bytes, its epoch start if any."""

    epoch: int
    height: int
    previous: bytes
    digest: bytes
    data: bytes
    start: EpochStart | None


def open_entry(data: bytes) -> Entry:
    """Cut a block; raises LedgerError unless its records are those of its header, an epoch start alone or not at all.

    The hash that is signed is the header's: without this a sequencer could give one hash two bodies.
    """
    block = read_block(data, "")
    header = block.header
    records = list(split_records(block.records))
    root = merkle_root(leaf_hash(frame_record(kind, body)) for kind, body in records)
    if (root, len(records)) != (header.records_root, header.records):
        raise LedgerError("records are not those the header names")
    starts = [body for kind, body in records if kind == RecordType.EPOCH]
    if starts and len(records) != 1:
        raise LedgerError("an epoch start does not stand alone in its block")
    start = read_epoch_start(starts[0]) if starts else None
    return Entry(header.epoch, header.height, header.previous, header_hash(block.header_bytes), data, start)


class Linked(Protocol):
    """A block of a log, as far as epochs ask: an `Entry`, or the `Link` that is left of one."""

    @property
    def epoch(self) -> int:
        """Epoch of its header."""

    @property
    def digest(self) -> bytes:
        """Hash of its header."""


class Link(NamedTuple):
    """What a reader of a chain keeps of each block."""

    epoch: int
    digest: bytes


def tip_of(log: Sequence[Linked]) -> Tip:
    """How far a log goes."""
    return Tip(log[-1].epoch, len(log), log[-1].digest) if log else EMPTY


def greatest(tips: Sequence[Tip]) -> Tip:
    """The log to go on from: greatest (last epoch, length)."""
    return max(tips, key=lambda tip: tip[:2])


Choose = Callable[[Sequence[Tip]], Tip]


def check_start(
    administrators: Administrators,
    entry: Entry,
    below: Sequence[Linked],
    verify: Verify,
    choose: Choose = greatest,
    disaster: bool = False,
) -> str:
    """Why an entry may not begin an epoch on the log below it; empty if it may, `disaster` also by disaster."""
    start, base = entry.start, tip_of(below)
    if start is None:
        return "epoch begins without an epoch start"
    if start.epoch != entry.epoch or start.base != base:
        return "epoch start is not for this epoch and log"
    why = _check_promises(administrators, start, verify, disaster)
    if why:
        return why
    tips = [promise.tip for promise in start.promises]
    if choose(tips) != base:
        return "epoch does not begin on the log that goes furthest"
    return _find_conflict(tips, below)


def _check_promises(administrators: Administrators, start: EpochStart, verify: Verify, disaster: bool) -> str:
    """Whether enough have promised, or the operator answers for the few that are left."""
    count, quorum = len(start.promises), administrators.quorum
    if not all(is_promise_good(administrators, promise, verify) for promise in start.promises):
        return "a promise is not good"
    if not start.operator:
        return "" if count >= quorum else f"{count} promises, {quorum} are needed"
    if not disaster or not 0 < count < quorum:
        return "epoch begins by disaster where it may not"
    message = disaster_message(administrators.chain_id, start)
    good = verify(administrators.sequencer_key(0), start.operator, message)
    return "" if good else "epoch begins by disaster without the operator's signature"


def _find_conflict(tips: Sequence[Tip], below: Sequence[Linked]) -> str:
    """Logs of the same last epoch that are not a beginning of the one below."""
    last = below[-1].epoch if below else 0
    for tip in tips:
        if tip.epoch == last and tip.length and below[tip.length - 1].digest != tip.digest:
            return f"two logs of epoch {last} differ at block {tip.length - 1}: its sequencer signed two"
    return ""
