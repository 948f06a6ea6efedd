"""Many auctions in one call (numba kernels).

Bids come sorted by market, area, price, side and arrival (`market.gathering_kernels`). Each market is priced
(`market.pricing`), filled (`market.allocation_kernels`), written as contracts (`market.contract_kernels`) and proved
by itself; nothing of one market reaches another, so markets may be shared among threads: a call writes only the rows
of its own markets.

This module needs numba: import it inside functions only.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from market.allocation_kernels import Balance, fill_gaps, fill_orders, is_proved, settle_margin, weigh_areas
from market.contract_kernels import Legs, Pairs, Paths, Queues, pair_market, route
from market.cut_kernels import descend_by_cuts, lower_by_cuts
from market.exchange import NO_PRICE
from market.gathering_kernels import IN_ORDER, Gathered, gather_bids, sort_markets
from market.pricing import Book, Lines, Slopes, Subsets, descend, kernel, lower_to_minimum, make_slopes, move, set_slope
from market.tables import Table
from market.units import Int

PROVED, UNBALANCED, GAP, STRANDED = 0, 1, 2, 3
EXPLORE = 16
"""Every so many markets the start that was slower so far is tried again."""


class Rules(NamedTuple):
    """Floor of the band [mJPY/kWh], whether the margin is shared pro rata, lot [Wh], whether a start may be warm."""

    floor: int
    pro_rata: bool
    lot: int
    warm: bool


class Network(NamedTuple):
    """Lines, connected sets and paths of the graph that is cleared; ends (lines, 2) are areas that people know.

    A joint limit is a line to a node without orders: its ends are -1.
    """

    lines: Lines
    subsets: Subsets
    paths: Paths
    ends: Int


class Work(NamedTuple):
    """Scratch for one market at a time; `moves` (2, 2) counts moves and markets of cold and warm starts."""

    balance: Balance
    price: Int
    slopes: Slopes
    need: Int
    scratch: Int
    moves: Int


class Result(NamedTuple):
    """What a call finds: price (markets, areas), flow of lines (markets, lines), fills (bids,), and legs.

    Legs of market m stand from row m x (areas + lines) on, `routed[m]` of them.
    """

    price: Int
    flow: Int
    filled: Int
    legs: Legs
    routed: Int


@kernel
def make_work(network: Network) -> Work:
    """Scratch of a call."""
    areas = network.subsets.areas
    energy = np.empty((6, areas), np.int64)
    balance = Balance(energy[0], energy[1], energy[2], energy[3], energy[4], energy[5])
    price, need = np.empty(areas, np.int64), np.empty(areas, np.int64)
    scratch = np.empty((5, areas + 1), np.int64)
    slopes = make_slopes(len(network.subsets.mask), areas, len(network.lines.source))
    return Work(balance, price, slopes, need, scratch, np.zeros((2, 2), np.int64))


@njit(cache=True)
def make_result(bids: Gathered, network: Network, areas: int) -> Result:
    """An empty result; a market has at most one leg per area and line."""
    markets, lines = len(bids.start) - 1, len(network.lines.source)
    most = markets * (network.subsets.areas + lines)
    price = np.full((markets, areas), NO_PRICE, np.int64)
    flow, filled = np.zeros((markets, lines), np.int64), np.zeros(len(bids.place), np.int64)
    legs = np.empty((4, most), np.int64)
    return Result(price, flow, filled, Legs(legs[0], legs[1], legs[2], legs[3]), np.zeros(markets, np.int64))


@kernel
def most_traded(book: Book) -> int:
    """More energy than could ever be traded in the market."""
    asked = book.wanted.sum()
    return int(min(asked, book.below[-1] - asked)) + 1


@kernel
def highest_limit(book: Book, floor: int) -> int:
    """Highest limit price of the market, at least the floor."""
    top = floor
    for area in range(len(book.wanted)):
        if book.first[area + 1] > book.first[area]:
            top = max(top, book.price[book.first[area + 1] - 1])
    return top


@kernel
def fill_room(room: Int, given: Int, most: int) -> None:
    """Room of each line (lines, 2): never negative; `most`, which no trade can fill, is as good as more."""
    for line in range(len(room)):
        for way in range(2):
            room[line, way] = max(0, min(most, given[line, way]))


@kernel
def find_prices(
    book: Book, lines: Lines, subsets: Subsets, floor: int, top: int, price: Int, slopes: Slopes, warm: bool
) -> int:
    """Smallest optimal prices in floor .. top, into `price` (areas,); `top` is at or above every limit.

    Starts from the common price of each connected component (the system price), which often is the answer, or, `warm`,
    from what stands in `price`; the smallest vector is one, so the start decides only how many moves it takes.
    """
    if warm:
        for area in range(len(price)):
            price[area] = min(max(price[area], floor), top)
    else:
        price[:] = floor
        for mask in subsets.whole:
            if top > floor and set_slope(book, lines, price, mask, 1, 0) < 0:
                move(book, lines, price, mask, 1, top - floor, 0)
    if len(price) == 1 and not warm:
        return 0
    if len(subsets.mask):
        moves = descend(book, lines, subsets, price, floor, top, slopes)
        lower_to_minimum(book, lines, subsets, price, floor, top, slopes)
    else:
        moves = descend_by_cuts(book, lines, price, floor, top)
        lower_by_cuts(book, lines, price, floor, top)
    return int(moves)


@kernel
def clear_one(
    book: Book, lines: Lines, network: Network, rules: Rules, warm: bool, work: Work, flow: Int, filled: Int, legs: Legs
) -> tuple[int, int]:
    """Prices, fills, flows and legs of one market; returns PROVED or what broke, and how many legs there are."""
    price = work.price
    top = highest_limit(book, rules.floor)
    moves = find_prices(book, lines, network.subsets, rules.floor, top, price, work.slopes, warm)
    work.moves[int(warm), 0] += moves
    work.moves[int(warm), 1] += 1
    weigh_areas(book, price, work.balance)
    for area in range(len(price)):
        work.need[area] = -work.balance.excess[area]
    fill_gaps(lines, price, flow, work.balance)
    if not settle_margin(lines, price, flow, work.balance, work.scratch):
        return UNBALANCED, 0
    fill_orders(book, price, work.balance, filled, rules.pro_rata, rules.lot)
    for area in range(len(price)):
        work.need[area] += work.balance.bought[area] - work.balance.sold[area]
    routed = route(lines, network.paths, work.need, flow, legs, work.scratch)
    if routed < 0:
        return STRANDED, 0
    return (PROVED if is_proved(book, lines, price, flow, filled) else GAP), routed


@kernel
def write_prices(book: Book, ends: Int, flow: Int, filled: Int, price: Int, out: Int) -> None:
    """The price of each area in which something is filled or over whose lines energy flows; others stay null."""
    for area in range(len(out)):
        busy = False
        for i in range(book.first[area], book.first[area + 1]):
            if filled[i] > 0:
                busy = True
                break
        for line in range(len(flow)):
            at_area = ends[line, 0] == area or ends[line, 1] == area
            busy = busy or (at_area and flow[line] != 0)
        if busy:
            out[area] = price[area]


@kernel
def starts_warm(moves: Int, market: int) -> bool:
    """Whether to start from the neighbour's prices: the start with fewer moves so far, now and then the other one."""
    if moves[1, 1] == 0:
        return True
    warm = bool(moves[1, 0] * moves[0, 1] <= moves[0, 0] * moves[1, 1])
    return warm != (market % EXPLORE == 0)


@kernel
def book_of(bids: Gathered, market: int) -> Book:
    """The bids of one market."""
    begin, end = bids.start[market], bids.start[market + 1]
    return Book(
        bids.price[begin:end],
        bids.energy[begin:end],
        bids.side[begin:end],
        bids.below[begin + market : end + market + 1],
        bids.first[market],
        bids.wanted[market],
    )


@kernel
def legs_of(legs: Legs, begin: int, end: int) -> Legs:
    """A run of the legs."""
    return Legs(legs.seller[begin:end], legs.buyer[begin:end], legs.path[begin:end], legs.energy[begin:end])


@njit(cache=True, nogil=True)
def clear_markets(
    bids: Gathered, room: Int, network: Network, rules: Rules, out: Result, first: int, last: int
) -> tuple[int, int]:
    """Clear markets first .. last, into `out`; `room` (markets, lines, 2) is what lines can take.

    Returns the first market that could not be proved (-1 for none) and why.
    """
    nodes, count = network.subsets.areas, len(network.lines.source)
    work = make_work(network)
    # a call has lines of its own: their room is scratch
    lines = Lines(network.lines.source, network.lines.target, np.empty((count, 2), np.int64))
    has_neighbour = False
    for market in range(first, last):
        begin, end = bids.start[market], bids.start[market + 1]
        if begin == end:
            continue
        book, filled, flow = book_of(bids, market), out.filled[begin:end], out.flow[market]
        legs = legs_of(out.legs, market * (nodes + count), (market + 1) * (nodes + count))
        fill_room(lines.room, room[market], most_traded(book))
        warm = rules.warm and has_neighbour and starts_warm(work.moves, market)
        status, routed = clear_one(book, lines, network, rules, warm, work, flow, filled, legs)
        if status != PROVED:
            return market, status
        has_neighbour = True
        out.routed[market] = routed
        write_prices(book, network.ends, flow, filled, work.price, out.price[market])
    return -1, PROVED


@njit(cache=True)
def clear_table(
    table: Table, room: Int, network: Network, rules: Rules, areas: int
) -> tuple[int, int, int, Gathered, Result]:
    """From the order table to the result in one call, for few orders: handing arrays over and back costs them most.

    Returns the status of the rows, what `clear_markets` returns, the bids and the result.
    """
    status, bids = gather_bids(table, len(room), areas, network.subsets.areas)
    result = make_result(bids, network, areas)
    if status != IN_ORDER:
        return status, -1, PROVED, bids, result
    sort_markets(bids, rules.floor, 0, len(room))
    market, proof = clear_markets(bids, room, network, rules, result, 0, len(room))
    return status, market, proof, bids, result


@njit(cache=True, nogil=True)
def price_markets(bids: Gathered, room: Int, network: Network, floor: int, out: Int) -> None:
    """Smallest optimal price of every node of every market, into `out` (markets, nodes); nothing is filled."""
    work = make_work(network)
    lines = Lines(network.lines.source, network.lines.target, np.empty((len(network.lines.source), 2), np.int64))
    for market in range(len(out)):
        out[market] = floor
        if bids.start[market] == bids.start[market + 1]:
            continue
        book = book_of(bids, market)
        fill_room(lines.room, room[market], most_traded(book))
        top = highest_limit(book, floor)
        find_prices(book, lines, network.subsets, floor, top, out[market], work.slopes, False)


@njit(cache=True)
def pair_markets(bids: Gathered, out: Result) -> Pairs:
    """Sell and buy order, energy and path of every contract, market by market."""
    markets, nodes = len(bids.start) - 1, bids.wanted.shape[1]
    most, many = 0, 0
    for market in range(markets):
        orders = bids.start[market + 1] - bids.start[market]
        most = max(most, orders)
        # each contract ends an order, a leg or what an area trades within itself
        many += orders + nodes + out.routed[market] if orders else 0
    wide = np.empty((4, many), np.int64)
    queue, following = np.empty((3, most), np.int64), np.empty((3, nodes), np.int64)
    queues = Queues(queue[0], queue[1], queue[2], following[0], following[1])
    stride = len(out.legs.path) // max(markets, 1)
    formed = 0
    for market in range(markets):
        begin, end = bids.start[market], bids.start[market + 1]
        if begin == end:
            continue
        pairs = Pairs(wide[0, formed:], wide[1, formed:], wide[2, formed:], wide[3, formed:])
        legs = legs_of(out.legs, market * stride, market * stride + out.routed[market])
        count = pair_market(book_of(bids, market), out.filled[begin:end], legs, queues, following[2], pairs)
        for row in range(count):
            pairs.sell[row] += begin
            pairs.buy[row] += begin
        formed += count
    return Pairs(wide[0, :formed], wide[1, :formed], wide[2, :formed], wide[3, :formed])


@njit(cache=True)
def write_rows(table: Table, bids: Gathered, result: Result, pairs: Pairs, now: Int, out: Table) -> None:
    """The contract table, one row a pair; paths are the pair's where the grid has a row for them."""
    for row in range(len(out)):
        sell, buy = pairs.sell[row], pairs.buy[row]
        sale, purchase, one = table[bids.place[sell]], table[bids.place[buy]], out[row]
        market = sale["market"]
        one["slot"], one["world"], one["market"] = sale["slot"], sale["world"], market
        one["seller"], one["buyer"] = sale["party"], purchase["party"]
        one["sell_reference"], one["buy_reference"] = sale["reference"], purchase["reference"]
        one["energy"], one["path"] = pairs.energy[row], max(pairs.path[row], 0)
        one["sell_price"] = result.price[market, bids.area[sell]]
        one["buy_price"] = result.price[market, bids.area[buy]]
        one["formed"] = now[sale["world"]]
        one["source"], one["last_resort"] = 0, 0
