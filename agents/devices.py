"""Devices behind the meter as array steps on integers [Wh per slot].

Own PV serves own load first; the battery then makes the meter follow the plan (design: trade is at
the meter). Losses are taken in whole Wh against the owner: a charge of x stores floor(x * eff), a
discharge of y draws ceil(y / eff) from the cells.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from market.units import PPM, Int


@dataclass(frozen=True)
class Battery:
    """Battery columns, any common shape; zero capacity means none.

    power_wh [Wh per slot at the terminals], capacity_wh [Wh in the cells], efficiency_ppm one way,
    wear_mjpy_kwh [mJPY per kWh discharged at the terminals].
    """

    power_wh: Int
    capacity_wh: Int
    efficiency_ppm: Int
    wear_mjpy_kwh: Int

    @cached_property
    def exists(self) -> bool:
        """Whether any of them stores anything."""
        return bool(self.capacity_wh.any())

    @cached_property
    def divisor_ppm(self) -> Int:
        """Efficiency to divide by, also where there is no battery."""
        return np.maximum(self.efficiency_ppm, 1)


def charge_limit(battery: Battery, stored_wh: Int) -> Int:
    """Most energy the terminals can take in one slot [Wh]."""
    room = battery.capacity_wh - stored_wh
    return np.asarray(np.minimum(battery.power_wh, room * PPM // battery.divisor_ppm))


def discharge_limit(battery: Battery, stored_wh: Int) -> Int:
    """Most energy the terminals can give in one slot [Wh]."""
    return np.asarray(np.minimum(battery.power_wh, stored_wh * battery.efficiency_ppm // PPM))


def run_battery(battery: Battery, stored_wh: Int, wanted_wh: Int) -> tuple[Int, Int]:
    """Charge (wanted > 0) or discharge (wanted < 0) as far as the device can.

    Returns the energy that really passed the terminals [Wh, + is charge] and the stored energy after.
    """
    passed = within(wanted_wh, -discharge_limit(battery, stored_wh), charge_limit(battery, stored_wh))
    return passed, stored_after(battery, stored_wh, passed)


def stored_after(battery: Battery, stored_wh: Int, passed_wh: Int) -> Int:
    """Stored energy after what passed the terminals, which must be within the limits [Wh]."""
    charged = np.maximum(passed_wh, 0)
    gained = charged * battery.efficiency_ppm // PPM
    # floor division of the negative discharge rounds away from zero: the cells give at least what left them
    return stored_wh + gained + (passed_wh - charged) * PPM // battery.divisor_ppm


def within(values: Int, low: Int | int, high: Int | int) -> Int:
    """Values moved into low .. high."""
    # np.clip says the same, but costs four times as much on the short arrays of one world
    return np.minimum(np.maximum(values, low), high)


def wear_cost(battery: Battery, passed_wh: Int) -> Int:
    """Cost of the energy discharged [uJPY]."""
    return np.maximum(-passed_wh, 0) * battery.wear_mjpy_kwh
