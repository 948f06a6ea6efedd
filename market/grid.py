"""Areas (エリア) and directed lines (連系線) between them; a transport model without losses.

A line has one capacity per direction and slot [Wh]. Paths between two areas are simple, ordered by
number of lines, then by line names' order in the grid (design rule: fewest lines, then lexicographic). A meshed grid
has more simple paths than can be numbered: the first of each pair are kept.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from market.units import Int

MOST_PATHS = 65_535
"""Paths of a grid that fit the column `path` of a contract, the empty one apart."""
STEPS_PER_PATH = 60
"""Steps of the search for each path a pair of areas may have; grids of up to ten areas hardly ever need as many."""


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
        """Paths as signed line numbers (+(i+1) forward, -(i+1) backward); row 0 is the empty path.

        Each ordered pair of areas has its first `most_paths` simple paths.
        """
        rows: list[tuple[int, ...]] = [()]
        for pair in self._pairs():
            rows += self._paths_of[pair]
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
            stop = start + len(self._paths_of[source, target])
            ranges[source, target] = (start, stop)
            start = stop
        return ranges

    @cached_property
    def most_paths(self) -> int:
        """Paths kept of each ordered pair, so that all of them have a number of 16 bits."""
        return MOST_PATHS // max(len(self._pairs()), 1)

    @cached_property
    def has_all_paths(self) -> bool:
        """Whether every simple path is in the table."""
        return all(len(paths) < self.most_paths and done for paths, done in self._search.values())

    def areas_of(self, source: int, path: tuple[int, ...]) -> tuple[int, ...]:
        """Areas a path from `source` passes, both ends included."""
        passed = [source]
        for step in path:
            line = self.lines[abs(step) - 1]
            passed.append(line.target if step > 0 else line.source)
        return tuple(passed)

    def _pairs(self) -> list[tuple[int, int]]:
        count = len(self.areas)
        return [(a, b) for a in range(count) for b in range(count) if a != b]

    @cached_property
    def _steps(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Signed lines out of each area and where they lead, by number of the line."""
        steps: list[list[tuple[int, int]]] = [[] for _ in self.areas]
        for number, line in enumerate(self.lines, start=1):
            steps[line.source].append((number, line.target))
            steps[line.target].append((-number, line.source))
        return tuple(tuple(out) for out in steps)

    @cached_property
    def _paths_of(self) -> dict[tuple[int, int], list[tuple[int, ...]]]:
        return {pair: paths for pair, (paths, _) in self._search.items()}

    @cached_property
    def _search(self) -> dict[tuple[int, int], tuple[list[tuple[int, ...]], bool]]:
        return {(a, b): self._simple_paths(a, b) for a, b in self._pairs()}

    def _simple_paths(self, source: int, target: int) -> tuple[list[tuple[int, ...]], bool]:
        """The first `most_paths` simple paths, fewest lines first, then by the lines' numbers; whether all were tried.

        Large meshes have more ways that end nowhere than paths: the search stops after STEPS_PER_PATH steps for each
        path it may find.
        """
        left = self._lines_to(target)
        if left[source] < 0:
            return [], True
        found: list[tuple[int, ...]] = []
        steps = [STEPS_PER_PATH * self.most_paths]
        for length in range(left[source], len(self.areas)):
            if len(found) >= self.most_paths or not steps[0]:
                break
            exact: list[tuple[int, ...]] = []
            self._extend(source, target, length, (), 1 << source, left, exact, steps)
            found += exact
        return found[: self.most_paths], steps[0] > 0

    def _extend(
        self,
        area: int,
        target: int,
        length: int,
        path: tuple[int, ...],
        seen: int,
        left: list[int],
        found: list[tuple[int, ...]],
        steps: list[int],
    ) -> None:
        """Add every simple path of exactly `length` more lines; ways that cannot end in time are not followed."""
        if not steps[0]:
            return
        steps[0] -= 1
        if length == 0:
            found.append(path)
            return
        for step, other in self._steps[area]:
            ends = other != target or length == 1
            if ends and left[other] < length and not seen >> other & 1 and len(found) < self.most_paths:
                self._extend(other, target, length - 1, (*path, step), seen | 1 << other, left, found, steps)

    def _lines_to(self, target: int) -> list[int]:
        """Fewest lines from each area to `target`, -1 where there is no way."""
        left = [-1] * len(self.areas)
        left[target] = 0
        queue = [target]
        for area in queue:
            for _, other in self._steps[area]:
                if left[other] < 0:
                    left[other] = left[area] + 1
                    queue.append(other)
        return left
