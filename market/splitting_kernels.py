"""Many auctions in one call, and one-to-one contracts from each (numba kernels).

- Prices come from `market.pricing`, fills and flows from `market.allocation_kernels`.
- Contracts: energy stays in its area first; the rest follows the flows, path by path, from exporting to
  importing areas; inside each such volume orders meet by priority (price, then sequence). Along a path prices
  never fall, so `sell_price <= buy_price`. Flow that runs in a circle (all at one price) carries nobody's
  energy and is left out.

This module needs numba: import it inside functions only.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from market.allocation_kernels import (
    BUY,
    SELL,
    Balance,
    Rows,
    fill_gaps,
    fill_orders,
    is_proved,
    settle_margin,
    weigh_areas,
)
from market.pricing import Book, Lines, Subsets, find_prices
from market.units import Int

RANK_BITS, PRICE_SHIFT = 33, 1 << 24
RANK_MASK = (1 << RANK_BITS) - 1
UNLIMITED = 1 << 60
PROVED, UNBALANCED, GAP, STRANDED = 0, 1, 2, 3


class Paths(NamedTuple):
    """Signed lines of each path (paths, longest), 0 at its end; first and past-last path of each area pair."""

    table: Int
    ranges: Int


class Pairs(NamedTuple):
    """Contracts as they form: ranks of the sell and the buy order, energy [Wh], path; count (1,)."""

    sell: Int
    buy: Int
    energy: Int
    path: Int
    count: Int


class Queues(NamedTuple):
    """Filled orders of one market by priority, from `book.first` on: positions; next one of each area."""

    sell: Int
    buy: Int
    next_sell: Int
    next_buy: Int


@njit(cache=True)
def sorted_keys(rows: Rows, start: Int) -> Int:
    """Orders grouped by market and sorted by area, price, side, rank: one key each; fills `start` (markets + 1,)."""
    for market in rows.market:
        start[market + 1] += 1
    start[:] = np.cumsum(start)
    place = start[:-1].copy()
    keys = np.empty(len(rows.market), np.int64)
    for rank in range(len(rows.market)):
        market = rows.market[rank]
        high = (rows.area[rank] << 26) | ((rows.price[rank] + PRICE_SHIFT) << 1) | (rows.side[rank] - BUY)
        keys[place[market]] = (high << RANK_BITS) | rank
        place[market] += 1
    for market in range(len(start) - 1):
        if start[market + 1] - start[market] > 1:
            keys[start[market] : start[market + 1]].sort()
    return keys


@njit(cache=True)
def fill_book(book: Book, rows: Rows, ranks: Int) -> int:
    """Build one market's book from its sorted ranks; returns more energy than could ever be traded in it."""
    book.wanted[:] = 0
    book.first[:] = 0
    offered = 0
    for i in range(len(ranks)):
        rank = ranks[i]
        book.price[i] = rows.price[rank]
        book.below[i + 1] = book.below[i] + rows.energy[rank]
        book.first[rows.area[rank] + 1] += 1
        if rows.side[rank] == BUY:
            book.wanted[rows.area[rank]] += rows.energy[rank]
        else:
            offered += rows.energy[rank]
    for area in range(len(book.wanted)):
        book.first[area + 1] += book.first[area]
    return min(offered, book.wanted.sum()) + 1


@njit(cache=True)
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


@njit(cache=True)
def queue_orders(book: Book, rows: Rows, ranks: Int, filled: Int, queues: Queues) -> None:
    """Line up filled orders of each area: sells by rising price, buys by falling price, then by sequence."""
    for area in range(len(book.wanted)):
        low, high = book.first[area], book.first[area + 1]
        queues.next_sell[area] = queues.next_buy[area] = low
        tail = low
        for i in range(low, high):
            if filled[i] > 0 and rows.side[ranks[i]] == SELL:
                queues.sell[tail] = i
                tail += 1
        tail, end = low, high
        while end > low:
            begin = end - 1
            while begin > low and book.price[begin - 1] == book.price[end - 1]:
                begin -= 1
            for i in range(begin, end):
                if filled[i] > 0 and rows.side[ranks[i]] == BUY:
                    queues.buy[tail] = i
                    tail += 1
            end = begin


@njit(cache=True)
def pair(queues: Queues, ranks: Int, left: Int, seller: int, buyer: int, path: int, energy: int, pairs: Pairs) -> None:
    """Form contracts worth `energy` between the next orders of two areas; `left` is what fills still lack."""
    while energy > 0:
        sell, buy = queues.sell[queues.next_sell[seller]], queues.buy[queues.next_buy[buyer]]
        amount = min(energy, min(left[sell], left[buy]))
        row = pairs.count[0]
        pairs.sell[row], pairs.buy[row] = ranks[sell], ranks[buy]
        pairs.energy[row], pairs.path[row] = amount, path
        pairs.count[0] += 1
        energy -= amount
        left[sell] -= amount
        left[buy] -= amount
        if left[sell] == 0:
            queues.next_sell[seller] += 1
        if left[buy] == 0:
            queues.next_buy[buyer] += 1


@njit(cache=True)
def next_line(lines: Lines, flow: Int, area: int) -> int:
    """First line with flow out of the area as a signed number, 0 when there is none."""
    for line in range(len(flow)):
        if flow[line] > 0 and lines.source[line] == area:
            return line + 1
        if flow[line] < 0 and lines.target[line] == area:
            return -line - 1
    return 0


@njit(cache=True)
def take(flow: Int, steps: Int, begin: int, end: int, most: int) -> int:
    """Take the largest common flow, at most `most`, off the signed lines steps[begin:end]; returns it."""
    amount = most
    for i in range(begin, end):
        amount = min(amount, abs(flow[abs(steps[i]) - 1]))
    for i in range(begin, end):
        flow[abs(steps[i]) - 1] -= amount if steps[i] > 0 else -amount
    return amount


@njit(cache=True)
def walk(lines: Lines, flow: Int, need: Int, origin: int, steps: Int, seen: Int) -> int:
    """Follow the flow from `origin` to the first area in need; returns the number of steps, -1 if stranded.

    Circles met on the way are taken out of the flow. `steps` and `seen` hold lines and areas passed.
    """
    count = 0
    seen[0] = origin
    while need[seen[count]] <= 0:
        step = next_line(lines, flow, seen[count])
        if step == 0:
            return -1
        area = lines.target[step - 1] if step > 0 else lines.source[-step - 1]
        steps[count] = step
        for i in range(count + 1):
            if seen[i] == area:
                take(flow, steps, i, count + 1, UNLIMITED)
                count = i - 1
                break
        count += 1
        seen[count] = area
    return count


@njit(cache=True)
def find_path(paths: Paths, source: int, target: int, steps: Int, count: int) -> int:
    """Row of the path table that has exactly these steps."""
    for row in range(paths.ranges[source, target, 0], paths.ranges[source, target, 1]):
        same = count == paths.table.shape[1] or paths.table[row, count] == 0
        for i in range(count):
            same = same and paths.table[row, i] == steps[i]
        if same:
            return row
    return -1


@njit(cache=True)
def form_contracts(
    book: Book, lines: Lines, rows: Rows, paths: Paths, ranks: Int, filled: Int, flow: Int, queues: Queues,
    pairs: Pairs, scratch: Int,
) -> bool:  # fmt: skip
    """Contracts of one market; `flow` becomes the flow they cause. False when flow and fills disagree."""
    queue_orders(book, rows, ranks, filled, queues)
    need, steps, seen = scratch[2, : len(book.wanted)], scratch[3], scratch[4]
    left = filled.copy()
    for area in range(len(need)):
        sold = bought = 0
        for i in range(book.first[area], book.first[area + 1]):
            if rows.side[ranks[i]] == SELL:
                sold += filled[i]
            else:
                bought += filled[i]
        need[area] = bought - sold
        pair(queues, ranks, left, area, area, 0, min(sold, bought), pairs)
    rest = flow.copy()
    flow[:] = 0
    for area in range(len(need)):
        while need[area] < 0:
            count = walk(lines, rest, need, area, steps, seen)
            if count < 0:
                return False
            end = seen[count]
            amount = take(rest, steps, 0, count, min(-need[area], need[end]))
            for i in range(count):
                flow[abs(steps[i]) - 1] += amount if steps[i] > 0 else -amount
            need[area] += amount
            need[end] -= amount
            path = find_path(paths, area, end, steps, count)
            if path < 0:
                return False
            pair(queues, ranks, left, area, end, path, amount, pairs)
    return need.max() == 0


class Work(NamedTuple):
    """Scratch for one market at a time, as large as the largest one."""

    book: Book
    lines: Lines
    ranks: Int
    filled: Int
    queues: Queues
    balance: Balance
    price: Int
    flow: Int
    slope: Int
    scratch: Int


@njit(cache=True)
def make_work(most: int, areas: int, source: Int, target: Int, sets: int) -> Work:
    """Scratch for markets of up to `most` orders."""
    empty = np.empty((4, most), np.int64)
    per_area = np.empty((10, areas), np.int64)
    return Work(
        Book(np.empty(most, np.int64), np.zeros(most + 1, np.int64), np.zeros(areas + 1, np.int64), per_area[0]),
        Lines(source, target, np.empty((len(source), 2), np.int64)),
        empty[0],
        empty[1],
        Queues(empty[2], empty[3], per_area[1], per_area[2]),
        Balance(per_area[3], per_area[4], per_area[5], per_area[6], per_area[7], per_area[8]),
        per_area[9],
        np.empty(len(source), np.int64),
        np.empty(sets, np.int64),
        np.empty((5, areas + 1), np.int64),
    )


@njit(cache=True)
def make_pairs(bound: int) -> Pairs:
    """Room for up to `bound` contracts."""
    columns = np.empty((4, bound), np.int64)
    return Pairs(columns[0], columns[1], columns[2], columns[3], np.zeros(1, np.int64))


@njit(cache=True)
def clear_one(
    book: Book,
    work: Work,
    ranks: Int,
    filled: Int,
    subsets: Subsets,
    paths: Paths,
    rows: Rows,
    floor: int,
    pairs: Pairs,
) -> int:
    """Prices, fills, flows and contracts of one market; returns PROVED or what broke."""
    lines, price, flow = work.lines, work.price, work.flow
    top = max(floor, book.price.max())
    find_prices(book, lines, subsets, floor, top, price, work.slope, work.scratch[0])
    weigh_areas(book, rows, ranks, price, work.balance)
    fill_gaps(lines, price, flow, work.balance)
    if not settle_margin(lines, price, flow, work.balance, work.scratch):
        return UNBALANCED
    fill_orders(book, rows, ranks, price, work.balance, filled)
    if not form_contracts(book, lines, rows, paths, ranks, filled, flow, work.queues, pairs, work.scratch):
        return STRANDED
    return PROVED if is_proved(book, lines, rows, ranks, price, flow, filled) else GAP


@njit(cache=True)
def hide_idle_prices(book: Book, lines: Lines, filled: Int, flow: Int, price: Int, no_price: int) -> None:
    """An area in which nothing is filled and over whose lines nothing flows has no price."""
    for area in range(len(price)):
        busy = filled[book.first[area] : book.first[area + 1]].sum() > 0
        for line in range(len(flow)):
            at_area = lines.source[line] == area or lines.target[line] == area
            busy = busy or (at_area and flow[line] != 0)
        if not busy:
            price[area] = no_price


@njit(cache=True)
def clear_markets(
    rows: Rows,
    capacity: Int,
    use: Int,
    netting: bool,
    source: Int,
    target: Int,
    subsets: Subsets,
    paths: Paths,
    floor: int,
    no_price: int,
) -> tuple[Int, Int, Int, Pairs, int, int]:
    """Clear every market with orders.

    Returns prices (markets, areas), use of lines after the call (markets, lines, 2), fills by rank (orders,), contracts,
    the first failed market (-1 for none) and its status.
    """
    markets, areas = len(capacity), len(paths.ranges)
    start = np.zeros(markets + 1, np.int64)
    keys = sorted_keys(rows, start)
    sizes = np.diff(start)
    work = make_work(sizes.max() if markets else 0, areas, source, target, len(subsets.mask))
    pairs = make_pairs(len(keys) + (sizes > 0).sum() * (3 * areas + len(source)))
    prices, after, fills = np.full((markets, areas), no_price), use.copy(), np.zeros(len(keys), np.int64)
    for market in range(markets):
        size = sizes[market]
        if size == 0:
            continue
        ranks, filled = work.ranks[:size], work.filled[:size]
        ranks[:] = keys[start[market] : start[market + 1]] & RANK_MASK
        book = Book(work.book.price[:size], work.book.below[: size + 1], work.book.first, work.book.wanted)
        fill_room(work.lines.room, capacity[market], use[market], netting, fill_book(book, rows, ranks))
        status = clear_one(book, work, ranks, filled, subsets, paths, rows, floor, pairs)
        if status != PROVED:
            return prices, after, fills, pairs, market, status
        hide_idle_prices(book, work.lines, filled, work.flow, work.price, no_price)
        prices[market] = work.price
        after[market, :, 0] += np.maximum(work.flow, 0)
        after[market, :, 1] -= np.minimum(work.flow, 0)
        for i in range(size):
            fills[ranks[i]] = filled[i]
    return prices, after, fills, pairs, -1, PROVED
