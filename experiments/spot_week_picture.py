"""Six days of a scenario of many areas in the day-ahead auction: price of every area, use of every line."""

from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from envs.opening import open_world
from envs.scenario_schema import Scenario
from experiments.drawing import STYLE
from experiments.trace import Trace, TraceRecorder
from market.exchange import NO_PRICE
from market.slots import HALF_HOURS
from market.units import MJPY_PER_JPY

DAYS, UNTRADED = 7, 1
"""Days played; on the first nothing was traded the day before."""
Floats = npt.NDArray[np.float64]


def draw_spot_week(scenario: Scenario) -> Figure:
    """The first held-out week of the synthetic year, world 0, seed 0, everybody truthful."""
    world = open_world(scenario, "spot", days=DAYS, held_out=True, ledger="off")
    world.reset()
    recorder = TraceRecorder(world)
    while world.t < world.slots:
        recorder.record(world.step())
    trace = recorder.finish()
    first = UNTRADED * HALF_HOURS.per_day
    areas, lines = trace.named("price"), trace.named("flow_wh")
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(9.6, 2.2 + 0.26 * (len(areas) + len(lines))), layout="constrained")
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=(len(areas), len(lines)))
        _draw_rows(figure, top, list(areas), _prices(trace)[:, first:], "viridis", "JPY/kWh", "Price of each area")
        title = "Net flow over what the line can carry that way, + is forward"
        _draw_rows(figure, below, list(lines), _use(trace)[:, first:], "RdBu_r", "", title, (-1.0, 1.0))
        _mark_days(below, int(trace.slots["slot"][first]), DAYS - UNTRADED)
    return figure


def _prices(trace: Trace) -> Floats:
    """(areas, slots) [JPY/kWh], NaN without trade."""
    table = np.stack(list(trace.named("price").values()))
    return np.where(table == NO_PRICE, np.nan, table / MJPY_PER_JPY)


def _use(trace: Trace) -> Floats:
    """(lines, slots), net flow over the capacity in its direction; zero where there is none."""
    flow, forward, backward = (
        np.stack(list(trace.named(name).values())) for name in ("flow_wh", "forward_wh", "backward_wh")
    )
    room = np.where(flow >= 0, forward, backward)
    return np.asarray(flow / np.maximum(room, 1), np.float64)


def _draw_rows(
    figure: Figure,
    axis: Any,
    names: list[str],
    values: Floats,
    colours: str,
    unit: str,
    title: str,
    bounds: tuple[float, float] | None = None,
) -> None:
    """Rows of colours, one a name, with a colour bar."""
    low, high = bounds or (float(np.nanmin(values)), float(np.nanmax(values)))
    image = axis.imshow(
        values, aspect="auto", interpolation="nearest", cmap=colours, vmin=low, vmax=high, origin="upper"
    )
    axis.set_yticks(range(len(names)), names)
    axis.tick_params(left=False)
    for side in ("left", "bottom"):
        axis.spines[side].set_visible(False)
    axis.set_title(title)
    figure.colorbar(image, ax=axis, pad=0.01, aspect=12).set_label(unit)


def _mark_days(axis: Any, first_slot: int, days: int) -> None:
    per_day = HALF_HOURS.per_day
    starts = [day * per_day for day in range(days)]
    axis.set_xticks([start - 0.5 for start in starts], [HALF_HOURS.label(first_slot + s)[5:10] for s in starts])
