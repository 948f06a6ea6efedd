"""Electric vehicles: energy is conserved, departures find what they need if they can, the cheapest slots are used."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.devices import pick_devices
from agents.electric_vehicle import (
    Charging,
    Habit,
    Vehicle,
    before_departure,
    charge_schedule,
    charging_order,
    common_vehicle,
    draw_driving,
    drive,
    needed_for_trip,
    run_vehicle,
)
from market.slots import HALF_HOURS
from market.units import PPM

DAY = HALF_HOURS.per_day
SEEDS = st.integers(0, 2**32 - 1)


def cars(feeds: tuple[bool, ...]) -> Vehicle:
    """Common cars, some of which feed the home."""
    return common_vehicle(np.ones(len(feeds), bool), np.array(feeds), np.full(len(feeds), 10_000))


@given(SEEDS)
def test_energy_taken_is_energy_fed_driven_lost_or_stored(seed: int) -> None:
    """Slot by slot: terminals = change of state + what was driven from the cells + losses, which are never negative."""
    dice = np.random.default_rng(seed)
    vehicle = cars((True, False, True))
    trips = draw_driving(Habit(driving_wh=(0, 40_000)), seed, np.arange(2), np.arange(3), np.array([5, 9]), 2)
    needed = needed_for_trip(vehicle, trips.driving_wh)
    stored = dice.integers(vehicle.battery.lowest_wh, vehicle.battery.capacity_wh + 1, (2, 3))
    for slot in range(2 * DAY):
        wanted = dice.integers(-5_000, 5_000, (2, 3))
        plugged = trips.plugged[..., slot]
        passed, held = run_vehicle(vehicle, stored, wanted, plugged, needed[..., slot])
        after, away = drive(vehicle, held, trips.driving_wh[..., slot])
        assert (passed - (held - stored) >= 0).all()
        assert (held - after + away == trips.driving_wh[..., slot]).all()
        assert (away >= 0).all()
        assert (passed[~plugged] == 0).all()
        assert (passed[:, 1] >= 0).all()
        assert ((after >= 8_000) & (after <= 36_000)).all()
        assert (passed <= 3_350).all()
        assert (passed >= -3_000).all()
        stored = after


@given(SEEDS)
def test_the_home_never_gets_what_the_next_departure_needs(seed: int) -> None:
    """Feeding the home stops at the state of charge the trip needs; a car below it gives nothing."""
    dice = np.random.default_rng(seed)
    vehicle = cars((True,) * 4)
    stored, needed = dice.integers(8_000, 36_001, 4), dice.integers(0, 36_001, 4)
    passed, after = run_vehicle(vehicle, stored, np.full(4, -9_999), np.ones(4, bool), needed)
    assert (after >= np.minimum(stored, needed)).all()
    assert (passed[stored <= needed] == 0).all()


@given(SEEDS)
def test_a_schedule_passes_as_planned_and_brings_what_is_needed(seed: int) -> None:
    """Run slot by slot, the car ends with exactly the need if the slots suffice, else with all they can bring."""
    dice = np.random.default_rng(seed)
    vehicle = cars((False,) * 3)
    stored, needed = dice.integers(8_000, 36_000, (2, 3)), dice.integers(0, 36_000, (2, 3))
    usable, price = dice.random((2, 3, 20)) < 0.5, dice.integers(-5_000, 20_000, (2, 3, 20))
    plan = charge_schedule(vehicle, stored, needed, usable, price)
    end = stored
    for slot in range(20):
        passed, end = run_vehicle(vehicle, end, plan[..., slot], usable[..., slot], 0)
        assert (passed == plan[..., slot]).all()
    goal = np.maximum(needed, stored)
    full = np.where(usable, 3_350, 0)
    assert (end == np.minimum(goal, stored + (full * vehicle.battery.efficiency_ppm[:, None] // PPM).sum(-1))).all()


def test_ties_are_charged_in_the_earlier_slot() -> None:
    """At one price the first slots are used, and the last of them in part."""
    plan = charge_schedule(
        cars((False,)), np.array([8_000]), np.array([12_000]), np.ones((1, 4), bool), np.full((1, 4), 7_000)
    )
    assert plan.tolist() == [[3_350, 1_270, 0, 0]]


@pytest.mark.parametrize(
    ("rule", "used"), [(Charging.CHEAPEST, [0, 4]), (Charging.AT_ONCE, [0, 1]), (Charging.MIDNIGHT, [2, 3])]
)
def test_each_charging_rule_has_its_slots(rule: Charging, used: list[int]) -> None:
    """The cheapest, the first, or the first from midnight on; here the third slot begins at midnight."""
    price = np.array([[3_000, 9_000, 8_000, 7_000, 2_000]])
    slots = np.arange(46, 51)
    plan = charge_schedule(
        cars((False,)),
        np.array([8_000]),
        np.array([8_000 + 2 * 2_901]),
        np.ones((1, 5), bool),
        charging_order(rule, price, slots),
    )
    assert np.flatnonzero(plan[0]).tolist() == used


def test_a_departure_that_is_too_near_is_charged_for_in_every_slot_and_the_rest_away() -> None:
    """8 kWh above the lowest state are wanted in one slot that stores 2,901 Wh: 5,099 Wh are charged away from home."""
    vehicle = cars((False,))
    plan = charge_schedule(vehicle, np.array([8_000]), np.array([16_000]), np.ones((1, 1), bool), np.zeros((1, 1), int))
    _, stored = run_vehicle(vehicle, np.array([8_000]), plan[:, 0], np.array([True]), 16_000)
    after, away = drive(vehicle, stored, np.array([8_000]))
    assert (int(after[0]), int(away[0])) == (8_000, 5_099)


def test_the_next_trip_is_what_a_slot_looks_at() -> None:
    """Until a trip leaves it needs its energy above the lowest state, never more than the car holds."""
    driving = np.array([[0, 5_000, 0, 0, 90_000, 0]])
    needed = needed_for_trip(cars((False,)), driving)
    assert needed.tolist() == [[13_000, 13_000, 36_000, 36_000, 36_000, 0]]
    assert before_departure(driving == 0).tolist() == [[True, False, False, False, False, False]]


@given(SEEDS, st.integers(1, 4))
def test_trips_of_a_world_are_the_same_alone(seed: int, days: int) -> None:
    """World i of a batch is world 0 of seed + i; a party's trips do not depend on who else there is."""
    many = draw_driving(Habit(), seed, np.arange(3), np.arange(4), np.array([10, 20, 30]), days)
    alone = draw_driving(Habit(), seed + 2, np.arange(1), np.array([3]), np.array([30]), days)
    assert (many.plugged[2, 3] == alone.plugged[0, 0]).all()
    assert (many.driving_wh[2, 3] == alone.driving_wh[0, 0]).all()


@given(SEEDS)
def test_trips_keep_to_the_habit(seed: int) -> None:
    """At most one trip a day, away between its bounds, its energy at the departure."""
    habit = Habit()
    trips = draw_driving(habit, seed, np.arange(2), np.arange(3), np.array([0, 7]), 3)
    away = ~trips.plugged.reshape(2, 3, 3, DAY)
    driven = trips.driving_wh.reshape(2, 3, 3, DAY)
    goes = away.any(-1)
    first, last = away.argmax(-1)[goes], DAY - 1 - away[..., ::-1].argmax(-1)[goes]
    assert ((first >= 14) & (first <= 18) & (last >= 33) & (last <= 39)).all()
    assert (away.sum(-1)[goes] == last - first + 1).all()
    energy = np.take_along_axis(driven, away.argmax(-1)[..., None], -1)[..., 0]
    assert (driven.sum(-1) == energy * goes).all()
    assert ((energy[goes] >= 4_000) & (energy[goes] <= 12_000)).all()


def test_most_days_have_a_trip() -> None:
    """About the share of days that the habit says: 80 of 100 by default."""
    trips = draw_driving(Habit(), 1, np.arange(10), np.arange(10), np.zeros(10, np.int64), 50)
    share = (trips.driving_wh.reshape(-1, DAY).sum(-1) > 0).mean()
    assert 0.78 < share < 0.82


@given(SEEDS)
def test_picked_cars_run_as_they_do_in_their_table(seed: int) -> None:
    """A window on one car gives what the column gives."""
    dice = np.random.default_rng(seed)
    vehicle = cars((True, False, True))
    stored, wanted = dice.integers(8_000, 36_001, (2, 3)), dice.integers(-5_000, 5_000, (2, 3))
    plugged, needed = dice.random((2, 3)) < 0.7, dice.integers(0, 36_001, (2, 3))
    passed, after = run_vehicle(vehicle, stored, wanted, plugged, needed)
    for car in range(3):
        row = [car]
        alone = run_vehicle(pick_devices(vehicle, row), stored[:, row], wanted[:, row], plugged[:, row], needed[:, row])
        assert (alone[0] == passed[:, row]).all()
        assert (alone[1] == after[:, row]).all()


def test_a_home_without_a_car_takes_gives_and_drives_nothing() -> None:
    """Its trips, drawn for every party alike, are not counted as charged away."""
    none = common_vehicle(np.array([False]), np.array([True]), np.array([0]))
    one, zero = np.array([1]), np.array([0])
    for wanted in (-500, 500):
        assert [int(part[0]) for part in run_vehicle(none, zero, wanted * one, one == 1, 0)] == [0, 0]
    assert [int(part[0]) for part in drive(none, zero, 9_000 * one)] == [0, 0]
    assert charge_schedule(none, zero, 9_000 * one, np.ones((1, 2), bool), np.zeros((1, 2), int)).tolist() == [[0, 0]]
