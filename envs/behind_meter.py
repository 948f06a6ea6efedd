"""The devices behind some meters through an episode: what they hold, what is planned for them, what a slot does.

Only parties that have more than PV and battery, and thermal units with limits, take part; all others are delivered by
`envs.delivery` alone. Costs that no posting names (gas of fuel cells, starts and idling of units) are the party's own,
as wear is.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from agents.equipment import DAY, PLANNED, Equipment, Outlook, Schedule, no_schedule, plan_devices
from agents.fleet import Fleet, Role
from agents.fuel_cell import GAS_G_KWH, gas_cost, run_fuel_cell
from agents.household import HouseholdSlot, run_household
from agents.router import SET_POINT
from agents.thermal import ThermalUnits, UnitState, co2_g, run_units, start_cost, units_at_rest
from envs.delivery import Delivery
from envs.device_draws import draw_devices, start_state
from envs.episode import AHEAD, Episode
from envs.tally import COSTS, Cost, OwnCosts
from market.tables import Table
from market.units import PPM, WH_PER_KWH, Int, divide_half_even

Mask = npt.NDArray[np.bool_]


class EquippedHomes:
    """Homes with more than PV and battery.

    Attributes:
        state: what vehicles and tanks hold (w, n); the battery's is the world's.
        schedule: what is planned from the current slot on; None until it is asked for.
        set_point: what the DGCs commanded in the slot delivered last (w, n) rows of `SET_POINT`.
        curtailed_wh, charged_away_wh: (w, n) of that slot.
    """

    def __init__(self, fleet: Fleet, equipment: Equipment, episode: Episode, seed: int, perfect: bool) -> None:
        self.equipment, self._episode = equipment, episode
        self._area = fleet.area[equipment.rows]
        self._draws = draw_devices(fleet, equipment, seed, episode.first_slot, episode.slots + AHEAD)
        self._expected = self._draws.heat_wh if perfect else self._draws.heat_mean_wh
        self.state = start_state(equipment, seed, episode.first_slot)
        worlds = len(episode.first_slot)
        self._before = no_schedule(worlds, len(equipment.rows))
        self._made_wh = self._warm_up_cells()
        self.schedule: Schedule | None = None
        self.set_point: Table = np.zeros((worlds, len(equipment.rows)), SET_POINT)
        self.curtailed_wh = self.charged_away_wh = np.zeros((worlds, len(equipment.rows)), np.int64)

    def plan(self, t: int, outside: Int, net_wh: Int) -> Int:
        """What the schedule adds to load less PV from slot column t on (w, n, PLANNED) [Wh], made once a step.

        `outside` (w, areas, slots) as published, `net_wh` (w, n, slots) as forecast, both from t on.
        """
        if self.schedule is None:
            ahead, draws = slice(t, t + PLANNED), self._draws
            has_cell = self.equipment.has_cell[:, None]
            known = Outlook(
                slot=t,
                plugged=draws.plugged[..., ahead],
                needed_wh=draws.needed_wh[..., ahead],
                price=outside[:, self._area, :PLANNED],
                heat_wh=np.where(has_cell, 0, self._expected[..., ahead]),
                cop=draws.cop[..., ahead],
                net_wh=net_wh[..., :PLANNED],
            )
            cells = self._made_wh[..., np.arange(t, t + PLANNED) % DAY]
            self.schedule = plan_devices(self.equipment, self.state, known, replace(self._before, cell_wh=cells))
        return self.schedule.net_wh

    def deliver(self, t: int, done: Delivery, plan_wh: Int, before_wh: Int, wear_ujpy: Int, own: OwnCosts) -> None:
        """Run slot column t, whose plan has been made; puts these homes' rows into `done`, wear and costs in place."""
        assert self.schedule is not None
        rows, draws, episode = self.equipment.rows, self._draws, self._episode
        slot = HouseholdSlot(
            load_wh=episode.load_wh[:, rows, t],
            solar_wh=episode.solar_wh[:, rows, t],
            plan_wh=plan_wh[:, rows],
            heat_wh=draws.heat_wh[..., t],
            heater_plan_wh=self.schedule.heater_wh[..., 0],
            cop=draws.cop[..., t],
            vehicle_plan_wh=self.schedule.vehicle_wh[..., 0],
            plugged=draws.plugged[..., t],
            trip_needs_wh=draws.needed_wh[..., t],
            driving_wh=draws.driving_wh[..., t],
        )
        step = run_household(self.equipment.home, replace(self.state, battery_wh=before_wh[:, rows]), slot)
        self.state, self.set_point = step.after, step.set_point
        self.curtailed_wh, self.charged_away_wh = step.curtailed_wh, step.charged_away_wh
        done.used_wh[:, rows], done.passed_wh[:, rows] = step.reading_wh, step.battery_wh
        done.stored_wh[:, rows] = step.after.battery_wh
        done.set_point_wh[:, rows, 0], done.set_point_wh[:, rows, 1] = step.battery_wh, step.solar_wh
        wear_ujpy[:, rows] = step.wear_ujpy
        own.cost_ujpy[:, rows, Cost.GAS] = gas_cost(step.gas_wh, self.equipment.gas_mjpy_kwh)
        own.co2_g[:, rows] = divide_half_even(step.gas_wh * GAS_G_KWH, WH_PER_KWH)
        self._made_wh[..., t % DAY] = step.cell_wh
        self._before, self.schedule = _one_later(self.schedule), None

    @property
    def held_wh(self) -> Int:
        """Energy in the cars and heat in the tanks (2, w, n) [Wh]."""
        tanks = np.asarray(self.state.cell_tank_wh) + self.state.heater_tank_wh
        return np.stack(np.broadcast_arrays(self.state.vehicle_wh, tanks))

    def gained_wh(self, before_wh: Int) -> Int:
        """What the cars gained since `before_wh`, as their terminals give it (w, n) [Wh]."""
        vehicle = self.equipment.home.vehicle
        if vehicle is None:
            return np.zeros_like(before_wh)
        return np.asarray((self.state.vehicle_wh - before_wh) * vehicle.battery.given_ppm // PPM)

    def _warm_up_cells(self) -> Int:
        """Output of each half hour of the day before (w, n, DAY), which leaves the tanks as the episode finds them."""
        cell, rows = self.equipment.home.cell, self.equipment.rows
        made = np.zeros((*np.shape(self.state.vehicle_wh), DAY), np.int64)
        if cell is None:
            return made
        held = np.asarray(self.state.cell_tank_wh)
        load = self._episode.history_wh[:, rows, -DAY:]
        for half_hour in range(DAY):
            drawn = np.where(self.equipment.has_cell, self._draws.heat_mean_wh[..., half_hour], 0)
            step = run_fuel_cell(cell, held, drawn, load[..., half_hour])
            held, made[..., half_hour] = step.held_wh, step.output_wh
        self.state = replace(self.state, cell_tank_wh=held)
        return made


class LimitedUnits:
    """Thermal units with minimum load, ramp and minimum times; `state` (w, units)."""

    def __init__(self, fleet: Fleet, units: ThermalUnits, worlds: int) -> None:
        self.rows, self.units = fleet.rows(Role.THERMAL), units
        self.state: UnitState = units_at_rest(units, worlds)

    def deliver(self, done: Delivery, plan_wh: Int, own: OwnCosts) -> None:
        """Follow the plan as nearly as the units can; puts their rows into `done` and the costs in place."""
        rows, units = self.rows, self.units
        output, self.state, started = run_units(units, self.state, -plan_wh[:, rows])
        done.used_wh[:, rows] = -output
        idle = np.where(self.state.run_slots > 0, units.most_wh * units.idle_mjpy_kwh, 0)
        own.cost_ujpy[:, rows, Cost.IDLE] = idle
        own.cost_ujpy[:, rows, Cost.START] = start_cost(units, started)
        own.co2_g[:, rows] = co2_g(units, self.state)


class BehindMeter:
    """Equipped homes and limited units of an episode, either of which may be None; `own`: costs of the last slot."""

    def __init__(self, fleet: Fleet, episode: Episode, seed: int, perfect: bool) -> None:
        worlds = len(episode.first_slot)
        self._shape, self._battery = (worlds, fleet.count), fleet.battery
        self.homes = EquippedHomes(fleet, fleet.equipment, episode, seed, perfect) if fleet.equipment else None
        self.units = LimitedUnits(fleet, fleet.units, worlds) if fleet.units else None
        self.own = self._no_costs()

    @property
    def is_used(self) -> bool:
        """Whether any party needs more than the bare delivery."""
        return self.homes is not None or self.units is not None

    @property
    def cars_wh(self) -> Int:
        """Energy in the cars of the equipped homes (w, n) [Wh]."""
        return self.homes.held_wh[0] if self.homes else np.zeros((self._shape[0], 0), np.int64)

    @property
    def vehicle_wh(self) -> Int:
        """Energy in the cars (w, parties) [Wh], 0 without one."""
        return self.of_homes(0)

    @property
    def tank_wh(self) -> Int:
        """Heat in the tanks of fuel cell and water heater (w, parties) [Wh]."""
        return self.of_homes(1)

    @property
    def is_on(self) -> Mask:
        """Which limited units ran in the last slot (w, parties)."""
        on = np.zeros(self._shape, np.bool_)
        if self.units:
            on[:, self.units.rows] = self.units.state.run_slots > 0
        return on

    def gained_wh(self, stored_wh: Int, before_wh: Int, cars_before_wh: Int) -> Int:
        """Energy gained in batteries (w, parties) and cars (w, n) since then, as terminals give it [Wh]."""
        gained = np.asarray((stored_wh - before_wh) * self._battery.given_ppm // PPM)
        if self.homes:
            gained[:, self.homes.equipment.rows] += self.homes.gained_wh(cars_before_wh)
        return gained

    def of_homes(self, which: int) -> Int:
        """`EquippedHomes.held_wh` among all parties (w, parties), 0 elsewhere."""
        column = np.zeros(self._shape, np.int64)
        if self.homes:
            column[:, self.homes.equipment.rows] = self.homes.held_wh[which]
        return column

    def deliver(self, t: int, done: Delivery, plan_wh: Int, before_wh: Int, wear_ujpy: Int) -> None:
        """Run slot column t after the bare delivery `done`; see `EquippedHomes.deliver`."""
        self.own = self._no_costs()
        if self.homes:
            self.homes.deliver(t, done, plan_wh, before_wh, wear_ujpy, self.own)
        if self.units:
            self.units.deliver(done, plan_wh, self.own)

    def add_schedule(self, t: int, net_wh: Int, rows: slice, outside: Int) -> Int:
        """Forecast net energy of some parties, `rows` of the fleet, with what is planned for their devices."""
        if self.homes is None:
            return net_wh
        mine = self.homes.equipment.rows
        if mine[0] < rows.start or mine[-1] >= rows.stop:
            return net_wh
        net, own = net_wh.copy(), mine - rows.start
        net[:, own, :PLANNED] += self.homes.plan(t, outside, net_wh[:, own])
        return net

    def _no_costs(self) -> OwnCosts:
        return OwnCosts(np.zeros((*self._shape, COSTS), np.int64), np.zeros(self._shape, np.int64))


def _one_later(schedule: Schedule) -> Schedule:
    """The schedule as the next slot finds it; what lies beyond it is not planned."""
    vehicle, heater = (np.roll(column, -1, -1) for column in (schedule.vehicle_wh, schedule.heater_wh))
    return Schedule(vehicle, heater, schedule.cell_wh)
