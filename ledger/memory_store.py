"""A store of blocks in memory: what tests, benches and simulations of many nodes write to."""

from collections.abc import Iterator

from ledger.store import Tip, check_next
from market.errors import LedgerError


class MemoryStore:
    """A `ledger.store.LogStore` that is gone with its process."""

    def __init__(self) -> None:
        self._tip = Tip()
        self._blocks: list[bytes] = []
        self._closed = False

    @property
    def tip(self) -> Tip:
        """Where the chain ends."""
        return self._tip

    def append(self, height: int, previous: bytes, block: bytes) -> None:
        """Keep a block behind the tip; see `LogStore.append`."""
        if self._closed:
            raise LedgerError("ledger is closed", where="memory")
        self._tip = check_next(self._tip, height, previous, block, "memory")
        self._blocks.append(block)

    def wait(self) -> None:
        """Return at once: nothing here survives the process."""

    def read(self, height: int) -> tuple[bytes, str]:
        """Bytes and place of one block; raises LedgerError where there is none."""
        if not 0 <= height < len(self._blocks):
            raise LedgerError(f"there is no block {height}", where="memory")
        return self._blocks[height], f"memory, block {height}"

    def blocks(self, first: int = 0) -> Iterator[tuple[bytes, str]]:
        """Bytes and place of each block from height `first` on."""
        yield from (self.read(height) for height in range(first, len(self._blocks)))

    def close(self) -> None:
        """Take no more blocks."""
        self._closed = True
