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
from market.exchange import Outcome
from market.grid import Grid
from market.orders import Kind, Side, TimeInForce
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


def join_blocks(one: Blocks, other: Blocks) -> Blocks:
    """Blocks after one another."""
    longest = max(one.profile_wh.shape[1], other.profile_wh.shape[1])
    profiles = [np.pad(b.profile_wh, ((0, 0), (0, longest - b.profile_wh.shape[1]))) for b in (one, other)]
    return Blocks(join_rows(one.table, other.table), np.concatenate(profiles))


def value_of(blocks: Blocks, filled_wh: Int) -> int:
    """Value of what blocks filled (blocks, slots) at their limits [uJPY], purchases less sales."""
    sign = np.where(blocks.table["side"] == int(Side.BUY), 1, -1).astype(object)
    return int((sign * blocks.table["price"].astype(object) * filled_wh.sum(1).astype(object)).sum())


@dataclass(frozen=True)
class BlockOutcome:
    """What one call of `trade_blocks` did.

    - outcome: as of `trade`; codes, fills and lapses are those of the simple orders, contracts those of blocks too,
      slot by slot, with the block's party and reference;
    - codes (blocks,): Refusal of each block, ADMITTED where it took part;
    - fill_ppm (blocks,), filled_wh (blocks, longest): part filled and energy of each slot [Wh];
    - in_money (blocks,): rejected though the clearing prices would have paid (paradoxically rejected);
    - resting: blocks still live (continuous trade only);
    - welfare_ujpy: value at limit prices of what the orders and blocks given now filled, purchases less sales;
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
    codes = np.zeros(len(blocks), np.uint8)
    if not len(blocks):
        return codes
    # written from the last rule to the first, so that the first broken one stays
    _mark(codes, _is_again(blocks), Refusal.DUPLICATE_REFERENCE)
    table = blocks.table
    slot, world = table["slot"].astype(np.int64), table["world"]
    if past_last_open is not None:
        _mark(codes, np.asarray(slot + table["slots"] > past_last_open[world]), Refusal.BEYOND_HORIZON)
    if first_open is not None:
        _mark(codes, slot < first_open[world], Refusal.CLOSED)
    _check_numbers(design, blocks, codes)
    _mark(codes, table["area"] >= len(grid.areas), Refusal.UNKNOWN_AREA)
    known = np.isin(table["side"], list(Side)) & np.isin(table["time_in_force"], list(TimeInForce))
    _mark(codes, np.asarray(~known), Refusal.UNKNOWN_KIND)
    if total_of(blocks.profile_wh[codes == 0].ravel()) >= ENERGY_BOUND:
        _check_sums(blocks, codes, "slot", {})
    return codes


def _mark(codes: Codes, broken: Mask, code: Refusal) -> None:
    codes[broken] = code


def _is_again(blocks: Blocks) -> Mask:
    """Rows whose world, party and reference stand in an earlier row too."""
    names = blocks.table[["world", "party", "reference"]].tolist()
    seen: set[tuple[int, ...]] = set()
    again = np.zeros(len(blocks), np.bool_)
    for row, name in enumerate(names):
        again[row] = name in seen
        seen.add(name)
    return again


def _check_numbers(design: MarketDesign, blocks: Blocks, codes: Codes) -> None:
    table, profile = blocks.table, blocks.profile_wh
    price, ratio = table["price"].astype(np.int64), table["min_fill_ppm"].astype(np.int64)
    inside = np.arange(profile.shape[1]) < table["slots"][:, None]
    low, high = design.band_mjpy_kwh
    large = (profile >= ENERGY_BOUND).any(1) | (abs(price) >= PRICE_BOUND)
    _mark(codes, ratio > PPM, Refusal.BAD_RATIO)
    _mark(codes, (price < low) | (price > high), Refusal.OUT_OF_BAND)
    _mark(codes, price % design.tick_mjpy_kwh != 0, Refusal.OFF_TICK)
    _mark(codes, (profile % design.lot_wh != 0).any(1), Refusal.OFF_LOT)
    _mark(codes, large, Refusal.TOO_LARGE)
    _mark(codes, (inside != (profile != 0)).any(1), Refusal.BLOCK_GAP)
    _mark(codes, np.asarray((profile < 0).any(1) | (profile <= 0).all(1)), Refusal.NOT_POSITIVE)


def _check_sums(blocks: Blocks, codes: Codes, name: str, used: dict[tuple[int, int, int], int]) -> None:
    """Refuse blocks that would take a side of a slot to the bound of `market.units`; `used` grows by the others.

    Slots are told apart by world, side and the column `name` (slot or market).
    """
    for row in np.flatnonzero(codes == 0):
        world, side, first, slots = (int(blocks.table[row][column]) for column in ("world", "side", name, "slots"))
        cells = [(world, side, first + slot) for slot in range(slots)]
        energy = [int(e) + used.get(c, 0) for c, e in zip(cells, blocks.profile_wh[row, :slots], strict=True)]
        if max(energy) >= ENERGY_BOUND:
            codes[row] = Refusal.TOO_LARGE
        else:
            used.update(zip(cells, energy, strict=True))


def _mark_names(blocks: Blocks, codes: Codes, simple: tuple[Table, Table], resting: Blocks | None) -> None:
    """Refuse blocks whose party has a live or new order of the same reference; codes in place."""
    parties = np.unique(blocks.table["party"])
    tables = [table[np.isin(table["party"], parties)] for table in simple]
    tables = [table[table["kind"] != int(Kind.CANCEL)] for table in tables] + ([resting.table] if resting else [])
    names = {name for table in tables for name in table[["world", "party", "reference"]].tolist()}
    for row in np.flatnonzero(codes == 0) if names else []:
        if blocks.table[row][["world", "party", "reference"]].item() in names:
            codes[row] = Refusal.DUPLICATE_REFERENCE


def _used_by(orders: Table) -> dict[tuple[int, int, int], int]:
    """Energy of simple orders by world, side and market [Wh]."""
    rows = orders[orders["kind"] != int(Kind.CANCEL)]
    used: dict[tuple[int, int, int], int] = {}
    columns = (rows[name].tolist() for name in ("world", "side", "market", "energy"))
    for world, side, market, energy in zip(*columns, strict=True):
        used[world, side, market] = used.get((world, side, market), 0) + energy
    return used


def total_of(amounts: Int) -> int:
    """Sum of int64 amounts as a Python integer, without bound."""
    low = (1 << 31) - 1
    return (int((amounts >> 31).sum()) << 31) + int((amounts & low).sum())


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
        most_nodes: sets of acceptances looked at in each group of blocks that share slots before the search stops, a
            tenth of it in groups of more than 60 (auctions); a count, so that no result depends on the machine.

    Raises ConfigError for a design without trade, and for joint limits that are no fences in an auction.
    """
    codes = check_blocks(design, grid, blocks)
    table = blocks.table
    outside = (table["market"] < 0) | (table["market"].astype(np.int64) + table["slots"] > len(capacity_wh))
    codes[(codes == 0) & outside] = Refusal.BEYOND_HORIZON
    if total_of(orders["energy"]) + total_of(blocks.profile_wh[codes == 0].ravel()) >= ENERGY_BOUND:
        _check_sums(blocks, codes, "market", _used_by(orders))
    _mark_names(blocks, codes, (resting, orders), resting_blocks)
    if design.pairs == "continuous":
        from market.block_pairing import Floor, meet_blocks

        floor = Floor(design, grid, capacity_wh, now, owner, resting, flow_wh, [])
        return meet_blocks(floor, orders, blocks, codes, resting_blocks or no_blocks())
    if design.pairs != "uniform":
        raise ConfigError(
            f"design {design.name!r} takes no block orders", do="choose an auction or a continuous design"
        )
    from market.block_auction import Surroundings, auction_blocks

    taking = blocks.pick(codes == 0)
    around = Surroundings(design, grid, capacity_wh, flow_wh, now, limit_wh, retail, owner)
    done = auction_blocks(around, orders, taking, most_nodes)
    spread = np.zeros(len(blocks), np.int64)
    spread[codes == 0] = done.fill_ppm
    filled = np.zeros_like(blocks.profile_wh)
    filled[codes == 0] = done.filled_wh
    in_money = np.zeros(len(blocks), np.bool_)
    in_money[codes == 0] = done.in_money
    return BlockOutcome(
        done.outcome,
        codes,
        spread,
        filled,
        in_money,
        no_blocks(),
        done.welfare_ujpy,
        done.bound_ujpy,
        "exact" if done.bound_ujpy == done.welfare_ujpy else "limited",
    )
