"""A home's slot: the order of devices, every Wh accounted for, and today's battery home as a special case."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agents.devices import Battery, pick_devices, run_battery, wear_cost
from agents.electric_vehicle import Vehicle
from agents.fuel_cell import FuelCell
from agents.heat_pump import HeatPump
from agents.household import Household, HouseholdSlot, HouseholdState, HouseholdStep, run_household
from market.units import PPM
from tests.reference import household as referee

SEEDS = st.integers(0, 2**32 - 1)
WORLDS, HOMES = 2, 4


def random_home(dice: np.random.Generator) -> Household:
    """Small devices with any numbers; some homes lack some of them."""

    def column(low: int, high: int) -> np.ndarray:
        return dice.integers(low, high, HOMES)

    def cells(power: int, capacity: int) -> Battery:
        most = column(0, capacity)
        return Battery(
            column(0, power), most, column(700_000, PPM + 1), column(0, 9), dice.integers(0, most // 3 + 1),
            column(0, 30_000), column(700_000, PPM + 1), column(1, power),
        )  # fmt: skip

    least = column(0, 10)
    return Household(
        cells(60, 200),
        Vehicle(cells(60, 200), column(0, 2) == 1),
        FuelCell(
            column(0, 2) * (least + column(0, 30)), least, column(300_000, 600_000), column(0, 390_000),
            column(800_000, PPM), column(0, 60), column(0, 30_000), column(0, 2) == 1, column(0, 2) == 1,
        ),
        HeatPump(column(0, 2) * column(0, 40), column(0, 150), column(0, 30_000), column(0, 2)),
        column(0, 80) if dice.integers(2) else None,
        column(0, 2) == 1,
    )  # fmt: skip


def random_state(dice: np.random.Generator, home: Household) -> HouseholdState:
    """Anything that fits."""
    assert home.vehicle
    assert home.cell
    assert home.heater
    tops = (home.battery.capacity_wh, home.vehicle.battery.capacity_wh, home.cell.tank_wh, home.heater.tank_wh)
    return HouseholdState(*(dice.integers(0, top + 1, (WORLDS, HOMES)) for top in tops))


def random_slot(dice: np.random.Generator) -> HouseholdSlot:
    """Any load, sun, contract, hot water and plans; a car drives only when it is away."""

    def column(low: int, high: int) -> np.ndarray:
        return dice.integers(low, high, (WORLDS, HOMES))

    plugged = column(0, 3) > 0
    return HouseholdSlot(
        column(0, 60), column(0, 120), column(-150, 100), column(0, 60), column(0, 40), column(PPM, 5 * PPM),
        column(0, 2) * column(0, 50), plugged, column(0, 150), column(0, 120) * ~plugged,
    )  # fmt: skip


def one_home(home: Household, before: HouseholdState, w: int, h: int) -> referee.Home:
    """The referee's home for one row."""
    assert home.vehicle
    assert home.cell
    assert home.heater

    def cells(b: Battery, stored: np.ndarray) -> referee.Cells:
        columns = (b.power_wh, b.given_wh, b.capacity_wh, b.lowest_wh, b.efficiency_ppm, b.given_ppm)
        return referee.Cells(
            int(stored[w, h]),
            *(int(c[h]) for c in (*columns, b.self_discharge_ppm, b.wear_mjpy_kwh)),  # type: ignore[index]
        )

    cell, pump = home.cell, home.heater
    names = ("most", "least", "electric", "heat", "boiler", "always", "exports")
    columns = (cell.most_wh, cell.least_wh, cell.electric_ppm, cell.heat_ppm, cell.boiler_ppm)
    numbers = [int(c[h]) for c in (*columns, cell.always_on, cell.exports)]
    tanks = [
        referee.Tank(int(held[w, h]), int(device.tank_wh[h]), int(device.lost_ppm[h]))
        for held, device in ((before.cell_tank_wh, cell), (before.heater_tank_wh, pump))
    ]
    return referee.Home(
        cells(home.battery, before.battery_wh),
        cells(home.vehicle.battery, before.vehicle_wh),
        bool(home.vehicle.feeds_home[h]),
        dict(zip(names, numbers, strict=True)),
        tanks[0],
        {"power": int(pump.power_wh[h])},
        tanks[1],
        None if home.export_limit_wh is None else int(home.export_limit_wh[h]),
        bool(home.curtails is not None and home.curtails[h]),
    )


@given(SEEDS)
def test_a_home_does_what_the_rules_give_when_followed_wh_by_wh(seed: int) -> None:
    """Reading, set point, states, gas and wear of homes of many worlds equal the referee's, home by home."""
    dice = np.random.default_rng(seed)
    home = random_home(dice)
    before = random_state(dice, home)
    for _ in range(2):
        slot = random_slot(dice)
        step = run_household(home, before, slot)
        for w, h in np.ndindex(WORLDS, HOMES):
            one = one_home(home, before, w, h)
            got = referee.run_home(one, referee.Slot(*(column[w, h].item() for column in vars(slot).values())))
            point = step.set_point[w, h]
            assert got["reading"] == step.reading_wh[w, h]
            parts = ("battery", "vehicle", "solar", "cell", "heater")
            assert [got[name] for name in parts] == list(point.tolist())
            assert got["solar"] == slot.solar_wh[w, h] - step.curtailed_wh[w, h]
            sums = (step.gas_wh, step.wear_ujpy, step.charged_away_wh, step.vented_wh)
            assert [got["gas"], got["wear"], got["away"], one.cell_tank.vented] == [c[w, h] for c in sums]
            assert one.car
            held = (one.battery.stored, one.car.stored, one.cell_tank.held, one.pump_tank.held)
            assert list(held) == [column[w, h] for column in vars(step.after).values()]
        before = step.after


@given(SEEDS)
def test_the_meter_is_the_sum_of_what_is_behind_it_and_the_limit_is_kept(seed: int) -> None:
    """Reading = load + heater + battery + vehicle - cell - solar; export within the limit; nothing cut below zero."""
    dice = np.random.default_rng(seed)
    home = replace(random_home(dice), export_limit_wh=dice.integers(0, 80, HOMES))
    step = run_household(home, random_state(dice, home), slot := random_slot(dice))
    point = step.set_point
    flows = point["heater_wh"] + point["battery_wh"] + point["vehicle_wh"] - point["fuel_cell_wh"] - point["solar_wh"]
    assert (step.reading_wh == slot.load_wh + flows).all()
    assert (-step.reading_wh <= home.export_limit_wh).all()
    assert ((step.curtailed_wh >= 0) & (step.curtailed_wh <= slot.solar_wh)).all()


@given(SEEDS)
def test_with_load_pv_and_battery_only_it_is_the_battery_following_the_plan(seed: int) -> None:
    """The same arithmetic as running the battery with plan less net: reading, stored energy and wear."""
    dice = np.random.default_rng(seed)
    battery = Battery(
        dice.integers(0, 2_500, 5), dice.integers(0, 10_000, 5), dice.integers(600_000, PPM + 1, 5),
        dice.integers(0, 20_000, 5),
    )  # fmt: skip
    stored = dice.integers(0, battery.capacity_wh + 1, (3, 5))
    load, solar, plan = (dice.integers(low, 3_000, (3, 5)) for low in (0, 0, -3_000))
    step = run_household(Household(battery), HouseholdState(stored), HouseholdSlot(load, solar, plan))
    passed, after = run_battery(battery, stored, plan - (load - solar))
    assert (step.reading_wh == load - solar + passed).all()
    assert (step.after.battery_wh == after).all()
    assert (step.wear_ujpy == wear_cost(battery, passed)).all()
    assert (step.set_point["solar_wh"] == solar).all()


@given(SEEDS)
def test_a_home_alone_is_a_row_of_the_table(seed: int) -> None:
    """A window on one home, in every column and every device, gives what the table gives."""
    dice = np.random.default_rng(seed)
    home = random_home(dice)
    before, slot = random_state(dice, home), random_slot(dice)
    step = run_household(home, before, slot)
    for h in range(HOMES):
        row = [h]
        alone = run_household(pick_devices(home, row), pick_devices(before, row), pick_devices(slot, row))
        assert equal(alone, pick_devices(step, row))
        assert (alone.set_point == step.set_point[:, row]).all()


def equal(one: HouseholdStep, other: HouseholdStep) -> bool:
    """Every column of two steps."""
    flat = [
        [*vars(step.after).values(), *(value for name, value in vars(step).items() if name != "after")]
        for step in (one, other)
    ]
    return all((a == b).all() for a, b in zip(*flat, strict=True))


def test_the_battery_serves_the_contract_before_the_car_does() -> None:
    """A sale of 3 kWh: 2.5 from the battery, the rest from a car that feeds the home unless it is planned to charge."""
    one = np.array([1])
    battery = Battery(2_500 * one, 10_000 * one, PPM * one, 0 * one)
    home = Household(battery, Vehicle(Battery(3_000 * one, 36_000 * one, PPM * one, 0 * one), one == 1))
    before = HouseholdState(9_000 * one, 30_000 * one)
    slot = HouseholdSlot(0 * one, 0 * one, -3_000 * one, plugged=one == 1, trip_needs_wh=20_000 * one)
    assert run_household(home, before, slot).set_point.tolist() == [(-2_500, -500, 0, 0, 0)]
    charging = run_household(home, before, replace(slot, vehicle_plan_wh=1_000 * one))
    assert (charging.set_point.tolist(), charging.reading_wh.tolist()) == ([(-2_500, 1_000, 0, 0, 0)], [-1_500])
