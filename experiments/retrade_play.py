"""One case of the study of re-trading: forecast, batteries, design and lead, played in all worlds; and its figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agents.fixed_plans import DAY_AHEAD, FixedPlans
from agents.fleet import Role
from envs.opening import fit_design
from envs.public_year import PublicYear
from envs.scenario import load_scenario
from envs.scenario_schema import Scenario
from envs.tally import Flow
from envs.world import World
from market.design import find_design
from market.settlement import PostingKind
from market.slots import HALF_HOURS
from market.units import UJPY_PER_JPY, WH_PER_KWH, Int

Floats = npt.NDArray[np.float64]

SITES = (Role.HOME, Role.STORE, Role.SOLAR)
LEADS: Mapping[str, int | None] = MappingProxyType(
    {"day before": DAY_AHEAD, "12 h": 24, "8 h": 16, "4 h": 8, "2 h": 4, "1 h": HALF_HOURS.gate}
)
"""When plans are fixed, by what it is called [slots before delivery]."""
FORECASTS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "weather": {"forecast": "weather", "forecast_updates": False},
        "weather, updated": {"forecast": "weather", "forecast_updates": True},
        "naive, updated": {"forecast": "naive", "forecast_updates": True},
        "ridge, updated": {"forecast": "ridge", "forecast_updates": True},
        "perfect": {"forecast": "perfect", "forecast_updates": False},
    }
)
"""Forecasts by what they are called, as overrides of a scenario."""
IMPROVING = "weather, updated"
WAYS = (
    ("spot", "day before"),
    ("spot", "1 h"),
    ("spot+intraday", "4 h"),
    ("spot+intraday", "1 h"),
    ("dgp", "4 h"),
    ("dgp", "1 h"),
)
"""Designs that are compared, and when plans are fixed under them."""
OPEN_SLOTS = HALF_HOURS.per_day
"""Open slots of `dgp` after the gate: a day, as in evaluation."""


class Case(NamedTuple):
    """What is played: the forecast, whether batteries are there, the design, and when plans are fixed."""

    forecast: str
    battery: bool
    design: str
    lead: str


@dataclass(frozen=True)
class Played:
    """One case in all worlds, a day: what the sites came to.

    imbalance_kwh (worlds, roles): |reading - plan| summed over slots and parties, roles of `SITES` that have parties;
    metered_kwh (worlds, roles): |reading|, likewise; paid_jpy: for imbalance under the scenario's rule; resort_kwh:
    from and to the retailer; traded_kwh; cost_jpy: all that sites pay, each (worlds,); roles: the columns; names
    and role of all parties; first_slot, plan_wh and reading_wh (slots, parties) are of the first world.
    """

    roles: tuple[Role, ...]
    imbalance_kwh: Floats
    metered_kwh: Floats
    paid_jpy: Floats
    resort_kwh: Floats
    traded_kwh: Floats
    cost_jpy: Floats
    names: tuple[str, ...]
    role: Int
    first_slot: int
    plan_wh: Int
    reading_wh: Int


class Setting(NamedTuple):
    """What all cases share: the scenario by name or path with overrides, its year, worlds, days, key of world 0."""

    scenario: str | Path
    overrides: Mapping[str, object]
    year: PublicYear
    worlds: int
    days: int
    seed: int


def play(setting: Setting, case: Case) -> Played:
    """One case in all worlds."""
    scenario = load_scenario(setting.scenario, {**setting.overrides, **FORECASTS[case.forecast]})
    if not case.battery:
        scenario = without_batteries(scenario)
    design = fit_design(find_design(case.design), scenario, OPEN_SLOTS)
    world = World(
        scenario,
        design,
        setting.worlds,
        setting.seed,
        policies=dict.fromkeys(SITES, FixedPlans(LEADS[case.lead])),
        year=setting.year,
        days=setting.days,
        held_out=True,
        ledger="off",
        warm_up_days=1,
    )
    world.reset()
    reading, done = list[Int](), False
    while not done:
        step = world.step()
        reading.append(step.reading_wh[0])
        done = step.done
    return _measure(world, np.stack(reading))


def without_batteries(scenario: Scenario) -> Scenario:
    """The same scenario with batteries that hold nothing."""
    none = {"kw": 0.0, "kwh": 0.0}
    groups = {
        key: tuple(g.model_copy(update={"battery": g.battery.model_copy(update=none)}) for g in getattr(scenario, key))
        for key in ("homes", "stores")
    }
    return scenario.model_copy(update=groups)


def has_batteries(scenario: Scenario) -> bool:
    """Whether any site can store."""
    return any(group.battery.kwh > 0 for group in (*scenario.homes, *scenario.stores))


def _measure(world: World, reading_wh: Int) -> Played:
    """What a world played to its end came to, a counted day."""
    tally, days = world.tally, world.days - world.warm_up / HALF_HOURS.per_day
    roles = tuple(role for role in SITES if role in world.seats)
    seats = [world.seats[role].rows for role in roles]
    sites = np.concatenate([np.arange(rows.start, rows.stop) for rows in seats])

    def energy(*flows: Flow) -> Floats:
        return np.asarray(tally.energy_wh[..., list(flows)].sum(-1) / WH_PER_KWH / days)

    imbalance, metered = energy(Flow.SHORT, Flow.LONG), energy(Flow.IMPORT, Flow.EXPORT)
    paid = -tally.money_ujpy[:, sites, PostingKind.IMBALANCE].sum(1)
    return Played(
        roles,
        np.stack([imbalance[:, rows].sum(1) for rows in seats], 1),
        np.stack([metered[:, rows].sum(1) for rows in seats], 1),
        paid / UJPY_PER_JPY / days,
        energy(Flow.RESORT_SUPPLY, Flow.RESORT_SURPLUS)[:, sites].sum(1),
        energy(Flow.BOUGHT)[:, sites].sum(1) + energy(Flow.SOLD)[:, sites].sum(1),
        -tally.money_of_parties()[:, sites].sum(1) / UJPY_PER_JPY / days,
        world.fleet.names,
        world.fleet.role,
        int(world.episode.first_slot[0]),
        world.plan_wh[0, :, : world.slots].T.copy(),
        reading_wh,
    )
