"""Block orders: what may enter, and the situations in an auction, each on the smallest books that show it."""

from dataclasses import replace

import numpy as np
import pytest

from market.block_bounds import Relaxation
from market.blocks import BLOCK_FIELDS, BLOCK_WIRE, BlockOutcome, Blocks, check_blocks, no_blocks, trade_blocks
from market.design import find_design
from market.errors import ConfigError, Refusal
from market.grid import Grid, Limit, Line
from market.orders import Side, no_orders
from market.tables import describe, from_wire, to_wire
from market.units import ENERGY_BOUND, PPM, Int
from tests.reference.blocks import make_blocks
from tests.reference.markets import Rows, order_table

SPOT = replace(find_design("spot"), tick_mjpy_kwh=1, band_mjpy_kwh=(1, 1_000))
NOW = np.zeros(1, np.int64)
ONE = Grid(("area",))
TWO = Grid(("north", "south"), (Line("north-south", 0, 1),))
BUY, SELL = Side.BUY, Side.SELL
BlockRow = tuple[int, int, Side, int, list[int], int]


def auction(rows: Rows, blocks: list[BlockRow], grid: Grid = ONE, markets: int = 2, room: int = 0) -> BlockOutcome:
    """One auction of simple orders and blocks; every line has `room` both ways."""
    capacity = np.full((markets, len(grid.lines), 2), room, np.int64)
    use = np.zeros_like(capacity)
    return trade_blocks(SPOT, grid, no_orders(), order_table(rows), make_blocks(blocks), capacity, use, NOW)


def flat(market: int, side: Side, price: int, energy: int, area: int = 0) -> Rows:
    """The same simple order in markets 0 .. market - 1."""
    return [(m, area, side, price, energy) for m in range(market)]


def sample_rows() -> Rows:
    """Demand of 100 at 50 in two slots; supply at 20 in the first, at 10 in the second."""
    return [*flat(2, BUY, 50, 100), (0, 0, SELL, 20, 100), (1, 0, SELL, 10, 100)]


def prices(outcome: BlockOutcome) -> Int:
    """Clearing prices of the auction."""
    found = outcome.outcome.price
    assert found is not None
    return found


def test_a_block_is_paid_by_the_mean_price_of_its_run() -> None:
    """At 20 and 10 a sale at 14 earns 15 on the mean: accepted, though one slot alone pays less than its price."""
    found = auction(sample_rows(), [(0, 0, SELL, 14, [60, 60], PPM)])
    assert (found.fill_ppm.tolist(), prices(found).tolist(), found.search) == ([PPM], [[20], [10]], "exact")
    assert found.filled_wh.tolist() == [[60, 60]]
    assert found.gap_ujpy == 0
    assert found.welfare_ujpy == 200 * 50 - 60 * 2 * 14 - 40 * 20 - 40 * 10
    mine = found.outcome.contracts[found.outcome.contracts["seller"] == 1_000]
    assert (mine["energy"].tolist(), mine["sell_price"].tolist(), mine["slot"].tolist()) == (
        [60, 60],
        [20, 10],
        [100, 101],
    )


def test_a_block_that_would_lose_is_rejected() -> None:
    """A sale at 16 would earn 15 on the mean."""
    found = auction(sample_rows(), [(0, 0, SELL, 16, [60, 60], PPM)])
    assert (found.fill_ppm.tolist(), found.in_money.tolist()) == ([0], [False])
    assert found.outcome.filled_wh.tolist() == [100, 100, 100, 100]


def test_a_block_in_the_money_may_have_to_be_rejected() -> None:
    """At 20 a sale at 15 would earn, but its own energy would take the price to 10: rejected and listed."""
    rows = [*flat(1, BUY, 50, 100), (0, 0, SELL, 10, 60), (0, 0, SELL, 20, 100)]
    found = auction(rows, [(0, 0, SELL, 15, [50], PPM)], markets=1)
    assert (found.fill_ppm.tolist(), found.in_money.tolist()) == ([0], [True])
    assert prices(found).tolist() == [[20]]


def test_a_block_sets_no_price() -> None:
    """Demand of 100 at 50 against a block of 90 at 30 and nothing else: the buyers' limit is the price."""
    found = auction(flat(1, BUY, 50, 100), [(0, 0, SELL, 30, [90], PPM)], markets=1)
    assert (found.fill_ppm.tolist(), prices(found).tolist()) == ([PPM], [[50]])


def test_a_block_that_meets_all_demand_alone_has_no_price_to_earn() -> None:
    """With 100 against 100 the lowest price that clears is the floor, below the block's price."""
    found = auction(flat(1, BUY, 50, 100), [(0, 0, SELL, 30, [100], PPM)], markets=1)
    assert found.fill_ppm.tolist() == [0]
    assert len(found.outcome.contracts) == 0


def test_a_block_larger_than_demand_cannot_be_accepted() -> None:
    """Energy that finds no buyer is no trade, even at the floor."""
    found = auction(flat(1, BUY, 50, 100), [(0, 0, SELL, 1, [101], PPM)], markets=1)
    assert found.fill_ppm.tolist() == [0]


def test_the_smallest_fill_bounds_the_part_that_trades() -> None:
    """Of 150 at 30, 99 keep the price at 50; a block that must fill nine tenths stays out."""
    for least, filled in ((0, 99), (PPM // 2, 99), (660_000, 99), (670_000, 0), (900_000, 0)):
        found = auction(flat(1, BUY, 50, 100), [(0, 0, SELL, 30, [150], least)], markets=1)
        assert found.filled_wh.tolist() == [[filled]]
        assert found.fill_ppm.tolist() == [-(-filled * PPM // 150)]
        assert found.search == "exact"


def test_parts_are_whole_lots() -> None:
    """With lots of 50 a part of a block is a multiple of 50 in each slot."""
    design = replace(SPOT, lot_wh=50)
    rows = order_table(flat(2, BUY, 50, 500))
    blocks = make_blocks([(0, 0, SELL, 30, [700, 350], 1)])
    nothing = np.zeros((2, 0, 2), np.int64)
    found = trade_blocks(design, ONE, no_orders(), rows, blocks, nothing, nothing, NOW)
    assert found.filled_wh.tolist() == [[450, 200]]


def test_a_purchase_block_pays_no_more_than_its_price_on_the_mean() -> None:
    """Supply at 20 and 10: wanted at 15 it trades, at 14 it does not."""
    rows = [(0, 0, SELL, 20, 100), (1, 0, SELL, 10, 100)]
    assert auction(rows, [(0, 0, BUY, 15, [60, 60], PPM)]).fill_ppm.tolist() == [PPM]
    assert auction(rows, [(0, 0, BUY, 14, [60, 60], PPM)]).fill_ppm.tolist() == [0]


def test_two_blocks_may_carry_each_other() -> None:
    """A sale and a purchase block with one simple order between them: neither could trade alone."""
    rows = flat(2, SELL, 40, 10)
    both = [(0, 0, SELL, 35, [90, 90], PPM), (0, 0, BUY, 45, [95, 95], PPM)]
    found = auction(rows, both)
    assert (found.fill_ppm.tolist(), prices(found).tolist()) == ([PPM, PPM], [[40], [40]])
    assert [auction(rows, [one]).fill_ppm.tolist() for one in both] == [[0], [0]]


def test_blocks_without_any_price_between_them_do_not_trade() -> None:
    """Two blocks that match exactly and nobody else: the lowest price that clears is the floor, no sale takes that."""
    both = [(0, 0, SELL, 35, [90, 90], PPM), (0, 0, BUY, 45, [90, 90], PPM)]
    found = auction([], both)
    assert found.fill_ppm.tolist() == [0, 0]
    assert (prices(found) == np.iinfo(np.int64).min).all()


def test_a_block_earns_the_price_of_its_own_area_across_a_full_line() -> None:
    """North clears at 10, south at 40 behind a full line: a sale at 20 trades in the south only."""
    rows = [*flat(2, SELL, 10, 200), *flat(2, BUY, 40, 200, area=1), *flat(2, BUY, 10, 10)]
    south = auction(rows, [(0, 1, SELL, 20, [50, 50], PPM)], TWO, room=30)
    north = auction(rows, [(0, 0, SELL, 20, [50, 50], PPM)], TWO, room=30)
    assert (south.fill_ppm.tolist(), north.fill_ppm.tolist()) == ([PPM], [0])
    assert prices(south).tolist() == [[10, 40], [10, 40]]


def test_blocks_compete_for_the_room_of_a_line() -> None:
    """Room for one of two blocks of the north: the cheaper trades, the other would press the price below its own."""
    rows = flat(2, BUY, 40, 200, area=1)
    blocks = [(0, 0, SELL, 20, [50, 50], PPM), (0, 0, SELL, 15, [50, 50], PPM), (0, 0, BUY, 18, [10, 10], PPM)]
    found = auction([*rows, *flat(2, SELL, 16, 20)], blocks, TWO, room=60)
    assert found.fill_ppm.tolist() == [0, PPM, PPM]
    assert (found.outcome.flow_wh[:, 0] == [60, 0]).all()


def test_of_equal_welfare_more_energy_then_the_earlier_block_counts() -> None:
    """Two blocks alike: the first one. A larger block at the price adds nothing but energy: it is taken."""
    rows = [*flat(1, BUY, 50, 100), (0, 0, SELL, 20, 100)]
    alike = [(0, 0, SELL, 10, [60], PPM)] * 2
    assert auction(rows, alike, markets=1).fill_ppm.tolist() == [PPM, 0]
    assert auction(rows, [(0, 0, SELL, 20, [60], PPM), (0, 0, SELL, 20, [70], PPM)], markets=1).fill_ppm.tolist() == [
        0,
        PPM,
    ]


def test_a_refused_block_leaves_the_others_as_they_are() -> None:
    """A gap, a slot beyond the markets, the name of a simple order: codes, and the good block trades."""
    good = (0, 0, SELL, 14, [60, 60], PPM)
    blocks = make_blocks([good, (0, 0, SELL, 14, [60, 0], PPM), (1, 0, SELL, 14, [60, 60], PPM), good])
    orders = order_table(sample_rows())
    blocks.table["party"][3], blocks.table["reference"][3] = orders["party"][2], orders["reference"][2]
    nothing = np.zeros((2, 0, 2), np.int64)
    found = trade_blocks(SPOT, ONE, no_orders(), orders, blocks, nothing, nothing, NOW)
    wanted = [0, Refusal.BLOCK_GAP, Refusal.BEYOND_HORIZON, Refusal.DUPLICATE_REFERENCE]
    assert (found.codes.tolist(), found.fill_ppm.tolist()) == (wanted, [PPM, 0, 0, 0])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"side": 3}, Refusal.UNKNOWN_KIND),
        ({"time_in_force": 0}, Refusal.UNKNOWN_KIND),
        ({"area": 1}, Refusal.UNKNOWN_AREA),
        ({"slots": 3}, Refusal.BLOCK_GAP),
        ({"slots": 1}, Refusal.BLOCK_GAP),
        ({"price": 11}, Refusal.OFF_TICK),
        ({"price": 1_010}, Refusal.OUT_OF_BAND),
        ({"price": -(2**24)}, Refusal.TOO_LARGE),
        ({"min_fill_ppm": PPM + 1}, Refusal.BAD_RATIO),
        ({"slot": 99}, Refusal.CLOSED),
        ({"slot": 109}, Refusal.BEYOND_HORIZON),
        ({"slot": 108}, Refusal.ADMITTED),
        ({"profile": [10, -10, 0]}, Refusal.NOT_POSITIVE),
        ({"profile": [0, 0, 0]}, Refusal.NOT_POSITIVE),
        ({"profile": [10, 15, 0]}, Refusal.OFF_LOT),
        ({"profile": [10, 0, 0]}, Refusal.BLOCK_GAP),
        ({"profile": [10, 10 * 2**37, 0]}, Refusal.TOO_LARGE),
    ],
)
def test_each_rule_has_its_code(change: dict[str, int | list[int]], code: Refusal) -> None:
    """One broken rule in the second of three blocks; the others enter."""
    design = replace(SPOT, tick_mjpy_kwh=10, lot_wh=10)
    blocks = make_blocks([(0, 0, SELL, 20, [10, 10], PPM)] * 3)
    blocks = Blocks(blocks.table, np.pad(blocks.profile_wh, ((0, 0), (0, 1))))
    for name, value in change.items():
        (blocks.profile_wh if name == "profile" else blocks.table[name])[1] = value
    codes = check_blocks(design, ONE, blocks, np.array([100]), np.array([110]))
    assert codes.tolist() == [0, code, 0]


def test_a_name_counts_once_and_sums_stay_below_the_bound() -> None:
    """Ten thousand blocks of one name: the first enters; blocks that would pass the bound of a slot's side do not."""
    blocks = make_blocks([(0, 0, SELL, 20, [10], PPM)] * 10_000)
    blocks.table["party"], blocks.table["reference"] = 1, 1
    assert (check_blocks(SPOT, ONE, blocks) == Refusal.DUPLICATE_REFERENCE).sum() == 9_999
    half = ENERGY_BOUND // 2
    rows = [(0, 0, SELL, 20, [half], PPM), (0, 0, SELL, 20, [half], PPM), (0, 0, BUY, 20, [half], PPM)]
    large = make_blocks(rows)
    assert check_blocks(SPOT, ONE, large).tolist() == [0, Refusal.TOO_LARGE, 0]
    nothing = np.zeros((1, 0, 2), np.int64)
    simple = order_table([(0, 0, BUY, 30, half)])
    assert trade_blocks(SPOT, ONE, no_orders(), simple, large, nothing, nothing, NOW).codes[2] == Refusal.TOO_LARGE


def test_no_blocks_are_an_ordinary_auction() -> None:
    """Nothing to search: exact, and the fills of `trade`."""
    nothing = np.zeros((2, 0, 2), np.int64)
    found = trade_blocks(SPOT, ONE, no_orders(), order_table(sample_rows()), no_blocks(), nothing, nothing, NOW)
    assert (found.search, found.gap_ujpy, found.outcome.filled_wh.tolist()) == ("exact", 0, [100] * 4)


def test_designs_and_limits_without_blocks_are_told() -> None:
    """A design without trade, and a joint limit that is no fence, raise one line."""
    nothing, blocks = np.zeros((2, 0, 2), np.int64), make_blocks([(0, 0, SELL, 20, [10], PPM)])
    with pytest.raises(ConfigError, match="takes no block orders"):
        trade_blocks(find_design("retail"), ONE, no_orders(), no_orders(), blocks, nothing, nothing, NOW)
    lines = (Line("a", 0, 1), Line("b", 2, 3))
    grid = Grid(("1", "2", "3", "4"), lines, (Limit("sum", (1, 1), 10),))
    room = np.full((2, 2, 2), 9, np.int64)
    with pytest.raises(ConfigError, match="no fence"):
        trade_blocks(SPOT, grid, no_orders(), no_orders(), blocks, room, 0 * room, NOW)
    with pytest.raises(ValueError, match="profile_wh"):
        Blocks(blocks.table, np.zeros((1, 0), np.int64))


def test_a_search_that_fails_gives_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """A linear program without an optimum stops the call."""
    monkeypatch.setattr(Relaxation, "solve", lambda *_: (_ for _ in ()).throw(RuntimeError("no optimum")))
    with pytest.raises(RuntimeError, match="no optimum"):
        auction(sample_rows(), [(0, 0, SELL, 14, [60, 60], PPM)])


def test_blocks_go_over_the_wire_and_back() -> None:
    """Columns that are signed keep their values; the schema names each column for the docs."""
    table = make_blocks([(3, 0, BUY, 20, [10, 20], 500_000)]).table
    back = from_wire(to_wire(table, BLOCK_WIRE).tobytes(), BLOCK_WIRE, table.dtype)
    assert all((back[field.name] == table[field.name]).all() for field in BLOCK_FIELDS if field.wire)
    assert "min_fill_ppm" in describe(BLOCK_FIELDS)
