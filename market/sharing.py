"""Community sharing (地域内融通): each area's surplus serves its own deficit at a price made of tariff and feed-in.

Limit prices are not read. A party's sale and purchase are netted first; what the shorter side has is shared on the
longer one in proportion to energy (whole lots, largest remainder, ties by party); the rest is left to the retailer of
last resort, so that what a party pays on average is the published rule's community price. With t what the retailer asks
and f what it pays, both at the parties' area:

- mid-market rate: (t + f) / 2, half to even;
- supply and demand ratio r = supply / demand: f t / ((t - f) r + f), f where r >= 1 or f <= 0, half to even;
- bill sharing: 0: what is shared costs nothing, only what is drawn from outside is paid for.

Sources: Long et al. 2017, IEEE PES General Meeting, doi:10.1109/PESGM.2017.8274546 (mid-market rate, bill sharing);
Liu et al. 2017, IEEE Trans. Power Syst. 32(5), doi:10.1109/TPWRS.2017.2649558 (supply and demand ratio).
"""

from collections.abc import Callable

import numpy as np

from market.errors import ConfigError
from market.exchange import Call, Outcome
from market.local_books import LocalBooks, form_local, open_books
from market.orders import Side
from market.tables import Table, pick_rows
from market.units import Int, divide_half_even

Price = Callable[[Int, Int, list[int], list[int]], Int]
"""From what the retailer asks and pays, supply and demand of each book (books,) to the price of what is shared."""


def share_in_the_middle(call: Call) -> Outcome:
    """Mid-market rate; arguments as in `exchange.trade`, with `retail`."""
    return _share(call, lambda ask, pay, supply, demand: divide_half_even(ask + pay, 2))


def share_by_ratio(call: Call) -> Outcome:
    """Supply and demand ratio; arguments as in `exchange.trade`, with `retail`."""
    return _share(call, _price_by_ratio)


def share_bills(call: Call) -> Outcome:
    """Bill sharing; arguments as in `exchange.trade`, with `retail`."""
    return _share(call, lambda ask, pay, supply, demand: np.zeros_like(ask))


def _price_by_ratio(ask: Int, pay: Int, supply: list[int], demand: list[int]) -> Int:
    """f t d / ((t - f) s + f d) for each book, in whole numbers of any size."""
    price = pay.copy()
    for book, (t, f, s, d) in enumerate(zip(ask.tolist(), pay.tolist(), supply, demand, strict=True)):
        if 0 < f < t and 0 < s < d:
            top, below = f * t * d, (t - f) * s + f * d
            quotient, rest = divmod(top, below)
            price[book] = quotient + (2 * rest > below or (2 * rest == below and quotient % 2 == 1))
    return price


def _share(call: Call, price_of: Price) -> Outcome:
    from market.local_kernels import share_books

    if call.retail is None:
        what = f"design {call.design.name!r} shares at prices made of the retailer's"
        raise ConfigError(what, where="trade", do="give `retail`, what it asks and what it pays")
    books = open_books(call.orders, by_price=False)
    rows = pick_rows(call.orders, books.rows)
    energy, party = net_of_parties(rows, books), rows["party"].astype(np.int64)
    # where the retailer pays as much as it asks there is nothing to gain by sharing, and no price between the two
    asks, pays = (call.retail[books.market, books.area, way] for way in (0, 1))
    energy[np.repeat(asks <= pays, np.diff(books.start))] = 0
    filled = np.zeros(len(energy), np.int64)
    share_books(books.start, books.middle, energy, party, call.design.lot_wh, filled)
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(energy)])
    supply, demand = total[books.middle] - total[books.start[:-1]], total[books.start[1:]] - total[books.middle]
    price = price_of(asks, pays, supply.tolist(), demand.tolist())
    return form_local(call, books, filled, np.stack([price, price], 1))


def net_of_parties(orders: Table, books: LocalBooks) -> Int:
    """Energy each row keeps when a party's sales and purchases in one book cancel out (rows,) [Wh], first rows first.

    `orders` are the rows of the books, in their order.
    """
    book = np.repeat(np.arange(len(books.middle)), np.diff(books.start))
    key = book << 32 | orders["party"]
    _, who = np.unique(key, return_inverse=True)
    buys = orders["side"] == int(Side.BUY)
    energy, both = orders["energy"].astype(np.int64), np.zeros((2, int(who.max(initial=-1)) + 1), np.int64)
    np.add.at(both, (buys.astype(np.int64), who), energy)
    net = np.maximum(both - both[::-1], 0)[buys.astype(np.int64), who]
    return np.asarray(np.clip(net - _before(2 * who + buys, energy), 0, energy))


def _before(group: Int, energy: Int) -> Int:
    """Sum of the energies before each row within its group."""
    place = np.argsort(group, kind="stable")
    running = np.cumsum(energy[place]) - energy[place]
    first = np.flatnonzero(np.diff(group[place], prepend=-1))
    out = np.empty_like(energy)
    out[place] = running - np.repeat(running[first], np.diff(np.append(first, len(group))))
    return out
