"""Areas (エリア) and directed lines (連系線) between them; a transport model without losses.

A line has one capacity per direction and slot [Wh]. Paths between two areas are simple, ordered by
number of lines, then by line names' order in the grid (design rule: fewest lines, then lexicographic).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from market.units import Int


@dataclass(frozen=True)
class Line:
    """A line from one area to another; `forward` is source to target."""

    name: str
    source: int
    target: int


@dataclass(frozen=True)
class Limit:
    """A joint limit (フェンス): sum over lines of sign x net flow (forward less backward) is at most `most_wh`.

    `signs` (lines of the grid,) are +1, -1 or 0 for lines that do not count. Used in Japan since 2026 over the
    lines of Chubu, Hokuriku and Kansai (OCCTO).
    """

    name: str
    signs: tuple[int, ...]
    most_wh: int


@dataclass(frozen=True)
class Grid:
    """Areas by name, the lines between them, and limits over several lines."""

    areas: tuple[str, ...]
    lines: tuple[Line, ...] = ()
    limits: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        for line in self.lines:
            if line.source == line.target or not {line.source, line.target} <= set(range(len(self.areas))):
                raise ValueError(f"line {line.name} must join two different areas of {self.areas}")
        for limit in self.limits:
            if len(limit.signs) != len(self.lines) or not set(limit.signs) <= {-1, 0, 1}:
                raise ValueError(f"limit {limit.name} must give +1, -1 or 0 for each of {len(self.lines)} lines")

    @cached_property
    def paths(self) -> tuple[tuple[int, ...], ...]:
        """Every path as signed line numbers (+(i+1) forward, -(i+1) backward); row 0 is the empty path."""
        rows: list[tuple[int, ...]] = [()]
        for pair in self._pairs():
            rows += self._simple_paths(*pair)
        return tuple(rows)

    @cached_property
    def path_table(self) -> Int:
        """Paths as a table (paths, longest) of signed line numbers, 0 where a path has ended."""
        longest = max((len(path) for path in self.paths), default=0)
        table = np.zeros((len(self.paths), max(longest, 1)), np.int64)
        for row, path in enumerate(self.paths):
            table[row, : len(path)] = path
        return table

    @cached_property
    def path_ranges(self) -> Int:
        """First and one-past-last path of each ordered area pair: (areas, areas, 2)."""
        count = len(self.areas)
        ranges = np.zeros((count, count, 2), np.int64)
        ranges[np.arange(count), np.arange(count)] = (0, 1)
        start = 1
        for source, target in self._pairs():
            stop = start + len(self._simple_paths(source, target))
            ranges[source, target] = (start, stop)
            start = stop
        return ranges

    def _pairs(self) -> list[tuple[int, int]]:
        count = len(self.areas)
        return [(a, b) for a in range(count) for b in range(count) if a != b]

    def _simple_paths(self, source: int, target: int) -> list[tuple[int, ...]]:
        found: list[tuple[int, ...]] = []

        def extend(area: int, path: tuple[int, ...], seen: frozenset[int]) -> None:
            if area == target:
                found.append(path)
                return
            for number, line in enumerate(self.lines, start=1):
                if line.source == area and line.target not in seen:
                    extend(line.target, (*path, number), seen | {line.target})
                if line.target == area and line.source not in seen:
                    extend(line.source, (*path, -number), seen | {line.source})

        extend(source, (), frozenset({source}))
        return sorted(found, key=lambda path: (len(path), [abs(step) for step in path]))
