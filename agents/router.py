"""Digital Grid Routers (DGR): one hardware whose software gives it a role, its limits, and what the DGC commands it.

A set point is energy of one slot at the terminals of each device. Voltage and reactive power are not modelled.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from market.slots import HALF_HOURS
from market.tables import Field, Schema, Table, memory_dtype
from market.units import Int

SLOTS_PER_HOUR = 60 // HALF_HOURS.minutes


class RouterRole(IntEnum):
    """What the software makes of a router (paper 3.3): the same hardware, other limits."""

    HOME = 0
    PV = 1
    UPS = 2
    INTERCHANGE = 3
    PLANT = 4


RATING_W = {
    RouterRole.HOME: 5_000,
    RouterRole.PV: 5_000,
    RouterRole.UPS: 6_000,
    RouterRole.INTERCHANGE: 7_500,
    RouterRole.PLANT: 20_000,
}
"""Paper 3.3: 5 kW home battery, 5 kW PV, 6 kW uninterruptible supply, 7.5 kW house to house, 20 kW solar inverter."""

SET_POINT_FIELDS: Schema = (
    Field("battery_wh", "i8", "", "Wh", "battery terminals, + is charge"),
    Field("vehicle_wh", "i8", "", "Wh", "vehicle terminals, + is charge"),
    Field("solar_wh", "i8", "", "Wh", "PV generation allowed"),
    Field("fuel_cell_wh", "i8", "", "Wh", "fuel-cell output"),
    Field("heater_wh", "i8", "", "Wh", "electricity of the water heater, element included"),
)
SET_POINT = memory_dtype(SET_POINT_FIELDS)


@dataclass(frozen=True)
class ExportCut:
    """What is cut of each device so that the meter keeps its limit, (...,) [Wh]."""

    solar_wh: Int
    battery_wh: Int
    vehicle_wh: Int


def role_limit_wh(role: RouterRole) -> int:
    """Most energy of one slot through a router of this role [Wh]."""
    return RATING_W[role] // SLOTS_PER_HOUR


def limit_export(reading_wh: Int, limit_wh: Int, solar_wh: Int, discharge_wh: Int, feed_wh: Int) -> ExportCut:
    """Cut what is beyond the interchange's limit: PV first, then the battery's discharge, then the vehicle's.

    Args:
        reading_wh: the meter, + is import.
        limit_wh: most export of the slot; a delivery beyond it becomes imbalance.
        solar_wh, discharge_wh, feed_wh: what PV, battery and vehicle give, >= 0.
    """
    beyond = np.maximum(-reading_wh - limit_wh, 0)
    solar = np.minimum(beyond, solar_wh)
    battery = np.minimum(beyond - solar, discharge_wh)
    return ExportCut(solar, battery, np.minimum(beyond - solar - battery, feed_wh))


def set_point(battery_wh: Int, vehicle_wh: Int, solar_wh: Int, fuel_cell_wh: Int, heater_wh: Int) -> Table:
    """What the DGC commands its DGR in a slot, rows of `SET_POINT` in the common shape of the columns."""
    columns = (battery_wh, vehicle_wh, solar_wh, fuel_cell_wh, heater_wh)
    points = np.empty(np.broadcast_shapes(*(column.shape for column in columns)), SET_POINT)
    for field, column in zip(SET_POINT_FIELDS, columns, strict=True):
        points[field.name] = column
    return points
