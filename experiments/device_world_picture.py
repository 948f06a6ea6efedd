"""The picture of devices in the market: what a home planned and delivered, and what a unit with limits makes of sales.

`python -m experiments.device_world_picture docs/figures` writes it: two days of `urawa-misono` under `dgp`, truthful
bidders, every home with a car that feeds it and a water heater, units of the type `gtcc`.
"""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from agents.thermal import GTCC
from envs.opening import open_world
from envs.scenario import load_scenario
from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, RED, STYLE, save_pngs
from experiments.trace import Trace, TraceRecorder
from market.errors import DigitalGridError
from market.slots import HALF_HOURS
from market.units import MJPY_PER_JPY, WH_PER_KWH, Int

SETTINGS: dict[str, object] = {
    "homes.vehicle": {"feeds_home": True},
    "homes.water_heater": {},
    "thermal.type": GTCC.name,
}
HOME, UNIT, SEED, DAYS = "home-1", "thermal-3", 3, 2


def play_days() -> tuple[Trace, dict[str, Int]]:
    """The days' trace, and plan and reading of the home and the unit [Wh]."""
    world = open_world(load_scenario("urawa-misono", SETTINGS), "dgp", seed=SEED, days=DAYS, ledger="off")
    world.reset()
    recorder, readings = TraceRecorder(world), []
    while world.t < world.slots:
        step = world.step()
        recorder.record(step)
        readings.append(step.reading_wh[0])
    rows = {name: world.fleet.names.index(name) for name in (HOME, UNIT)}
    columns = {f"plan:{name}": world.plan_wh[0, row, : world.slots] for name, row in rows.items()}
    columns |= {f"reading:{name}": np.array(readings)[:, row] for name, row in rows.items()}
    return recorder.finish(), columns


def draw_days(trace: Trace, columns: dict[str, Int]) -> Figure:
    """Four panels over the same hours."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 11), layout="constrained")
        axes = figure.subplots(4, 1, sharex=True)
        for axis, draw in zip(axes, (_draw_commands, _draw_stores, _draw_meter, _draw_unit), strict=True):
            draw(axis, trace, columns)
            axis.legend(loc="upper left", bbox_to_anchor=(1.1, 1.02))
        axes[-1].set_xlim(0, 24 * DAYS)
        ticks = range(0, 24 * DAYS + 1, 6)
        axes[-1].set_xticks(ticks, [f"{hour % 24}:00" for hour in ticks])
    return figure


def _draw_commands(axis: Any, trace: Trace, _columns: dict[str, Int]) -> None:
    right = axis.twinx()
    right.grid(visible=False)
    price = trace.named("outside")["tokyo"] / MJPY_PER_JPY
    right.stairs(price, _edges(len(price)), baseline=None, color=GREY, linestyle=":", linewidth=1.4)
    right.set_ylabel("outside price\nJPY/kWh", color=GREY)
    axis.plot([], [], color=GREY, linestyle=":", label="outside price")
    for what, name, colour in (
        ("vehicle_set_wh", "car, + charges", BLUE),
        ("heater_set_wh", "water heater", RED),
        ("battery_set_wh", "battery, + charges", GREEN),
        ("solar_set_wh", "PV allowed", ORANGE),
    ):
        _step(axis, trace.of_devices(what)[HOME], colour, name)
    axis.set_ylabel("kWh in the slot")
    axis.set_title("A home: what the DGC commands its routers")


def _draw_stores(axis: Any, trace: Trace, _columns: dict[str, Int]) -> None:
    for what, name, colour in (
        ("vehicle_wh", "car", BLUE),
        ("tank_wh", "heat in the tank", RED),
        ("stored_wh", "battery", GREEN),
    ):
        level = trace.of_devices(what)[HOME] / WH_PER_KWH
        axis.plot(_edges(len(level))[1:], level, color=colour, linewidth=1.6, label=name)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("kWh at the end\nof the slot")
    axis.set_title("What it holds; a trip leaves the cells as it begins")


def _draw_meter(axis: Any, _trace: Trace, columns: dict[str, Int]) -> None:
    plan, reading = columns[f"plan:{HOME}"], columns[f"reading:{HOME}"]
    _fill_between(axis, plan, reading)
    _step(axis, plan, BLACK, "plan, + is import")
    _step(axis, reading, BLUE, "meter")
    axis.set_ylabel("kWh in the slot")
    axis.set_title("Its meter follows what was contracted")


def _draw_unit(axis: Any, _trace: Trace, columns: dict[str, Int]) -> None:
    sold, made = -columns[f"plan:{UNIT}"], -columns[f"reading:{UNIT}"]
    _fill_between(axis, sold, made)
    _step(axis, sold, BLACK, "sold")
    _step(axis, made, RED, "made")
    axis.set_ylabel("kWh in the slot")
    axis.set_title("A unit with minimum load and minimum times that offers as if it had none")


def _fill_between(axis: Any, first: Int, second: Int) -> None:
    """The difference, which is imbalance."""
    edges = _edges(len(first))
    low, high = (np.append(column, column[-1]) / WH_PER_KWH for column in (first, second))
    axis.fill_between(edges, low, high, step="post", color=ORANGE, alpha=0.35, linewidth=0, zorder=1, label="imbalance")


def _edges(count: int) -> Any:
    return np.arange(count + 1) * HALF_HOURS.minutes / 60


def _step(axis: Any, values: Int, colour: str, name: str) -> None:
    axis.stairs(values / WH_PER_KWH, _edges(len(values)), baseline=None, color=colour, linewidth=1.4, label=name)


def main(folder: Path) -> None:
    """Write the picture into a folder and name it; a mistake is one line and exit code 1."""
    import typer

    try:
        for path in save_pngs({"devices_world": draw_days(*play_days())}, folder):
            typer.echo(path)
    except DigitalGridError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    import typer

    typer.run(main)
