"""Sorting of packed keys (numba): least-significant-digit radix sort, stable, linear in the number of orders.

This module needs numba: import it inside functions only.
"""

import numpy as np
from numba import njit

from market.units import Int

DIGIT_BITS = 11
DIGIT_MASK = (1 << DIGIT_BITS) - 1


@njit(cache=True)
def stable_order(key: Int, bits: int) -> Int:
    """Positions that sort keys in 0 .. 2^bits - 1; equal keys keep their order. `key` is used up."""
    count = len(key)
    order, other_order = np.arange(count), np.empty(count, np.int64)
    other_key, first = np.empty(count, np.int64), np.empty(DIGIT_MASK + 2, np.int64)
    for shift in range(0, bits, DIGIT_BITS):
        first[:] = 0
        for i in range(count):
            first[(key[i] >> shift & DIGIT_MASK) + 1] += 1
        for digit in range(DIGIT_MASK + 1):
            first[digit + 1] += first[digit]
        for i in range(count):
            digit = key[i] >> shift & DIGIT_MASK
            place = first[digit]
            first[digit] += 1
            other_key[place] = key[i]
            other_order[place] = order[i]
        key, other_key = other_key, key
        order, other_order = other_order, order
    return order
