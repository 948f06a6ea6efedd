"""A run that was stopped goes on behind its last sealed block: it is run again, and its blocks must be those written.

A world is repeatable to the bit (design law 7) and so are signatures of Ed25519 (RFC 8032), so the same run makes the
same blocks again. Those that are on the disk are compared and not written; the first that is not there is appended.
What the parties saw is kept the same way.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ledger.reasons import ObservationLog
from ledger.segment_store import SegmentStore
from ledger.store import Tip, check_next
from market.errors import LedgerError


class ResumedStore:
    """A `ledger.store.LogStore` over a folder that another run of the same world began; `told` is what a crash left.

    Raises:
        LedgerError: the folder is damaged, held by another writer, or cannot be written; on `append`, the block is
            not the one that stands there: another scenario, seed, version or key.
    """

    def __init__(self, folder: Path) -> None:
        if folder.is_dir() and any(folder.iterdir()):
            self._store, cut = SegmentStore.reopen(folder)
        else:
            self._store, cut = SegmentStore(folder), None
        self._tip, self._where, self.told = Tip(), str(folder), "" if cut is None else str(cut)

    @property
    def tip(self) -> Tip:
        """Where the run is, at the latest where the store ends."""
        return self._tip

    def append(self, height: int, previous: bytes, block: bytes) -> None:
        """Compare a block with the one that stands at its height, or put it behind the last."""
        if height >= self._store.tip.height:
            self._store.append(height, previous, block)
        elif self._store.read(height)[0] != block:
            raise LedgerError(
                f"block {height} is not the one this run makes",
                where=self._where,
                do="resume with the same scenario, seed, days and version",
            )
        self._tip = check_next(self._tip, height, previous, block, self._where)

    def wait(self) -> None:
        """Return when everything is on the disk."""
        self._store.wait()

    def read(self, height: int) -> tuple[bytes, str]:
        """Bytes and place of one block."""
        return self._store.read(height)

    def blocks(self, first: int = 0) -> Iterator[tuple[bytes, str]]:
        """Blocks that stand in the folder, from `first` on."""
        return self._store.blocks(first)

    def close(self) -> None:
        """Wait and let go."""
        self._store.close()


class ResumedObservations(ObservationLog):
    """Observations of a run that is made again: steps that stand in the file are not written a second time.

    They are not compared: the hash in the signed envelope tells an observation that is another.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, resume=True)
        self._seen = 0

    def add(self, observations: Sequence[bytes]) -> None:
        """Write the observations of one step, unless it is one of those kept."""
        self._seen += 1
        if self._seen > self.kept:
            super().add(observations)
