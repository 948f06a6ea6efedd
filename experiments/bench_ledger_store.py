"""Durable append: orders in envelopes in blocks, one fdatasync a block, against one fdatasync for each order.

Both sides write to files in one temporary folder, so on one disk. Ours is the store that a run writes to, block signed
and checked; its orders are random bytes of the size of signed envelopes. Times are of one order, by the wall clock.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from experiments.bench_rows import ROUNDS, BenchRow, time_calls
from experiments.crash_blocks import drill_signer, make_block
from ledger.encoding import ROW_BYTES, SHORTEST
from ledger.journal import BLOCK_BYTES
from ledger.records import RecordType, frame_record
from ledger.segment_store import SegmentStore

ORDERS = 48
"""Orders of an envelope: those of a day."""
BLOCKS, SINGLES = 8, 8
TARGET = 500.0


def store_rows(seed: int) -> list[BenchRow]:
    """One row: seconds of an order that is on the disk."""
    dice = random.Random(seed)
    body = SHORTEST + ORDERS * (ROW_BYTES + 1)
    records = [frame_record(RecordType.ENVELOPE, dice.randbytes(body)) for _ in range(-(-BLOCK_BYTES // body))]
    orders = [dice.randbytes(ROW_BYTES) for _ in range(SINGLES)]
    with (
        TemporaryDirectory() as folder,
        _store_in(Path(folder) / "chain", records) as append_blocks,
        (Path(folder) / "orders").open("ab", buffering=0) as file,
    ):
        ours, theirs = _alternate(append_blocks, lambda: _append_each(file.fileno(), orders))
    count = len(records) * ORDERS
    what = f"durable append, an order of {count:,} in a block"
    return [BenchRow(what, "one fdatasync for each order", ours / count / BLOCKS, theirs / SINGLES, TARGET)]


@contextmanager
def _store_in(folder: Path, records: list[bytes]) -> Iterator[Callable[[], None]]:
    """A call that appends blocks of these records and waits for the disk, as a run does: while one is written to the
    disk, the next is made.
    """
    store, signer = SegmentStore(folder), drill_signer(0)

    def append_blocks() -> None:
        for _ in range(BLOCKS):
            tip = store.tip
            store.append(tip.height, tip.head, make_block(tip, records, signer))
        store.wait()

    yield append_blocks
    store.close()


def _alternate(ours: Callable[[], None], theirs: Callable[[], None]) -> tuple[float, float]:
    """Median time of a call of each side [s], measured in turn; the clock on the wall, for both wait for the disk."""
    for side in (ours, theirs):
        side()
    times = [(time_calls(ours, 1), time_calls(theirs, 1)) for _ in range(ROUNDS)]
    return median(own for own, _ in times), median(other for _, other in times)


def _append_each(handle: int, orders: list[bytes]) -> None:
    for order in orders:
        os.write(handle, order)
        os.fdatasync(handle)
