"""The journal of one world in `full` mode: records gathered into blocks, blocks appended to segment files.

A block is sealed at each simulated midnight or at 64 KiB, whichever comes first: the clock is an argument, the
machine's time is not in the bytes. `close` writes the end record, so that a ledger cut at a block's edge is found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.admission import Hearing
from ledger.blocks import NO_BLOCK, Block, Header, header_hash, header_message, read_block
from ledger.executions import Executions
from ledger.keys import Signer
from ledger.merkle import Frontier, leaf_hash, merkle_root
from ledger.records import FRONT, RecordType, StepBody, end_body, frame_record, split_records
from ledger.segments import read_frames
from ledger.state import State
from ledger.store import LogStore
from market.errors import LedgerError
from market.slots import SlotCalendar
from market.validation import Codes

BLOCK_BYTES = 64 << 10


@dataclass
class _Pending:
    """Records of the block being filled."""

    records: list[bytes]
    size: int
    first_slot: int


class Journal:
    """Writes one world's ledger into an empty store.

    Args:
        store: takes the blocks; closed with the journal.
        operator: the sequencer, signs headers.
        front: bodies of the first five records: genesis, members, calendar, opening, programs.
        chain_id: written into every header.
        head: content head before the first step.
        start: slot of the first step.
        slots: slot length, for midnight.
    """

    def __init__(
        self,
        store: LogStore,
        operator: Signer,
        front: Sequence[bytes],
        chain_id: bytes,
        head: bytes,
        start: int,
        slots: SlotCalendar,
    ) -> None:
        self._store = store
        self._operator, self._chain_id, self._slots = operator, chain_id, slots
        self._height, self._steps = 0, 0
        self._log, self._state, self._executions = Frontier(), State(), Executions()
        self._content_head, self._slot = head, start
        self._pending = _Pending([], 0, start)
        self._closed = False
        self.head = NO_BLOCK
        for kind, body in zip(FRONT, front, strict=True):
            self._add(kind, body)
        self._seal()

    def append_step(self, slot: int, hearing: Hearing, codes: Codes, step: StepBody, outage: bytes = b"") -> None:
        """Add one step: an outage if any, each admitted envelope with its row codes, the step itself; seal when due."""
        if self._closed:
            raise LedgerError("ledger is closed")
        self._slot = slot
        if not self._pending.records:
            self._pending.first_slot = slot
        if outage:
            self._add(RecordType.OUTAGE, outage)
        at, code_bytes = 0, codes.tobytes()
        for envelope, rows in zip(hearing.kept, hearing.counts.tolist(), strict=True):
            self._add(RecordType.ENVELOPE, envelope + code_bytes[at : at + rows])
            at += rows
        self._add(RecordType.STEP, step.to_bytes())
        self._content_head = step.head
        self._steps += 1
        if self._pending.size >= BLOCK_BYTES or (slot + 1) % self._slots.per_day == 0:
            self._seal()

    def append_between(self, kind: RecordType, body: bytes) -> None:
        """Add a record that stands between steps: a registration or evidence; it is sealed with the next step."""
        if self._closed:
            raise LedgerError("ledger is closed")
        if not self._pending.records:
            self._pending.first_slot = self._slot + (self._steps > 0)
        self._add(kind, body)

    @property
    def height(self) -> int:
        """Height of the block that is being filled."""
        return self._height

    def close(self) -> None:
        """Write the end record, seal the last block and close the files; a second call does nothing."""
        if self._closed:
            return
        self._add_executions()
        records = self._log.size + len(self._pending.records)
        if not self._pending.records:
            self._pending.first_slot = self._slot
        self._closed = True
        self._add(RecordType.END, end_body(self._steps, records, self._content_head))
        try:
            self._seal()
        finally:
            self._store.close()

    def _add(self, kind: RecordType, body: bytes) -> None:
        record = frame_record(kind, body)
        self._pending.records.append(record)
        self._pending.size += len(record)
        self._state.take(kind, body)
        self._executions.take(kind, body)

    def _add_executions(self) -> None:
        """Say what the programs made of the steps of this block, if there are any."""
        for body in self._executions.finish():
            self._add(RecordType.EXEC, body)

    def _seal(self) -> None:
        self._add_executions()
        records, log_size = self._pending.records, self._log.size
        leaves = [leaf_hash(record) for record in records]
        for leaf in leaves:
            self._log.append(leaf)
        header = Header(
            chain_id=self._chain_id,
            epoch=0,
            height=self._height,
            previous=self.head,
            records_root=merkle_root(leaves),
            records=len(records),
            record_bytes=self._pending.size,
            first_slot=min(self._pending.first_slot, self._slot),
            last_slot=self._slot,
            content_head=self._content_head,
            log_size=log_size,
            log_root=self._log.root(),
            state_root=self._state.root(),
        ).to_bytes()
        block = b"".join([header, self._operator.sign(header_message(header)), *records])
        self._store.append(self._height, self.head, block)
        self.head = header_hash(header)
        self._height += 1
        self._pending = _Pending([], 0, self._slot)


def read_blocks(folder: Path) -> Iterator[Block]:
    """Blocks of one world's ledger, in order; raises LedgerError where bytes do not fit."""
    for payload, place in read_frames(folder):
        if payload[:1] == bytes([RecordType.SNAPSHOT]):
            pruned = "ledger is pruned: old envelopes are not in it"
            raise LedgerError(pruned, where=place, do="`digitalgrid ledger check-pruned` checks it")
        yield read_block(payload, place)


def read(folder: Path) -> Iterator[tuple[int, int, RecordType, bytes]]:
    """Block height, number within the block, type and body of every record of one world's ledger."""
    for block in read_blocks(folder):
        for number, (kind, body) in enumerate(split_records(block.records)):
            yield block.header.height, number, kind, body
