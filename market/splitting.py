"""Uniform-price auctions with market splitting (市場分断), and one-to-one contracts from each of them.

- Price: the lowest p with S(p) >= B(p+), not below the band (JEPX spot rule; `market.pricing`). Across lines the
  auction maximises welfare in a transport model without losses; areas joined by a line that is not full share a
  price, across a full line the price rises in the direction of flow; on a degenerate optimum the smallest price
  vector counts. Every market carries its certificate: dual value = primal welfare, else the call stops.
- Room of a line and direction = capacity less the use already committed, with netting plus the use the other
  way; never negative.
- A sale offered below the band counts as offered at its floor, where it is a marginal order.
- The price of an area is null when nothing of it is filled and nothing flows in or out.
- An auction has no live orders: a replace enters as new, a cancel finds nothing to cancel. What does not fill
  expires. A party's own sale and purchase may meet: at one price that moves no money and changes no price.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

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
    from market.contract_kernels import Paths
    from market.pricing import Lines, Subsets
    from market.splitting_kernels import Result, Work

MOST_AREAS = 10
"""Areas of a grid for which connected sets are enumerated."""
MOST_BITS = 63
"""Bits of a packed sort key that stay clear of the sign."""


class Bids(NamedTuple):
    """Columns of the bids by market, area, price, side and arrival (bids,); `place` is the row in the order table."""

    place: Int
    market: Int
    area: Int
    side: Int
    price: Int
    energy: Int


def trade_uniform(design: MarketDesign, grid: Grid, orders: Table, capacity_wh: Int, flow_wh: Int, now: Int) -> Outcome:
    """Clear every market at uniform area prices and write the contracts; arguments as in `exchange.trade`.

    Raises ConfigError for a grid of more than ten areas, ValueError for rows outside the grid or the markets.
    """
    bids = _sort_bids(design, orders)
    result = _clear(design, grid, bids, capacity_wh, flow_wh)
    filled_wh = np.zeros(len(orders), np.int64)
    filled_wh[bids.place] = result.filled
    cancels = orders["kind"] == Kind.CANCEL
    expired_wh = np.where(cancels, 0, orders["energy"] - filled_wh)
    codes = np.where(cancels, Refusal.NOTHING_TO_CANCEL, Refusal.ADMITTED).astype(np.uint8)
    contracts = _write_contracts(orders, bids, result, now)
    return Outcome(contracts, no_orders(), codes, filled_wh, expired_wh, 0, result.use, result.price)


def clear_without_limits(design: MarketDesign, grid: Grid, orders: Table, markets: int) -> Int:
    """System price (システムプライス) of each market: all areas cleared as one; NO_PRICE without trade.

    Returns (markets,) [mJPY/kWh]. The flows this would take are not unique, so they are not given.
    """
    return _clear_as_one(design, grid, orders, markets)[0]


def cancelled_by_splitting_wh(design: MarketDesign, grid: Grid, orders: Table, capacity_wh: Int, flow_wh: Int) -> Int:
    """Volume traded without limits less volume traded with them, per market (markets,) [Wh].

    Limits may also raise the volume, where dear local energy serves what cheap energy served elsewhere, so a
    value may be negative.
    """
    markets, bids = len(capacity_wh), _sort_bids(design, orders)
    split = _volume(bids, _clear(design, grid, bids, capacity_wh, flow_wh), markets)
    return _clear_as_one(design, grid, orders, markets)[1] - split


def _clear_as_one(design: MarketDesign, grid: Grid, orders: Table, markets: int) -> tuple[Int, Int]:
    together = orders.copy()
    together["area"] = 0
    bids = _sort_bids(design, together)
    no_lines = np.zeros((markets, 0, 2), np.int64)
    result = _clear(design, Grid(grid.areas[:1]), bids, no_lines, no_lines)
    return result.price[:, 0], _volume(bids, result, markets)


def _volume(bids: Bids, result: "Result", markets: int) -> Int:
    volume = np.zeros(markets, np.int64)
    np.add.at(volume, bids.market, np.where(bids.side == Side.SELL, result.filled, 0))
    return volume


def _sort_bids(design: MarketDesign, orders: Table) -> Bids:
    place = np.flatnonzero(orders["kind"] != Kind.CANCEL)
    sequence = orders["sequence"][place]
    if (sequence[1:] < sequence[:-1]).any():
        place = place[np.argsort(sequence, kind="stable")]
    whole = len(place) == len(orders) and bool((place[1:] > place[:-1]).all())
    columns = {n: (orders[n] if whole else orders[n][place]).astype(np.int64) for n in Bids._fields[1:]}
    arrival = Bids(place, **columns)
    floor = design.band_mjpy_kwh[0]
    arrival.price[(arrival.side == Side.SELL) & (arrival.price < floor)] = floor
    rank = _by_price(arrival)
    return Bids(*(column[rank] for column in arrival))


def _by_price(bids: Bids) -> Int:
    """Ranks of bids in order of arrival, sorted by market, area, price, side and arrival.

    One radix sort of packed integers where they fit 63 bits: several times faster than sorting by columns.
    """
    from market.sorting_kernels import stable_order

    count = len(bids.place)
    columns = [bids.market, bids.area, bids.price, bids.side]
    if count == 0:
        return np.zeros(0, np.int64)
    lowest = [int(column.min()) for column in columns]
    bits = [(int(column.max()) - low).bit_length() for column, low in zip(columns, lowest, strict=True)]
    if sum(bits) > MOST_BITS:
        return np.asarray(np.lexsort(columns[::-1]), np.int64)
    key = np.zeros(count, np.int64)
    for column, low, width in zip(columns, lowest, bits, strict=True):
        key <<= width
        key |= column - low
    return np.asarray(stable_order(key, sum(bits)), np.int64)


def _check_bids(grid: Grid, bids: Bids, markets: int) -> None:
    if len(bids.place) == 0:
        return
    if bids.market[-1] >= markets or bids.market[0] < 0 or bids.area.max() >= len(grid.areas):
        raise ValueError("an order names an area or market that does not exist")
    if np.abs(bids.price).max() >= PRICE_BOUND or bids.energy.min() < 0:
        raise ValueError("an order's price or energy is out of bounds")
    if bids.side.min() < Side.BUY or bids.side.max() > Side.SELL:
        raise ValueError("an order's side is neither buy nor sell")


def _clear(design: MarketDesign, grid: Grid, bids: Bids, capacity_wh: Int, flow_wh: Int) -> "Result":
    from market.pricing import Book
    from market.splitting_kernels import PROVED, clear_markets

    _check_bids(grid, bids, len(capacity_wh))
    lines, subsets, paths = _topology(grid)
    lines = lines._replace(room=np.empty_like(lines.room))
    areas, count = len(grid.areas), len(bids.place)
    below = np.concatenate([np.zeros(1, np.int64), np.cumsum(bids.energy)])
    book = Book(bids.price, bids.energy, bids.side, below, np.zeros(areas + 1, np.int64), np.zeros(areas, np.int64))
    start = np.searchsorted(bids.market, np.arange(len(capacity_wh) + 1)).astype(np.int64)
    work, result = _make_work(grid, count, len(subsets.mask)), _make_result(grid, start, flow_wh)
    capacity, floor = np.ascontiguousarray(capacity_wh, np.int64), int(design.band_mjpy_kwh[0])
    market, status = clear_markets(
        book, start, bids.area, capacity, design.netting, lines, subsets, paths, floor, work, result
    )
    if status != PROVED:
        raise AssertionError(f"market {market} could not be proved optimal (status {status}): no result is given")
    return result


def _make_work(grid: Grid, orders: int, sets: int) -> "Work":
    from market.allocation_kernels import Balance
    from market.contract_kernels import Queues
    from market.splitting_kernels import Work

    areas = len(grid.areas)
    queues = Queues(*np.empty((3, orders), np.int64), *np.empty((2, areas), np.int64))
    balance = Balance(*np.empty((6, areas), np.int64))
    scratch = np.empty((5, areas + 1), np.int64)
    flow, slope = np.empty(len(grid.lines), np.int64), np.empty(sets, np.int64)
    return Work(queues, balance, np.empty(areas, np.int64), flow, slope, scratch)


def _make_result(grid: Grid, start: Int, flow_wh: Int) -> "Result":
    """Empty result; a market forms at most one contract per order, area, line and end of a line."""
    from market.contract_kernels import Pairs
    from market.splitting_kernels import Result

    areas, orders = len(grid.areas), int(start[-1])
    most = orders + int((np.diff(start) > 0).sum()) * (3 * areas + len(grid.lines))
    sell, buy, energy, path = np.empty((4, most), np.int64)
    pairs = Pairs(sell, buy, energy, path, np.zeros(1, np.int64))
    price = np.full((len(start) - 1, areas), NO_PRICE, np.int64)
    return Result(price, np.array(flow_wh, np.int64, order="C"), np.zeros(orders, np.int64), pairs)


def _write_contracts(orders: Table, bids: Bids, result: "Result", now: Int) -> Table:
    pairs, price = result.pairs, result.price
    count = int(pairs.formed[0])
    sell, buy = pairs.sell[:count], pairs.buy[:count]
    seller, buyer, market = bids.place[sell], bids.place[buy], bids.market[sell]
    table = np.zeros(count, CONTRACT)
    for name in ("slot", "world"):
        table[name] = orders[name][seller]
    table["market"] = market
    table["seller"], table["buyer"] = orders["party"][seller], orders["party"][buyer]
    table["sell_reference"], table["buy_reference"] = orders["reference"][seller], orders["reference"][buyer]
    table["energy"], table["path"] = pairs.energy[:count], pairs.path[:count]
    table["sell_price"], table["buy_price"] = price[market, bids.area[sell]], price[market, bids.area[buy]]
    table["formed"] = now[table["world"]]
    return table


@lru_cache(maxsize=64)
def _topology(grid: Grid) -> tuple["Lines", "Subsets", "Paths"]:
    from market.contract_kernels import Paths
    from market.pricing import Lines, Subsets

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
    return (
        Lines(source, target, np.zeros((len(source), 2), np.int64)),
        subsets,
        Paths(grid.path_table, grid.path_ranges),
    )


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
