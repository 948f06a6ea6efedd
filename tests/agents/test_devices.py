"""Batteries: energy is conserved to the Wh, limits are kept, losses fall on the owner."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agents.devices import Battery, charge_limit, discharge_limit, run_battery, wear_cost
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
