"""The picture of the study of forecasts: error by lead of each role, and some days of forecast and truth."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PALE, STYLE, save_pngs
from experiments.forecast_study import LEADS, Course, ForecastErrors
from market.slots import HALF_HOURS

COLOURS = {"naive": GREY, "weather": BLUE, "ridge": GREEN, "boosting": ORANGE}
SHOWN = {"naive": GREY, "weather, updated": BLUE, "ridge, updated": GREEN}
"""Forecasts drawn beside the truth."""


def save_pictures(study: ForecastErrors, folder: Path) -> list[Path]:
    """Write forecasts.png; raises ConfigError when that cannot be."""
    return save_pngs({"forecasts": draw(study)}, folder)


def draw(study: ForecastErrors) -> Figure:
    """Above: error by lead, solid with updates; below: three days of the first party of each role."""
    roles = list(dict.fromkeys(row.role for row in study.errors))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 7), layout="constrained")
        above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
        axes = above.subplots(1, len(roles), squeeze=False)[0]
        for axis, role in zip(axes, roles, strict=True):
            _draw_errors(axis, study, role)
        above.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=8)
        axes = below.subplots(1, len(study.courses), squeeze=False)[0]
        for axis, course in zip(axes, study.courses, strict=True):
            _draw_course(axis, course)
        below.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _draw_errors(axis: Any, study: ForecastErrors, role: str) -> None:
    places = np.arange(len(LEADS))
    for name, colour in COLOURS.items():
        for title, style in ((name, "--"), (f"{name}, updated", "-")):
            rows = [row for row in study.errors if (row.role, row.model) == (role, title)]
            mean = [row.mae_wh.mean for row in rows]
            axis.plot(places, mean, color=colour, linestyle=style, marker="o", markersize=3, label=title)
            if style == "-" and rows[0].mae_wh.low is not None:
                low, high = ([getattr(row.mae_wh, side) for row in rows] for side in ("low", "high"))
                axis.fill_between(places, low, high, color=colour, alpha=0.1, linewidth=0)
    axis.set_xticks(places, list(LEADS))
    axis.set_ylim(bottom=0)
    axis.set_xlabel("made before delivery")
    axis.set_title(f"{role}: mean error\n[Wh for each party and half hour]")


def _draw_course(axis: Any, course: Course) -> None:
    shown = slice(0, 3 * HALF_HOURS.per_day)
    days = 2 + np.arange(len(course.truth[shown])) / HALF_HOURS.per_day
    axis.fill_between(days, 0, course.truth[shown], step="post", color=PALE, label="truth")
    for title, colour in SHOWN.items():
        axis.step(days, course.forecasts[title][shown], where="post", color=colour, linewidth=1.1, label=title)
    axis.axhline(0, color=BLACK, linewidth=0.8)
    axis.set_xticks(range(2, 6))
    axis.set_xlabel("days from the start")
    axis.set_title(f"{course.party}: forecast of one hour\nbefore [kWh, + from the grid]")
