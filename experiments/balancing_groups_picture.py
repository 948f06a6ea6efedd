"""The picture of the study of balancing groups: what netting saves by rule, who pays inside, how size matters."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from experiments.balancing_groups_study import SIZES, GroupStudy
from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, STYLE, save_pngs
from market.groups import ALLOCATIONS

COLOURS = (GREY, SKY, BLUE, GREEN)


def save_pictures(study: GroupStudy, folder: Path) -> list[Path]:
    """Write balancing_groups.png; raises ConfigError when that cannot be."""
    return save_pngs({"balancing_groups": draw(study)}, folder)


def draw(study: GroupStudy) -> Figure:
    """One row for each scenario: money by rule, money by role; beside them what is left after netting."""
    names = list(study.played)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 3.1 * len(names) + 0.5), layout="constrained")
        grid = figure.add_gridspec(len(names), 3)
        for place, name in enumerate(names):
            money, inside = figure.add_subplot(grid[place, 0]), figure.add_subplot(grid[place, 1])
            _draw_savings(money, study, name)
            _draw_inside(inside, study, name)
        _draw_netting(figure.add_subplot(grid[:, 2]), study)
    return figure


def _draw_savings(axis: Any, study: GroupStudy, name: str) -> None:
    rows = [row for row in study.savings if row.scenario == name]
    places = np.arange(len(rows))
    for offset, colour, label in ((-0.2, GREY, "alone"), (0.2, BLUE, "group")):
        for place, row in zip(places, rows, strict=True):
            paid = getattr(row, label)
            axis.barh(place + offset, paid.mean, 0.38, color=colour, label=label if place == 0 else None)
            if paid.low is not None and paid.high is not None:
                axis.plot([paid.low, paid.high], [place + offset] * 2, color=BLACK, linewidth=1.1)
    axis.axvline(0, color=BLACK, linewidth=0.8)
    axis.set_yticks(places, [row.rule.replace(", ", ",\n") for row in rows])
    axis.invert_yaxis()
    axis.grid(visible=False, axis="y")
    axis.legend(loc="lower right")
    axis.set_title(f"{name}: imbalance paid\nby rule [JPY/day per site]")


def _draw_inside(axis: Any, study: GroupStudy, name: str) -> None:
    rows = [row for row in study.inside if row.scenario == name]
    places = np.arange(len(rows))
    for step, (label, colour) in enumerate(zip(("alone", *ALLOCATIONS), COLOURS, strict=True)):
        paid = [row.alone if label == "alone" else row.paid[label] for row in rows]
        axis.barh(places + (step - 1.5) * 0.2, paid, 0.18, color=colour, label=label)
    axis.axvline(0, color=BLACK, linewidth=0.8)
    axis.set_yticks(places, [row.role for row in rows])
    axis.invert_yaxis()
    axis.grid(visible=False, axis="y")
    axis.legend(loc="lower right")
    axis.set_title(f"{name}: who pays under flat\nprices [JPY/day per site]")


def _draw_netting(axis: Any, study: GroupStudy) -> None:
    for name, colour in zip(study.played, (BLUE, ORANGE), strict=False):
        rows = [row for row in study.netting if row.scenario == name]
        size, left = np.array([row.size for row in rows]), np.array([row.left.mean for row in rows])
        axis.plot(size, left * 100, color=colour, marker="o", markersize=4, label=name)
    axis.plot(SIZES, 100 / np.sqrt(SIZES), color=GREY, linestyle="--", label="1 / square root of size")
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(FixedLocator([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.tick_params(axis="x", labelsize=8)
    axis.set_xlim(0.9, max(row.size for row in study.netting) * 1.2)
    axis.set_ylim(0, 105)
    axis.set_xlabel("sites in a group")
    axis.legend(loc="upper right")
    axis.set_title("Deviation left after netting\n[% of the members' own]")
