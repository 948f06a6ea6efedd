"""Books of one area, compiled by numba: shares in proportion, and trade reduction; import only inside functions."""

import numpy as np
from numba import njit

from market.allocation_kernels import multiply_divide
from market.book_kernels import kernel
from market.units import Int


@kernel
def share_out(energy: Int, party: Int, first: int, stop: int, total: int, lot: int, filled: Int) -> None:
    """Share `total` among rows first .. stop in proportion to their energy: whole lots, largest remainder.

    `total` is at most the sum and, as the energies, whole lots. Ties go by party, never by the order of the rows, which
    may follow from prices.
    """
    asked = energy[first:stop].sum()
    if total == 0 or asked == 0:
        return
    remainder, left = np.empty(stop - first, np.int64), total
    for row in range(first, stop):
        share, remainder[row - first] = multiply_divide(energy[row], total // lot, asked)
        filled[row] = share * lot
        left -= share * lot
    turn = np.argsort(party[first:stop], kind="mergesort")
    for place in turn[np.argsort(-remainder[turn], kind="mergesort")]:
        if left < lot:
            break
        filled[first + place] += lot
        left -= lot


@njit(cache=True)
def share_books(start: Int, middle: Int, energy: Int, party: Int, lot: int, filled: Int) -> None:
    """In each book trade what the shorter side has, the longer side in proportion, into `filled` (rows,)."""
    for book in range(len(middle)):
        first, between, stop = start[book], middle[book], start[book + 1]
        total = min(energy[first:between].sum(), energy[between:stop].sum())
        share_out(energy, party, first, between, total, lot, filled)
        share_out(energy, party, between, stop, total, lot, filled)


@kernel
def cross(price: Int, energy: Int, first: int, middle: int, stop: int) -> tuple[int, int, int, int]:
    """Last sale and purchase that trade in merit order (before `first` if none), and what each offered in all."""
    sale, purchase = first, middle
    offered, wanted, traded = np.int64(0), np.int64(0), np.int64(0)
    while sale < middle and purchase < stop and price[sale] <= price[purchase]:
        have, want = offered + energy[sale], wanted + energy[purchase]
        traded = min(have, want)
        if have == traded:
            sale, offered = sale + 1, have
        if want == traded:
            purchase, wanted = purchase + 1, want
    # an order that is filled in part is the last one of its side
    if traded > offered:
        sale, offered = sale + 1, offered + energy[sale]
    if traded > wanted:
        purchase, wanted = purchase + 1, wanted + energy[purchase]
    return sale - 1, purchase - 1, int(offered), int(wanted)


@kernel
def half_even(total: int) -> int:
    """Half of a whole number, half to even."""
    half = total >> 1
    return half + (total & half & 1)


@njit(cache=True)
def reduce_books(
    start: Int, middle: Int, price: Int, energy: Int, party: Int, low: int, high: int, lot: int, filled: Int, paid: Int
) -> None:
    """Trade reduction in each book: fills (rows,) and what sellers get and buyers pay (books, 2), in place."""
    for book in range(len(middle)):
        first, between, stop = start[book], middle[book], start[book + 1]
        sale, purchase, offered, wanted = cross(price, energy, first, between, stop)
        if sale < first:
            continue
        following = price[sale + 1] if sale + 1 < between else high
        before = price[purchase + 1] if purchase + 1 < stop else low
        middle_price = half_even(following + before)
        if offered == wanted and price[sale] <= middle_price <= price[purchase]:
            paid[book] = middle_price
            filled[first : sale + 1] = energy[first : sale + 1]
            filled[between : purchase + 1] = energy[between : purchase + 1]
            continue
        paid[book, 0], paid[book, 1] = price[sale], price[purchase]
        total = min(offered - energy[sale], wanted - energy[purchase])
        share_out(energy, party, first, sale, total, lot, filled)
        share_out(energy, party, between, purchase, total, lot, filled)
