"""Pieces of the pictures that explain a clearing: named merit orders, areas with flows, ribbons from seller to buyer.

Every number drawn is taken from the cleared case; only places on the paper are given by hand.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from experiments.clear import Cleared
from experiments.clear_picture import crossing_of_case
from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PALE, RED
from market.exchange import NO_PRICE
from market.orders import Side
from market.units import MJPY_PER_JPY, WH_PER_KWH

BOX = {"boxstyle": "round,pad=0.45", "linewidth": 1.2}
LABEL = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none"}
Place = tuple[float, float]


class Step(NamedTuple):
    """One order of a merit order: its name, limit [JPY/kWh], energy and the part of it that trades [kWh]."""

    name: str
    price: float
    energy: float
    filled: float


class Bookside(NamedTuple):
    """What trades at any price [kWh], and the orders after it by merit."""

    fixed: float
    steps: list[Step]


def book_of(cleared: Cleared, area: str, slot: int) -> tuple[Bookside, Bookside, float | None]:
    """Supply, demand and price [JPY/kWh] of one area and slot; flows and accepted blocks trade at any price."""
    crossing, fills = crossing_of_case(cleared, area, slot), cleared.report["fills_kwh"]
    sides = []
    for side, fixed_wh in ((Side.SELL, crossing.fixed_supply_wh), (Side.BUY, crossing.fixed_demand_wh)):
        rows = crossing.orders[crossing.orders["side"] == int(side)]
        steps = []
        for row in rows:
            name, energy = cleared.case.ids[int(row["reference"])], row["energy"] / WH_PER_KWH
            steps.append(Step(name, row["price"] / MJPY_PER_JPY, energy, float(fills[name])))
        steps.sort(key=lambda step: step.price, reverse=side == Side.BUY)
        sides.append(Bookside(fixed_wh / WH_PER_KWH, steps))
    return sides[0], sides[1], None if crossing.price == NO_PRICE else crossing.price / MJPY_PER_JPY


def volume_at(supply: Bookside, demand: Bookside, price: float) -> float:
    """Energy that changes hands: the smaller of what the price allows on each side [kWh]."""
    offered = supply.fixed + sum(step.energy for step in supply.steps if step.price <= price)
    wanted = demand.fixed + sum(step.energy for step in demand.steps if step.price >= price)
    return min(offered, wanted)


def draw_book(axis: Any, supply: Bookside, demand: Bookside, price: float | None, top: float) -> None:
    """Both merit orders as named steps, the price dashed; `top` is the highest price drawn [JPY/kWh]."""
    _draw_side(axis, supply, "supply", BLUE, (0.0, top), top)
    _draw_side(axis, demand, "demand", ORANGE, (top, 0.0), top)
    if price is not None:
        volume = volume_at(supply, demand, price)
        axis.plot([0, volume, volume], [price, price, 0], color=BLACK, linewidth=1.2, linestyle="--")
        axis.plot([volume], [price], "o", color=BLACK, markersize=7, zorder=5)
    axis.set(xlabel="energy [kWh]", ylabel="price [JPY/kWh]", ylim=(0, top))
    axis.set_xlim(left=0)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))


def name_sides(figure: Figure, axis: Any) -> None:
    """A legend of supply and demand below the panels."""
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)


def _draw_side(axis: Any, side: Bookside, name: str, colour: str, ends: tuple[float, float], top: float) -> None:
    """A staircase from the side's own end of the axis; what trades at any price is a shaded strip before it."""
    edges = side.fixed + np.concatenate([[0.0], np.cumsum([step.energy for step in side.steps])])
    prices = [step.price for step in side.steps]
    x = np.concatenate([[side.fixed], np.repeat(edges, 2)[1:-1], edges[-1:]])
    y = np.concatenate([[ends[0]], np.repeat(prices, 2), [ends[1]]])
    axis.plot(x, np.clip(y, 0, top), color=colour, linewidth=2, label=name)
    for step, left in zip(side.steps, edges, strict=False):
        whole, gap = step.filled in (0, step.energy), 0.012 * top
        told = step.name if whole else f" {step.name}: {step.filled:g} of {step.energy:g}"
        place = left + (step.energy / 2 if whole else step.filled)
        # beside its crossing a supply step is named below, where no line of either side runs
        below = name == "supply" and not whole
        height, align = min(step.price, top) + (-gap if below else gap), "top" if below else "bottom"
        axis.text(place, height, told, color=colour, ha="center" if whole else "left", va=align, fontsize=9)
    if side.fixed:
        axis.axvspan(0, side.fixed, color=colour, alpha=0.12, linewidth=0)


def draw_areas(axis: Any, cleared: Cleared, slot: int, places: Mapping[str, Place]) -> None:
    """Areas as boxes, one colour for each price group, and lines as arrows along their flow, red where full."""
    report, key = cleared.report, str(slot)
    groups = report["price_groups"][key] if "price_groups" in report else [[area] for area in places]
    tints = dict(zip((area for group in groups for area in group), _tints(groups), strict=True))
    for line in cleared.case.grid.lines:
        ends = tuple(places[cleared.case.grid.areas[end]] for end in (line.source, line.target))
        _draw_line(axis, cleared, line.name, slot, ends)
    for area, place in places.items():
        price = report["prices_jpy_kwh"][area][key]
        told = area.capitalize() + ("" if price is None else f"\n{price} JPY/kWh")
        box = {**BOX, "facecolor": tints[area], "edgecolor": BLACK}
        axis.text(*place, told, ha="center", va="center", fontsize=10, fontweight="bold", bbox=box, zorder=4)
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.axis("off")


def _tints(groups: list[list[str]]) -> list[str]:
    shades = ("#dcebf7", "#fdebc8", "#d9efe7", PALE)
    return [shades[number % len(shades)] for number, group in enumerate(groups) for _ in group]


def _draw_line(axis: Any, cleared: Cleared, line: str, slot: int, ends: tuple[Place, ...]) -> None:
    """An arrow from where the flow leaves to where it arrives, with the flow and the room in that direction."""
    row = [one.name for one in cleared.case.grid.lines].index(line)
    flow = cleared.report["flows_kwh"][line][str(slot)]
    start, stop = ends if flow >= 0 else ends[::-1]
    room = int(cleared.case.capacity_wh[cleared.case.slots.index(slot), row, 0 if flow >= 0 else 1]) / WH_PER_KWH
    full = abs(flow) >= room
    colour = RED if full else GREY
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 2.4, "mutation_scale": 18, "shrinkA": 34, "shrinkB": 34}
    axis.annotate("", stop, start, arrowprops=style)
    middle = ((start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2)
    told = f"{abs(flow):,} of {room:,.0f} kWh" + (", full" if full else "")
    axis.text(*middle, told, ha="center", va="center", fontsize=9, color=colour, bbox=LABEL, zorder=3)


def draw_contracts(axis: Any, cleared: Cleared) -> None:
    """Ribbons from sellers on the left to buyers on the right, as thick as their energy; one colour a path."""
    rows = cleared.report["contracts"]
    colours = {0: GREY, 1: BLUE, 2: GREEN}
    names = {0: "within the area", 1: "over one line", 2: "over two lines"}
    left, right = (_stack(rows, side) for side in ("seller", "buyer"))
    used = {("seller", name): 0.0 for name in left} | {("buyer", name): 0.0 for name in right}
    curve = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 40))
    seen: set[int] = set()
    for row in rows:
        lines, energy = len(row["path"]), float(row["energy_kwh"])
        start = left[row["seller"]] + used["seller", row["seller"]]
        stop = right[row["buyer"]] + used["buyer", row["buyer"]]
        used["seller", row["seller"]] += energy
        used["buyer", row["buyer"]] += energy
        low = start + (stop - start) * curve
        label = None if lines in seen else names[lines]
        seen.add(lines)
        x = np.linspace(0, 1, 40)
        axis.fill_between(x, low, low + energy, color=colours[lines], alpha=0.45, linewidth=0, label=label)
        axis.text(0.03, start + energy / 2, f"{energy:,.0f}", ha="left", va="center", fontsize=8)
    for stack, side, place, align in ((left, "seller", -0.03, "right"), (right, "buyer", 1.03, "left")):
        for name, bottom in stack.items():
            height = used[side, name]
            axis.plot([0 if side == "seller" else 1] * 2, [bottom, bottom + height], color=BLACK, linewidth=3)
            axis.text(place, bottom + height / 2, f"{name}\n{height:,.0f} kWh", ha=align, va="center", fontsize=9)
    axis.set(xlim=(-0.55, 1.55))
    axis.invert_yaxis()
    axis.axis("off")


def _stack(rows: list[dict[str, Any]], side: str) -> dict[str, float]:
    """Where each party's bar begins, top down, with gaps between them [kWh]."""
    energy: dict[str, float] = {}
    for row in rows:
        energy[row[side]] = energy.get(row[side], 0.0) + float(row["energy_kwh"])
    gap = 0.08 * sum(energy.values())
    starts = np.concatenate([[0.0], np.cumsum([amount + gap for amount in energy.values()])])
    return dict(zip(energy, starts.tolist(), strict=False))
