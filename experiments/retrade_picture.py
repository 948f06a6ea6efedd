"""The picture of the study of re-trading: imbalance by role and lead, what designs trade, a day's plans."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PALE, RED, SKY, STYLE, save_pngs
from experiments.findings import Estimate
from experiments.retrade_play import FORECASTS, LEADS
from experiments.retrade_study import Day, Retrade, Row

COLOURS = dict(zip(FORECASTS, (GREY, BLUE, ORANGE, GREEN, BLACK), strict=True))
SHOWN = {"day before": SKY, "4 h": GREEN, "1 h": BLUE}
"""Plans of a day that are drawn."""


def save_pictures(study: Retrade, folder: Path) -> list[Path]:
    """Write retrade.png; raises ConfigError when that cannot be."""
    return save_pngs({"retrade": draw(study)}, folder)


def draw(study: Retrade) -> Figure:
    """Above: imbalance of each role by when plans are fixed; below: designs, and a day of up to two parties."""
    roles = [role for role in study.leads[0].imbalance_kwh if role != "all"]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 7.4), layout="constrained")
        above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
        for axis, role in zip(above.subplots(1, len(roles), squeeze=False)[0], roles, strict=True):
            _draw_leads(axis, study, role)
        above.suptitle("Imbalance of each role by when plans are fixed")
        above.legend(*above.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
        axes = below.subplots(1, 1 + len(study.days), squeeze=False)[0]
        _draw_ways(axes[0], study.ways)
        for axis, day in zip(axes[1:], study.days, strict=True):
            _draw_day(axis, day)
    return figure


def _draw_leads(axis: Any, study: Retrade, role: str) -> None:
    batteries = {row.battery for row in study.leads}
    for forecast, colour in COLOURS.items():
        for battery in sorted(batteries, reverse=True):
            rows = [row for row in study.leads if (row.forecast, row.battery) == (forecast, battery)]
            alone = battery or len(batteries) == 1
            if not alone and role != "homes":
                continue
            values = [row.imbalance_kwh[role] for row in rows]
            _draw_line(axis, values, colour, forecast if alone else "without battery", dashed=not alone)
    axis.set_xticks(range(len(LEADS)), [lead.replace("day ", "day\n") for lead in LEADS])
    axis.set_ylim(bottom=0)
    axis.set_xlabel("plans fixed before delivery")
    dashed = role == "homes" and len(batteries) == 2
    axis.set_title(f"{role} [kWh/day]" + (", dashed: no battery" if dashed else ""))


def _draw_line(axis: Any, values: list[Estimate], colour: str, label: str, dashed: bool) -> None:
    places, mean = np.arange(len(values)), np.array([value.mean for value in values])
    style = "--" if dashed else "-"
    axis.plot(places, mean, color=colour, linestyle=style, marker="o", markersize=3, label=None if dashed else label)
    if values[0].low is not None and not dashed:
        low, high = (np.array([getattr(value, side) for value in values], np.float64) for side in ("low", "high"))
        axis.fill_between(places, np.nan_to_num(low), np.nan_to_num(high), color=colour, alpha=0.12, linewidth=0)


def _draw_ways(axis: Any, rows: tuple[Row, ...]) -> None:
    places = np.arange(len(rows))
    for offset, name, colour in ((-0.27, "imbalance_kwh", RED), (0.0, "resort_kwh", GREY), (0.27, "traded_kwh", BLUE)):
        values = [row.imbalance_kwh["all"] if name == "imbalance_kwh" else getattr(row, name) for row in rows]
        label = {"imbalance_kwh": "imbalance", "resort_kwh": "retailer", "traded_kwh": "traded"}[name]
        axis.barh(places + offset, [value.mean for value in values], 0.25, color=colour, label=label)
        for place, value in zip(places, values, strict=True):
            if value.low is not None and value.high is not None:
                axis.plot([value.low, value.high], [place + offset] * 2, color=BLACK, linewidth=1.1)
    axis.set_yticks(places, [f"{row.design},\n{row.lead}" for row in rows])
    axis.invert_yaxis()
    axis.grid(visible=False, axis="y")
    axis.set_xlabel("kWh a day, all sites")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    axis.set_title("Designs, forecast weather updated")


def _draw_day(axis: Any, day: Day) -> None:
    hours = np.arange(len(day.reading)) / 2
    axis.fill_between(hours, 0, day.reading, step="post", color=PALE, label="reading")
    for lead, colour in SHOWN.items():
        axis.step(hours, day.plans[lead], where="post", color=colour, linewidth=1.4, label=f"plan of {lead}")
    axis.axhline(0, color=BLACK, linewidth=0.8)
    axis.set_xlim(0, 24)
    axis.set_xticks(range(0, 25, 6))
    axis.set_xlabel("hour")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    axis.set_ylabel("kWh, + from the grid")
    axis.set_title(f"{day.party}, {day.date}")
