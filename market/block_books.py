"""What block orders meet in an auction: the books of the slots they share, and exact values of any acceptance.

At fixed energies of the blocks the auction is the ordinary one, with these energies as price-independent orders at the
end of the band. Its prices pi give by duality, in integers, for any other energies e' of the blocks

    welfare(e') <= D(pi) + sum over blocks and slots of margin x e',   margin = pi - price (sale), price - pi (purchase)

with equality at the energies that pi belongs to; D is the surplus of the simple orders at pi and the rent of the lines.
So each auction is also a bound on all others (Geoffrion, Generalized Benders Decomposition, 1972,
doi:10.1007/BF00934810). Sums are Python integers in arrays of objects: they have no bound.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from market.blocks import Blocks
from market.design import MarketDesign
from market.grid import Grid
from market.orders import Kind, Side
from market.splitting import network_of, room_of
from market.tables import Table
from market.units import PPM, Int

if TYPE_CHECKING:
    from market.block_kernels import Frame
    from market.splitting_kernels import Network

Exact = npt.NDArray[Any]
"""An array of Python integers."""
Mask = npt.NDArray[np.bool_]


class Problem(NamedTuple):
    """Blocks in order of arrival and the books of the markets they share.

    sign (blocks,) +1 sale, -1 purchase; limit (blocks,) [mJPY/kWh]; area (blocks,); market (blocks, slots) row of the
    books, -1 after a run's end; profile (blocks, slots) [Wh]; least (blocks,) smallest fill [ppm];
    flat (blocks,) whether all slots have one energy; pairs: for each market the blocks and their slots that lie in it.
    """

    frame: "Frame"
    network: "Network"
    floor: int
    top: int
    lot: int
    sign: Int
    limit: Int
    area: Int
    market: Int
    profile: Int
    least: Int
    flat: Mask
    pairs: list[tuple[Int, Int]]


class Priced(NamedTuple):
    """One auction at given energies of the blocks.

    price (markets, nodes); dual (markets,) D of each market; margin (blocks, slots) [mJPY/kWh]; gain (blocks,) what
    each block earns with its energy [uJPY]; value: welfare, energy that finds nobody valued at the band's end;
    loose: some accepted energy may have found nobody, its price is at the end of the band.
    """

    price: Int
    dual: Exact
    margin: Exact
    gain: Exact
    value: int
    loose: bool


def make_problem(
    design: MarketDesign,
    grid: Grid,
    orders: Table,
    blocks: Blocks,
    capacity_wh: Int,
    flow_wh: Int,
    limit_wh: Int | None,
) -> Problem:
    """Books of all markets given, with places for blocks; `market` of orders and blocks counts from the first one."""
    network = network_of(grid)
    room = room_of(design, grid, capacity_wh, flow_wh, limit_wh)
    frame = _make_frame(design, orders, room, len(grid.areas), network.subsets.areas)
    table, longest = blocks.table, blocks.profile_wh.shape[1]
    inside = np.arange(longest) < table["slots"][:, None]
    market = np.where(inside, table["market"][:, None] + np.arange(longest), -1).astype(np.int64)
    low, high = design.band_mjpy_kwh
    return Problem(
        frame,
        network,
        low,
        high,
        design.lot_wh,
        np.where(table["side"] == int(Side.SELL), 1, -1).astype(np.int64),
        table["price"].astype(np.int64),
        table["area"].astype(np.int64),
        market,
        blocks.profile_wh.astype(np.int64),
        # a fill of nothing is a rejection
        np.maximum(table["min_fill_ppm"].astype(np.int64), 1),
        np.asarray((~inside | (blocks.profile_wh == blocks.profile_wh[:, :1])).all(1), np.bool_),
        [tuple(np.nonzero(market == row)) for row in range(len(room))],  # type: ignore[misc]
    )


def _make_frame(design: MarketDesign, orders: Table, room: Int, areas: int, nodes: int) -> "Frame":
    from market.block_kernels import Frame

    markets, (low, high) = len(room), design.band_mjpy_kwh
    rows = orders[orders["kind"] != int(Kind.CANCEL)]
    cells = np.arange(markets * areas)
    market = np.concatenate([rows["market"], *2 * [cells // areas]]).astype(np.int64)
    area = np.concatenate([rows["area"], *2 * [cells % areas]]).astype(np.int64)
    side = np.repeat([int(Side.BUY), int(Side.SELL)], len(cells))
    side = np.concatenate([rows["side"].astype(np.int64), side])
    price = np.concatenate([rows["price"].astype(np.int64), np.repeat([high, low], len(cells))])
    price = np.where(side == int(Side.SELL), np.maximum(price, low), price)
    energy = np.concatenate([rows["energy"].astype(np.int64), np.zeros(2 * len(cells), np.int64)])
    order = np.lexsort((side, price, area, market))
    found = np.empty(len(order), np.int64)
    found[order] = np.arange(len(order))
    start = np.searchsorted(market[order], np.arange(markets + 1))
    cell = (market * nodes + area)[order]
    first = np.searchsorted(cell, np.arange(markets)[:, None] * nodes + np.arange(nodes + 1)) - start[:-1, None]
    price, energy, side = price[order], energy[order], side[order]
    sold, bought = np.where(side == int(Side.SELL), energy, 0), np.where(side == int(Side.BUY), energy, 0)
    sums = np.zeros((4, len(order) + 1), np.int64)
    for row, column in enumerate((sold, sold * price, bought, bought * price)):
        np.cumsum(column, out=sums[row, 1:])
    purchase, sale = found[len(rows) :].reshape(2, markets, areas)
    return Frame(price, energy, side, start, first, sale, purchase, sums, np.ascontiguousarray(room, np.int64))


def energies(problem: Problem, fill_ppm: Int) -> Int:
    """Energy of each block and slot at these fills (blocks,), rounded down to whole lots; (blocks, slots) [Wh]."""
    lots = problem.profile * fill_ppm[:, None] // PPM // problem.lot
    return np.asarray(lots * problem.lot)


class Lane(NamedTuple):
    """The last of a row of auctions: prices (markets, nodes) and energies of blocks (markets, areas, 2), in place."""

    price: Int
    held: Int


def make_lane(problem: Problem) -> Lane:
    """A lane without an auction yet."""
    markets, areas = problem.frame.sale.shape
    nodes = problem.frame.first.shape[1] - 1
    return Lane(np.full((markets, nodes), problem.floor, np.int64), np.full((markets, areas, 2), -1, np.int64))


def margins_of(problem: Problem, energy: Int, lane: Lane) -> Int:
    """What each slot of each block earns at these energies (blocks, slots) [mJPY/kWh]; prices are left in the lane."""
    from market.block_kernels import price_markets

    blocks = np.zeros_like(lane.held)
    here = problem.market >= 0
    area = np.broadcast_to(problem.area[:, None], here.shape)
    sells = np.broadcast_to((problem.sign[:, None] + 1) // 2, here.shape)
    np.add.at(blocks, (problem.market[here], area[here], sells[here]), energy[here])
    price_markets(problem.frame, problem.network, problem.floor, problem.top, blocks, lane.price, lane.held)
    return np.where(here, problem.sign[:, None] * (lane.price[problem.market, area] - problem.limit[:, None]), 0)


def price_blocks(problem: Problem, energy: Int, lane: Lane) -> Priced:
    """The auctions at these energies (blocks, slots); the lane holds a neighbour and then this one."""
    from market.block_kernels import count_in_money

    margin = margins_of(problem, energy, lane)
    counts = np.empty((*problem.frame.sale.shape, 4), np.int64)
    count_in_money(problem.frame, lane.price, counts)
    dual, exact = _dual_values(problem, lane.price, counts), margin.astype(object)
    gain = (exact * energy).sum(1)
    # the margin at the end of the band at which energy is offered or wanted at any price
    edge = np.where(problem.sign > 0, problem.floor - problem.limit, problem.limit - problem.top)[:, None]
    loose = bool(((energy > 0) & (margin == edge)).any())
    return Priced(lane.price.copy(), dual, exact, gain, int(dual.sum() + gain.sum()), loose)


def _dual_values(problem: Problem, price: Int, counts: Int) -> Exact:
    """Surplus of simple orders at these prices plus room x gap of the lines, of each market [uJPY]."""
    sold, cost, bought, worth = (counts[..., kind].astype(object) for kind in range(4))
    own = price[:, : counts.shape[1]].astype(object)
    value = (own * sold - cost + worth - own * bought).sum(1)
    lines, room = problem.network.lines, np.maximum(problem.frame.room, 0).astype(object)
    gap = (price[:, lines.target] - price[:, lines.source]).astype(object)
    if gap.shape[1]:
        value = value + np.where(gap > 0, room[..., 0] * gap, -room[..., 1] * gap).sum(1)
    return np.asarray(value)
