"""Filling a store in an order: the need is met exactly, in the slots that come first, one row as in its table."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agents.scheduling import fill_in_order
from market.units import PPM

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
def test_the_need_is_stored_exactly_from_the_first_slots_of_the_order(seed: int) -> None:
    """A loop over the slots from the lowest order on gives the same; each takes the least that stores what is left."""
    dice = np.random.default_rng(seed)
    order, usable = dice.integers(0, 5, (3, 4, 8)), dice.random((3, 4, 8)) < 0.6
    most, rate = dice.integers(0, 2_000, 4), dice.integers(300_000, 5_000_000, (3, 4, 8))
    needed = dice.integers(-100, 9_000, (3, 4))
    taken = fill_in_order(order, usable, most, rate, needed)
    for row in np.ndindex(3, 4):
        left, expected = int(needed[row]), [0] * 8
        for slot in sorted(range(8), key=lambda at, row=row: (order[row][at], at)):
            if usable[row][slot] and left > 0:
                least = -(-left * PPM // int(rate[row][slot]))
                expected[slot] = min(least, int(most[row[1]]))
                left -= expected[slot] * int(rate[row][slot]) // PPM
        assert taken[row].tolist() == expected


def test_no_usable_slot_takes_nothing() -> None:
    """A need without slots is left, not squeezed into others."""
    taken = fill_in_order(
        np.zeros((1, 3), np.int64), np.zeros((1, 3), bool), np.array([500]), np.array(PPM), np.array([9])
    )
    assert taken.tolist() == [[0, 0, 0]]
