"""Shares of a secret: any k of n give it back, k - 1 say nothing about it.

Shamir's scheme (Shamir 1979, DOI 10.1145/359168.359176), byte by byte over the field of 256 elements with the
polynomial x^8 + x^4 + x^3 + x + 1 of AES (FIPS 197). Share i is the value at i = 1 .. n of a polynomial whose value at
0 is the secret. Randomness is an argument.
"""

from collections.abc import Mapping
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from market.errors import ConfigError

MOST_SHARES = 255
Field = npt.NDArray[np.uint8]


def split_secret(secret: bytes, needed: int, shares: int, dice: bytes) -> tuple[bytes, ...]:
    """Shares 1 .. n of a secret; `dice` are (needed - 1) x len(secret) bytes that nobody can guess.

    Raises:
        ConfigError: not 1 <= needed <= shares <= 255, or another number of random bytes.
    """
    if not 1 <= needed <= shares <= MOST_SHARES:
        raise ConfigError(f"{needed} of {shares} shares is not possible", do=f"give 1 <= k <= n <= {MOST_SHARES}")
    if len(dice) != (needed - 1) * len(secret):
        raise ConfigError(f"{len(dice)} random bytes for {needed - 1} coefficients of {len(secret)} bytes")
    coefficients = np.frombuffer(secret + dice, np.uint8).reshape(needed, len(secret))
    return tuple(_value_at(coefficients, place).tobytes() for place in range(1, shares + 1))


def join_shares(shares: Mapping[int, bytes], at: int = 0) -> bytes:
    """The secret from exactly as many shares as were needed, by number; `at` another place gives that share.

    Raises:
        ConfigError: no share, a number outside 1 .. 255, or shares of different lengths.
    """
    if not shares or not all(1 <= place <= MOST_SHARES for place in shares):
        raise ConfigError("shares are numbered 1 .. 255", do="give as many as are needed")
    if len({len(share) for share in shares.values()}) != 1:
        raise ConfigError("shares have different lengths")
    out = np.zeros(len(next(iter(shares.values()))), np.uint8)
    for weight, share in zip(_weights(tuple(shares), at), shares.values(), strict=True):
        out ^= _products()[weight][np.frombuffer(share, np.uint8)]
    return out.tobytes()


@lru_cache(maxsize=1024)
def _weights(places: tuple[int, ...], at: int) -> tuple[int, ...]:
    """How much each value counts for the one at another place, by Lagrange; to subtract is exclusive or here."""
    weights = []
    for place in places:
        weight = 1
        for other in places:
            if other != place:
                weight = _times(weight, _divide(at ^ other, place ^ other))
        weights.append(weight)
    return tuple(weights)


def _value_at(coefficients: Field, place: int) -> Field:
    """Polynomials (degree + 1, bytes), lowest first, at one place, by Horner's rule."""
    value = np.zeros(coefficients.shape[1], np.uint8)
    for row in coefficients[::-1]:
        value = _products()[place][value] ^ row
    return value


@cache
def _products() -> Field:
    """Products of all pairs of field elements (256, 256)."""
    powers, value = [0] * 510, 1
    logarithm = [0] * 256
    for power in range(255):
        powers[power] = powers[power + 255] = value
        logarithm[value] = power
        # times 3, which generates all of them: times 2 and once more, reduced by the polynomial
        value ^= (value << 1) ^ (0x11B if value & 0x80 else 0)
    table = np.zeros((256, 256), np.uint8)
    for one in range(1, 256):
        table[one, 1:] = [powers[logarithm[one] + logarithm[other]] for other in range(1, 256)]
    return table


def _times(one: int, other: int) -> int:
    return int(_products()[one, other])


def _divide(one: int, other: int) -> int:
    """The element whose product with `other`, which is not zero, is `one`."""
    return int(np.flatnonzero(_products()[other] == one)[0])
