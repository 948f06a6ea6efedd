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


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 4), st.integers(0, 5))
def test_a_second_side_is_a_row_of_its_own_and_never_takes_the_first_ones_place(
    seed: int, worlds: int, parties: int, slots: int
) -> None:
    """With orders on both sides each slot sends both; a second order on the side of the first is not sent."""
    rng = np.random.default_rng(seed)
    shape = (worlds, parties, slots)
    wanted, other = (rng.integers(-1, 2, shape) * rng.integers(1, 3_000, shape) for _ in range(2))
    price, other_price = (rng.integers(1, 5_000, shape) * 10 for _ in range(2))
    live, first = rng.random((*shape, 2)) < 0.3, FIRST + np.arange(worlds)
    expected = []
    for w, p, h in np.ndindex(*shape):
        for side, sign in ((Side.BUY, 1), (Side.SELL, -1)):
            sent = [
                (abs(int(energy[w, p, h])), int(limit[w, p, h]))
                for energy, limit in ((wanted, price), (other, other_price))
                if energy[w, p, h] * sign > 0
            ]
            if sent or live[w, p, h, side - 1]:
                kind = Kind.REPLACE if sent else Kind.CANCEL
                expected.append((int(side), int(kind), int(first[w]) + h, *(sent[0] if sent else (0, 0)), w, p))
    rows = write_orders(wanted, price, live, np.zeros(parties, np.int64), first, other, other_price)
    assert rows[["side", "kind", "slot", "energy", "price", "world", "party"]].tolist() == expected
