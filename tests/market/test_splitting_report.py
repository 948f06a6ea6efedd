"""The report of an auction: groups, flows, rent, and what is binding."""

from dataclasses import replace

import numpy as np
import pytest

from market.design import find_design
from market.exchange import trade
from market.grid import Grid, Limit, Line
from market.orders import Side, no_orders
from market.splitting_report import AuctionReport, report_auctions
from market.tables import Table
from market.units import Int
from tests.reference.markets import order_table, random_grid, random_orders, random_rooms

CALL = replace(find_design("call"), tick_mjpy_kwh=1)
NOW = np.zeros(1, np.int64)


def report(grid: Grid, orders: Table, capacity: Int) -> list[AuctionReport]:
    """Trade without committed use, and report."""
    use = np.zeros_like(capacity)
    outcome = trade(CALL, grid, no_orders(), orders, capacity, use, NOW)
    return report_auctions(CALL, grid, orders, outcome, capacity, use)


def test_a_full_line_parts_the_groups_and_earns_the_difference() -> None:
    """30 Wh flow where 100 are wanted: two groups, rent = 30 x (50 - 10)."""
    grid = Grid(("a", "b"), (Line("ab", 0, 1),))
    orders = order_table([(0, 0, Side.SELL, 10, 100), (0, 1, Side.BUY, 50, 100)])
    (told,) = report(grid, orders, np.full((1, 1, 2), 30))
    assert told == AuctionReport(10, {"a": 10, "b": 50}, (("a",), ("b",)), {"ab": 30}, {"ab": 1200}, ("ab",))


def test_areas_behind_lines_with_room_are_one_group() -> None:
    """Nothing is full: one group at the system price, no rent."""
    grid = Grid(("a", "b", "c"), (Line("ab", 0, 1), Line("cb", 2, 1)))
    orders = order_table([(0, 0, Side.SELL, 10, 100), (0, 2, Side.BUY, 50, 40)])
    (told,) = report(grid, orders, np.full((1, 2, 2), 99))
    assert told.groups == (("a", "b", "c"),)
    assert told.flows_wh == {"ab": 40, "cb": -40}
    assert told.binding == ()
    assert set(told.rent_ujpy.values()) == {0}


def test_a_binding_limit_is_named() -> None:
    """No line is full, the sum of both is."""
    lines = (Line("ab", 0, 1), Line("ac", 0, 2))
    grid = Grid(("a", "b", "c"), lines, (Limit("out of a", (1, 1), 40),))
    orders = order_table([(0, 0, Side.SELL, 10, 90), (0, 1, Side.BUY, 50, 30), (0, 2, Side.BUY, 50, 30)])
    (told,) = report(grid, orders, np.full((1, 2, 2), 35))
    assert told.binding == ("out of a",)


def test_a_closed_line_binds_where_the_price_would_push_through_it() -> None:
    """No room, no flow: it parts 10 from 50, and names itself; the open way back, down in price, does not."""
    grid = Grid(("a", "b"), (Line("ab", 0, 1),))
    rows = [(0, 0, Side.SELL, 10, 9), (0, 0, Side.BUY, 10, 9), (0, 1, Side.SELL, 50, 9), (0, 1, Side.BUY, 50, 9)]
    (told,) = report(grid, order_table(rows), np.array([[[0, 70]]]))
    assert (told.binding, told.groups, told.flows_wh) == (("ab",), (("a",), ("b",)), {"ab": 0})


def test_a_line_that_is_just_full_parts_groups_of_one_price() -> None:
    """As in the published groups: what flows is all it can take, though more would not change the price."""
    grid = Grid(("a", "b"), (Line("ab", 0, 1),))
    orders = order_table([(0, 0, Side.SELL, 10, 100), (0, 1, Side.BUY, 50, 30)])
    (told,) = report(grid, orders, np.full((1, 1, 2), 30))
    assert (told.prices, told.groups, told.binding) == ({"a": 10, "b": 10}, (("a",), ("b",)), ("ab",))


def test_areas_without_a_price_are_no_group() -> None:
    """Nothing trades: each stands alone, though the line between them is empty."""
    grid = Grid(("a", "b"), (Line("ab", 0, 1),))
    (told,) = report(grid, order_table([(0, 0, Side.SELL, 10, 100)]), np.full((1, 1, 2), 30))
    assert told.groups == (("a",), ("b",))


def test_a_market_without_trade_has_no_price() -> None:
    """Null, not zero."""
    grid = Grid(("a",))
    (told,) = report(grid, order_table([(0, 0, Side.SELL, 10, 90)]), np.zeros((1, 0, 2), np.int64))
    assert (told.system_price, told.prices) == (None, {"a": None})


def test_rent_of_the_lines_is_what_buyers_pay_beyond_what_sellers_get() -> None:
    """On random networks, to the last uJPY."""
    rng = np.random.default_rng(4)
    for _ in range(60):
        grid = random_grid(rng, 5)
        orders = random_orders(rng, grid, 3)
        capacity, _ = random_rooms(rng, grid, 3)
        use = np.zeros_like(capacity)
        outcome = trade(CALL, grid, no_orders(), orders, capacity, use, NOW)
        told = report_auctions(CALL, grid, orders, outcome, capacity, use)
        for market, one in enumerate(told):
            here = outcome.contracts[outcome.contracts["market"] == market]
            paid = here["energy"] @ (here["buy_price"].astype(np.int64) - here["sell_price"])
            assert sum(one.rent_ujpy.values()) == paid


def test_a_design_without_area_prices_has_no_report() -> None:
    """Continuous trade has a price for each contract."""
    none = np.zeros((1, 0, 2), np.int64)
    outcome = trade(find_design("dgp"), Grid(("a",)), no_orders(), no_orders(), none, none, NOW)
    with pytest.raises(ValueError, match="no area prices"):
        report_auctions(find_design("dgp"), Grid(("a",)), no_orders(), outcome, none, none)
