"""Pictures: every figure of the report, as matplotlib figures made from a trace or from findings.

Colours are those of Okabe and Ito (colour-blind safe); every axis has a unit; titles say what is to be seen.
"""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from agents.fleet import Role
from experiments.findings import DesignResult, LearningCurve
from experiments.metrics import SOURCE_TITLES
from experiments.trace import Trace
from market.contracts import Source
from market.exchange import NO_PRICE
from market.slots import HALF_HOURS
from market.units import MJPY_PER_JPY, WH_PER_KWH, Int

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    "#222222",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY, PALE = "#8a8a8a", "#e9e9e6"
AREA_COLOURS = (BLUE, RED, GREEN, PINK, ORANGE, SKY, BLACK, YELLOW, GREY)
SOURCE_COLOURS = {Source.SOLAR: ORANGE, Source.PROSUMER: GREEN, Source.THERMAL: "#777777", Source.GRID: PINK}
STYLE = {
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",
}
Floats = npt.NDArray[np.float64]
LEAST_KWH = 0.05
"""Trades below this energy a day are not drawn."""
ROLE_ORDER = (Role.HOME, Role.SOLAR, Role.THERMAL, Role.STORE, Role.RETAILER)


def draw_day(trace: Trace, day: int, buyer_area: str) -> Figure:
    """A day: prices by area inside the outside band, volumes by source, the line's flow against its room."""
    window = slice(day * HALF_HOURS.per_day, (day + 1) * HALF_HOURS.per_day)
    lines = list(trace.named("flow_wh"))
    with mpl.rc_context(STYLE):
        heights = [3, 2.4, *[1.7] * len(lines)]
        figure = Figure(figsize=(9, 1.1 * sum(heights)), layout="constrained")
        axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
        _draw_prices(axes[0], trace, window, buyer_area)
        _draw_volumes(axes[1], trace, window)
        for axis, line in zip(axes[2:], lines, strict=True):
            _draw_line(axis, trace, window, line)
        axes[-1].set_xlim(0, 24)
        axes[-1].set_xticks(range(0, 25, 3), [f"{hour}:00" for hour in range(0, 25, 3)])
        axes[-1].set_xlabel(f"time of delivery on {HALF_HOURS.day_of(int(trace.slots['slot'][window.start]))}")
    return figure


def draw_trades(trace: Trace) -> Figure:
    """Who traded with whom: contracted energy a day from each seller (row) to each buyer (column)."""
    energy = trace.trades_wh / WH_PER_KWH / max(len(trace.slots["slot"]) / HALF_HOURS.per_day, 1e-9)
    rank = {int(role): place for place, role in enumerate(ROLE_ORDER)}
    order = np.array(sorted(range(len(trace.parties)), key=lambda party: (rank[trace.roles[party]], party)))
    sellers, buyers = (order[energy.max(way)[order] >= LEAST_KWH] for way in (1, 0))
    shown = np.where(energy >= LEAST_KWH, energy, 0.0)[np.ix_(sellers, buyers)]
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(max(6.0, 1.9 + 0.66 * len(buyers)), 1.5 + 0.34 * len(sellers)), layout="constrained")
        axis = figure.subplots()
        axis.set_title(_trade_title(trace, energy))
        if not shown.size:
            axis.set_axis_off()
            return figure
        scale = LogNorm(LEAST_KWH, max(float(shown.max()), 1.0))
        axis.imshow(np.where(shown > 0, shown, np.nan), cmap="YlGnBu", norm=scale, aspect="auto")
        for row, column in np.argwhere(shown > 0):
            value = float(shown[row, column])
            colour = "white" if scale(value) > 0.62 else BLACK
            text = f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
            axis.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
        _label_parties(axis, trace, sellers, buyers)
    return figure


def draw_batteries(trace: Trace, home_area: str, days: int = 3) -> Figure:
    """Battery against price: charge when it is cheap, discharge when it is dear, and how full the homes are."""
    stop = min(days, max(trace.days, 1)) * HALF_HOURS.per_day
    hours = np.arange(len(trace.slots["slot"][:stop])) / 2
    stored = np.array([column[:stop] for column in trace.of_devices("stored_wh").values()]) / WH_PER_KWH
    passed = np.array([column[:stop] for column in trace.of_devices("passed_wh").values()]) / WH_PER_KWH
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 6.2), layout="constrained")
        axes = figure.subplots(3, 1, sharex=True, height_ratios=[1.25, 1, 1])
        _draw_battery_price(axes[0], trace, hours, home_area)
        total = passed.sum(0)
        axes[1].bar(hours, np.maximum(total, 0), 0.5, align="edge", color=BLUE, label="charging")
        axes[1].bar(hours, np.minimum(total, 0), 0.5, align="edge", color=ORANGE, label="discharging")
        axes[1].axhline(0, color=BLACK, linewidth=0.8)
        axes[1].set_ylabel("kWh per\nhalf hour")
        axes[0].set_title(_battery_title(trace, total, home_area))
        axes[1].set_title(f"What the batteries of {len(stored)} homes do together")
        axes[1].set_ylim(1.1 * float(total.min(initial=0.0)) - 0.1, 1.35 * float(total.max(initial=0.0)) + 0.1)
        axes[1].legend(loc="upper right", ncols=2)
        for one in stored:
            axes[2].plot(hours, one, color=GREY, linewidth=0.8, alpha=0.8)
        axes[2].plot(hours, stored.mean(0), color=BLUE, linewidth=2.2, label="mean home")
        axes[2].plot([], [], color=GREY, linewidth=0.8, label="each home")
        axes[2].set_ylabel("kWh stored")
        axes[2].set_ylim(0, 1.3 * float(stored.max(initial=0.1)))
        axes[2].set_title("Energy in the batteries")
        axes[2].legend(loc="upper right", ncols=2)
        _mark_days(axes[2], trace, hours)
    return figure


def draw_learning(curves: Sequence[LearningCurve]) -> Figure:
    """Held-out gain while learning, against truthful bidders (zero) and the best fixed mark-up."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.9 * max(len(curves), 1) + 0.4, 3.6), layout="constrained")
        axes = figure.subplots(1, max(len(curves), 1), squeeze=False)[0]
        for axis, curve in zip(axes, curves, strict=False):
            _draw_curve(axis, curve)
        axes[0].set_ylabel("gain over truthful on\nheld-out days [JPY/day]")
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
        axes[0].invert_yaxis()
        figure.supxlabel("JPY a day: right of zero is paid, left of zero is earned", fontsize=10)
        if len(bidders) > 1:
            handles, labels = axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper right", ncols=len(bidders))
    return figure


def draw_congestion(results: Sequence[DesignResult]) -> Figure:
    """What scarce line capacity costs under each design: energy not traded, and congestion rent."""
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
        left.invert_yaxis()
        left.set_xlabel("kWh a day")
        right.set_xlabel("JPY a day")
        left.set_title("Energy not traded because the line was full")
        right.set_title("Congestion rent collected by the line")
        left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2)
    return figure


def svg_text(figure: Figure, name: str) -> str:
    """The figure as SVG for use inside HTML: no prologue, no namespaces, no metadata, ids of its own."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'id="((?:figure|axes|patch|line2d|text|matplotlib|xtick|ytick|legend)[\w.]*)"', "", text)
    return re.sub(r"(-?\d+\.\d\d)\d+", r"\1", text)


def save_png(figure: Figure, path: Path) -> None:
    """The figure as a PNG file of 150 dots per inch."""
    figure.savefig(path, format="png", dpi=150, metadata={"Software": None})


def pick_day(trace: Trace) -> int:
    """The day to show: sunny, with the line full for part of it."""
    per_day, days = HALF_HOURS.per_day, max(trace.days, 1)
    solar = trace.slots["traded_wh:solar"]
    full = np.zeros(len(solar), np.bool_)
    for line in trace.named("flow_wh"):
        full |= _is_full(trace, line)
    scores = []
    for day in range(days):
        window = slice(day * per_day, (day + 1) * per_day)
        part = full[window].mean()
        scores.append(float(solar[window].sum()) * (1.0 if 0 < part < 0.7 else 0.5))
    return int(np.argmax(scores))


# ---------------------------------------------------------------- parts of figures


def _hours(window: slice) -> Floats:
    return np.arange(window.stop - window.start, dtype=np.float64) / 2


def _jpy(price: Int) -> Floats:
    return np.where(price == NO_PRICE, np.nan, price / MJPY_PER_JPY)


def _steps(axis: Any, hours: Floats, values: Floats, **look: Any) -> None:
    """A line that holds each value for its half hour, to the end of the last one."""
    axis.step(np.append(hours, hours[-1] + 0.5), np.append(values, values[-1]), where="post", **look)


def _band(axis: Any, trace: Trace, window: slice, area: str) -> tuple[Floats, Floats]:
    """Shade what lies between the feed-in price and the value of consumption; both series."""
    low, high = (_jpy(trace.slots[f"{what}:{area}"][window]) for what in ("feed_in", "value"))
    edges = np.arange(len(low) + 1) / 2
    axis.fill_between(
        edges,
        np.append(low, low[-1]),
        np.append(high, high[-1]),
        step="post",
        color=PALE,
        linewidth=0,
        label=f"from feed-in price to value of consumption, {area.title()}",
    )
    return low, high


def _draw_prices(axis: Any, trace: Trace, window: slice, buyer_area: str) -> None:
    hours = _hours(window)
    low, high = _band(axis, trace, window, buyer_area)
    outside = _jpy(trace.slots[f"outside:{buyer_area}"][window])
    _steps(axis, hours, outside, color=GREY, linewidth=1, linestyle=(0, (3, 2)), label="price outside")
    drawn = list(zip(trace.named("price").items(), AREA_COLOURS, strict=False))
    for place, ((area, price), colour) in reversed(list(enumerate(drawn))):
        values = _jpy(price[window])
        if np.isfinite(values).any():
            _steps(axis, hours, values, color=colour, linewidth=1.8 + 2.4 * place, label=f"price in {area.title()}")
    axis.set_ylabel("JPY/kWh")
    axis.set_ylim(0, 1.32 * float(np.nanmax(high)))
    axis.set_title(_price_title(buyer_area, _jpy(trace.slots[f"price:{buyer_area}"][window]), low, high))
    axis.legend(loc="upper left", ncols=2, columnspacing=1.2)


def _price_title(area: str, price: Floats, low: Floats, high: Floats) -> str:
    if not np.isfinite(price).any():
        return "Nobody trades: supply and surplus go through the retailer"
    share = np.nanmean((price - low) / np.maximum(high - low, 1e-9))
    return f"Prices in {area.title()} lie {share:.0%} of the way from feed-in price to value of consumption"


def _draw_volumes(axis: Any, trace: Trace, window: slice) -> None:
    hours, base = _hours(window), np.zeros(window.stop - window.start)
    for source, colour in SOURCE_COLOURS.items():
        values = trace.slots[f"traded_wh:{source.name.lower()}"][window] / WH_PER_KWH
        if values.sum() < 0.01 * trace.slots["last_resort_wh"][window].sum() / WH_PER_KWH:
            continue
        axis.bar(hours, values, 0.5, base, align="edge", color=colour, label=SOURCE_TITLES[source], linewidth=0)
        base = base + values
    resort = trace.slots["last_resort_wh"][window] / WH_PER_KWH
    axis.bar(hours, resort, 0.5, base, align="edge", color="#d9d9d9", label="last resort", linewidth=0)
    axis.set_ylabel("kWh per\nhalf hour")
    share = base.sum() / max((base + resort).sum(), 1e-9)
    axis.set_title(f"{share:.0%} of the energy is traded freely, the rest is last resort")
    axis.legend(loc="upper left", ncols=5, columnspacing=1.2)
    axis.set_ylim(0, 1.22 * max(float((base + resort).max()), 0.1))


def _is_full(trace: Trace, line: str) -> npt.NDArray[np.bool_]:
    flow = trace.slots[f"flow_wh:{line}"]
    forward, backward = trace.slots[f"forward_wh:{line}"], trace.slots[f"backward_wh:{line}"]
    return np.asarray((flow >= forward) | (-flow >= backward))


def _draw_line(axis: Any, trace: Trace, window: slice, line: str) -> None:
    hours = _hours(window)
    flow = trace.slots[f"flow_wh:{line}"][window] / WH_PER_KWH
    forward = trace.slots[f"forward_wh:{line}"][window] / WH_PER_KWH
    backward = trace.slots[f"backward_wh:{line}"][window] / WH_PER_KWH
    full = _is_full(trace, line)[window]
    axis.bar(hours, flow, 0.5, align="edge", color=np.where(full, RED, SKY).tolist(), linewidth=0)
    _steps(axis, hours, forward, color=BLACK, linewidth=1.4, label="capacity")
    if flow.min() < 0:
        _steps(axis, hours, -backward, color=BLACK, linewidth=1.4)
    axis.set_ylabel("kWh per\nhalf hour")
    axis.set_ylim(min(0.0, 1.1 * float(flow.min())), 1.45 * float(forward.max()))
    axis.set_title(f"The line {line} is full in {int(full.sum())} of {len(full)} half hours")
    handles = [Patch(color=SKY, label="flow"), Patch(color=RED, label="flow, line full"), axis.lines[0]]
    axis.legend(handles=handles, loc="upper right", ncols=3, columnspacing=1.2)


def _trade_title(trace: Trace, energy: Floats) -> str:
    roles = np.array(trace.roles)
    bought = energy[:, roles != Role.RETAILER]
    total = max(float(bought.sum()), 1e-9)
    near = bought[np.isin(roles, (Role.HOME, Role.SOLAR))].sum() / total
    far = bought[roles == Role.THERMAL].sum() / total
    resort = bought[roles == Role.RETAILER].sum() / total
    return f"What is bought comes from neighbours {near:.0%}, thermal units {far:.0%}, last resort {resort:.0%}"


def _label_parties(axis: Any, trace: Trace, sellers: Int, buyers: Int) -> None:
    axis.set_xticks(range(len(buyers)), [trace.parties[party] for party in buyers], rotation=40, ha="right")
    axis.set_yticks(range(len(sellers)), [trace.parties[party] for party in sellers])
    axis.set_xlabel("buyer (figures: kWh a day)")
    axis.set_ylabel("seller")
    for rows, draw in ((sellers, axis.axhline), (buyers, axis.axvline)):
        roles = [trace.roles[party] for party in rows]
        for place in range(1, len(roles)):
            if roles[place] != roles[place - 1]:
                draw(place - 0.5, color=GREY, linewidth=0.8)
    axis.tick_params(length=0)


def _draw_battery_price(axis: Any, trace: Trace, hours: Floats, area: str) -> None:
    window = slice(0, len(hours))
    _, high = _band(axis, trace, window, area)
    price = _jpy(trace.slots[f"price:{area}"][window])
    if np.isfinite(price).any():
        _steps(axis, hours, price, color=RED, linewidth=1.4, label=f"price in {area.title()}")
    axis.set_ylabel("JPY/kWh")
    axis.set_ylim(0, 1.25 * float(np.nanmax(high)))
    axis.legend(loc="upper right", ncols=2)


def _battery_title(trace: Trace, energy: Floats, area: str) -> str:
    """Mean price while charging and while discharging; the outside price where nothing traded."""
    price = _jpy(trace.slots[f"price:{area}"][: len(energy)])
    price = np.where(np.isfinite(price), price, _jpy(trace.slots[f"outside:{area}"][: len(energy)]))
    charge, discharge = np.maximum(energy, 0), np.maximum(-energy, 0)
    if not charge.sum() or not discharge.sum():
        return "The batteries hardly move"
    buy, sell = (float(price @ part / part.sum()) for part in (charge, discharge))
    return f"Batteries charge at a mean price of {buy:.1f} JPY/kWh and discharge at {sell:.1f}"


def _mark_days(axis: Any, trace: Trace, hours: Floats) -> None:
    first = int(trace.slots["slot"][0])
    axis.set_xlim(0, hours[-1] + 0.5)
    ticks = np.arange(0, hours[-1] + 1, 6)
    axis.set_xticks(ticks, [_tick(first, int(hour)) for hour in ticks])


def _tick(first_slot: int, hour: int) -> str:
    text = f"{hour % 24}:00"
    return f"{text}\n{HALF_HOURS.day_of(first_slot + 2 * hour):%d %b}" if hour % 24 == 0 else text


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
    axis.xaxis.set_major_locator(MaxNLocator(3))
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
        min(now_low, low - 0.45 * scale) if low < 0 else min(now_low, low - 0.02 * scale),
        max(now_high, high + 0.45 * scale) if high > 0 else max(now_high, 0.05 * scale),
    )
    axis.grid(visible=False, axis="y")


def _lost(energy_kwh: float | None) -> float:
    return energy_kwh or 0.0
