"""The order table (注文): what a party wants to buy or sell in one half hour.

An order names side, area, slot, energy and limit price. `new` enters it, `cancel` withdraws the live
order with the same party and reference, `replace` does both at once and loses time priority; a
`replace` that finds nothing enters as new. Unfilled energy rests until its gate unless the order is
`immediate`. A block order is a row `block` followed by one row `part` for each slot of its run
(`market.block_rows`). Party, market and sequence are not on the wire: the envelope says who sent the row,
admission says when it arrived.
"""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from market.tables import Field, Schema, Table, memory_dtype, wire_dtype


class Side(IntEnum):
    """Side of an order (売買)."""

    BUY = 1
    SELL = 2


class Kind(IntEnum):
    """What an order row asks for."""

    NEW = 1
    CANCEL = 2
    REPLACE = 3
    BLOCK = 4
    PART = 5


class TimeInForce(IntEnum):
    """How long unfilled energy stays: until the gate of its slot, or not at all."""

    UNTIL_GATE = 1
    IMMEDIATE = 2


ORDER_FIELDS: Schema = (
    Field("side", "u1", "u1", "", "1 buy, 2 sell"),
    Field("kind", "u1", "u1", "", "1 new, 2 cancel, 3 replace, 4 block, 5 part of a block"),
    Field("area", "u1", "u1", "", "row of the area in the grid"),
    Field("time_in_force", "u1", "u1", "", "1 until gate, 2 immediate"),
    Field("slot", "i4", ">u4", "slot", "delivery half hour, counted from 2000-01-01 00:00 JST"),
    Field("energy", "i8", ">u8", "Wh", "offered or wanted, > 0 (0 in a cancel; in a block its smallest fill, ppm)"),
    Field("price", "i4", ">i4", "mJPY/kWh", "limit price"),
    Field("reference", "u4", ">u4", "", "the party's own name for the order"),
    Field("world", "i4", "", "", "parallel world the row belongs to"),
    Field("market", "i4", "", "", "row of the capacity and flow tables: world x slot"),
    Field("party", "i4", "", "", "row of the party register"),
    Field("sequence", "i8", "", "", "arrival number, earlier first; time priority"),
)
ORDER = memory_dtype(ORDER_FIELDS)
ORDER_WIRE = wire_dtype(ORDER_FIELDS)


def no_orders() -> Table:
    """An empty order table."""
    return np.zeros(0, ORDER)


def is_block(orders: Table) -> npt.NDArray[np.bool_]:
    """Which rows say a block order: its head or one of its slots (n,)."""
    kind = orders["kind"]
    return np.asarray((kind == Kind.BLOCK) | (kind == Kind.PART))
