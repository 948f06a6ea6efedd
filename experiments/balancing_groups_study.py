"""What balancing groups save: the same deliveries settled party by party and by group, under each imbalance rule.

Worlds are played once on held-out days with truthful bidders; what is read and planned does not depend on how imbalance
is settled. `market.settlement.post_delivery` then settles it with and without groups. A group here has all sites of the
scenario that are no retailers or thermal units. Intervals are 95 % t intervals over worlds.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.fleet import Role
from envs.opening import open_world
from envs.scenario import load_scenario
from envs.world import World
from experiments.evaluate import JUDGE_SEED, t_interval
from experiments.findings import Estimate
from experiments.metrics import ROLE_TITLES
from experiments.oracle_study import ratio_interval
from market.groups import ALLOCATIONS, AllocationRule, BalancingGroup
from market.imbalance import find_capped
from market.settlement import KINDS, Accounts, PostingKind, Terms, post_delivery
from market.slots import HALF_HOURS
from market.units import UJPY_PER_JPY, Int

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

RULES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "flat": {"terms.imbalance": "flat"},
        "jp-2016": {"terms.imbalance": "jp-2016"},
        "jp-2016, K and L of 2020": {
            "terms.imbalance": "jp-2016",
            "terms.jp_2016.k_jpy_kwh": 0.48,
            "terms.jp_2016.l_jpy_kwh": 0.71,
        },
        "jp-2022": {"terms.imbalance": "jp-2022"},
    }
)
"""Imbalance rules by what they are called, as overrides of a scenario."""
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Sites of a group in the study of sizes."""
SITES = (Role.HOME, Role.STORE, Role.SOLAR)


@dataclass(frozen=True)
class Deliveries:
    """What worlds delivered: reading and plan (slots, w, parties) [Wh], outside (slots, w, areas) [mJPY/kWh]."""

    world: World
    reading_wh: Int
    plan_wh: Int
    outside: Int

    @property
    def sites(self) -> Int:
        """Rows of the parties that can be in a group."""
        return np.flatnonzero(np.isin(self.world.fleet.role, SITES))

    @property
    def deviation_wh(self) -> Int:
        """Reading minus plan of the sites (slots, w, sites)."""
        return (self.reading_wh - self.plan_wh)[..., self.sites]

    def groups(self, rule: AllocationRule) -> tuple[BalancingGroup, ...]:
        """One group for each area that has sites."""
        area = self.world.fleet.area[self.sites]
        return tuple(
            BalancingGroup(f"group-{row}", int(row), tuple(self.sites[area == row].tolist()), rule)
            for row in np.unique(area)
        )

    def settle(self, terms: Terms, groups: tuple[BalancingGroup, ...]) -> tuple[Int, Accounts]:
        """Imbalance postings of all slots together (w, accounts) [uJPY]."""
        world, accounts = self.world, replace(self.world.accounts, groups=groups)
        slots, worlds, parties = self.reading_wh.shape
        capped = find_capped(terms.imbalance, np.moveaxis(self.outside, 0, -1), HALF_HOURS)
        total = np.zeros((worlds, accounts.count), np.int64)
        for t in range(slots):
            money = np.zeros((worlds, accounts.count, KINDS), np.int64)
            slot = world.episode.first_slot + t
            given = self.reading_wh[t], self.plan_wh[t], self.outside[t], np.zeros(parties, np.int64)
            post_delivery(money, *given, terms, accounts, slot=slot, capped=capped[..., t])
            total += money[..., PostingKind.IMBALANCE]
        return total, accounts


@dataclass(frozen=True)
class Saving:
    """One scenario and rule: what sites pay for imbalance alone, as a group, and the difference [JPY/day per site]."""

    scenario: str
    rule: str
    alone: Estimate
    group: Estimate
    saved: Estimate


@dataclass(frozen=True)
class Inside:
    """What one role pays under `flat` prices, alone and by each rule inside [JPY/day per site]; + is paid."""

    scenario: str
    role: str
    alone: float
    paid: Mapping[str, float]


@dataclass(frozen=True)
class Netting:
    """Groups of so many sites: the part of the members' deviations that is left after netting."""

    scenario: str
    size: int
    left: Estimate


@dataclass(frozen=True)
class GroupStudy:
    """All of it; `played` says what was played."""

    played: Mapping[str, str]
    savings: tuple[Saving, ...]
    inside: tuple[Inside, ...]
    netting: tuple[Netting, ...]

    def rows(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {
            "played": dict(self.played),
            "savings": [asdict(row) for row in self.savings],
            "inside": [asdict(row) for row in self.inside],
            "netting": [asdict(row) for row in self.netting],
        }

    def print(self) -> None:
        """Three tables on standard output."""
        from experiments.screen import console

        screen = console()
        for name, said in self.played.items():
            screen.print(f"{name}: {said}")
        screen.print(_table("imbalance paid [JPY/day per site]", ("scenario", "rule"), self._savings()))
        screen.print(_table("who pays under flat prices [JPY/day per site]", ("scenario", "role"), self._inside()))
        screen.print(_table("deviation left after netting", ("scenario",), self._netting()))

    def _savings(self) -> list[dict[str, str]]:
        return [
            {
                "scenario": row.scenario,
                "rule": row.rule,
                "alone": _say(row.alone, 2),
                "group": _say(row.group, 2),
                "saved": _say(row.saved, 2),
            }
            for row in self.savings
        ]

    def _inside(self) -> list[dict[str, str]]:
        return [
            {"scenario": row.scenario, "role": row.role, "alone": f"{row.alone:z,.2f}"}
            | {rule: f"{paid:z,.2f}" for rule, paid in row.paid.items()}
            for row in self.inside
        ]

    def _netting(self) -> list[dict[str, str]]:
        return [
            {"scenario": row.scenario, "sites in a group": str(row.size), "left": _say(row.left, 0, 100) + " %"}
            for row in self.netting
        ]


def study_groups(
    seeds: int = 1, size: int = 300, seed: int = JUDGE_SEED, progress: Progress | None = None
) -> GroupStudy:
    """Play `urawa-misono` a week and `town` a day on every held-out week, `seeds` draws of each.

    Args:
        seeds: draws of loads and weather; 13 worlds each.
        size: sites of the town.
        seed: key of the first world; the same seed gives the same figures.
        progress: called with steps done and steps in all.
    """
    plays: tuple[tuple[str, int, Mapping[str, object]], ...] = (("urawa-misono", 7, {}), ("town", 1, {"size": size}))
    weeks = 13 * seeds
    all_steps, before = sum(days for _, days, _ in plays) * HALF_HOURS.per_day, 0
    played: dict[str, str] = {}
    savings: list[Saving] = []
    inside: list[Inside] = []
    netting: list[Netting] = []
    for name, days, settings in plays:
        found = play(name, days, weeks, seed, settings, _shifted(progress, before, all_steps))
        before += days * HALF_HOURS.per_day
        world = found.world
        played[name] = f"{world.worlds} worlds, days {days}, sites {len(found.sites)}, {world.year.source}"
        savings += [judge(found, name, rule, settings) for rule in RULES]
        inside += judge_inside(found, name)
        netting += judge_sizes(found, name, seed)
    return GroupStudy(played, tuple(savings), tuple(inside), tuple(netting))


def play(
    name: str,
    days: int,
    worlds: int,
    seed: int,
    settings: Mapping[str, object],
    progress: Callable[[int], object] = lambda t: None,
) -> Deliveries:
    """What truthful bidders deliver in held-out worlds."""
    world = open_world(load_scenario(name, settings), worlds=worlds, seed=seed, days=days, held_out=True, ledger="off")
    world.reset()
    read, done = list[Int](), False
    while not done:
        step = world.step()
        read.append(step.reading_wh)
        done = step.done
        progress(world.t)
    plan = np.moveaxis(world.plan_wh[..., : world.slots], -1, 0)
    outside = np.moveaxis(world.episode.outside[..., : world.slots], -1, 0)
    return Deliveries(world, np.stack(read), plan, outside)


def judge(found: Deliveries, name: str, rule: str, settings: Mapping[str, object]) -> Saving:
    """What netting saves under one imbalance rule; what the operators receive is what sites pay."""
    terms = load_scenario(name, {**settings, **RULES[rule]}).settlement_terms()
    paid = []
    for groups in ((), found.groups("own")):
        money, accounts = found.settle(terms, groups)
        operators = [accounts.operator(area) for area in range(len(accounts.grid.areas))]
        paid.append(money[:, operators].sum(1) / UJPY_PER_JPY / found.world.days / len(found.sites))
    alone, group = paid
    return Saving(name, rule, t_interval(alone), t_interval(group), t_interval(alone - group))


def judge_inside(found: Deliveries, name: str) -> list[Inside]:
    """What each role pays alone and by each rule inside, and what the provider is left with."""
    terms = load_scenario(name).settlement_terms()
    money = {rule: found.settle(terms, found.groups(rule)) for rule in ALLOCATIONS}
    alone, _ = found.settle(terms, ())
    scale = -UJPY_PER_JPY * found.world.days
    rows = []
    for role in SITES:
        own = found.world.fleet.rows(role)
        if len(own):
            paid: dict[str, float] = {rule: float(made[:, own].mean() / scale) for rule, (made, _) in money.items()}
            rows.append(Inside(name, ROLE_TITLES[role], float(alone[:, own].mean() / scale), paid))
    kept: dict[str, float] = {
        rule: float(made[:, [accounts.provider(g) for g in range(len(accounts.groups))]].sum(1).mean() / scale)
        for rule, (made, accounts) in money.items()
    }
    return [*rows, Inside(name, "provider", 0.0, {rule: value / len(found.sites) for rule, value in kept.items()})]


def judge_sizes(found: Deliveries, name: str, seed: int) -> list[Netting]:
    """What is left of deviations in groups of each size, sites put together by chance."""
    deviation = found.deviation_wh
    order = np.random.default_rng(seed).permutation(deviation.shape[-1])
    gross = np.abs(deviation).sum((0, 2)).astype(np.float64)
    rows = []
    for size in (*(size for size in SIZES if size < len(order)), len(order)):
        starts = np.arange(0, len(order), size)
        net = np.abs(np.add.reduceat(deviation[..., order], starts, axis=-1)).sum((0, 2))
        rows.append(Netting(name, int(size), ratio_interval(net.astype(np.float64), gross)))
    return rows


def _shifted(progress: Progress | None, before: int, steps: int) -> Callable[[int], object]:
    """Progress of one of several parts."""
    return (lambda t: progress(before + t, steps)) if progress else (lambda t: None)


def _table(title: str, left: tuple[str, ...], rows: list[dict[str, str]]) -> Any:
    from rich.table import Table

    table = Table(title=title)
    for head in rows[0]:
        table.add_column(head, justify="left" if head in left else "right")
    for row in rows:
        table.add_row(*row.values())
    return table


def _say(value: Estimate, digits: int, scale: float = 1.0) -> str:
    numbers = [value.mean, value.low, value.high]
    mean, low, high = (None if number is None else f"{number * scale:z,.{digits}f}" for number in numbers)
    return f"{mean} ({low} .. {high})" if low is not None else str(mean)
