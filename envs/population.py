"""From a scenario to the fleet and the accounts: who lives in the world, in which order.

Order of parties: homes, stores, solar plants, thermal units, each group by group, then one retailer per area.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from agents.devices import Battery
from agents.fleet import NO_COST, NO_GROUP, Fleet, Role
from envs.device_specs import BatterySpec
from envs.equipping import equipment_of, units_of_groups
from envs.groups import ROUTER_KW, GroupSpec, HomesSpec, LoadsSpec, MallSpec, StoresSpec, ThermalSpec
from envs.quantities import slot_energy_wh
from envs.scenario_schema import Scenario
from ledger.executions import RENEWABLE
from market.contracts import Source
from market.errors import ConfigError
from market.groups import BalancingGroup
from market.settlement import Accounts
from market.slots import HALF_HOURS
from market.units import PPM, Int, mjpy_from_jpy

SOURCES = {
    Role.HOME: Source.PROSUMER,
    Role.STORE: Source.GRID,
    Role.SOLAR: Source.SOLAR,
    Role.THERMAL: Source.THERMAL,
    Role.RETAILER: Source.GRID,
}
BATTERY = ("power_wh", "capacity_wh", "efficiency_ppm", "wear_mjpy_kwh")
"""Columns of every party's battery."""
BATTERY_EXTRAS = ("lowest_wh", "self_discharge_ppm", "discharge_ppm", "discharge_wh")
"""Columns that are made only where a group speaks of them."""
Values = Mapping[str, int | Sequence[int]]
"""What a group says of its parties: one value for all, or one for each."""
NO_LIMIT_WH = 2**40
"""More than any party generates in a slot."""
MOST_NUMBERED = 2**16
"""Parties and their ranks of arrival are u16 in the ledger's records (`ledger.content`)."""
PER_SITE = (
    *("load_wh", "solar_w", "solar_limit_wh", "export_limit_wh"),
    *("power_wh", "capacity_wh", "start_low_wh", "start_high_wh", "lowest_wh", "discharge_wh"),
)
"""Columns that a party of many sites has as many times as it has sites."""
DEFAULTS = {
    "size_low_ppm": PPM,
    "size_high_ppm": PPM,
    "cost": NO_COST,
    "solar_limit_wh": NO_LIMIT_WH,
    "group": NO_GROUP,
}
"""Columns that are not zero where a group does not speak of them."""


def fleet_of(scenario: Scenario) -> Fleet:
    """Columns of every party of the scenario."""
    number = _provider_of_group(scenario)
    blocks: list[tuple[int, Values]] = [
        (group.count, _values_of(group, scenario) | {"group": number.get(group.name, NO_GROUP)})
        for group in scenario.groups
    ]
    blocks.append((len(scenario.areas), {"role": Role.RETAILER, "area": range(len(scenario.areas))}))
    apart = ("names", "battery", "equipment", "units")
    columns = {field.name: _column(blocks, field.name) for field in fields(Fleet) if field.name not in apart}
    extras = [name for name in BATTERY_EXTRAS if any(values.get(name) for _, values in blocks)]
    battery = Battery(**{name: _column(blocks, name) for name in (*BATTERY, *extras)})
    return Fleet(
        names=scenario.party_names,
        battery=battery,
        equipment=equipment_of(scenario.homes, battery, columns["export_limit_wh"]),
        units=units_of_groups(scenario.thermal),
        **columns,
    )


def rows_of_groups(scenario: Scenario) -> dict[str, slice]:
    """Rows of each group's parties in the fleet, by the group's name."""
    stops = np.cumsum([group.count for group in scenario.groups]).tolist()
    return {group.name: slice(stop - group.count, stop) for group, stop in zip(scenario.groups, stops, strict=True)}


def check_numbers(scenario: Scenario, ledger: str) -> None:
    """Raise ConfigError when the ledger's 16 bits cannot number the parties."""
    count = len(scenario.party_names)
    if ledger != "off" and count > MOST_NUMBERED:
        what = f"{count:,} parties are more than the {MOST_NUMBERED:,} that a ledger numbers"
        raise ConfigError(what, where=scenario.name, do="choose --ledger off, or a smaller size")


def accounts_of(scenario: Scenario, fleet: Fleet) -> Accounts:
    """Rows of the money table."""
    retailers = tuple(int(row) for row in fleet.rows(Role.RETAILER))
    return Accounts(
        scenario.grid(), fleet.names, tuple(int(a) for a in fleet.area), retailers, _balancing_groups(scenario, fleet)
    )


def _balancing_groups(scenario: Scenario, fleet: Fleet) -> tuple[BalancingGroup, ...]:
    """One group for each service provider, in the order of the file."""
    return tuple(
        BalancingGroup(
            said.name,
            scenario.area_row(said.area),
            tuple(np.flatnonzero(fleet.group == number).tolist()),
            said.allocation,
        )
        for number, said in enumerate(scenario.service_providers)
    )


def _provider_of_group(scenario: Scenario) -> dict[str, int]:
    """Number of the service provider of each group of parties that has one, by the group's name."""
    return {
        group.name: number
        for number, said in enumerate(scenario.service_providers)
        for name in said.members
        for group in scenario.groups_named(name)
        if group.area == said.area
    }


def source_of_party(fleet: Fleet) -> Int:
    """Source type of what each party sells (parties,); a store with PV sells as a home does."""
    of_role = np.array([SOURCES[role] for role in Role], np.int64)[fleet.role]
    return np.where((fleet.role == Role.STORE) & (fleet.solar_w > 0), Source.PROSUMER, of_role)


def certified_of_party(fleet: Fleet) -> tuple[int, ...]:
    """What `ledger.rules.Rules.certified` says: empty where every renewable source has a DGC of type C."""
    may = (fleet.certified > 0) | ~np.isin(source_of_party(fleet), RENEWABLE)
    return () if may.all() else tuple(int(one) for one in may)


def _values_of(group: GroupSpec, scenario: Scenario) -> dict[str, int | Sequence[int]]:
    area = {"area": scenario.area_row(group.area)}
    if isinstance(group, ThermalSpec):
        output_wh = [slot_energy_wh(kw) for kw in group.units_kw]
        cost = [mjpy_from_jpy(jpy) for jpy in group.cost_jpy_kwh]
        limit = max(output_wh, default=0)
        return {**area, "role": Role.THERMAL, "thermal_wh": output_wh, "cost": cost, "export_limit_wh": limit}
    values = _values_of_plant(group) if isinstance(group, MallSpec) else _values_of_loads(group)
    return {**area, **_weighed(values, group.weight)}


def _weighed(values: dict[str, int], weight: int) -> dict[str, int]:
    """The values of a party of `weight` sites from those of one site, rounded half to even.

    Sites draw apart from one another: the mean of so many varies by its root less.
    """
    if weight == 1:
        return values
    found = {name: value * weight if name in PER_SITE else value for name, value in values.items()}
    if "load_noise_ppm" in values:
        low, high = values["size_low_ppm"], values["size_high_ppm"]
        half, middle = (high - low) / 2 / weight**0.5, (low + high) / 2
        found |= {
            "load_noise_ppm": round(values["load_noise_ppm"] / weight**0.5),
            "size_low_ppm": round(middle - half),
            "size_high_ppm": round(middle + half),
        }
    return found


def _values_of_plant(group: MallSpec) -> dict[str, int]:
    limit = group.routers * slot_energy_wh(ROUTER_KW)
    return {
        "role": Role.SOLAR,
        "solar_w": round(group.pv_kw * 1000),
        "solar_limit_wh": limit,
        "export_limit_wh": limit,
        "curtails": int(group.curtail_to_contract),
        "certified": int(group.certified),
    }


def _values_of_loads(group: LoadsSpec) -> dict[str, int]:
    limit_kw = group.pv_kw if group.export_limit_kw is None else group.export_limit_kw
    return {
        "role": Role.HOME if isinstance(group, HomesSpec) else Role.STORE,
        "load_wh": round(group.load_kwh_year * 1000 / HALF_HOURS.year),
        "load_noise_ppm": round(group.load_noise * PPM),
        "load_memory_minutes": round(group.load_memory_hours * 60),
        "load_memory_ppm": round(group.load_memory_part * PPM),
        "size_low_ppm": round(group.size_spread[0] * PPM),
        "size_high_ppm": round(group.size_spread[1] * PPM),
        "solar_w": round(group.pv_kw * 1000),
        "export_limit_wh": slot_energy_wh(limit_kw),
        "certified": int(group.certified and group.pv_kw > 0),
        "curtails": int(isinstance(group, HomesSpec) and group.curtail_to_contract),
        **_values_of_battery(group.battery),
        **(_values_of_hours(group) if isinstance(group, StoresSpec) else {}),
    }


def _values_of_battery(battery: BatterySpec) -> dict[str, int]:
    low, high = battery.start_charge
    charge = battery.round_trip**0.5 if battery.charge is None else battery.charge
    discharge = battery.charge if battery.discharge is None else battery.discharge
    return {
        "power_wh": slot_energy_wh(battery.kw),
        "capacity_wh": round(battery.kwh * 1000),
        "efficiency_ppm": round(charge * PPM),
        "wear_mjpy_kwh": mjpy_from_jpy(battery.wear_jpy_kwh),
        "start_low_wh": round(low * battery.kwh * 1000),
        "start_high_wh": round(high * battery.kwh * 1000),
        "lowest_wh": round(battery.lowest * battery.kwh * 1000),
        "self_discharge_ppm": round(battery.self_discharge * PPM),
        "discharge_ppm": 0 if discharge is None else round(discharge * PPM),
        "discharge_wh": 0 if battery.discharge_kw is None else slot_energy_wh(battery.discharge_kw),
    }


def _values_of_hours(group: StoresSpec) -> dict[str, int]:
    opens, closes = (round(hour * HALF_HOURS.per_day / 24) for hour in group.open_hours)
    return {"opens": opens, "closes": closes, "closed_ppm": round(group.closed_part * PPM)}


def _column(blocks: Sequence[tuple[int, Values]], name: str) -> Int:
    """One column of the fleet, group by group."""
    default = DEFAULTS.get(name, 0)
    parts = [np.broadcast_to(np.asarray(values.get(name, default), np.int64), count) for count, values in blocks]
    return np.concatenate(parts)
