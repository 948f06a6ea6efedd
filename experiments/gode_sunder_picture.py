"""Pictures of the zero-intelligence study: efficiency by session, one session's prices, and what ZIP learns."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from experiments.drawing import BLACK, BLUE, GREY, ORANGE, STYLE, save_pngs
from experiments.findings import Estimate
from experiments.gode_sunder import MARKETS, PERIODS, ZI_C, ZIP, ZeroIntelligenceStudy
from experiments.induced_values import Played

LOWEST = -1.0
"""Sessions below this share the first bar."""
COLOURS: dict[str, str] = {ZI_C: ORANGE, ZIP: BLUE}
NAMES: dict[str, str] = {ZI_C: "zero intelligence (ZI-C)", ZIP: "learning margins (ZIP)"}


def save_pictures(study: ZeroIntelligenceStudy, folder: Path) -> list[Path]:
    """Write zero_intelligence.png and zip_periods.png; raises ConfigError when that cannot be."""
    return save_pngs({"zero_intelligence": draw_sessions(study), "zip_periods": draw_periods(study)}, folder)


def draw_sessions(study: ZeroIntelligenceStudy) -> Figure:
    """How efficiency is spread over sessions with and without the budget constraint, and the prices of one session."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 4), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        edges = np.linspace(LOWEST, 1, 41)
        for played, colour, name in (
            (study.unconstrained, GREY, "may lose money (ZI-U)"),
            (study.example, ORANGE, "may not lose money (ZI-C)"),
        ):
            efficiency = np.clip(played.efficiency[:, 0], LOWEST, 1)
            left.hist(
                efficiency, edges, weights=np.full(len(efficiency), 1 / len(efficiency)), color=colour, label=name
            )
        left.set_title(f"Surplus by session, {MARKETS[0].name} units")
        left.set_xlabel("realised over possible surplus (left end: -1 and below)")
        left.set_ylabel("part of the sessions")
        left.legend(loc="upper left")
        _draw_path(right, study.example)
    return figure


def _draw_path(axis: Any, played: Played) -> None:
    """Prices of the contracts of the first session, in order, and its equilibrium price."""
    price = played.price[(played.session == 0) & (played.period == 0)]
    axis.plot(np.arange(1, len(price) + 1), price, color=ORANGE, marker="o", markersize=4, label="contracts")
    aim = float(played.sessions.equilibrium_price()[0])
    axis.axhline(aim, color=BLACK, linestyle="--", linewidth=1.2, label="equilibrium price")
    axis.margins(y=0.25)
    axis.set_title("Prices of one session of ZI-C")
    axis.set_xlabel("contract of the session, in order")
    axis.set_ylabel("price [ticks]")
    axis.legend(loc="upper right")


def draw_periods(study: ZeroIntelligenceStudy) -> Figure:
    """Efficiency and Smith's alpha over periods with the same values, ZI-C and ZIP, with 95 % intervals."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 3.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        for axis, by_name in ((left, study.efficiency_by_period), (right, study.alpha_by_period)):
            for name, periods in by_name.items():
                _draw_periods(axis, name, periods)
            axis.set_xticks(range(1, PERIODS + 1))
            axis.set_xlabel("trading period, the same values in each")
        left.set_title("Realised over possible surplus")
        right.set_title("Smith's alpha: distance of prices from equilibrium")
        right.set_ylim(0, None)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _draw_periods(axis: Any, name: str, periods: tuple[Estimate, ...]) -> None:
    period = np.arange(1, len(periods) + 1)
    low = [value.mean if value.low is None else value.low for value in periods]
    high = [value.mean if value.high is None else value.high for value in periods]
    axis.fill_between(period, low, high, color=COLOURS[name], alpha=0.25, linewidth=0)
    axis.plot(period, [value.mean for value in periods], color=COLOURS[name], marker="o", label=NAMES[name])
