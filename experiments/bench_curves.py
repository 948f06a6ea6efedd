"""Speed of clearing all published curves of a file, against the textbook loop over two curves at a time.

Both sides start from the same loaded columns (price, cumulated sales, cumulated purchases) and end with a price for
each curve; reading the file is on neither. The reference looks up both cumulated curves at each limit price of a book
with NumPy and takes the lowest price at which supply meets what is wanted above it.
"""

from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from experiments.bench_rows import BenchRow
from experiments.jepx_curves import read_curves
from market.curves import Curves, clear_curves
from market.design import find_design
from market.exchange import NO_PRICE
from market.units import Int

ROUNDS = 5
SECONDS = 1.0
TARGET = 1.0
"""The month must take under a second; going through orders and the one engine must not cost more than the loop."""


def bench_curves(path: Path) -> list[BenchRow]:
    """One row: every curve of the file, medians of alternating rounds; `same` also says that it took under a second."""
    curves, floor = read_curves(path).curves, find_design("spot").band_mjpy_kwh[0]
    ours, theirs = [], []
    mine, _ = clear_curves(curves, floor)
    other = two_curve_loop(curves, floor)
    for _ in range(ROUNDS):
        start = perf_counter()
        clear_curves(curves, floor)
        middle = perf_counter()
        two_curve_loop(curves, floor)
        ours.append(middle - start)
        theirs.append(perf_counter() - middle)
    what = f"{len(mine):,} published curves, {len(curves.price):,} rows"
    same = bool((mine == other).all()) and median(ours) < SECONDS
    return [BenchRow(what, "NumPy, two curves at a time", median(ours), median(theirs), TARGET, same)]


def two_curve_loop(curves: Curves, floor: int) -> Int:
    """Lowest clearing price of each curve, one after another; NO_PRICE without trade."""
    prices = np.full(len(curves.start) - 1, NO_PRICE)
    for book in range(len(prices)):
        rows = slice(curves.start[book], curves.start[book + 1])
        price, sell, buy = curves.price[rows], curves.sell[rows], curves.buy[rows]
        last = np.searchsorted(price, price, side="right") - 1
        wanted_above = np.append(buy, 0)[last + 1]
        # the lowest listed price that clears, or the floor of the band
        place = int(np.argmax(sell[last] >= wanted_above))
        found = max(int(price[place]), floor)
        offered = sell[np.searchsorted(price, found, side="right") - 1]
        wanted = np.append(buy, 0)[np.searchsorted(price, found, side="left")]
        if min(offered, wanted) > 0:
            prices[book] = found
    return prices
