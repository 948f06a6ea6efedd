"""The picture of `digitalgrid bench agents`: how long a step takes as agents grow in number."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from experiments.bench_agents import StepTimes
from experiments.drawing import BLACK, BLUE, GREEN, ORANGE, STYLE, save_png
from market.errors import ConfigError

MS = 1_000
PANELS = (
    (
        "devices: load, PV, battery",
        (("objects_s", "Python objects, AgentSet.do", ORANGE), ("columns_s", "columns, array step", BLUE)),
    ),
    (
        "market: a half hour of the whole world",
        (("society_s", "Mesa society, every agent decides", GREEN), ("world_s", "bare world", BLACK)),
    ),
)


def draw_sizes(times: Sequence[StepTimes]) -> Figure:
    """Devices as objects and as columns on the left, society and bare world on the right; both axes logarithmic."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.6), layout="constrained")
        axes = figure.subplots(1, len(PANELS), sharex=True, sharey=True)
        for axis, (title, lines) in zip(axes, PANELS, strict=True):
            for name, label, colour in lines:
                _draw_line(axis, times, name, label, colour)
            axis.set_title(title)
            axis.set_xlabel("homes, each an agent")
            axis.xaxis.set_major_formatter(FuncFormatter(lambda homes, _: f"{homes:,.0f}"))
            axis.yaxis.set_major_formatter(FuncFormatter(lambda took, _: f"{took:g}"))
            axis.legend(loc="upper left")
        axes[0].set_ylabel("time of one step [ms]")
    return figure


def save_sizes(times: Sequence[StepTimes], path: Path) -> None:
    """Draw and write a PNG file; raises ConfigError when it cannot be written."""
    try:
        save_png(draw_sizes(times), path)
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(path), do="give another --picture") from error


def _draw_line(axis: Any, times: Sequence[StepTimes], name: str, label: str, colour: str) -> None:
    took = [MS * getattr(row, name) for row in times]
    axis.loglog([row.homes for row in times], took, "o-", color=colour, label=label, markersize=4)
    axis.annotate(f"{took[-1]:.3g} ms", (times[-1].homes, took[-1]), (6, 0), textcoords="offset points", va="center")
    axis.set_xlim(times[0].homes / 1.5, times[-1].homes * 5)
