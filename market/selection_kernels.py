"""The uniform price as a weighted quantile, found by counting instead of sorting (numba kernel).

Let every order count with its energy, sells and buys alike, at its limit price. The energy counted at prices <= p is
S(p) + W - B(p+), where W is all that is wanted, so "the lowest p with S(p) >= B(p+)" is the lowest price at which the
count reaches W. Two rounds of counting (coarse prices, then the prices inside one coarse step) find it without a sort.

This module needs numba: import it inside functions only.
"""

import numpy as np
from numba import njit

from market.orders import Side
from market.units import Int

BUY = int(Side.BUY)
BINS_BITS = 10
BINS = 1 << BINS_BITS


@njit(cache=True)
def reach(count: Int, bins: int, wanted: int) -> int:
    """First bin at which the running count reaches `wanted`; the energy before it is left in count[bins]."""
    total = 0
    for place in range(bins):
        if total + count[place] >= wanted:
            count[bins] = total
            return place
        total += count[place]
    count[bins] = total
    return bins


@njit(cache=True, nogil=True)
def select_prices(start: Int, side: Int, price: Int, energy: Int, floor: int, out_price: Int, out_volume: Int) -> None:
    """Lowest clearing price and traded volume of each book with rows start[k] .. start[k + 1], in place.

    Side, price and energy (orders,) of any integer dtype; volume 0 means no trade.
    """
    count = np.zeros(BINS + 1, np.int64)
    for book in range(len(start) - 1):
        first, stop = start[book], start[book + 1]
        out_price[book], out_volume[book] = floor, 0
        if first == stop:
            continue
        low = high = price[first]
        wanted = 0
        for row in range(first, stop):
            low, high = min(low, price[row]), max(high, price[row])
            wanted += energy[row] * (side[row] == BUY)
        shift = 0
        while (high - low) >> shift >= BINS:
            shift += 1
        base, width, before = low, high - low, 0
        # each round counts the orders of the step found by the round before, in steps 2^10 times finer
        while True:
            bins = (width >> shift) + 1
            count[: bins + 1] = 0
            for row in range(first, stop):
                above = price[row] - base
                if 0 <= above <= width:
                    count[above >> shift] += energy[row]
            place = reach(count, bins, wanted - before)
            before += count[bins]
            base += place << shift
            if shift == 0 or place == bins:
                break
            width = (1 << shift) - 1
            shift = max(shift - BINS_BITS, 0)
        found = max(base, floor)
        offered = asked = 0
        for row in range(first, stop):
            buys = side[row] == BUY
            offered += energy[row] * ((not buys) & (price[row] <= found))
            asked += energy[row] * (buys & (price[row] >= found))
        out_price[book], out_volume[book] = found, min(offered, asked)
