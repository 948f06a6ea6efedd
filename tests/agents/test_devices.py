"""Batteries: energy is conserved to the Wh, limits are kept, losses fall on the owner."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.devices import Battery, charge_limit, discharge_limit, pick_devices, run_battery, wear_cost
from market.units import PPM
from tests.strategies import batteries

SCHEDULES = st.lists(st.integers(-6_000, 6_000), min_size=1, max_size=60)


@given(batteries(), st.integers(0, PPM), SCHEDULES)
def test_no_schedule_breaks_a_battery(battery: Battery, start_ppm: int, schedule: list[int]) -> None:
    """Stored energy stays within [0, capacity], the terminals within the power, and never more than was asked."""
    stored = battery.capacity_wh * start_ppm // PPM
    for wanted in schedule:
        passed, stored = run_battery(battery, stored, np.array([wanted]))
        assert 0 <= stored[0] <= battery.capacity_wh[0]
        assert abs(passed[0]) <= battery.power_wh[0]
        assert passed[0] * np.sign(wanted) >= 0
        assert abs(passed[0]) <= abs(wanted)


@given(batteries(), st.integers(0, PPM), SCHEDULES)
def test_energy_in_is_energy_out_plus_losses_plus_what_is_stored(
    battery: Battery, start_ppm: int, schedule: list[int]
) -> None:
    """Losses are what is missing; each step's loss is the efficiency's, less than 1 Wh above it, never negative."""
    first = stored = battery.capacity_wh * start_ppm // PPM
    terminals = losses = 0
    for wanted in schedule:
        passed, after = run_battery(battery, stored, np.array([wanted]))
        loss = int(passed[0] - (after[0] - stored[0]))
        rate = PPM - int(battery.efficiency_ppm[0])
        exact = passed[0] * rate / PPM if passed[0] > 0 else -passed[0] * rate / battery.efficiency_ppm[0]
        assert loss >= 0
        assert exact - 1e-6 <= loss < exact + 1
        terminals, losses, stored = terminals + int(passed[0]), losses + loss, after
    assert terminals == losses + int(stored[0] - first[0])


@given(batteries(), st.integers(0, PPM))
def test_the_limits_are_the_largest_energies_that_pass(battery: Battery, start_ppm: int) -> None:
    """What the limits name passes whole; one Wh more does not."""
    stored = battery.capacity_wh * start_ppm // PPM
    most, least = charge_limit(battery, stored), -discharge_limit(battery, stored)
    for wanted, beyond in ((most, most + 1), (least, least - 1)):
        assert (run_battery(battery, stored, wanted)[0] == wanted).all()
        assert (run_battery(battery, stored, beyond)[0] == wanted).all()


@given(batteries(), SCHEDULES)
def test_a_round_trip_never_gains_energy(battery: Battery, schedule: list[int]) -> None:
    """From empty, what came out is at most what went in."""
    stored, balance = np.array([0]), 0
    for wanted in schedule:
        passed, stored = run_battery(battery, stored, np.array([wanted]))
        balance += int(passed[0])
        assert balance >= 0


@given(batteries(), st.integers(-9_000, 9_000))
def test_wear_is_paid_per_energy_discharged_only(battery: Battery, passed: int) -> None:
    """Charging costs no wear; discharging costs its price for each Wh."""
    expected = -passed * int(battery.wear_mjpy_kwh[0]) if passed < 0 else 0
    assert wear_cost(battery, np.array([passed])).tolist() == [expected]


def test_a_party_without_a_battery_passes_nothing() -> None:
    """Zero capacity and power mean none, whatever the efficiency says."""
    none = Battery(*(np.array([0]) for _ in range(4)))
    for wanted in (-5, 0, 5):
        assert [part.tolist() for part in run_battery(none, np.array([0]), np.array([wanted]))] == [[0], [0]]


@given(st.integers(0, 2**32 - 1))
def test_a_fleet_runs_each_battery_as_if_alone(seed: int) -> None:
    """Columns of many worlds and parties give what each gives by itself."""
    dice = np.random.default_rng(seed)
    columns = [dice.integers(low, high, 5) for low, high in ((0, 3_000), (0, 9_000), (600_000, PPM), (0, 9_000))]
    stored = dice.integers(0, columns[1] + 1, (4, 5))
    wanted = dice.integers(-4_000, 4_000, (4, 5))
    passed, after = run_battery(Battery(*columns), stored, wanted)
    for party in range(5):
        alone = Battery(*(column[party : party + 1] for column in columns))
        for world in range(4):
            one = run_battery(alone, stored[world, party : party + 1], wanted[world, party : party + 1])
            assert (int(one[0][0]), int(one[1][0])) == (passed[world, party], after[world, party])


def full_battery(dice: np.random.Generator, shape: tuple[int, ...] = (5,)) -> Battery:
    """Batteries that use every column, "none" among their values."""
    capacity = dice.integers(1, 9_000, shape)
    return Battery(
        power_wh=dice.integers(0, 3_000, shape),
        capacity_wh=capacity,
        efficiency_ppm=dice.integers(600_000, PPM + 1, shape),
        wear_mjpy_kwh=dice.integers(0, 9_000, shape),
        lowest_wh=dice.integers(0, capacity // 2 + 1),
        self_discharge_ppm=dice.integers(0, 20_000, shape),
        discharge_ppm=dice.integers(600_000, PPM + 1, shape) * dice.integers(0, 2, shape),
        discharge_wh=dice.integers(1, 3_000, shape) * dice.integers(0, 2, shape),
    )


@given(st.integers(0, 2**32 - 1))
def test_every_column_of_a_battery_keeps_its_limits_and_conserves_energy(seed: int) -> None:
    """Terminals = losses + change of state in each slot, losses never negative, no discharge below the lowest state."""
    dice = np.random.default_rng(seed)
    battery = full_battery(dice)
    stored = dice.integers(battery.lowest_wh, battery.capacity_wh + 1, (3, 5))
    for _ in range(20):
        wanted = dice.integers(-4_000, 4_000, (3, 5))
        passed, after = run_battery(battery, stored, wanted)
        kept = np.maximum(passed, 0) * battery.efficiency_ppm // PPM
        drawn = -(-np.maximum(-passed, 0) * PPM // battery.given_ppm)
        rested = (stored + kept - drawn) * (PPM - battery.self_discharge_ppm) // PPM
        assert (after == rested).all()
        assert (passed - (after - stored) >= 0).all()
        assert (passed <= battery.power_wh).all()
        assert (-passed <= battery.given_wh).all()
        assert (after <= battery.capacity_wh).all()
        assert (stored + kept - drawn >= np.minimum(stored, battery.lowest_wh)).all()
        stored = after


@given(batteries(), st.integers(0, PPM), SCHEDULES)
def test_columns_of_none_change_nothing(battery: Battery, start_ppm: int, schedule: list[int]) -> None:
    """Columns of zeros give what a battery of the first four columns gives."""
    none = np.zeros_like(battery.capacity_wh)
    same = replace(battery, lowest_wh=none, self_discharge_ppm=none, discharge_ppm=none, discharge_wh=none)
    stored = battery.capacity_wh * start_ppm // PPM
    for wanted in schedule:
        here = run_battery(battery, stored, np.array([wanted]))
        assert here == run_battery(same, stored, np.array([wanted]))
        stored = here[1]


@pytest.mark.parametrize(("start", "after"), [(10_000, 9_989), (9_999, 9_988), (1, 0), (0, 0)])
def test_self_discharge_is_rounded_down_at_the_end_of_the_slot(start: int, after: int) -> None:
    """1,050 ppm of 10,000 Wh are 10.5 Wh: 9,989 are left."""
    one = [np.array([value]) for value in (2_500, 10_000, PPM, 0)]
    resting = Battery(*one, self_discharge_ppm=np.array([1_050]))
    assert run_battery(resting, np.array([start]), np.array([0]))[1].tolist() == [after]


@given(st.integers(0, 2**32 - 1))
def test_picked_batteries_run_as_they_do_in_their_table(seed: int) -> None:
    """A window on some rows, a single number standing for a whole column included."""
    dice = np.random.default_rng(seed)
    battery = replace(full_battery(dice), self_discharge_ppm=500)
    stored, wanted = dice.integers(0, battery.capacity_wh + 1, (3, 5)), dice.integers(-4_000, 4_000, (3, 5))
    passed, after = run_battery(battery, stored, wanted)
    rows = np.array([3, 1])
    alone = run_battery(pick_devices(battery, rows), stored[:, rows], wanted[:, rows])
    assert (alone[0] == passed[:, rows]).all()
    assert (alone[1] == after[:, rows]).all()
