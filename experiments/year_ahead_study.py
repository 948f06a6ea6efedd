"""What trading a year ahead brings: the same weeks played with half-hour orders only and with a share bought in blocks.

One world a seed, with every slot to the end of the play open (the paper's year is 17,520 slots). Everybody bids by
`agents.year_ahead`; a share of zero is half-hour trade. Only deliveries in the second half of the days are judged, so
that each could have been contracted half the play ahead. Pairs of plays have one seed, so loads, weather and lines are
the same; intervals are 95 % t intervals over seeds, and none where there is one.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from agents.fleet import Role
from agents.year_ahead import YearAhead
from envs.opening import open_world
from envs.scenario import load_scenario
from envs.world import World
from experiments.evaluate import JUDGE_SEED, t_interval
from experiments.findings import Estimate
from market.continuity import find_runs
from market.slots import HALF_HOURS
from market.tables import Table, join_rows, pick_rows
from market.units import PPM, Int

Progress = Callable[[int, int], None]

ROLES = ("home", "store", "solar", "thermal")
LEADS = (0, 1, 2, 3, 5, 7, 10, 14, 21, 28, 42, 56, 91, 182)
"""Days before delivery at which coverage is read."""
DAY = HALF_HOURS.per_day


class Play(NamedTuple):
    """One world to its end: contracts of judged slots, readings and plans (slots, parties) [Wh], seconds of steps."""

    world: World
    first: int
    contracts: Table
    reading_wh: Int
    plan_wh: Int
    seconds: Any

    def bought(self, role: Role) -> Table:
        """Judged contracts of a role's parties as buyers."""
        return pick_rows(self.contracts, np.isin(self.contracts["buyer"], self.world.fleet.rows(role)))

    def sold_by_units(self, ahead_days: int = 0) -> Table:
        """Judged contracts of thermal units that had formed at least so many days before delivery."""
        mine = np.isin(self.contracts["seller"], self.world.fleet.rows(Role.THERMAL))
        lead = self.contracts["slot"] - self.contracts["formed"]
        return pick_rows(self.contracts, mine & (lead >= ahead_days * DAY))


@dataclass(frozen=True)
class Result:
    """One share, over seeds.

    - coverage (leads,): part of the stores' metered need contracted so many days ahead;
    - price: what stores pay a kWh, last resort included; saved: less than in half-hour trade; traded: what they pay in
      contracts between parties; earned: what thermal units get;
    - last_resort: part of what stores bought;
    - run: mean slots of a unit's run, run_ahead: of what it had sold a day ahead; long_runs: part of units' energy in
      runs of a day or more;
    - imbalance: stores' |reading - plan| over need;
    - step_ms, midnight_ms: median time of a step.
    """

    share: float
    coverage: tuple[Estimate, ...]
    price: Estimate
    saved: Estimate
    traded: Estimate
    earned: Estimate
    last_resort: Estimate
    run: Estimate
    run_ahead: Estimate
    long_runs: Estimate
    imbalance: Estimate
    step_ms: float
    midnight_ms: float


@dataclass(frozen=True)
class YearAheadStudy:
    """All shares; `leads` [days] belong to coverage, `played` says what was played."""

    played: str
    leads: tuple[int, ...]
    results: tuple[Result, ...]

    def rows(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {"played": self.played, "leads": self.leads, "results": [asdict(result) for result in self.results]}

    def print(self) -> None:
        """Two tables on standard output."""
        from rich.markup import escape
        from rich.table import Table as Shown

        from experiments.screen import console

        screen = console()
        screen.print(self.played)
        shown = Shown(title="stores' need contracted, by days before delivery [%]")
        for head in ("share", *(str(lead) for lead in self.leads)):
            shown.add_column(head, justify="right")
        for result in self.results:
            shown.add_row(f"{result.share:g}", *(say(part, 1, 100) for part in result.coverage))
        screen.print(shown)
        figures = Shown(title="by share bought ahead")
        figures.add_column("")
        for result in self.results:
            figures.add_column(f"{result.share:g}", justify="right")
        for name, field, digits, scale in FIGURES:
            figures.add_row(escape(name), *(say(getattr(result, field), digits, scale) for result in self.results))
        for name, field in (("step, median [ms]", "step_ms"), ("midnight, median [ms]", "midnight_ms")):
            figures.add_row(escape(name), *(f"{getattr(result, field):.1f}" for result in self.results))
        screen.print(figures)


FIGURES = (
    ("stores pay [JPY/kWh]", "price", 2, 1e-3),
    ("less than half-hour trade [JPY/kWh]", "saved", 2, 1e-3),
    ("of it between parties [JPY/kWh]", "traded", 2, 1e-3),
    ("thermal units get [JPY/kWh]", "earned", 2, 1e-3),
    ("stores' last resort [%]", "last_resort", 1, 100),
    ("a unit's run, mean [h]", "run", 1, 0.5),
    ("run sold a day ahead, mean [h]", "run_ahead", 1, 0.5),
    ("units' energy in runs of a day or more [%]", "long_runs", 1, 100),
    ("stores' imbalance [% of need]", "imbalance", 2, 100),
)
"""Rows of the second table: name, field, digits, scale."""


def say(value: Estimate, digits: int, scale: float) -> str:
    """A mean and half the width of its interval."""
    mean = f"{value.mean * scale:z,.{digits}f}"
    return mean if value.high is None else f"{mean} ± {(value.high - value.mean) * scale:,.{digits}f}"


def study_year_ahead(
    days: int = 56,
    shares: tuple[float, ...] = (0.0, 0.5, 0.9),
    seeds: int = 3,
    seed: int = JUDGE_SEED,
    progress: Progress | None = None,
) -> YearAheadStudy:
    """Play so many days of the scenario `urawa-misono` for each share and seed.

    Args:
        days: length of a play; deliveries in its second half are judged.
        shares: parts of the expected need bought ahead; the first is what others are held against.
        seeds: worlds, each with a key and a start of its own.
        seed: key of the first.
        progress: called with steps done and steps in all.
    """
    steps = days * DAY
    total = steps * len(shares) * seeds
    plays: list[list[Play]] = []
    for number, share in enumerate(shares):
        made = []
        for draw in range(seeds):
            before = (number * seeds + draw) * steps
            made.append(play(share, days, seed + draw, _shifted(progress, before, total)))
        plays.append(made)
    leads = tuple(lead for lead in LEADS if lead <= days // 2)
    half_hours = np.array([price_of(one, parties_only=False) for one in plays[0]])
    results = tuple(judge(share, made, leads, half_hours) for share, made in zip(shares, plays, strict=True))
    played = f"urawa-misono, {seeds} worlds of {days} days, the last {days - days // 2} judged, synthetic year"
    return YearAheadStudy(played, leads, results)


def play(share: float, days: int, seed: int, progress: Callable[[int], object] = lambda t: None) -> Play:
    """One world in which everybody trades a share ahead."""
    scenario = load_scenario("urawa-misono", {"horizon": HALF_HOURS.year})
    bidder = YearAhead(round(share * PPM))
    world = open_world(scenario, seed=seed, days=days, policies=dict.fromkeys(ROLES, bidder), ledger="off")
    world.reset()
    tables, read, seconds, done = list[Table](), list[Int](), list[float](), False
    while not done:
        began = time.perf_counter()
        step = world.step()
        seconds.append(time.perf_counter() - began)
        tables.append(step.contracts)
        read.append(step.reading_wh[0])
        done = step.done
        progress(world.t)
    first = days // 2 * DAY
    contracts = join_rows(*tables)
    contracts = pick_rows(contracts, contracts["slot"] >= world.episode.first_slot[0] + first)
    return Play(
        world, first, contracts, np.stack(read)[first:], world.plan_wh[0, :, first : world.slots].T, np.array(seconds)
    )


def _shifted(progress: Progress | None, before: int, steps: int) -> Callable[[int], object]:
    """Progress of one of several plays."""
    return (lambda t: progress(before + t, steps)) if progress else (lambda t: None)


def judge(share: float, plays: list[Play], leads: tuple[int, ...], half_hours: Any) -> Result:
    """Figures of one share over its plays."""
    covered = np.array([coverage_of(one, leads) for one in plays])
    paid = np.array([price_of(one, parties_only=False) for one in plays])
    resort = [
        int(bought["energy"][bought["last_resort"] > 0].sum()) for bought in (p.bought(Role.STORE) for p in plays)
    ]
    runs = [find_runs(one.sold_by_units()) for one in plays]
    ahead = [find_runs(one.sold_by_units(1)) for one in plays]
    times = np.stack([one.seconds for one in plays]) * 1e3
    return Result(
        share,
        tuple(t_interval(column) for column in covered.T),
        t_interval(paid),
        t_interval(half_hours - paid),
        t_interval([price_of(one, parties_only=True) for one in plays]),
        t_interval([mean_price(one.sold_by_units(), "sell_price") for one in plays]),
        t_interval([r / int(one.bought(Role.STORE)["energy"].sum()) for r, one in zip(resort, plays, strict=True)]),
        t_interval([run.mean or 0.0 for run in runs]),
        t_interval([run.mean or 0.0 for run in ahead]),
        t_interval([run.share_in(DAY) or 0.0 for run in runs]),
        t_interval([imbalance_of(one) for one in plays]),
        float(np.median(times)),
        float(np.median(times[:, ::DAY])),
    )


def coverage_of(one: Play, leads: tuple[int, ...]) -> list[float]:
    """Part of the stores' metered need contracted between parties at least so many days before delivery."""
    bought = one.bought(Role.STORE)
    lead = bought["slot"] - bought["formed"]
    traded = bought["last_resort"] == 0
    need = int(one.reading_wh[:, one.world.fleet.rows(Role.STORE)].sum())
    return [int(bought["energy"][traded & (lead >= days * DAY)].sum()) / need for days in leads]


def price_of(one: Play, *, parties_only: bool) -> float:
    """Mean price that stores pay for contracts, last resort included or not [mJPY/kWh]."""
    bought = one.bought(Role.STORE)
    if parties_only:
        bought = pick_rows(bought, bought["last_resort"] == 0)
    return mean_price(bought, "buy_price")


def mean_price(contracts: Table, column: str) -> float:
    """Mean of a price column by energy [mJPY/kWh], 0 without contracts."""
    paid = int((contracts["energy"] * contracts[column].astype(np.int64)).sum())
    return paid / max(int(contracts["energy"].sum()), 1)


def imbalance_of(one: Play) -> float:
    """Stores' deviation of reading from plan, either way, over their need."""
    rows = one.world.fleet.rows(Role.STORE)
    return float(np.abs(one.reading_wh - one.plan_wh)[:, rows].sum() / one.reading_wh[:, rows].sum())
