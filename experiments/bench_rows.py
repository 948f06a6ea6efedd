"""One row of a speed table: ours against a named reference, both timed in alternation within one run."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time
from typing import Any, TypeVar

ROUNDS, ROUND_S = 9, 0.02
"""Rounds that count, and about how long a side runs in each at least [s]."""
Ours = TypeVar("Ours")
Theirs = TypeVar("Theirs")


@dataclass(frozen=True)
class BenchRow:
    """One comparison; times are medians of alternating rounds [s], `ratio` is the reference's time over ours.

    `same` says whether both sides gave the same result where they can be compared, None where they cannot.
    """

    what: str
    reference: str
    ours_s: float
    reference_s: float
    target: float
    same: bool | None = None

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.reference_s / self.ours_s


def alternate(
    ours: Callable[[], Ours], theirs: Callable[[], Theirs], rounds: int = ROUNDS
) -> tuple[float, float, Ours, Theirs]:
    """Median processor time of a call of each side [s], measured in turn, and what their first calls gave.

    Both sides run on one thread: processor time is what they take on a quiet machine, and on a busy one too. What is
    short is called again and again within a round. The first calls, which compile or load, do not count. Garbage is
    collected between the rounds and not within, as Python's `timeit` does.
    """
    results = ours(), theirs()
    repeats = [max(1, round(ROUND_S / time_calls(side, 1, process_time))) for side in (ours, theirs)]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for side, count, taken in zip((ours, theirs), repeats, times, strict=True):
            taken.append(time_calls(side, count, process_time))
    return median(times[0]), median(times[1]), *results


def time_calls(call: Callable[[], Any], count: int, clock: Callable[[], float] = perf_counter) -> float:
    """Mean time of a call [s], never zero; what it returns is dropped."""
    gc.collect()
    gc.disable()
    try:
        began = clock()
        for _ in range(count):
            call()
        return max(clock() - began, 1e-9) / count
    finally:
        gc.enable()


def print_rows(title: str, rows: Sequence[BenchRow]) -> None:
    """The rows as a table on standard output."""
    from rich.table import Table

    from experiments.screen import console

    table = Table(title=title)
    for column in ("what", "against", "ours", "theirs", "ratio", "target", "same result"):
        table.add_column(column, justify="left" if column in ("what", "against") else "right")
    for row in rows:
        same = "-" if row.same is None else ("yes" if row.same else "NO")
        times = (f"{1_000 * row.ours_s:,.3f} ms", f"{1_000 * row.reference_s:,.3f} ms")
        table.add_row(row.what, row.reference, *times, f"{row.ratio:.2f}x", f"{row.target:g}x", same)
    console().print(table)
