"""From a scenario to the fleet and the accounts: who lives in the world, in which order.

Order of parties: homes, stores, the solar plant, thermal units, one retailer per area.
"""

import numpy as np

from agents.devices import Battery
from agents.fleet import NO_COST, Fleet, Role
from envs.scenario_schema import Scenario, slot_energy_wh
from market.contracts import Source
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


def fleet_of(scenario: Scenario) -> Fleet:
    """Columns of every party of the scenario."""
    roles = np.array(
        [Role.HOME] * scenario.homes.count
        + [Role.STORE] * scenario.stores.count
        + [Role.SOLAR]
        + [Role.THERMAL] * len(scenario.thermal.units_kw)
        + [Role.RETAILER] * len(scenario.areas),
        np.int64,
    )
    homes, stores, mall, thermal = scenario.homes, scenario.stores, scenario.mall, scenario.thermal
    battery = homes.battery
    areas = {
        Role.HOME: homes.area,
        Role.STORE: stores.area,
        Role.SOLAR: mall.area,
        Role.THERMAL: thermal.area,
    }
    area = [scenario.area_row(areas[Role(role)]) for role in roles if role != Role.RETAILER]
    export_kw = {Role.HOME: homes.export_limit_kw, Role.SOLAR: mall.pv_kw, Role.THERMAL: max(thermal.units_kw)}
    spread = {Role.HOME: homes.size_spread, Role.STORE: stores.size_spread}
    return Fleet(
        names=_names(scenario),
        role=roles,
        area=np.array([*area, *range(len(scenario.areas))], np.int64),
        load_wh=_by_role(
            roles, {Role.HOME: _slot_mean(homes.load_kwh_year), Role.STORE: _slot_mean(stores.load_kwh_year)}
        ),
        load_noise_ppm=_by_role(
            roles, {Role.HOME: round(homes.load_noise * PPM), Role.STORE: round(stores.load_noise * PPM)}
        ),
        size_low_ppm=_by_role(roles, {role: round(low * PPM) for role, (low, _) in spread.items()}, PPM),
        size_high_ppm=_by_role(roles, {role: round(high * PPM) for role, (_, high) in spread.items()}, PPM),
        solar_w=_by_role(roles, {Role.HOME: round(homes.pv_kw * 1000), Role.SOLAR: round(mall.pv_kw * 1000)}),
        thermal_wh=_spread_thermal(roles, [slot_energy_wh(kw) for kw in thermal.units_kw], 0),
        cost=_spread_thermal(roles, [mjpy_from_jpy(jpy) for jpy in thermal.cost_jpy_kwh], NO_COST),
        export_limit_wh=_by_role(roles, {role: slot_energy_wh(kw) for role, kw in export_kw.items()}),
        battery=Battery(
            power_wh=_by_role(roles, {Role.HOME: slot_energy_wh(battery.kw)}),
            capacity_wh=_by_role(roles, {Role.HOME: round(battery.kwh * 1000)}),
            efficiency_ppm=_by_role(roles, {Role.HOME: round(battery.round_trip**0.5 * PPM)}),
            wear_mjpy_kwh=_by_role(roles, {Role.HOME: mjpy_from_jpy(battery.wear_jpy_kwh)}),
        ),
        start_low_wh=_by_role(roles, {Role.HOME: round(battery.start_charge[0] * battery.kwh * 1000)}),
        start_high_wh=_by_role(roles, {Role.HOME: round(battery.start_charge[1] * battery.kwh * 1000)}),
    )


def accounts_of(scenario: Scenario, fleet: Fleet) -> Accounts:
    """Rows of the money table."""
    retailers = tuple(int(row) for row in fleet.rows(Role.RETAILER))
    return Accounts(scenario.grid(), fleet.names, tuple(int(a) for a in fleet.area), retailers)


def source_of_party(fleet: Fleet) -> Int:
    """Source type of what each party sells (parties,)."""
    return np.array([SOURCES[Role(role)] for role in fleet.role], np.int64)


def _names(scenario: Scenario) -> tuple[str, ...]:
    return (
        *(f"home-{i + 1}" for i in range(scenario.homes.count)),
        *(f"store-{i + 1}" for i in range(scenario.stores.count)),
        "mall",
        *(f"thermal-{i + 1}" for i in range(len(scenario.thermal.units_kw))),
        *scenario.retailer_names,
    )


def _slot_mean(kwh_year: float) -> int:
    return round(kwh_year * 1000 / HALF_HOURS.year)


def _by_role(roles: Int, values: dict[Role, int], default: int = 0) -> Int:
    return np.array([values.get(Role(role), default) for role in roles], np.int64)


def _spread_thermal(roles: Int, values: list[int], default: int) -> Int:
    column = np.full(len(roles), default, np.int64)
    column[roles == Role.THERMAL] = values
    return column
