"""The same held-out days under every market design, truthful and trained.

The first day of each run is left out of the figures: a day-ahead market has nothing contracted for it.
`cancelled` is what an auction trades without line limits less what it trades with them; `never formed`
is what `dgp` trades in the same days without line limits less what it trades with them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.fleet import Role
from agents.strategies import Bidder
from envs.opening import fit_design
from envs.public_year import PublicYear
from envs.scenario_schema import Scenario
from envs.tally import Flow
from envs.world import World
from experiments.findings import DesignResult
from experiments.metrics import ROLE_TITLES, cancelled_in_step, without_limits
from experiments.trace import Trace, TraceRecorder
from market.design import DESIGNS, MarketDesign
from market.settlement import PostingKind
from market.units import MJPY_PER_JPY, UJPY_PER_JPY, WH_PER_KWH

WARM_UP_DAYS = 1


@dataclass(frozen=True)
class Comparison:
    """Results per design and bidders, and a trace of the first world of each truthful run."""

    results: tuple[DesignResult, ...]
    traces: Mapping[str, Trace]

    def rows(self) -> list[dict[str, Any]]:
        """Plain figures, for JSON."""
        return [asdict(result) for result in self.results]

    def print(self) -> None:
        """One table: a row per design and bidders."""
        from rich.table import Table

        from experiments.screen import console

        table = Table(title="market designs on the same held-out days, per day; money of roles is cost")
        for heading in ("design", "bidders", "traded kWh", "split", "cancelled kWh", "never formed kWh", "rent JPY"):
            named = heading in ("design", "bidders")
            table.add_column(heading, justify="left" if named else "right", no_wrap=named)
        roles = list(self.results[0].cost_jpy_day)
        for role in roles:
            table.add_column(f"{role} JPY", justify="right")
        for r in self.results:
            optional = ("-" if v is None else f"{v:,.1f}" for v in (r.cancelled_kwh_day, r.never_formed_kwh_day))
            costs = (f"{r.cost_jpy_day[role]:,.0f}" for role in roles)
            row = (r.design, r.bidders, f"{r.traded_kwh_day:,.1f}", f"{r.split_share:.0%}", *optional)
            table.add_row(*row, f"{r.rent_jpy_day:,.0f}", *costs)
        console().print(table)


def compare_designs(
    scenario: Scenario,
    year: PublicYear,
    bidders: Mapping[str, Mapping[Role, Bidder]],
    *,
    designs: Mapping[str, MarketDesign] | None = None,
    worlds: int = 13,
    days: int = 7,
    seed: int = 10_000,
) -> Comparison:
    """Run every design with every set of bidders (name -> policies by role) over the same draws."""
    results: list[DesignResult] = []
    traces: dict[str, Trace] = {}
    for name, known in (designs or DESIGNS).items():
        design = fit_design(known, scenario)
        for who, policies in bidders.items():
            result, trace = _run(scenario, design, year, who, policies, worlds, days, seed)
            results.append(result)
            traces.setdefault(name, trace)
    return Comparison(tuple(results), traces)


def _run(
    scenario: Scenario,
    design: MarketDesign,
    year: PublicYear,
    who: str,
    policies: Mapping[Role, Bidder],
    worlds: int,
    days: int,
    seed: int,
) -> tuple[DesignResult, Trace]:
    world = _world(scenario, design, year, policies, worlds, days, seed)
    recorder, cancelled, done = TraceRecorder(world), 0, False
    while not done:
        counts = world.t >= world.warm_up
        before = world.flow_wh.copy() if design.capacity == "splitting" else world.flow_wh
        step = world.step()
        recorder.record(step)
        if design.capacity == "splitting" and counts:
            cancelled += cancelled_in_step(world, step, before)
        done = step.done
    counted = (world.slots - world.warm_up) * worlds / world.calendar.per_day
    never = None
    if design.capacity == "at-contract":
        free = _world(without_limits(scenario), design, year, policies, worlds, days, seed)
        while not free.step().done:
            pass
        never = float(_traded(free) - _traded(world)) / WH_PER_KWH / counted
    return _result(world, who, cancelled, never, counted), recorder.finish()


def _world(
    scenario: Scenario,
    design: MarketDesign,
    year: PublicYear,
    policies: Mapping[Role, Bidder],
    worlds: int,
    days: int,
    seed: int,
) -> World:
    world = World(
        scenario,
        design,
        worlds,
        seed,
        policies=policies,
        year=year,
        days=days,
        held_out=True,
        ledger="digest",
        warm_up_days=WARM_UP_DAYS,
    )
    world.reset()
    return world


def _traded(world: World) -> int:
    return int(world.tally.energy_wh[..., Flow.BOUGHT].sum())


def _result(world: World, who: str, cancelled: int, never: float | None, counted: float) -> DesignResult:
    tally, fleet = world.tally, world.fleet
    energy = tally.energy_wh.sum(0)
    cost = -tally.money_of_parties().sum(0) / UJPY_PER_JPY / counted
    prices: dict[str, float | None] = {}
    for row, area in enumerate(world.grid.areas):
        here = fleet.area == row
        # where nobody buys, as in an area of generators, the price is what was sold for
        side = Flow.BOUGHT if energy[here, Flow.BOUGHT].any() else Flow.SOLD
        traded, value = int(energy[here, side].sum()), int(tally.value_ujpy.sum(0)[here, side].sum())
        prices[area] = value / traded / MJPY_PER_JPY if traded else None
    lines = slice(fleet.count, fleet.count + len(world.grid.lines))
    splits = world.design.capacity == "splitting"
    return DesignResult(
        design=world.design.name,
        bidders=who,
        price_jpy_kwh=prices,
        traded_kwh_day=float(energy[:, Flow.BOUGHT].sum()) / WH_PER_KWH / counted,
        split_share=float(tally.split.sum() / (counted * world.calendar.per_day)),
        cancelled_kwh_day=cancelled / WH_PER_KWH / counted if splits else None,
        never_formed_kwh_day=never,
        rent_jpy_day=float(tally.money_ujpy[:, lines, PostingKind.RENT].sum()) / UJPY_PER_JPY / counted,
        cost_jpy_day={
            title: float(cost[fleet.role == role].sum())
            for role, title in ROLE_TITLES.items()
            if (fleet.role == role).any()
        },
        imbalance_kwh_day=float(energy[:, [Flow.SHORT, Flow.LONG]].sum()) / WH_PER_KWH / counted,
        last_resort_kwh_day=float(
            np.delete(energy, fleet.rows(Role.RETAILER), 0)[:, [Flow.RESORT_SUPPLY, Flow.RESORT_SURPLUS]].sum()
        )
        / WH_PER_KWH
        / counted,
    )


def write_traces(comparison: Comparison, tables: Path) -> None:
    """Leave each design's trace in a folder of its name, where the report looks for them."""
    from experiments.trace import write_trace

    for name, trace in comparison.traces.items():
        (tables / name).mkdir(parents=True, exist_ok=True)
        write_trace(trace, tables / name)
