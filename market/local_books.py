"""Books of one area each: what rules need that let areas not trade with one another."""

from typing import NamedTuple

import numpy as np

from market.contracts import CONTRACT
from market.exchange import Call, Outcome, close_orders
from market.orders import Kind, Side
from market.tables import Table, pick_rows
from market.units import Int


class LocalBooks(NamedTuple):
    """Orders by market and area: `rows` of the order table, sales before purchases within a book.

    Book b has rows start[b] .. start[b + 1], its sales up to middle[b]; `market` and `area` say whose it is.
    """

    rows: Int
    start: Int
    middle: Int
    market: Int
    area: Int


def open_books(orders: Table, by_price: bool) -> LocalBooks:
    """Every order that enters, by book, side, merit if `by_price` (best first), then party and reference.

    Who came first is not read, so that arrival changes nothing.
    """
    enters = np.flatnonzero(orders["kind"] != int(Kind.CANCEL))
    table = pick_rows(orders, enters)
    buys = table["side"] == int(Side.BUY)
    merit = np.where(buys, -1, 1) * table["price"].astype(np.int64) if by_price else np.zeros(len(table), np.int64)
    place = np.lexsort((table["reference"], table["party"], merit, buys, table["area"], table["market"]))
    book = table["market"].astype(np.int64) << 8 | table["area"]
    book, buys = book[place], buys[place]
    start = np.flatnonzero(np.diff(book, prepend=-1))
    stop = np.append(start[1:], len(book)).astype(np.int64)
    purchases = np.concatenate([np.zeros(1, np.int64), np.cumsum(buys)])
    middle = stop - (purchases[stop] - purchases[start])
    edges = np.append(start, len(book)).astype(np.int64)
    return LocalBooks(np.asarray(enters[place], np.int64), edges, middle, book[start] >> 8, book[start] & 255)


def form_local(call: Call, books: LocalBooks, filled: Int, price: Int) -> Outcome:
    """Contracts within each book at its prices (books, 2), what sellers get and buyers pay, in the order of the books.

    `filled` (rows,) [Wh]: in each book as much sold as bought. What is not filled lapses.
    """
    orders = call.orders
    sale, purchase, energy = _pair(orders, books, filled)
    book = np.searchsorted(books.start, sale, "right") - 1
    sells, buys = pick_rows(orders, books.rows[sale]), pick_rows(orders, books.rows[purchase])
    contracts = np.zeros(len(energy), CONTRACT)
    for name in ("slot", "world", "market"):
        contracts[name] = sells[name]
    contracts["seller"], contracts["sell_reference"] = sells["party"], sells["reference"]
    contracts["buyer"], contracts["buy_reference"] = buys["party"], buys["reference"]
    contracts["energy"] = energy
    contracts["sell_price"], contracts["buy_price"] = price[book, 0], price[book, 1]
    contracts["formed"] = np.asarray(call.now)[sells["world"]]
    out = np.zeros(len(orders), np.int64)
    out[books.rows] = filled
    return close_orders(orders, out, contracts, call.flow_wh, None, call.grid.paths)


def _pair(orders: Table, books: LocalBooks, filled: Int) -> tuple[Int, Int, Int]:
    """Sale, purchase and energy of each contract: both sides of a book in order, each contract ends one of them.

    As much is sold as bought in each book, so running sums of both sides meet at the end of each.
    """
    buys = orders["side"][books.rows] == int(Side.BUY)
    sale, purchase = (np.flatnonzero(side & (filled > 0)) for side in (~buys, buys))
    sold, bought = np.cumsum(filled[sale]), np.cumsum(filled[purchase])
    ends = np.union1d(sold, bought)
    energy = np.diff(ends, prepend=0)
    begins = ends - energy
    first, second = (np.searchsorted(side, begins, "right") for side in (sold, bought))
    return sale[first], purchase[second], energy
