"""Pictures of the optimiser study: a home's day beside the prices, and shares of the oracle's saving."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, STYLE, save_pngs
from experiments.oracle_study import FORECASTS, PLANNED, SELF_USE, SETTINGS, Example, OptimiserStudy
from market.slots import HALF_HOURS

LINES = {SELF_USE: ("self-use", GREY, "-"), PLANNED: ("optimiser", BLUE, "-"), "oracle": ("oracle", GREEN, "--")}
TARGET = 0.9
"""Share of the oracle's saving aimed at with a perfect forecast."""
COLOURS = dict(zip(FORECASTS, (BLUE, SKY, ORANGE), strict=True))


def save_pictures(study: OptimiserStudy, folder: Path) -> list[Path]:
    """Write optimiser_day.png and optimiser_share.png; raises ConfigError when that cannot be."""
    return save_pngs({"optimiser_day": draw_day(study.example), "optimiser_share": draw_shares(study)}, folder)


def draw_day(example: Example) -> Figure:
    """Stored energy of one home through a day under self-use, the optimiser and the oracle, below the outside price."""
    hours = np.arange(HALF_HOURS.per_day + 1) / 2
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 5.4), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
        above.step(hours, np.append(example.price, example.price[-1]), where="post", color=BLACK)
        above.set_ylabel("JPY/kWh")
        above.set_title(f"Outside price, {example.day}")
        for who, (label, colour, style) in LINES.items():
            below.plot(hours, example.stored[who], color=colour, linestyle=style, linewidth=1.8, label=label)
        below.set_title("Stored energy of one home that buys and sells at that price")
        below.set_ylabel("kWh")
        below.set_xlabel("hour of the day")
        below.set_xticks(range(0, 25, 3))
        below.set_xlim(0, 24)
        figure.legend(*below.get_legend_handles_labels(), loc="outside lower center", ncols=len(LINES))
    return figure


def draw_shares(study: OptimiserStudy) -> Figure:
    """Saving [JPY/day] beside the oracle's, and the share of it, for each setting and forecast."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for place, name in enumerate(SETTINGS):
            rows = {s.forecast: s for s in study.savings if s.setting == name}
            for shift, forecast in enumerate(FORECASTS):
                at, saving = place + 0.27 * (shift - 1), rows[forecast]
                _bar(left, at, saving.optimiser, COLOURS[forecast])
                left.plot([saving.oracle.mean] * 2, [at - 0.12, at + 0.12], color=GREEN, linewidth=2.5)
                _bar(right, at, saving.share_same_end, COLOURS[forecast])
        left.set_yticks(range(len(SETTINGS)), list(SETTINGS))
        left.set_ylim(len(SETTINGS) - 0.5, -0.5)
        left.set_title("Saving of a home over self-use")
        left.set_xlabel("JPY a day; green: the oracle's")
        right.set_title("Share of what could be saved, same end")
        right.set_xlabel("95 % intervals over worlds")
        right.axvline(TARGET, color=GREY, linestyle="--", linewidth=1.2)
        right.annotate(
            f"{TARGET:g}",
            (TARGET, 0.01),
            xycoords=("data", "axes fraction"),
            xytext=(3, 2),
            textcoords="offset points",
            color=GREY,
            fontsize=9,
        )
        for axis in (left, right):
            axis.grid(visible=False, axis="y")
            axis.axvline(0, color=BLACK, linewidth=0.8)
        handles = [mpl.patches.Patch(color=colour, label=f"{name} forecast") for name, colour in COLOURS.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(FORECASTS))
    return figure


def _bar(axis: Any, at: float, value: Any, colour: str) -> None:
    axis.barh(at, value.mean, 0.24, color=colour)
    if value.low is not None:
        axis.plot([value.low, value.high], [at, at], color=BLACK, linewidth=1)
