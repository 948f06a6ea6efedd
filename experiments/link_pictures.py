"""Pictures of the study of link and meters: what losses, delays and coarse meters add to imbalance and cost."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, RED, SKY, STYLE, save_pngs
from experiments.findings import Estimate
from experiments.link_study import BASE, DELAYS, LOSSES, RESOLUTIONS_WH, Case, LinkStudy

COLOURS = dict(zip(DELAYS, (BLUE, ORANGE, RED), strict=True))
ROLE_COLOURS = {"homes": GREEN, "stores": SKY, "mall": ORANGE, "thermal": GREY}
OVER_LOSS = {
    "imbalance_kwh_day": "Imbalance [kWh/day]",
    "resort_kwh_day": "Last resort [kWh/day]",
    "cost_jpy_day": "Added cost of all [JPY/day]",
}


def save_pictures(study: LinkStudy, folder: Path) -> list[Path]:
    """Write link_SCENARIO.png and meters_SCENARIO.png; raises ConfigError when that cannot be."""
    name = study.scenario.replace("-", "_")
    return save_pngs({f"link_{name}": draw_link(study), f"meters_{name}": draw_meters(study)}, folder)


def draw_link(study: LinkStudy) -> Figure:
    """Imbalance, last resort and cost over the part of messages lost, a line for each part that is late."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 3.7), layout="constrained")
        axes = figure.subplots(1, len(OVER_LOSS))
        for axis, (measure, title) in zip(axes, OVER_LOSS.items(), strict=True):
            for late, colour in COLOURS.items():
                found = [study.found[Case(loss, late, 1)][measure] for loss in LOSSES]
                shown = [f.change if measure == "cost_jpy_day" else f.mean for f in found]
                _draw_line(axis, shown, _late(late), colour)
            axis.set_title(title)
            axis.set_xlabel("messages lost")
            axis.set_xticks(range(len(LOSSES)), [f"{loss:.0%}" for loss in LOSSES])
            axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            axis.set_ylim(bottom=0)
        axes[0].legend(loc="upper left")
        figure.suptitle(_where(study), fontsize=10, color=GREY, x=0.01, ha="left")
    return figure


def draw_meters(study: LinkStudy) -> Figure:
    """Imbalance by role, and the change of certificates, over the step of the meters."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _draw_imbalance(left, study)
        _draw_certificates(right, study)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(study.roles))
        figure.suptitle(_where(study), fontsize=10, color=GREY, x=0.01, ha="left")
    return figure


def _draw_line(axis: Any, values: list[Estimate], label: str, colour: str) -> None:
    mean = [value.mean for value in values]
    half = [0.0 if value.high is None else value.high - value.mean for value in values]
    axis.errorbar(range(len(mean)), mean, yerr=half, marker="o", markersize=4, capsize=3, color=colour, label=label)


def _draw_imbalance(axis: Any, study: LinkStudy) -> None:
    """Stacked bars, one for each step, parts of the roles."""
    places, bottom = np.arange(len(RESOLUTIONS_WH)), np.zeros(len(RESOLUTIONS_WH))
    for role in study.roles:
        values = np.array([study.found[_meter(step)][f"imbalance_{role}_kwh_day"].mean.mean for step in RESOLUTIONS_WH])
        if values.max() > 1:
            axis.barh(places, values, 0.6, left=bottom, color=ROLE_COLOURS[role], label=role)
            bottom += values
    for place, width in zip(places, bottom, strict=True):
        axis.annotate(
            f"{width:,.0f}", (width, place), xytext=(4, 0), textcoords="offset points", va="center", color=BLACK,
            fontsize=9,
        )  # fmt: skip
    axis.set_yticks(places, [f"{step:,} Wh" for step in RESOLUTIONS_WH])
    axis.invert_yaxis()
    axis.margins(x=0.1)
    axis.grid(visible=False, axis="y")
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.set_title("Imbalance by step of the meters [kWh/day]")


def _draw_certificates(axis: Any, study: LinkStudy) -> None:
    """Certificates of every role that gets some, in parts of those of the base, with intervals."""
    names = {name: title for name, title in study.of_roles().items() if name.startswith("certified")}
    cases = [_meter(step) for step in RESOLUTIONS_WH if step > 1]
    for row, name in enumerate(names):
        base = study.found[BASE][name].mean.mean
        role = name.split("_")[1]
        for column, case in enumerate(cases):
            change = study.found[case][name].change
            place = column + 0.3 * (row - (len(names) - 1) / 2)
            half = 0.0 if change.high is None else change.high - change.mean
            axis.errorbar(
                100 * change.mean / base, place, xerr=100 * half / base, fmt="o", markersize=5, capsize=3,
                color=ROLE_COLOURS[role],
            )  # fmt: skip
    axis.axvline(0, color=BLACK, linewidth=0.8)
    widest = max(1.0, *map(abs, axis.get_xlim()))
    axis.set_xlim(-widest, widest)
    axis.locator_params(axis="x", nbins=4)
    axis.set_yticks(range(len(cases)), [f"{case.resolution_wh:,} Wh" for case in cases])
    axis.set_ylim(len(cases) - 0.5, -0.5)
    axis.grid(visible=False, axis="y")
    axis.set_title("Certificates, change against 1 Wh [%]")


def _late(part: float) -> str:
    return f"{part:.0%} of the rest late" if part else "none late"


def _meter(step_wh: int) -> Case:
    return Case(0.0, 0.0, step_wh)


def _where(study: LinkStudy) -> str:
    return (
        f"{study.scenario}, {study.bidders:,} bidders; mean of {study.worlds} held-out worlds of {study.days} days, "
        "95 % intervals"
    )
