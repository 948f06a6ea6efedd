"""Order rows against a slow, readable writer."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agents.ordering import write_orders
from market.orders import Kind, Side

FIRST = 320_000


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 4), st.integers(0, 5))
def test_each_open_slot_has_at_most_one_order_a_side_and_unwanted_ones_are_withdrawn(
    seed: int, worlds: int, parties: int, slots: int
) -> None:
    """Rows come by world, party, slot and side, with the numbers of a loop over them."""
    rng = np.random.default_rng(seed)
    shape = (worlds, parties, slots)
    wanted = rng.integers(-2, 3, shape) * rng.integers(1, 3_000, shape)
    price = rng.integers(1, 5_000, shape) * 10
    live = rng.random((*shape, 2)) < 0.3
    area = rng.integers(0, 2, parties)
    first = FIRST + rng.integers(0, 10, worlds) * 48
    expected = []
    for w, p, h in np.ndindex(*shape):
        for side in (Side.BUY, Side.SELL):
            slot, energy = int(first[w]) + h, int(wanted[w, p, h]) * (1 if side == Side.BUY else -1)
            reference = 2 * slot + (side == Side.SELL)
            if energy > 0:
                row = (side, Kind.REPLACE, area[p], 1, slot, energy, price[w, p, h], reference, w, p)
            elif live[w, p, h, side - 1]:
                row = (side, Kind.CANCEL, area[p], 1, slot, 0, 0, reference, w, p)
            else:
                continue
            expected.append(tuple(int(value) for value in row))
    names = ["side", "kind", "area", "time_in_force", "slot", "energy", "price", "reference", "world", "party"]
    assert write_orders(wanted, price, live, area, first)[names].tolist() == expected
