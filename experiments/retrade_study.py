"""study retrade: does revising plans and trades until one hour before delivery lower imbalance (paper 1.3, item 18)?

The same held-out worlds with the same draws are played by truthful bidders who fix their plans the day before or later
(`agents.fixed_plans`). What is planned but not contracted falls to the retailer of last resort in every design, so
reading minus plan depends on when a plan is fixed, on the forecast and on the battery, and not on the design (a test);
the design decides how much of the plan is traded and how much the retailer takes. So the study has two parts: leads
without trade under each forecast, with and without batteries; and designs under the forecast that improves. The first
day of each week is played and not counted. Differences are within worlds, against plans of the day before; intervals
are 95 % t intervals over worlds. The calendar closes its gate one hour ahead, so no shorter lead is played.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.fleet import Role
from envs.own_folder import folder_of
from envs.public_year import public_year
from envs.scenario import load_scenario
from experiments.evaluate import HELD_OUT_WEEKS, JUDGE_SEED, t_interval
from experiments.findings import Estimate
from experiments.metrics import ROLE_TITLES
from experiments.oracle_study import ratio_interval
from experiments.retrade_play import FORECASTS, IMPROVING, LEADS, WAYS, Case, Played, Setting, has_batteries, play
from market.slots import HALF_HOURS
from market.units import WH_PER_KWH, Int

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Row:
    """One case against plans of the day before with the same forecast and batteries, all sites together, a day.

    `saved` is the part of the imbalance that is gone, by role and of all; `cheaper` what all sites pay less.
    """

    forecast: str
    battery: bool
    design: str
    lead: str
    imbalance_kwh: Mapping[str, Estimate]
    saved: Mapping[str, Estimate]
    paid_jpy: Estimate
    resort_kwh: Estimate
    traded_kwh: Estimate
    cheaper_jpy: Estimate


@dataclass(frozen=True)
class Day:
    """One day of the first world: plans of one party as fixed at each lead, and its reading, (48,) [kWh]."""

    party: str
    date: str
    plans: Mapping[str, list[float]]
    reading: list[float]


@dataclass(frozen=True)
class Retrade:
    """What the study found; `played` says what was played, `share` how much of what is metered is imbalance."""

    played: str
    share: Mapping[str, Estimate]
    leads: tuple[Row, ...]
    ways: tuple[Row, ...]
    days: tuple[Day, ...]

    def rows(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return asdict(self)

    def print(self) -> None:
        """Two tables on standard output."""
        from experiments.retrade_tables import print_tables

        print_tables(self)


def study_retrade(
    name: str | Path = "urawa-misono",
    data: Path | None = None,
    seeds: int = 1,
    seed: int = JUDGE_SEED,
    sites: int = 100,
    days: int = 7,
    settings: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> Retrade:
    """Play all leads and designs on every held-out week.

    Args:
        name: the scenario, by name or path.
        data: folder of published prices and weather; the synthetic year if None.
        seeds: draws of each held-out week; 13 worlds each.
        seed: key of the first world; the same seed gives the same figures.
        sites: size of a scenario that has one.
        days: days of each world, the first of which is not counted.
        settings: keys of the scenario with other values.
        progress: called with cases done and cases in all.

    Raises:
        ConfigError, DataError: as `envs.opening.open_world`.
    """
    scenario = load_scenario(name, settings)
    year = public_year(scenario, data, folder=folder_of(name))
    overrides = {**(settings or {}), **({"size": sites} if scenario.size is not None else {})}
    setting = Setting(name, overrides, year, HELD_OUT_WEEKS * seeds, days, seed)
    batteries = (True, False) if has_batteries(scenario) else (False,)
    leads = [Case(f, battery, "retail", lead) for f in FORECASTS for battery in batteries for lead in LEADS]
    ways = [Case(IMPROVING, batteries[0], *way) for way in WAYS]
    found: dict[Case, Played] = {}
    for case in (*leads, *ways):
        found[case] = play(setting, case)
        if progress:
            progress(len(found), len(leads) + len(ways))
    said = f"{setting.worlds} worlds, days {days}, first day not counted, {year.source}"
    first = found[leads[0]]
    return Retrade(
        said + "".join(f", {key} = {value}" for key, value in overrides.items()),
        _by_role(first, first.imbalance_kwh, first.metered_kwh),
        tuple(_row(case, found, case._replace(lead="day before")) for case in leads),
        tuple(_row(case, found, ways[0]) for case in ways),
        _pick_days({case.lead: found[case] for case in leads if case[:2] == (IMPROVING, batteries[0])}),
    )


def _row(case: Case, found: Mapping[Case, Played], base: Case) -> Row:
    """One case against another, world by world."""
    own, before = found[case], found[base]
    return Row(
        *case,
        imbalance_kwh={role: t_interval(v) for role, v in _columns(own, own.imbalance_kwh).items()},
        saved=_by_role(own, before.imbalance_kwh - own.imbalance_kwh, before.imbalance_kwh),
        paid_jpy=t_interval(own.paid_jpy),
        resort_kwh=t_interval(own.resort_kwh),
        traded_kwh=t_interval(own.traded_kwh),
        cheaper_jpy=t_interval(before.cost_jpy - own.cost_jpy),
    )


def _columns(played: Played, values: Floats) -> dict[str, Floats]:
    """Each role and all of them (worlds,), by what people call them."""
    titles = [ROLE_TITLES[role] for role in played.roles]
    return {**dict(zip(titles, values.T, strict=True)), "all": values.sum(1)}


def _by_role(played: Played, part: Floats, whole: Floats) -> dict[str, Estimate]:
    """Ratio of two energies by role and of all; zero where there is nothing to divide by."""
    parts, wholes = _columns(played, part), _columns(played, whole)
    return {r: ratio_interval(parts[r], wholes[r]) if wholes[r].sum() else Estimate(0.0) for r in parts}


def _pick_days(found: Mapping[str, Played]) -> tuple[Day, ...]:
    """For a solar plant and a home of the first world, the counted day on which plans change most."""
    role = found["1 h"].role
    rows = [np.flatnonzero(role == wanted) for wanted in (Role.SOLAR, Role.HOME)]
    return tuple(_pick_day(found, these) for these in rows if len(these))


def _pick_day(found: Mapping[str, Played], rows: Int) -> Day:
    last = found["1 h"]
    shape = (-1, HALF_HOURS.per_day, len(last.names))
    by_day = {lead: played.plan_wh.reshape(shape) for lead, played in found.items()}
    change = np.abs(by_day["1 h"] - by_day["day before"]).sum(1)[1:, rows]
    day, place = (int(i) for i in np.unravel_index(np.argmax(change), change.shape))
    row, whole = int(rows[place]), (day + 1) * HALF_HOURS.per_day
    return Day(
        last.names[row],
        str(HALF_HOURS.day_of(last.first_slot + whole)),
        {lead: (plan[day + 1, :, row] / WH_PER_KWH).tolist() for lead, plan in by_day.items()},
        (last.reading_wh[whole : whole + HALF_HOURS.per_day, row] / WH_PER_KWH).tolist(),
    )
