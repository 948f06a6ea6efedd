"""Kernels of continuous trade, compiled by numba; import only inside functions.

`match_markets` lets the rows of each market arrive one after another (`market.book_kernels` is the book). Markets
without arrivals are only passed on. The best resting order is sought area by area, and a path to it only where its
price is better than what was found so far.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from market.book_kernels import (
    BUY,
    CANCEL,
    END,
    FEW,
    FILLED,
    LEFT,
    PLACE,
    PRICE,
    TOP,
    Bits,
    Book,
    Places,
    enter,
    inlined,
    kernel,
    leave,
    make_book,
    next_live,
    open_book,
    queue_of,
)
from market.errors import Refusal
from market.orders import Kind
from market.reach_kernels import UNBOUNDED, find_path, find_room, take_path
from market.tables import Table
from market.units import Int

REPLACE = int(Kind.REPLACE)
NOTHING_TO_CANCEL, DUPLICATE_REFERENCE = int(Refusal.NOTHING_TO_CANCEL), int(Refusal.DUPLICATE_REFERENCE)
Columns = npt.NDArray[Any]


class Ways(NamedTuple):
    """Paths by ordered pair of areas, what a Wh on each takes of joint limits (paths, limits), whether flows net."""

    ranges: Int
    paths: Int
    weights: Int
    netting: bool


class Result(NamedTuple):
    """Contracts, and by row of the orders that arrive: refusal code, energy filled, energy lapsed [Wh]."""

    contracts: Table
    codes: Columns
    filled: Int
    lapsed: Int


@kernel
def order_by_market(resting: Table, orders: Table, markets: int) -> tuple[Int, Int, Int, Int]:
    """Rows of markets that have arrivals, by market, resting ones first; those markets; where their rows start.

    Rows count over `resting`, then `orders`; starts (n + 1,); the last result (n,) is where the rows that arrive start.
    """
    held, count, found = len(resting), 0, 0
    place = np.zeros(markets, np.int64)
    busy, near = np.empty(len(orders), np.int64), np.empty(held, np.int64)
    for row in range(len(orders)):
        market = orders[row].market
        if place[market] == 0:
            busy[count] = market
            count += 1
        place[market] += 1
    busy = np.sort(busy[:count])
    for row in range(held):
        market = resting[row].market
        if place[market] > 0:
            place[market] += 1
            near[found] = row
            found += 1
    start = np.zeros(count + 1, np.int64)
    for index in range(count):
        start[index + 1] = start[index] + place[busy[index]]
        place[busy[index]] = start[index]
    rows = np.empty(start[count], np.int64)
    for row in near[:found]:
        rows[place[resting[row].market]] = row
        place[resting[row].market] += 1
    middle = place[busy]
    for row in range(len(orders)):
        rows[place[orders[row].market]] = held + row
        place[orders[row].market] += 1
    return rows, busy, start, middle


@kernel
def sort_part(part: Int, table: Table, less: int) -> None:
    """Sort rows of a table by sequence, in place, stable; rows count from `less`."""
    in_order = True
    for at in range(1, len(part)):
        in_order &= table[part[at] - less].sequence >= table[part[at - 1] - less].sequence
    if in_order:
        return
    if len(part) > FEW:
        part[:] = part[np.argsort(table["sequence"][part - less], kind="mergesort")]
        return
    for at in range(1, len(part)):
        row = part[at]
        sequence, back = table[row - less].sequence, at - 1
        while back >= 0 and table[part[back] - less].sequence > sequence:
            part[back + 1] = part[back]
            back -= 1
        part[back + 1] = row


@inlined
def best_of_queue(
    ranked: Places,
    words: Bits,
    groups: Bits,
    queues: Int,
    owners: Places,
    queue: int,
    sign: int,
    limit: int,
    place: int,
) -> int:
    """Rank of the best live order of a queue whose price is within the limit and whose owner is another; -1 if none."""
    end = queues[queue, END]
    rank = next_live(words, groups, queues[queue, TOP], end)
    queues[queue, TOP] = rank
    mine = owners[place]
    while rank < end and sign * ranked[rank, PRICE] <= limit and owners[ranked[rank, PLACE]] == mine:
        rank = next_live(words, groups, rank + 1, end)
    # read in any case: an array that only one branch needs has its references counted
    fits = sign * ranked[min(rank, len(ranked) - 1), PRICE] <= limit
    return int(rank if fits and rank < end else -1)


@inlined
def find_best(
    ranked: Places,
    words: Bits,
    groups: Bits,
    queues: Int,
    owners: Places,
    sign: int,
    limit: int,
    place: int,
    area: int,
    ranges: Int,
    paths: Int,
    weights: Int,
    free: Int,
    slack: Int,
) -> tuple[int, int, int]:
    """Rank of the best live order that the one at `place` accepts and reaches, the path and its room; (-1, 0, 0)."""
    best, path, room = np.int64(-1), np.int64(0), np.int64(0)
    for there in range(len(queues) >> 1):
        queue = 2 * there + (1 if sign > 0 else 0)
        rank = best_of_queue(ranked, words, groups, queues, owners, queue, sign, limit, place)
        known = max(best, np.int64(0))
        worse = sign * (ranked[rank, PRICE] - ranked[known, PRICE])
        later = ranked[rank, PLACE] > ranked[known, PLACE]
        if rank < 0 or (best >= 0 and (worse > 0 or (worse == 0 and later))):
            continue
        way, fits = np.int64(0), np.int64(UNBOUNDED)
        if there != area:
            seller, buyer = (there, area) if sign > 0 else (area, there)
            way, fits = find_path(seller, buyer, ranges, paths, weights, free, slack)
        if fits > 0:
            best, path, room = rank, way, fits
    return int(best), int(path), int(room)


@inlined
def withdraw(kind: int, left: int, filled: int, energy: int) -> tuple[int, int, int]:
    """What comes of a row that names an order with so much left and filled: refusal code, asked for still, withdrawn.

    What the named order filled since the call began is taken off a replacement: its sender could not know of it.
    """
    if kind == CANCEL:
        return (0, 0, left) if left > 0 else (NOTHING_TO_CANCEL, 0, 0)
    if kind == REPLACE:
        less = min(filled, energy)
        return 0, energy - less, left + less
    return (DUPLICATE_REFERENCE, 0, 0) if left > 0 else (0, energy, 0)


@inlined
def write_contract(
    contract: Any, order: Any, maker: np.uint64, energy: int, price: int, path: int, formed: int
) -> None:
    """The contract of an arriving order with a resting one, of which `maker` is the name."""
    party, reference = np.int32(maker >> np.uint64(32)), np.uint32(maker & np.uint64(0xFFFF_FFFF))
    buys = order.side == BUY
    contract.slot, contract.world, contract.market = order.slot, order.world, order.market
    contract.buyer, contract.seller = (order.party, party) if buys else (party, order.party)
    contract.buy_reference = order.reference if buys else reference
    contract.sell_reference = reference if buys else order.reference
    contract.energy, contract.path, contract.formed = energy, path, formed
    contract.buy_price = contract.sell_price = price
    contract.source = contract.last_resort = 0


@kernel
def let_rest(rows: Int, resting: Table, book: Book) -> None:
    """Enter the live orders of earlier calls into the book; `rows` are the market's first places."""
    for place in range(len(rows)):
        rank, order = book.rank_of[place], resting[rows[place]]
        book.named[place] = rank
        if order.energy > 0:
            enter(book.energy, book.words, book.groups, book.queues, rank, queue_of(order), order.energy, 0)


@kernel
def match_market(
    rows: Int,
    olds: int,
    resting: Table,
    orders: Table,
    book: Book,
    ways: Ways,
    use: Int,
    free: Int,
    slack: Int,
    now: Int,
    result: Result,
    formed: int,
) -> tuple[int, int]:
    """Let the rows of one market from place `olds` on arrive; contracts so far (-1: too many), energy withdrawn."""
    names, rank_of, named, queues = book.names, book.rank_of, book.named, book.queues
    ranked, energies, owners = book.ranked, book.energy, book.owners
    words, groups, contracts = book.words, book.groups, result.contracts
    codes, filled, lapsed = result.codes, result.filled, result.lapsed
    ranges, paths, weights = ways.ranges, ways.paths, ways.weights
    held, withdrawn = len(resting), 0
    for place in range(olds, len(rows)):
        row = rows[place] - held
        order = orders[row]
        rank = named[named[place]] if named[place] >= 0 else np.int64(-1)
        named[place] = rank
        gone, before = np.int64(0), np.int64(0)
        if rank >= 0:
            gone, before = energies[rank, LEFT], energies[rank, FILLED]
        codes[row], asked, out = withdraw(order.kind, gone, before, order.energy)
        withdrawn += out
        if gone > 0 and out > 0:
            energies[rank, LEFT] = 0
            leave(words, groups, rank)
        energy, sign = asked, np.int64(1 if order.side == BUY else -1)
        area, limit = np.int64(order.area), sign * order.price
        while energy > 0:
            best, path, room = find_best(
                ranked, words, groups, queues, owners, sign, limit, place, area, ranges, paths, weights, free, slack
            )
            if best < 0:
                break
            if formed == len(contracts):
                return -1, 0
            part = min(energy, energies[best, LEFT], room)
            maker, price = names[ranked[best, PLACE]], ranked[best, PRICE]
            write_contract(contracts[formed], order, maker, part, price, path, now[order.world])
            formed += 1
            if path > 0:
                take_path(path, part, paths, weights, ways.netting, use, free, slack)
            energy -= part
            energies[best, LEFT] -= part
            energies[best, FILLED] += part
            if energies[best, LEFT] == 0:
                leave(words, groups, best)
        filled[row], rank = asked - energy, rank_of[place]
        lapsed[row] = energy if rank < 0 else 0
        if energy > 0 and rank >= 0:
            named[place] = rank
            enter(energies, words, groups, queues, rank, queue_of(order), energy, asked - energy)
    return formed, withdrawn


@njit(cache=True)
def match_markets(
    resting: Table,
    orders: Table,
    contracts: Table,
    live: Table,
    memory: Int,
    capacity: Int,
    use: Int,
    spare: Int,
    ranges: Int,
    paths: Int,
    weights: Int,
    netting: bool,
    owner: Int,
    now: Int,
) -> tuple[Table, Table, Columns, Int, Int, int]:
    """Match every market by price-time priority within reach; `use` is updated in place.

    Returns contracts, live orders, a refusal code, the energy filled and lapsed (per row of `orders`), and the energy
    withdrawn by cancel and replace. `contracts`, `live` and `memory` (words,) are to be written: twice the orders and
    one, all rows, and as many words as `market.book_kernels` says and one for each row.
    """
    ways, slack = Ways(ranges, paths, weights, netting), np.empty(spare.shape[1], np.int64)
    free, before = np.empty((use.shape[1], 2), np.int64), np.empty((use.shape[1], 2), np.int64)
    held, given = len(resting), len(orders)
    rows, busy, start, middle = order_by_market(resting, orders, len(capacity))
    largest = 0
    for index in range(len(busy)):
        largest = max(largest, start[index + 1] - start[index])
    book = make_book(memory, largest, len(ranges))
    left = memory[len(memory) - held - given :]
    left[held:] = 0
    for row in range(held):
        left[row] = resting[row].energy
    result = Result(contracts, np.zeros(given, np.uint8), np.zeros(given, np.int64), np.zeros(given, np.int64))
    formed, withdrawn = 0, 0
    for index in range(len(busy)):
        market, here = busy[index], rows[start[index] : start[index + 1]]
        olds = middle[index] - start[index]
        sort_part(here[:olds], resting, 0)
        sort_part(here[olds:], orders, held)
        before[:] = use[market]
        while True:
            count = open_book(book, resting, orders, here, owner)
            find_room(capacity[market], use[market], netting, free)
            slack[:] = spare[market]
            let_rest(here[:olds], resting, book)
            now_formed, out = match_market(
                here, olds, resting, orders, book, ways, use[market], free, slack, now, result, formed
            )
            if now_formed >= 0:
                break
            # a match split over paths makes contracts without end of an order: the market starts again with more room
            use[market] = before
            result = Result(_longer(result.contracts), result.codes, result.filled, result.lapsed)
        formed, withdrawn = now_formed, withdrawn + out
        close_book(book.ranked, book.energy, count, here, held, left, result.filled)
    stay = pass_on(resting, orders, left, live)
    return result.contracts[:formed], live[:stay], result.codes, result.filled, result.lapsed, withdrawn


@kernel
def close_book(ranked: Places, energies: Int, count: int, rows: Int, held: int, left: Int, filled: Int) -> None:
    """Write what each order of a market has left, and what those that arrived filled."""
    for rank in range(count):
        row = rows[ranked[rank, PLACE]]
        left[row] = energies[rank, LEFT]
        if row >= held and energies[rank, FILLED] > 0:
            filled[row - held] = energies[rank, FILLED]


@kernel
def pass_on(resting: Table, orders: Table, left: Int, out: Table) -> int:
    """Write the rows that have energy left, with that energy: resting ones, then those that arrived; how many."""
    held, count = len(resting), 0
    for row in range(len(left)):
        if left[row] > 0:
            out[count] = resting[row] if row < held else orders[row - held]
            out[count].energy = left[row]
            count += 1
    return count


@kernel
def _longer(contracts: Table) -> Table:
    out = np.empty(2 * len(contracts), contracts.dtype)
    out[: len(contracts)] = contracts
    return out
