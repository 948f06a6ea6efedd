"""Uniform-price auctions with market splitting (市場分断), and one-to-one contracts from each of them.

- Price: the lowest p with S(p) >= B(p+), not below the band (JEPX spot rule; `market.pricing`). Across lines the
  auction maximises welfare in a transport model without losses; areas joined by a line that is not full share a
  price, across a full line the price rises in the direction of flow; on a degenerate optimum the smallest price
  vector counts. Every market carries its certificate: dual value = primal welfare, else the call stops.
- Room of a line and direction = capacity less the use already committed, with netting plus the use the other
  way; never negative.
- The price of an area is null when nothing of it is filled and nothing flows in or out.
- An auction has no live orders: a replace enters as new, a cancel finds nothing to cancel. What does not fill
  expires. A party's own sale and purchase may meet: at one price that moves no money and changes no price.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from market.contracts import CONTRACT
from market.design import MarketDesign
from market.errors import ConfigError, Refusal
from market.exchange import NO_PRICE, Outcome
from market.grid import Grid
from market.orders import Kind, Side, no_orders
from market.tables import Table
from market.units import PRICE_BOUND, Int

if TYPE_CHECKING:
    from market.pricing import Subsets
    from market.splitting_kernels import Pairs, Paths

MOST_AREAS = 10
"""Areas of a grid for which connected sets are enumerated."""


def trade_uniform(design: MarketDesign, grid: Grid, orders: Table, capacity_wh: Int, flow_wh: Int, now: Int) -> Outcome:
    """Clear every market at uniform area prices and write the contracts; arguments as in `exchange.trade`.

    Raises ConfigError for a grid of more than ten areas, ValueError for rows outside the grid or the markets.
    """
    places = _in_sequence(orders)
    rows = orders[places]
    price, use, filled, pairs = _clear(design, grid, rows, capacity_wh, flow_wh)
    filled_wh = np.zeros(len(orders), np.int64)
    filled_wh[places] = filled
    cancels = orders["kind"] == Kind.CANCEL
    wanted = np.where(cancels, 0, orders["energy"])
    codes = np.where(cancels, Refusal.NOTHING_TO_CANCEL, Refusal.ADMITTED).astype(np.uint8)
    contracts = _contracts(rows, pairs, price, now)
    return Outcome(contracts, no_orders(), codes, filled_wh, wanted - filled_wh, 0, use, price)


def clear_without_limits(design: MarketDesign, grid: Grid, orders: Table, markets: int) -> Int:
    """System price (システムプライス) of each market: all areas cleared as one; NO_PRICE without trade.

    Returns (markets,) [mJPY/kWh]. The flows this would take are not unique, so they are not given.
    """
    return _clear_as_one(design, grid, orders, markets)[0]


def cancelled_by_splitting_wh(design: MarketDesign, grid: Grid, orders: Table, capacity_wh: Int, flow_wh: Int) -> Int:
    """Volume traded without limits less volume traded with them, per market (markets,) [Wh].

    Limits can also raise volume (a dear local pair replaces none), so a value may be negative.
    """
    rows = orders[_in_sequence(orders)]
    split = _volume(rows, _clear(design, grid, rows, capacity_wh, flow_wh)[2], len(capacity_wh))
    return _clear_as_one(design, grid, orders, len(capacity_wh))[1] - split


def _clear_as_one(design: MarketDesign, grid: Grid, orders: Table, markets: int) -> tuple[Int, Int]:
    rows = orders[_in_sequence(orders)]
    rows["area"] = 0
    one = Grid(grid.areas[:1])
    no_lines = np.zeros((markets, 0, 2), np.int64)
    price, _, filled, _ = _clear(design, one, rows, no_lines, no_lines)
    return price[:, 0], _volume(rows, filled, markets)


def _in_sequence(orders: Table) -> Int:
    """Row numbers of the bids by arrival."""
    live = np.flatnonzero(orders["kind"] != Kind.CANCEL)
    sequence = orders["sequence"][live]
    if (sequence[1:] >= sequence[:-1]).all():
        return live
    return live[np.argsort(sequence, kind="stable")]


def _volume(rows: Table, filled: Int, markets: int) -> Int:
    volume = np.zeros(markets, np.int64)
    np.add.at(volume, rows["market"], np.where(rows["side"] == Side.SELL, filled, 0))
    return volume


def _clear(
    design: MarketDesign, grid: Grid, rows: Table, capacity_wh: Int, flow_wh: Int
) -> tuple[Int, Int, Int, "Pairs"]:
    from market.allocation_kernels import Rows
    from market.splitting_kernels import PROVED, clear_markets

    _check_rows(grid, rows, len(capacity_wh))
    columns = Rows(*(rows[name].astype(np.int64) for name in Rows._fields))
    source, target, subsets, paths = _topology(grid)
    capacity = np.ascontiguousarray(capacity_wh, np.int64)
    use = np.ascontiguousarray(flow_wh, np.int64)
    floor = int(design.band_mjpy_kwh[0])
    price, after, filled, pairs, market, status = clear_markets(
        columns, capacity, use, design.netting, source, target, subsets, paths, floor, NO_PRICE
    )
    if status != PROVED:
        raise AssertionError(f"market {market} could not be proved optimal (status {status}): no result is given")
    return price, after, filled, pairs


def _check_rows(grid: Grid, rows: Table, markets: int) -> None:
    if len(rows) == 0:
        return
    if rows["area"].max() >= len(grid.areas) or rows["market"].max() >= markets or rows["market"].min() < 0:
        raise ValueError("an order names an area or market that does not exist")
    if np.abs(rows["price"].astype(np.int64)).max() >= PRICE_BOUND or rows["energy"].min() < 0:
        raise ValueError("an order's price or energy is out of bounds")
    if not np.isin(rows["side"], (Side.BUY, Side.SELL)).all():
        raise ValueError("an order's side is neither buy nor sell")


def _contracts(rows: Table, pairs: "Pairs", price: Int, now: Int) -> Table:
    count = int(pairs.count[0])
    sells, buys = rows[pairs.sell[:count]], rows[pairs.buy[:count]]
    table = np.zeros(count, CONTRACT)
    for name in ("slot", "world", "market"):
        table[name] = sells[name]
    table["seller"], table["buyer"] = sells["party"], buys["party"]
    table["sell_reference"], table["buy_reference"] = sells["reference"], buys["reference"]
    table["energy"], table["path"] = pairs.energy[:count], pairs.path[:count]
    table["sell_price"] = price[sells["market"], sells["area"]]
    table["buy_price"] = price[buys["market"], buys["area"]]
    table["formed"] = now[sells["world"]]
    return table


@lru_cache(maxsize=64)
def _topology(grid: Grid) -> tuple[Int, Int, "Subsets", "Paths"]:
    from market.pricing import Subsets
    from market.splitting_kernels import Paths

    count = len(grid.areas)
    if count > MOST_AREAS:
        raise ConfigError(f"a grid of {count} areas", where="splitting", do=f"use at most {MOST_AREAS} areas")
    source = np.array([line.source for line in grid.lines], np.int64)
    target = np.array([line.target for line in grid.lines], np.int64)
    near = _neighbours(grid)
    mask, parent, added = _connected_sets(near)
    whole = [m for m in mask if not any(near[a] & ~m for a in range(count) if m >> a & 1)]
    subsets = Subsets(
        np.array(mask, np.int64),
        np.array(parent, np.int64),
        np.array(added, np.int64),
        _incident_lines(grid),
        np.array(whole, np.int64),
    )
    return source, target, subsets, Paths(grid.path_table, grid.path_ranges)


def _neighbours(grid: Grid) -> list[int]:
    near = [0] * len(grid.areas)
    for line in grid.lines:
        near[line.source] |= 1 << line.target
        near[line.target] |= 1 << line.source
    return near


def _connected_sets(near: list[int]) -> tuple[list[int], list[int], list[int]]:
    mask = [1 << area for area in range(len(near))]
    parent, added = [-1] * len(near), list(range(len(near)))
    known = set(mask)
    for row, grown in enumerate(mask):
        for area in range(len(near)):
            larger = grown | 1 << area
            if near[area] & grown and larger not in known:
                known.add(larger)
                mask.append(larger)
                parent.append(row)
                added.append(area)
    return mask, parent, added


def _incident_lines(grid: Grid) -> npt.NDArray[np.int64]:
    at = [
        [n for n, line in enumerate(grid.lines) if area in (line.source, line.target)]
        for area in range(len(grid.areas))
    ]
    table = np.full((len(at), max(len(lines) for lines in at) + 1), -1, np.int64)
    for area, lines in enumerate(at):
        table[area, : len(lines)] = lines
    return table
