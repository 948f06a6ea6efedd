"""Thermal units: never an output they cannot have, the nearest to what is wanted, costs and CO2 by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.devices import pick_devices
from agents.thermal import (
    COAL,
    FREE,
    GTCC,
    OIL,
    UNIT_TYPES,
    ThermalUnits,
    UnitState,
    co2_g,
    fuel_cost,
    run_units,
    start_cost,
    units_at_rest,
    units_of,
)
from market.units import Int
from tests.reference.thermal_units import Unit, run_unit

SEEDS = st.integers(0, 2**32 - 1)


def random_units(dice: np.random.Generator, count: int) -> ThermalUnits:
    """Small units with any limits."""
    most = dice.integers(0, 13, count)
    return replace(
        units_of((FREE,) * count, most),
        least_wh=dice.integers(0, most + 1),
        ramp_wh=dice.integers(0, 15, count),
        up_slots=dice.integers(0, 4, count),
        down_slots=dice.integers(0, 4, count),
    )


@given(SEEDS)
def test_units_do_what_the_rules_read_one_by_one_allow(seed: int) -> None:
    """Output, run length and starts equal the referee's, which lists every possible output, for any wishes."""
    dice = np.random.default_rng(seed)
    units = random_units(dice, 4)
    rows = [Unit(*(int(c[u]) for c in (units.most_wh, units.least_wh, units.ramp_wh, units.up_slots, units.down_slots)))
            for u in range(4)]  # fmt: skip
    state = units_at_rest(units, 2)
    expected = {(w, u): (0, -rows[u].down, False) for w in range(2) for u in range(4)}
    for _ in range(25):
        wanted = dice.integers(-3, 16, (2, 4))
        output, state, started = run_units(units, state, wanted)
        for (w, u), (made, run, _) in expected.items():
            expected[w, u] = run_unit(rows[u], made, run, int(wanted[w, u]))
            assert expected[w, u] == (output[w, u], state.run_slots[w, u], started[w, u])


@given(st.lists(st.integers(-10, 60_000), min_size=1, max_size=30))
def test_a_unit_without_limits_makes_exactly_what_is_wanted(wishes: list[int]) -> None:
    """Up to its most and never below zero; nothing of the costs of running or starting."""
    units = units_of((FREE,), np.array([50_000]))
    state = units_at_rest(units, 1)
    for wanted in wishes:
        output, state, started = run_units(units, state, np.array([[wanted]]))
        assert output.tolist() == [[min(max(wanted, 0), 50_000)]]
        assert start_cost(units, started).tolist() == [[0]]


def outputs_of(units: ThermalUnits, wishes: list[int]) -> list[int]:
    """One unit run through its wishes from a standstill."""
    state, made = units_at_rest(units, 1), []
    for wanted in wishes:
        output, state, _ = run_units(units, state, np.array([[wanted]]))
        made.append(int(output[0, 0]))
    return made


def test_a_stop_from_full_load_comes_down_through_minimum_load() -> None:
    """Ramp 30 of 100, minimum 40: 100, 70, 40, then it may stop; and a start begins at minimum load."""
    units = replace(units_of((FREE,), np.array([100])), least_wh=np.array([40]), ramp_wh=np.array([30]))
    assert outputs_of(units, [100, 100, 100, 0, 0, 0]) == [40, 70, 100, 70, 40, 0]


def test_minimum_run_and_standstill_are_kept() -> None:
    """Two slots up and three down at least, whatever is wanted."""
    units = replace(
        units_of((FREE,), np.array([100])),
        least_wh=np.array([40]),
        up_slots=np.array([2]),
        down_slots=np.array([3]),
    )
    assert outputs_of(units, [50, 0, 0, 50, 50, 50, 50]) == [50, 40, 0, 0, 0, 50, 50]


@pytest.mark.parametrize(("wanted", "made"), [(19, 0), (20, 40), (21, 40)])
def test_halfway_to_minimum_load_a_unit_runs(wanted: int, made: int) -> None:
    """Nearest of standstill and minimum load; at a tie it runs, so that a contract is rather kept than broken."""
    units = replace(units_of((FREE,), np.array([100])), least_wh=np.array([40]))
    assert outputs_of(units, [wanted]) == [made]


@pytest.mark.parametrize(("kind", "jpy_kwh", "g_kwh"), [(COAL, 3.196, 759), (GTCC, 10.157, 310), (OIL, 24.195, 626)])
def test_an_hour_at_full_load_costs_and_emits_what_the_source_says(kind: object, jpy_kwh: float, g_kwh: int) -> None:
    """Fuel slope and no-load cost of UCGRB test data together, per kWh."""
    units = units_of((kind,), np.array([500_000]))  # type: ignore[arg-type]
    state = UnitState(np.array([500_000]), np.array([9]))
    assert fuel_cost(units, state).tolist() == [round(500_000 * jpy_kwh * 1_000)]
    assert co2_g(units, state).tolist() == [500 * g_kwh]


def test_a_megawatt_of_coal_has_the_limits_of_its_kind() -> None:
    """30 % least, 2 % a minute, 4 hours up, 8 down, 1,500 JPY a start and MW; standing still costs nothing."""
    units = units_of((UNIT_TYPES["coal"],), np.array([500_000]))
    limits = (units.least_wh, units.ramp_wh, units.up_slots, units.down_slots, units.start_ujpy)
    assert [int(column[0]) for column in limits] == [150_000, 300_000, 8, 16, 1_500 * 10**6]
    rest = UnitState(np.array([0]), np.array([-3]))
    assert (int(fuel_cost(units, rest)[0]), int(co2_g(units, rest)[0])) == (0, 0)
    assert start_cost(units, np.array([True])).tolist() == [1_500 * 10**6]


@given(SEEDS)
def test_picked_units_run_as_they_do_in_their_table(seed: int) -> None:
    """A window on one unit gives what the column gives."""
    dice = np.random.default_rng(seed)
    units = random_units(dice, 3)
    state = UnitState(dice.integers(units.least_wh, units.most_wh + 1, (2, 3)), dice.integers(1, 5, (2, 3)))
    wanted: Int = dice.integers(-3, 16, (2, 3))
    output, after, started = run_units(units, state, wanted)
    for unit in range(3):
        row = [unit]
        alone = run_units(pick_devices(units, row), pick_devices(state, row), wanted[:, row])
        assert (alone[0] == output[:, row]).all()
        assert (alone[1].run_slots == after.run_slots[:, row]).all()
        assert (alone[2] == started[:, row]).all()


def test_the_page_shows_the_kinds_as_the_code_has_them() -> None:
    """Each row of the table in docs/devices.md is written from its kind."""
    page = (Path(__file__).parents[2] / "docs/devices.md").read_text("utf-8")
    for kind in (COAL, GTCC, OIL):
        costs = (kind.cost_mjpy_kwh, kind.idle_mjpy_kwh, kind.start_mjpy_kw)
        made, idle, start = (f"{cost / 1_000:.3f}" for cost in costs)
        limits = (
            f"{kind.least_ppm / 10_000:g} % | {kind.ramp_ppm / 10_000:g} %/min | {kind.up_hours}, {kind.down_hours} h"
        )
        co2 = f"{kind.co2_g_kwh} | {kind.idle_g_kwh}"
        assert f"| {kind.name} | {made} | {idle} | {limits} | {start} | {co2} |" in page
