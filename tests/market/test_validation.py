"""Order validation: codes that need no clock, sums of a book, duplicates in bulk."""

from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.design import find_design
from market.errors import Refusal
from market.grid import Grid
from market.orders import ORDER, Kind, Side
from market.tables import Table
from market.units import ENERGY_BOUND
from market.validation import check_orders, find_duplicates

GRID = Grid(("north", "south"))
SPOT = find_design("spot")
MANY = 10_000


def rows(count: int) -> Table:
    """Good sales of 1 kWh at 10 JPY/kWh, each with a reference of its own."""
    table = np.zeros(count, ORDER)
    table["side"], table["kind"], table["time_in_force"] = Side.SELL, Kind.NEW, 1
    table["energy"], table["price"], table["reference"] = 1_000, 10_000, np.arange(count)
    return table


def test_ten_thousand_duplicates_are_refused_and_the_rest_enters() -> None:
    """Of equal references the first enters; its neighbours are untouched; the work does not grow with the square."""
    table = rows(2 * MANY)
    table["reference"][MANY // 2 : MANY + MANY // 2] = 7
    before = perf_counter()
    codes = check_orders(SPOT, GRID, table)
    assert perf_counter() - before < 1
    # row 7 itself is the first of them
    assert (codes == Refusal.DUPLICATE_REFERENCE).sum() == MANY
    assert (codes == Refusal.ADMITTED).sum() == MANY


def test_the_clock_goes_before_duplicates_and_after_numbers() -> None:
    """A closed duplicate is closed, a closed row off its tick is off its tick."""
    table = rows(3)
    table["reference"] = 0
    table["price"][2] = 10_001
    clock = np.array([0, Refusal.CLOSED, Refusal.CLOSED], np.uint8)
    assert check_orders(SPOT, GRID, table, clock).tolist() == [0, Refusal.CLOSED, Refusal.OFF_TICK]


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.sampled_from(Side), st.integers(1, 4)), max_size=20))
def test_one_side_of_one_slot_stays_below_the_bound(keys: list[tuple[int, int, Side, int]]) -> None:
    """Against sums kept by hand in quarters of the bound: once full, a book takes no more on that side."""
    table = rows(len(keys))
    quarter = ENERGY_BOUND // 4
    for number, (world, slot, side, quarters) in enumerate(keys):
        table["world"][number], table["slot"][number], table["side"][number] = world, slot, side
        table["energy"][number] = min(quarter * quarters, ENERGY_BOUND - 1)
    sums: dict[tuple[int, int, Side], int] = {}
    expected = []
    for row, key in zip(table, [key[:3] for key in keys], strict=True):
        sums[key] = sums.get(key, 0) + int(row["energy"])
        expected.append(Refusal.TOO_LARGE if sums[key] >= ENERGY_BOUND else Refusal.ADMITTED)
    assert check_orders(SPOT, GRID, table).tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)), max_size=30))
def test_of_equal_references_only_the_first_enters(keys: list[tuple[int, int, int]]) -> None:
    """Against a set kept by hand; worlds and parties do not share references."""
    table = np.zeros(len(keys), ORDER)
    for number, (world, party, reference) in enumerate(sorted(keys, key=lambda key: key[:2])):
        table["world"][number], table["party"][number], table["reference"][number] = world, party, reference
    seen: set[tuple[int, int, int]] = set()
    expected = []
    for number, row in enumerate(table):
        key = int(row["world"]), int(row["party"]), int(row["reference"])
        if key in seen:
            expected.append(number)
        seen.add(key)
    assert sorted(find_duplicates(table)) == expected


@pytest.mark.parametrize("count", [0, 1])
def test_short_tables_pass(count: int) -> None:
    """No row and one row."""
    assert check_orders(SPOT, GRID, rows(count)).tolist() == [0] * count
