"""What a store of blocks promises, whatever it is made of: compare-and-append, tip, read, iterate, close.

Three kinds keep the promise: `ledger.segments` (files, the default), `ledger.memory_store` (nothing is kept) and
`ledger.postgres_store` (a database with a synchronous standby, for many nodes).

A block is appended at a height and behind a hash: a store whose tip is another refuses it. So two writers, or one
that slept while another took over, cannot make two chains of one store, and a writer that does not know whether its
last block arrived reads the tip and knows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ledger.blocks import NO_BLOCK, header_hash, read_block
from market.errors import LedgerError


@dataclass(frozen=True)
class Tip:
    """End of a chain: blocks in it, which is the height of the next one, and the hash the next one names."""

    height: int = 0
    head: bytes = NO_BLOCK


class LogStore(Protocol):
    """Blocks of one chain, in order."""

    @property
    def tip(self) -> Tip:
        """Where the chain ends, as this store holds it."""

    def append(self, height: int, previous: bytes, block: bytes) -> None:
        """Put a block behind the tip; it need not be on the disk before `wait` has returned.

        Raises:
            LedgerError: the tip is another, the block is not the one named, or it cannot be written; after a failure
                of writing every later call raises the same.
        """

    def wait(self) -> None:
        """Return when everything appended survives a crash of this machine; raises LedgerError when it cannot."""

    def read(self, height: int) -> tuple[bytes, str]:
        """Bytes and place of one block; raises LedgerError where there is none or it is damaged."""

    def blocks(self, first: int = 0) -> Iterator[tuple[bytes, str]]:
        """Bytes and place of each block from height `first` on; raises LedgerError at the first that does not fit."""

    def close(self) -> None:
        """Wait and let go; a second call does nothing."""


def check_next(tip: Tip, height: int, previous: bytes, block: bytes, where: str) -> Tip:
    """The tip after a block; raises LedgerError unless the block continues the chain and is what the caller says."""
    read = read_block(block, where)
    if (read.header.height, read.header.previous) != (height, previous):
        raise LedgerError("the block is not for the height and hash given", where=where)
    if height != tip.height:
        raise LedgerError(
            f"block {height} is refused: the chain ends before block {tip.height}",
            where=where,
            do="another writer was here; read the tip and go on from it",
        )
    if previous != tip.head:
        raise LedgerError(
            f"block {height} is refused: it names another block before it, a fork",
            where=where,
            do="read the tip and go on from it",
        )
    return Tip(height + 1, header_hash(read.header_bytes))


def follow(tip: Tip, block: bytes, where: str) -> Tip:
    """The tip after a block that was read; raises LedgerError unless it continues the chain."""
    read = read_block(block, where)
    if (read.header.height, read.header.previous) != (tip.height, tip.head):
        raise LedgerError("block does not continue the block before", where=where)
    return Tip(tip.height + 1, header_hash(read.header_bytes))


def copy_blocks(blocks: Iterator[tuple[bytes, str]], target: LogStore) -> int:
    """Append to `target` those of a whole chain's blocks that it lacks; how many these were.

    Raises:
        LedgerError: the chain breaks, is shorter than the target's or another, or it cannot be written.
    """
    tip, end, copied = Tip(), target.tip, 0
    for block, place in blocks:
        after = follow(tip, block, place)
        if tip.height >= end.height:
            if tip.height == end.height and tip.head != end.head:
                break
            target.append(tip.height, tip.head, block)
            copied += 1
        tip = after
    if tip.height < end.height or (tip.height == end.height and tip.head != end.head):
        raise LedgerError(f"the chain does not go on from the {end.height} blocks that are there", do="compare the two")
    target.wait()
    return copied
