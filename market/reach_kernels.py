"""What an order can reach: paths with room, compiled by numba; import only inside functions."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from market.book_kernels import BUY, inlined, kernel
from market.tables import Table
from market.units import Int

UNBOUNDED = 1 << 62
Columns = npt.NDArray[Any]


@kernel
def find_room(capacity: Int, use: Int, netting: bool, free: Int) -> None:
    """Write the room left on each line of one market (lines, 2) to `free`; with netting opposite flows make room."""
    for line in range(len(free)):
        for way in range(2):
            free[line, way] = capacity[line, way] - use[line, way] + (use[line, 1 - way] if netting else 0)


@inlined
def find_path(
    source: int, target: int, ranges: Int, paths: Int, weights: Int, free: Int, slack: Int
) -> tuple[int, int]:
    """First path from source to target area on which energy fits, and how much [Wh]; (-1, 0) if there is none.

    free (lines, 2): room of lines; slack (limits,): room of joint limits, which count where a Wh on the path takes of
    them (`weights`). The path within an area has no bound.
    """
    for path in range(ranges[source, target, 0], ranges[source, target, 1]):
        most = np.int64(UNBOUNDED)
        for at in range(paths.shape[1]):
            step = paths[path, at]
            if step == 0:
                break
            most = min(most, free[abs(step) - 1, 0 if step > 0 else 1])
        for limit in range(weights.shape[1]):
            if weights[path, limit] > 0:
                most = min(most, slack[limit] // weights[path, limit])
        if most > 0:
            return path, int(most)
    return -1, 0


@kernel
def take_path(path: int, energy: int, paths: Int, weights: Int, netting: bool, use: Int, free: Int, slack: Int) -> None:
    """Take room on a path."""
    for at in range(paths.shape[1]):
        step = paths[path, at]
        if step != 0:
            line, way = abs(step) - 1, 0 if step > 0 else 1
            use[line, way] += energy
            free[line, way] -= energy
            free[line, 1 - way] += energy if netting else 0
    for limit in range(weights.shape[1]):
        slack[limit] -= weights[path, limit] * energy


@njit(cache=True)
def scan_quotes(
    table: Table,
    cell: Columns,
    capacity: Int,
    use: Int,
    spare: Int,
    ranges: Int,
    paths: Int,
    weights: Int,
    netting: bool,
    bids: Int,
    asks: Int,
) -> None:
    """Raise bids and lower asks (cells, areas) by every live order that an area can reach, in place."""
    cells, areas = bids.shape
    own_bids, own_asks = bids.copy(), asks.copy()
    market, free = np.full(cells, -1, np.int64), np.empty((use.shape[1], 2), np.int64)
    for row in range(len(table)):
        order, at = table[row], cell[row]
        area, price = np.int64(order.area), np.int64(order.price)
        market[at] = order.market
        if order.side == BUY:
            own_bids[at, area] = max(own_bids[at, area], price)
        else:
            own_asks[at, area] = min(own_asks[at, area], price)
    for at in range(cells):
        if market[at] < 0:
            continue
        slack = spare[market[at]]
        find_room(capacity[market[at]], use[market[at]], netting, free)
        for there in range(areas):
            bid, ask = own_bids[at, there], own_asks[at, there]
            for here in range(areas):
                if bid > bids[at, here]:
                    path, _ = find_path(here, there, ranges, paths, weights, free, slack)
                    bids[at, here] = bid if path >= 0 else bids[at, here]
                if ask < asks[at, here]:
                    path, _ = find_path(there, here, ranges, paths, weights, free, slack)
                    asks[at, here] = ask if path >= 0 else asks[at, here]
