"""Curtailment of many markets, compiled by numba; import only inside functions."""

from numba import njit

from market.book_kernels import inlined, kernel
from market.reach_kernels import UNBOUNDED, find_room, take_path
from market.units import Int

EXACT_PASSES = 8
"""So many passes cut what is needed and no more; later ones cut whole contracts, so that their number is bounded."""


@inlined
def room_on(path: int, paths: Int, weights: Int, free: Int, slack: Int) -> int:
    """Energy that still fits on a path [Wh]; below zero what must be taken off it until every limit it loads fits."""
    most = UNBOUNDED
    for at in range(paths.shape[1]):
        step = paths[path, at]
        if step == 0:
            break
        most = min(most, free[abs(step) - 1, 0 if step > 0 else 1])
    for limit in range(weights.shape[1]):
        if weights[path, limit] > 0:
            # floor division: what does not divide is cut, never left over the limit
            most = min(most, slack[limit] // weights[path, limit])
    return int(most)


@kernel
def cut_pass(
    rows: Int,
    path: Int,
    left: Int,
    whole: bool,
    paths: Int,
    weights: Int,
    netting: bool,
    use: Int,
    free: Int,
    slack: Int,
) -> bool:
    """Cut the contracts of one market, last formed first, where they load a limit that does not fit; whether any was.

    `left` (contracts,) is what each keeps, changed in place; `whole`: a contract that is cut keeps nothing.
    """
    cut_some = False
    for place in range(len(rows) - 1, -1, -1):
        row = rows[place]
        over = -room_on(path[row], paths, weights, free, slack)
        if over > 0 and left[row] > 0:
            part = left[row] if whole else min(over, left[row])
            take_path(path[row], -part, paths, weights, netting, use, free, slack)
            left[row] -= part
            cut_some = True
    return cut_some


@kernel
def give_back(
    rows: Int,
    path: Int,
    energy: Int,
    left: Int,
    paths: Int,
    weights: Int,
    netting: bool,
    use: Int,
    free: Int,
    slack: Int,
) -> None:
    """Give back, first formed first, what fits again after all cuts of one market."""
    for row in rows:
        if left[row] < energy[row]:
            part = min(energy[row] - left[row], room_on(path[row], paths, weights, free, slack))
            if part > 0:
                take_path(path[row], part, paths, weights, netting, use, free, slack)
                left[row] += part


@njit(cache=True)
def curtail_markets(
    rows: Int,
    start: Int,
    market: Int,
    path: Int,
    energy: Int,
    capacity: Int,
    use: Int,
    spare: Int,
    paths: Int,
    weights: Int,
    netting: bool,
) -> Int:
    """Energy that each contract keeps (contracts,) [Wh]; `use` and `spare` are updated in place.

    `rows` are the contracts of the markets to look at, by market, then in order of formation; `start` (groups + 1,)
    where each market's begin.
    """
    left = energy.copy()
    free = use[0].copy()
    for group in range(len(start) - 1):
        here = rows[start[group] : start[group + 1]]
        at = market[here[0]]
        slack = spare[at]
        find_room(capacity[at], use[at], netting, free)
        passes = 0
        while cut_pass(here, path, left, passes >= EXACT_PASSES, paths, weights, netting, use[at], free, slack):
            passes += 1
        give_back(here, path, energy, left, paths, weights, netting, use[at], free, slack)
    return left
