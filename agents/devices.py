"""Devices behind the meter as array steps on integers [Wh per slot].

Own PV serves own load first; the battery then makes the meter follow the plan (design: trade is at
the meter). Losses are taken in whole Wh against the owner: a charge of x stores floor(x * eff), a
discharge of y draws ceil(y / eff) from the cells, and what is stored at the end of a slot is rounded
down after self-discharge.
"""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from market.units import PPM, Int

Device = TypeVar("Device", bound=Any)

NONE = 0
"""Default of a column that no device of the table needs."""


def pick_devices(devices: Device, rows: Any) -> Device:
    """Some devices of a table of columns: every column, and every table within, at these rows of its last axis."""
    columns = {field.name: getattr(devices, field.name) for field in fields(devices)}
    return replace(devices, **{name: _pick(column, rows) for name, column in columns.items()})


def _pick(column: Any, rows: Any) -> Any:
    if isinstance(column, np.ndarray):
        return column[..., rows]
    return column if column is None or isinstance(column, int) else pick_devices(column, rows)


@dataclass(frozen=True)
class Battery:
    """Battery columns, any common shape; zero capacity means none.

    power_wh [Wh per slot at the terminals], capacity_wh [Wh in the cells, at most], efficiency_ppm one
    way, wear_mjpy_kwh [mJPY per kWh discharged at the terminals]. The others mean "none" where they are
    0: lowest_wh [Wh in the cells] stops a discharge, self_discharge_ppm is lost per slot of what is
    stored at its end, discharge_ppm is the efficiency of a discharge where it differs from that of a
    charge, discharge_wh the power of a discharge where it differs [Wh per slot].
    """

    power_wh: Int
    capacity_wh: Int
    efficiency_ppm: Int
    wear_mjpy_kwh: Int
    lowest_wh: Int | int = NONE
    self_discharge_ppm: Int | int = NONE
    discharge_ppm: Int | int = NONE
    discharge_wh: Int | int = NONE

    @cached_property
    def exists(self) -> bool:
        """Whether any of them stores anything."""
        return bool(self.capacity_wh.any())

    @cached_property
    def divisor_ppm(self) -> Int:
        """Efficiency of a charge to divide by, also where there is no battery."""
        return np.maximum(self.efficiency_ppm, 1)

    @cached_property
    def given_ppm(self) -> Int:
        """Efficiency of a discharge."""
        return _unless_none(self.discharge_ppm, self.efficiency_ppm)

    @cached_property
    def given_divisor_ppm(self) -> Int:
        """Efficiency of a discharge to divide by, also where there is no battery."""
        return np.maximum(self.given_ppm, 1)

    @cached_property
    def given_wh(self) -> Int:
        """Most energy of a discharge in one slot at the terminals [Wh]."""
        return _unless_none(self.discharge_wh, self.power_wh)

    @cached_property
    def has_lowest(self) -> bool:
        """Whether any of them stops a discharge before it is empty."""
        return bool(np.any(self.lowest_wh))

    @cached_property
    def leaks(self) -> bool:
        """Whether any of them loses energy by itself."""
        return bool(np.any(self.self_discharge_ppm))


def _unless_none(column: Int | int, other: Int) -> Int:
    return np.where(np.asarray(column) == NONE, other, column) if np.any(column) else other


def charge_limit(battery: Battery, stored_wh: Int) -> Int:
    """Most energy the terminals can take in one slot [Wh]."""
    room = battery.capacity_wh - stored_wh
    return np.asarray(np.minimum(battery.power_wh, room * PPM // battery.divisor_ppm))


def discharge_limit(battery: Battery, stored_wh: Int) -> Int:
    """Most energy the terminals can give in one slot [Wh]; none below the lowest state of charge."""
    if battery.has_lowest:
        stored_wh = np.maximum(stored_wh - battery.lowest_wh, 0)
    return np.asarray(np.minimum(battery.given_wh, stored_wh * battery.given_ppm // PPM))


def run_battery(battery: Battery, stored_wh: Int, wanted_wh: Int) -> tuple[Int, Int]:
    """Charge (wanted > 0) or discharge (wanted < 0) as far as the device can.

    Returns the energy that really passed the terminals [Wh, + is charge] and the stored energy after.
    """
    passed = within(wanted_wh, -discharge_limit(battery, stored_wh), charge_limit(battery, stored_wh))
    return passed, stored_after(battery, stored_wh, passed)


def stored_after(battery: Battery, stored_wh: Int, passed_wh: Int) -> Int:
    """Stored energy at the end of the slot after what passed the terminals, which must be within the limits [Wh]."""
    charged = np.maximum(passed_wh, 0)
    gained = charged * battery.efficiency_ppm // PPM
    # floor division of the negative discharge rounds away from zero: the cells give at least what left them
    stored_wh = stored_wh + gained + (passed_wh - charged) * PPM // battery.given_divisor_ppm
    return keep_after_loss(stored_wh, battery.self_discharge_ppm) if battery.leaks else stored_wh


def keep_after_loss(stored_wh: Int, lost_ppm: Int | int) -> Int:
    """What is left of stored energy after a slot's loss by itself, rounded down against the owner [Wh]."""
    return np.asarray(stored_wh * (PPM - lost_ppm) // PPM)


def within(values: Int, low: Int | int, high: Int | int) -> Int:
    """Values moved into low .. high."""
    # np.clip says the same, but costs four times as much on the short arrays of one world
    return np.minimum(np.maximum(values, low), high)


def wear_cost(battery: Battery, passed_wh: Int) -> Int:
    """Cost of the energy discharged [uJPY]."""
    return np.maximum(-passed_wh, 0) * battery.wear_mjpy_kwh
