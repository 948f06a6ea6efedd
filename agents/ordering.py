"""From wanted energies to order rows: the one code path of the world and of a device.

Each open slot has at most one order a side. A wanted energy enters as `replace` (new where nothing rests); a live
order whose side is no longer wanted is cancelled. The reference is twice the slot, plus one for a sale, so that a
device needs no memory of what it named its orders. Block orders are named from BLOCK_REFERENCE on, anew in each step:
none of them lives longer.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from market.orders import ORDER, Kind, Side, TimeInForce, is_block
from market.tables import Table, join_rows, pick_rows
from market.units import Int

if TYPE_CHECKING:
    from market.blocks import Blocks

BLOCK_REFERENCE = 1 << 31
"""First name of a party's block orders: no slot's number is as large."""


def write_orders(
    wanted_wh: Int,
    price: Int,
    live: npt.NDArray[np.bool_],
    area: Int,
    first_open: Int,
    other_wh: Int | None = None,
    other_price: Int | None = None,
    speaks: Int | None = None,
) -> Table:
    """Order rows sorted by world, party, slot and side.

    Args:
        wanted_wh: (w, p, h) [Wh] to buy (+) or to sell (-) in each open slot.
        price: (w, p, h) [mJPY/kWh].
        live: (w, p, h, 2) own resting orders, buy and sell.
        area: (p,) each party's area.
        first_open: (w,) first open slot of each world.
        other_wh: (w, p, h) [Wh] a second order of the other side; on the same side the first one counts.
        other_price: (w, p, h) [mJPY/kWh] its price.
        speaks: (p,) open slots in which unwanted live orders are withdrawn; all if None.

    Returns:
        ORDER rows without `market` and `sequence`, which admission writes.
    """
    sends = np.empty(live.shape, np.bool_)
    sends[..., 0], sends[..., 1] = wanted_wh > 0, wanted_wh < 0
    if other_wh is not None:
        sends[..., 0] |= other_wh > 0
        sends[..., 1] |= other_wh < 0
    if speaks is not None:
        live = live & (np.arange(live.shape[2])[:, None] < speaks[:, None, None])
    world, party, column, side = np.nonzero(sends | live)
    enters = sends[world, party, column, side]
    orders = np.zeros(len(world), ORDER)
    orders["side"] = side + 1
    orders["kind"] = np.where(enters, Kind.REPLACE, Kind.CANCEL)
    orders["time_in_force"] = TimeInForce.UNTIL_GATE
    orders["area"] = area[party]
    orders["slot"] = first_open[world] + column
    energy, limit = wanted_wh[world, party, column], price[world, party, column]
    if other_wh is not None and other_price is not None:
        second = energy * (1 - 2 * side) <= 0
        energy = np.where(second, other_wh[world, party, column], energy)
        limit = np.where(second, other_price[world, party, column], limit)
    orders["energy"] = np.where(enters, np.abs(energy), 0)
    orders["price"] = np.where(enters, limit, 0)
    orders["reference"] = orders["slot"].astype(np.int64) * 2 + (side == Side.SELL - 1)
    orders["world"], orders["party"] = world, party
    return orders


def add_blocks(orders: Table, blocks: Sequence[tuple[slice, "Blocks"]], area: Int, first_open: Int) -> Table:
    """Order rows with those of block orders put in, each party's after its simple ones.

    Args:
        orders: rows sorted by world and party.
        blocks: rows of a role in the fleet, and its blocks as `agents.quoting.Quote` has them.
        area: (p,) each party's area.
        first_open: (w,) first open slot of each world.

    Blocks trade at once or lapse.
    """
    from market.block_rows import rank_in_party, write_block_rows

    tables = [orders]
    for seat, theirs in blocks:
        rows = write_block_rows(theirs)
        rows["party"] += seat.start
        rows["slot"] += first_open[rows["world"]].astype(np.int32)
        rows["area"], rows["time_in_force"] = area[rows["party"]], TimeInForce.IMMEDIATE
        tables.append(rows)
    joined = join_rows(*tables)
    joined = pick_rows(joined, np.lexsort((joined["party"], joined["world"])))
    heads, told = joined["kind"] == Kind.BLOCK, is_block(joined)
    rank = rank_in_party(joined[heads])
    joined["reference"][told] = BLOCK_REFERENCE + rank[(np.cumsum(heads) - 1)[told]]
    return joined
