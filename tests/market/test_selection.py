"""The selected price against the rule read aloud, and against the auction that sorts."""

from dataclasses import replace

import numpy as np
import pytest

from market.design import find_design
from market.exchange import NO_PRICE, trade
from market.grid import Grid
from market.orders import Side, no_orders
from market.uniform import clear_books
from tests.reference.markets import order_table, random_orders
from tests.reference.splitting import one_area_price

ALONE = Grid(("a",))


def check_books(seed: int, books: int, low: int, high: int, most: int = 12) -> None:
    """Price by the rule, volume the largest possible, both as the auction has them."""
    rng = np.random.default_rng(seed)
    orders = random_orders(rng, ALONE, books, most=most, low=low, high=high)
    start = np.searchsorted(orders["market"], np.arange(books + 1))
    design = replace(find_design("call"), tick_mjpy_kwh=1, band_mjpy_kwh=(10, 999_990))
    price, volume = clear_books(start, orders["side"], orders["price"], orders["energy"], 10)
    none = np.zeros((books, 0, 2), np.int64)
    outcome = trade(design, ALONE, no_orders(), orders, none, none, np.zeros(1, np.int64))
    assert outcome.price is not None
    assert (outcome.price[:, 0] == price).all()
    sold = np.zeros(books, np.int64)
    sells = orders["side"] == Side.SELL
    np.add.at(sold, orders["market"][sells], outcome.filled_wh[sells])
    assert (sold == volume).all()
    if high < 1_000:
        for book in range(books):
            expected = one_area_price(orders[start[book] : start[book + 1]], 10)
            assert price[book] == (NO_PRICE if expected is None else expected)


def test_books_of_few_prices_follow_the_rule() -> None:
    """400 small books full of ties, floors and empty sides."""
    check_books(1, 400, 10, 22)


@pytest.mark.parametrize("high", [1_000, 1_034, 999_990])
def test_books_of_many_prices_equal_the_auction(high: int) -> None:
    """One, two and three rounds of counting."""
    check_books(2, 200, 10, high, most=60)


@pytest.mark.slow
def test_ten_thousand_books_follow_the_rule() -> None:
    """The rule at length."""
    for seed in range(100, 110):
        check_books(seed, 1_000, 10, 40)


def test_a_book_of_one_side_has_no_price() -> None:
    """Without trade the price is null, never a number."""
    orders = order_table([(0, 0, Side.BUY, 30, 5), (1, 0, Side.SELL, 30, 5)])
    price, volume = clear_books(np.arange(3), orders["side"], orders["price"], orders["energy"], 10)
    assert price.tolist() == [NO_PRICE, NO_PRICE]
    assert volume.tolist() == [0, 0]
