"""What a lossy link and a coarse meter cost: the same held-out worlds, with messages lost or late and larger steps.

The DGCs speak over 3G/LTE (paper 1.4, item 26): a case loses a part of all messages, another part comes one step late
(`envs.link`). Meters count in steps (`agents.metering`); cases with larger steps have a perfect link. Everybody bids
truthfully under `dgp` with the scenario's horizon. Loads, sun and prices are those of the same world without loss,
delay and steps above 1 Wh, the *base*; intervals are 95 % t intervals over worlds of the difference to it.
Probabilities and steps are chosen to span what may happen (assumption).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agents.fleet import Role
from envs.opening import open_world
from envs.own_folder import folder_of
from envs.public_year import PublicYear, public_year
from envs.scenario import load_scenario
from envs.scenario_schema import Scenario
from envs.tally import Flow
from envs.world import World
from experiments.evaluate import HELD_OUT_WEEKS, JUDGE_SEED, t_interval
from experiments.findings import Estimate
from experiments.metrics import ROLE_TITLES
from market.errors import ConfigError
from market.settlement import PostingKind
from market.units import UJPY_PER_JPY, WH_PER_KWH

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

LOSSES = (0.0, 0.05, 0.2, 0.6)
"""Probabilities that a message is lost."""
DELAYS = (0.0, 0.2, 0.5)
"""Probabilities that a message that is not lost comes one step late."""
RESOLUTIONS_WH = (1, 100, 1_000)
"""Steps of the meters' registers."""
MOST_SEEDS, MOST_DAYS = 40, 7
IMBALANCE, RESORT = (Flow.SHORT, Flow.LONG), (Flow.RESORT_SUPPLY, Flow.RESORT_SURPLUS)
MEASURES = {
    "imbalance_kwh_day": "imbalance\n[kWh/day]",
    "long_kwh_day": "of it long\n[kWh/day]",
    "imbalance_jpy_day": "paid for imbalance\n[JPY/day]",
    "resort_kwh_day": "last resort\n[kWh/day]",
    "traded_kwh_day": "traded\n[kWh/day]",
    "cost_jpy_day": "cost of all bidders\n[JPY/day]",
}
"""Measures of the whole market and what they are called; money is paid less received, certificates are whole kWh."""


class Case(NamedTuple):
    """What is different: probabilities of loss and delay, step of the meters [Wh]."""

    loss: float
    late: float
    resolution_wh: int

    @property
    def settings(self) -> dict[str, object]:
        """The scenario's keys."""
        return {"link.loss": self.loss, "link.late": self.late, "meter.resolution_wh": self.resolution_wh}


BASE = Case(0.0, 0.0, 1)
CASES = (
    *(Case(loss, late, 1) for late in DELAYS for loss in LOSSES),
    *(Case(0.0, 0.0, step) for step in RESOLUTIONS_WH if step > 1),
)
"""Every loss with every delay, and every coarser meter; the base comes first."""


class Found(NamedTuple):
    """A measure in one case, mean over worlds, and its change against the base in the same worlds."""

    mean: Estimate
    change: Estimate


@dataclass(frozen=True)
class LinkStudy:
    """Measures by case; `roles` are those with imbalance of their own, `bidders` how many parties have a DGC."""

    scenario: str
    bidders: int
    worlds: int
    days: int
    roles: tuple[str, ...]
    found: Mapping[Case, Mapping[str, Found]]

    def rows(self) -> dict[str, object]:
        """Plain values for programs, in the units of the names."""
        asked = {"scenario": self.scenario, "bidders": self.bidders, "worlds": self.worlds, "days": self.days}
        cases = [
            case._asdict() | {name: {"mean": asdict(f.mean), "change": asdict(f.change)} for name, f in by.items()}
            for case, by in self.found.items()
        ]
        return {**asked, "cases": cases}

    def print(self) -> None:
        """Two tables, for people: the market's measures, and imbalance and certificates by role."""
        where = f"{self.scenario}, {self.bidders} bidders, {self.worlds} worlds of {self.days} days"
        self._print_table(f"link and meters: {where}; first row means, then changes with 95 % intervals", MEASURES)
        self._print_table("by role [kWh/day]", self.of_roles())

    def of_roles(self) -> dict[str, str]:
        """Measures of each role and what they are called; certificates only of roles that get some."""
        imbalance = {f"imbalance_{role}_kwh_day": f"imbalance\n{role}" for role in self.roles}
        certified = {f"certified_{role}_kwh_day": f"certificates\n{role}" for role in self.roles}
        return imbalance | {name: title for name, title in certified.items() if self.found[BASE][name].mean.mean > 0}

    def _print_table(self, title: str, measures: Mapping[str, str]) -> None:
        from rich.table import Table

        from experiments.screen import console

        table = Table(title=title)
        for heading in ("lost", "late", "step [Wh]", *measures.values()):
            table.add_column(heading, justify="right")
        for case, by in self.found.items():
            cells = [by[name].mean if case == BASE else by[name].change for name in measures]
            signs = "" if case == BASE else "+"
            table.add_row(
                f"{case.loss:.0%}", f"{case.late:.0%}", f"{case.resolution_wh:,}", *(_text(c, signs) for c in cells)
            )
        console().print(table)


def study_link(
    scenario: str | Path = "urawa-misono",
    *,
    seeds: int = 2,
    days: int = 7,
    seed: int = JUDGE_SEED,
    data: Path | None = None,
    progress: Progress | None = None,
) -> LinkStudy:
    """Play every case on the first days of the 13 held-out weeks, `seeds` draws of each.

    Raises:
        ConfigError: an argument is out of range, or the scenario is not known.
        DataError: a file in `data` does not have the published form.
    """
    for name, value, most in (("seeds", seeds, MOST_SEEDS), ("days", days, MOST_DAYS)):
        if not 1 <= value <= most:
            raise ConfigError(f"{value} is not possible", where=f"--{name}", do=f"give 1 to {most}")
    year = public_year(load_scenario(scenario, BASE.settings), data, folder=folder_of(scenario))
    measured: dict[Case, Mapping[str, Floats]] = {}
    for case in CASES:
        settings, draws = load_scenario(scenario, case.settings), []
        for number in range(seeds):
            draws.append(_play(settings, year, seed + number * HELD_OUT_WEEKS, days))
            if progress:
                progress(len(measured) * seeds + number + 1, len(CASES) * seeds)
        measured[case] = {name: np.concatenate([draw[name] for draw in draws]) for name in draws[0]}
    found = {case: dict(_compare(by, measured[BASE])) for case, by in measured.items()}
    fleet = open_world(settings, year=year, days=1).fleet
    roles = tuple(ROLE_TITLES[role] for role in Role if role != Role.RETAILER and len(fleet.rows(role)))
    return LinkStudy(settings.name, len(fleet.senders), seeds * HELD_OUT_WEEKS, days, roles, found)


def _play(scenario: Scenario, year: PublicYear, seed: int, days: int) -> dict[str, Floats]:
    """Run one draw of the held-out weeks and measure every world (w,)."""
    world = open_world(scenario, "dgp", HELD_OUT_WEEKS, seed, year=year, days=days, held_out=True, ledger="off")
    world.reset()
    while not world.step().done:
        pass
    return {name: column / days for name, column in _measure(world)}


def _measure(world: World) -> Iterator[tuple[str, Floats]]:
    """Measures of a world played to its end (w,), over all of its days; retailers have no meter and no DGC."""
    tally, bidders = world.tally, world.fleet.senders
    energy = tally.energy_wh[:, bidders] / WH_PER_KWH
    yield "imbalance_kwh_day", energy[..., IMBALANCE].sum((1, 2))
    yield "long_kwh_day", energy[..., Flow.LONG].sum(1)
    yield "imbalance_jpy_day", -tally.money_ujpy[:, bidders, PostingKind.IMBALANCE].sum(1) / UJPY_PER_JPY
    yield "resort_kwh_day", energy[..., RESORT].sum((1, 2))
    yield "traded_kwh_day", energy[..., Flow.BOUGHT].sum(1)
    yield "cost_jpy_day", -tally.money_of_parties()[:, bidders].sum(1) / UJPY_PER_JPY
    for role, seat in world.seats.items():
        if role != Role.RETAILER:
            title = ROLE_TITLES[role]
            imbalance = tally.energy_wh[:, seat.rows][..., IMBALANCE].sum((1, 2))
            yield f"imbalance_{title}_kwh_day", imbalance / WH_PER_KWH
            yield f"certified_{title}_kwh_day", 1.0 * tally.certificates_kwh(world.fleet.certified, seat.rows).sum(1)


def _compare(case: Mapping[str, Floats], base: Mapping[str, Floats]) -> Iterator[tuple[str, Found]]:
    for name, values in case.items():
        yield name, Found(t_interval(values), t_interval(values - base[name]))


def _text(value: Estimate, sign: str) -> str:
    digits = 1 if abs(value.mean) < 1000 else 0
    half = 0.0 if value.high is None else value.high - value.mean
    return f"{value.mean:{sign},.{digits}f} ± {half:,.{digits}f}"
