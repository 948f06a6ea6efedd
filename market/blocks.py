"""Block orders (ブロック入札): energy of several slots in a row that trades together or not at all.

- A block names side, area, first slot, a profile [Wh] without a gap, one price for the energy of the whole profile,
  and the smallest part of it that may be filled (`min_fill_ppm`; a million is all or nothing).
- In an auction a sale block trades only where the volume-weighted price of its area reaches its price, a purchase block
  only where that price does not exceed it (JEPX 取引規程 Art. 17-2, 18-5 and 18-6): no accepted block loses. A rejected
  block may have been in the money: it is listed, as are those blocks of European auctions (paradoxically rejected).
- A fill is a whole number of ppm; the energy of a slot is profile x fill rounded down to whole lots, the one rounding.
- In continuous trade a block fills when every slot of its run can be filled at once from orders it reaches.

They serve the generator that must run through, and long contracts made of half-hour ones (paper 1.3).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from market.design import MarketDesign
from market.errors import ConfigError, Refusal
from market.exchange import Outcome, trade
from market.grid import Grid
from market.orders import ORDER, Kind, Side, TimeInForce
from market.tables import Field, Schema, Table, join_rows, memory_dtype, pick_rows, wire_dtype
from market.units import ENERGY_BOUND, PPM, PRICE_BOUND, Int

BLOCK_FIELDS: Schema = (
    Field("side", "u1", "u1", "", "1 buy, 2 sell"),
    Field("area", "u1", "u1", "", "row of the area in the grid"),
    Field("time_in_force", "u1", "u1", "", "1 until the gate of its first slot, 2 immediate"),
    Field("slot", "i4", ">u4", "slot", "first delivery half hour, counted from 2000-01-01 00:00 JST"),
    Field("slots", "u2", ">u2", "", "number of half hours in a row"),
    Field("price", "i4", ">i4", "mJPY/kWh", "limit of the mean price over the whole profile"),
    Field("min_fill_ppm", "u4", ">u4", "ppm", "smallest part that may be filled; 1,000,000 is all or nothing"),
    Field("reference", "u4", ">u4", "", "the party's own name for the block"),
    Field("world", "i4", "", "", "parallel world the row belongs to"),
    Field("market", "i4", "", "", "row of the first slot in the capacity and flow tables; the others follow"),
    Field("party", "i4", "", "", "row of the party register"),
    Field("sequence", "i8", "", "", "arrival number, earlier first"),
)
BLOCK = memory_dtype(BLOCK_FIELDS)
BLOCK_WIRE = wire_dtype(BLOCK_FIELDS)

Codes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Blocks:
    """Block orders: `table` of BLOCK rows (blocks,), `profile_wh` (blocks, longest) [Wh], zero after a run's end."""

    table: Table
    profile_wh: Int

    def __post_init__(self) -> None:
        rows, longest = self.profile_wh.shape
        if rows != len(self.table) or (rows and int(self.table["slots"].max()) > longest):
            raise ValueError("profile_wh must have a row for each block and a column for each slot of the longest run")

    def __len__(self) -> int:
        return len(self.table)

    def pick(self, where: npt.NDArray[np.bool_] | Int) -> "Blocks":
        """The blocks that a mask or row numbers name."""
        return Blocks(pick_rows(self.table, where), self.profile_wh[where])


def no_blocks() -> Blocks:
    """No block orders."""
    return Blocks(np.zeros(0, BLOCK), np.zeros((0, 1), np.int64))


@dataclass(frozen=True)
class BlockOutcome:
    """What one call of `trade_blocks` did.

    - outcome: as of `trade`; codes, fills and lapses are those of the simple orders, contracts name the blocks' parties
      and references too, one contract per slot and counterparty;
    - codes (blocks,): Refusal of each block, ADMITTED where it took part;
    - fill_ppm (blocks,), filled_wh (blocks, longest): part filled and energy of each slot [Wh];
    - in_money (blocks,): rejected though the clearing prices would have paid (paradoxically rejected);
    - resting: blocks still live (continuous trade only);
    - welfare_ujpy: value of all fills at limit prices, purchases less sales, blocks included;
    - bound_ujpy: no acceptance has more welfare than this; None in continuous trade, where nothing is searched;
    - search: `exact` (proved best), `limited` (node limit reached) or `arrival` (continuous).
    """

    outcome: Outcome
    codes: Codes
    fill_ppm: Int
    filled_wh: Int
    in_money: Mask
    resting: Blocks
    welfare_ujpy: int
    bound_ujpy: int | None
    search: str

    @property
    def gap_ujpy(self) -> int | None:
        """Welfare that a better acceptance could have at most beyond this one [uJPY]."""
        return None if self.bound_ujpy is None else self.bound_ujpy - self.welfare_ujpy


def check_blocks(
    design: MarketDesign, grid: Grid, blocks: Blocks, first_open: Int | None = None, past_last_open: Int | None = None
) -> Codes:
    """Refusal code of each block, (blocks,) uint8; 0 where it may enter.

    Args:
        design: lot, tick and band.
        grid: areas.
        blocks: of any number of worlds.
        first_open, past_last_open: (worlds,) open slots of each world; None where gates are open.
    """
    raise NotImplementedError


def trade_blocks(
    design: MarketDesign,
    grid: Grid,
    resting: Table,
    orders: Table,
    blocks: Blocks,
    capacity_wh: Int,
    flow_wh: Int,
    now: Int,
    *,
    resting_blocks: Blocks | None = None,
    limit_wh: Int | None = None,
    retail: Int | None = None,
    owner: Int | None = None,
    most_nodes: int = 2_000,
) -> BlockOutcome:
    """Trade simple orders and blocks together, by the one engine; the other arguments are those of `exchange.trade`.

    Args:
        blocks: given now; those that `check_blocks` refuses take no part and have a code.
        resting_blocks: live blocks of earlier calls (continuous designs only).
        most_nodes: acceptances looked at in each group of blocks that share slots before the search stops (auctions);
            a count, so that the result does not depend on the machine.

    Raises ConfigError for a design without trade, and for joint limits that are no fences in an auction.
    """
    raise NotImplementedError
