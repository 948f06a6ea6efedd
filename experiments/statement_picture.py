"""The picture of a statement: each slot's energy by counterparty, bought above zero and sold below, and the price."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, STYLE, YELLOW, save_png
from experiments.statement import Statement
from market.errors import ConfigError
from market.slots import HALF_HOURS
from market.tables import Table
from market.units import MJPY_PER_JPY, WH_PER_KWH, Int

Floats = npt.NDArray[np.float64]
COLOURS = (SKY, ORANGE, GREEN, PINK, YELLOW, BLUE, RED)
"""One for each of the largest counterparties; the rest share one grey, the retailer of last resort is pale."""
LAST_RESORT, RESORT_NAME = "#d9d9d4", "retailer (last resort)"


def draw_statement(statement: Statement) -> Figure:
    """Stacked bars per slot by counterparty, and the mean price of each slot's purchases and sales as lines."""
    first = HALF_HOURS.first_of(statement.first)
    count = HALF_HOURS.first_of(statement.last) + HALF_HOURS.per_day - first
    me = statement.deals.names.index(statement.party)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 5.6), layout="constrained")
        prices, bars = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
        for who, other, price, sign, colour in (
            ("buyer", "seller", "buy_price", 1, BLUE),
            ("seller", "buyer", "sell_price", -1, ORANGE),
        ):
            rows = statement.contracts[statement.contracts[who] == me]
            _draw_bars(bars, statement, rows, other, sign, first, count)
            _draw_price(prices, rows, price, first, count, colour, "bought" if sign > 0 else "sold")
        _finish(prices, bars, statement, first, count)
        figure.legend(*_unique_labels(bars), loc="outside right upper", title="counterparty")
    return figure


def save_statement(statement: Statement, path: Path) -> None:
    """Draw and write a PNG file; raises ConfigError when it cannot be written."""
    try:
        save_png(draw_statement(statement), path)
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(path), do="give another --picture") from error


def _draw_bars(axis: Any, statement: Statement, rows: Table, other: str, sign: int, first: int, count: int) -> None:
    at, base = np.arange(count), np.zeros(count)
    free = rows[rows["last_resort"] == 0]
    for name, partners, colour in _groups(statement):
        height = _per_slot(free[np.isin(free[other], partners)], first, count)
        base += _stack(axis, at, height, base, sign, colour, name)
    resort = _per_slot(rows[rows["last_resort"] == 1], first, count)
    _stack(axis, at, resort, base, sign, LAST_RESORT, RESORT_NAME)


def _stack(axis: Any, at: Int, height: Floats, base: Floats, sign: int, colour: str, name: str) -> Floats:
    if height.any():
        axis.bar(at, sign * height, 1.0, bottom=sign * base, color=colour, label=name, align="edge", linewidth=0)
    return height


def _groups(statement: Statement) -> list[tuple[str, list[int], str]]:
    """Counterparties in the market by energy, the largest with a colour of their own, the others as one."""
    total = np.zeros(len(statement.deals.names), np.int64)
    free = statement.contracts[statement.contracts["last_resort"] == 0]
    for who in ("seller", "buyer"):
        np.add.at(total, free[who], free["energy"])
    total[statement.deals.names.index(statement.party)] = 0
    ranked = [int(row) for row in np.argsort(-total, kind="stable") if total[row] > 0]
    named = [(statement.deals.names[row], [row], colour) for row, colour in zip(ranked, COLOURS, strict=False)]
    rest = ranked[len(COLOURS) :]
    return named + ([(f"{len(rest)} others", rest, GREY)] if rest else [])


def _per_slot(rows: Table, first: int, count: int) -> Floats:
    energy = np.zeros(count)
    np.add.at(energy, rows["slot"] - first, rows["energy"] / WH_PER_KWH)
    return energy


def _draw_price(axis: Any, rows: Table, price: str, first: int, count: int, colour: str, name: str) -> None:
    if not len(rows):
        return
    money = np.zeros(count)
    np.add.at(money, rows["slot"] - first, rows["energy"] * rows[price].astype(np.int64) / WH_PER_KWH / MJPY_PER_JPY)
    energy = _per_slot(rows, first, count)
    mean = np.divide(money, energy, out=np.full(count, np.nan), where=energy > 0)
    # the last value once more, so that the last slot is drawn to its end
    axis.step(np.arange(count + 1), np.append(mean, mean[-1]), where="post", color=colour, linewidth=1.6, label=name)


def _finish(prices: Any, bars: Any, statement: Statement, first: int, count: int) -> None:
    bars.axhline(0, color=BLACK, linewidth=0.8)
    hours = count == HALF_HOURS.per_day
    step = HALF_HOURS.per_day // 8 if hours else HALF_HOURS.per_day * -(-count // HALF_HOURS.per_day // 14)
    ticks = np.arange(0, count + 1, step)
    labels = [HALF_HOURS.label(first + int(tick)) for tick in ticks]
    bars.set_xticks(ticks, [label[11:] if hours else label[5:10] for label in labels])
    bars.set_xlim(0, count)
    bars.use_sticky_edges = False
    bars.autoscale_view(scalex=False)
    bars.set_ylabel("kWh in the slot:\nbought above, sold below zero")
    bars.set_xlabel("time of delivery" if hours else "day of delivery")
    prices.set_ylabel("mean price\n[JPY/kWh]")
    prices.set_ylim(0, 1.25 * prices.get_ylim()[1])
    prices.legend(loc="upper left", ncols=2)
    span = f"{statement.first}" + (f" to {statement.last}" if statement.last > statement.first else "")
    prices.set_title(f"{statement.party}: who supplied it and whom it supplied, {span}")


def _unique_labels(axis: Any) -> tuple[list[Any], list[str]]:
    """Handles and labels of the legend, each once, the retailer last."""
    handles, labels = axis.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    ordered = sorted(unique, key=lambda label: label == RESORT_NAME)
    return [unique[label] for label in ordered], ordered
