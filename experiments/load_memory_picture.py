"""The picture of the study of load memory: correlation by lag of each file, and what was fitted."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from agents.forecasting import READING_LAG
from experiments.drawing import BLACK, BLUE, ORANGE, STYLE, save_pngs
from experiments.load_memory_study import LoadMemory, Memory
from market.slots import HALF_HOURS

LAG_HOURS = (READING_LAG + HALF_HOURS.gate) * HALF_HOURS.minutes / 60
"""From the newest official reading to the slot at the gate [hours]."""


def save_pictures(study: LoadMemory, folder: Path) -> list[Path]:
    """Write load-memory.png; raises ConfigError when that cannot be."""
    return save_pngs({"load-memory": draw(study)}, folder)


def draw(study: LoadMemory) -> Figure:
    """One panel for each file."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4 * len(study.files), 3.4), layout="constrained")
        axes = figure.subplots(1, len(study.files), sharey=True, squeeze=False)[0]
        for axis, row in zip(axes, study.files, strict=True):
            _draw_file(axis, row)
        axes[0].set_ylabel("correlation of log(load / usual load)")
        axes[0].legend(loc="upper right")
    return figure


def _draw_file(axis: Any, row: Memory) -> None:
    lags = np.linspace(0, 24, 200)
    axis.plot(row.lag_hours, row.correlation, ".", color=BLUE, markersize=5, label="measured")
    axis.plot(lags, row.fitted(lags), color=ORANGE, label="fitted")
    axis.axvline(LAG_HOURS, color=BLACK, linewidth=0.8, linestyle=":", label="newest reading at the gate")
    axis.axhline(0, color=BLACK, linewidth=0.8)
    axis.set_xticks(range(0, 25, 6))
    axis.set_ylim(-0.1, 1)
    axis.set_xlabel("lag [hours]")
    axis.set_title(f"{row.what}\n{row.hours:.1f} hours, part {row.part:.2f}")
