"""Uniform-price auctions with market splitting (市場分断), and one-to-one contracts from each of them.

- Price: the lowest p with S(p) >= B(p+), not below the band (JEPX spot rule; `market.pricing`). Across lines the
  auction maximises welfare in a transport model without losses; areas joined by a line that is not full share a
  price, across a full line the price rises in the direction of flow; on a degenerate optimum the smallest price
  vector counts. Every market carries its certificate: dual value = primal welfare, else the call stops.
- Joint limits that are fences are lines of a larger graph (`market.fences`); others are left to a linear program
  (`market.joint_limits`).
- Room of a line and direction = capacity less the use already committed, with netting plus the use the other
  way; never negative.
- A sale offered below the band counts as offered at its floor, where it is a marginal order.
- The price of an area is null when nothing of it is filled and nothing flows in or out.
- An auction has no live orders: a replace enters as new, a cancel finds nothing to cancel. What does not fill
  expires. A party's own sale and purchase may meet: at one price that moves no money and changes no price.
"""

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from market.contracts import CONTRACT
from market.design import MarketDesign
from market.exchange import Outcome, close_orders
from market.fences import Steps, expand, fence_room, fences_of, own_steps
from market.grid import Grid
from market.orders import Kind, Side
from market.tables import Table
from market.units import Int

if TYPE_CHECKING:
    from market.contract_kernels import Pairs
    from market.gathering_kernels import Gathered
    from market.splitting_kernels import Network, Result, Rules

MOST_LISTED = 10
"""Areas of a graph whose connected sets are listed; larger ones are searched by minimum cuts."""
EXTRA_PATHS = 100_000
"""Paths beyond the numbered ones that the contracts of one call may take on a meshed grid."""
SHARED_FROM = 100_000
"""Orders of a call from which threads share its markets."""


class Cleared(NamedTuple):
    """Bids of a call and what the auctions found: price (markets, areas), flow (markets, lines of the graph) [Wh]."""

    bids: "Gathered"
    result: "Result"


class Formed(NamedTuple):
    """An outcome, and for each contract the rows of the orders that sell and buy (contracts,)."""

    outcome: Outcome
    sale: Int
    purchase: Int


def trade_uniform(
    design: MarketDesign,
    grid: Grid,
    orders: Table,
    capacity_wh: Int,
    flow_wh: Int,
    now: Int,
    limit_wh: Int | None = None,
) -> Outcome:
    """Clear every market at uniform area prices and write the contracts; arguments as in `exchange.trade`.

    Raises ValueError for rows outside the grid or the markets.
    """
    if fences_of(grid) is None:
        from market.joint_limits import trade_with_joint_limits

        return trade_with_joint_limits(design, grid, orders, capacity_wh, flow_wh, now, limit_wh)
    cleared = clear(design, grid, orders, capacity_wh, flow_wh, limit_wh)
    return form_contracts(grid, orders, cleared, flow_wh, now).outcome


def form_contracts(grid: Grid, orders: Table, cleared: Cleared, flow_wh: Int, now: Int) -> Formed:
    """The contracts of auctions at the prices found, and what became of every order."""
    from market.splitting_kernels import pair_markets

    bids, result = cleared
    pairs = pair_markets(bids, result)
    contracts, paths = write_contracts(grid, orders, bids, result, pairs, now)
    use = flow_wh.copy()
    net = result.flow[:, : len(grid.lines)]
    use[..., 0] += np.maximum(net, 0)
    use[..., 1] += np.maximum(-net, 0)
    return Formed(
        outcome_of(orders, bids, result, contracts, use, paths), bids.place[pairs.sell], bids.place[pairs.buy]
    )


def outcome_of(
    orders: Table, bids: "Gathered", result: "Result", contracts: Table, use: Int, paths: tuple[Steps, ...]
) -> Outcome:
    """What an auction did with its order rows: fills, and what lapses."""
    filled_wh = np.zeros(len(orders), np.int64)
    filled_wh[bids.place] = result.filled
    return close_orders(orders, filled_wh, contracts, use, result.price, paths)


def clear(
    design: MarketDesign, grid: Grid, orders: Table, capacity_wh: Int, flow_wh: Int, limit_wh: Int | None = None
) -> Cleared:
    """Prices, fills, flows and the certificate of every market, without the contract table.

    Grids whose limits are fences only; `limit_wh` (markets, limits) stands in for the grid's own bounds.
    """
    from market.splitting_kernels import Rules, clear_table

    network = network_of(grid)
    rules = Rules(design.band_mjpy_kwh[0], design.margin == "pro-rata", design.lot_wh, len(grid.lines) > 0)
    room = room_of(design, grid, capacity_wh, flow_wh, limit_wh)
    network.paths.extras[0] = 0
    if len(orders) >= SHARED_FROM and not network.paths.extra.size:
        bids = gather(grid, orders, len(room))
        return Cleared(bids, _clear_in_threads(network, rules, bids, room, len(grid.areas)))
    status, market, proof, bids, result = clear_table(orders, room, network, rules, len(grid.areas))
    _check_rows(status)
    _check_proof(market, proof)
    return Cleared(bids, result)


def clear_without_limits(design: MarketDesign, grid: Grid, orders: Table, markets: int) -> Int:
    """System price (システムプライス) of each market: all areas cleared as one; NO_PRICE without trade.

    Returns (markets,) [mJPY/kWh]. The flows this would take are not unique, so they are not given.
    """
    return _clear_as_one(design, grid, orders, markets)[0]


def cancelled_by_splitting_wh(
    design: MarketDesign,
    grid: Grid,
    orders: Table,
    capacity_wh: Int,
    flow_wh: Int,
    limit_wh: Int | None = None,
) -> Int:
    """Volume traded without limits less volume traded with them, per market (markets,) [Wh].

    Limits may also raise the volume, where dear local energy serves what cheap energy served elsewhere, so a
    value may be negative.
    """
    markets = len(capacity_wh)
    split = _volume(*clear(design, grid, orders, capacity_wh, flow_wh, limit_wh), markets)
    return _clear_as_one(design, grid, orders, markets)[1] - split


def _clear_as_one(design: MarketDesign, grid: Grid, orders: Table, markets: int) -> tuple[Int, Int]:
    from market.uniform import clear_books

    enters = orders["kind"] != int(Kind.CANCEL)
    rows = np.flatnonzero(enters)
    rows = rows[np.argsort(orders["market"][rows], kind="stable")]
    start = np.searchsorted(orders["market"][rows], np.arange(markets + 1))
    side = np.ascontiguousarray(orders["side"][rows])
    price = orders["price"][rows].astype(np.int64)
    floor = design.band_mjpy_kwh[0]
    price[side == int(Side.SELL)] = np.maximum(price[side == int(Side.SELL)], floor)
    return clear_books(start, side, price, orders["energy"][rows], floor)


def _volume(bids: "Gathered", result: "Result", markets: int) -> Int:
    sold = np.where(bids.side == int(Side.SELL), result.filled, 0)
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(sold)])
    return np.asarray(total[bids.start[1:]] - total[bids.start[:-1]])


def gather(grid: Grid, orders: Table, markets: int) -> "Gathered":
    """Bids of every market by area, price, side and arrival, not sorted yet; raises ValueError for impossible rows."""
    from market.gathering_kernels import gather_bids

    bids: Gathered
    status, bids = gather_bids(orders, markets, len(grid.areas), network_of(grid).subsets.areas)
    _check_rows(status)
    return bids


def _check_rows(status: int) -> None:
    from market.gathering_kernels import IN_ORDER, NO_SUCH_BOOK, OUT_OF_BOUNDS

    if status != IN_ORDER:
        what = {
            NO_SUCH_BOOK: "an order names an area or market that does not exist",
            OUT_OF_BOUNDS: "an order's price or energy is out of bounds",
        }
        raise ValueError(what.get(status, "an order's side is neither buy nor sell"))


def _check_proof(market: int, status: int) -> None:
    from market.splitting_kernels import PROVED

    if status != PROVED:
        raise AssertionError(f"market {market} could not be proved optimal (status {status}): no result is given")


def room_of(design: MarketDesign, grid: Grid, capacity_wh: Int, flow_wh: Int, limit_wh: Int | None) -> Int:
    """Room of each line of the graph (markets, lines, 2): capacity less use, with netting plus use the other way."""
    room = np.subtract(capacity_wh, flow_wh, dtype=np.int64)
    if design.netting:
        room += flow_wh[:, :, ::-1]
    if not grid.limits:
        return room
    return np.concatenate([room, fence_room(grid, flow_wh, limits_of(grid, len(room), limit_wh), design.netting)], 1)


def limits_of(grid: Grid, markets: int, limit_wh: Int | None) -> Int:
    """Bound of each joint limit (markets, limits) [Wh]: as given, or the grid's own."""
    if limit_wh is not None:
        return limit_wh
    return np.tile(np.array([limit.most_wh for limit in grid.limits], np.int64), (markets, 1))


def lowest_prices(grid: Grid, orders: Table, room: Int, floor: int) -> Int:
    """Smallest optimal price vector of every market (markets, areas), not below `floor`, areas without trade too.

    `room` (markets, lines of the graph, 2) as `room_of` gives it. Where both sides are turned round (sides swapped,
    prices negated, lines reversed), the result is the largest price vector, negated.
    """
    from market.gathering_kernels import sort_markets
    from market.splitting_kernels import price_markets

    bids, network = gather(grid, orders, len(room)), network_of(grid)
    sort_markets(bids, floor, 0, len(room))
    price = np.empty((len(room), bids.wanted.shape[1]), np.int64)
    price_markets(bids, room, network, floor, price)
    return price[:, : len(grid.areas)]


def _clear_in_threads(network: "Network", rules: "Rules", bids: "Gathered", room: Int, areas: int) -> "Result":
    from concurrent.futures import ThreadPoolExecutor

    from market.splitting_kernels import make_result

    result: Result = make_result(bids, network, areas)
    parts = _parts(bids.start)
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(lambda part: _clear_part(network, rules, bids, room, result, *part), parts))
    return result


def _parts(start: Int) -> list[tuple[int, int]]:
    """Markets as runs, one for each thread, of about as many bids."""
    from numba import get_num_threads

    markets, bids = len(start) - 1, int(start[-1])
    threads = min(get_num_threads(), markets)
    edges = np.searchsorted(start, bids * np.arange(threads + 1) // threads)
    edges[0], edges[-1] = 0, markets
    return [(int(a), int(b)) for a, b in pairwise(edges) if a < b]


def _clear_part(
    network: "Network", rules: "Rules", bids: "Gathered", room: Int, result: "Result", first: int, last: int
) -> None:
    from market.gathering_kernels import sort_markets
    from market.splitting_kernels import clear_markets

    sort_markets(bids, rules.floor, first, last)
    _check_proof(*clear_markets(bids, room, network, rules, result, first, last))


def write_contracts(
    grid: Grid, orders: Table, bids: "Gathered", result: "Result", pairs: "Pairs", now: Int
) -> tuple[Table, tuple[Steps, ...]]:
    """The contract table of a call, and its paths: the grid's, and after them those that only this call needed."""
    from market.splitting_kernels import write_rows

    table = np.empty(len(pairs.sell), CONTRACT)
    write_rows(orders, bids, result, pairs, now, table)
    network = network_of(grid)
    if not grid.limits and not network.paths.extra.size:
        return table, grid.paths
    table["path"], paths = _own_paths(grid, pairs.path)
    return table, paths


def _own_paths(grid: Grid, path: Int) -> tuple[Int, tuple[Steps, ...]]:
    """Rows of the grid's path table for paths of the expanded graph, and the table with what it did not have."""
    network = network_of(grid)
    graph, known = expand(grid), {steps: row for row, steps in enumerate(grid.paths)}
    steps_of: dict[int, Steps] = {}
    for row in np.unique(path).tolist():
        steps = graph.paths[row] if row >= 0 else tuple(int(s) for s in network.paths.extra[-1 - row] if s)
        steps_of[row] = own_steps(grid, steps)
    more = sorted({steps for steps in steps_of.values() if steps not in known}, key=lambda s: (len(s), s))
    known |= {steps: row for row, steps in enumerate(more, start=len(grid.paths))}
    rows = [known[steps_of[row]] for row in path.tolist()]
    return np.array(rows, np.int64), (*grid.paths, *more)


@lru_cache(maxsize=64)
def network_of(grid: Grid) -> "Network":
    """Graph of the grid, joint limits as lines: what the kernels need of it, made once."""
    from market.contract_kernels import Paths
    from market.pricing import Lines, Subsets
    from market.splitting_kernels import Network

    graph = expand(grid) if grid.limits else grid
    count, lines = len(graph.areas), len(graph.lines)
    source = np.array([line.source for line in graph.lines], np.int64)
    target = np.array([line.target for line in graph.lines], np.int64)
    near = _neighbours(graph)
    mask, parent, added = _connected_sets(near) if count <= MOST_LISTED else ([], [], [])
    subsets = Subsets(
        np.array(mask, np.int64),
        np.array(parent, np.int64),
        np.array(added, np.int64),
        _inner_lines(graph, mask, parent, added),
        np.array(_components(near), np.int64),
        count,
    )
    ends = np.full((lines, 2), -1, np.int64)
    for row, line in enumerate(grid.lines):
        ends[row] = line.source, line.target
    extra = np.zeros((0 if graph.has_all_paths else EXTRA_PATHS, count + 1), np.int64)
    paths = Paths(graph.path_table, graph.path_ranges, extra, np.zeros(1, np.int64))
    return Network(Lines(source, target, np.zeros((lines, 2), np.int64)), subsets, paths, ends)


def _neighbours(grid: Grid) -> list[int]:
    near = [0] * len(grid.areas)
    for line in grid.lines:
        near[line.source] |= 1 << line.target
        near[line.target] |= 1 << line.source
    return near


def _components(near: list[int]) -> list[int]:
    """Connected components of the graph, as bits."""
    found: list[int] = []
    for area in range(len(near)):
        if any(mask >> area & 1 for mask in found):
            continue
        mask, grown = 0, 1 << area
        while grown != mask:
            mask = grown
            for other in range(len(near)):
                if mask >> other & 1:
                    grown |= near[other]
        found.append(mask)
    return found


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


def _inner_lines(grid: Grid, mask: list[int], parent: list[int], added: list[int]) -> Int:
    """Lines of each set that join the area added to the smaller set, filled up with the number of lines."""
    rows = [
        [
            number
            for number, line in enumerate(grid.lines)
            if area in (line.source, line.target) and mask[smaller] >> (line.source + line.target - area) & 1
        ]
        if smaller >= 0
        else []
        for smaller, area in zip(parent, added, strict=True)
    ]
    table = np.full((len(rows), max((len(lines) for lines in rows), default=0)), len(grid.lines), np.int64)
    for row, lines in enumerate(rows):
        table[row, : len(lines)] = lines
    return table
