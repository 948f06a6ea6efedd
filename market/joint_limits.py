"""Auctions under joint limits that are no fences: a linear program decides the flows, integers decide all else.

1. HiGHS maximises welfare with the limits as rows. Its flows are split into ways from exporting to importing areas and
   rounded down to whole Wh, way by way; where a way then breaks a limit that another way relieved, or would lead from
   a dearer to a cheaper area, it is cut back.
2. With what each area sends and receives thus fixed, each is cleared alone by the ordinary auction, which is exact.
3. Prices are the program's, rounded half to even, inside the interval that clears the area; so areas that shared a
   price still do. The welfare that rounding cost is reported per market [uJPY]; it is no certificate, which only
   `market.splitting` can give.

Source: design rule for sums of lines that are no cut around one area.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from market.contracts import CONTRACT
from market.design import MarketDesign
from market.exchange import NO_PRICE, Outcome
from market.fences import limit_use
from market.grid import Grid
from market.orders import Kind, Side, TimeInForce
from market.splitting import clear, gather, limits_of, outcome_of
from market.tables import Table, join_rows, pick_rows
from market.units import PRICE_BOUND, Int

if TYPE_CHECKING:
    from market.gathering_kernels import Gathered

Floats = npt.NDArray[np.float64]
DUST = 1e-7
"""Flow below this is the solver's rounding, not energy [Wh]."""


class Way(NamedTuple):
    """Energy from one area to another over a path [Wh]."""

    seller: int
    buyer: int
    path: int
    energy: int


class Solved(NamedTuple):
    """What the program found for one market: price of each area [mJPY/kWh], welfare [uJPY], ways, each whole Wh."""

    price: Floats
    welfare: float
    ways: list[Way]


def trade_with_joint_limits(
    design: MarketDesign,
    grid: Grid,
    orders: Table,
    capacity_wh: Int,
    flow_wh: Int,
    now: Int,
    limit_wh: Int | None = None,
) -> Outcome:
    """Clear every market under any joint limits; arguments and result as of `market.splitting.trade_uniform`."""
    markets = len(capacity_wh)
    left = np.maximum(limits_of(grid, markets, limit_wh) - limit_use(grid, flow_wh, design.netting), 0)
    room = np.maximum(capacity_wh - flow_wh + (flow_wh[:, :, ::-1] if design.netting else 0), 0)
    bids = gather(grid, orders, markets)
    solved = [_solve(grid, _bids_of(design, orders, bids, m), room[m], left[m]) for m in range(markets)]
    islands = Grid(grid.areas)
    while True:
        ways = [one.ways for one in solved]
        filled, price = _clear_islands(design, islands, orders, ways, [one.price for one in solved])
        wrong = [(m, way) for m, some in enumerate(ways) for way in some if price[m, way.seller] > price[m, way.buyer]]
        if not wrong:
            break
        for market, way in wrong:
            solved[market].ways.remove(way)
            _keep_limits(grid, solved[market].ways, left[market])
    use = flow_wh.copy()
    for market, some in enumerate(ways):
        for way in some:
            for step in grid.paths[way.path]:
                use[market, abs(step) - 1, 0 if step > 0 else 1] += way.energy
    return _write(design, grid, orders, bids, filled, price, ways, use, solved, now)


def _bids_of(design: MarketDesign, orders: Table, bids: "Gathered", market: int) -> Table:
    rows = pick_rows(orders, bids.place[bids.start[market] : bids.start[market + 1]])
    rows["price"] = np.where(
        rows["side"] == int(Side.SELL), np.maximum(rows["price"], design.band_mjpy_kwh[0]), rows["price"]
    )
    return rows


def _solve(grid: Grid, bids: Table, room: Int, left: Int) -> Solved:
    """The welfare problem of one market with joint limits, and its flows as whole ways."""
    from scipy.optimize import linprog

    areas, lines, count = len(grid.areas), len(grid.lines), len(bids)
    sign = np.where(bids["side"] == int(Side.SELL), 1.0, -1.0)
    balance, limits = np.zeros((areas, count + lines)), np.zeros((len(grid.limits), count + lines))
    balance[bids["area"], np.arange(count)] = sign
    for column, line in enumerate(grid.lines, start=count):
        balance[line.source, column], balance[line.target, column] = -1.0, 1.0
    limits[:, count:] = np.array([limit.signs for limit in grid.limits])
    bounds = [(0.0, float(energy)) for energy in bids["energy"]] + [(-float(b), float(f)) for f, b in room]
    found = linprog(
        np.concatenate([sign * bids["price"], np.zeros(lines)]),
        A_ub=limits,
        b_ub=left.astype(float),
        A_eq=balance,
        b_eq=np.zeros(areas),
        bounds=bounds,
        method="highs",
    )
    if found.status != 0:
        raise AssertionError(f"no optimum under joint limits: {found.message}")
    net = balance[:, :count] @ found.x[:count]
    ways = _ways(grid, found.x[count:].copy(), net)
    _keep_limits(grid, ways, left)
    return Solved(np.asarray(found.eqlin.marginals, np.float64), -float(found.fun), ways)


def _ways(grid: Grid, flow: Floats, net: Floats) -> list[Way]:
    """Flows as ways along numbered paths, fewest lines first, each rounded down; what none of them carries is lost."""
    ways = []
    ranges = grid.path_ranges
    pairs = [(a, b) for a in range(len(net)) for b in range(len(net)) if a != b]
    paths = sorted(
        ((row, a, b) for a, b in pairs for row in range(*ranges[a, b])), key=lambda way: (len(grid.paths[way[0]]), way)
    )
    for row, a, b in paths:
        steps = np.array(grid.paths[row])
        along = np.sign(steps) * flow[np.abs(steps) - 1]
        amount = min(float(along.min()), float(net[a]), float(-net[b]))
        if amount <= DUST:
            continue
        flow[np.abs(steps) - 1] -= np.sign(steps) * amount
        net[a] -= amount
        net[b] += amount
        # an amount a hair below a whole number is that number
        if whole := int(np.floor(amount + DUST)):
            ways.append(Way(a, b, row, whole))
    return ways


def _keep_limits(grid: Grid, ways: list[Way], left: Int) -> None:
    """Cut ways back, the last first, until every limit holds; in place."""
    for row, limit in enumerate(grid.limits):
        over = sum(_weight(grid, way, limit.signs) * way.energy for way in ways) - int(left[row])
        while over > 0:
            place = max(n for n, way in enumerate(ways) if _weight(grid, way, limit.signs) > 0)
            weight, way = _weight(grid, ways[place], limit.signs), ways[place]
            cut = min(way.energy, -(-over // weight))
            over -= weight * cut
            ways[place] = way._replace(energy=way.energy - cut)
            if cut == way.energy:
                del ways[place]
            # a way that weighs on one limit may have relieved another: begin again
            if over <= 0:
                _keep_limits(grid, ways, left)


def _weight(grid: Grid, way: Way, signs: tuple[int, ...]) -> int:
    """How many times a way counts against a limit, negative where it relieves it."""
    return sum(signs[abs(step) - 1] * (1 if step > 0 else -1) for step in grid.paths[way.path])


def _clear_islands(
    design: MarketDesign, islands: Grid, orders: Table, ways: list[list[Way]], wanted: list[Floats]
) -> tuple[Int, Int]:
    """Fills of the orders and price of each area, where ways come in as sales at the floor and leave as purchases."""
    crossing = [
        (market, area, side, way.energy)
        for market, some in enumerate(ways)
        for way in some
        for area, side in ((way.seller, Side.BUY), (way.buyer, Side.SELL))
    ]
    more = np.zeros(len(crossing), orders.dtype)
    for row, (market, area, side, energy) in enumerate(crossing):
        more[row]["market"], more[row]["area"], more[row]["side"], more[row]["energy"] = market, area, side, energy
    more["kind"], more["time_in_force"] = Kind.NEW, TimeInForce.UNTIL_GATE
    more["price"] = np.where(more["side"] == int(Side.SELL), design.band_mjpy_kwh[0], PRICE_BOUND - 1)
    more["sequence"] = np.iinfo(np.int64).min
    together = join_rows(more, orders)
    no_lines = np.zeros((len(ways), 0, 2), np.int64)
    bids, result = clear(design, islands, together, no_lines, no_lines)
    filled = np.zeros(len(together), np.int64)
    filled[bids.place] = result.filled
    price = result.price.copy()
    for market in range(len(ways)):
        for area in map(int, np.flatnonzero(price[market] != NO_PRICE)):
            here = together[
                (together["market"] == market) & (together["area"] == area) & (together["kind"] != Kind.CANCEL)
            ]
            top = _highest_price(here, int(price[market, area]))
            near = round(float(wanted[market][area]))
            price[market, area] = min(max(near, int(price[market, area])), top)
    return filled[len(more) :], price


def _highest_price(book: Table, lowest: int) -> int:
    """Highest price that clears a book: the dearest p with S(below p) <= B(p), at least `lowest`."""
    sells, buys = book[book["side"] == int(Side.SELL)], book[book["side"] == int(Side.BUY)]
    steps = np.unique(np.concatenate([[lowest], book["price"][book["price"] >= lowest]]))
    fits = [
        int(price)
        for price in steps
        if sells["energy"][sells["price"] < price].sum() <= buys["energy"][buys["price"] >= price].sum()
    ]
    return max(fits, default=lowest)


def _write(
    design: MarketDesign,
    grid: Grid,
    orders: Table,
    bids: "Gathered",
    filled: Int,
    price: Int,
    ways: list[list[Way]],
    use: Int,
    solved: list[Solved],
    now: Int,
) -> Outcome:
    """Contracts of the fills, first within each area, then way by way."""
    from market.contract_kernels import Legs
    from market.gathering_kernels import sort_markets
    from market.splitting_kernels import Result, pair_markets, write_rows

    sort_markets(bids, int(design.band_mjpy_kwh[0]), 0, len(ways))
    most = max((len(some) for some in ways), default=0)
    legs = np.zeros((4, len(ways) * most), np.int64)
    for market, some in enumerate(ways):
        for place, way in enumerate(some, start=market * most):
            legs[:, place] = way.seller, way.buyer, way.path, way.energy
    routed = np.array([len(some) for some in ways], np.int64)
    flow = np.zeros((len(ways), len(grid.lines)), np.int64)
    result: Result = Result(price, flow, filled[bids.place], Legs(*legs), routed)
    pairs = pair_markets(bids, result)
    table = np.empty(len(pairs.sell), CONTRACT)
    write_rows(orders, bids, result, pairs, now, table)
    outcome = outcome_of(orders, bids, result, table, use, grid.paths)
    return replace(outcome, lost_ujpy=_lost(orders, outcome, solved))


def _lost(orders: Table, outcome: Outcome, solved: list[Solved]) -> Int:
    """Welfare of the program less that of the fills, each market, rounded up to whole uJPY, never negative."""
    signed = np.where(orders["side"] == int(Side.BUY), 1, -1) * orders["price"].astype(np.int64) * outcome.filled_wh
    reached = np.zeros(len(solved), np.int64)
    np.add.at(reached, orders["market"], signed)
    return np.array(
        [max(0, int(np.ceil(one.welfare - r - 0.5))) for one, r in zip(solved, reached, strict=True)], np.int64
    )
