"""The contract table (約定): who delivers to whom, in which half hour, at what price, over which path.

Every mechanism ends in one-to-one contracts between a named seller and a named buyer (paper 1.3,
item 13). Per contract energy sold equals energy bought and `sell_price <= buy_price`; a difference
is the congestion rent of the lines on the path.
"""

from enum import IntEnum

import numpy as np

from market.tables import Field, Schema, Table, memory_dtype, wire_dtype
from market.units import Int


class Source(IntEnum):
    """What the energy of a contract comes from."""

    GRID = 0
    SOLAR = 1
    THERMAL = 2
    PROSUMER = 3


CONTRACT_FIELDS: Schema = (
    Field("slot", "i4", ">u4", "slot", "delivery half hour"),
    Field("seller", "i4", ">u4", "", "party that delivers"),
    Field("buyer", "i4", ">u4", "", "party that receives"),
    Field("energy", "i8", ">u8", "Wh", "contracted energy, > 0"),
    Field("sell_price", "i4", ">i4", "mJPY/kWh", "what the seller is paid"),
    Field("buy_price", "i4", ">i4", "mJPY/kWh", "what the buyer pays"),
    Field("path", "u2", ">u2", "", "row of the grid's path table; 0 within an area"),
    Field("source", "u1", "u1", "", "0 grid, 1 solar, 2 thermal, 3 prosumer"),
    Field("last_resort", "u1", "u1", "", "1 when the area's retailer stands in (最終保障)"),
    Field("sell_reference", "u4", ">u4", "", "the seller's order"),
    Field("buy_reference", "u4", ">u4", "", "the buyer's order"),
    Field("formed", "i4", ">u4", "slot", "half hour in which the contract formed"),
    Field("world", "i4", "", "", "parallel world"),
    Field("market", "i4", "", "", "row of the capacity and flow tables: world x slot"),
)
CONTRACT = memory_dtype(CONTRACT_FIELDS)
CONTRACT_WIRE = wire_dtype(CONTRACT_FIELDS)


def no_contracts() -> Table:
    """An empty contract table."""
    return np.zeros(0, CONTRACT)


def add_positions(position: Int, contracts: Table, first_slot: Int) -> None:
    """Add contracts to net positions (worlds, parties, slots) [Wh], in place; + receives energy.

    `first_slot` (worlds,) is the slot of column 0 in each world.
    """
    world = contracts["world"].astype(np.int64)
    column = contracts["slot"] - first_slot[world]
    row, flat = world * position.shape[1], position.reshape(-1)
    np.add.at(flat, (row + contracts["buyer"]) * position.shape[2] + column, contracts["energy"])
    np.subtract.at(flat, (row + contracts["seller"]) * position.shape[2] + column, contracts["energy"])


def label_sources(contracts: Table, source_of_party: Int) -> None:
    """Write each contract's source type from its seller, in place; `source_of_party` (parties,)."""
    contracts["source"] = source_of_party[contracts["seller"]]
