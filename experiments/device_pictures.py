"""The picture of docs/devices.md: a day of each device, made by the steps of `agents` on the synthetic year.

`python -m experiments.device_pictures docs/figures` writes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from agents.curtailment import curtail
from agents.devices import Battery
from agents.electric_vehicle import (
    Charging,
    before_departure,
    charge_schedule,
    charging_order,
    common_vehicle,
    drive,
    needed_for_trip,
    run_vehicle,
)
from agents.fuel_cell import PEFC, SOFC, FuelCellType, fuel_cells, run_fuel_cell
from agents.heat_pump import Filling, common_heat_pump, cop_ppm, plan_heating, run_heat_pump
from agents.household import Household, HouseholdSlot, HouseholdState, run_household
from agents.router import RouterRole, role_limit_wh
from agents.thermal import COAL, GTCC, OIL, UnitType, run_units, units_at_rest, units_of
from envs.load_shapes import half_hours_from_hours, household_shape_ppm
from envs.synthetic_year import draw_year
from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PALE, RED, STYLE, save_pngs
from market.errors import DigitalGridError
from market.slots import HALF_HOURS
from market.units import PPM, Int

DAY = HALF_HOURS.per_day
MAY, BEFORE, DAYS = date(2018, 5, 1), 26, 4
SHOWN = slice(DAY, 2 * DAY)
"""The second of the days, a sunny one with clouds, after the devices have settled."""
MEAN_LOAD_WH, HOME_PV_W = 240, 5_000
"""4,175 kWh a year, env.go.jp household survey FY2021; paper 3.3."""
OUTDOOR_TENTHS = 170
HEAT_BY_HOUR = (0, 0, 0, 0, 0, 1, 3, 4, 2, 1, 1, 1, 1, 1, 1, 1, 2, 4, 8, 14, 16, 12, 6, 2)
HEAT_WH_DAY = 9_000
"""Hot water of a family in May, mostly in the evening (assumption)."""


@dataclass(frozen=True)
class Series:
    """A home's days, (slots,): load and sun [Wh], price [mJPY/kWh], hot water [Wh]."""

    slot: Int
    load_wh: Int
    solar_wh: Int
    price: Int
    heat_wh: Int


@lru_cache(maxsize=1)
def home_days() -> Series:
    """What every panel starts from."""
    first = MAY + timedelta(days=BEFORE)
    prices, sun = (
        column[BEFORE * DAY :][: DAYS * DAY] for column in draw_year(MAY, BEFORE + DAYS, ("tokyo",), "tokyo")
    )
    load = household_shape_ppm(first, DAYS, DAYS) * MEAN_LOAD_WH // PPM
    by_slot = half_hours_from_hours(HEAT_BY_HOUR)
    heat = np.rint(by_slot / by_slot.sum() * HEAT_WH_DAY).astype(np.int64)
    return Series(np.arange(DAYS * DAY), load, sun * HOME_PV_W // 1_000, prices[:, 0], np.tile(heat, DAYS))


def draw_battery(axis: Any) -> None:
    """A battery makes the meter follow the contract: zero, and a sale of 3 kWh in the evening."""
    days, one = home_days(), np.array([1])
    home = Household(Battery(2_500 * one, 10_000 * one, 922_000 * one, 0 * one))
    plan = np.where((days.slot % DAY >= 36) & (days.slot % DAY < 40), -750, 0)
    state, rows = HouseholdState(2_000 * one), []
    for t in days.slot:
        slot = HouseholdSlot(days.load_wh[t : t + 1], days.solar_wh[t : t + 1], plan[t : t + 1])
        step = run_household(home, state, slot)
        state = step.after
        rows.append((int(step.reading_wh[0]), int(state.battery_wh[0])))
    meter, stored = np.array(rows).T
    right = _fill_level(axis, stored, "stored, kWh (right)", 12)
    for values, colour, name in (
        (days.load_wh, BLACK, "load"), (days.solar_wh, ORANGE, "PV"), (meter, BLUE, "meter"), (plan, RED, "contract"),
    ):  # fmt: skip
        _step(axis, values[SHOWN], colour, name, "--" if name == "contract" else "-")
    _legend(axis, right)
    axis.set_title("Battery: the meter follows the contract")


def draw_vehicle(axis: Any) -> None:
    """The same car charged in the cheapest slots and at once, from noon to noon."""
    days, shown = home_days(), slice(DAY + DAY // 2, 2 * DAY + DAY // 2)
    driving = np.where(days.slot % DAY == 16, 9_000, 0)
    plugged = (days.slot % DAY < 16) | (days.slot % DAY >= 36)
    for rule, colour in ((Charging.AT_ONCE, GREY), (Charging.CHEAPEST, BLUE)):
        charged = _charge(rule, days, plugged, driving)
        name = rule.name.lower().replace("_", " ")
        axis.stairs(charged[shown] / 1_000, _edges(), fill=True, color=colour, alpha=0.8, label=name)
    away = ~plugged[shown]
    axis.fill_between(_edges()[:-1], 0, 4, where=away, step="post", color=PALE, label="away")
    axis.set_ylim(0, 4)
    price = _beside(axis, 24)
    _step(price, days.price[shown], RED, "price, JPY/kWh (right)")
    _legend(axis, price)
    axis.set_title("Vehicle: 9 kWh a day, plugged in from 18:00 to 8:00")


def _charge(rule: Charging, days: Series, plugged: Any, driving: Int) -> Int:
    vehicle = common_vehicle(np.array([True]), np.array([False]), np.array([0]))
    needed = needed_for_trip(vehicle, driving[None])
    stored, charged = np.array([17_000]), []
    for t in days.slot[: 3 * DAY]:
        ahead = slice(t, t + DAY)
        usable = before_departure(plugged[None, ahead])
        order = charging_order(rule, days.price[ahead], days.slot[ahead])
        plan = charge_schedule(vehicle, stored, needed[:, t], usable, order)
        passed, stored = run_vehicle(vehicle, stored, plan[:, 0], plugged[t : t + 1], needed[:, t])
        stored, _ = drive(vehicle, stored, driving[t : t + 1])
        charged.append(int(passed[0]))
    return np.array(charged)


def draw_fuel_cells(axis: Any) -> None:
    """Both kinds follow the load until the tank is full."""
    days = home_days()
    _, tank = _run_cell(PEFC, days)
    right = _fill_level(axis, tank, "PEFC tank, kWh (right)", 12)
    _step(axis, days.load_wh[SHOWN], BLACK, "load")
    for kind, colour in ((SOFC, BLUE), (PEFC, ORANGE)):
        made, _ = _run_cell(kind, days)
        _step(axis, made[SHOWN], colour, kind.name)
    _legend(axis, right)
    axis.set_title("Fuel cells: heat that finds no room stops them")


def _run_cell(kind: FuelCellType, days: Series) -> tuple[Int, Int]:
    cell, held, rows = fuel_cells((kind,)), np.array([500]), []
    for t in days.slot[: 3 * DAY]:
        step = run_fuel_cell(cell, held, days.heat_wh[t : t + 1], days.load_wh[t : t + 1])
        held = step.held_wh
        rows.append((int(step.output_wh[0]), int(held[0])))
    made, tank = np.array(rows).T
    return made, tank


def draw_heat_pump(axis: Any) -> None:
    """The same tank filled by night and in the sunniest slots."""
    days = home_days()
    surplus = np.maximum(days.solar_wh - days.load_wh, 0)
    axis.stairs(surplus[SHOWN] / 1_000, _edges(), fill=True, color=PALE, label="PV surplus")
    tanks = _beside(axis, 24)
    for filling, colour in ((Filling.NIGHT, BLUE), (Filling.DAY, ORANGE)):
        taken, tank = _run_pump(filling, days, surplus)
        name = f"by {filling.name.lower()}"
        axis.stairs(taken[SHOWN] / 1_000, _edges(), fill=True, color=colour, alpha=0.85, label=name)
        tanks.plot(_edges()[1:], tank[SHOWN] / 1_000, color=colour, linewidth=1.4, label=f"tank {name}, kWh (right)")
    _legend(axis, tanks)
    axis.set_title("Heat pump: the tank filled by night or by day")


def _run_pump(filling: Filling, days: Series, surplus: Int) -> tuple[Int, Int]:
    pump, cop = common_heat_pump(np.array([True]), np.array([filling], np.int64)), cop_ppm(np.array([OUTDOOR_TENTHS]))
    held, rows = np.array([6_000]), []
    for t in days.slot[: 3 * DAY]:
        ahead = slice(t, t + DAY)
        heat = days.heat_wh[None, ahead]
        plan = plan_heating(pump, held, heat, cop, days.slot[ahead], surplus[None, ahead])
        step = run_heat_pump(pump, held, heat[:, 0], plan[:, 0], cop)
        held = step.held_wh
        rows.append((int(step.input_wh[0] + step.backup_wh[0]), int(held[0])))
    taken, tank = np.array(rows).T
    return taken, tank


def draw_thermal(axis: Any) -> None:
    """Three kinds of 50 kWh per slot asked for the same: little by night, a dip at noon, a steep evening."""
    hours = (20, 10, 4, 4, 4, 10, 26, 44, 40, 28, 16, 8, 4, 8, 14, 26, 40, 50, 50, 48, 44, 38, 32, 26)
    wanted = np.tile(np.rint(half_hours_from_hours(hours) * 1_000).astype(np.int64), 2)
    _step(axis, wanted[SHOWN], BLACK, "wanted", "--")
    for kind, colour in ((COAL, GREY), (GTCC, BLUE), (OIL, ORANGE)):
        _step(axis, _follow(kind, wanted)[SHOWN], colour, kind.name)
    _legend(axis)
    axis.set_title("Thermal units: minimum load, standstill, ramp")


def _follow(kind: UnitType, wanted: Int) -> Int:
    units = units_of((kind,), np.array([50_000]))
    state, made = units_at_rest(units, 1), []
    for wish in wanted:
        output, state, _ = run_units(units, state, np.array([[wish]]))
        made.append(int(output[0, 0]))
    return np.array(made)


def draw_curtailment(axis: Any) -> None:
    """A 60 kW plant that may generate only what it contracted: 60 % of the most sun of four days at that hour."""
    days = home_days()
    sun = days.solar_wh * (60_000 // HOME_PV_W)
    plan = -np.max(sun.reshape(DAYS, DAY), 0) * 6 // 10
    taken = sun[SHOWN] - curtail(sun[SHOWN], -sun[SHOWN], plan)
    axis.stairs(sun[SHOWN] / 1_000, _edges(), fill=True, color=ORANGE, alpha=0.35, label="available, cut")
    axis.stairs(taken / 1_000, _edges(), fill=True, color=GREEN, alpha=0.8, label="generated")
    _step(axis, -plan, RED, "contracted", "--")
    axis.axhline(3 * role_limit_wh(RouterRole.PLANT) / 1_000, color=BLACK, linewidth=1)
    axis.annotate("three routers of 20 kW", (0.3, 30), xytext=(0, -12), textcoords="offset points", fontsize=9)
    _legend(axis)
    axis.set_title("PV plant: what was not contracted is cut")


PANELS: tuple[Callable[[Any], None], ...] = (
    draw_battery,
    draw_vehicle,
    draw_fuel_cells,
    draw_heat_pump,
    draw_thermal,
    draw_curtailment,
)


def draw_devices() -> Figure:
    """A panel for each device."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 11), layout="constrained")
        for axis, draw in zip(figure.subplots(3, 2).flat, PANELS, strict=True):
            draw(axis)
            axis.set_ylabel("kWh in the slot")
            _mark_hours(axis, DAY // 4 if draw is draw_vehicle else 0)
    return figure


def _edges() -> Any:
    return np.arange(DAY + 1) / 2


def _step(axis: Any, values: Int, colour: str, name: str, style: str = "-") -> None:
    axis.stairs(values / 1_000, _edges(), baseline=None, color=colour, linewidth=1.6, linestyle=style, label=name)


def _beside(axis: Any, most: float) -> Any:
    """A scale of its own at the right."""
    right = axis.twinx()
    right.set_ylim(0, most)
    right.grid(visible=False)
    right.spines["right"].set_visible(True)
    return right


def _fill_level(axis: Any, level_wh: Int, name: str, most: float) -> Any:
    """What is stored, pale behind the curves."""
    right = _beside(axis, most)
    axis.set_zorder(right.get_zorder() + 1)
    axis.patch.set_visible(False)
    right.fill_between(_edges()[1:], level_wh[SHOWN] / 1_000, color=PALE, linewidth=0, label=name)
    return right


def _legend(axis: Any, right: Any = None) -> None:
    """One legend of both scales below the panel."""
    both = [axis.get_legend_handles_labels(), right.get_legend_handles_labels() if right else ([], [])]
    handles, names = (first + second for first, second in zip(*both, strict=True))
    axis.legend(handles, names, loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3, fontsize=9)


def _mark_hours(axis: Any, first: int) -> None:
    axis.set_xlim(0, 24)
    axis.set_xticks(range(0, 25, 4), [f"{(first + hour) % 24}:00" for hour in range(0, 25, 4)])


def main(folder: Path) -> None:
    """Write the picture of docs/devices.md into a folder and name it; a mistake is one line and exit code 1."""
    import typer

    try:
        for path in save_pngs({"devices": draw_devices()}, folder):
            typer.echo(path)
    except DigitalGridError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    import typer

    typer.run(main)
