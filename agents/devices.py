"""Devices behind the meter as array steps on integers [Wh per slot].

Own PV serves own load first; the battery then makes the meter follow the plan (design: trade is at
the meter). Losses are taken in whole Wh against the owner: a charge of x stores floor(x * eff), a
discharge of y draws ceil(y / eff) from the cells.
"""

from dataclasses import dataclass

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


def charge_limit(battery: Battery, stored_wh: Int) -> Int:
    """Most energy the terminals can take in one slot [Wh]."""
    room = battery.capacity_wh - stored_wh
    return np.minimum(battery.power_wh, room * PPM // np.maximum(battery.efficiency_ppm, 1))


def discharge_limit(battery: Battery, stored_wh: Int) -> Int:
    """Most energy the terminals can give in one slot [Wh]."""
    return np.minimum(battery.power_wh, stored_wh * battery.efficiency_ppm // PPM)


def run_battery(battery: Battery, stored_wh: Int, wanted_wh: Int) -> tuple[Int, Int]:
    """Charge (wanted > 0) or discharge (wanted < 0) as far as the device can.

    Returns the energy that really passed the terminals [Wh, + is charge] and the stored energy after.
    """
    passed = np.clip(wanted_wh, -discharge_limit(battery, stored_wh), charge_limit(battery, stored_wh))
    gained = np.maximum(passed, 0) * battery.efficiency_ppm // PPM
    drawn = -(-np.maximum(-passed, 0) * PPM // np.maximum(battery.efficiency_ppm, 1))
    return passed, stored_wh + gained - drawn


def wear_cost(battery: Battery, passed_wh: Int) -> Int:
    """Cost of the energy discharged [uJPY]."""
    return np.maximum(-passed_wh, 0) * battery.wear_mjpy_kwh
