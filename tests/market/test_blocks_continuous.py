"""Blocks in continuous trade: every slot of the run, or nothing."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from market.blocks import BlockOutcome, Blocks, no_blocks, trade_blocks
from market.design import find_design
from market.errors import Refusal
from market.exchange import trade
from market.grid import Grid, Line
from market.orders import Side, TimeInForce, no_orders
from market.tables import Table, join_rows
from market.units import PPM, Int
from tests.reference.blocks import make_blocks, random_case
from tests.reference.markets import Rows, order_table, random_grid

DGP = replace(find_design("dgp"), tick_mjpy_kwh=1, band_mjpy_kwh=(1, 1_000))
NOW = np.zeros(1, np.int64)
TWO = Grid(("north", "south"), (Line("north-south", 0, 1),))
BUY, SELL = Side.BUY, Side.SELL
RESTING: Rows = [(0, 0, SELL, 20, 30), (0, 0, SELL, 30, 30), (1, 0, SELL, 10, 50), (1, 0, SELL, 40, 50)]
"""Sales of the north in two slots: 30 at 20 and 30 at 30; 50 at 10 and 50 at 40."""


def meet(
    blocks: Blocks,
    orders: Table | None = None,
    resting: Table | None = None,
    room: int = 100,
    waiting: Blocks | None = None,
) -> BlockOutcome:
    """One call with a line of this room both ways."""
    capacity = np.full((2, 1, 2), room, np.int64)
    live = order_table(RESTING) if resting is None else resting
    given_now = no_orders() if orders is None else orders
    return trade_blocks(
        DGP, TWO, live, given_now, blocks, capacity, 0 * capacity, NOW, resting_blocks=waiting or no_blocks()
    )


def wanted(price: int, energy: list[int], least: int = PPM, area: int = 0) -> Blocks:
    """One purchase block from the first slot on."""
    return make_blocks([(0, area, BUY, price, energy, least)])


def left_of(found: BlockOutcome) -> list[int]:
    """Energy of the simple orders that are still live."""
    return found.outcome.resting["energy"].tolist()


def test_a_block_takes_the_best_orders_of_every_slot_at_their_prices() -> None:
    """40 in each slot: 30 at 20, 10 at 30, 40 at 10; the mean of 16.25 is within a limit of 17."""
    found = meet(wanted(17, [40, 40]))
    rows = found.outcome.contracts
    assert found.fill_ppm.tolist() == [PPM]
    assert rows[["energy", "sell_price", "slot"]].tolist() == [(30, 20, 100), (10, 30, 100), (40, 10, 101)]
    assert (rows["buyer"] == 1_000).all()
    assert left_of(found) == [20, 10, 50]
    assert len(found.resting) == 0
    assert (found.search, found.gap_ujpy) == ("arrival", None)


def test_the_mean_over_the_profile_keeps_the_limit_or_nothing_trades() -> None:
    """At a limit of 16 the same block would pay 16.25: no slot of it trades, it rests, the book is as it was."""
    found = meet(wanted(16, [40, 40]))
    assert (found.fill_ppm.tolist(), len(found.outcome.contracts)) == ([0], 0)
    assert left_of(found) == [30, 30, 50, 50]
    assert len(found.resting) == 1


def test_one_slot_without_enough_energy_stops_the_whole_block() -> None:
    """61 in the first slot find 60: nothing trades, in the second slot neither."""
    found = meet(wanted(1_000, [61, 1]))
    assert (found.fill_ppm.tolist(), left_of(found)) == ([0], [30, 30, 50, 50])


def test_a_block_trades_only_where_lines_have_room_in_every_slot() -> None:
    """From the south 40 need room for 40; the room is taken when the contracts form."""
    assert meet(wanted(50, [40, 40], area=1), room=39).fill_ppm.tolist() == [0]
    found = meet(wanted(50, [40, 40], area=1), room=40)
    assert found.fill_ppm.tolist() == [PPM]
    assert found.outcome.flow_wh[:, 0].tolist() == [[40, 0], [40, 0]]


def test_a_block_that_may_be_filled_in_part_trades_the_most_it_can() -> None:
    """Of 120 in each slot 60 are there: one half; at a limit of 18 the mean allows no more than 52."""
    assert meet(wanted(1_000, [120, 120], PPM // 10)).filled_wh.tolist() == [[60, 60]]
    dear = meet(wanted(18, [120, 120], PPM // 10)).filled_wh
    assert dear.tolist() == [[52, 52]]
    assert meet(wanted(1_000, [120, 120], PPM * 6 // 10)).fill_ppm.tolist() == [0]


def test_an_immediate_block_does_not_rest() -> None:
    """It is tried once."""
    block = wanted(16, [40, 40])
    block.table["time_in_force"] = TimeInForce.IMMEDIATE
    assert len(meet(block).resting) == 0


def test_a_resting_block_is_tried_again_before_new_ones() -> None:
    """A cheaper sale arrives: the block of the earlier call takes it, the new one finds too little."""
    waiting = meet(wanted(16, [40, 40])).resting
    new = wanted(16, [40, 40])
    new.table["party"] = 77
    arrives = order_table([(0, 0, SELL, 15, 20)])
    arrives["party"], arrives["sequence"] = 50, 50
    found = meet(new, orders=arrives, waiting=waiting)
    assert set(found.outcome.contracts["buyer"].tolist()) == {1_000}
    assert found.outcome.filled_wh.tolist() == [20]
    assert found.fill_ppm.tolist() == [0]
    assert found.resting.table["party"].tolist() == [77]


def test_a_sale_block_meets_purchases() -> None:
    """The mirror: it earns the prices of the purchases it meets, and its mean must reach its own."""
    live = order_table([(0, 0, BUY, 30, 50), (1, 0, BUY, 10, 50)])
    for price, filled in ((20, [[50, 50]]), (21, [[0, 0]])):
        found = meet(make_blocks([(0, 0, SELL, price, [50, 50], PPM)]), resting=live)
        assert found.filled_wh.tolist() == filled


def test_blocks_do_not_meet_blocks_and_nobody_meets_itself() -> None:
    """Two blocks that would agree both rest; a party's own sales are passed over."""
    both = make_blocks([(0, 0, BUY, 30, [5, 5], PPM), (0, 0, SELL, 20, [5, 5], PPM)])
    assert meet(both, resting=no_orders()).fill_ppm.tolist() == [0, 0]
    own = order_table(RESTING)
    own["party"] = 1_000
    own["reference"] += 10
    assert meet(wanted(1_000, [5, 5]), resting=own).fill_ppm.tolist() == [0]


def test_a_block_with_the_name_of_a_live_order_is_refused() -> None:
    """One party, one reference, one order."""
    block = wanted(1_000, [5, 5])
    block.table["party"], block.table["reference"] = 2, 2
    found = meet(block)
    assert (found.codes.tolist(), len(found.resting)) == ([Refusal.DUPLICATE_REFERENCE], 0)


def used_by(grid: Grid, contracts: Table, use: Int) -> Int:
    """Committed use and that of the contracts, path by path."""
    total = use.copy()
    for row in contracts:
        for step in grid.paths[row["path"]]:
            total[row["market"], abs(step) - 1, 0 if step > 0 else 1] += row["energy"]
    return total


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), partial=st.sampled_from([0.0, 0.5]))
def test_blocks_fill_wholly_at_their_limit_and_nothing_is_lost(seed: int, partial: float) -> None:
    """Each block has all its slots or none, its mean price keeps its limit; energy, room and books add up."""
    rng = np.random.default_rng(seed)
    grid = random_grid(rng, 3)
    case = random_case(rng, grid, 3, 5, partial)
    half = len(case.orders) // 2
    use = np.minimum(case.flow_wh, case.capacity_wh)
    earlier = trade(DGP, grid, no_orders(), case.orders[:half], case.capacity_wh, use, NOW)
    new = case.orders[half:]
    found = trade_blocks(DGP, grid, earlier.resting, new, case.blocks, case.capacity_wh, earlier.flow_wh, NOW)
    done, rows = found.outcome, found.outcome.contracts
    blocked = rows[(rows["seller"] >= 1_000) | (rows["buyer"] >= 1_000)]
    assert (done.flow_wh == used_by(grid, rows, earlier.flow_wh)).all()
    room = done.flow_wh - done.flow_wh[..., ::-1]
    assert (room <= np.maximum(case.capacity_wh, use - use[..., ::-1])).all()
    before = join_rows(earlier.resting, new)
    gone = int(before["energy"].sum() - done.resting["energy"].sum() - done.expired_wh.sum())
    assert gone == 2 * int(rows["energy"].sum()) - int(blocked["energy"].sum())
    entered = {(o["party"], o["reference"]): int(o["energy"]) for o in done.resting}
    for number, order in enumerate(new):
        left = entered.get((order["party"], order["reference"]), 0)
        assert done.filled_wh[number] + done.expired_wh[number] + left == order["energy"]
    assert len(found.resting) == int((found.fill_ppm == 0).sum())
    for row, block in enumerate(case.blocks.table):
        sells = block["side"] == SELL
        mine = rows[rows["seller" if sells else "buyer"] == block["party"]]
        filled = np.bincount(mine["market"] - block["market"], mine["energy"], case.blocks.profile_wh.shape[1])
        assert (filled == case.blocks.profile_wh[row] * found.fill_ppm[row] // PPM).all()
        assert found.fill_ppm[row] == 0 or found.fill_ppm[row] >= block["min_fill_ppm"]
        money = int((mine["energy"] * mine["sell_price"].astype(np.int64)).sum())
        limit = int(block["price"]) * int(filled.sum())
        assert money >= limit if sells else money <= limit
