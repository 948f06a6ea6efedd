"""The trace: what happened in one world, slot by slot, as the pictures need it.

Area price of a delivery slot: the clearing price in a uniform design; in a continuous one the mean price of the
contracts whose buyer is in the area, weighted by energy. Volumes are by what the delivered energy came from.
Everything is a named int64 column, so that a trace is written to and read from plain CSV.
"""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agents.fleet import Role
from agents.router import SET_POINT
from envs.world import Step, World
from market.contracts import Source
from market.exchange import NO_PRICE
from market.slots import HALF_HOURS
from market.tables import Table
from market.units import Int

Columns = dict[str, Int]
DEVICES_SHOWN = 1_000
PARTIES_SHOWN = 2_000
"""A trace is for pictures and people: of a large town it holds some devices, and what roles trade."""


@dataclass(frozen=True)
class Trace:
    """Series of one world.

    Attributes:
        slots: (T,) columns: `slot`; per area `price`, `outside`, `feed_in`, `value` [mJPY/kWh] with NO_PRICE where
            nothing traded; per source `traded_wh`, `last_resort_wh`; per line `flow_wh` (net, + is forward),
            `forward_wh`, `backward_wh` (room). A name after a colon says which area, source or line.
        devices: (T,) columns per party with load or PV, the first DEVICES_SHOWN of them: `load_wh`, `solar_wh`, and
            with a battery `stored_wh` (at the end of the slot), `passed_wh` (+ charges, at the terminals) and
            `battery_set_wh` (what the DGC commanded); with PV `solar_set_wh` (what it allowed); with
            more devices what they held at the end of the slot, `vehicle_wh` and `tank_wh`, and the set points
            `vehicle_set_wh`, `fuel_cell_set_wh`, `heater_set_wh`; of units with limits `output_wh` and `running`.
        parties: names of the parties; of the roles where there are more than PARTIES_SHOWN parties.
        roles: role row of each of them.
        trades_wh: (sellers, buyers) contracted energy delivered in these slots, last resort included.
    """

    slots: Columns
    devices: Columns
    parties: tuple[str, ...]
    roles: tuple[int, ...]
    trades_wh: Int

    @property
    def days(self) -> int:
        """Whole days covered."""
        return len(self.slots["slot"]) // HALF_HOURS.per_day

    def named(self, what: str) -> Columns:
        """Slot columns of one kind by area, source or line."""
        return {key.partition(":")[2]: column for key, column in self.slots.items() if key.partition(":")[0] == what}

    def by_group(self) -> "Trace":
        """The same with one row for all parties of a group and role: `home-1` and `home-2` are `home`."""
        kinds = [
            (role, name.rpartition("-")[0] if name.rpartition("-")[2].isdigit() else name)
            for role, name in zip(self.roles, self.parties, strict=True)
        ]
        groups = list(dict.fromkeys(kinds))
        place = np.array([groups.index(kind) for kind in kinds])
        trades = np.zeros((len(groups), len(groups)), np.int64)
        np.add.at(trades, (place[:, None], place), self.trades_wh)
        return replace(self, parties=tuple(n for _, n in groups), roles=tuple(r for r, _ in groups), trades_wh=trades)

    def of_devices(self, what: str) -> Columns:
        """Device columns of one kind by party."""
        return {key.partition(":")[2]: column for key, column in self.devices.items() if key.partition(":")[0] == what}


class TraceRecorder:
    """Watches one world while it runs: `watch` before the first step, `record` after each one."""

    def __init__(self, world: World, watched: int = 0) -> None:
        self.world, self.watched = world, watched
        slots, areas, sources = world.slots, len(world.grid.areas), len(Source)
        self._value = np.zeros((slots, areas), np.int64)
        self._bought = np.zeros((slots, areas), np.int64)
        self._cleared = np.full((slots, areas), NO_PRICE, np.int64)
        self._volume = np.zeros((slots, sources), np.int64)
        self._resort = np.zeros(slots, np.int64)
        fleet, roles = world.fleet, np.unique(world.fleet.role)
        large = fleet.count > PARTIES_SHOWN
        self._place = np.searchsorted(roles, fleet.role) if large else np.arange(fleet.count)
        self._names = tuple(Role(role).name.lower() for role in roles) if large else fleet.names
        self._roles = tuple((roles if large else fleet.role).tolist())
        self._trades = np.zeros((len(self._names), len(self._names)), np.int64)
        self._shown = np.flatnonzero((fleet.load_wh > 0) | (fleet.solar_w > 0))[:DEVICES_SHOWN]
        self._stored = np.zeros((slots, len(self._shown)), np.int64)
        self._passed = np.zeros_like(self._stored)
        self._set = np.zeros((slots, len(self._shown), 2), np.int64)
        self._beside = BesideRecorder(world, watched)
        self._add(world.keeper.worlds.opening)

    def record(self, step: Step) -> None:
        """Take what the step just done did."""
        self._add(step.contracts)
        if step.outage:
            self._add(step.outage.response.taken_back)
        t = self.world.t - 1
        self._stored[t] = self.world.stored_wh[self.watched, self._shown]
        self._passed[t] = self.world.passed_wh[self.watched, self._shown]
        self._set[t] = step.set_point_wh[self.watched, self._shown]
        self._beside.record(t)
        if step.outcome.price is not None:
            mine = step.outcome.price[self.watched * self.world.slots :][: self.world.slots]
            self._cleared = np.where(mine != NO_PRICE, mine, self._cleared)

    def finish(self) -> Trace:
        """The trace of the slots delivered so far."""
        world, w = self.world, self.watched
        fleet = world.fleet
        battery = fleet.battery.capacity_wh > 0
        devices: Columns = {}
        for column, row in enumerate(self._shown):
            name = fleet.names[row]
            devices[f"load_wh:{name}"] = world.episode.load_wh[w, row, : world.t]
            devices[f"solar_wh:{name}"] = world.episode.solar_wh[w, row, : world.t]
            if battery[row]:
                devices[f"stored_wh:{name}"] = self._stored[: world.t, column]
                devices[f"passed_wh:{name}"] = self._passed[: world.t, column]
                devices[f"battery_set_wh:{name}"] = self._set[: world.t, column, 0]
            if fleet.solar_w[row]:
                devices[f"solar_set_wh:{name}"] = self._set[: world.t, column, 1]
        devices |= self._beside.columns(world.t)
        return Trace(self._slot_columns(), devices, self._names, self._roles, self._trades)

    def _add(self, contracts: Table) -> None:
        mine = contracts[contracts["world"] == self.watched]
        column = mine["slot"] - self.world.episode.first_slot[self.watched]
        energy = mine["energy"]
        np.add.at(self._trades, (self._place[mine["seller"]], self._place[mine["buyer"]]), energy)
        free = mine["last_resort"] == 0
        at = (column[free], self.world.fleet.area[mine["buyer"][free]])
        np.add.at(self._value, at, (energy * mine["buy_price"])[free])
        np.add.at(self._bought, at, energy[free])
        np.add.at(self._volume, (column[free], mine["source"][free]), energy[free])
        np.add.at(self._resort, column[~free], energy[~free])

    def _slot_columns(self) -> Columns:
        world, w, stop = self.world, self.watched, self.world.t
        paid = np.where(self._bought > 0, self._value // np.maximum(self._bought, 1), NO_PRICE)
        # rules that set no price of an area are shown by what was paid there
        cleared = self._cleared != NO_PRICE
        price = np.where(cleared | (world.design.pairs == "uniform"), self._cleared, paid)
        columns: Columns = {"slot": world.episode.first_slot[w] + np.arange(stop)}
        outside = world.episode.outside[w, :, :stop]
        for row, area in enumerate(world.grid.areas):
            columns[f"price:{area}"] = price[:stop, row]
            columns[f"outside:{area}"] = outside[row]
            columns[f"feed_in:{area}"] = world.terms.feed_in_price(outside[row])
            columns[f"value:{area}"] = world.terms.consumption_value(outside[row])
        for source in Source:
            columns[f"traded_wh:{source.name.lower()}"] = self._volume[:stop, source]
        columns["last_resort_wh"] = self._resort[:stop]
        rows = slice(w * world.slots, w * world.slots + stop)
        for number, line in enumerate(world.grid.lines):
            columns[f"flow_wh:{line.name}"] = world.flow_wh[rows, number, 0] - world.flow_wh[rows, number, 1]
            columns[f"forward_wh:{line.name}"] = world.capacity_wh[rows, number, 0]
            columns[f"backward_wh:{line.name}"] = world.capacity_wh[rows, number, 1]
        return columns


class BesideRecorder:
    """Watches what stands behind some meters beside PV and battery, and thermal units with limits."""

    def __init__(self, world: World, watched: int) -> None:
        self._world, self._watched = world, watched
        homes, units = world.behind.homes, world.behind.units
        self._homes = tuple(world.fleet.names[row] for row in homes.equipment.rows[:DEVICES_SHOWN]) if homes else ()
        self._units = tuple(world.fleet.names[row] for row in units.rows[:DEVICES_SHOWN]) if units else ()
        self._points = np.zeros((world.slots, len(self._homes)), SET_POINT)
        self._held = np.zeros((2, world.slots, len(self._homes)), np.int64)
        self._output = np.zeros((2, world.slots, len(self._units)), np.int64)

    def record(self, t: int) -> None:
        """Take what slot column t did."""
        w, homes, units = self._watched, self._world.behind.homes, self._world.behind.units
        if homes:
            shown = slice(len(self._homes))
            self._points[t] = homes.set_point[w, shown]
            self._held[:, t] = homes.held_wh[:, w, shown]
        if units:
            shown = slice(len(self._units))
            self._output[0, t], self._output[1, t] = (
                units.state.output_wh[w, shown],
                units.state.run_slots[w, shown] > 0,
            )

    def columns(self, stop: int) -> Columns:
        """What was seen up to column `stop`, of the devices that are there."""
        columns: Columns = {}
        for place, name in enumerate(self._homes):
            has = self._has(place)
            if has["vehicle"]:
                columns[f"vehicle_wh:{name}"] = self._held[0, :stop, place]
            if has["fuel_cell"] or has["heater"]:
                columns[f"tank_wh:{name}"] = self._held[1, :stop, place]
            for key in (key for key, there in has.items() if there):
                columns[f"{key}_set_wh:{name}"] = self._points[f"{key}_wh"][:stop, place].copy()
        for place, name in enumerate(self._units):
            columns[f"output_wh:{name}"], columns[f"running:{name}"] = self._output[:, :stop, place]
        return columns

    def _has(self, place: int) -> dict[str, bool]:
        """Which devices an equipped home has."""
        homes = self._world.behind.homes
        if homes is None:
            return {}
        home = homes.equipment.home
        return {
            "vehicle": home.vehicle is not None and bool(home.vehicle.battery.capacity_wh[place]),
            "fuel_cell": home.cell is not None and bool(home.cell.most_wh[place]),
            "heater": home.heater is not None and bool(home.heater.power_wh[place]),
        }


def write_trace(trace: Trace, tables: Path) -> None:
    """Write the trace as plain CSV files into a folder."""
    _write_columns(tables / "slots.csv", trace.slots)
    _write_columns(tables / "devices.csv", {"slot": trace.slots["slot"], **trace.devices})
    roles = dict(zip(trace.parties, trace.roles, strict=True))
    with (tables / "trades.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["seller", "seller_role", *(f"{name}_wh" for name in trace.parties)])
        for row, name in enumerate(trace.parties):
            writer.writerow([name, Role(roles[name]).name.lower(), *map(int, trace.trades_wh[row])])


def read_trace(tables: Path) -> Trace:
    """Read back what `write_trace` wrote; raises OSError or ValueError when the files are not its own."""
    slots, devices = _read_columns(tables / "slots.csv"), _read_columns(tables / "devices.csv")
    del devices["slot"]
    with (tables / "trades.csv").open(newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    return Trace(
        slots,
        devices,
        tuple(row[0] for row in rows),
        tuple(int(Role[row[1].upper()]) for row in rows),
        np.array([[int(cell) for cell in row[2:]] for row in rows], np.int64),
    )


def _write_columns(path: Path, columns: Columns) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["time", *columns])
        for values in zip(*(column.tolist() for column in columns.values()), strict=True):
            cells = ["" if value == NO_PRICE else value for value in values]
            writer.writerow([HALF_HOURS.label(values[0]), *cells])


def _read_columns(path: Path) -> Columns:
    with path.open(newline="", encoding="utf-8") as file:
        (_, *names), *rows = csv.reader(file)
    table = np.array([[NO_PRICE if cell == "" else int(cell) for cell in row[1:]] for row in rows], np.int64)
    return {name: table[:, column] for column, name in enumerate(names)}
