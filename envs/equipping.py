"""From the tables of a scenario file to the columns of devices: `agents.equipment` and `agents.thermal`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from agents.devices import Battery, pick_devices
from agents.electric_vehicle import Charging, Habit, Vehicle
from agents.equipment import Equipment
from agents.fuel_cell import PEFC, SOFC, FuelCell, FuelCellType, fuel_cells
from agents.heat_pump import Filling, HeatPump, common_heat_pump
from agents.household import Household
from agents.thermal import UNIT_TYPES, ThermalUnits, UnitType, units_of
from envs.device_specs import VehicleSpec
from envs.groups import HomesSpec, ThermalSpec
from envs.quantities import SLOTS_PER_HOUR, slot_energy_wh
from market.units import PPM, UJPY_PER_JPY, Int, mjpy_from_jpy

RULES = {"cheapest": Charging.CHEAPEST, "at-once": Charging.AT_ONCE, "midnight": Charging.MIDNIGHT}
CELLS = {"sofc": SOFC, "pefc": PEFC}
FILLINGS = {"night": Filling.NIGHT, "day": Filling.DAY}
NO_VEHICLE = VehicleSpec(kwh=0.0, kw=0.0, discharge_kw=0.0)


def equipment_of(groups: Sequence[HomesSpec], battery: Battery, export_limit_wh: Int) -> Equipment | None:
    """The homes of equipped groups, None without any; `battery` and `export_limit_wh` are those of the whole fleet."""
    stops = np.cumsum([group.count for group in groups]).tolist()
    equipped = [(group, np.arange(stop - group.count, stop)) for group, stop in zip(groups, stops, strict=True)]
    equipped = [(group, rows) for group, rows in equipped if group.is_equipped and group.count]
    if not equipped:
        return None
    kinds = [group for group, _ in equipped]
    counts = [group.count for group in kinds]
    rows = np.concatenate([rows for _, rows in equipped])

    def column(values: list[int]) -> Int:
        return np.repeat(np.array(values, np.int64), counts)

    home = Household(
        battery=pick_devices(battery, rows),
        vehicle=_vehicles(kinds, column),
        cell=_cells(kinds, counts),
        heater=_heaters(kinds, column),
        export_limit_wh=export_limit_wh[rows],
        curtails=column([group.curtail_to_contract for group in kinds]) > 0,
    )
    gas = [mjpy_from_jpy(group.fuel_cell.gas_jpy_kwh) if group.fuel_cell else 0 for group in kinds]
    hot = [round(group.hot_water_kwh * 1000) if group.fuel_cell or group.water_heater else 0 for group in kinds]
    charging = [RULES[group.vehicle.charging] if group.vehicle else 0 for group in kinds]
    return Equipment(rows, home, column(charging), column(gas), column(hot), _habits(kinds, counts))


def units_of_groups(groups: Sequence[ThermalSpec]) -> ThermalUnits | None:
    """Columns of all thermal units, None where no group says anything of limits, starts or CO2."""
    if not any(group.is_limited for group in groups):
        return None
    kinds = tuple(_kind_of(group, mjpy_from_jpy(cost)) for group in groups for cost in group.cost_jpy_kwh)
    most = np.array([slot_energy_wh(kw) for group in groups for kw in group.units_kw], np.int64)
    units = units_of(kinds, most)

    def said(key: str, scale: int, other: Int) -> Int:
        given = [getattr(group, key) for group in groups for _ in group.units_kw]
        pairs = zip(given, other.tolist(), strict=True)
        return np.array([kept if value is None else round(value * scale) for value, kept in pairs], np.int64)

    return replace(
        units,
        start_ujpy=said("start_cost_jpy", UJPY_PER_JPY, units.start_ujpy),
        up_slots=said("min_up_hours", SLOTS_PER_HOUR, units.up_slots),
        down_slots=said("min_down_hours", SLOTS_PER_HOUR, units.down_slots),
    )


def _kind_of(group: ThermalSpec, cost_mjpy_kwh: int) -> UnitType:
    """The group's type with what the file says in its place."""
    kind = UNIT_TYPES[group.type]

    def said(value: float | None, scale: int, other: int) -> int:
        return other if value is None else round(value * scale)

    return UnitType(
        name=group.name,
        cost_mjpy_kwh=cost_mjpy_kwh,
        idle_mjpy_kwh=said(group.idle_jpy_kwh, 1000, kind.idle_mjpy_kwh),
        least_ppm=said(group.min_load, PPM, kind.least_ppm),
        ramp_ppm=said(group.ramp, PPM, kind.ramp_ppm),
        up_hours=kind.up_hours,
        down_hours=kind.down_hours,
        start_mjpy_kw=kind.start_mjpy_kw,
        co2_g_kwh=said(group.co2_g_kwh, 1, kind.co2_g_kwh),
        idle_g_kwh=said(group.idle_g_kwh, 1, kind.idle_g_kwh),
    )


def _vehicles(kinds: Sequence[HomesSpec], column: Any) -> Vehicle | None:
    if all(group.vehicle is None for group in kinds):
        return None
    cars = [group.vehicle or NO_VEHICLE for group in kinds]
    battery = Battery(
        power_wh=column([slot_energy_wh(car.kw) for car in cars]),
        capacity_wh=column([round(car.kwh * 1000 * car.charge_range[1]) for car in cars]),
        efficiency_ppm=column([round(car.round_trip**0.5 * PPM) for car in cars]),
        wear_mjpy_kwh=column([mjpy_from_jpy(car.wear_jpy_kwh) for car in cars]),
        lowest_wh=column([round(car.kwh * 1000 * car.charge_range[0]) for car in cars]),
        discharge_wh=column([slot_energy_wh(car.discharge_kw) for car in cars]),
    )
    return Vehicle(battery, column([car.feeds_home for car in cars]) > 0)


def _cells(kinds: Sequence[HomesSpec], counts: list[int]) -> FuelCell | None:
    if all(group.fuel_cell is None for group in kinds):
        return None
    types: list[FuelCellType | None] = []
    for group, count in zip(kinds, counts, strict=True):
        types += [CELLS[group.fuel_cell.type] if group.fuel_cell else None] * count
    cells = fuel_cells(tuple(types))
    exports = np.repeat([bool(group.fuel_cell and group.fuel_cell.exports) for group in kinds], counts)
    return replace(cells, exports=exports)


def _heaters(kinds: Sequence[HomesSpec], column: Any) -> HeatPump | None:
    heaters = [group.water_heater for group in kinds]
    if all(heater is None for heater in heaters):
        return None
    pumps = [
        common_heat_pump(
            np.array(heater is not None),
            np.array(FILLINGS[heater.filling] if heater else Filling.NIGHT, np.int64),
            heater.litres if heater else 0,
            slot_energy_wh(heater.kw) if heater else 0,
        )
        for heater in heaters
    ]
    names = ("power_wh", "tank_wh", "lost_ppm", "filling")
    return HeatPump(*(column([int(getattr(pump, name)) for pump in pumps]) for name in names))


def _habits(kinds: Sequence[HomesSpec], counts: list[int]) -> tuple[tuple[slice, Habit], ...]:
    """How the homes of each group with a car drive."""
    habits, first = [], 0
    for group, count in zip(kinds, counts, strict=True):
        if group.vehicle:
            car = group.vehicle
            habit = Habit(
                drives_ppm=round(car.drives * PPM),
                leaves=_half_hours(car.leaves),
                returns=_half_hours(car.returns),
                driving_wh=(round(car.driving_kwh[0] * 1000), round(car.driving_kwh[1] * 1000)),
            )
            habits.append((slice(first, first + count), habit))
        first += count
    return tuple(habits)


def _half_hours(hours: tuple[float, float]) -> tuple[int, int]:
    return round(hours[0] * SLOTS_PER_HOUR), round(hours[1] * SLOTS_PER_HOUR)
