"""The tables of a backtest, for people."""

from typing import Any

import numpy as np

from experiments.backtest import Backtest, WhatIf
from experiments.japan_scores import Split


def print_tables(found: Backtest) -> None:
    """Forecasts, splits by border, and what-ifs, on standard output."""
    from experiments.screen import console

    screen = console()
    screen.print(_forecasts(found))
    screen.print(_drivers(found))
    screen.print(_borders("areas with different prices", found.splits))
    if found.what_ifs:
        screen.print(_changes(found))
    for note in found.notes:
        screen.print(f"- {note}")


def _forecasts(found: Backtest) -> Any:
    from rich.table import Table

    title = f"nine areas, {found.first} to {found.last}, {found.half_hours:,} prices: error over same slot yesterday"
    table = Table(title=title)
    table.add_column("forecast")
    years = sorted({year for score in found.scores.values() for year in score.by_year})
    partly = found.filled and bool(found.gaps)
    heads = ["ratio", "95 %", "months\nbetter", *(f"FY{year}" for year in years)]
    heads += ["without\nfilled days"] * partly + ["MAE", "median", "shape", "duration"]
    for head in heads:
        table.add_column(head, justify="right")
    for name, score in found.scores.items():
        cells = [_number(score.ratio), _interval(score.low, score.high), f"{score.better}/{score.months}"]
        cells += [_number(score.by_year.get(year, float("nan"))) for year in years]
        cells += [_number(found.measured[name])] * partly
        numbers = (_number(v, 2) for v in (score.mae, score.median))
        table.add_row(name, *cells, *numbers, _number(score.shape), _number(score.duration, 2))
    return table


def _drivers(found: Backtest) -> Any:
    from rich.table import Table

    table = Table(title="where the error lies [JPY/kWh]")
    table.add_column("forecast")
    for head in ("all", "of daily means", "within the day", "part in the worst 5 %"):
        table.add_column(head, justify="right")
    for name, score in found.scores.items():
        values = (score.mae, score.daily, score.within)
        table.add_row(name, *(_number(value, 2) for value in values), f"{100 * score.worst:.0f} %")
    return table


def _borders(title: str, borders: tuple[Split, ...]) -> Any:
    from rich.table import Table

    table = Table(title=title)
    table.add_column("border")
    for head in ("published", "simulated", "balanced accuracy", "of yesterday"):
        table.add_column(head, justify="right")
    for split in borders:
        parts = [f"{100 * part:.0f} %" for part in (split.published, split.simulated)]
        table.add_row(" - ".join(split.border), *parts, _number(split.accuracy), _number(split.yesterday))
    return table


def _changes(found: Backtest) -> Any:
    from rich.table import Table

    table = Table(title="what if: change of the mean price [JPY/kWh], and of the part of half hours with a split")
    table.add_column("")
    for what in found.what_ifs:
        table.add_column(what.what, justify="right")
    for area in found.what_ifs[0].before:
        table.add_row(area, *(f"{what.after[area] - what.before[area]:+.2f}" for what in found.what_ifs))
    table.add_section()
    for row, split in enumerate(found.splits):
        cells = (_moved(split, what, row) for what in found.what_ifs)
        table.add_row(" - ".join(split.border), *cells)
    return table


def _moved(split: Split, what: WhatIf, row: int) -> str:
    return f"{100 * split.simulated:.0f} % to {100 * what.splits[row].simulated:.0f} %"


def _number(value: float, digits: int = 3) -> str:
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def _interval(low: float, high: float) -> str:
    return "-" if np.isnan(low) else f"{low:.3f} to {high:.3f}"
