"""One price for each book (シングルプライスオークション), for any number of books in one call.

The price is the lowest p with S(p) >= B(p+), S = offered at <= p, B(p+) = wanted strictly above p, not below the floor
of the band (JEPX 取引規程 Art. 17 and 18). The volume is the largest any price allows.
`market.splitting` gives the same prices with fills and contracts; here nothing is sorted.
"""

import numpy as np

from market.exchange import NO_PRICE
from market.tables import Table
from market.units import Int


def clear_books(start: Int, side: Table, price: Table, energy: Table, floor: int) -> tuple[Int, Int]:
    """Price and traded volume of each book, (books,) int64 [mJPY/kWh, Wh]; NO_PRICE and 0 without trade.

    Args:
        start: (books + 1,) first row of each book, and the end.
        side: (orders,) 1 buy, 2 sell; any integer dtype, as price and energy.
        price: (orders,) limit prices [mJPY/kWh].
        energy: (orders,) [Wh]; one side of a book stays below 2^38 Wh.
        floor: lowest price of the band [mJPY/kWh].
    """
    from market.selection_kernels import select_prices

    found, volume = np.empty((2, len(start) - 1), np.int64)
    select_prices(np.asarray(start, np.int64), side, price, energy, floor, found, volume)
    found[volume == 0] = NO_PRICE
    return found, volume
