"""One source of randomness: a counter-based function of (seed, world, party, slot, purpose).

Nothing keeps a generator: any value of any world can be drawn again, in any order and any batch.
World i has the key seed + i, so world i of a batch is world 0 of a batch with seed + i. The mixing
is the SplitMix64 finaliser (Steele, Lea and Flood 2014, DOI 10.1145/2660193.2660195).
"""

from enum import IntEnum
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from market.units import PPM, Int

Bits = npt.NDArray[np.uint64]

QUANTILES = 4096
_WORD = 2**64 - 1


class Purpose(IntEnum):
    """What a draw is for; two purposes never share a value."""

    START = 1
    SIZE = 2
    LOAD = 3
    CHARGE = 4
    LINE = 5
    WEATHER = 6
    ARRIVAL = 7
    BID = 8
    LOSS = 9
    DELAY = 10
    DRIVES = 20
    LEAVES = 21
    RETURNS = 22
    DISTANCE = 23
    CAR_CHARGE = 24
    HOT_WATER = 25
    INDUCED_VALUE = 33
    INDUCED_TURN = 34
    INDUCED_OFFER = 35
    ADAPTING = 36
    LOAD_MEMORY = 37
    LOAD_PHASE = 38


def draw(seed: int, world: npt.ArrayLike, party: npt.ArrayLike, slot: npt.ArrayLike, purpose: Purpose) -> Bits:
    """64 random bits for each element of the broadcast arguments, uint64."""
    with np.errstate(over="ignore"):
        key = np.asarray(world).astype(np.uint64) + np.uint64(seed & _WORD)
        bits = _mix(key * np.uint64(0x9E3779B97F4A7C15) + np.uint64(purpose * 0xD1B54A32D192ED03 & _WORD))
        bits = _mix(bits ^ (np.asarray(party).astype(np.uint64) * np.uint64(0xAEF17502108EF2D9)))
        return _mix(bits ^ (np.asarray(slot).astype(np.uint64) * np.uint64(0xF1357AEA2E62A9C5)))


def below(bits: Bits, bound: int | Int) -> Int:
    """Whole numbers 0 .. bound - 1 from random bits, bound < 2^31."""
    return ((bits >> np.uint64(33)) * np.uint64(bound) >> np.uint64(31)).astype(np.int64)


def uniform(bits: Bits) -> npt.NDArray[np.float64]:
    """Floats in [0, 1) with 53 bits."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def between(bits: Bits, low: int, high: int) -> Int:
    """Whole numbers low .. high, both ends included."""
    return low + below(bits, high - low + 1)


def lognormal_ppm(bits: Bits, sigma: float) -> Int:
    """Factors with mean one and log standard deviation sigma, in parts per million.

    Values come from a table of 4,096 quantiles, so that no float function is evaluated per draw and
    the result does not depend on how the array is laid out.
    """
    return _quantile_table(sigma)[(bits >> np.uint64(52)).astype(np.int64)]


@lru_cache(maxsize=16)
def _quantile_table(sigma: float) -> Int:
    from statistics import NormalDist

    normal = NormalDist()
    points = [normal.inv_cdf((i + 0.5) / QUANTILES) for i in range(QUANTILES)]
    factors = np.exp(sigma * np.array(points) - sigma * sigma / 2)
    return np.asarray(np.rint(factors / factors.mean() * PPM), np.int64)


def _mix(bits: Bits) -> Bits:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
