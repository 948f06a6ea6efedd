"""McAfee's double auction: one trade is given up so that nobody's own price decides what it pays.

In each area's book, in merit order (ties by party): sellers 1 .. K and buyers 1 .. L trade at the crossing.

1. If they offer and want the same, and p = the middle of the next ask and the next bid (the ends of the band where
   there is none; half to even) is acceptable to all of them, all trade at p.
2. Else seller K and buyer L are left out. The others trade, buyers at L's price, sellers at K's; the side that has more
   is cut in proportion. What buyers pay beyond what sellers get is the exchange's (account `exchange`).

Truthful for parties with one order of given energy. Areas do not trade with one another: across lines no such rule is
both truthful and never in deficit in general. Sources: McAfee 1992, J. Econ. Theory 56(2),
doi:10.1016/0022-0531(92)90091-U; several units: Huang, Scheller-Wolf and Sycara 2002, Comput. Intell. 18(4),
doi:10.1111/1467-8640.t01-1-00206.
"""

import numpy as np

from market.exchange import Call, Outcome
from market.local_books import form_local, open_books


def mcafee(call: Call) -> Outcome:
    """Trade reduction in every area; arguments as in `exchange.trade`."""
    from market.local_kernels import reduce_books

    books, (low, high) = open_books(call.orders, by_price=True), call.design.band_mjpy_kwh
    price = call.orders["price"][books.rows].astype(np.int64)
    energy, party = call.orders["energy"][books.rows], call.orders["party"][books.rows].astype(np.int64)
    filled, paid = np.zeros(len(books.rows), np.int64), np.zeros((len(books.middle), 2), np.int64)
    reduce_books(books.start, books.middle, price, energy, party, low, high, call.design.lot_wh, filled, paid)
    return form_local(call, books, filled, paid)
