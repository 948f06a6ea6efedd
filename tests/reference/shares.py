"""Referee of `ledger.shares`: the field and the interpolation written out, slow and plain."""


def times(one: int, other: int) -> int:
    """Product in the field of AES: shift and add, reduced by x^8 + x^4 + x^3 + x + 1."""
    product = 0
    for bit in range(8):
        if other >> bit & 1:
            product ^= one << bit
    for bit in range(14, 7, -1):
        if product >> bit & 1:
            product ^= 0x11B << (bit - 8)
    return product


def inverse(one: int) -> int:
    """The element whose product with `one` is 1."""
    return next(other for other in range(1, 256) if times(one, other) == 1)


def value_at(coefficients: list[int], place: int) -> int:
    """A polynomial, lowest coefficient first, at one place."""
    total, power = 0, 1
    for coefficient in coefficients:
        total ^= times(coefficient, power)
        power = times(power, place)
    return total


def interpolate(points: dict[int, int], at: int) -> int:
    """The value at one place of the polynomial of lowest degree through the points."""
    total = 0
    for place, value in points.items():
        term = value
        for other in points:
            if other != place:
                term = times(term, times(at ^ other, inverse(place ^ other)))
        total ^= term
    return total
