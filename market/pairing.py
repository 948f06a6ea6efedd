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

import numpy as np

from market.contracts import CONTRACT
from market.design import MarketDesign
from market.exchange import Outcome
from market.grid import Grid
from market.orders import Side, TimeInForce
from market.tables import Table, join_rows, pick_rows
from market.units import Int


def trade_continuous(
    design: MarketDesign, grid: Grid, resting: Table, orders: Table, capacity_wh: Int, flow_wh: Int, now: Int
) -> Outcome:
    """Let orders arrive one after another in every market; see `market.exchange.trade` for the arguments."""
    from market.pairing_kernels import match_markets, order_by_market

    rows = join_rows(resting, orders)
    arriving = np.arange(len(rows)) >= len(resting)
    use = flow_wh.copy()
    places, busy, start = order_by_market(rows, len(capacity_wh))
    makers, takers, sizes, paths, codes, left, withdrawn = match_markets(
        rows, places, busy, start, arriving, grid.path_ranges, grid.path_table, capacity_wh, use, design.netting
    )
    filled = np.zeros(len(rows), np.int64)
    np.add.at(filled, makers, sizes)
    np.add.at(filled, takers, sizes)
    given = slice(len(resting), None)
    stays = (left > 0) & ~(arriving & (rows["time_in_force"] == TimeInForce.IMMEDIATE))
    remaining = pick_rows(rows, stays)
    remaining["energy"] = left[stays]
    return Outcome(
        contracts=_write_contracts(rows, makers, takers, sizes, paths, now),
        resting=remaining,
        codes=codes[given],
        filled_wh=filled[given],
        expired_wh=np.where(stays, 0, left)[given],
        cancelled_wh=int(withdrawn.sum()),
        flow_wh=use,
        price=None,
    )


def _write_contracts(rows: Table, makers: Int, takers: Int, sizes: Int, paths: Int, now: Int) -> Table:
    """One contract per fill; the maker's limit is the price of both sides."""
    contracts = np.zeros(len(sizes), CONTRACT)
    maker, taker = pick_rows(rows, makers), pick_rows(rows, takers)
    taker_buys = taker["side"] == Side.BUY
    for name in ("slot", "world", "market"):
        contracts[name] = taker[name]
    for who, side, takes in (("buyer", "buy", taker_buys), ("seller", "sell", ~taker_buys)):
        contracts[who] = np.where(takes, taker["party"], maker["party"])
        contracts[f"{side}_reference"] = np.where(takes, taker["reference"], maker["reference"])
    contracts["energy"], contracts["path"] = sizes, paths
    contracts["buy_price"] = contracts["sell_price"] = maker["price"]
    contracts["formed"] = now[contracts["world"]]
    return contracts


def best_quotes(
    design: MarketDesign, grid: Grid, resting: Table, cell: Int, cells: int, capacity_wh: Int, flow_wh: Int
) -> tuple[Int, Int]:
    """Best bid and ask an order of each area could meet now, (cells, areas) each; int64 extremes without a quote.

    `cell` (resting,) says which row of the result an order belongs to: the caller's open slots.
    """
    from market.pairing_kernels import scan_quotes

    extreme = np.iinfo(np.int64)
    bids = np.full((cells, len(grid.areas)), extreme.min, np.int64)
    asks = np.full((cells, len(grid.areas)), extreme.max, np.int64)
    scan_quotes(
        resting,
        cell=cell,
        ranges=grid.path_ranges,
        paths=grid.path_table,
        capacity=capacity_wh,
        use=flow_wh,
        netting=design.netting,
        bids=bids,
        asks=asks,
    )
    return bids, asks
