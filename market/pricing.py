"""At what price: area prices of a uniform auction with limited lines, exact in integers (numba kernels).

- Uniform price: the lowest p with S(p) >= B(p+), S = offered at <= p, B(p+) = wanted strictly above p, not
  below the floor of the price band (JEPX 取引規程 Art. 18; the rule reproduces published JEPX prices).
- Splitting (市場分断): the prices minimise the dual of the welfare problem, sum over areas of h_a(pi_a) plus sum
  over lines of room x price gap. The dual is L-natural-convex (Murota, Discrete Convex Analysis, 2003,
  doi:10.1137/1.9780898718508), so a vector that no connected set of areas can improve by one unit up or down is
  optimal, and the optimal vectors form a lattice: its smallest element is the price.

Every limit is an integer, so slopes between integers are constant and slopes alone decide: no product of
price and energy is formed here. This module needs numba: import it inside functions only.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from market.units import Int

kernel = njit(cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Compiles a function that only other compiled functions call: without the slow-to-build Python entry."""

FORBIDDEN = 1 << 58
"""Slope of a move that would leave the band; ten of them still fit an int64."""
FAR = 1 << 26
"""More steps than lie between any two prices."""


class Book(NamedTuple):
    """The orders of one market, by area and ascending price.

    price (orders,) [mJPY/kWh], energy (orders,) [Wh], side (orders,); at one price buys before sells, then by
    arrival. below (orders + 1,) running sum of energy [Wh]; first (areas + 1,) where each area starts;
    wanted (areas,) energy of all buy orders [Wh].
    """

    price: Int
    energy: Int
    side: Int
    below: Int
    first: Int
    wanted: Int


class Lines(NamedTuple):
    """Lines of one market: source and target area (lines,), room forward and backward (lines, 2) [Wh]."""

    source: Int
    target: Int
    room: Int


class Subsets(NamedTuple):
    """Connected sets of areas, smaller ones first, each grown from a smaller one by one area.

    mask (sets,) as bits; parent (sets,) row of the smaller set, -1 for none; added (sets,) the area added; inner (sets,
    most) lines between the two, and the number of lines where there are no more; whole (groups,) masks of the connected
    components; `areas` how many the graph has, also where no sets are listed.
    """

    mask: Int
    parent: Int
    added: Int
    inner: Int
    whole: Int
    areas: int


class Slopes(NamedTuple):
    """Slopes of the dual in one direction: of each connected set (sets,), and of each area (areas,) with its lines.

    shared (lines + 1,) is what a line adds when either end moves alone, which it does not when both do; last row 0.
    """

    of_set: Int
    of_area: Int
    shared: Int


@kernel
def make_slopes(sets: int, areas: int, lines: int) -> Slopes:
    """Scratch for slopes."""
    return Slopes(np.empty(sets, np.int64), np.empty(areas, np.int64), np.empty(lines + 1, np.int64))


@kernel
def after_price(book: Book, area: int, price: int) -> int:
    """First order of the area above the price, or the area's end."""
    low, high = book.first[area], book.first[area + 1]
    while low < high:
        middle = (low + high) >> 1
        if book.price[middle] <= price:
            low = middle + 1
        else:
            high = middle
    return int(low)


@kernel
def excess_at(book: Book, area: int, price: int) -> int:
    """Offered at <= price minus wanted above it [Wh]: the right slope of h_a; at price - 1 the left one."""
    end = after_price(book, area, price)
    return int(book.below[end] - book.below[book.first[area]] - book.wanted[area])


@kernel
def gap_slope(forward: int, backward: int, gap: int, direction: int) -> int:
    """Slope of a line's room x gap when its gap (target minus source price) moves in `direction`."""
    if direction > 0:
        return forward if gap >= 0 else -backward
    return backward if gap <= 0 else -forward


@kernel
def area_slope(book: Book, area: int, price: int, sign: int) -> int:
    """Slope of h_a when the price moves up (sign 1) or down (sign -1)."""
    return int(excess_at(book, area, price) if sign > 0 else -excess_at(book, area, price - 1))


@kernel
def set_slope(book: Book, lines: Lines, price: Int, mask: int, sign: int, step: int) -> int:
    """Slope of the dual when the areas of `mask`, already moved by `step`, move on."""
    slope = 0
    shift = sign * step
    for area in range(len(price)):
        if mask >> area & 1:
            slope += area_slope(book, area, price[area] + shift, sign)
    for line in range(len(lines.source)):
        source, target = lines.source[line], lines.target[line]
        moves = (mask >> target & 1) - (mask >> source & 1)
        if moves:
            gap = price[target] - price[source] + moves * shift
            slope += gap_slope(lines.room[line, 0], lines.room[line, 1], gap, moves * sign)
    return slope


@kernel
def step_limit(price: Int, mask: int, sign: int, floor: int, top: int) -> int:
    """Longest move of the set inside floor .. top."""
    limit = top - floor
    for area in range(len(price)):
        if mask >> area & 1:
            limit = min(limit, top - price[area] if sign > 0 else price[area] - floor)
    return limit


@kernel
def slope_and_span(book: Book, lines: Lines, price: Int, mask: int, sign: int, step: int) -> tuple[int, int, int]:
    """Slope of the dual when the areas of `mask`, already moved by `step`, move on; first and last step with it.

    The slope changes at limits of orders and where the gap of a line closes, and nowhere between.
    """
    slope, begin, end = 0, 0, FAR
    for area in range(len(price)):
        if mask >> area & 1:
            here, first, stop = price[area], book.first[area], book.first[area + 1]
            after = after_price(book, area, here + step if sign > 0 else here - step - 1)
            slope += sign * (book.below[after] - book.below[first] - book.wanted[area])
            under = book.price[after - 1] - here if after > first else -FAR
            over = book.price[after] - here if after < stop else FAR
            begin = max(begin, under if sign > 0 else -over)
            end = min(end, over - 1 if sign > 0 else -under - 1)
    for line in range(len(lines.source)):
        source, target = lines.source[line], lines.target[line]
        moves = (mask >> target & 1) - (mask >> source & 1)
        if moves:
            opens = moves * sign > 0
            gap = price[target] - price[source]
            turn = -gap if opens else gap
            if step >= turn:
                slope += lines.room[line, 0 if opens else 1]
                begin = max(begin, turn)
            else:
                slope -= lines.room[line, 1 if opens else 0]
                end = min(end, turn - 1)
    return int(slope), int(begin), int(end)


@kernel
def move(book: Book, lines: Lines, price: Int, mask: int, sign: int, limit: int, threshold: int) -> None:
    """Move the set to the first point where its slope reaches `threshold`, at most `limit`."""
    low, high = 1, limit
    while low < high:
        slope, begin, end = slope_and_span(book, lines, price, mask, sign, (low + high) >> 1)
        if slope >= threshold:
            high = max(low, begin)
        else:
            low = min(high, end + 1)
    for area in range(len(price)):
        if mask >> area & 1:
            price[area] += sign * low


@kernel
def find_slopes(book: Book, lines: Lines, subsets: Subsets, price: Int, sign: int, bound: int, slopes: Slopes) -> None:
    """Slopes of all connected sets in one direction, into `slopes`."""
    of_set, own, shared = slopes.of_set, slopes.of_area, slopes.shared
    for area in range(len(price)):
        own[area] = FORBIDDEN if price[area] == bound else area_slope(book, area, price[area], sign)
    for line in range(len(lines.source)):
        source, target = lines.source[line], lines.target[line]
        gap, forward, backward = price[target] - price[source], lines.room[line, 0], lines.room[line, 1]
        at_target, at_source = gap_slope(forward, backward, gap, sign), gap_slope(forward, backward, gap, -sign)
        own[target] += at_target
        own[source] += at_source
        shared[line] = at_target + at_source
    shared[len(lines.source)] = 0
    for row in range(len(of_set)):
        parent = subsets.parent[row]
        value = own[subsets.added[row]] + (of_set[parent] if parent >= 0 else 0)
        for at in range(subsets.inner.shape[1]):
            value -= shared[subsets.inner[row, at]]
        of_set[row] = value


@kernel
def descend(book: Book, lines: Lines, subsets: Subsets, price: Int, floor: int, top: int, slopes: Slopes) -> int:
    """Steepest descent over connected sets, each move as long as it pays, to an optimal vector; counts its moves.

    Leaves the slopes downward from there.
    """
    moves = 0
    while True:
        best, best_mask, best_sign = 0, 0, 1
        for sign, bound in ((1, top), (-1, floor)):
            find_slopes(book, lines, subsets, price, sign, bound, slopes)
            for row in range(len(slopes.of_set)):
                if slopes.of_set[row] < best:
                    best, best_mask, best_sign = slopes.of_set[row], subsets.mask[row], sign
        if best == 0:
            return moves
        moves += 1
        limit = step_limit(price, best_mask, best_sign, floor, top)
        move(book, lines, price, best_mask, best_sign, limit, 0)


@kernel
def lower_to_minimum(
    book: Book, lines: Lines, subsets: Subsets, price: Int, floor: int, top: int, slopes: Slopes
) -> None:
    """From an optimal vector to the smallest one: move sets down while the dual does not rise.

    `slopes` are those downward from the vector, as `descend` leaves them.
    """
    while True:
        found = 0
        for row in range(len(slopes.of_set)):
            if slopes.of_set[row] == 0:
                found = subsets.mask[row]
        if found == 0:
            return
        move(book, lines, price, found, -1, step_limit(price, found, -1, floor, top), 1)
        find_slopes(book, lines, subsets, price, -1, floor, slopes)
