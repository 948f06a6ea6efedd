"""One row of a speed table: ours against a named reference, both timed in alternation within one run."""

from collections.abc import Sequence
from dataclasses import dataclass


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
