"""Other prices for the auction's allocation: pay as bid, k-double, batches; auctions followed by continuous trade."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.design import find_design
from market.errors import ConfigError, Refusal
from market.exchange import NO_PRICE, Outcome, trade
from market.grid import Grid, Limit, Line
from market.orders import ORDER, Kind, Side, TimeInForce, no_orders
from market.slots import HALF_HOURS
from market.tables import Table
from market.units import Int

GRID = Grid(("a", "b", "c"), (Line("ab", 0, 1), Line("bc", 1, 2), Line("ca", 2, 0)))
MIDNIGHT = 100 * 48
TEN = np.array([MIDNIGHT + HALF_HOURS.auction_slot_of_day])
NARROW = (1, 8)
"""A band of eight prices, so that every price vector can be tried."""


def draw_orders(rng: np.random.Generator, count: int, markets: int = 1) -> Table:
    """New orders at prices inside the narrow band, each of a party of its own."""
    table = np.zeros(count, ORDER)
    table["side"], table["kind"], table["time_in_force"] = rng.integers(1, 3, count), Kind.NEW, TimeInForce.UNTIL_GATE
    table["area"], table["energy"] = rng.integers(0, 3, count), rng.integers(1, 9, count)
    table["price"], table["slot"] = rng.integers(NARROW[0], NARROW[1] + 1, count), MIDNIGHT + 60
    table["market"] = np.sort(rng.integers(0, markets, count))
    table["party"] = table["reference"] = table["sequence"] = np.arange(count)
    return table


def run(name: str, orders: Table, capacity: Int, resting: Table | None = None, use: Int | None = None) -> Outcome:
    """One call with the narrow band."""
    design = replace(find_design(name.split(":")[0]), band_mjpy_kwh=NARROW, tick_mjpy_kwh=1)
    if ":" in name:
        design = replace(design, k_ppm=int(name.split(":")[1]))
    use = np.zeros_like(capacity) if use is None else use
    return trade(design, GRID, no_orders() if resting is None else resting, orders, capacity, use, TEN)


def optimal_prices(orders: Table, capacity: Int) -> Int:
    """Every integer price vector in the band at which what all would gain, and the lines, is least (vectors, areas)."""
    prices = np.array(list(product(range(NARROW[0], NARROW[1] + 1), repeat=3)))
    total = np.zeros(len(prices), np.int64)
    for row in orders:
        gain = (int(row["price"]) - prices[:, row["area"]]) * (1 if row["side"] == Side.BUY else -1)
        total += np.maximum(gain, 0) * row["energy"]
    for line, room in zip(GRID.lines, capacity, strict=True):
        gap = prices[:, line.target] - prices[:, line.source]
        total += np.maximum(gap, 0) * room[0] + np.maximum(-gap, 0) * room[1]
    return prices[total == total.min()]


@st.composite
def markets(draw: st.DrawFn) -> tuple[Table, Int]:
    """A loop of three areas with a few orders; lines of any room, also none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return draw_orders(rng, draw(st.integers(2, 9))), rng.integers(0, 7, (1, 3, 2)) * rng.integers(0, 2, (1, 3, 2))


@given(markets(), st.sampled_from([0, 250_000, 500_000, 1_000_000]))
def test_the_k_double_price_lies_between_the_lowest_and_highest_vectors_that_clear(
    market: tuple[Table, Int], k: int
) -> None:
    """Both ends are found by trying every price vector; in between it is rounded half to even."""
    orders, capacity = market
    found = optimal_prices(orders, capacity[0])
    low, high = found.min(0), found.max(0)
    outcome = run(f"k-double:{k}", orders, capacity)
    assert outcome.price is not None
    busy = outcome.price[0] != NO_PRICE
    wanted = [round((int(a) * (1_000_000 - k) + int(b) * k) / 1_000_000) for a, b in zip(low, high, strict=True)]
    assert outcome.price[0][busy].tolist() == np.array(wanted)[busy].tolist()


@given(markets())
def test_the_auctions_differ_in_prices_only(market: tuple[Table, Int]) -> None:
    """k-double and pay-as-bid fill and use lines as the call auction does; k = 0 is the call auction."""
    orders, capacity = market
    call, zero = run("call", orders, capacity), run("k-double:0", orders, capacity)
    assert call.contracts.tobytes() == zero.contracts.tobytes()
    for name in ("pay-as-bid", "k-double"):
        other = run(name, orders, capacity)
        assert (other.filled_wh == call.filled_wh).all()
        assert (other.flow_wh == call.flow_wh).all()


@given(markets())
def test_pay_as_bid_pays_each_seller_its_own_price(market: tuple[Table, Int]) -> None:
    """And its buyer pays the same, also over a full line."""
    orders, capacity = market
    contracts = run("pay-as-bid", orders, capacity).contracts
    assert (contracts["sell_price"] == orders["price"][contracts["sell_reference"]]).all()
    assert (contracts["sell_price"] == contracts["buy_price"]).all()


@given(markets(), st.integers(1, 4))
def test_a_batch_trades_the_largest_surplus_of_all_that_is_live(market: tuple[Table, Int], cut: int) -> None:
    """What one call left and what the next brings trade as an auction over the room left; each at the middle."""
    orders, capacity = market
    first, second = orders[:cut], orders[cut:]
    begun = run("dgp-batch", first, capacity)
    then = run("dgp-batch", second, capacity, begun.resting, begun.flow_wh)
    live = np.concatenate([begun.resting, second])
    best = run("call", live, capacity, use=begun.flow_wh)
    sign = np.where(live["side"] == Side.BUY, 1, -1)
    left = {int(row["reference"]): int(row["energy"]) for row in then.resting}
    filled = np.array([int(row["energy"]) - left.get(int(row["reference"]), 0) for row in live], np.int64)
    assert sign * live["price"] @ filled == sign * live["price"] @ best.filled_wh
    limit = orders["price"].astype(np.int64)
    for row in then.contracts:
        middle = round((int(limit[row["sell_reference"]]) + int(limit[row["buy_reference"]])) / 2)
        assert row["sell_price"] == row["buy_price"] == middle


def test_a_batch_withdraws_replaces_and_lets_lapse() -> None:
    """A cancel takes its order out first, a replacement trades in its place, an immediate order lapses unfilled."""
    capacity = np.zeros((1, 3, 2), np.int64)
    orders = draw_orders(np.random.default_rng(0), 3)
    orders["area"], orders["side"], orders["price"], orders["energy"] = 0, Side.SELL, [3, 4, 5], 10
    begun = run("dgp-batch", orders, capacity)
    assert begun.resting["energy"].tolist() == [10, 10, 10]
    rows = np.concatenate([orders[:2].copy(), orders[2:].copy(), orders[2:].copy()])
    rows["kind"] = [Kind.CANCEL, Kind.REPLACE, Kind.NEW, Kind.CANCEL]
    rows["price"][1], rows["side"][2], rows["price"][2], rows["energy"][2] = 2, Side.BUY, 4, 25
    rows["party"][2], rows["reference"][2], rows["time_in_force"][2] = 7, 7, TimeInForce.IMMEDIATE
    rows["party"][3] = rows["reference"][3] = 9
    rows["energy"][[0, 3]], rows["sequence"] = 0, 10 + np.arange(4)
    then = run("dgp-batch", rows, capacity, begun.resting, begun.flow_wh)
    assert then.codes.tolist() == [0, 0, 0, Refusal.NOTHING_TO_CANCEL]
    assert then.filled_wh.tolist() == [0, 10, 10, 0]
    assert then.expired_wh.tolist() == [0, 0, 15, 0]
    assert then.cancelled_wh == 20
    assert then.contracts["sell_price"].tolist() == [3]
    assert then.resting["party"].tolist() == [2]


def test_a_batch_refuses_what_would_not_add_up_exactly_with_what_rests() -> None:
    """Resting orders count towards the bound of one side of a slot; the rest of the batch is unaffected."""
    capacity, big = np.zeros((1, 3, 2), np.int64), (1 << 37) + 5
    orders = draw_orders(np.random.default_rng(0), 3)
    orders["area"], orders["side"], orders["energy"] = 0, Side.SELL, [big, 7, big]
    begun = run("dgp-batch", orders[:1], capacity)
    then = run("dgp-batch", orders[1:], capacity, begun.resting, begun.flow_wh)
    assert then.codes.tolist() == [0, Refusal.TOO_LARGE]
    assert then.resting["energy"].tolist() == [big, 7]
    assert then.expired_wh.tolist() == [0, 0]


def test_the_auction_comes_first_and_continuous_trade_uses_what_room_is_left() -> None:
    """At 10:00 tomorrow is auctioned, today trades continuously; at 17:00 tomorrow trades over the auction's room."""
    rng, capacity = np.random.default_rng(5), np.full((2, 3, 2), 3, np.int64)
    orders = draw_orders(rng, 40, 2)
    tomorrow, today = MIDNIGHT + 60, MIDNIGHT + 40
    orders["slot"] = np.where(orders["market"] == 0, tomorrow, today)
    both = run("spot+intraday", orders, capacity)
    auctioned = orders["slot"] == tomorrow
    spot, dgp = run("call", orders[auctioned], capacity), run("dgp", orders[~auctioned], capacity)
    assert both.contracts.tobytes() == np.concatenate([spot.contracts, dgp.contracts]).tobytes()
    assert both.resting.tobytes() == dgp.resting.tobytes()
    assert both.filled_wh[auctioned].tolist() == spot.filled_wh.tolist()
    assert both.filled_wh[~auctioned].tolist() == dgp.filled_wh.tolist()
    later, evening = draw_orders(rng, 20), TEN + 14
    design = replace(find_design("spot+intraday"), band_mjpy_kwh=NARROW)
    then = trade(design, GRID, no_orders(), later, capacity, both.flow_wh, evening)
    alone = trade(find_design("dgp"), GRID, no_orders(), later, capacity, both.flow_wh, evening)
    assert then.contracts.tobytes() == alone.contracts.tobytes()
    net = then.flow_wh[..., 0] - then.flow_wh[..., 1]
    assert (np.abs(net) <= 3).all()


def test_prices_by_rule_take_no_limit_that_is_no_fence() -> None:
    """One line says so, and names what does."""
    grid = Grid(("a", "b", "c"), (Line("ab", 0, 1), Line("bc", 1, 2)), (Limit("both", (1, 1), 5),))
    use = np.zeros((1, 2, 2), np.int64)
    with pytest.raises(ConfigError, match="choose `spot`, `call` or `dgp`"):
        trade(find_design("k-double"), grid, no_orders(), no_orders(), use, use, TEN)
