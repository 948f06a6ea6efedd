"""Pictures of a scenario: where its areas, lines and parties are, and two of its days."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from agents.fleet import ROLE_NAMES, Role
from envs.groups import StoresSpec
from envs.opening import open_world
from envs.scenario_schema import LineSpec, Scenario
from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PALE, PINK, RED, SKY, STYLE
from experiments.scenario_table import count_parties
from market.slots import HALF_HOURS
from market.units import MJPY_PER_JPY, WH_PER_KWH

DAYS = 2
BROWN = "#8C564B"
MEGA_KW = 10_000
"""Power from which a line is written in MW."""
GIGA_KW = 10_000_000
"""Power from which a load is drawn in GW."""
FEW = 4
"""Areas up to which a map has room for names beside the points, and for names of lines."""
PLACES = {
    "hokkaido": (5.2, 3.7),
    "tohoku": (5.0, 2.5),
    "tokyo": (4.8, 1.2),
    "chubu": (3.2, 0.4),
    "hokuriku": (2.6, 2.2),
    "kansai": (1.4, 1.1),
    "chugoku": (-0.5, 1.6),
    "shikoku": (0.6, -0.5),
    "kyushu": (-1.4, 0.1),
}
"""Where an area stands on the picture: north is up, distances are those that lines and names need."""
COLOURS = (BLUE, RED, GREEN, ORANGE, SKY, BLACK, PINK, GREY, BROWN)
KW_PER_WH = HALF_HOURS.gate / WH_PER_KWH


def draw_map(scenario: Scenario) -> Figure:
    """Areas at their places, lines with their capacity, and who lives where; areas that take no part are pale."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, max(4.6, 1.2 + 0.62 * len(scenario.areas))), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
        for area in PLACES:
            _draw_area(left, scenario, area)
        for line in scenario.lines:
            _draw_line(left, line, len(scenario.lines) >= FEW)
        left.set_xlim(-2.1, 6.8)
        left.set_ylim(-0.9, 4.3)
        left.axis("off")
        left.set_title("Areas and lines, not to scale")
        _write_parties(right, scenario)
    return figure


def draw_days(scenario: Scenario) -> Figure:
    """Load and sun, prices outside the market, and room of the lines on the first two held-out days of world 0."""
    world = open_world(scenario, "retail", days=DAYS, held_out=True, ledger="off")
    world.reset()
    episode, fleet = world.episode, world.fleet
    slots = episode.slots
    moving = [row for row, line in enumerate(scenario.lines) if len(scenario.lines) < FEW or line.levels_kw]
    hours = np.arange(slots + 1) / HALF_HOURS.gate
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 6.8 if moving else 4.8), layout="constrained")
        axes = figure.subplots(3 if moving else 2, 1, sharex=True, squeeze=False)[:, 0]
        unit, per = _unit(episode.load_wh[0].sum(0).max() * KW_PER_WH)
        buyers = "load of buyers" if any(group.whole_area for group in scenario.stores) else "load of stores"
        for role, name, colour in ((Role.STORE, buyers, SKY), (Role.HOME, "load of homes", BLUE)):
            load = episode.load_wh[0, fleet.role == role, :slots].sum(0) * KW_PER_WH
            if load.any():
                axes[0].stairs(load / per, hours, baseline=None, color=colour, linewidth=1.6, label=name)
        sun = episode.solar_wh[0, :, :slots].sum(0) * KW_PER_WH
        axes[0].stairs(sun / per, hours, color=ORANGE, fill=True, alpha=0.45, label="solar")
        axes[0].set_title("Load and solar of all parties")
        axes[0].set_ylabel(unit)
        for row, area in enumerate(scenario.areas):
            price = episode.outside[0, row, :slots] / MJPY_PER_JPY
            # areas often share a price: the first is drawn wider, so that it shows below the others
            width = 1.4 + 2.0 * (row == 0)
            axes[1].stairs(price, hours, baseline=None, color=COLOURS[row], linewidth=width, label=area)
        axes[1].set_title("Price outside the market")
        axes[1].set_ylabel("JPY/kWh")
        axes[1].set_ylim(bottom=0)
        if moving:
            _draw_room(axes[2], [scenario.lines[row].name for row in moving], episode.capacity_wh[0][:, moving], hours)
        for axis in axes:
            axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02))
        _mark_hours(axes[-1], int(episode.first_slot[0]), slots)
    return figure


def _draw_area(axis: Any, scenario: Scenario, area: str) -> None:
    place, few = PLACES[area], len(scenario.areas) <= FEW
    if area not in scenario.areas:
        axis.plot(*place, "o", color=PALE, markersize=9)
        axis.annotate(
            area, place, xytext=(0, 7), textcoords="offset points", ha="center", color=GREY, fontsize=8
        )  # fmt: skip
        return
    colour = COLOURS[scenario.areas.index(area)]
    axis.plot(*place, "o", color=colour, markersize=17 if few else 11, zorder=3)
    axis.annotate(
        area, place, xytext=(-13, 0) if few else (0, 8), textcoords="offset points", ha="right" if few else "center",
        va="center" if few else "bottom", color=colour, fontweight="bold", fontsize=10 if few else 9, zorder=4,
        bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
    )  # fmt: skip


def _draw_line(axis: Any, line: LineSpec, small: bool) -> None:
    (x, y), (far_x, far_y) = PLACES[line.source], PLACES[line.target]
    axis.plot([x, far_x], [y, far_y], color=GREY, linewidth=2.4, zorder=1)
    axis.annotate(
        _power(line) if small else f"{line.name}\n{_power(line)}", ((x + far_x) / 2, (y + far_y) / 2),
        xytext=(0 if small else 9, 0), textcoords="offset points", va="center", ha="center" if small else "left",
        fontsize=8 if small else 9, color=BLACK, zorder=2,
        bbox={"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.85},
    )  # fmt: skip


def _unit(most_kw: float) -> tuple[str, int]:
    """Unit of a load, and how many kW it is."""
    if most_kw >= GIGA_KW:
        return "GW", 1_000_000
    return ("MW", 1_000) if most_kw >= MEGA_KW else ("kW", 1)


def _power(line: LineSpec) -> str:
    """Capacity of a line in words, one number for each direction where they differ, with the lowest level."""
    unit, per = ("MW", 1_000) if max(line.forward_kw, line.backward_kw) >= MEGA_KW else ("kW", 1)
    sizes = dict.fromkeys((line.forward_kw, line.backward_kw))
    low = min(line.levels_kw, default=max(sizes))
    text = " /\n".join(f"{size / per:,g}" for size in sizes) + f" {unit}"
    return text + (f", down to {low / per:,g}" if low < max(sizes) else "")


def _write_parties(axis: Any, scenario: Scenario) -> None:
    axis.axis("off")
    axis.set_title("Who is there")
    counts, sites = count_parties(scenario), _sites(scenario)
    rows = [
        (area, [_who(role, n, sites.get((area, role), n)) for where, role, n in counts if where == area])
        for area in scenario.areas
    ]
    for place, (area, texts) in enumerate(rows):
        top = 1 - (place + 0.2) / max(len(rows), 5)
        words = {"va": "top", "transform": axis.transAxes, "linespacing": 1.35}
        axis.text(0, top, area, color=COLOURS[place], fontweight="bold", **words)
        axis.text(0.28, top, "\n".join(_wrapped(texts)), **words)


def _sites(scenario: Scenario) -> dict[tuple[str, str], int]:
    """Homes and stores that the parties of an area stand for, by area and role; none where one buys for all."""
    found: dict[tuple[str, str], int] = {}
    for role, groups in ((Role.HOME, scenario.homes), (Role.STORE, scenario.stores)):
        for group in groups:
            key = group.area, ROLE_NAMES[role]
            whole = isinstance(group, StoresSpec) and group.whole_area
            found[key] = 0 if whole else found.get(key, 0) + group.count * group.weight
    return found


def _who(role: str, parties: int, sites: int) -> str:
    """So many of a role in words; with how many parties they trade, where these are fewer."""
    if not sites:
        return f"{parties:,} {'buyers' if parties != 1 else 'buyer'} for all"
    return f"{sites:,} {_plural(role, sites)}" + (f" as {parties:,}" if sites != parties else "")


def _plural(role: str, count: int) -> str:
    names = {"solar": "solar plant", "thermal": "thermal unit"}
    return names.get(role, role) + ("s" if count != 1 else "")


def _wrapped(texts: Sequence[str]) -> list[str]:
    """Two to a line, so that nine areas fit."""
    return [", ".join(texts[at : at + 2]) for at in range(0, len(texts), 2)]


def _draw_room(axis: Any, names: Sequence[str], capacity_wh: Any, hours: Any) -> None:
    room = capacity_wh.max(2) * KW_PER_WH
    unit, per = ("MW", 1_000) if room.max() >= MEGA_KW else ("kW", 1)
    for row, name in enumerate(names):
        colour = COLOURS[row % len(COLOURS)]
        axis.stairs(room[:, row] / per, hours, baseline=None, color=colour, linewidth=1.6, label=name)
    axis.set_ylim(bottom=0)
    axis.set_title("Room of the lines" if len(names) < FEW else "Room of the lines whose capacity moves")
    axis.set_ylabel(unit)


def _mark_hours(axis: Any, first_slot: int, slots: int) -> None:
    step = HALF_HOURS.per_day // 4
    ticks = range(0, slots + 1, step)
    labels = [HALF_HOURS.label(first_slot + tick)[11:] for tick in ticks]
    for place in range(0, slots, HALF_HOURS.per_day):
        labels[place // step] += f"\n{HALF_HOURS.label(first_slot + place)[:10]}"
    axis.set_xlim(0, slots / HALF_HOURS.gate)
    axis.set_xticks([tick / HALF_HOURS.gate for tick in ticks], labels)
