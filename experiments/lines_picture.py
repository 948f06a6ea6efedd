"""The picture of committed lines: net flow of each line slot by slot between its capacities, full slots marked."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from experiments.drawing import BLACK, BLUE, GREY, RED, STYLE, save_png
from experiments.lines import Lines
from market.errors import ConfigError
from market.slots import HALF_HOURS
from market.units import WH_PER_KWH

TICKS = 8
"""About so many times are named; they are hours, days or weeks apart."""


def draw_lines(lines: Lines) -> Figure:
    """One panel per line: committed net flow as a filled step, capacity both ways, a mark where the line is full."""
    grid = lines.ahead.grid
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 1.2 + 2.2 * len(grid.lines)), layout="constrained")
        axes = figure.subplots(len(grid.lines), 1, sharex=True, squeeze=False)[:, 0]
        for row, axis in enumerate(axes):
            _draw_line(axis, lines, row)
        _mark_times(axes[-1], lines)
        known = "by the end of the run" if lines.at is None else f"by {HALF_HOURS.label(lines.at)}"
        figure.suptitle(f"Flow that contracts formed {known} commit on each line", x=0.01, ha="left", fontsize=12)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def save_lines(lines: Lines, path: Path) -> None:
    """Draw and write a PNG file; raises ConfigError when it cannot be written."""
    try:
        save_png(draw_lines(lines), path)
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(path), do="give another --picture") from error


def _draw_line(axis: Any, lines: Lines, row: int) -> None:
    ahead = lines.ahead
    line, edges = ahead.grid.lines[row], np.arange(len(ahead.slot) + 1)
    net = ahead.net_wh[:, row] / WH_PER_KWH
    bounds = ahead.capacity_wh[:, row] / WH_PER_KWH * np.array([1, -1])
    axis.stairs(net, edges, fill=True, color=BLUE, alpha=0.75, label="committed net flow")
    for way in range(2):
        axis.stairs(bounds[:, way], edges, baseline=None, color=GREY, linewidth=1.2, label="" if way else "capacity")
    full = np.nonzero(ahead.full[:, row])
    axis.plot(full[0] + 0.5, bounds[full], ".", color=RED, markersize=5, label="full")
    axis.axhline(0, color=BLACK, linewidth=0.8)
    axis.set_xlim(0, len(ahead.slot))
    axis.set_title(f"{line.name}: {ahead.grid.areas[line.source]} to {ahead.grid.areas[line.target]} above zero")
    axis.set_ylabel("kWh in the slot")


def _mark_times(axis: Any, lines: Lines) -> None:
    slot, day = lines.ahead.slot, HALF_HOURS.per_day
    step = next((step for step in (day // 12, day // 4, day // 2, day, 7 * day) if len(slot) <= step * TICKS), 30 * day)
    ticks = np.flatnonzero(slot % step == 0)
    part = slice(5, 16) if step < day else slice(0, 10)
    axis.set_xticks(ticks, [HALF_HOURS.label(int(slot[tick]))[part] for tick in ticks])
    axis.set_xlabel("delivery")
