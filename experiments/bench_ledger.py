"""The ledger's speed table: rows of its parts, each against a reference or the time that a target allows."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from experiments.bench_ledger_administrators import administrators_rows
from experiments.bench_ledger_admission import admission_rows
from experiments.bench_ledger_chain import chain_rows
from experiments.bench_ledger_programs import programs_rows
from experiments.bench_ledger_store import store_rows
from experiments.bench_rows import BenchRow, print_rows

PARTS: tuple[Callable[[int], list[BenchRow]], ...] = (
    admission_rows,
    administrators_rows,
    chain_rows,
    programs_rows,
    store_rows,
)


@dataclass(frozen=True)
class LedgerBench:
    """What `bench_ledger` measured."""

    speed: list[BenchRow]

    def rows(self) -> list[dict[str, Any]]:
        """One row a comparison, with times [s] and ratio."""
        return [asdict(row) | {"ratio": row.ratio} for row in self.speed]

    def print(self) -> None:
        """The table on standard output."""
        print_rows("the ledger, medians of alternating rounds", self.speed)


def bench_ledger(seed: int = 0, progress: Callable[[int, int], None] = lambda _done, _total: None) -> LedgerBench:
    """All rows of the ledger, one part after another."""
    speed = []
    for done, part in enumerate(PARTS):
        progress(done, len(PARTS))
        speed += part(seed)
    progress(len(PARTS), len(PARTS))
    return LedgerBench(speed)
