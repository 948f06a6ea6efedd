"""The market's speed table: every row against a reference written here, both timed in alternation within one run."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from experiments.bench_auctions import bench_splitting, bench_uniform, bench_year
from experiments.bench_blocks import block_rows
from experiments.bench_continuous import bench_continuous
from experiments.bench_memory import MemoryRow, bench_memory, print_memory
from experiments.bench_rows import BenchRow, print_rows

PARTS: tuple[Callable[[int], list[BenchRow]], ...] = (
    bench_uniform,
    bench_splitting,
    bench_year,
    bench_continuous,
    block_rows,
)
CURVES = "published curves of a month: digitalgrid bench curves FILE"


@dataclass(frozen=True)
class MarketBench:
    """What `bench_market` measured."""

    speed: list[BenchRow]
    memory: list[MemoryRow]

    def rows(self) -> list[dict[str, Any]]:
        """One row a comparison or size: speed with times [s] and ratio, then memory [byte an order]."""
        speed = [asdict(row) | {"ratio": row.ratio} for row in self.speed]
        return speed + [asdict(row) | {"linear": row.linear} for row in self.memory]

    def print(self) -> None:
        """Both tables on standard output."""
        from experiments.screen import console

        print_rows("the market engine, medians of alternating rounds; a year and blocks by the wall clock", self.speed)
        print_memory(self.memory)
        console().print(CURVES)


def bench_market(seed: int = 0, progress: Callable[[int, int], None] = lambda _done, _total: None) -> MarketBench:
    """All rows of the market, one part after another; a few minutes, of which most is the references'."""
    steps, speed = len(PARTS) + 1, []
    for done, part in enumerate(PARTS):
        progress(done, steps)
        speed += part(seed)
    progress(len(PARTS), steps)
    return MarketBench(speed, bench_memory(seed))
