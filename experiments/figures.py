"""Pictures of a run, from the trace of one world: a day, who traded with whom, batteries against price.

Every axis has a unit; titles say what is to be seen and are computed from the same series.
"""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from agents.fleet import Role
from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PALE, PINK, RED, SKY, STYLE, YELLOW
from experiments.metrics import SOURCE_TITLES
from experiments.trace import Trace
from market.contracts import Source
from market.exchange import NO_PRICE
from market.slots import HALF_HOURS
from market.units import MJPY_PER_JPY, WH_PER_KWH, Int

AREA_COLOURS = (BLUE, RED, GREEN, PINK, ORANGE, SKY, BLACK, YELLOW, GREY)
SOURCE_COLOURS = {Source.SOLAR: ORANGE, Source.PROSUMER: GREEN, Source.THERMAL: "#777777", Source.GRID: PINK}
Floats = npt.NDArray[np.float64]
SEAM = 0.4
"""Bars that touch get an edge of their own colour, or browsers show a hair of white between them."""
LEAST_KWH = 0.05
"""Trades below this energy a day are not drawn."""
PARTIES_NAMED = 40
"""Most parties that have a row of their own among the trades."""
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


def draw_designs(traces: Mapping[str, Trace], day: int, buyer_area: str) -> Figure:
    """The same day under several designs, side by side: prices by area, and when the line was full."""
    window = slice(day * HALF_HOURS.per_day, (day + 1) * HALF_HOURS.per_day)
    rows = -(-len(traces) // 2)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 0.6 + 2.5 * rows), layout="constrained")
        panels = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False)
        for axis, (design, trace) in zip(panels.flat, traces.items(), strict=False):
            _draw_design_day(axis, design, trace, window, buyer_area)
        for axis in panels.flat[len(traces) :]:
            axis.set_axis_off()
        for axis in panels[:, 0]:
            axis.set_ylabel("JPY/kWh")
        shown: dict[str, Any] = {}
        for axis in panels.flat:
            shown |= {label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
        figure.legend(list(shown.values()), list(shown), loc="outside lower center", ncols=len(shown))
    return figure


def draw_trades(trace: Trace) -> Figure:
    """Who traded with whom: contracted energy a day from each seller (row) to each buyer (column).

    Many parties are shown group by group.
    """
    trace = trace if len(trace.parties) <= PARTIES_NAMED else trace.by_group()
    energy = trace.trades_wh / WH_PER_KWH / max(len(trace.slots["slot"]) / HALF_HOURS.per_day, 1e-9)
    rank = {int(role): place for place, role in enumerate(ROLE_ORDER)}
    order = np.array(sorted(range(len(trace.parties)), key=lambda party: (rank[trace.roles[party]], party)))
    sellers, buyers = (order[energy.max(way)[order] >= LEAST_KWH] for way in (1, 0))
    shown = np.where(energy >= LEAST_KWH, energy, 0.0)[np.ix_(sellers, buyers)]
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(max(8.8, 1.9 + 0.66 * len(buyers)), 1.5 + 0.34 * len(sellers)), layout="constrained")
        axis = figure.subplots()
        axis.set_title(_trade_title(trace, energy))
        if not shown.size:
            axis.set_axis_off()
            return figure
        scale = LogNorm(LEAST_KWH, max(float(shown.max()), 1.0))
        edges = (np.arange(count + 1) - 0.5 for count in shown.shape[::-1])
        cells = np.where(shown > 0, shown, np.nan)
        axis.pcolormesh(*edges, cells, cmap="YlGnBu", norm=scale, edgecolor="white", linewidth=1)
        axis.invert_yaxis()
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
        axes[1].bar(
            hours, np.maximum(total, 0), 0.5, align="edge", color=BLUE, edgecolor=BLUE, linewidth=SEAM, label="charging"
        )
        axes[1].bar(
            hours,
            np.minimum(total, 0),
            0.5,
            align="edge",
            color=ORANGE,
            edgecolor=ORANGE,
            linewidth=SEAM,
            label="discharging",
        )
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


def _hours(window: slice) -> Floats:
    return np.arange(window.stop - window.start, dtype=np.float64) / 2


def _jpy(price: Int) -> Floats:
    return np.where(price == NO_PRICE, np.nan, price / MJPY_PER_JPY)


def _steps(axis: Any, hours: Floats, values: Floats, **look: Any) -> None:
    """A line that holds each value for its half hour, to the end of the last one."""
    axis.step(np.append(hours, hours[-1] + 0.5), np.append(values, values[-1]), where="post", **look)


def _areas(trace: Trace) -> list[tuple[tuple[str, Int], str]]:
    """Areas with their prices and colours."""
    return list(zip(trace.named("price").items(), AREA_COLOURS, strict=False))


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
    for place, ((area, price), colour) in reversed(list(enumerate(_areas(trace)))):
        values = _jpy(price[window])
        if np.isfinite(values).any():
            _steps(axis, hours, values, color=colour, linewidth=1.8 + 2.4 * place, label=f"price in {area.title()}")
    axis.set_ylabel("JPY/kWh")
    axis.set_ylim(0, 1.32 * float(np.nanmax(high)))
    axis.set_title(_price_title(buyer_area, _jpy(trace.slots[f"price:{buyer_area}"][window]), low, high))
    axis.legend(loc="upper left", ncols=2, columnspacing=1.2)


def _draw_design_day(axis: Any, design: str, trace: Trace, window: slice, buyer_area: str) -> None:
    hours = _hours(window)
    _, high = _band(axis, trace, window, buyer_area)
    full = np.zeros(len(hours), np.bool_)
    for line in trace.named("flow_wh"):
        full |= _is_full(trace, line)[window]
    for hour in hours[full]:
        axis.axvspan(hour, hour + 0.5, 0, 0.035, color=BLACK, linewidth=SEAM)
    axis.plot([], [], color=BLACK, linewidth=4, label="line full")
    for place, ((area, price), colour) in reversed(list(enumerate(_areas(trace)))):
        values = _jpy(price[window])
        if np.isfinite(values).any():
            _steps(axis, hours, values, color=colour, linewidth=1.6 + 2.2 * place, label=f"price in {area.title()}")
    mean = _jpy(trace.slots[f"price:{buyer_area}"][window])
    told = f"{np.nanmean(mean):.1f} JPY/kWh in {buyer_area.title()}" if np.isfinite(mean).any() else "no market price"
    axis.set_title(f"{design}: {told}")
    axis.set_ylim(0, 1.1 * float(np.nanmax(high)))
    axis.set_xlim(0, 24)
    axis.set_xticks(range(0, 25, 6), [f"{hour}:00" for hour in range(0, 25, 6)])


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
        axis.bar(
            hours,
            values,
            0.5,
            base,
            align="edge",
            color=colour,
            label=SOURCE_TITLES[source],
            edgecolor=colour,
            linewidth=SEAM,
        )
        base = base + values
    resort = trace.slots["last_resort_wh"][window] / WH_PER_KWH
    axis.bar(
        hours,
        resort,
        0.5,
        base,
        align="edge",
        color="#d9d9d9",
        label="last resort",
        edgecolor="#d9d9d9",
        linewidth=SEAM,
    )
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
    colours = np.where(full, RED, SKY).tolist()
    axis.bar(hours, flow, 0.5, align="edge", color=colours, edgecolor=colours, linewidth=SEAM)
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
