"""What stands behind some meters beside PV and battery, and what their DGC plans for it.

Vehicle and water heater are planned over the next day by the rules of their devices, from published prices and what
the owner says or usually draws. A half hour whose gate has closed keeps the plan it had then, so that the net energy
that was planned and sold counts on what is going to happen. A fuel cell is expected to do what it did a day before.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from agents.devices import charge_limit, pick_devices, stored_after, within
from agents.electric_vehicle import Charging, Habit, Vehicle, before_departure, charge_schedule
from agents.heat_pump import HeatPump, plan_heating, run_heat_pump
from agents.household import Household, HouseholdState
from market.slots import HALF_HOURS
from market.units import Int

Mask = npt.NDArray[np.bool_]

DAY, GATE = HALF_HOURS.per_day, HALF_HOURS.gate
PLANNED = GATE + DAY
"""Slots of a plan: those whose gates are closed, and a day."""


@dataclass(frozen=True)
class Equipment:
    """Columns (n,) of the n homes that have more than PV and battery.

    rows of the fleet, rising; home: all their devices; charging: rule of each vehicle; gas_mjpy_kwh by lower heating
    value; hot_water_wh: mean heat of a day; habits: how the homes of a group, a slice of the n, drive.
    """

    rows: Int
    home: Household
    charging: Int
    gas_mjpy_kwh: Int
    hot_water_wh: Int
    habits: tuple[tuple[slice, Habit], ...]

    @cached_property
    def car_rows(self) -> Int:
        """Which of the n have a car."""
        return _places(None if self.home.vehicle is None else self.home.vehicle.battery.capacity_wh)

    @cached_property
    def cars(self) -> Vehicle | None:
        """The cars of those."""
        return None if self.home.vehicle is None else pick_devices(self.home.vehicle, self.car_rows)

    @cached_property
    def heater_rows(self) -> Int:
        """Which of the n have a water heater."""
        return _places(None if self.home.heater is None else self.home.heater.power_wh)

    @cached_property
    def heaters(self) -> HeatPump | None:
        """The heaters of those."""
        return None if self.home.heater is None else pick_devices(self.home.heater, self.heater_rows)

    @cached_property
    def has_cell(self) -> Mask:
        """Homes with a fuel cell."""
        none = np.zeros(len(self.rows), np.bool_)
        return none if self.home.cell is None else np.asarray(self.home.cell.most_wh > 0)


@dataclass(frozen=True)
class Outlook:
    """What the DGCs know of the PLANNED slots from now on, (w, n, PLANNED).

    plugged up to the next departure and needed_wh in the cells for it; price [mJPY/kWh] as published; heat_wh expected
    to be drawn from the heater's tank; cop [ppm]; net_wh: load less PV.
    """

    slot: int
    plugged: Mask
    needed_wh: Int
    price: Int
    heat_wh: Int
    cop: Int
    net_wh: Int


@dataclass(frozen=True)
class Schedule:
    """Energy planned from now on, (w, n, PLANNED) [Wh]: into vehicle and heater, out of the cell."""

    vehicle_wh: Int
    heater_wh: Int
    cell_wh: Int

    @property
    def net_wh(self) -> Int:
        """What the schedule adds to load less PV."""
        return self.vehicle_wh + self.heater_wh - self.cell_wh


def _places(size: Int | None) -> Int:
    return np.zeros(0, np.int64) if size is None else np.flatnonzero(size > 0)


def plan_devices(equipment: Equipment, state: HouseholdState, known: Outlook, before: Schedule) -> Schedule:
    """The schedule from now on; `before` is that of the slot before, one slot late: its closed slots stay."""
    return Schedule(
        _plan_vehicles(equipment, state, known, before.vehicle_wh),
        _plan_heaters(equipment, state, known, before.heater_wh),
        before.cell_wh,
    )


def no_schedule(worlds: int, homes: int) -> Schedule:
    """Nothing planned."""
    nothing = np.zeros((worlds, homes, PLANNED), np.int64)
    return Schedule(nothing, nothing, nothing)


def _plan_vehicles(equipment: Equipment, state: HouseholdState, known: Outlook, fixed_wh: Int) -> Int:
    vehicle, mine = equipment.cars, equipment.car_rows
    if vehicle is None:
        return fixed_wh
    stored, fixed = np.asarray(state.vehicle_wh)[:, mine], fixed_wh[:, mine, :GATE]
    for step in range(GATE):
        passed = within(fixed[..., step], 0, charge_limit(vehicle.battery, stored))
        stored = stored_after(vehicle.battery, stored, passed)
    slot = np.arange(known.slot + GATE, known.slot + PLANNED)
    rule = equipment.charging[mine, None]
    later = np.where(rule == Charging.AT_ONCE, slot, slot % DAY)
    order = np.where(rule == Charging.CHEAPEST, known.price[:, mine, GATE:], later)
    usable = before_departure(known.plugged[:, mine])[..., GATE:]
    charge = charge_schedule(vehicle, stored, known.needed_wh[:, mine, GATE], usable, order)
    return _joined(fixed_wh.shape, mine, fixed, charge)


def _plan_heaters(equipment: Equipment, state: HouseholdState, known: Outlook, fixed_wh: Int) -> Int:
    pump, mine = equipment.heaters, equipment.heater_rows
    if pump is None:
        return fixed_wh
    held, fixed = np.asarray(state.heater_tank_wh)[:, mine], fixed_wh[:, mine, :GATE]
    heat, cop = known.heat_wh[:, mine], known.cop
    for step in range(GATE):
        held = run_heat_pump(pump, held, heat[..., step], fixed[..., step], cop[..., step]).held_wh
    slot = np.arange(known.slot + GATE, known.slot + PLANNED)
    surplus = np.maximum(-known.net_wh[:, mine, GATE:], 0)
    filling = plan_heating(pump, held, heat[..., GATE:], cop[..., GATE:], slot, surplus)
    return _joined(fixed_wh.shape, mine, fixed, filling)


def _joined(shape: tuple[int, ...], rows: Int, fixed_wh: Int, planned_wh: Int) -> Int:
    """The plan of all homes: closed slots and open ones of those that have the device."""
    plan = np.zeros(shape, np.int64)
    plan[:, rows, :GATE], plan[:, rows, GATE:] = fixed_wh, planned_wh
    return plan
