"""The nation measured: a day of fifty million sites, and one half hour with an order of every site among millions.

The day is the scenario `nation` under `call`: what a step takes, decisions, auction, delivery and money together, and
the peak memory of the process. The half hour of it with most orders is cleared alone, against HiGHS from the same order
table. Then one half hour holds one order a site: as many rows as asked for, half of them buying, in areas by their
demand, the others selling, in areas by their solar plant; energies so that each side has 80 GW, lines of FY2019. Of
these at most a million are compared: with HiGHS as in `experiments.bench_auctions`, whose problem is small once equal
steps are merged, and with a NumPy sort of packed keys, which finds no price: it is what any merit order does first.
"""

import resource
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from agents.fleet import Role
from envs.japan_nine import DEMAND_GWH, SOLAR_MW, japan_grid, line_capacity_mw
from envs.opening import open_world
from envs.scenario import load_scenario
from envs.world import World
from experiments.bench_auctions import EQUAL_UJPY, WHOLE, WelfareProblem, welfare_of
from experiments.bench_rows import BenchRow, alternate, print_rows
from market.design import find_design
from market.orders import ORDER, Kind, Side, TimeInForce
from market.slots import HALF_HOURS
from market.splitting import clear
from market.tables import Table
from market.units import Int

SITES = 1_000_000
SPOT, CALL = find_design("spot"), find_design("call")
SIDE_WH = 80_000 * 500_000
"""Energy on each side of the half hour: 80 GW."""
TOP_TICKS, TICK = 3_500, 10
"""Prices are JEPX ticks up to 35 JPY/kWh (assumption)."""
COMPARED = 1_000_000
NATION_TARGET, SITES_TARGET, SORT_TARGET = 3.0, 1.0, 0.2
"""Assumptions: HiGHS has few steps in both once equal ones are merged; a clearing may take five sorts."""
ROUNDS = 3
SORT = "NumPy sort of packed keys, no price"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Day:
    """A day of the nation: sites and parties, steps, median and longest step [s], orders a step, peak memory [MB]."""

    sites: int
    parties: int
    slots: int
    step_s: float
    longest_step_s: float
    orders_per_slot: int
    peak_mb: float


@dataclass(frozen=True)
class NationBench:
    """The day, comparisons, and the size and time of the half hour with an order of every site."""

    day: Day
    comparisons: tuple[BenchRow, ...]
    site_orders: int
    site_seconds: float
    prices_jpy_kwh: tuple[float, ...]
    full_lines: int
    peak_mb: float

    def rows(self) -> dict[str, Any]:
        """Plain data."""
        compared = [asdict(row) | {"ratio": row.ratio} for row in self.comparisons]
        return asdict(self) | {"comparisons": compared}

    def print(self) -> None:
        """A few lines and a table on standard output."""
        from experiments.screen import console

        screen, day = console(), self.day
        screen.print(f"nation, call: {day.sites:,} sites in {day.parties:,} parties, {day.slots} half hours")
        screen.print(
            f"a half hour  {1_000 * day.step_s:,.0f} ms (longest {1_000 * day.longest_step_s:,.0f}), "
            f"{day.orders_per_slot:,} orders; peak memory {day.peak_mb:,.0f} MB"
        )
        prices = f"{min(self.prices_jpy_kwh):.2f} to {max(self.prices_jpy_kwh):.2f} JPY/kWh"
        screen.print(
            f"one order a site  {self.site_orders:,} orders cleared in {self.site_seconds:,.2f} s; {prices}, "
            f"{self.full_lines} lines full; peak memory {self.peak_mb:,.0f} MB"
        )
        print_rows("nation", self.comparisons)


def bench_nation(sites: int = SITES, seed: int = 0, progress: Progress | None = None) -> NationBench:
    """Measure both; `sites` are the rows of the half hour with an order of every site."""
    day, orders, room = _play_day(seed, progress)
    rows = [_compare("a half hour of the nation", orders, room, NATION_TARGET)]
    table, room = site_orders(sites, seed), line_capacity_wh()
    grid = japan_grid()
    began = perf_counter()
    found = clear(SPOT, grid, table, room, np.zeros_like(room))
    taken = perf_counter() - began
    flow, limit = found.result.flow[0, : len(grid.lines)], room[0]
    full = (flow >= limit[:, 0]) | (-flow >= limit[:, 1])
    prices = tuple(float(price) / 1_000 for price in found.result.price[0])
    peak_mb = _peak_mb()
    del table, found
    few = site_orders(min(sites, COMPARED), seed)
    rows += [_compare(f"{len(few):,} orders of sites", few, room, SITES_TARGET), _against_sort(few, room)]
    return NationBench(day, tuple(rows), sites, taken, prices, int(full.sum()), peak_mb)


def site_orders(count: int, seed: int) -> Table:
    """One order of every site in one half hour, (count,); buyers want at 5 JPY/kWh and more, sellers at 25 and less."""
    dice = np.random.default_rng(seed)
    buyers, sellers = (np.array(row[2019]) / sum(row[2019]) for row in (DEMAND_GWH, SOLAR_MW))
    table = np.zeros(count, ORDER)
    table["side"] = dice.integers(Side.BUY, Side.SELL + 1, count)
    table["kind"], table["time_in_force"] = Kind.NEW, TimeInForce.UNTIL_GATE
    buys = table["side"] == int(Side.BUY)
    table["area"] = np.where(buys, *(dice.choice(len(part), count, p=part) for part in (buyers, sellers)))
    shift = np.where(buys, 500, 0)
    table["price"] = (dice.integers(1, TOP_TICKS - 1_000, count) + shift) * TICK
    table["energy"] = dice.integers(1, max(4 * SIDE_WH // count, 2), count)
    table["party"] = table["sequence"] = np.arange(count)
    return table


def line_capacity_wh() -> Int:
    """Lines of the nation in one half hour, (1, lines, 2) [Wh]."""
    return np.rint(line_capacity_mw([date(2019, 4, 1)]) * 500_000).astype(np.int64)


def _play_day(seed: int, progress: Progress | None) -> tuple[Day, Table, Int]:
    """A day of the nation, and the orders and lines of its half hour with most orders."""
    scenario = load_scenario("nation")
    world = open_world(scenario, CALL, seed=seed, days=1, held_out=True, ledger="off")
    world.reset()
    times: list[float] = []
    counts: list[int] = []
    most = np.zeros(0, ORDER)
    for step in range(world.slots):
        began = perf_counter()
        given = world.step().given
        times.append(perf_counter() - began)
        counts.append(len(given))
        most = given if len(given) > len(most) else most
        if progress:
            progress(step + 1, world.slots)
    sites = sum(group.count * group.weight for group in (*scenario.homes, *scenario.stores))
    bidders = int((world.fleet.role != Role.RETAILER).sum())
    # the first steps load the kernels, the last ones have no open slot
    steps = times[HALF_HOURS.gate : -HALF_HOURS.gate]
    day = Day(sites, bidders, world.slots, median(steps), max(steps), round(np.mean(counts)), _peak_mb())
    return day, *_one_market(world, most)


def _one_market(world: World, orders: Table) -> tuple[Table, Int]:
    """The orders of one half hour as those of a market of its own, and the room of its lines."""
    alone = orders.copy()
    alone["market"] = 0
    alone["sequence"] = np.arange(len(alone))
    return alone, world.capacity_wh[int(orders["market"][0])][None]


def _compare(what: str, table: Table, room: Int, target: float, rounds: int = ROUNDS) -> BenchRow:
    """Clearing against HiGHS from the same order table."""
    problem, grid = WelfareProblem(japan_grid()), japan_grid()
    mine = partial(clear, SPOT, grid, table, room, np.zeros_like(room))
    gap = abs(welfare_of(mine())[0] - problem.clear(table, room[0]))
    ours_s, theirs_s, _, _ = alternate(mine, partial(problem.clear, table, room[0]), rounds)
    return BenchRow(what, WHOLE, ours_s, theirs_s, target, gap < EQUAL_UJPY)


def _against_sort(table: Table, room: Int) -> BenchRow:
    """Clearing against sorting the same orders by area, side and price, with their energy in one key."""
    columns = [table[name].astype(np.int64) for name in ("area", "side", "price", "energy")]
    mine = partial(clear, SPOT, japan_grid(), table, room, np.zeros_like(room))
    ours_s, theirs_s, _, _ = alternate(mine, partial(_sort, *columns), ROUNDS)
    return BenchRow(f"{len(table):,} orders of sites", SORT, ours_s, theirs_s, SORT_TARGET)


def _sort(area: Int, side: Int, price: Int, energy: Int) -> Int:
    return np.sort(((area << 2 | side) << 20 | price) << 38 | energy)


def _peak_mb() -> float:
    """Most memory this process ever held [MB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
