"""Many auctions in one call (numba kernels).

Orders come sorted by market, area, price, side and arrival. Each market is priced (`market.pricing`), filled
(`market.allocation_kernels`), written as contracts (`market.contract_kernels`) and proved by itself; nothing of
one market reaches another.

This module needs numba: import it inside functions only.
"""

from typing import NamedTuple

from numba import njit

from market.allocation_kernels import BUY, Balance, fill_gaps, fill_orders, is_proved, settle_margin, weigh_areas
from market.contract_kernels import UNLIMITED, Pairs, Paths, Queues, form_contracts
from market.pricing import Book, Lines, Subsets, find_prices, kernel
from market.units import Int

PROVED, UNBALANCED, GAP, STRANDED = 0, 1, 2, 3


class Work(NamedTuple):
    """Scratch of one call: queues (orders,), the rest for one market at a time."""

    queues: Queues
    balance: Balance
    price: Int
    flow: Int
    slope: Int
    scratch: Int


class Result(NamedTuple):
    """What a call finds: price (markets, areas), use of lines (markets, lines, 2), fills (orders,), contracts."""

    price: Int
    use: Int
    filled: Int
    pairs: Pairs


@kernel
def open_book(book: Book, area: Int, start: int, stop: int) -> int:
    """Point the book at rows start .. stop; returns more energy than could ever be traded among them."""
    book.wanted[:] = 0
    book.first[:] = 0
    offered, asked = 0, 0
    for i in range(start, stop):
        book.first[area[i] + 1] += 1
        if book.side[i] == BUY:
            book.wanted[area[i]] += book.energy[i]
            asked += book.energy[i]
        else:
            offered += book.energy[i]
    book.first[0] = start
    for row in range(len(book.wanted)):
        book.first[row + 1] += book.first[row]
    return min(offered, asked) + 1


@kernel
def highest_limit(book: Book, floor: int) -> int:
    """Highest limit price of the market, at least the floor."""
    top = floor
    for area in range(len(book.wanted)):
        if book.first[area + 1] > book.first[area]:
            top = max(top, book.price[book.first[area + 1] - 1])
    return top


@kernel
def fill_room(room: Int, capacity: Int, use: Int, netting: bool, most: int) -> None:
    """Room of each line (lines, 2): capacity less committed use, with `netting` plus use the other way.

    Never negative; `most`, which no trade can fill, is as good as more.
    """
    for line in range(len(room)):
        for way in range(2):
            left = min(capacity[line, way], UNLIMITED) - use[line, way]
            if netting:
                left += use[line, 1 - way]
            room[line, way] = max(0, min(most, left))


@kernel
def clear_one(book: Book, lines: Lines, subsets: Subsets, paths: Paths, floor: int, work: Work, out: Result) -> int:
    """Prices, fills, flows and contracts of one market; returns PROVED or what broke."""
    price, flow, filled = work.price, work.flow, out.filled
    top = highest_limit(book, floor)
    find_prices(book, lines, subsets, floor, top, price, work.slope, work.scratch[0])
    weigh_areas(book, price, work.balance)
    fill_gaps(lines, price, flow, work.balance)
    if not settle_margin(lines, price, flow, work.balance, work.scratch):
        return UNBALANCED
    fill_orders(book, price, work.balance, filled)
    if not form_contracts(book, lines, paths, filled, flow, work.queues, out.pairs, work.scratch):
        return STRANDED
    return PROVED if is_proved(book, lines, price, flow, filled) else GAP


@kernel
def write_market(book: Book, lines: Lines, market: int, work: Work, out: Result) -> None:
    """Book the flows; write the price of each area in which something is filled or over whose lines energy flows."""
    for area in range(len(work.price)):
        busy = False
        for i in range(book.first[area], book.first[area + 1]):
            busy = busy or out.filled[i] > 0
        for line in range(len(work.flow)):
            at_area = lines.source[line] == area or lines.target[line] == area
            busy = busy or (at_area and work.flow[line] != 0)
        if busy:
            out.price[market, area] = work.price[area]
    for line in range(len(work.flow)):
        out.use[market, line, 0] += max(0, work.flow[line])
        out.use[market, line, 1] += max(0, -work.flow[line])


@njit(cache=True)
def clear_markets(
    book: Book,
    start: Int,
    area: Int,
    capacity: Int,
    netting: bool,
    lines: Lines,
    subsets: Subsets,
    paths: Paths,
    floor: int,
    work: Work,
    out: Result,
) -> tuple[int, int]:
    """Clear every market with orders, into `out`; market m has rows start[m] .. start[m + 1].

    `out.use` holds the use of lines before the call. Returns the first market that could not be proved (-1 for
    none) and why.
    """
    for market in range(len(capacity)):
        if start[market] == start[market + 1]:
            continue
        most = open_book(book, area, start[market], start[market + 1])
        fill_room(lines.room, capacity[market], out.use[market], netting, most)
        status = clear_one(book, lines, subsets, paths, floor, work, out)
        if status != PROVED:
            return market, status
        write_market(book, lines, market, work, out)
    return -1, PROVED
