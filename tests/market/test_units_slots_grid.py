"""Quantities, the half-hour calendar, tables and grids."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.grid import Grid, Line
from market.orders import ORDER, ORDER_FIELDS, ORDER_WIRE
from market.slots import HALF_HOURS, SlotCalendar
from market.tables import describe, from_wire, to_wire
from market.units import divide_half_even, mjpy_from_jpy, share_largest_remainder, wh_from_kwh

SQUARE = Grid(("a", "b", "c", "d"), (Line("ab", 0, 1), Line("bc", 1, 2), Line("cd", 2, 3), Line("da", 3, 0)))


def test_prices_and_energies_are_read_exactly() -> None:
    """Decimal text becomes whole mJPY/kWh and Wh without a float on the way."""
    assert mjpy_from_jpy("999.99") == 999_990
    assert mjpy_from_jpy(0.1) == 100
    assert wh_from_kwh(Decimal("0.001")) == 1


def test_what_is_finer_than_the_unit_is_refused() -> None:
    """Nothing is rounded silently."""
    with pytest.raises(ValueError, match=r"0\.001 JPY/kWh"):
        mjpy_from_jpy("0.0001")
    with pytest.raises(ValueError, match="1 Wh"):
        wh_from_kwh("0.0005")


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_division_rounds_half_to_even(numerator: int, denominator: int) -> None:
    """As Python rounds the exact fraction."""
    expected = round(Decimal(numerator) / Decimal(denominator)) if denominator in (1, 2, 4, 5, 8, 10) else None
    found = int(divide_half_even(np.array([numerator]), denominator)[0])
    assert abs(2 * (found * denominator - numerator)) <= denominator
    if abs(2 * (found * denominator - numerator)) == denominator:
        assert found % 2 == 0
    assert expected in (None, found)


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=9))
def test_shares_add_up_and_stay_within_one_unit_of_proportion(total: int, weights: list[int]) -> None:
    """Largest remainder: whole units, nothing lost."""
    shares = share_largest_remainder(total, np.array(weights))
    if sum(weights) == 0:
        assert not shares.any()
        return
    assert shares.sum() == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(int(share) * sum(weights) - total * weight) < sum(weights)


def test_ties_of_shares_go_to_the_lower_index() -> None:
    """Two units among three equals."""
    assert share_largest_remainder(2, np.array([1, 1, 1])).tolist() == [1, 1, 0]


def test_a_day_has_48_half_hours_and_the_gate_is_one_hour() -> None:
    """Slots count from 2000-01-01 00:00 JST."""
    assert (HALF_HOURS.per_day, HALF_HOURS.gate, HALF_HOURS.year) == (48, 2, 17_520)
    assert HALF_HOURS.first_of(date(2000, 1, 2)) == 48
    assert HALF_HOURS.label(HALF_HOURS.first_of(date(2018, 4, 1)) + 19) == "2018-04-01 09:30"
    assert HALF_HOURS.auction_slot_of_day == 20


def test_quarter_hours_work_as_well() -> None:
    """15 minutes: 96 a day, gate four slots (paper 3.1)."""
    assert (SlotCalendar(15).per_day, SlotCalendar(15).gate) == (96, 4)


@pytest.mark.parametrize("minutes", [0, -30, 7, 45])
def test_a_slot_that_does_not_divide_an_hour_is_refused(minutes: int) -> None:
    """The gate must fall on a slot boundary."""
    with pytest.raises(ValueError, match="does not divide an hour"):
        SlotCalendar(minutes)


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.integers(0, 47))
def test_slot_and_day_agree(day: date, of_day: int) -> None:
    """A slot lies in the day it was counted from."""
    slot = HALF_HOURS.first_of(day) + of_day
    assert HALF_HOURS.day_of(slot) == day
    assert HALF_HOURS.of_day(slot) == of_day


def test_order_rows_survive_the_wire() -> None:
    """Wire columns come back; what is not on the wire is zero."""
    table = np.zeros(2, ORDER)
    table[0] = (1, 1, 3, 2, 325_000, 10**10, -10, 77, 5, 6, 7, 8)
    back = from_wire(to_wire(table, ORDER_WIRE).tobytes(), ORDER_WIRE, ORDER)
    for name in ORDER_WIRE.names or ():
        assert (back[name] == table[name]).all()
    assert not back["party"].any()
    assert not back["sequence"].any()


def test_every_order_column_is_documented() -> None:
    """The schema is the documentation."""
    text = describe(ORDER_FIELDS)
    assert all(f"| {field.name} |" in text and field.meaning for field in ORDER_FIELDS)


def test_paths_are_simple_and_ordered_by_length_then_line() -> None:
    """From a to c both ways round the square; then from a to b directly first."""
    first, stop = SQUARE.path_ranges[0, 2]
    assert SQUARE.paths[first:stop] == ((1, 2), (-4, -3))
    first, stop = SQUARE.path_ranges[0, 1]
    assert SQUARE.paths[first:stop] == ((1,), (-4, -3, -2))


def test_every_path_leads_from_its_source_to_its_target() -> None:
    """Walking the signed lines ends where the range says, without visiting an area twice."""
    for source in range(4):
        for target in range(4):
            for row in range(*SQUARE.path_ranges[source, target]):
                seen = [source]
                for step in SQUARE.paths[row]:
                    line = SQUARE.lines[abs(step) - 1]
                    begin, end = (line.source, line.target) if step > 0 else (line.target, line.source)
                    assert begin == seen[-1]
                    seen.append(end)
                assert seen[-1] == target
                assert len(set(seen)) == len(seen)
                assert [step for step in SQUARE.path_table[row] if step] == list(SQUARE.paths[row])


def test_the_empty_path_is_the_only_one_within_an_area() -> None:
    """Row 0."""
    assert SQUARE.paths[0] == ()
    assert SQUARE.path_ranges[2, 2].tolist() == [0, 1]


@pytest.mark.parametrize("ends", [(0, 0), (0, 4), (-1, 0)])
def test_a_line_must_join_two_areas_of_the_grid(ends: tuple[int, int]) -> None:
    """Misuse gets one clear line."""
    with pytest.raises(ValueError, match="must join two different areas"):
        Grid(("a", "b", "c", "d"), (Line("bad", *ends),))
