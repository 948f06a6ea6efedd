"""study forecasts: how far a world's forecasts miss, by model, role and lead, with and without updates.

What every site is shown of its load less own PV (`envs.sight.Sight.forecast`) is set against what comes, in held-out
weeks that no model was fitted on. The first two days are not counted, so that every lead foretells the same half hours
with readings at hand. A lead counts from the start of the step in which the forecast is made to the start of delivery.
Cars, fuel cells and water heaters are planned, not foretold, and left out. Intervals are 95 % t intervals over worlds;
skill is the part of the seasonal naive's mean absolute error that is gone (jackknife over worlds).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agents.fleet import Role
from envs.own_folder import folder_of
from envs.public_year import public_year
from envs.scenario import load_scenario
from envs.sight import Sight
from envs.world import World
from experiments.evaluate import HELD_OUT_WEEKS, JUDGE_SEED, t_interval
from experiments.findings import Estimate
from experiments.metrics import ROLE_TITLES
from experiments.oracle_study import ratio_interval
from market.design import find_design
from market.slots import HALF_HOURS
from market.units import Int

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

SITES = (Role.HOME, Role.STORE, Role.SOLAR)
LEADS: Mapping[str, int] = {"1 h": 2, "2 h": 4, "4 h": 8, "8 h": 16, "12 h": 24, "24 h": 48}
"""Leads that are looked at [half hours]."""
LEADS_SLOTS = np.array(list(LEADS.values()))
FIRST_COUNTED = HALF_HOURS.per_day + int(LEADS_SLOTS.max())
"""First half hour that is counted."""


class Model(NamedTuple):
    """A forecast as a scenario names it, and whether readings correct it."""

    name: str
    updated: bool

    @property
    def title(self) -> str:
        """As printed."""
        return f"{self.name}, updated" if self.updated else self.name


NAIVE = Model("naive", False)
MODELS = (*(Model(name, by) for name in ("naive", "weather", "ridge", "boosting") for by in (False, True)),)
MODELS += (Model("perfect", False),)


@dataclass(frozen=True)
class Misses:
    """Misses of one model: forecast less truth of the parties of a role (worlds, leads), means [Wh] and [Wh^2].

    absolute, bias, square; size: mean |truth| [Wh]; course (slots,): forecast at the shortest lead of the role's first
    party in the first world, truth beside it [Wh].
    """

    absolute: Floats
    bias: Floats
    square: Floats
    size: Floats
    course: Int
    truth: Int


@dataclass(frozen=True)
class ErrorRow:
    """Error of one model, role and lead: means for each party and half hour [Wh], RMSE over mean |truth|, skill."""

    model: str
    role: str
    lead: str
    mae_wh: Estimate
    bias_wh: Estimate
    relative_rmse: float
    skill: Estimate


@dataclass(frozen=True)
class Course:
    """A week of one party: truth and forecasts at the shortest lead by model, from the third day on [kWh]."""

    party: str
    truth: list[float]
    forecasts: Mapping[str, list[float]]


@dataclass(frozen=True)
class ForecastErrors:
    """What the study found; `played` says what was played."""

    played: str
    errors: tuple[ErrorRow, ...]
    courses: tuple[Course, ...]

    def rows(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return asdict(self)

    def print(self) -> None:
        """A table for each role on standard output."""
        from experiments.forecast_tables import print_tables

        print_tables(self)


def study_forecasts(
    name: str | Path = "urawa-misono",
    data: Path | None = None,
    seeds: int = 1,
    seed: int = JUDGE_SEED,
    sites: int = 100,
    days: int = 7,
    progress: Progress | None = None,
) -> ForecastErrors:
    """Let every model foretell the held-out weeks; arguments and errors as in `retrade_study.study_retrade`."""
    scenario = load_scenario(name)
    year = public_year(scenario, data, folder=folder_of(name))
    size = {"size": sites} if scenario.size is not None else {}
    found: dict[Model, dict[Role, Misses]] = {}
    for model in MODELS:
        chosen = {"forecast": model.name, "forecast_updates": model.updated}
        world = World(
            load_scenario(name, {**size, **chosen}),
            find_design("retail"),
            HELD_OUT_WEEKS * seeds,
            seed,
            year=year,
            days=days,
            held_out=True,
            ledger="off",
        )
        found[model] = measure(world)
        if progress:
            progress(len(found), len(MODELS))
    names = {role: world.fleet.names[world.seats[role].rows.start] for role in found[NAIVE]}
    said = f"{world.worlds} worlds, days {days}, first two days not counted, {year.source}"
    return ForecastErrors(
        said + (f", {sites} sites" if size else ""),
        tuple(row for role in names for model in MODELS for row in _rows(model, role, found)),
        tuple(_course(names[role], role, found) for role in names),
    )


def measure(world: World) -> dict[Role, Misses]:
    """Misses of what a world shows its sites, by role; the world is played to its end."""
    world.reset()
    truth = world.episode.load_wh - world.episode.solar_wh
    roles = [role for role in SITES if role in world.seats]
    sums = {role: np.zeros((4, world.worlds, len(LEADS))) for role in roles}
    courses = {role: np.zeros(world.slots, np.int64) for role in roles}
    done = False
    while not done:
        sight, last = Sight(world), LEADS_SLOTS[world.t + LEADS_SLOTS < world.slots]
        counts = world.t + last >= FIRST_COUNTED
        for role in roles if len(last) else ():
            rows = world.seats[role].rows
            foretold, real = sight.forecast(rows)[..., last], truth[:, rows][..., world.t + last]
            sums[role][..., : len(last)] += _sums(foretold, real) * counts
            courses[role][world.t + last[0]] = foretold[0, 0, 0]
        done = world.step().done
    return {role: _means(sums[role], courses[role], truth[:, world.seats[role].rows], world) for role in roles}


def _sums(foretold: Int, real: Int) -> Floats:
    """Sums over parties of |miss|, miss, miss^2 and |truth|, (4, worlds, leads)."""
    miss = (foretold - real).astype(np.float64)
    return np.stack([np.abs(miss).sum(1), miss.sum(1), (miss * miss).sum(1), np.abs(real).sum(1).astype(np.float64)])


def _means(sums: Floats, course: Int, truth: Int, world: World) -> Misses:
    absolute, bias, square, size = sums / ((world.slots - FIRST_COUNTED) * truth.shape[1])
    return Misses(absolute, bias, square, size, course, truth[0, 0, : world.slots])


def _rows(model: Model, role: Role, found: Mapping[Model, Mapping[Role, Misses]]) -> list[ErrorRow]:
    own, naive = found[model][role], found[NAIVE][role]
    return [
        ErrorRow(
            model.title,
            ROLE_TITLES[role],
            lead,
            t_interval(own.absolute[:, at]),
            t_interval(own.bias[:, at]),
            float(np.sqrt(own.square[:, at].mean()) / own.size[:, at].mean()),
            ratio_interval(naive.absolute[:, at] - own.absolute[:, at], naive.absolute[:, at]),
        )
        for at, lead in enumerate(LEADS)
    ]


def _course(party: str, role: Role, found: Mapping[Model, Mapping[Role, Misses]]) -> Course:
    first = FIRST_COUNTED
    courses = {model.title: (misses[role].course[first:] / 1000).tolist() for model, misses in found.items()}
    return Course(party, (found[NAIVE][role].truth[first:] / 1000).tolist(), courses)
