"""Prices of many auctions at given energies of block orders (numba kernels), for the search of `market.block_search`.

Every area of every market has a place for price-independent energy at either end of the band, so that trying another
acceptance of blocks changes some energies and sorts nothing. Prices are those of the auction: `find_prices` finds both.

This module needs numba: import it inside functions only.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from market.orders import Side
from market.pricing import Book, Lines, after_price, kernel, make_slopes
from market.splitting_kernels import Network, fill_room, find_prices, most_traded
from market.units import Int

SELL = int(Side.SELL)


class Frame(NamedTuple):
    """Orders of several markets by market, area, ascending price, side (purchases first).

    price, energy, side (orders,); start (markets + 1,); first (markets, nodes + 1) where each area starts, counted
    from its market's first order; sale, purchase (markets, areas) rows of the places for blocks; sums (4, orders + 1)
    running sums, blocks apart: energy [Wh] and energy x price [uJPY] of sales, then of purchases, modulo 2^64;
    room (markets, lines, 2) of the lines [Wh].
    """

    price: Int
    energy: Int
    side: Int
    start: Int
    first: Int
    sale: Int
    purchase: Int
    sums: Int
    room: Int


@kernel
def book_at(frame: Frame, market: int, below: Int, wanted: Int) -> Book:
    """The book of one market with the energies that stand in the frame now; below and wanted are scratch."""
    begin, end = frame.start[market], frame.start[market + 1]
    energy, side, first = frame.energy[begin:end], frame.side[begin:end], frame.first[market]
    below[0] = 0
    for i in range(end - begin):
        below[i + 1] = below[i] + energy[i]
    for area in range(len(wanted)):
        wanted[area] = 0
        for i in range(first[area], first[area + 1]):
            if side[i] != SELL:
                wanted[area] += energy[i]
    return Book(frame.price[begin:end], energy, side, below[: end - begin + 1], first, wanted)


@njit(cache=True)
def price_markets(frame: Frame, network: Network, floor: int, top: int, blocks: Int, price: Int, held: Int) -> None:
    """Smallest optimal prices at these energies of blocks (markets, areas, 2: bought, sold), from `price` on, in place.

    `price` (markets, nodes) holds the answer for the energies `held`, which are brought up to date: a market whose
    energies are the same keeps its prices, for the others these are where the way to the new ones begins.
    """
    nodes, most = price.shape[1], 0
    for market in range(len(price)):
        most = max(most, frame.start[market + 1] - frame.start[market])
    below, wanted = np.empty(most + 1, np.int64), np.empty(nodes, np.int64)
    slopes = make_slopes(len(network.subsets.mask), nodes, len(network.lines.source))
    lines = Lines(network.lines.source, network.lines.target, np.empty((len(network.lines.source), 2), np.int64))
    for market in range(len(price)):
        if (held[market] == blocks[market]).all():
            continue
        held[market] = blocks[market]
        for area in range(frame.sale.shape[1]):
            frame.energy[frame.purchase[market, area]] = blocks[market, area, 0]
            frame.energy[frame.sale[market, area]] = blocks[market, area, 1]
        book = book_at(frame, market, below, wanted)
        fill_room(lines.room, frame.room[market], most_traded(book))
        find_prices(book, lines, network.subsets, floor, top, price[market], slopes, True)


@njit(cache=True)
def count_in_money(frame: Frame, price: Int, out: Int) -> None:
    """Orders strictly in the money at `price` (markets, nodes), blocks apart, into `out` (markets, areas, 4).

    Energy of sales and their energy x price, energy of purchases and their energy x price.
    """
    below, wanted = np.empty(0, np.int64), np.empty(0, np.int64)
    for market in range(len(price)):
        begin, end = frame.start[market], frame.start[market + 1]
        first = frame.first[market]
        # only prices and starts are read here
        book = Book(frame.price[begin:end], frame.energy[begin:end], frame.side[begin:end], below, first, wanted)
        for area in range(out.shape[1]):
            low = after_price(book, area, price[market, area] - 1)
            high = after_price(book, area, price[market, area])
            for kind in range(2):
                out[market, area, kind] = frame.sums[kind, begin + low] - frame.sums[kind, begin + first[area]]
            for kind in range(2, 4):
                out[market, area, kind] = frame.sums[kind, begin + first[area + 1]] - frame.sums[kind, begin + high]
