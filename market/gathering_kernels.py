"""From the order table to sorted bids: market by market, small enough for the cache (numba kernels).

Bids of a market are sorted by area, price, side (buys first) and arrival with a radix sort of packed keys. What
does not belong into an auction is named by a status, not raised.

This module needs numba: import it inside functions only.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from market.orders import Kind, Side
from market.pricing import kernel
from market.tables import Table
from market.units import PRICE_BOUND, Int

CANCEL, BUY, SELL = int(Kind.CANCEL), int(Side.BUY), int(Side.SELL)
IN_ORDER, NO_SUCH_BOOK, OUT_OF_BOUNDS, NO_SIDE = 0, 1, 2, 3
DIGIT_BITS, WIDE_BITS = 11, 13
MANY = 2_000
"""From so many bids fewer and wider digits are faster."""
FEW = 24
"""Up to so many bids insertion is faster than counting digits."""
Column = npt.NDArray[Any]


class Gathered(NamedTuple):
    """Bids by market, area, price, side, arrival: rows of the order table and columns (bids,); start (markets + 1,).

    first (markets, areas + 1) is where each area starts, counted from its market's first bid; wanted (markets, areas)
    the energy of its buy orders [Wh]; below (bids + markets,) the energy before each bid and after the last one of its
    market, market by market; `table` is the order table.
    """

    place: Int
    start: Int
    area: Int
    side: Int
    price: Int
    energy: Int
    below: Int
    first: Int
    wanted: Int
    table: Table


@kernel
def count_bids(table: Table, areas: int, start: Int) -> tuple[int, int]:
    """Count the bids of each market into start[market + 1], and sum up.

    Returns the status of the first row that is out of order, and the number of bids, negative where rows do not
    come market by market, each by sequence and without cancels.
    """
    market, kind, area, sequence = table["market"], table["kind"], table["area"], table["sequence"]
    side, price, energy = table["side"], table["price"], table["energy"]
    markets, last, before, in_order = len(start) - 1, 0, -1 << 62, True
    for row in range(len(table)):
        here, cancels = int(market[row]), kind[row] == CANCEL
        if here < 0 or here >= markets or area[row] >= areas:
            return NO_SUCH_BOOK, 0
        if side[row] - BUY > SELL - BUY or side[row] < BUY:
            return NO_SIDE, 0
        if not cancels and (abs(int(price[row])) >= PRICE_BOUND or energy[row] < 0):
            return OUT_OF_BOUNDS, 0
        in_order &= (not cancels) & ((here > last) | ((here == last) & (sequence[row] >= before)))
        last, before = here, sequence[row]
        start[here + 1] += 1 - cancels
    for here in range(markets):
        start[here + 1] += start[here]
    return IN_ORDER, start[markets] if in_order else -1 - start[markets]


@kernel
def place_bids(table: Table, start: Int, place: Int) -> None:
    """Rows of each market in order of arrival, into `place` (bids,)."""
    market, kind, sequence = table["market"], table["kind"], table["sequence"]
    following, markets = start[:-1].copy(), len(start) - 1
    in_order = np.ones(markets, np.bool_)
    for row in range(len(table)):
        if kind[row] == CANCEL:
            continue
        here = market[row]
        at = following[here]
        place[at] = row
        if at > start[here] and sequence[place[at - 1]] > sequence[row]:
            in_order[here] = False
        following[here] = at + 1
    for here in range(markets):
        if not in_order[here]:
            rows = place[start[here] : start[here + 1]].copy()
            place[start[here] : start[here + 1]] = rows[np.argsort(sequence[rows], kind="mergesort")]


@njit(cache=True)
def gather_bids(table: Table, markets: int, areas: int, nodes: int) -> tuple[int, Gathered]:
    """Bids of every market in order of arrival, not sorted yet, for a graph of `nodes` areas; and a status."""
    start = np.zeros(markets + 1, np.int64)
    status, count = count_bids(table, areas, start)
    bids = count if count >= 0 else -1 - count
    columns = np.empty((6, bids + markets), np.int64)
    first, wanted = np.empty((markets, nodes + 1), np.int64), np.empty((markets, nodes), np.int64)
    place = columns[0, :bids]
    if status == IN_ORDER and count >= 0:
        for row in range(bids):
            place[row] = row
    elif status == IN_ORDER:
        place_bids(table, start, place)
    return status, Gathered(
        place,
        start,
        columns[1, :bids],
        columns[2, :bids],
        columns[3, :bids],
        columns[4, :bids],
        columns[5],
        first,
        wanted,
        table,
    )


@kernel
def sort_few(key: Int, count: int) -> None:
    """Sort keys by insertion."""
    for at in range(1, count):
        value, back = key[at], at - 1
        while back >= 0 and key[back] > value:
            key[back + 1] = key[back]
            back -= 1
        key[back + 1] = value


@kernel
def sort_many(key: Int, other: Int, count: int, low_bit: int, bits: int, first: Int) -> Int:
    """Sort keys by the `bits` bits from `low_bit` on, digit by digit, stable; returns the array they end in."""
    most = WIDE_BITS if count >= MANY else DIGIT_BITS
    rounds = (bits + most - 1) // most
    digit_bits = (bits + rounds - 1) // rounds
    mask = (1 << digit_bits) - 1
    for turn in range(rounds):
        shift = low_bit + turn * digit_bits
        first[: mask + 2] = 0
        for i in range(count):
            first[(key[i] >> shift & mask) + 1] += 1
        for digit in range(mask + 1):
            first[digit + 1] += first[digit]
        for i in range(count):
            digit = key[i] >> shift & mask
            at = first[digit]
            first[digit] = at + 1
            other[at] = key[i]
        key, other = other, key
    return key


@kernel
def width(value: int) -> int:
    """Bits of a number >= 0."""
    bits = 0
    while value >> bits:
        bits += 1
    return bits


@njit(cache=True, nogil=True)
def sort_markets(bids: Gathered, floor: int, first_market: int, last_market: int) -> None:
    """Sort the bids of markets first_market .. last_market, and copy their columns; sales below the floor count at it.

    A bid is one number: area, price above the lowest, side, and its place in the order of arrival.
    """
    table, start = bids.table, bids.start
    most = 0
    for market in range(first_market, last_market):
        most = max(most, start[market + 1] - start[market])
    scratch = np.empty((4, most), np.int64)
    keys, other, amount, arrived = scratch
    area, side, price, energy = table["area"], table["side"], table["price"], table["energy"]
    digits = np.empty((1 << WIDE_BITS) + 1, np.int64)
    for market in range(first_market, last_market):
        begin, count = start[market], start[market + 1] - start[market]
        place, below = bids.place[begin:], bids.below[begin + market :]
        first, wanted = bids.first[market], bids.wanted[market]
        below[0] = 0
        first[:] = 0
        wanted[:] = 0
        if count == 0:
            continue
        low, high = int(PRICE_BOUND), int(-PRICE_BOUND)
        for i in range(count):
            row = place[i]
            limit = int(price[row])
            if side[row] == SELL and limit < floor:
                limit = floor
            low, high = min(low, limit), max(high, limit)
        price_bits, place_bits = width(high - low), width(count - 1)
        for i in range(count):
            row = place[i]
            limit, sells = int(price[row]), side[row] == SELL
            if sells and limit < floor:
                limit = floor
            bid = ((int(area[row]) << price_bits | (limit - low)) << 1) | sells
            keys[i], amount[i], arrived[i] = bid << place_bits | i, energy[row], row
        key = keys
        if count <= FEW:
            sort_few(keys, count)
        else:
            key = sort_many(keys, other, count, place_bits, width(len(wanted) - 1) + price_bits + 1, digits)
        total, price_mask, place_mask = 0, (1 << price_bits) - 1, (1 << place_bits) - 1
        for i in range(count):
            at, arrival, bid = begin + i, key[i] & place_mask, key[i] >> place_bits
            here, sells = bid >> (price_bits + 1), bid & 1
            place[i] = arrived[arrival]
            bids.area[at] = here
            bids.side[at] = BUY + (SELL - BUY) * sells
            bids.price[at] = (bid >> 1 & price_mask) + low
            bids.energy[at] = amount[arrival]
            total += amount[arrival]
            first[here + 1] += 1
            wanted[here] += amount[arrival] * (1 - sells)
            below[i + 1] = total
        for here in range(len(wanted)):
            first[here + 1] += first[here]
