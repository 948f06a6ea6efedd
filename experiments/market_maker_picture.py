"""The picture of the market-maker study: the book, the others' contracts and the money, by how the others bid."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from experiments.drawing import BLACK, BLUE, GREY, STYLE, save_pngs
from experiments.market_maker_study import MEASURES, MarketMakerStudy

PANELS = {
    "two_sided": "Book with both sides\n[% of steps]",
    "spread_jpy_kwh": "Best ask less best bid\n[JPY/kWh]",
    "traded": "Others' energy under\ncontract [%]",
}


def save_pictures(study: MarketMakerStudy, folder: Path) -> list[Path]:
    """Write market_maker.png; raises ConfigError when that cannot be."""
    return save_pngs({"market_maker": draw(study)}, folder)


def draw(study: MarketMakerStudy) -> Figure:
    """Three measures of liquidity without and with the market maker, and what it gains, with 95 % intervals."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 3.4), layout="constrained")
        axes = figure.subplots(1, len(PANELS) + 1, sharey=True)
        for axis, (name, title) in zip(axes, PANELS.items(), strict=False):
            _draw_pair(axis, study, name)
            axis.set_title(title)
        _draw_gain(axes[-1], study)
        axes[0].set_yticks(range(len(study.changes)), [f"others:\n{name}" for name in study.changes])
        axes[0].invert_yaxis()
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _draw_pair(axis: Any, study: MarketMakerStudy, name: str) -> None:
    factor, places = MEASURES[name][1], np.arange(len(study.changes))
    found = [by[name] for by in study.changes.values()]
    for offset, colour, label, values in (
        (-0.2, GREY, "without market maker", [change.without for change in found]),
        (0.2, BLUE, "with market maker", [change.with_maker for change in found]),
    ):
        heights = np.array(values) * factor
        axis.barh(places + offset, np.nan_to_num(heights), 0.38, color=colour, label=label)
        for place, height in zip(places + offset, heights, strict=True):
            text = "never" if np.isnan(height) else f"{height:.1f}"
            axis.annotate(
                text, (np.nan_to_num(height), place), xytext=(3, 0), textcoords="offset points", va="center",
                fontsize=8, color=BLACK,
            )  # fmt: skip
    axis.margins(x=0.2)
    axis.grid(visible=False, axis="y")


def _draw_gain(axis: Any, study: MarketMakerStudy) -> None:
    for place, by in enumerate(study.changes.values()):
        gain = by["maker_jpy_day"].change
        low = gain.mean if gain.low is None else gain.low
        high = gain.mean if gain.high is None else gain.high
        axis.barh(place, gain.mean, 0.5, color=BLUE)
        axis.plot([low, high], [place, place], color=BLACK, linewidth=1.4)
    axis.axvline(0, color=BLACK, linewidth=0.8)
    axis.margins(x=0.1)
    axis.grid(visible=False, axis="y")
    axis.set_title("What it gains over bidding\nas the others [JPY/day]")
