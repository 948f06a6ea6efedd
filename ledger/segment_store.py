"""The store of blocks on segment files: the default, one process and no server."""

import os
from collections.abc import Iterator
from pathlib import Path

from ledger.segments import (
    SEGMENT_BYTES,
    Position,
    SegmentWriter,
    find_segments,
    locate_frames,
    lock_folder,
    place_name,
    read_at,
)
from ledger.store import Tip, check_next, follow
from ledger.torn import Cut, cut_torn_tail
from market.errors import LedgerError


class SegmentStore:
    """A `ledger.store.LogStore` in a new folder; `SegmentStore.reopen` goes on with an old one.

    Args:
        folder: created where missing; must be empty.
        segment_bytes: a new file begins when the last has reached this size.

    Raises:
        LedgerError: the folder holds anything already, is held by another writer, or cannot be written.
    """

    _writer: SegmentWriter
    _tip: Tip
    _places: list[Position]
    _where: str

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._start(SegmentWriter(folder, segment_bytes), Tip(), [])

    @classmethod
    def reopen(
        cls, folder: Path, segment_bytes: int = SEGMENT_BYTES, *, damaged: bool = False
    ) -> tuple["SegmentStore", Cut | None]:
        """Go on behind the last whole block; what a crash left unfinished there is cut, and told.

        Every frame is read, and so is every link between blocks: a damaged ledger is not gone on with. `damaged` cuts
        a last block that has rotted as well.

        Raises:
            LedgerError: the folder is held by another writer, damaged, or cannot be read or written.
        """
        if not folder.is_dir():
            raise LedgerError("no ledger here", where=str(folder), do="give a ledger folder")
        try:
            held = lock_folder(folder)
        except OSError as error:
            raise LedgerError(f"cannot be opened: {error.strerror}", where=str(folder)) from error
        try:
            cut = cut_torn_tail(folder, damaged=damaged)
            tip, places = _walk(folder)
        except BaseException:
            os.close(held)
            raise
        store = cls.__new__(cls)
        store._start(SegmentWriter(folder, segment_bytes, held=held), tip, places)
        return store, cut

    @property
    def tip(self) -> Tip:
        """Where the chain ends, whether or not the last block is on the disk yet."""
        return self._tip

    def append(self, height: int, previous: bytes, block: bytes) -> None:
        """Write a block behind the tip; the one before is on the disk by then. See `LogStore.append`."""
        after = check_next(self._tip, height, previous, block, self._where)
        self._places.append(self._writer.append(block))
        self._tip = after

    def wait(self) -> None:
        """Return when every block is on the disk; raises LedgerError when it cannot be put there."""
        self._writer.wait()

    def read(self, height: int) -> tuple[bytes, str]:
        """Bytes and place of one block; raises LedgerError where there is none or it is damaged."""
        if not 0 <= height < len(self._places):
            raise LedgerError(f"there is no block {height}", where=self._where)
        return read_at(self._writer.folder, self._places[height]), place_name(self._places[height])

    def blocks(self, first: int = 0) -> Iterator[tuple[bytes, str]]:
        """Bytes and place of each block from height `first` on; raises LedgerError at the first that is damaged."""
        yield from (self.read(height) for height in range(first, len(self._places)))

    def close(self) -> None:
        """Wait, close the files and let the folder go; a second call does nothing."""
        self._writer.close()

    def _start(self, writer: SegmentWriter, tip: Tip, places: list[Position]) -> None:
        self._writer, self._tip, self._places = writer, tip, places
        self._where = str(writer.folder)


def _walk(folder: Path) -> tuple[Tip, list[Position]]:
    """Tip and positions of the blocks in a folder; raises LedgerError at the first that does not fit."""
    tip, places = Tip(), []
    if find_segments(folder, empty=True):
        for block, position in locate_frames(folder):
            tip = follow(tip, block, place_name(position))
            places.append(position)
    return tip, places
