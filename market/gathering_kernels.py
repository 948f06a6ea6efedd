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
    the energy of its buy orders [Wh]; `table` is the order table;
    `below` (bids + markets,) is the energy before each bid and after the last one of its market, market by market.
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


@njit(cache=True)
def judge_bid(
    market: int, area: int, side: int, price: int, energy: int, kind: int, markets: int, areas: int
) -> int:
    """Why a row cannot be in an auction; IN_ORDER where it can."""
    if not (0 <= market < markets and area < areas):
        return NO_SUCH_BOOK
    if side != BUY and side != SELL:
        return NO_SIDE
    if kind != CANCEL and (abs(price) >= PRICE_BOUND or energy < 0):
        return OUT_OF_BOUNDS
    return IN_ORDER


@njit(cache=True)
def count_bids(table: Table, markets: int, areas: int, start: Int) -> int:
    """Count the bids of each market into start[market + 1]; the status of the first row that is out of order."""
    market, kind, area = table["market"], table["kind"], table["area"]
    side, price, energy = table["side"], table["price"], table["energy"]
    for row in range(len(table)):
        status = judge_bid(
            market[row], area[row], side[row], np.int64(price[row]), energy[row], kind[row], markets, areas
        )
        if status != IN_ORDER:
            return status
        if kind[row] != CANCEL:
            start[market[row] + 1] += 1
    return IN_ORDER


@njit(cache=True)
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
def sort_few(key: Int, place: Int, count: int) -> None:
    """Sort keys and their places together by insertion, stable."""
    for at in range(1, count):
        value, row, back = key[at], place[at], at - 1
        while back >= 0 and key[back] > value:
            key[back + 1], place[back + 1] = key[back], place[back]
            back -= 1
        key[back + 1], place[back + 1] = value, row


@njit(cache=True)
def sort_many(key: Int, place: Int, other_key: Int, other_place: Int, count: int, bits: int, first: Int) -> None:
    """Sort keys below 2^bits and places together, digit by digit, stable; the result is in `key` and `place`."""
    most = WIDE_BITS if count >= MANY else DIGIT_BITS
    rounds = (bits + most - 1) // most
    digit_bits = (bits + rounds - 1) // rounds
    mask = (1 << digit_bits) - 1
    shift = 0
    while shift < bits:
        first[: mask + 2] = 0
        for i in range(count):
            first[(key[i] >> shift & mask) + 1] += 1
        for digit in range(mask + 1):
            first[digit + 1] += first[digit]
        for i in range(count):
            digit = key[i] >> shift & mask
            at = first[digit]
            first[digit] = at + 1
            other_key[at], other_place[at] = key[i], place[i]
        shift += digit_bits
        if shift < bits:
            key, other_key, place, other_place = other_key, key, other_place, place
        else:
            for i in range(count):
                key[i], place[i] = other_key[i], other_place[i]


@njit(cache=True)
def width(value: int) -> int:
    """Bits of a number >= 0."""
    bits = 0
    while value >> bits:
        bits += 1
    return bits


@njit(cache=True, nogil=True)
def sort_markets(bids: Gathered, floor: int, first_market: int, last_market: int) -> None:
    """Sort the bids of markets first_market .. last_market, and copy their columns; sales below the floor count at it."""
    table, start = bids.table, bids.start
    most = 0
    for market in range(first_market, last_market):
        most = max(most, start[market + 1] - start[market])
    scratch = np.empty((6, most), np.int64)
    key, index, other_key, other_index, amount, arrived = scratch
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
        low, high, areas = PRICE_BOUND, -PRICE_BOUND, 0
        for i in range(count):
            row = place[i]
            limit = np.int64(price[row])
            if side[row] == SELL and limit < floor:
                limit = floor
            low, high, areas = min(low, limit), max(high, limit), max(areas, np.int64(area[row]))
            key[i], index[i], amount[i], arrived[i] = limit, i, energy[row], row
        price_bits = width(high - low)
        for i in range(count):
            row = arrived[i]
            key[i] = ((np.int64(area[row]) << price_bits | (key[i] - low)) << 1) | (side[row] == SELL)
        if count <= FEW:
            sort_few(key, index, count)
        else:
            sort_many(key, index, other_key, other_index, count, width(areas) + price_bits + 1, digits)
        total, price_mask = np.int64(0), (1 << price_bits) - 1
        for i in range(count):
            at, bid = begin + i, index[i]
            here = key[i] >> (price_bits + 1)
            place[i] = arrived[bid]
            bids.area[at] = here
            bids.side[at] = BUY + (SELL - BUY) * (key[i] & 1)
            bids.price[at] = (key[i] >> 1 & price_mask) + low
            bids.energy[at] = amount[bid]
            total += amount[bid]
            first[here + 1] += 1
            wanted[here] += amount[bid] * (1 - (key[i] & 1))
            below[i + 1] = total
        for here in range(len(wanted)):
            first[here + 1] += first[here]
