"""Slopes of the dual: what descents use against one step at a time."""

import numpy as np
import pytest
from numba import njit

from market.gathering_kernels import sort_markets
from market.pricing import (
    FORBIDDEN,
    Book,
    Lines,
    Subsets,
    find_slopes,
    make_slopes,
    move,
    set_slope,
    slope_and_span,
)
from market.splitting import gather, network_of
from market.splitting_kernels import book_of
from market.units import Int
from tests.reference.markets import random_grid, random_orders

FLOOR, TOP = 10, 400


@njit
def by_steps(book: Book, lines: Lines, price: Int, mask: int, sign: int, steps: int) -> tuple[Int, Int]:
    """For each step: the slope found at once and its span, and the slope summed up area by area."""
    spans, single = np.empty((steps, 3), np.int64), np.empty(steps, np.int64)
    for step in range(steps):
        spans[step] = slope_and_span(book, lines, price, mask, sign, step)
        single[step] = set_slope(book, lines, price, mask, sign, step)
    return spans, single


@njit
def by_sets(book: Book, lines: Lines, subsets: Subsets, price: Int, sign: int, bound: int) -> tuple[Int, Int]:
    """Slope of each connected set, by growing and by itself."""
    slopes = make_slopes(len(subsets.mask), subsets.areas, len(lines.source))
    find_slopes(book, lines, subsets, price, sign, bound, slopes)
    alone = np.array([set_slope(book, lines, price, mask, sign, 0) for mask in subsets.mask])
    return slopes.of_set, alone


@njit
def moved(book: Book, lines: Lines, price: Int, mask: int, sign: int, limit: int, threshold: int) -> Int:
    """Prices after a move."""
    out = price.copy()
    move(book, lines, out, mask, sign, limit, threshold)
    return out


def case(seed: int):
    """A book of a random network, its lines with room, and prices inside the band."""
    rng = np.random.default_rng(seed)
    grid = random_grid(rng, 6)
    orders = random_orders(rng, grid, 1, most=40, high=TOP)
    bids, network = gather(grid, orders, 1), network_of(grid)
    sort_markets(bids, FLOOR, 0, 1)
    room = rng.integers(0, 60, (len(grid.lines), 2))
    lines = Lines(network.lines.source, network.lines.target, room)
    price = rng.integers(FLOOR + 1, TOP, len(grid.areas))
    return bids, lines, network.subsets, price


@njit
def first_book(bids):
    """The book of the only market."""
    return book_of(bids, 0)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("sign", [1, -1])
def test_slopes_found_at_once_are_those_of_single_steps(seed: int, sign: int) -> None:
    """Every connected set, every step: slope, the span over which it stays, growing sets, and where a move ends."""
    bids, lines, subsets, price = case(seed)
    book = Book(*first_book(bids))
    grown, alone = by_sets(book, lines, subsets, price, sign, TOP if sign > 0 else FLOOR)
    assert (grown == alone).all()
    for mask in subsets.mask:
        spans, single = by_steps(book, lines, price, int(mask), sign, TOP)
        assert (spans[:, 0] == single).all()
        for step, (slope, begin, end) in enumerate(spans.tolist()):
            assert begin <= step <= end
            assert (single[max(begin, 0) : end + 1] == slope).all()
        reached = np.flatnonzero(single[1:] >= 0)
        steps = int(reached[0]) + 1 if len(reached) else TOP - 1
        inside = np.array([int(mask) >> area & 1 for area in range(len(price))])
        assert (moved(book, lines, price, int(mask), sign, TOP - 1, 0) == price + sign * steps * inside).all()


def test_a_set_at_the_edge_of_the_band_never_moves_on() -> None:
    """Its slope is too large for any other area to make up for."""
    bids, lines, subsets, price = case(1)
    book = Book(*first_book(bids))
    price[0] = TOP
    grown, _ = by_sets(book, lines, subsets, price, 1, TOP)
    assert (grown[(subsets.mask & 1) == 1] > FORBIDDEN // 2).all()
