"""What deciding when to run is worth to thermal units: their profit after starts, no-load and minimum load.

The world pays fuel for what a unit sold. Here the costs that the world leaves out are charged afterwards to the slots
in which it sold: a start for each run, no-load cost while it runs, and the fuel of its minimum load not sold.
"""

from dataclasses import dataclass, replace

import numpy as np

from agents.bidders import find_bidder
from agents.fleet import Role
from agents.thermal import UNIT_TYPES, ThermalUnits, units_of
from envs.public_year import PublicYear
from envs.scenario_schema import Scenario
from envs.world import World
from experiments.evaluate import t_interval
from experiments.findings import Estimate
from market.design import find_design
from market.units import UJPY_PER_JPY, WH_PER_KWH, Int

KIND = "gtcc"
DESIGNS = ("dgp", "call")
BIDDERS = ("truthful", "markup:0.5", f"commitment:{KIND}")


@dataclass(frozen=True)
class UnitProfit:
    """One design and bidder, per unit and day: profit [JPY] as the world counts it and after all costs, what it did."""

    design: str
    bidder: str
    paid: Estimate
    profit: Estimate
    starts: float
    sold_kwh: float


def judge_units(scenario: Scenario, year: PublicYear, worlds: int, days: int, seed: int) -> tuple[UnitProfit, ...]:
    """Every design and bidder on the same held-out worlds."""
    return tuple(_judge(scenario, year, design, bidder, worlds, days, seed) for design in DESIGNS for bidder in BIDDERS)


def _judge(
    scenario: Scenario, year: PublicYear, design: str, bidder: str, worlds: int, days: int, seed: int
) -> UnitProfit:
    world = World(
        scenario,
        find_design(design).with_horizon(scenario.horizon),
        worlds,
        seed,
        policies={Role.THERMAL: find_bidder(bidder)},
        year=year,
        days=days,
        held_out=True,
        ledger="off",
    )
    world.reset()
    while not world.step().done:
        pass
    rows = world.fleet.rows(Role.THERMAL)
    units = units_of((UNIT_TYPES[KIND],) * len(rows), world.fleet.thermal_wh[rows])
    units = replace(units, cost_mjpy_kwh=world.fleet.cost[rows])
    sold = -world.plan_wh[:, rows, : world.slots]
    charged, starts = running_cost(units, sold)
    paid = world.tally.money_of_parties()[:, rows]
    per_day = UJPY_PER_JPY * days
    return UnitProfit(
        design,
        bidder,
        t_interval(paid.mean(1) / per_day),
        t_interval((paid - charged).mean(1) / per_day),
        float(starts.mean() / days),
        float(sold.sum() / (WH_PER_KWH * worlds * len(rows) * days)),
    )


def running_cost(units: ThermalUnits, sold_wh: Int) -> tuple[Int, Int]:
    """Cost of what units sold (w, r, T) that the world leaves out, (w, r) [uJPY], and their starts (w, r)."""
    ran = sold_wh > 0
    starts = np.diff(ran, axis=-1, prepend=False) & ran
    unsold = np.where(ran, np.maximum(units.least_wh[:, None] - sold_wh, 0), 0)
    idle = units.most_wh * units.idle_mjpy_kwh
    cost = starts.sum(-1) * units.start_ujpy + ran.sum(-1) * idle + unsold.sum(-1) * units.cost_mjpy_kwh
    return np.asarray(cost), np.asarray(starts.sum(-1), np.int64)
