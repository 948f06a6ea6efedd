"""Block orders as rows of the order table: how they travel in envelopes, and how they are read, checked and traded.

A block is one row `block` and, for each slot of its run in order, one row `part`, so that envelopes, records and
content heads need no other layout. All rows of a block name the same side, area, time in force, price and reference.

    block   slot: the first of the run; energy: the smallest part that may be filled [ppm]
    part    slot: one of the run; energy: the profile there [Wh]

Rows of other kinds may stand between them. A block is refused or admitted as a whole: all its rows have one code. In a
continuous design it is `immediate`: it takes every slot at once from the orders it reaches, or lapses, and its sender
sends it again; so no block ever rests between steps, and what is live is simple orders only.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from market.blocks import BLOCK, Blocks, Codes, check_blocks, trade_blocks
from market.design import MarketDesign
from market.errors import Refusal
from market.exchange import Call, Outcome, trade
from market.grid import Grid
from market.orders import ORDER, Kind, TimeInForce, is_block
from market.tables import Table, pick_rows
from market.units import Int

SAME = ("side", "area", "time_in_force", "price", "reference", "world", "party")
"""What the rows of a block have in common."""


MOST_SLOTS = 31 * 48
"""Slots of a block's run at most: a month (assumption), so that nobody's rows fill the memory of all."""
MOST_BLOCKS = 256
"""Blocks of a party in a step at most (assumption): each is a search of the book."""


class Read(NamedTuple):
    """What rows `block` and `part` say.

    number (rows,): which of all blocks a row belongs to, -1 for a part before any; place (rows,): slot within the
    profile, -1 for a head; codes (all,): BLOCK_GAP or TOO_LARGE where rows make no block; blocks: those with code 0.
    """

    number: Int
    place: Int
    codes: Codes
    blocks: Blocks


def takes_blocks(design: MarketDesign, grid: Grid) -> bool:
    """Whether a design trades blocks: continuous ones, and auctions whose limits are lines (`market.blocks`)."""
    return not design.rule and (design.pairs == "continuous" or (design.pairs == "uniform" and not grid.limits))


def write_block_rows(blocks: Blocks) -> Table:
    """ORDER rows of blocks, one block after another; `market` and `sequence` are the block's first."""
    count = blocks.table["slots"].astype(np.int64)
    number = np.repeat(np.arange(len(blocks)), count + 1)
    place = np.arange(len(number)) - (np.cumsum(count + 1) - count)[number]
    rows, table = np.zeros(len(number), ORDER), blocks.table[number]
    for name in (*SAME, "market", "sequence"):
        rows[name] = table[name]
    heads = place < 0
    rows["kind"] = np.where(heads, int(Kind.BLOCK), int(Kind.PART))
    rows["slot"] = table["slot"] + np.maximum(place, 0)
    rows["energy"] = np.where(heads, table["min_fill_ppm"], blocks.profile_wh[number, np.maximum(place, 0)])
    return rows


def read_block_rows(rows: Table) -> Read:
    """The blocks that rows `block` and `part` say."""
    heads = rows["kind"] == Kind.BLOCK
    number, at = np.cumsum(heads) - 1, np.flatnonzero(heads)
    first = at[np.maximum(number, 0)] if len(at) else np.zeros(len(rows), np.int64)
    place = np.where(number >= 0, np.arange(len(rows)) - first, 0) - 1
    count = np.bincount(number[number >= 0], minlength=len(at)) - 1
    codes = np.zeros(len(at), np.uint8)
    parts = np.flatnonzero(place >= 0)
    head = rows[first[parts]]
    differs = rows["slot"][parts].astype(np.int64) != head["slot"].astype(np.int64) + place[parts]
    for name in SAME:
        differs |= rows[name][parts] != head[name]
    codes[number[parts[differs]]] = Refusal.BLOCK_GAP
    codes[count < 1] = Refusal.BLOCK_GAP
    codes[(count > MOST_SLOTS) | (rank_in_party(rows[at]) >= MOST_BLOCKS)] = Refusal.TOO_LARGE
    good = codes == 0
    table, kept = np.zeros(int(good.sum()), BLOCK), rows[at[good]]
    for name in (*SAME, "slot", "market", "sequence"):
        table[name] = kept[name]
    table["slots"], table["min_fill_ppm"] = count[good], np.clip(kept["energy"], 0, np.iinfo(np.uint32).max)
    profile = np.zeros((len(table), max(int(count[good].max(initial=0)), 1)), np.int64)
    parts = parts[good[number[parts]]]
    profile[(np.cumsum(good) - 1)[number[parts]], place[parts]] = rows["energy"][parts]
    return Read(number, place, codes, Blocks(table, profile))


def rank_in_party(rows: Table) -> Int:
    """Place of each row among those of its world and party, (n,)."""
    order = np.lexsort((rows["party"], rows["world"]))
    begins = np.ones(len(rows), np.bool_)
    world, party = rows["world"][order], rows["party"][order]
    begins[1:] = (world[1:] != world[:-1]) | (party[1:] != party[:-1])
    place, rank = np.arange(len(rows)), np.empty(len(rows), np.int64)
    rank[order] = place - np.maximum.accumulate(np.where(begins, place, 0))
    return rank


def check_block_rows(
    design: MarketDesign, grid: Grid, rows: Table, first_open: Int | None = None, past_last_open: Int | None = None
) -> Codes:
    """Refusal code of each row `block` and `part`, (n,) uint8, the same for all rows of a block.

    Args:
        design: lot, tick and band.
        grid: areas.
        rows: of any number of worlds.
        first_open, past_last_open: (worlds,) open slots; None where gates are open.

    BLOCK_GAP where rows do not make a block; TOO_LARGE beyond MOST_SLOTS and MOST_BLOCKS; UNKNOWN_KIND where the design
    takes none, or where it would rest.
    """
    read = read_block_rows(rows)
    codes, good = read.codes.copy(), read.codes == 0
    checked = check_blocks(design, grid, read.blocks, first_open, past_last_open)
    if design.pairs == "continuous":
        checked[read.blocks.table["time_in_force"] != TimeInForce.IMMEDIATE] = Refusal.UNKNOWN_KIND
    codes[good] = checked
    if not takes_blocks(design, grid):
        codes[:] = Refusal.UNKNOWN_KIND
    return _spread(codes, read.number)


def _spread(codes: Codes, number: Int) -> Codes:
    """Codes of blocks to their rows; a part without a block has a gap."""
    spread = np.full(len(number), int(Refusal.BLOCK_GAP), np.uint8)
    spread[number >= 0] = codes[number[number >= 0]]
    return spread


def trade_rows(call: Call) -> Outcome:
    """`market.exchange.trade` where block rows are among the orders; codes and energies are by row.

    A head has no energy of its own: what its block filled or let lapse stands at its parts.
    """
    is_row = is_block(call.orders)
    simple, rows = pick_rows(call.orders, ~is_row), pick_rows(call.orders, is_row)
    codes = check_block_rows(call.design, call.grid, rows)
    read = read_block_rows(pick_rows(rows, codes == 0))
    if not len(read.blocks):
        return _join(call.orders, is_row, _trade_simple(call, simple), codes, np.zeros(len(rows), np.int64))
    done = trade_blocks(
        call.design,
        call.grid,
        call.resting,
        simple,
        read.blocks,
        call.capacity_wh,
        call.flow_wh,
        call.now,
        limit_wh=call.limit_wh,
        retail=call.retail,
        owner=call.owner,
    )
    filled = np.zeros(len(rows), np.int64)
    filled[codes == 0] = np.where(read.place >= 0, done.filled_wh[read.number, np.maximum(read.place, 0)], 0)
    codes[codes == 0] = done.codes[read.number]
    return _join(call.orders, is_row, done.outcome, codes, filled)


def _trade_simple(call: Call, simple: Table) -> Outcome:
    return trade(
        call.design,
        call.grid,
        call.resting,
        simple,
        call.capacity_wh,
        call.flow_wh,
        call.now,
        limit_wh=call.limit_wh,
        retail=call.retail,
        owner=call.owner,
        calendar=call.calendar,
    )


def _join(orders: Table, is_row: npt.NDArray[np.bool_], done: Outcome, codes: Codes, filled_wh: Int) -> Outcome:
    """The outcome with codes, fills and lapses of all rows in the order given."""
    every = np.zeros(len(orders), np.uint8)
    filled, expired = np.zeros((2, len(orders)), np.int64)
    every[~is_row], every[is_row] = done.codes, codes
    filled[~is_row], filled[is_row] = done.filled_wh, filled_wh
    parts = pick_rows(orders, is_row)
    lapses = (parts["kind"] == Kind.PART) & (codes == 0)
    expired[~is_row], expired[is_row] = done.expired_wh, np.where(lapses, parts["energy"] - filled_wh, 0)
    return Outcome(
        done.contracts,
        done.resting,
        every,
        filled,
        expired,
        done.cancelled_wh,
        done.flow_wh,
        done.price,
        done.paths,
        done.lost_ujpy,
    )
