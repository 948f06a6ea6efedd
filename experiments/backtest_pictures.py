"""Pictures of a backtest: errors, weeks as they went, price durations, splits by border and year, and what-ifs."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from envs.japan_nine import AREAS, Floats
from experiments.backtest import LONG, YESTERDAY, Backtest
from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, RED, SKY, STYLE, save_pngs
from experiments.japan_scores import Split
from market.slots import HALF_HOURS

SHOWN_AREAS = ("hokkaido", "tokyo", "kansai", "kyushu")
WEEK = 7
WEEK_QUANTILES = (0.1, 0.5, 0.9)
"""The weeks drawn: those at these places among all weeks, by the error of the simulation over yesterday's."""


def save_pictures(found: Backtest, folder: Path) -> list[Path]:
    """Write backtest_error, _duration, _splits.png, and _weeks and _whatif.png if there are any; raises ConfigError."""
    pictures = {
        "error": draw_errors(found),
        "duration": draw_durations(found),
        "splits": draw_splits(found),
    }
    if _weeks(found):
        pictures["weeks"] = draw_weeks(found)
    if found.what_ifs:
        pictures["whatif"] = draw_what_ifs(found)
    return save_pngs({f"backtest_{name}": figure for name, figure in pictures.items()}, folder)


def draw_errors(found: Backtest) -> Figure:
    """Mean absolute error of each forecast over yesterday's, with its interval and the fiscal years."""
    names = [name for name, score in found.scores.items() if name != YESTERDAY and score.ratio < 1.6]
    left_out = [name for name, score in found.scores.items() if score.ratio >= 1.6]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 0.55 * len(names) + 1.6), layout="constrained")
        axis = figure.subplots()
        for row, name in enumerate(names):
            score = found.scores[name]
            colour = BLUE if "simulation" in name or "two" in name else GREY
            axis.plot([score.low, score.high], [row, row], color=colour, linewidth=6, alpha=0.35, solid_capstyle="butt")
            axis.plot(score.ratio, row, "o", color=colour, markersize=8)
            axis.annotate(
                f"{score.ratio:.2f}", (score.ratio, row), xytext=(0, 8), textcoords="offset points", ha="center"
            )
            for year, marker in zip(score.by_year, "^sDv<>", strict=False):
                label = f"FY{year}" if row == 0 else None
                axis.plot(score.by_year[year], row, marker, color=BLACK, markersize=4, alpha=0.6, label=label)
        axis.axvline(1, color=RED, linewidth=1.2)
        axis.set_yticks(range(len(names)), names)
        axis.invert_yaxis()
        axis.margins(y=0.08)
        axis.set_xlabel("mean absolute error over that of the same slot yesterday (bar: 95 % over months)")
        tail = f" (off the picture: {', '.join(left_out)})" if left_out else ""
        axis.set_title(f"{found.first} to {found.last}{tail}")
        axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def draw_weeks(found: Backtest) -> Figure:
    """Tokyo's published and simulated prices in a good, a middling and a bad week."""
    starts = _weeks(found)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 2.5 * len(starts) + 0.6), layout="constrained")
        for axis, (start, ratio) in zip(np.atleast_1d(figure.subplots(len(starts))), starts, strict=True):
            days = slice(start, start + WEEK)
            hours = np.arange(WEEK * HALF_HOURS.per_day) / 48
            tokyo = AREAS.index("tokyo")
            for label, prices, colour in (
                ("published", found.published, BLACK),
                (LONG, found.forecasts[LONG], BLUE),
                (YESTERDAY, found.forecasts[YESTERDAY], ORANGE),
            ):
                width = 1.6 if label == "published" else 1.0
                axis.plot(hours, prices[days, :, tokyo].reshape(-1), color=colour, linewidth=width, label=label)
            axis.set_xticks(range(WEEK), [f"{found.days[start + day]:%a %d %b}" for day in range(WEEK)], ha="left")
            axis.set_xlim(0, WEEK)
            axis.set_ylim(0)
            axis.set_ylabel("JPY/kWh")
            axis.set_title(f"Tokyo, week of {found.days[start]}: error {ratio:.2f} of yesterday's")
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def draw_durations(found: Backtest) -> Figure:
    """Prices sorted from the dearest half hour down, published and simulated, in four areas."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 6), layout="constrained")
        for axis, area in zip(figure.subplots(2, 2, sharex=True).ravel(), SHOWN_AREAS, strict=True):
            at = AREAS.index(area)
            there = ~np.isnan(found.published[..., at])
            for label, prices, colour in (("published", found.published, BLACK), (LONG, found.forecasts[LONG], BLUE)):
                values = np.sort(prices[..., at][there])[::-1]
                axis.plot(np.linspace(0, 100, len(values)), values, color=colour, label=label)
            axis.set_yscale("symlog", linthresh=1)
            axis.set_yticks([0, 1, 3, 10, 30, 100], ["0", "1", "3", "10", "30", "100"])
            axis.set_ylim(0, 260)
            axis.set_title(area)
        for axis in figure.axes[2:]:
            axis.set_xlabel("part of half hours [%]")
        for axis in figure.axes[::2]:
            axis.set_ylabel("JPY/kWh")
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def draw_splits(found: Backtest) -> Figure:
    """Part of half hours in which two areas had different prices, published and simulated, by fiscal year."""
    years = list(found.split_years)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 5), layout="constrained")
        grid = figure.subplots(2, 4, sharey=True).ravel()
        for axis, row in zip(grid, range(len(found.splits)), strict=True):
            borders = [found.split_years[year][row] for year in years]
            for shift, name, colour in ((-0.2, "published", BLACK), (0.2, "simulated", BLUE)):
                heights = [100 * float(getattr(split, name)) for split in borders]
                axis.bar(np.arange(len(years)) + shift, heights, 0.4, color=colour, label=name)
            axis.set_xticks(range(len(years)), [f"FY{year % 100:02d}" for year in years])
            axis.set_title(" - ".join(borders[0].border))
            axis.set_ylim(0, 100)
        for axis in grid[::4]:
            axis.set_ylabel("split half hours [%]")
        figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def draw_what_ifs(found: Backtest) -> Figure:
    """Change of each area's mean price and of each border's splits, one panel for each change."""
    count = len(found.what_ifs)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.6 * count + 1.5, 6.4), layout="constrained")
        grid = figure.subplots(2, count, squeeze=False, sharex="row", sharey="row")
        for column, what in enumerate(found.what_ifs):
            change = [what.after[area] - what.before[area] for area in what.before]
            _bars(grid[0, column], list(what.before), change, GREEN, "change of mean price [JPY/kWh]")
            moved = [_points(after, before) for after, before in zip(what.splits, found.splits, strict=True)]
            names = [" - ".join(split.border) for split in found.splits]
            _bars(grid[1, column], names, moved, SKY, "change of split half hours [points]")
            grid[0, column].set_title(what.what)
    return figure


def _points(after: Split, before: Split) -> float:
    return 100 * (after.simulated - before.simulated)


def _bars(axis: Any, names: list[str], values: list[float], colour: str, label: str) -> None:
    axis.barh(range(len(names)), values, color=colour)
    axis.axvline(0, color=BLACK, linewidth=0.8)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel(label)


def _weeks(found: Backtest) -> list[tuple[int, float]]:
    """First days of the weeks drawn and Tokyo's error over yesterday's in them; whole weeks only."""
    at = AREAS.index("tokyo")
    ratios = []
    for start in range(0, len(found.days) - WEEK + 1, WEEK):
        part = slice(start, start + WEEK)
        published = found.published[part, :, at]
        if not np.isnan(published).any():
            ratio = _gap(found.forecasts[LONG][part, :, at], published)
            ratios.append((start, ratio / _gap(found.forecasts[YESTERDAY][part, :, at], published)))
    ratios.sort(key=lambda pair: pair[1])
    places = dict.fromkeys(int(q * (len(ratios) - 1)) for q in WEEK_QUANTILES) if ratios else {}
    return [ratios[place] for place in places]


def _gap(one: Floats, other: Floats) -> float:
    return float(np.abs(one - other).mean())
