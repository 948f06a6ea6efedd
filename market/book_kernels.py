"""The order book of one market as bits, compiled by numba; import only inside functions.

All rows of a call are known before the first is matched. So every order that may rest gets its rank beforehand: its
place among the orders of its queue (area and side) by price, then by arrival. The book itself is one bit for each
rank: entering an order sets it, taking it out clears it, and the best order of a queue is its first bit. Orders are
found by party and reference in a hash table. Memory is linear in the orders of the largest market.

Arrays are passed one by one and rows are read as records: counting references of tuples and columns would cost more
than the work itself.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from market.orders import Kind, Side, TimeInForce
from market.tables import Table
from market.units import Int

kernel = njit(cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Compiles a function that only other compiled functions call."""
inlined = njit(cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)
"""The same for what is called for every row: its body stands in place of the call."""

CANCEL, BUY, IMMEDIATE = int(Kind.CANCEL), int(Side.BUY), int(TimeInForce.IMMEDIATE)
PLACE, PRICE = 0, 1
LEFT, FILLED = 0, 1
"""Columns of a rank: place of arrival and limit [mJPY/kWh]; energy left and filled since the call began [Wh]."""
TOP, END = 0, 1
"""Columns of a queue: no rank before TOP is live, no rank from END on belongs to it."""
FEW = 96
"""Up to so many rows are sorted by insertion."""
WORDS_PER_ROW, WORDS_PER_AREA, MORE_WORDS = 10, 4, (1 << 11) + 128
"""Memory for a call: words of 64 bits for each row and area, and others."""
DIGIT = 11
"""Most bits of a digit when more are sorted by counting."""
DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
"""Sequence in which every 6 bits differ: its product with one bit tells which bit it is."""
BIT_OF = np.zeros(64, np.int64)
BIT_OF[[((int(DE_BRUIJN) << bit) & ((1 << 64) - 1)) >> 58 for bit in range(64)]] = np.arange(64)
MIXER = np.uint64(0x9E3779B97F4A7C15)
"""Odd number near 2^64 over the golden ratio: its product spreads names over the hash table (Knuth, TAOCP 6.4)."""
Bits = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int32]


class Book(NamedTuple):
    """Arrays for one market at a time.

    By place, the order of arrival: `names` (party, then reference) and `owners`; `rank_of` (-1 for rows that never
    rest); `named`, the newest earlier place of the same name, and once the row has arrived the rank of the newest order
    of that name that ever rested (-1 for none). By rank: `ranked` and `energy`, (size, 2). By queue (area, then buy or
    sell): `queues` (queues, 2). `words` and `groups` are the bits of live ranks and of words that have some. `known` is
    a hash table of places, one up; `keys`, `spare` and `digits` are for sorting.
    """

    names: Bits
    owners: Places
    rank_of: Places
    named: Places
    ranked: Places
    energy: Int
    queues: Int
    words: Bits
    groups: Bits
    known: Places
    keys: Int
    spare: Int
    digits: Int


@kernel
def make_book(memory: Int, size: int, areas: int) -> Book:
    """A book for markets of at most `size` rows, within `memory` (words,); see WORDS_PER_ROW."""
    words, half = (size >> 6) + 1, (size + 1) >> 1
    at, ends = 0, np.zeros(14, np.int64)
    known = hash_size(size) >> 1
    sizes = (size, half, half, half, size, 2 * size, 4 * areas, words, (words >> 6) + 1, known, size, size, 1 << DIGIT)
    for part in range(13):
        at += sizes[part]
        ends[part + 1] = at
    return Book(
        memory[ends[0] : ends[1]].view(np.uint64),
        memory[ends[1] : ends[2]].view(np.int32),
        memory[ends[2] : ends[3]].view(np.int32),
        memory[ends[3] : ends[4]].view(np.int32),
        memory[ends[4] : ends[5]].view(np.int32).reshape(-1, 2),
        memory[ends[5] : ends[6]].reshape(-1, 2),
        memory[ends[6] : ends[7]].reshape(-1, 2),
        memory[ends[7] : ends[8]].view(np.uint64),
        memory[ends[8] : ends[9]].view(np.uint64),
        memory[ends[9] : ends[10]].view(np.int32),
        memory[ends[10] : ends[11]],
        memory[ends[11] : ends[12]],
        memory[ends[12] : ends[13]],
    )


@kernel
def sort_words(keys: Int, spare: Int, digits: Int, low: int, top: int) -> None:
    """Sort keys (n,), none below zero, in place; those that differ only in the lowest `low` bits are sorted already.

    `top`: the largest key; `spare` (n,).
    """
    count = len(keys)
    if count <= FEW:
        for at in range(1, count):
            key = keys[at]
            back = at - 1
            while back >= 0 and keys[back] > key:
                keys[back + 1] = keys[back]
                back -= 1
            keys[back + 1] = key
        return
    bits = 1
    while top >> (low + bits):
        bits += 1
    most = DIGIT if count > 1 << DIGIT else 8
    turns = (bits + most - 1) // most
    width = (bits + turns - 1) // turns
    for turn in range(turns):
        _sort_digit(keys, spare, digits[: 1 << width], low + turn * width)
        keys, spare = spare, keys
    if turns % 2:
        spare[:] = keys


@kernel
def _sort_digit(keys: Int, to: Int, digits: Int, shift: int) -> None:
    """Copy keys to new places, sorted by one digit; stable."""
    mask = len(digits) - 1
    digits[:] = 0
    for key in keys:
        digits[(key >> shift) & mask] += 1
    total = 0
    for digit in range(len(digits)):
        total, digits[digit] = total + digits[digit], total
    for key in keys:
        digit = (key >> shift) & mask
        to[digits[digit]] = key
        digits[digit] += 1


@kernel
def open_book(book: Book, resting: Table, orders: Table, rows: Int, owner: Int) -> int:
    """Rank the rows of a market, those of `resting` first, and clear the book; the number of ranks.

    `owner` (parties,), empty where everybody owns itself.
    """
    held, names, owners, rank_of = len(resting), book.names, book.owners, book.rank_of
    keys, queues, ranked, energy = book.keys, book.queues, book.ranked, book.energy
    low, high = np.int64(1) << 40, -(np.int64(1) << 40)
    for at in range(len(rows)):
        price = np.int64(resting[rows[at]].price if rows[at] < held else orders[rows[at] - held].price)
        low, high = min(low, price), max(high, price)
    span, bits, count, top = high - low + 1, 1, 0, np.int64(0)
    while len(rows) >> bits:
        bits += 1
    queues[:] = 0
    for place in range(len(rows)):
        arrives = rows[place] >= held
        order = orders[rows[place] - held] if arrives else resting[rows[place]]
        names[place] = (np.uint64(order.party) << np.uint64(32)) | np.uint64(order.reference)
        owners[place] = owner[order.party] if len(owner) else order.party
        rank_of[place] = -1
        if arrives and (order.kind == CANCEL or order.time_in_force == IMMEDIATE):
            continue
        queue = queue_of(order)
        queues[queue, END] += 1
        # by queue, best price, arrival: 9 + 25 + 29 bits hold 255 areas, every admitted price and 2^29 rows
        keys[count] = (queue * span + (order.price - low if queue & 1 else high - order.price)) << bits | place
        top = max(top, keys[count])
        count += 1
    sort_words(keys[:count], book.spare[:count], book.digits, bits, top)
    end = 0
    for queue in range(len(queues)):
        start, end = end, end + queues[queue, END]
        queues[queue, TOP] = queues[queue, END] = end
        for rank in range(start, end):
            key, place = (keys[rank] >> bits) - queue * span, keys[rank] & ((1 << bits) - 1)
            ranked[rank, PLACE], ranked[rank, PRICE] = place, low + key if queue & 1 else high - key
            energy[rank, LEFT] = energy[rank, FILLED] = 0
            rank_of[place] = rank
    book.words[: (count >> 6) + 1] = 0
    book.groups[: (count >> 12) + 1] = 0
    _link_names(book.known, names, book.named, len(rows))
    return count


@kernel
def _link_names(known: Places, names: Bits, named: Places, count: int) -> None:
    """Write for each place the newest earlier one of the same name, -1 if there is none."""
    size = hash_size(count)
    mask = size - 1
    known[:size] = 0
    for place in range(count):
        name = names[place]
        entry = np.int64((name * MIXER) >> np.uint64(32)) & mask
        while known[entry] != 0 and names[known[entry] - 1] != name:
            entry = (entry + 1) & mask
        named[place], known[entry] = known[entry] - 1, place + 1


@inlined
def queue_of(order: Any) -> int:
    """Area and side of an order as one number."""
    return int(2 * np.int64(order.area) + (0 if order.side == BUY else 1))


@inlined
def enter(energy: Int, words: Bits, groups: Bits, queues: Int, rank: int, queue: int, left: int, filled: int) -> None:
    """Let the order of a rank rest: energy left, and filled before."""
    word = rank >> 6
    words[word] |= np.uint64(1) << np.uint64(rank & 63)
    groups[word >> 6] |= np.uint64(1) << np.uint64(word & 63)
    energy[rank, LEFT], energy[rank, FILLED] = left, filled
    queues[queue, TOP] = min(queues[queue, TOP], rank)


@inlined
def leave(words: Bits, groups: Bits, rank: int) -> None:
    """Clear the bit of a rank."""
    word = rank >> 6
    words[word] &= ~(np.uint64(1) << np.uint64(rank & 63))
    if words[word] == 0:
        groups[word >> 6] &= ~(np.uint64(1) << np.uint64(word & 63))


@inlined
def lowest_bit(word: np.uint64) -> int:
    """Number of the lowest bit set of a word, which is not zero."""
    one = word & (~word + np.uint64(1))
    return int(BIT_OF[(one * DE_BRUIJN) >> np.uint64(58)])


@inlined
def next_live(words: Bits, groups: Bits, rank: int, end: int) -> int:
    """The first live rank from `rank` on, `end` if there is none before it."""
    if rank >= end:
        return end
    word = rank >> 6
    bits = words[word] >> np.uint64(rank & 63)
    if bits != 0:
        return int(min(rank + lowest_bit(bits), end))
    word += 1
    group, last = word >> 6, (end - 1) >> 12
    if group > last:
        return end
    bits = (groups[group] >> np.uint64(word & 63)) << np.uint64(word & 63)
    while bits == 0:
        group += 1
        if group > last:
            return end
        bits = groups[group]
    word = (group << 6) | lowest_bit(bits)
    return int(min((word << 6) | lowest_bit(words[word]), end))


@kernel
def hash_size(rows: int) -> int:
    """Entries of the hash table for so many rows: a power of two, at most half full."""
    size = 4
    while size < 2 * rows:
        size *= 2
    return size
