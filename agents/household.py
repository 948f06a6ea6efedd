"""One slot behind the meter, in its order: needs, generation, contract, limits.

Load, water heater and the vehicle's charging plan, less fuel cell and PV, are what the home would draw. The battery
then makes the meter follow the contract, after it a vehicle that feeds the home; if PV is curtailed to contract, that
comes next; the limit of the interchange comes last; what still differs from the plan is imbalance (design: trade is
at the meter). Own PV serves own load first.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.curtailment import curtail
from agents.devices import Battery, charge_limit, discharge_limit, stored_after, wear_cost, within
from agents.electric_vehicle import Vehicle, drive, feed_limit, take_limit
from agents.fuel_cell import FuelCell, run_fuel_cell
from agents.heat_pump import HeatPump, run_heat_pump
from agents.router import ExportCut, limit_export, set_point
from market.tables import Table
from market.units import Int

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Household:
    """Columns of homes, any common shape; a device that no home has is None.

    export_limit_wh of the interchange, None for no limit; curtails: PV generates only what is contracted.
    """

    battery: Battery
    vehicle: Vehicle | None = None
    cell: FuelCell | None = None
    heater: HeatPump | None = None
    export_limit_wh: Int | None = None
    curtails: Mask | None = None


@dataclass(frozen=True)
class HouseholdState:
    """What is stored between slots, (...,) [Wh]: battery, vehicle, tank of the fuel cell, tank of the water heater."""

    battery_wh: Int
    vehicle_wh: Int | int = 0
    cell_tank_wh: Int | int = 0
    heater_tank_wh: Int | int = 0


@dataclass(frozen=True)
class HouseholdSlot:
    """What a slot brings and what was decided for it, (...,) [Wh].

    plan_wh: net contracted energy, + is import; heat_wh: hot water drawn, from the fuel cell's tank where there is one;
    heater_plan_wh and vehicle_plan_wh: from `plan_heating` and `charge_schedule`; cop [ppm]; plugged, trip_needs_wh and
    driving_wh: from `agents.electric_vehicle`.
    """

    load_wh: Int
    solar_wh: Int
    plan_wh: Int
    heat_wh: Int | int = 0
    heater_plan_wh: Int | int = 0
    cop: Int | int = 0
    vehicle_plan_wh: Int | int = 0
    plugged: Mask | bool = False
    trip_needs_wh: Int | int = 0
    driving_wh: Int | int = 0


@dataclass(frozen=True)
class HouseholdStep:
    """What a slot gave, (...,).

    reading_wh: the meter, + is import; after; battery_wh and vehicle_wh at the terminals, + is charge; solar_wh taken;
    cell_wh: output of the fuel cell; heater_wh with its element; curtailed_wh: PV not taken; charged_away_wh: driving
    that the car could not; gas_wh burnt; vented_wh heat let out; wear_ujpy of both batteries.
    """

    reading_wh: Int
    after: HouseholdState
    battery_wh: Int
    vehicle_wh: Int
    solar_wh: Int
    cell_wh: Int
    heater_wh: Int
    curtailed_wh: Int
    charged_away_wh: Int
    gas_wh: Int
    vented_wh: Int
    wear_ujpy: Int

    @property
    def set_point(self) -> Table:
        """What the DGC commanded its routers, rows of `agents.router.SET_POINT`."""
        return set_point(self.battery_wh, self.vehicle_wh, self.solar_wh, self.cell_wh, self.heater_wh)


@dataclass(frozen=True)
class _Needs:
    """Energy at the terminals of what the contract does not move, and the tanks after."""

    cell_wh: Int
    gas_wh: Int
    vented_wh: Int
    cell_tank_wh: Int
    heater_wh: Int
    heater_tank_wh: Int


def run_household(home: Household, before: HouseholdState, slot: HouseholdSlot) -> HouseholdStep:
    """Run every device of each home through one slot; see the module for the order."""
    needs = _meet_needs(home, before, slot)
    fixed = slot.load_wh + needs.heater_wh - needs.cell_wh - slot.solar_wh
    planned = _plan_vehicle(home, before, slot)
    battery_wh = within(
        slot.plan_wh - fixed - planned,
        -discharge_limit(home.battery, before.battery_wh),
        charge_limit(home.battery, before.battery_wh),
    )
    vehicle_wh = _follow_with_vehicle(home, before, slot, planned, slot.plan_wh - fixed - battery_wh)
    net = fixed + battery_wh + vehicle_wh
    curtailed = _curtail(home, slot, net)
    cut = _limit(home, slot, net + curtailed, curtailed, battery_wh, vehicle_wh)
    curtailed, battery_wh, vehicle_wh = (
        curtailed + cut.solar_wh,
        battery_wh + cut.battery_wh,
        vehicle_wh + cut.vehicle_wh,
    )
    car_wh, away, wear = _end_vehicle(home, before, slot, vehicle_wh)
    stored = stored_after(home.battery, before.battery_wh, battery_wh)
    return HouseholdStep(
        reading_wh=fixed + battery_wh + vehicle_wh + curtailed,
        after=HouseholdState(stored, car_wh, needs.cell_tank_wh, needs.heater_tank_wh),
        battery_wh=battery_wh,
        vehicle_wh=vehicle_wh,
        solar_wh=slot.solar_wh - curtailed,
        cell_wh=needs.cell_wh,
        heater_wh=needs.heater_wh,
        curtailed_wh=curtailed,
        charged_away_wh=away,
        gas_wh=needs.gas_wh,
        vented_wh=needs.vented_wh,
        wear_ujpy=wear_cost(home.battery, battery_wh) + wear,
    )


def _meet_needs(home: Household, before: HouseholdState, slot: HouseholdSlot) -> _Needs:
    """Hot water from the fuel cell's tank where there is one, else from the heater's; the cell follows the load."""
    nothing = np.zeros_like(slot.load_wh)
    cell_wh = gas_wh = vented_wh = cell_tank_wh = heater_wh = heater_tank_wh = nothing
    heat = np.asarray(slot.heat_wh)
    has_cell = home.cell.most_wh > 0 if home.cell else np.False_
    if home.heater:
        drawn = np.where((home.heater.power_wh > 0) & ~has_cell, heat, 0)
        water = run_heat_pump(
            home.heater, np.asarray(before.heater_tank_wh), drawn, np.asarray(slot.heater_plan_wh), np.asarray(slot.cop)
        )
        heater_wh, heater_tank_wh = water.input_wh + water.backup_wh, water.held_wh
    if home.cell:
        used = slot.load_wh + heater_wh
        room = home.cell.most_wh if home.export_limit_wh is None else home.export_limit_wh
        wanted = np.where(home.cell.exports, used + room, used)
        power = run_fuel_cell(home.cell, np.asarray(before.cell_tank_wh), np.where(has_cell, heat, 0), wanted)
        cell_wh, gas_wh, vented_wh, cell_tank_wh = power.output_wh, power.gas_wh, power.vented_wh, power.held_wh
    return _Needs(cell_wh, gas_wh, vented_wh, cell_tank_wh, heater_wh, heater_tank_wh)


def _plan_vehicle(home: Household, before: HouseholdState, slot: HouseholdSlot) -> Int:
    """The part of the charging plan that the car can take."""
    if home.vehicle is None:
        return np.zeros_like(slot.load_wh)
    most = take_limit(home.vehicle, np.asarray(before.vehicle_wh), np.asarray(slot.plugged))
    return within(np.asarray(slot.vehicle_plan_wh), 0, most)


def _follow_with_vehicle(
    home: Household, before: HouseholdState, slot: HouseholdSlot, planned: Int, wanted: Int
) -> Int:
    """What the vehicle does: its plan, and if it feeds the home what the contract wants beyond the battery.

    A slot planned for charging never becomes a discharge, since the departure counts on it.
    """
    if home.vehicle is None or not home.vehicle.feeds_home.any():
        return planned
    stored, plugged = np.asarray(before.vehicle_wh), np.asarray(slot.plugged)
    most = take_limit(home.vehicle, stored, plugged)
    least = np.where(planned > 0, planned, -feed_limit(home.vehicle, stored, plugged, slot.trip_needs_wh))
    return np.where(home.vehicle.feeds_home, within(wanted, least, most), planned)


def _curtail(home: Household, slot: HouseholdSlot, net: Int) -> Int:
    if home.curtails is None:
        return np.zeros_like(slot.load_wh)
    return np.where(home.curtails, curtail(slot.solar_wh, net, slot.plan_wh), 0)


def _limit(
    home: Household, slot: HouseholdSlot, reading: Int, curtailed: Int, battery_wh: Int, vehicle_wh: Int
) -> ExportCut:
    if home.export_limit_wh is None:
        nothing = np.zeros_like(slot.load_wh)
        return ExportCut(nothing, nothing, nothing)
    given, fed = np.maximum(-battery_wh, 0), np.maximum(-vehicle_wh, 0)
    return limit_export(reading, home.export_limit_wh, slot.solar_wh - curtailed, given, fed)


def _end_vehicle(home: Household, before: HouseholdState, slot: HouseholdSlot, vehicle_wh: Int) -> tuple[Int, Int, Int]:
    """The car's stored energy after the slot and its trip, energy charged away from home, and wear [uJPY]."""
    if home.vehicle is None:
        nothing = np.zeros_like(slot.load_wh)
        return nothing, nothing, nothing
    stored = stored_after(home.vehicle.battery, np.asarray(before.vehicle_wh), vehicle_wh)
    stored, away = drive(home.vehicle, stored, np.asarray(slot.driving_wh))
    return stored, away, wear_cost(home.vehicle.battery, vehicle_wh)
