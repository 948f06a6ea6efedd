"""Pictures of the lead-time study: skill by lead for each case, each line's correlation, and one line on one day."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, STYLE, save_pngs
from experiments.lead_time import CASES, LEADS, Example, LeadTime
from market.slots import HALF_HOURS

COLOURS = dict(zip(CASES, (BLUE, PINK, RED, GREEN, ORANGE, SKY), strict=True))
PANELS = {
    "correlation": "Correlation with the final flow\n(mean over lines)",
    "error": "Mean error of the flow\n(part of the line's capacity)",
    "precision": "Known full: how many ended full",
    "recall": "Ended full: how many were known",
}
WITHOUT_CONTRACTS = "base, other years, no contracts"


def save_pictures(study: LeadTime, folder: Path) -> list[Path]:
    """Write lead_time.png, lead_time_lines.png and lead_time_day.png; raises ConfigError when that cannot be."""
    pictures = {
        "lead_time": draw_skill(study),
        "lead_time_lines": draw_lines(study),
        "lead_time_day": draw_day(study.example),
    }
    return save_pngs(pictures, folder)


def draw_skill(study: LeadTime) -> Figure:
    """Skill against lead, one line for each case, the seeds' spread shaded."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 7), layout="constrained")
        axes = figure.subplots(2, 2, sharex=True).ravel()
        for axis, (name, title) in zip(axes, PANELS.items(), strict=True):
            for case in CASES:
                _draw_case(axis, study, case, name, COLOURS[case])
            axis.set_title(title)
            _mark_leads(axis)
        for axis in axes[2:]:
            axis.set_xlabel("days before delivery")
        axes[0].set_ylim(-0.2, 1.02)
        for axis in axes[1:]:
            axis.set_ylim(-0.02, None if axis is axes[1] else 1.02)
        figure.legend(loc="outside lower center", ncols=len(CASES) + 1, handles=_in_order(axes[0]))
    return figure


def draw_lines(study: LeadTime) -> Figure:
    """Correlation of known with final flow of each line at each lead in the base case, mean over seeds."""
    cells = np.array([run.skill.line_correlation for run in study.of_case("base")])
    there = ~np.isnan(cells)
    mean = np.where(there, cells, 0).sum(0) / np.maximum(there.sum(0), 1)
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(9, 4.6), layout="constrained")
        axis = figure.subplots()
        image = axis.imshow(mean.T, vmin=0, vmax=1, cmap="Blues", aspect="auto")
        for (lead, line), value in np.ndenumerate(mean):
            colour = "white" if value > 0.6 else BLACK
            axis.text(lead, line, f"{value:z.2f}", ha="center", va="center", color=colour, fontsize=9)
        axis.set_xticks(range(len(LEADS)), [str(lead) for lead in LEADS])
        axis.set_yticks(range(len(study.lines)), study.lines)
        axis.set_xlabel("days before delivery")
        axis.set_title("Correlation of contracted with final flow, base case")
        figure.colorbar(image, ax=axis, shrink=0.8)
    return figure


def draw_day(example: Example) -> Figure:
    """Net flow of one line on one day as it was contracted at several leads, and its capacity."""
    hours = np.arange(HALF_HOURS.per_day + 1) / 2
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.2), layout="constrained")
        axis = figure.subplots()
        shades = mpl.colormaps["viridis_r"](np.linspace(0.1, 0.9, len(LEADS)))
        for lead, known, shade in zip(LEADS, example.known_mw, shades, strict=True):
            if lead in (300, 100, 30, 7, 1):
                label = f"known {lead} day{'s' * (lead > 1)} ahead"
                axis.step(hours, np.append(known, known[-1]), where="post", color=shade, label=label)
        final = np.append(example.final_mw, example.final_mw[-1])
        axis.step(hours, final, where="post", color=BLACK, linewidth=2, label="final")
        for level, above in ((example.capacity_mw[0], 3), (-example.capacity_mw[1], -11)):
            axis.axhline(level, color=RED, linestyle="--", linewidth=1.2, zorder=1)
            axis.annotate("capacity", (0.3, level), xytext=(0, above), textcoords="offset points", color=RED)
        axis.margins(y=0.1)
        axis.set_xticks(range(0, 25, 3))
        axis.set_xlim(0, 24)
        axis.set_xlabel("hour of delivery")
        axis.set_ylabel("net flow [MW]")
        axis.set_title(
            f"{example.line}, {HALF_HOURS.day_of(example.slot)}: contracted flow as it grew (dgp, base case)"
        )
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _draw_case(axis: Any, study: LeadTime, case: str, name: str, colour: str) -> None:
    values = np.array([getattr(run.skill, name) for run in study.of_case(case)])
    known = ~np.isnan(values).all(0)
    leads, values = np.array(LEADS)[known], values[:, known]
    axis.fill_between(leads, np.nanmin(values, 0), np.nanmax(values, 0), color=colour, alpha=0.2, linewidth=0)
    axis.plot(leads, np.nanmean(values, 0), color=colour, marker="o", markersize=3, label=case)
    if case == "base":
        usual = np.mean([getattr(run.skill, f"usual_{name}") for run in study.of_case(case)])
        axis.axhline(float(usual), color=GREY, linestyle="--", linewidth=1.2, label=WITHOUT_CONTRACTS)


def _in_order(axis: Any) -> list[Any]:
    """The cases' lines, then the one without contracts."""
    return sorted(axis.get_legend_handles_labels()[0], key=lambda line: line.get_label() not in CASES)


def _mark_leads(axis: Any) -> None:
    axis.set_xscale("log")
    axis.set_xlim(400, 0.9)
    axis.set_xticks(LEADS, [str(lead) for lead in LEADS])
    axis.minorticks_off()
