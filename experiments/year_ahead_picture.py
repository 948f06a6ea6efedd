"""The picture of the study of year-ahead trade: coverage by lead time, price, and how long units run."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, STYLE, save_pngs
from experiments.year_ahead_study import YearAheadStudy

COLOURS = (GREY, ORANGE, BLUE, GREEN)


def save_pictures(study: YearAheadStudy, folder: Path) -> list[Path]:
    """Write year_ahead.png; raises ConfigError when that cannot be."""
    return save_pngs({"year_ahead": draw(study)}, folder)


def draw(study: YearAheadStudy) -> Figure:
    """Coverage as delivery comes nearer; beside it bars by share."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 3.8), layout="constrained")
        ahead, price, runs = figure.subplots(1, 3, width_ratios=(1.5, 1, 1))
        _draw_coverage(ahead, study)
        _draw_bars(price, study, "price", 1e-3, "Stores pay, last resort\nincluded [JPY/kWh]")
        _draw_bars(runs, study, "run", 0.5, "A thermal unit's run,\nmean [h]")
    return figure


def _draw_coverage(axis: Any, study: YearAheadStudy) -> None:
    places = np.arange(len(study.leads))
    for result, colour in zip(study.results, COLOURS, strict=False):
        mean = [part.mean * 100 for part in result.coverage]
        bounds = [(part.low, part.high) for part in result.coverage]
        if all(low is not None and high is not None for low, high in bounds):
            low, high = (np.array(side, np.float64) * 100 for side in zip(*bounds, strict=True))
            axis.fill_between(places, low, high, step="mid", color=colour, alpha=0.2, linewidth=0)
        axis.step(places, mean, where="mid", color=colour, linewidth=2, label=f"share {result.share:g}")
    axis.set_xticks(places, [str(lead) if lead else "gate" for lead in study.leads])
    axis.invert_xaxis()
    axis.set_ylim(0, 105)
    axis.set_xlabel("days before delivery")
    axis.set_title("Stores' need under contract\nbetween parties [%]")
    axis.legend(loc="upper left")


def _draw_bars(axis: Any, study: YearAheadStudy, field: str, scale: float, title: str) -> None:
    for place, (result, colour) in enumerate(zip(study.results, COLOURS, strict=False)):
        value = getattr(result, field)
        axis.bar(place, value.mean * scale, 0.7, color=colour)
        top = value.mean if value.high is None else value.high
        if value.low is not None and value.high is not None:
            axis.plot([place] * 2, [value.low * scale, value.high * scale], color=BLACK, linewidth=1.2)
        axis.annotate(
            f"{value.mean * scale:.1f}", (place, top * scale), xytext=(0, 3), textcoords="offset points", ha="center"
        )
    axis.set_xticks(range(len(study.results)), [f"share {result.share:g}" for result in study.results])
    axis.margins(y=0.15)
    axis.grid(visible=False, axis="x")
    axis.set_title(title)
