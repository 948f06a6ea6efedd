"""Quantities: energy in Wh, price in mJPY/kWh, money in uJPY, all int64.

price x energy *is* money: 1 mJPY/kWh x 1 Wh = 1 uJPY, without factor or rounding. Energies are
never negative (an order carries its side); positions are positive for receiving energy; postings
are positive for receiving money. Every rule that must divide names its rounding and uses
`divide_half_even` or `share_largest_remainder` from here.
"""

from decimal import Decimal

import numpy as np
import numpy.typing as npt

Int = npt.NDArray[np.int64]

WH_PER_KWH = 1_000
MJPY_PER_JPY = 1_000
UJPY_PER_JPY = 1_000_000
PPM = 1_000_000

PRICE_BOUND = 1 << 24
"""Largest |price| [mJPY/kWh] (exclusive), so that every prefix sum of price x energy stays below 2^62."""
ENERGY_BOUND = 1 << 38
"""Largest sum of one side of one book [Wh] (exclusive)."""


def mjpy_from_jpy(price_jpy_kwh: float | str | Decimal) -> int:
    """Price [JPY/kWh] as whole mJPY/kWh; raises ValueError when it is finer than 1 mJPY."""
    return _whole(Decimal(str(price_jpy_kwh)) * MJPY_PER_JPY, "price", "0.001 JPY/kWh")


def wh_from_kwh(energy_kwh: float | str | Decimal) -> int:
    """Energy [kWh] as whole Wh; raises ValueError when it is finer than 1 Wh."""
    return _whole(Decimal(str(energy_kwh)) * WH_PER_KWH, "energy", "1 Wh")


def divide_half_even(numerator: Int, denominator: int) -> Int:
    """Integer quotient rounded half to even; arrays of any shape, denominator > 0."""
    quotient, remainder = np.divmod(np.asarray(numerator, np.int64), np.int64(denominator))
    twice = 2 * remainder
    up = (twice > denominator) | ((twice == denominator) & (quotient % 2 == 1))
    return np.asarray(quotient + up, np.int64)


def share_largest_remainder(total: int, weights: Int) -> Int:
    """Split `total` >= 0 in proportion to `weights` >= 0 (n,), whole units, ties to the lower index.

    Source: largest-remainder (Hamilton) apportionment. Without any weight nothing is shared.
    """
    weight_sum = sum(int(w) for w in weights)
    if weight_sum == 0:
        return np.zeros(len(weights), np.int64)
    floors = np.array([total * int(w) // weight_sum for w in weights], np.int64)
    rests = [total * int(w) % weight_sum for w in weights]
    missing = total - int(floors.sum())
    for index in sorted(range(len(rests)), key=lambda i: (-rests[i], i))[:missing]:
        floors[index] += 1
    return floors


def _whole(value: Decimal, what: str, step: str) -> int:
    if value != value.to_integral_value():
        raise ValueError(f"{what} {value} is finer than {step}")
    return int(value)
