"""Blocks in an auction: which of them share slots, which are accepted, and the one ordinary auction that follows.

The accepted energies enter `exchange.trade` as price-independent orders at the end of the band, before all others
there, so prices, splitting, contracts and certificate are those of every auction, and a block sets no price. Blocks
that share no slot, directly or through others, are searched apart: several days in one call are as each day alone.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from market.block_books import Mask, make_problem
from market.block_search import search
from market.blocks import Blocks, total_of, value_of
from market.design import MarketDesign
from market.errors import ConfigError
from market.exchange import NO_PRICE, Outcome, trade
from market.fences import fences_of
from market.grid import Grid
from market.orders import ORDER, Kind, Side, TimeInForce, no_orders
from market.tables import Table, join_rows, pick_rows
from market.units import PPM, Int


class Accepted(NamedTuple):
    """The auction with its accepted blocks; columns as in `BlockOutcome`, nodes is what the searches looked at."""

    outcome: Outcome
    fill_ppm: Int
    filled_wh: Int
    in_money: Mask
    welfare_ujpy: int
    bound_ujpy: int


class Surroundings(NamedTuple):
    """What an auction takes besides its orders."""

    design: MarketDesign
    grid: Grid
    capacity_wh: Int
    flow_wh: Int
    now: Int
    limit_wh: Int | None
    retail: Int | None
    owner: Int | None

    def clear(self, orders: Table) -> Outcome:
        """The ordinary auction."""
        return trade(
            self.design,
            self.grid,
            no_orders(),
            orders,
            self.capacity_wh,
            self.flow_wh,
            self.now,
            limit_wh=self.limit_wh,
            retail=self.retail,
            owner=self.owner,
        )

    def of_markets(self, first: int, last: int) -> "Surroundings":
        """The same for the markets first .. last alone."""
        part = slice(first, last)
        limit_wh = None if self.limit_wh is None else self.limit_wh[part]
        retail = None if self.retail is None else self.retail[part]
        return self._replace(
            capacity_wh=self.capacity_wh[part], flow_wh=self.flow_wh[part], limit_wh=limit_wh, retail=retail
        )


def auction_blocks(around: Surroundings, orders: Table, blocks: Blocks, most_nodes: int) -> Accepted:
    """Clear simple orders and blocks together; raises ConfigError for joint limits that are no fences."""
    if len(blocks) and fences_of(around.grid) is None:
        raise ConfigError("blocks cannot be auctioned under a joint limit that is no fence", do="leave out the limit")
    fill_ppm, gap = np.zeros(len(blocks), np.int64), 0
    for first, last, members in _groups(blocks):
        part = around.of_markets(first, last)
        mine = _shift(pick_rows(orders, (orders["market"] >= first) & (orders["market"] < last)), first)
        own = blocks.pick(members)
        own = Blocks(_shift(own.table, first), own.profile_wh)
        problem = make_problem(part.design, part.grid, mine, own, part.capacity_wh, part.flow_wh, part.limit_wh)

        def fills_whole(energy: Int, part: Surroundings = part, mine: Table = mine, own: Blocks = own) -> bool:
            rows = block_rows(part.design, own, energy)
            filled = part.clear(join_rows(rows, _after(mine, len(rows)))).filled_wh
            return bool((filled[: len(rows)] == rows["energy"]).all())

        found = search(problem, fills_whole, most_nodes)
        fill_ppm[members] = found.fill_ppm
        gap += found.bound - found.value
    return _clear_accepted(around, orders, blocks, fill_ppm, gap)


def block_rows(design: MarketDesign, blocks: Blocks, energy: Int) -> Table:
    """Order rows of these energies (blocks, slots) at the end of the band, one for each slot with energy."""
    block, slot = np.nonzero(energy)
    table = pick_rows(blocks.table, block)
    rows = np.zeros(len(block), ORDER)
    for name in ("side", "area", "reference", "world", "party"):
        rows[name] = table[name]
    rows["kind"], rows["time_in_force"] = int(Kind.NEW), int(TimeInForce.IMMEDIATE)
    rows["slot"], rows["market"] = table["slot"] + slot, table["market"] + slot
    rows["energy"] = energy[block, slot]
    rows["price"] = np.where(table["side"] == int(Side.SELL), *design.band_mjpy_kwh)
    rows["sequence"] = np.arange(len(block))
    return rows


def _groups(blocks: Blocks) -> Iterator[tuple[int, int, Int]]:
    """First market, one past the last, and the blocks in order of arrival, of each group that shares markets."""
    start = blocks.table["market"].astype(np.int64)
    end = start + blocks.table["slots"]
    order = np.argsort(start, kind="stable")
    begins = np.flatnonzero(start[order][1:] >= np.maximum.accumulate(end[order])[:-1]) + 1
    for members in np.split(order, begins) if len(order) else []:
        arrival = np.lexsort((members, blocks.table["sequence"][members]))
        yield int(start[members].min()), int(end[members].max()), members[arrival]


def _shift(table: Table, first: int) -> Table:
    """The rows with markets counted from `first`."""
    shifted = table.copy()
    shifted["market"] -= first
    return shifted


def _after(orders: Table, count: int) -> Table:
    """The orders with arrival numbers from `count` on."""
    later = orders.copy()
    if len(later):
        later["sequence"] += count - int(later["sequence"].min())
    return later


def _clear_accepted(around: Surroundings, orders: Table, blocks: Blocks, fill_ppm: Int, gap: int) -> Accepted:
    lot = around.design.lot_wh
    energy = np.asarray(blocks.profile_wh * fill_ppm[:, None] // PPM // lot * lot)
    order = np.lexsort((np.arange(len(blocks)), blocks.table["sequence"]))
    rows = block_rows(around.design, blocks.pick(order), energy[order])
    done = around.clear(join_rows(rows, _after(orders, len(rows))))
    count = len(rows)
    if (done.filled_wh[:count] != rows["energy"]).any() or done.price is None:
        raise AssertionError("an accepted block could not be filled: no result is given")
    outcome = Outcome(
        done.contracts,
        done.resting,
        done.codes[count:],
        done.filled_wh[count:],
        done.expired_wh[count:],
        done.cancelled_wh,
        done.flow_wh,
        done.price,
        done.paths,
    )
    sign = np.where(orders["side"] == int(Side.BUY), 1, -1)
    welfare = total_of(sign * orders["price"].astype(np.int64) * outcome.filled_wh) + value_of(blocks, energy)
    in_money = _would_earn(blocks, done.price) & (fill_ppm == 0)
    return Accepted(outcome, fill_ppm, energy, in_money, welfare, welfare + gap)


def _would_earn(blocks: Blocks, price: Int) -> Mask:
    """Whether the clearing prices pay for the whole block; no where a slot has no price."""
    earns = np.zeros(len(blocks), np.bool_)
    for row, block in enumerate(blocks.table):
        first, slots = int(block["market"]), int(block["slots"])
        prices, run = price[first : first + slots, block["area"]], blocks.profile_wh[row, :slots]
        if (prices != NO_PRICE).all():
            margin = sum((int(p) - int(block["price"])) * int(e) for p, e in zip(prices, run, strict=True))
            earns[row] = margin > 0 if block["side"] == int(Side.SELL) else margin < 0
    return earns
