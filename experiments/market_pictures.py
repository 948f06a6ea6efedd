"""The pictures of docs/market.md, drawn from the cases beside it by the engine itself.

`python -m experiments.market_pictures docs/figures` writes all of them.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from experiments.cases import Case, read_case
from experiments.clear import Cleared, clear_case
from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PALE, PINK, RED, STYLE, save_pngs
from experiments.jepx_curves import NATIONAL, curve_prices, read_curves
from experiments.market_diagrams import (
    LABEL,
    Bookside,
    Step,
    book_of,
    draw_areas,
    draw_book,
    draw_contracts,
    name_sides,
    volume_at,
)
from market.curves import curve_orders
from market.errors import DigitalGridError
from market.exchange import Outcome, trade
from market.imbalance import Imbalance, Situation, imbalance_prices, punishment_of, scarcity_prices, scarcity_steps
from market.orders import Side, no_orders
from market.slots import HALF_HOURS
from market.units import MJPY_PER_JPY, PPM, WH_PER_KWH, Int

CASES = Path(__file__).parents[1] / "docs" / "cases"
SLOT = 20
"""Slot of the cases with one."""
BESIDE = {"tohoku": (0.5, 0.86), "tokyo": (0.5, 0.14)}
TRIANGLE = {"chubu": (0.2, 0.14), "hokuriku": (0.2, 0.86), "kansai": (0.8, 0.5)}
WH_PER_MWH = 1_000_000
FAN = {"chubu": (0.18, 0.5), "hokuriku": (0.8, 0.86), "kansai": (0.8, 0.14)}


def draw_price(cases: Path) -> Figure:
    """Merit orders of one-price.json and where they cross."""
    cleared = clear_case(cases / "one-price.json")
    supply, demand, price = book_of(cleared, "tokyo", SLOT)
    figure = Figure(figsize=(7.4, 4.4), layout="constrained")
    axis = figure.subplots()
    draw_book(axis, supply, demand, price, 30)
    if price is not None:
        volume = volume_at(supply, demand, price)
        axis.set_title(f"One price: {price:g} JPY/kWh, {volume:,.0f} kWh")
        covers = f"at {price:g}: {_offered(supply, price):,.0f} offered, {_wanted(demand, price):,.0f} wanted above it"
        below = price - 0.01
        fails = f"at {below:g}: {_offered(supply, below):,.0f} offered, {_wanted(demand, below):,.0f} wanted above it"
        told = f"{covers}\n{fails}"
        axis.text(640, 26, told, fontsize=9, va="bottom")
    name_sides(figure, axis)
    return figure


def _offered(supply: Bookside, price: float) -> float:
    return supply.fixed + sum(step.energy for step in supply.steps if step.price <= price)


def _wanted(demand: Bookside, price: float) -> float:
    return demand.fixed + sum(step.energy for step in demand.steps if step.price > price)


def draw_split(cases: Path) -> Figure:
    """The two areas of split.json with flow and prices, and the merit order of each with what the line takes."""
    cleared = clear_case(cases / "split.json")
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    areas, *books = figure.subplots(1, 3, width_ratios=[0.85, 1.2, 1.2])
    draw_areas(areas, cleared, SLOT, BESIDE)
    rent = cleared.report["congestion_rent_jpy"][str(SLOT)]
    areas.set_title(f"Split: rent {rent:,} JPY")
    for axis, area, word in zip(books, ("tohoku", "tokyo"), ("leave", "arrive"), strict=True):
        supply, demand, price = book_of(cleared, area, SLOT)
        draw_book(axis, supply, demand, price, 34)
        axis.set_title(f"{area.capitalize()}: {price:g} JPY/kWh")
        flow = supply.fixed or demand.fixed
        axis.text(flow / 2, 16, f"{flow:,.0f} kWh\n{word} at\nany price", ha="center", va="bottom", fontsize=8)
    name_sides(figure, books[0])
    return figure


def draw_paths(cases: Path) -> Figure:
    """Flows of paths.json, and the contracts that they became."""
    cleared = clear_case(cases / "paths.json")
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    areas, ribbons = figure.subplots(1, 2, width_ratios=[1, 1.35])
    draw_areas(areas, cleared, SLOT, TRIANGLE)
    areas.set_title("Flows and prices")
    draw_contracts(ribbons, cleared)
    ribbons.set_title("Contracts [kWh], seller to buyer")
    ribbons.legend(loc="lower center", bbox_to_anchor=(0.5, -0.08), ncols=3)
    return figure


def draw_continuous(cases: Path) -> Figure:
    """The book that the city meets in committed.json, and the use of the line after each contract over it."""
    case = read_case(cases / "committed.json")
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    ladder, use = figure.subplots(1, 2, width_ratios=[1.2, 1])
    _draw_ladder(ladder, case)
    _draw_use(use, case)
    return figure


def arrive_one_by_one(case: Case) -> list[tuple[str, Outcome]]:
    """Id of each order of a continuous case, and what its arrival did."""
    resting, use = no_orders(), np.zeros_like(case.capacity_wh)
    done = []
    for row in range(len(case.orders)):
        order = case.orders[row : row + 1]
        outcome = trade(case.design, case.grid, resting, order, case.capacity_wh, use, np.zeros(1, np.int64))
        resting, use = outcome.resting, outcome.flow_wh
        done.append((case.ids[int(order["reference"][0])], outcome))
    return done


def _draw_ladder(axis: Any, case: Case) -> None:
    """Sales resting when the city arrives, by price: what it takes, what it cannot reach, what stays."""
    done = arrive_one_by_one(case)
    at = [name for name, _ in done].index("city")
    rows, city = np.sort(done[at - 1][1].resting, order="price"), case.orders[at]
    taken = dict.fromkeys(rows["reference"].tolist(), 0)
    for contract in done[at][1].contracts:
        taken[int(contract["sell_reference"])] += int(contract["energy"])
    last = max(int(row["price"]) for row in rows if taken[int(row["reference"])])
    for place, row in enumerate(rows):
        name, energy = case.ids[int(row["reference"])], int(row["energy"]) / WH_PER_KWH
        got = taken[int(row["reference"])] / WH_PER_KWH
        out_of_reach = not got and row["price"] < last
        colour = RED if out_of_reach else PALE
        axis.barh(
            place, energy, color="white" if out_of_reach else PALE, edgecolor=colour, hatch="///"[: 3 * out_of_reach]
        )
        axis.barh(place, got, color=BLUE)
        told = f"taken: {got:,.0f}" if got else "no room: does not form"
        axis.text(energy + 12, place, told, va="center", fontsize=9, color=BLUE if got else RED)
        label = f"{name}, {case.grid.areas[row['area']].capitalize()}\n{row['price'] / MJPY_PER_JPY:g} JPY/kWh"
        axis.text(-12, place, label, ha="right", va="center", fontsize=9)
    title = (
        f"City (Tokyo) wants {city['energy'] / WH_PER_KWH:,.0f} kWh at up to {city['price'] / MJPY_PER_JPY:g} JPY/kWh"
    )
    axis.set(xlabel="resting sale [kWh]", xlim=(0, 1_050), title=title)
    axis.set_yticks([])
    axis.grid(visible=False, axis="y")


def _draw_use(axis: Any, case: Case) -> None:
    """Net use of the line after each arrival, with netting and without."""
    room = int(case.capacity_wh[0, 0, 0]) / WH_PER_KWH
    for netting, colour, style in ((True, BLUE, "-"), (False, ORANGE, "--")):
        done = arrive_one_by_one(replace(case, design=replace(case.design, netting=netting)))
        forward = [outcome.flow_wh[0, 0] for _, outcome in done]
        used = [float(way[0] - way[1] if netting else way[0]) / WH_PER_KWH for way in forward]
        label = "with netting" if netting else "without netting"
        axis.step(
            range(len(done) + 1),
            [*used, used[-1]],
            where="post",
            color=colour,
            linewidth=2,
            linestyle=style,
            label=label,
        )
    axis.axhline(room, color=RED, linewidth=1.2, linestyle=":")
    axis.text(0, room + 8, f"room {room:,.0f} kWh", color=RED, fontsize=9, va="bottom")
    axis.set_xticks(np.arange(len(done)) + 0.5, [name for name, _ in done], rotation=45)
    axis.set(xlabel="order that arrives", ylabel="used towards Tokyo [kWh]", ylim=(0, 600), title="Use of the line")
    axis.legend(loc="center left")


def draw_blocks(cases: Path) -> Figure:
    """Who supplies each slot of block.json at what price, and each block's limit against the mean price."""
    cleared = clear_case(cases / "block.json")
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    slots, limits = figure.subplots(1, 2, width_ratios=[1, 1.35])
    _draw_supply(slots, cleared)
    _draw_limits(limits, cleared)
    return figure


def _draw_supply(axis: Any, cleared: Cleared) -> None:
    """Bars of energy by seller in each slot, the price above."""
    colours = {"coal plant": BLUE, "gas plant": PALE}
    for place, slot in enumerate(cleared.case.slots):
        bottom = 0.0
        for row in (row for row in cleared.report["contracts"] if row["slot"] == slot):
            energy = float(row["energy_kwh"])
            axis.bar(place, energy, 0.6, bottom, color=colours[row["seller"]])
            axis.text(
                place,
                bottom + energy / 2,
                f"{row['seller']}\n{energy:,.0f} kWh",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if row["seller"] == "coal plant" else BLACK,
            )
            bottom += energy
        price = cleared.report["prices_jpy_kwh"]["tokyo"][str(slot)]
        axis.text(place, bottom + 25, f"{price} JPY/kWh", ha="center", fontsize=10, color=RED, fontweight="bold")
    axis.set_xticks(range(len(cleared.case.slots)), [f"slot {slot}" for slot in cleared.case.slots])
    axis.set(ylabel="energy [kWh]", ylim=(0, 1_180), title="Supply of the city, by slot")
    axis.grid(visible=False, axis="x")


def _draw_limits(axis: Any, cleared: Cleared) -> None:
    """Limit of each block as a bar, the mean price over its profile as a line, and what became of it."""
    rejected = cleared.report["block_search"]["rejected_in_the_money"]
    blocks, ids = cleared.case.blocks, cleared.case.ids
    prices = [float(cleared.report["prices_jpy_kwh"]["tokyo"][str(slot)]) for slot in cleared.case.slots]
    for place, (row, profile) in enumerate(zip(blocks.table, blocks.profile_wh, strict=True)):
        name, limit = ids[int(row["reference"])], row["price"] / MJPY_PER_JPY
        mean = float(np.average(prices, weights=profile))
        accepted = cleared.report["fill_ratio"][name] > 0
        told = "accepted" if accepted else "in the money, rejected" if name in rejected else "would lose, rejected"
        axis.barh(place, limit, 0.55, color=BLUE if accepted else PALE)
        axis.plot([mean, mean], [place - 0.38, place + 0.38], color=RED, linewidth=2)
        axis.text(0.3, place, f"{name}: {told}", va="center", fontsize=9, color="white" if accepted else BLACK)
        axis.text(max(limit, mean) + 0.3, place, f"limit {limit:g}, mean price {mean:g}", va="center", fontsize=9)
    axis.set_yticks([])
    axis.invert_yaxis()
    axis.set(xlabel="price [JPY/kWh]", xlim=(0, 23), title="Blocks: limit (bar) and mean price (red)")
    axis.grid(visible=False, axis="y")


def draw_fence(cases: Path) -> Figure:
    """Areas and flows of fence.json, with the limit over both lines."""
    cleared = clear_case(cases / "fence.json")
    figure = Figure(figsize=(7.4, 4.2), layout="constrained")
    axis = figure.subplots()
    draw_areas(axis, cleared, SLOT, FAN)
    limit = cleared.case.grid.limits[0]
    total = sum(cleared.report["flows_kwh"][line.name][str(SLOT)] for line in cleared.case.grid.lines)
    axis.plot([0.33, 0.33], [0.2, 0.8], color=RED, linewidth=2, linestyle="--")
    axis.text(
        0.33,
        0.85,
        f"{limit.name}: {total:,} of {limit.most_wh / WH_PER_KWH:,.0f} kWh, full",
        ha="center",
        fontsize=9,
        color=RED,
        bbox=LABEL,
    )
    return figure


def draw_imbalance(_: Path) -> Figure:
    """Prices of the three rules by spot price in Tokyo, and the scarcity price by reserve ratio."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    rules, scarcity = figure.subplots(1, 2)
    _draw_rules(rules)
    _draw_scarcity(scarcity)
    return figure


def _draw_rules(axis: Any) -> None:
    """What a missing kWh costs (solid) and a left-over kWh earns (dashed) under each rule."""
    extra, less = punishment_of(2020)
    spot = np.arange(20, 30_001, 10)[:, None]
    rules = {
        "flat": (Imbalance(), RED),
        "jp-2016": (Imbalance("jp-2016", beta=(2_630,), short_extra=extra, long_less=less), BLUE),
        "jp-2022": (Imbalance("jp-2022", up=5_000, down=3_000), GREEN),
    }
    for name, (rule, colour) in rules.items():
        both = ("both sides, system short", "both sides, system long")
        words = both if name == "jp-2022" else ("short pays", "long receives")
        for side, word, style in zip((0, 1), words, ("-", "--"), strict=True):
            price = imbalance_prices(rule, _situation(spot, 1 if side == 0 else -1))[:, 0, side]
            axis.plot(spot[:, 0] / 1_000, price / 1_000, style, color=colour, linewidth=1.8, label=f"{name}: {word}")
    axis.set(xlabel="spot price [JPY/kWh]", ylabel="imbalance price [JPY/kWh]", xlim=(0, 30), ylim=(0, 50))
    axis.set_title("Three rules")
    axis.legend(loc="upper left", ncols=1)


def _situation(spot: Int, direction: int) -> Situation:
    """One area, the retailer 4.66 JPY/kWh above and 1 below the spot price, the whole system short or long."""
    retail = np.stack([spot + 4_660, np.maximum(spot - 1_000, 500)], -1)
    short = np.full((len(spot), 1), direction)
    slot = np.full((len(spot), 1), HALF_HOURS.first_of(HALF_HOURS.day_of(0)))
    return Situation(spot, retail, 3_000, short, slot, np.zeros(spot.shape, np.bool_))


def _draw_scarcity(axis: Any) -> None:
    """The price of scarcity against the reserve ratio, before and after 2026-10-01."""
    percents = np.linspace(0, 12, 121)
    (early, *_), (late, *_) = scarcity_steps(HALF_HOURS)
    for slot, colour, word in ((early, PINK, "until 2026-09-30"), (late, BLUE, "from 2026-10-01")):
        price = [
            int(scarcity_prices(Imbalance("jp-2022", reserve=((0, round(p * PPM / 100)),)), *_at(slot))[0, 0])
            for p in percents
        ]
        axis.plot(percents, np.array(price) / 1_000, color=colour, linewidth=2, label=word)
    for percent in (3, 8, 10):
        axis.axvline(percent, color=GREY, linewidth=0.8, linestyle=":")
    axis.set_xticks([0, 3, 6, 8, 10, 12])
    axis.set(xlabel="wide-area reserve ratio [%]", ylabel="price of scarcity [JPY/kWh]", xlim=(12, 0), ylim=(0, 330))
    axis.set_title("jp-2022: scarcity")
    axis.legend(loc="lower right", frameon=True, framealpha=1, edgecolor="none")


def _at(slot: int) -> tuple[Int, Int]:
    """Any spot price, and a slot, as the rule takes them."""
    return np.zeros((1, 1), np.int64), np.full((1, 1), slot)


def draw_curves(cases: Path) -> Figure:
    """Curves of a file in the published form: all areas as one, and each group with the flow inside."""
    file = read_curves(cases / "curves.csv")
    prices, _ = curve_prices(file)
    orders = curve_orders(file.curves)
    figure = Figure(figsize=(10, 4.0), layout="constrained")
    for curve, axis in enumerate(figure.subplots(1, file.count, sharey=True)):
        sides = []
        for side in (Side.SELL, Side.BUY):
            rows = orders[(orders["market"] == curve) & (orders["side"] == int(side))]
            steps = [Step("", row["price"] / MJPY_PER_JPY, row["energy"] / WH_PER_MWH, 0.0) for row in rows]
            sides.append(Bookside(0.0, sorted(steps, key=lambda step: step.price, reverse=side == Side.BUY)))
        price = float(prices[curve]) / MJPY_PER_JPY
        draw_book(axis, sides[0], sides[1], price, 60)
        name = "All areas" if file.group[curve] == NATIONAL else f"Group {file.group[curve]}"
        axis.set(title=f"{name}: {price:g} JPY/kWh", xlabel="energy [MWh]")
        if curve:
            axis.set_ylabel("")
    name_sides(figure, axis)
    return figure


PICTURES: dict[str, Callable[[Path], Figure]] = {
    "market_price": draw_price,
    "market_split": draw_split,
    "market_paths": draw_paths,
    "market_continuous": draw_continuous,
    "market_blocks": draw_blocks,
    "market_fence": draw_fence,
    "market_imbalance": draw_imbalance,
    "market_curves": draw_curves,
}
"""Each picture by the name of its file, in the order of the page."""


def draw_all(cases: Path = CASES) -> dict[str, Figure]:
    """Every picture by name."""
    with mpl.rc_context(STYLE):
        return {name: draw(cases) for name, draw in PICTURES.items()}


def save_pictures(folder: Path, cases: Path = CASES) -> list[Path]:
    """Write every picture as PNG; raises ConfigError when that cannot be."""
    with mpl.rc_context(STYLE):
        return save_pngs(draw_all(cases), folder)


def main(folder: Path) -> None:
    """Write the pictures of docs/market.md into a folder and name them; a mistake is one line and exit code 1."""
    import typer

    try:
        for path in save_pictures(folder):
            typer.echo(path)
    except DigitalGridError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    import typer

    typer.run(main)
