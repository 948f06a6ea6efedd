"""The picture of a clearing: supply and demand as steps by price, and where they cross.

What trades at any price (flows from or to other areas, accepted blocks) stands at the left end of its side.
"""

from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from experiments.clear import Cleared, accepted_blocks
from experiments.drawing import BLUE, ORANGE, RED, STYLE, save_png
from experiments.jepx_curves import NATIONAL, CurveFile, curve_prices, iso_day
from market.curves import curve_orders
from market.errors import ConfigError
from market.exchange import NO_PRICE
from market.orders import Side
from market.tables import Table, pick_rows
from market.units import MJPY_PER_JPY, WH_PER_KWH, Int

Floats = npt.NDArray[np.float64]
ROOM_ABOVE = 1.12
SEEN = 2.5
"""Prices are drawn up to so many times the clearing price, unless all of them lie lower."""


class Crossing(NamedTuple):
    """What is drawn of one book: orders, energy that trades at any price on each side [Wh], price, title."""

    title: str
    orders: Table
    fixed_supply_wh: int
    fixed_demand_wh: int
    price: int


def crossing_of_case(cleared: Cleared, area: str | None, slot: int | None) -> Crossing:
    """The book of an area and slot of a case, the first of each if not given; raises ConfigError."""
    case, outcome = cleared.case, cleared.outcome
    area = case.grid.areas[0] if area is None else area
    if area not in case.grid.areas:
        raise ConfigError(f"unknown area {area!r}", where="--area", do=f"areas: {', '.join(case.grid.areas)}")
    if not case.slots:
        raise ConfigError("the case has no slot to draw", where="--picture", do="give a case with orders")
    slot = case.slots[0] if slot is None else slot
    if slot not in case.slots:
        raise ConfigError(f"no slot {slot}", where="--slot", do=f"slots: {', '.join(map(str, case.slots[:20]))}")
    row, market = case.grid.areas.index(area), case.slots.index(slot)
    orders = pick_rows(case.orders, (case.orders["area"] == row) & (case.orders["market"] == market))
    supply, demand = _net_flows(cleared, row, market)
    if cleared.blocks is not None:
        taken = accepted_blocks(case, cleared.blocks)
        taken = taken[(taken["area"] == row) & (taken["market"] == market)]
        sells = taken["side"] == int(Side.SELL)
        supply += int(taken["energy"][sells].sum())
        demand += int(taken["energy"][~sells].sum())
    price = NO_PRICE if outcome.price is None else int(outcome.price[market, row])
    return Crossing(f"{area}, slot {slot}, {case.design.name}", orders, supply, demand, price)


def _net_flows(cleared: Cleared, area: int, market: int) -> tuple[int, int]:
    """Energy that arrives over lines, and that leaves [Wh]."""
    net = cleared.outcome.flow_wh[market, :, 0] - cleared.outcome.flow_wh[market, :, 1]
    leaves = [
        int(flow) * (1 if line.source == area else -1)
        for line, flow in zip(cleared.case.grid.lines, net, strict=True)
        if area in (line.source, line.target)
    ]
    return sum(-flow for flow in leaves if flow < 0), sum(flow for flow in leaves if flow > 0)


def crossing_of_curves(file: CurveFile, slot: int | None) -> Crossing:
    """The national curve of the file's first day at a slot of the day, the first if not given; raises ConfigError."""
    slot = int(file.slot[0]) if slot is None else slot
    found = np.flatnonzero((file.group == NATIONAL) & (file.slot == slot) & (file.date == file.date[0]))
    if not len(found):
        raise ConfigError(f"no national curve of slot {slot} on the first day", where="--slot", do="choose 1 to 48")
    curve = int(found[0])
    orders = curve_orders(file.curves)
    prices, _ = curve_prices(file)
    title = f"national curves, {iso_day(int(file.date[curve]))} slot {slot}"
    return Crossing(title, orders[orders["market"] == curve], 0, 0, int(prices[curve]))


def draw_crossing(crossing: Crossing) -> Figure:
    """Supply rising, demand falling, and the price and volume where they meet."""
    sells = crossing.orders["side"] == int(Side.SELL)
    supply = _steps(crossing.orders[sells], crossing.fixed_supply_wh, 1)
    demand = _steps(crossing.orders[~sells], crossing.fixed_demand_wh, -1)
    low, high = _price_range(crossing)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.4, 4.6), layout="constrained")
        axis = figure.subplots()
        for (price, energy), colour, name in ((supply, BLUE, "supply"), (demand, ORANGE, "demand")):
            _draw_steps(axis, price, energy, colour, name, (low, high))
        for amount, colour, name in (
            (crossing.fixed_supply_wh, BLUE, "arrives or from blocks, at any price"),
            (crossing.fixed_demand_wh, ORANGE, "leaves or to blocks, at any price"),
        ):
            if amount:
                axis.axvspan(0, amount / WH_PER_KWH, color=colour, alpha=0.1, linewidth=0, label=name)
        _mark_price(axis, crossing, low)
        axis.set(xlabel="energy [kWh]", ylabel="price [JPY/kWh]", ylim=(low, high))
        axis.set_xlim(left=0)
        axis.xaxis.set_major_locator(MaxNLocator(6))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _steps(orders: Table, fixed_wh: int, direction: int) -> tuple[Floats, Floats]:
    """Prices by merit and cumulated energy [JPY/kWh, kWh], what trades at any price first."""
    rank = np.argsort(direction * orders["price"].astype(np.int64), kind="stable")
    price = orders["price"][rank] / MJPY_PER_JPY
    energy = np.concatenate([[fixed_wh], fixed_wh + np.cumsum(orders["energy"][rank])]) / WH_PER_KWH
    return price, energy


def _draw_steps(axis: Any, price: Floats, energy: Floats, colour: str, name: str, edges: tuple[float, float]) -> None:
    """A staircase from the side's own end of the axis: below the lowest sale, above the highest purchase."""
    start = edges[0] if name == "supply" else edges[1]
    stop = edges[1] if name == "supply" else edges[0]
    x = np.concatenate([[0.0], np.repeat(energy, 2)])
    y = np.concatenate([[start, start], np.repeat(price, 2), [stop]])
    axis.plot(x, np.clip(y, *edges), color=colour, linewidth=2, label=name)


def _mark_price(axis: Any, crossing: Crossing, floor: float) -> None:
    """A cross of dashed lines where the sides meet, and the numbers in the title."""
    if crossing.price == NO_PRICE:
        axis.set_title(f"{crossing.title}: no clearing price")
        return
    price, volume = crossing.price / MJPY_PER_JPY, _volume(crossing) / WH_PER_KWH
    axis.plot([0, volume, volume], [price, price, floor], color=RED, linewidth=1.1, linestyle="--")
    axis.plot([volume], [price], "o", color=RED, markersize=6, zorder=5)
    axis.set_title(f"{crossing.title}: {price:,.10g} JPY/kWh, {volume:,.10g} kWh")


def _volume(crossing: Crossing) -> int:
    """Energy that changes hands in the book: the smaller of what the price allows on each side [Wh]."""
    orders = crossing.orders
    sells = orders["side"] == int(Side.SELL)
    offered = int(orders["energy"][sells & (orders["price"] <= crossing.price)].sum()) + crossing.fixed_supply_wh
    wanted = int(orders["energy"][~sells & (orders["price"] >= crossing.price)].sum()) + crossing.fixed_demand_wh
    return min(offered, wanted)


def _price_range(crossing: Crossing) -> tuple[float, float]:
    prices: Int = crossing.orders["price"]
    low = min([0, *prices[crossing.orders["side"] == int(Side.SELL)].tolist()]) / MJPY_PER_JPY
    high = max([1_000, *prices.tolist()]) / MJPY_PER_JPY
    if crossing.price != NO_PRICE:
        high = min(high, max(SEEN * crossing.price / MJPY_PER_JPY, crossing.price / MJPY_PER_JPY - low + 1))
    return low - 0.03 * (high - low), low + ROOM_ABOVE * (high - low)


def save_crossing(crossing: Crossing, path: Path) -> None:
    """Draw and write a PNG file; raises ConfigError when it cannot be written."""
    try:
        save_png(draw_crossing(crossing), path)
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(path), do="give another --picture") from error
