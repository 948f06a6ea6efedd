"""Kernels of continuous trade, compiled by numba; import only inside functions.

`match_markets` walks the rows of each market in order of arrival. Resting candidates are scanned
linearly: books of one half hour hold tens of orders here.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from market.tables import Table
from market.units import Int

CANCEL, REPLACE, BUY, IMMEDIATE = 2, 3, 1, 2
NOTHING_TO_CANCEL, DUPLICATE_REFERENCE = 11, 10
Columns = npt.NDArray[Any]


@njit(cache=True)
def order_by_market(table: Table, markets: int) -> tuple[Int, Int, Int]:
    """Row numbers sorted by (market, sequence), the markets that have rows, and where each of those begins (n + 1,)."""
    market, sequence = table["market"], table["sequence"]
    place = np.zeros(markets, np.int64)
    busy = np.empty(len(table), np.int64)
    count = 0
    for row in range(len(table)):
        if place[market[row]] == 0:
            busy[count] = market[row]
            count += 1
        place[market[row]] += 1
    busy = np.sort(busy[:count])
    start = np.zeros(count + 1, np.int64)
    for index in range(count):
        start[index + 1] = start[index] + place[busy[index]]
        place[busy[index]] = start[index]
    rows = np.empty(len(table), np.int64)
    for row in range(len(table)):
        rows[place[market[row]]] = row
        place[market[row]] += 1
    for index in range(count):
        sort_by(sequence, rows[start[index] : start[index + 1]])
    return rows, busy, start


@njit(cache=True)
def sort_by(sequence: Columns, rows: Int) -> None:
    """Sort row numbers by sequence, in place; stable."""
    if len(rows) > 64:
        rows[:] = rows[np.argsort(sequence[rows], kind="mergesort")]
        return
    for at in range(1, len(rows)):
        row = rows[at]
        back = at - 1
        while back >= 0 and sequence[rows[back]] > sequence[row]:
            rows[back + 1] = rows[back]
            back -= 1
        rows[back + 1] = row


@njit(cache=True)
def path_room(path: Columns, capacity: Columns, use: Columns, netting: bool) -> int:
    """Energy that still fits on a path of one market [Wh]; the empty path has no bound."""
    room = np.int64(1) << 62
    for step in path:
        if step == 0:
            break
        line, way = abs(step) - 1, 0 if step > 0 else 1
        free = capacity[line, way] - use[line, way]
        if netting:
            free += use[line, 1 - way]
        room = min(room, free)
    return int(room)


@njit(cache=True)
def find_path(
    source: int, target: int, ranges: Columns, paths: Columns, capacity: Columns, use: Columns, netting: bool
) -> tuple[int, int]:
    """First path from source to target area with room, and that room; (-1, 0) if there is none."""
    for path in range(ranges[source, target, 0], ranges[source, target, 1]):
        room = path_room(paths[path], capacity, use, netting)
        if room > 0:
            return path, room
    return -1, 0


@njit(cache=True)
def find_named(table: Table, book: Int, row: int) -> int:
    """The newest order of a book with the party and reference of `row`, filled by now or not; -1 if there is none."""
    found = -1
    for other in book:
        if table["party"][other] == table["party"][row] and table["reference"][other] == table["reference"][row]:
            found = other
    return found


@njit(cache=True)
def find_best(
    table: Table,
    book: Int,
    live: Columns,
    row: int,
    ranges: Columns,
    paths: Columns,
    capacity: Columns,
    use: Columns,
    netting: bool,
) -> tuple[int, int, int]:
    """The best resting order of a book that `row` accepts and reaches, the path and its room; (-1, -1, 0) if none."""
    side, price, area, party = table["side"], table["price"], table["area"], table["party"]
    best, best_path, best_room = -1, -1, 0
    # a lower price is better for a buyer, a higher one for a seller
    sign = 1 if side[row] == BUY else -1
    for other in book:
        if not live[other] or side[other] == side[row] or party[other] == party[row]:
            continue
        if sign * price[other] > sign * price[row] or (best >= 0 and sign * price[other] >= sign * price[best]):
            continue
        seller, buyer = (other, row) if sign > 0 else (row, other)
        path, room = find_path(area[seller], area[buyer], ranges, paths, capacity, use, netting)
        if path >= 0:
            best, best_path, best_room = other, path, room
    return best, best_path, best_room


@njit(cache=True)
def withdraw(kind: int, row: int, named: int, energy: Columns, left: Int, live: Columns, withdrawn: Int) -> int:
    """Take the order that a cancel or replace names out of the book; the refusal code of the row that asks.

    What the named order filled since the step began is taken off a replacement: its sender could not know of it.
    """
    found = named >= 0 and live[named]
    if kind != CANCEL and kind != REPLACE:
        return DUPLICATE_REFERENCE if found else 0
    if kind == CANCEL and not found:
        return NOTHING_TO_CANCEL
    if named < 0:
        return 0
    if kind == REPLACE:
        less = min(energy[named] - left[named] - withdrawn[named], left[row])
        left[row] -= less
        withdrawn[row] = less
    if found:
        withdrawn[named] += left[named]
        left[named] = 0
        live[named] = False
    return 0


@njit(cache=True)
def match_markets(
    table: Table,
    rows: Int,
    busy: Int,
    start: Int,
    arriving: Columns,
    ranges: Int,
    paths: Int,
    capacity: Int,
    use: Int,
    netting: bool,
) -> tuple[Int, Int, Int, Int, Columns, Int, Int]:
    """Match every market by price-time priority within reach; rows, busy and start as from `order_by_market`.

    Returns makers, takers, fill energies and paths (one entry per fill), a refusal code and the energy
    left (per input row), and the energy withdrawn by cancel and replace (per input row). `use` is
    updated in place.
    """
    kind = table["kind"]
    count = len(table)
    left = table["energy"].copy()
    live = np.zeros(count, np.bool_)
    codes = np.zeros(count, np.uint8)
    withdrawn = np.zeros(count, np.int64)
    room_for = max(2 * count, 16)
    makers, takers = np.empty(room_for, np.int64), np.empty(room_for, np.int64)
    sizes, ways = np.empty(room_for, np.int64), np.empty(room_for, np.int64)
    fills = 0
    book = np.empty(count, np.int64)
    for index in range(len(busy)):
        market, held = busy[index], 0
        for at in range(start[index], start[index + 1]):
            row = rows[at]
            if not arriving[row]:
                live[row] = True
                book[held] = row
                held += 1
                continue
            named = find_named(table, book[:held], row)
            codes[row] = withdraw(kind[row], row, named, table["energy"], left, live, withdrawn)
            if kind[row] == CANCEL or codes[row] != 0:
                left[row] = 0
                continue
            while left[row] > 0:
                best, best_path, best_room = find_best(
                    table, book[:held], live, row, ranges, paths, capacity[market], use[market], netting
                )
                if best < 0:
                    break
                size = min(left[row], left[best], best_room)
                if fills == room_for:
                    room_for *= 2
                    makers, takers = _longer(makers, room_for), _longer(takers, room_for)
                    sizes, ways = _longer(sizes, room_for), _longer(ways, room_for)
                makers[fills], takers[fills], sizes[fills], ways[fills] = best, row, size, best_path
                fills += 1
                left[row] -= size
                left[best] -= size
                live[best] = left[best] > 0
                for step in paths[best_path]:
                    if step == 0:
                        break
                    use[market, abs(step) - 1, 0 if step > 0 else 1] += size
            if left[row] > 0 and table["time_in_force"][row] != IMMEDIATE:
                live[row] = True
                book[held] = row
                held += 1
    return makers[:fills], takers[:fills], sizes[:fills], ways[:fills], codes, left, withdrawn


@njit(cache=True)
def _longer(column: Int, size: int) -> Int:
    out = np.empty(size, np.int64)
    out[: len(column)] = column
    return out


@njit(cache=True)
def scan_quotes(
    table: Table,
    cell: Columns,
    ranges: Int,
    paths: Int,
    capacity: Int,
    use: Int,
    netting: bool,
    bids: Int,
    asks: Int,
) -> None:
    """Raise bids and lower asks (cells, areas) by every live order that an area can reach, in place."""
    side, area, price, market = table["side"], table["area"], table["price"], table["market"]
    for row in range(len(table)):
        for here in range(bids.shape[1]):
            buys = side[row] == BUY
            source, target = (here, area[row]) if buys else (area[row], here)
            at = market[row]
            path, _ = find_path(source, target, ranges, paths, capacity[at], use[at], netting)
            if path < 0:
                continue
            if buys:
                bids[cell[row], here] = max(bids[cell[row], here], price[row])
            else:
                asks[cell[row], here] = min(asks[cell[row], here], price[row])
