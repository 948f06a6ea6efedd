"""Block orders as rows: what is written is read again, and what is no block is refused as a whole."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.block_rows import MOST_BLOCKS, MOST_SLOTS, check_block_rows, read_block_rows, write_block_rows
from market.blocks import Blocks, trade_blocks
from market.design import MarketDesign, find_design
from market.errors import Refusal
from market.exchange import trade
from market.grid import Grid, Line
from market.orders import ORDER_WIRE, Kind, Side, TimeInForce
from market.tables import Table, join_rows, to_wire
from market.units import PPM
from tests.reference.blocks import make_blocks, random_case

DGP = replace(find_design("dgp"), tick_mjpy_kwh=1, band_mjpy_kwh=(1, 1_000))
CALL = replace(find_design("call"), tick_mjpy_kwh=1, band_mjpy_kwh=(1, 1_000))
TWO = Grid(("north", "south"), (Line("north-south", 0, 1),))


def immediate(blocks: Blocks) -> Blocks:
    """The blocks, lapsing where they do not trade."""
    table = blocks.table.copy()
    table["time_in_force"] = TimeInForce.IMMEDIATE
    return Blocks(table, blocks.profile_wh)


def some_rows() -> Table:
    """Rows of two blocks of one party: three slots and one."""
    blocks = immediate(make_blocks([(0, 0, Side.BUY, 500, [5, 6, 7], PPM), (1, 0, Side.SELL, 300, [4], PPM)]))
    blocks.table["slot"], blocks.table["reference"], blocks.table["party"] = [10, 11], [1, 2], 0
    return write_block_rows(blocks)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_rows_of_blocks_are_read_as_the_same_blocks(seed: int) -> None:
    """Table and profile survive the way through rows."""
    blocks = immediate(random_case(np.random.default_rng(seed), TWO, 3, 4, 0.3).blocks)
    read = read_block_rows(write_block_rows(blocks))
    assert (read.codes == 0).all()
    assert (read.blocks.table == blocks.table).all()
    assert (read.blocks.profile_wh == blocks.profile_wh[:, : read.blocks.profile_wh.shape[1]]).all()


def test_bytes_of_a_block_on_the_wire_are_frozen() -> None:
    """A head with the smallest fill in its energy, then a part for each slot."""
    golden = (
        "0104000200000 00a 00000000000f4240 000001f4 00000001"
        "0105000200000 00a 0000000000000005 000001f4 00000001"
        "0105000200000 00b 0000000000000006 000001f4 00000001"
        "0105000200000 00c 0000000000000007 000001f4 00000001"
    ).replace(" ", "")
    assert to_wire(some_rows()[:4], ORDER_WIRE).tobytes().hex() == golden


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [(2, "slot", 10), (2, "price", 499), (2, "side", 2), (3, "area", 1), (1, "reference", 9), (3, "party", 1)],
)
def test_a_part_that_is_not_the_next_slot_of_its_block_refuses_the_whole_block(
    row: int, column: str, value: int
) -> None:
    """All rows of the block have one code; the other block enters."""
    rows = some_rows()
    rows[column][row] = value
    assert check_block_rows(DGP, TWO, rows).tolist() == [int(Refusal.BLOCK_GAP)] * 4 + [0, 0]


def test_parts_without_a_head_and_heads_without_parts_are_refused() -> None:
    """Neither is a block."""
    rows = some_rows()
    assert check_block_rows(DGP, TWO, rows[1:]).tolist() == [int(Refusal.BLOCK_GAP)] * 3 + [0, 0]
    assert check_block_rows(DGP, TWO, rows[[0, 4, 5]]).tolist() == [int(Refusal.BLOCK_GAP), 0, 0]


def test_a_block_that_would_rest_or_that_the_design_does_not_take_is_of_unknown_kind() -> None:
    """Continuous trade takes blocks that trade at once; a design by a rule takes none; an auction takes both."""
    rows = some_rows()
    assert not check_block_rows(CALL, TWO, rows).any()
    assert (check_block_rows(find_design("mcafee"), TWO, rows) == Refusal.UNKNOWN_KIND).all()
    rows["time_in_force"] = TimeInForce.UNTIL_GATE
    assert (check_block_rows(DGP, TWO, rows) == Refusal.UNKNOWN_KIND).all()
    assert not check_block_rows(CALL, TWO, rows).any()


def test_no_party_can_send_more_blocks_or_longer_ones_than_the_bounds() -> None:
    """Those beyond are too large; the memory that rows take is bounded."""
    many = immediate(make_blocks([(0, 0, Side.BUY, 500, [5], PPM)] * (MOST_BLOCKS + 1)))
    many.table["reference"], many.table["party"] = np.arange(MOST_BLOCKS + 1), 0
    codes = check_block_rows(DGP, TWO, write_block_rows(many))
    assert codes[-2:].tolist() == [Refusal.TOO_LARGE] * 2
    assert not codes[:-2].any()
    long = immediate(make_blocks([(0, 0, Side.BUY, 500, [5] * (MOST_SLOTS + 1), PPM)]))
    assert (check_block_rows(DGP, TWO, write_block_rows(long)) == Refusal.TOO_LARGE).all()


@pytest.mark.parametrize("design", [DGP, CALL])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_blocks_among_rows_trade_as_blocks_beside_them(design: MarketDesign, seed: int) -> None:
    """Same contracts, codes and fills as `trade_blocks`; given energy = filled + lapsed + resting."""
    case = random_case(np.random.default_rng(seed), TWO, 3, 4, 0.3)
    blocks, resting = immediate(case.blocks), case.orders[:0]
    given_rows = (design, case.grid, resting)
    rest = (case.capacity_wh, np.zeros_like(case.capacity_wh), np.zeros(1, np.int64))
    there = trade_blocks(*given_rows, case.orders, blocks, *rest)
    rows = write_block_rows(blocks)
    here = trade(*given_rows, join_rows(rows, case.orders), *rest)
    assert (here.contracts == there.outcome.contracts).all()
    heads = rows["kind"] == Kind.BLOCK
    assert (here.codes[: len(rows)][heads] == there.codes).all()
    assert here.filled_wh[: len(rows)].sum() == there.filled_wh.sum()
    parts = ~heads & (here.codes[: len(rows)] == 0)
    energy = rows["energy"][parts]
    assert (here.filled_wh[: len(rows)][parts] + here.expired_wh[: len(rows)][parts] == energy).all()
