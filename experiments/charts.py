"""Pictures of findings: learning curves, bills by design, and what scarce line capacity costs."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, RED, SKY, STYLE
from experiments.findings import DesignResult, LearningCurve

Floats = npt.NDArray[np.float64]


def draw_learning(curves: Sequence[LearningCurve]) -> Figure:
    """Held-out gain while learning, against truthful bidders (zero) and the best fixed mark-up."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.9 * max(len(curves), 1) + 0.4, 3.6), layout="constrained")
        axes = figure.subplots(1, max(len(curves), 1), squeeze=False)[0]
        for axis, curve in zip(axes, curves, strict=False):
            _draw_curve(axis, curve)
        axes[0].set_ylabel("gain over truthful on held-out\ndays [JPY/day per party]")
    return figure


def draw_bills(results: Sequence[DesignResult]) -> Figure:
    """What each role pays or earns a day under each design, truthful and trained."""
    roles = list(dict.fromkeys(role for result in results for role in result.cost_jpy_day))
    designs = list(dict.fromkeys(result.design for result in results))
    bidders = list(dict.fromkeys(result.bidders for result in results))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 0.9 + (0.3 + 0.27 * len(bidders)) * len(designs) + 0.5), layout="constrained")
        axes = figure.subplots(1, len(roles), sharey=True, squeeze=False)[0]
        for axis, role in zip(axes, roles, strict=True):
            _draw_bill(axis, role, results, designs, bidders)
        axes[0].set_yticks(range(len(designs)), designs)
        axes[0].set_ylim(len(designs) - 0.4, -0.6)
        figure.supxlabel("JPY a day: right of zero is paid, left of zero is earned", fontsize=10)
        if len(bidders) > 1:
            handles, labels = axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper right", ncols=len(bidders))
    return figure


def draw_congestion(results: Sequence[DesignResult]) -> Figure:
    """What scarce line capacity costs under each design that trades over lines: energy not traded, congestion rent."""
    results = [r for r in results if (r.cancelled_kwh_day, r.never_formed_kwh_day) != (None, None)] or results
    designs = list(dict.fromkeys(result.design for result in results))
    bidders = list(dict.fromkeys(result.bidders for result in results))
    lost = {
        "cancelled by splitting": [_lost(result.cancelled_kwh_day) for result in results],
        "never formed for lack of room": [_lost(result.never_formed_kwh_day) for result in results],
    }
    labels = [result.design + (f", {result.bidders}" if len(bidders) > 1 else "") for result in results]
    places = np.arange(len(results)) + 0.35 * np.array([designs.index(result.design) for result in results])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 1.2 + 0.34 * len(results)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for (name, values), colour in zip(lost.items(), (RED, ORANGE), strict=True):
            left.barh(places, values, 0.7, color=colour, label=name)
        rents = np.array([result.rent_jpy_day for result in results])
        right.barh(places, rents, 0.7, color=BLUE)
        _write_bar_values(left, places, np.array(list(lost.values())).sum(0))
        _write_bar_values(right, places, rents)
        left.set_yticks(places, labels)
        left.set_ylim(float(places[-1]) + 0.8, -0.8)
        left.set_xlabel("kWh a day")
        right.set_xlabel("JPY a day")
        left.set_title("Energy not traded for a full line")
        right.set_title("Congestion rent of the line")
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _draw_curve(axis: Any, curve: LearningCurve) -> None:
    mean = [point.mean for point in curve.gain_jpy_day]
    low = [point.mean if point.low is None else point.low for point in curve.gain_jpy_day]
    high = [point.mean if point.high is None else point.high for point in curve.gain_jpy_day]
    axis.fill_between(curve.x, low, high, color=SKY, alpha=0.35, linewidth=0)
    axis.plot(curve.x, mean, color=BLUE, linewidth=2, marker="o", markersize=3)
    axis.margins(x=0.02)
    for (name, level), colour in zip({"truthful": 0.0, **curve.baselines}.items(), (GREY, RED, GREEN), strict=False):
        axis.axhline(level, color=colour, linewidth=1.4, linestyle="--")
        axis.annotate(
            name, (1, level), xycoords=("axes fraction", "data"), xytext=(-3, 3), textcoords="offset points",
            ha="right", color=colour, fontsize=9,
        )  # fmt: skip
    middle = len(mean) // 2
    axis.annotate(
        "learned", (curve.x[middle], mean[middle]), xytext=(4, -14), textcoords="offset points", color=BLUE
    )  # fmt: skip
    axis.set_xlabel(curve.x_name)
    axis.margins(y=0.12)
    axis.set_title(_curve_title(curve))


def _curve_title(curve: LearningCurve) -> str:
    last, best = curve.gain_jpy_day[-1].mean, max(curve.baselines.values(), default=0.0)
    if best > 0:
        return f"{curve.role.capitalize()}: {last / best:.2f} times the best mark-up's gain"
    return f"{curve.role.capitalize()}: {last:,.0f} JPY/day gained"


def _draw_bill(axis: Any, role: str, results: Sequence[DesignResult], designs: list[str], bidders: list[str]) -> None:
    height = 0.8 / len(bidders)
    most = max((abs(result.cost_jpy_day.get(role, 0.0)) for result in results), default=1.0) or 1.0
    for place, who in enumerate(bidders):
        rows = [result for result in results if result.bidders == who and role in result.cost_jpy_day]
        at = np.array([designs.index(row.design) for row in rows]) + (place - (len(bidders) - 1) / 2) * height
        values = np.array([row.cost_jpy_day[role] for row in rows])
        colour = (SKY, BLUE, GREEN)[place % 3]
        axis.barh(at, values, height * 0.92, color=colour, label=who)
        _write_bar_values(axis, at, values, most)
    axis.axvline(0, color=BLACK, linewidth=0.8)
    axis.set_title(role)
    axis.xaxis.set_major_locator(MaxNLocator(2))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.grid(visible=False, axis="y")


def _write_bar_values(axis: Any, places: Floats, values: Floats, most: float | None = None) -> None:
    """Write each bar's value beyond its end, and leave room for it."""
    for place, value in zip(places, values, strict=True):
        text = f"{value:,.0f}" if abs(value) >= 9.5 or value == 0 else f"{value:.1f}"
        axis.annotate(
            text, (value, place), xytext=(3 if value >= 0 else -3, 0), textcoords="offset points", va="center",
            ha="left" if value >= 0 else "right", fontsize=8, color=BLACK,
        )  # fmt: skip
    scale = max(most or 0.0, float(np.abs(values).max(initial=0.0))) or 1.0
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    now_low, now_high = axis.get_xlim()
    axis.set_xlim(
        min(now_low, low - 0.7 * scale) if low < 0 else min(now_low, low - 0.02 * scale),
        max(now_high, high + 0.6 * scale) if high > 0 else max(now_high, 0.05 * scale),
    )
    axis.grid(visible=False, axis="y")


def _lost(energy_kwh: float | None) -> float:
    return energy_kwh or 0.0
