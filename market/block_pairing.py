"""Blocks in continuous trade: every slot of the run at once, or not at all.

- In a call the simple orders arrive first, by sequence; then each live block is tried once, those that rest before
  those that are new, by sequence. A block that cannot trade rests and is tried again at the next call, unless it is
  immediate; the caller drops it at the gate of its first slot, as it drops simple orders at theirs.
- A block takes in each slot the best orders it reaches, at their prices and within the room of the lines, by
  `market.pairing`. It trades when every slot fills wholly and the mean price over the profile is not worse than its
  own; a single slot may be. Else nothing of it happens.
- With a smallest fill below a million the whole is tried first, then the largest part that trades, found by halving
  between the smallest fill and the whole: less energy never meets worse prices. What is not filled then lapses.
- Blocks do not meet blocks, and a block sets no price.

Source: continuity of generation, paper 1.3; room of lines taken when the contract forms, paper 1.4.
"""

from dataclasses import dataclass

import numpy as np

from market.block_auction import block_rows
from market.blocks import BlockOutcome, Blocks, Codes, join_blocks, total_of, value_of
from market.design import MarketDesign
from market.exchange import Outcome, trade
from market.grid import Grid
from market.orders import Side, TimeInForce
from market.tables import Table, join_rows, pick_rows
from market.units import PPM, Int

Live = dict[tuple[int, int, int], int]
"""Rows of live orders by market, party and reference."""


@dataclass
class Floor:
    """Where blocks are tried: the rules, and what changes with each block: live orders, use of lines, contracts."""

    design: MarketDesign
    grid: Grid
    capacity_wh: Int
    now: Int
    owner: Int | None
    live: Table
    use: Int
    contracts: list[Table]

    def trade(self, block: Blocks) -> tuple[int, Int]:
        """Trade one block if it can be: its fill [ppm] and energies (1, slots) [Wh], zero if it cannot."""
        fill, found = PPM, self._take(block, PPM)
        if found is None:
            fill = max(int(block.table["min_fill_ppm"][0]), 1)
            found = self._take(block, fill)
            fails = PPM
            while found is not None and fails - fill > 1:
                middle = (fill + fails) // 2
                tried = self._take(block, middle)
                fill, found, fails = (fill, found, middle) if tried is None else (middle, tried, fails)
        energy = self._energy(block, fill)
        if found is None or not energy.any():
            return 0, np.zeros_like(energy)
        self._commit(block, found)
        return fill, energy

    def _energy(self, block: Blocks, fill: int) -> Int:
        return np.asarray(block.profile_wh * fill // PPM // self.design.lot_wh * self.design.lot_wh)

    def _markets(self, block: Blocks) -> slice:
        first = int(block.table["market"][0])
        return slice(first, first + int(block.table["slots"][0]))

    def _take(self, block: Blocks, fill: int) -> Outcome | None:
        """What the block's energies would meet; None where some find nobody or their mean price is too bad."""
        part, energy = self._markets(block), self._energy(block, fill)
        there = pick_rows(self.live, self._is_there(part))
        there["market"] -= part.start
        rows = block_rows(self.design, block, energy)
        rows["market"] -= part.start
        rows["sequence"] = int(there["sequence"].max(initial=0)) + 1
        met = trade(
            self.design, self.grid, there, rows, self.capacity_wh[part], self.use[part], self.now, owner=self.owner
        )
        sells = block.table["side"][0] == int(Side.SELL)
        paid = met.contracts["energy"] * met.contracts["sell_price" if sells else "buy_price"].astype(np.int64)
        limit = int(block.table["price"][0]) * int(energy.sum())
        good = total_of(paid) >= limit if sells else total_of(paid) <= limit
        return met if good and (met.filled_wh == rows["energy"]).all() else None

    def _is_there(self, part: slice) -> Int:
        return np.flatnonzero((self.live["market"] >= part.start) & (self.live["market"] < part.stop))

    def _commit(self, block: Blocks, met: Outcome) -> None:
        """The contracts stand: room is taken, live orders shrink by what they gave; rows of `live` keep their place."""
        part = self._markets(block)
        contracts = met.contracts.copy()
        contracts["market"] += part.start
        self.contracts.append(contracts)
        self.use[part] = met.flow_wh
        other = "buy" if block.table["side"][0] == int(Side.SELL) else "sell"
        rows = name_rows(self.live, self._is_there(part))
        who = {"buy": "buyer", "sell": "seller"}[other]
        columns = (contracts[name].tolist() for name in ("market", who, f"{other}_reference", "energy"))
        for market, party, reference, energy in zip(*columns, strict=True):
            self.live["energy"][rows[market, party, reference]] -= energy


def meet_blocks(floor: Floor, orders: Table, blocks: Blocks, codes: Codes, waiting: Blocks) -> BlockOutcome:
    """Let simple orders meet the live ones of `floor`, then try blocks: `waiting`, then those given with code 0."""
    first = trade(
        floor.design, floor.grid, floor.live, orders, floor.capacity_wh, floor.use, floor.now, owner=floor.owner
    )
    floor.live, floor.use, floor.contracts = first.resting, first.flow_wh.copy(), [first.contracts]
    before, given = first.resting["energy"].copy(), _given_rows(first, orders)
    waits = np.ones(len(waiting), np.bool_)
    for row in _by_arrival(waiting):
        waits[row] = floor.trade(waiting.pick(np.array([row])))[0] == 0
    fill, filled = np.zeros(len(blocks), np.int64), np.zeros_like(blocks.profile_wh)
    for row in _by_arrival(blocks):
        if codes[row] == 0:
            fill[row], filled[row : row + 1] = floor.trade(blocks.pick(np.array([row])))
    given_wh = first.filled_wh.copy()
    known = given >= 0
    given_wh[given[known]] += (before - floor.live["energy"])[known]
    stays = (codes == 0) & (fill == 0) & (blocks.table["time_in_force"] != int(TimeInForce.IMMEDIATE))
    outcome = Outcome(
        join_rows(*floor.contracts),
        pick_rows(floor.live, floor.live["energy"] > 0),
        first.codes,
        given_wh,
        first.expired_wh,
        first.cancelled_wh,
        floor.use,
        None,
        first.paths,
    )
    sign = np.where(orders["side"] == int(Side.BUY), 1, -1)
    welfare = total_of(sign * orders["price"].astype(np.int64) * given_wh) + value_of(blocks, filled)
    left = join_blocks(waiting.pick(waits), blocks.pick(stays))
    nobody = np.zeros(len(blocks), np.bool_)
    return BlockOutcome(outcome, codes, fill, filled, nobody, left, welfare, None, "arrival")


def name_rows(orders: Table, rows: Int) -> Live:
    """These rows by their orders' names."""
    columns = (orders[name][rows].tolist() for name in ("market", "party", "reference"))
    return dict(zip(zip(*columns, strict=True), rows.tolist(), strict=True))


def _by_arrival(blocks: Blocks) -> Int:
    return np.lexsort((np.arange(len(blocks)), blocks.table["sequence"]))


def _given_rows(first: Outcome, orders: Table) -> Int:
    """The given row that each resting order came in with, -1 for one of an earlier call."""
    entered = first.filled_wh + first.expired_wh < orders["energy"]
    rows = np.flatnonzero(entered & (first.codes == 0))
    columns = (orders[name][rows].tolist() for name in ("market", "party", "reference", "sequence"))
    known = dict(zip(zip(*columns, strict=True), rows.tolist(), strict=True))
    columns = (first.resting[name].tolist() for name in ("market", "party", "reference", "sequence"))
    return np.array([known.get(name, -1) for name in zip(*columns, strict=True)], np.int64)
