"""Published curves as orders: the same prices as the orders behind them, and what makes a curve unusable."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.curves import LAST_PRICE, Curves, clear_curves, curve_orders, find_fault, take_flow
from market.design import find_design
from market.exchange import NO_PRICE, trade
from market.grid import Grid
from market.orders import Side, no_orders
from market.units import ENERGY_BOUND
from tests.reference.markets import order_table
from tests.reference.splitting import one_area_price

FLOOR = 10
SPOT = find_design("spot")
Rows = list[tuple[int, int, int]]
offers = st.lists(st.tuples(st.sampled_from(Side), st.integers(0, 20), st.integers(1, 9)), max_size=14)


def publish(orders: list[tuple[Side, int, int]]) -> Rows:
    """Price [mJPY/kWh], energy offered at <= it, wanted at >= it; closed at 0, twice, and at 999.99 as published."""
    prices = sorted({10 * price for _, price, _ in orders} | {0, LAST_PRICE})
    rows = [(0, 0, sum(e for side, _, e in orders if side == Side.BUY))]
    for price in prices:
        sell = sum(e for side, p, e in orders if side == Side.SELL and 10 * p <= price)
        buy = sum(e for side, p, e in orders if side == Side.BUY and 10 * p >= price)
        rows.append((price, sell, buy))
    return rows[rows[0] == rows[1] :]


def curves_of(*books: Rows) -> Curves:
    """Curves from rows of (price, sell, buy)."""
    start = np.cumsum([0, *(len(book) for book in books)])
    columns = np.array([row for book in books for row in book], np.int64).reshape(-1, 3).T
    return Curves(start, *columns)


@settings(max_examples=150)
@given(st.lists(offers, min_size=1, max_size=4))
def test_curves_clear_as_the_orders_behind_them(books: list[list[tuple[Side, int, int]]]) -> None:
    """Price by the rule read aloud, null without trade; the same through `trade`, whatever books stand beside."""
    curves = curves_of(*(publish(book) for book in books))
    assert find_fault(curves) is None
    price, volume = clear_curves(curves, FLOOR)
    for book, found in zip(books, price.tolist(), strict=True):
        orders = order_table([(0, 0, side, max(10 * p, FLOOR * (side == Side.SELL)), e) for side, p, e in book])
        expected = one_area_price(orders, FLOOR)
        assert found == (NO_PRICE if expected is None else expected)
    no_lines = np.zeros((len(books), 0, 2), np.int64)
    outcome = trade(SPOT, Grid(("a",)), no_orders(), curve_orders(curves), no_lines, no_lines, np.zeros(1, np.int64))
    assert outcome.price is not None
    assert outcome.price[:, 0].tolist() == price.tolist()
    assert outcome.contracts["energy"].sum() == volume.sum()


@given(offers)
def test_every_kwh_of_a_curve_is_in_its_orders(book: list[tuple[Side, int, int]]) -> None:
    """Steps of a side add up to what the curve ends and begins with."""
    orders = curve_orders(curves_of(publish(book)))
    for side in Side:
        given_wh = sum(energy for own, _, energy in book if own == side)
        assert orders["energy"][orders["side"] == side].sum() == given_wh


GOOD: Rows = [(0, 0, 9), (0, 4, 9), (500, 6, 9), (900, 8, 3), (LAST_PRICE, 8, 0)]


@pytest.mark.parametrize(
    ("row", "value", "what"),
    [
        (0, (10, 0, 9), "does not begin at price 0"),
        (4, (99_990, 8, 0), "does not end at price 999.99"),
        (2, (500, 3, 9), "offered falls"),
        (3, (900, 8, 10), "wanted rises"),
        (3, (400, 8, 3), "price falls"),
        (2, (0, 4, 9), "stands twice"),
        (1, (0, -1, 9), "below zero"),
        (4, (LAST_PRICE, ENERGY_BOUND, 0), "too large"),
    ],
)
def test_an_impossible_curve_is_found_by_its_row(row: int, value: tuple[int, int, int], what: str) -> None:
    """One wrong row in the second of three curves."""
    wrong = [*GOOD[:row], value, *GOOD[row + 1 :]]
    fault = find_fault(curves_of(GOOD, wrong, GOOD))
    assert fault is not None
    assert fault.row == len(GOOD) + row
    assert what in fault.what


def test_a_missing_closing_row_is_found_where_the_next_curve_begins() -> None:
    """The last row given is not at 999.99, or the first is not at 0."""
    no_end, no_start = find_fault(curves_of(GOOD[:-1], GOOD)), find_fault(curves_of(GOOD, GOOD[2:]))
    assert no_end is not None
    assert no_start is not None
    assert (no_end.row, no_start.row) == (3, 5)
    assert find_fault(curves_of()) is not None


def test_a_flow_is_taken_from_all_rows_but_the_closing_one() -> None:
    """What leaves was wanted at any price, what arrives was offered at any price."""
    both = take_flow(curves_of(GOOD, GOOD), np.array([3, -4]))
    assert both.buy[:5].tolist() == [6, 6, 6, 0, 0]
    assert both.sell[5:].tolist() == [0, 0, 2, 4, 4]
    assert both.sell[:5].tolist() == [row[1] for row in GOOD]
    assert all(a <= b for a, b in pairwise(both.sell[5:].tolist()))
