"""Joint limits over several lines (フェンス) as lines of a larger graph.

A limit over lines that leave (or enter) one area on one side is the same as one more line: from that area to a node
without orders, to which those lines are tied instead. So the auction, its prices and its certificate stay as they are.
Limits that are no such cut, or that share some lines of one side but not all, have no such form.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from market.grid import Grid, Limit, Line
from market.units import Int

UNLIMITED = 1 << 60
Steps = tuple[int, ...]


class Fence(NamedTuple):
    """A set of lines at one area, and the limits on what leaves through them and on what enters, -1 for none."""

    area: int
    lines: frozenset[int]
    out: int
    into: int


@lru_cache(maxsize=64)
def fences_of(grid: Grid) -> tuple[Fence, ...] | None:
    """The grid's limits as fences; None when one of them is no cut around an area, or two overlap at one area."""
    fences: dict[tuple[int, frozenset[int]], Fence] = {}
    for row, limit in enumerate(grid.limits):
        found = _cut(grid, limit)
        if found is None:
            return None
        area, lines, leaves = found
        fence = fences.get((area, lines), Fence(area, lines, -1, -1))
        bound = fence.out if leaves else fence.into
        if bound >= 0:
            return None
        fences[area, lines] = fence._replace(out=row) if leaves else fence._replace(into=row)
    made = tuple(fences.values())
    for place, one in enumerate(made):
        if any(one.area == other.area and one.lines & other.lines for other in made[:place]):
            return None
    return made


def _cut(grid: Grid, limit: Limit) -> tuple[int, frozenset[int], bool] | None:
    """Area, lines and whether the limit is on what leaves; None when its lines do not meet in one area."""
    lines = {number: sign for number, sign in enumerate(limit.signs) if sign}
    for area in range(len(grid.areas)):
        leaving = {n: sign * _outward(grid.lines[n], area) for n, sign in lines.items()}
        if lines and len(set(leaving.values())) == 1 and 0 not in leaving.values():
            return area, frozenset(lines), 1 in leaving.values()
    return None


def _outward(line: Line, area: int) -> int:
    """+1 where forward flow leaves the area, -1 where it enters, 0 where the line does not touch it."""
    return int(line.source == area) - int(line.target == area)


@lru_cache(maxsize=64)
def expand(grid: Grid) -> Grid:
    """The grid with one more node and line for each fence; areas and lines keep their numbers."""
    fences = fences_of(grid) or ()
    ends = [[line.source, line.target] for line in grid.lines]
    for node, fence in enumerate(fences, start=len(grid.areas)):
        for number in fence.lines:
            ends[number][ends[number].index(fence.area)] = node
    lines = [Line(line.name, *end) for line, end in zip(grid.lines, ends, strict=True)]
    names = [f"fence {number}" for number in range(len(fences))]
    lines += [
        Line(name, fence.area, len(grid.areas) + n) for n, (name, fence) in enumerate(zip(names, fences, strict=True))
    ]
    return Grid((*grid.areas, *names), tuple(lines))


def limit_use(grid: Grid, use_wh: Int, netting: bool) -> Int:
    """Use of each joint limit (markets, limits) by the use of lines (markets, lines, 2) [Wh].

    With netting the sum of sign x net flow, else the sum of what flows in the direction that counts.
    """
    signs = np.array([limit.signs for limit in grid.limits], np.int64).reshape(len(grid.limits), len(grid.lines))
    if netting:
        return np.asarray((use_wh[..., 0] - use_wh[..., 1]) @ signs.T)
    return np.asarray(use_wh[..., 0] @ (signs > 0).T.astype(np.int64) + use_wh[..., 1] @ (signs < 0).T.astype(np.int64))


def fence_room(grid: Grid, use_wh: Int, limit_wh: Int, netting: bool) -> Int:
    """Room of the fences' lines (markets, fences, 2): out of the area and into it [Wh]."""
    left = np.maximum(limit_wh - limit_use(grid, use_wh, netting), 0)
    fences = fences_of(grid) or ()
    room = np.full((len(use_wh), len(fences), 2), UNLIMITED, np.int64)
    for place, fence in enumerate(fences):
        for way, row in enumerate((fence.out, fence.into)):
            if row >= 0:
                room[:, place, way] = left[:, row]
    return room


def own_steps(grid: Grid, steps: Steps) -> Steps:
    """A path of the expanded grid as a path of the grid: without the fences' own lines.

    Energy that passes a fence's node from one line to another passes the area beside it, so the path may pass that area
    twice. Such a way round is not left out: without it the energy would count towards the fence.
    """
    return tuple(step for step in steps if abs(step) <= len(grid.lines))
