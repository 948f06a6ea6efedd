"""The picture of the study of long contracts: volume, price, full lines and money by the share that is agreed ahead."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, STYLE, save_pngs
from experiments.findings import Estimate
from experiments.long_contracts_study import DESIGNS, LongContractStudy, Residual

COLOURS = {("spot", 0): BLUE, ("spot", 1): SKY, ("dgp", 0): ORANGE, ("dgp", 1): GREEN}


def save_pictures(study: LongContractStudy, folder: Path) -> list[Path]:
    """Write long_contracts.png; raises ConfigError when that cannot be."""
    return save_pngs({"long_contracts": draw(study)}, folder)


def draw(study: LongContractStudy) -> Figure:
    """Energy by seller for each design; then price, full lines and the stores' gain over the share."""
    sellers = list(dict.fromkeys(row.seller for row in study.rows_found))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 6.4), layout="constrained")
        halves: Any = figure.subfigures(2, 1, height_ratios=(1, 1.12))
        top, bottom = halves
        for axis, (design, seller) in zip(
            top.subplots(1, 4, sharey=True), [(d, s) for d in DESIGNS for s in sellers], strict=True
        ):
            _draw_energy(axis, _course(study, design, seller))
            axis.set_title(f"{design}, from\n{seller} [kWh/day]")
        top.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        axes = bottom.subplots(1, 3)
        for design in DESIGNS:
            for place, seller in enumerate(sellers):
                rows = _course(study, design, seller)
                for axis, name, scale in zip(axes, ("price", "full", "stores_gain"), (1, 100, 0.001), strict=True):
                    _draw_line(axis, rows, name, scale, COLOURS[design, place], f"{design}, {seller}")
        for axis, title in zip(axes, TITLES, strict=True):
            axis.set_title(title)
            axis.set_xlabel("share of the stores' expected load [%]")
        bottom.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


TITLES = ("Price in the market\n[JPY/kWh]", "Slots with a full line\n[%]", "What the stores gain\n[1,000 JPY/day]")


def _course(study: LongContractStudy, design: str, seller: str) -> list[Residual]:
    return [row for row in study.rows_found if (row.design, row.seller) == (design, seller)]


def _draw_energy(axis: Any, rows: list[Residual]) -> None:
    base, places = np.zeros(len(rows)), np.arange(len(rows))
    parts = {
        "long contracts": (GREY, [row.agreed for row in rows]),
        "market": (BLUE, [row.market.mean for row in rows]),
        "last resort": (ORANGE, [row.resort.mean for row in rows]),
    }
    for name, (colour, energy) in parts.items():
        axis.bar(places, energy, 0.7, bottom=base, color=colour, label=name)
        base = base + np.array(energy)
    axis.set_xticks(places, [f"{row.share:.0%}" for row in rows])
    axis.grid(visible=False, axis="x")


def _draw_line(axis: Any, rows: list[Residual], name: str, scale: float, colour: str, label: str) -> None:
    found: list[tuple[float, Estimate]] = [
        (row.share * 100, value) for row in rows if (value := getattr(row, name)) is not None
    ]
    share, mean = [at for at, _ in found], [value.mean * scale for _, value in found]
    axis.plot(share, mean, color=colour, marker="o", markersize=4, label=label)
    for at, value in found:
        if value.low is not None and value.high is not None:
            axis.plot([at, at], [value.low * scale, value.high * scale], color=colour, linewidth=1)
    axis.axhline(0, color=BLACK, linewidth=0.8)
