"""Continuous trade (ザラ場): price-time priority, at the resting order's price, within reach.

- An arriving order meets the best resting order it can *reach*: there must be room on a path from the
  seller's area to the buyer's. Paths are tried fewest lines first; a match may be split over paths.
- Room is taken when the contract forms (paper 1.4): contracts beyond capacity never form. With
  `netting`, opposite flows free room.
- A party never meets itself; its own resting orders are passed over.
- `replace` loses time priority, and enters less what the order it names filled in the same step: its
  sender was quoting for all that was left and could not know of the fill. What is left rests until its
  gate, or lapses if `immediate`.
"""

from functools import lru_cache

import numpy as np

from market.contracts import CONTRACT
from market.design import MarketDesign
from market.exchange import Outcome
from market.fences import limit_use
from market.grid import Grid
from market.orders import ORDER
from market.tables import Table
from market.units import Int

NOBODY = np.zeros(0, np.int64)
"""No owners are given: every party owns itself."""


def trade_continuous(
    design: MarketDesign,
    grid: Grid,
    resting: Table,
    orders: Table,
    capacity_wh: Int,
    flow_wh: Int,
    now: Int,
    *,
    limit_wh: Int | None = None,
    owner: Int | None = None,
) -> Outcome:
    """Let orders arrive one after another in every market; see `market.exchange.trade` for the arguments."""
    from market.book_kernels import MORE_WORDS, WORDS_PER_AREA, WORDS_PER_ROW
    from market.pairing_kernels import match_markets

    use, rows = flow_wh.copy(), len(resting) + len(orders)
    # memory comes from NumPy, which asks for large pages
    words = WORDS_PER_ROW * rows + WORDS_PER_AREA * len(grid.areas) + MORE_WORDS + rows
    contracts, live, codes, filled, lapsed, withdrawn = match_markets(
        _plain(resting),
        _plain(orders),
        np.empty(2 * len(orders) + 1, CONTRACT),
        np.empty(len(resting) + len(orders), ORDER),
        np.empty(words, np.int64),
        capacity_wh,
        use,
        limit_room(design, grid, use, limit_wh),
        grid.path_ranges,
        grid.path_table,
        limit_weights(grid, design.netting),
        design.netting,
        NOBODY if owner is None else owner,
        now,
    )
    return Outcome(contracts, live, codes, filled, lapsed, withdrawn, use, None)


def _plain(table: Table) -> Table:
    """The table as one writable block of memory, the only kind the kernels are compiled for."""
    return table if table.flags.carray else table.copy()


def limit_room(design: MarketDesign, grid: Grid, use_wh: Int, limit_wh: Int | None) -> Int:
    """Room of each joint limit (markets, limits) [Wh], below zero where use is beyond it."""
    if not grid.limits:
        return np.zeros((len(use_wh), 0), np.int64)
    bound = np.array([limit.most_wh for limit in grid.limits], np.int64) if limit_wh is None else limit_wh
    return np.ascontiguousarray(bound - limit_use(grid, use_wh, design.netting))


@lru_cache(maxsize=64)
def limit_weights(grid: Grid, netting: bool) -> Int:
    """What one Wh on each path adds to the use of each joint limit (paths, limits); see `market.fences.limit_use`."""
    return limit_use(grid, count_ways(grid), netting)


@lru_cache(maxsize=64)
def count_ways(grid: Grid) -> Int:
    """How often each path passes each line forward and backward (paths, lines, 2)."""
    steps = grid.path_table
    ways = np.zeros((len(steps), len(grid.lines), 2), np.int64)
    path, place = np.nonzero(steps)
    step = steps[path, place]
    np.add.at(ways, (path, np.abs(step) - 1, (step < 0).astype(np.int64)), 1)
    return ways


def best_quotes(
    design: MarketDesign,
    grid: Grid,
    resting: Table,
    cell: Int,
    cells: int,
    capacity_wh: Int,
    flow_wh: Int,
    limit_wh: Int | None = None,
) -> tuple[Int, Int]:
    """Best bid and ask an order of each area could meet now, (cells, areas) each; int64 extremes without a quote.

    `cell` (resting,) says which row of the result an order belongs to: the caller's open slots, each of one market.
    Room of lines and joint limits counts (`limit_wh` as in `market.exchange.trade`); who owns an order does not.
    """
    from market.reach_kernels import scan_quotes

    extreme = np.iinfo(np.int64)
    bids = np.full((cells, len(grid.areas)), extreme.min, np.int64)
    asks = np.full((cells, len(grid.areas)), extreme.max, np.int64)
    scan_quotes(
        _plain(resting),
        cell,
        capacity_wh,
        flow_wh,
        limit_room(design, grid, flow_wh, limit_wh),
        grid.path_ranges,
        grid.path_table,
        limit_weights(grid, design.netting),
        design.netting,
        bids,
        asks,
    )
    return bids, asks
