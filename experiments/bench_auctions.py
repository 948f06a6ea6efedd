"""Auctions against their references: a NumPy sort of packed keys, and HiGHS on the welfare problem.

References are given what helps them: the sort gets columns of one width; HiGHS runs without presolve on orders merged
by area, side and price, which are sorted as packed keys and passed as arrays to a solver that is kept. It is timed
twice: solving a problem that lies ready in it, and, as ours is, from the order table to prices, fills and flows. Ours
proves each market besides. Contracts are on neither side.
"""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

from experiments.bench_rows import BenchRow, alternate
from market.design import find_design
from market.grid import Grid, Line
from market.orders import ORDER, Kind, Side, TimeInForce
from market.splitting import Cleared, clear
from market.tables import Table
from market.uniform import clear_books
from market.units import Int

SPOT = find_design("spot")
AREAS = ("hokkaido", "tohoku", "tokyo", "chubu", "hokuriku", "kansai", "chugoku", "shikoku", "kyushu")
LINES_MW = (
    (0, 1, 900, 900),
    (1, 2, 4_950, 700),
    (2, 3, 1_200, 1_200),
    (3, 5, 1_920, 2_500),
    (3, 4, 300, 300),
    (4, 5, 1_620, 1_300),
    (5, 6, 2_780, 4_050),
    (5, 7, 1_400, 1_400),
    (6, 7, 1_200, 1_200),
    (6, 8, 450, 2_780),
)
"""Japan's ten lines with capacities of the size of FY2018, both directions [MW]; an assumption where not published."""
WH_PER_MW_SLOT = 500_000
DEMAND_WH = 60_000 * WH_PER_MW_SLOT
"""Energy on each side of one market, as of 60 GW: so that lines are full in part of the markets at every size."""
BOOKS, BOOK_ORDERS = 2_000, 1_000
SPLIT_SIZES, SPLIT_MARKETS = ((100, 4.0), (1_000, 12.0), (10_000, 25.0)), 8
"""Orders of a market and target ratio; markets of each size, cleared one at a time."""
YEAR_SLOTS, YEAR_ORDERS, YEAR_CHECKED, YEAR_ROUNDS, YEAR_TARGET = 17_520, 1_000, 40, 4, 12.0
READY, WHOLE = "HiGHS, problem ready: solving only", "HiGHS, order table to prices, fills, flows"


def japan() -> Grid:
    """Nine areas and ten lines, two loops."""
    lines = (Line(f"{AREAS[a]}-{AREAS[b]}", a, b) for a, b, _, _ in LINES_MW)
    return Grid(AREAS, tuple(lines))


def capacities(markets: int) -> Int:
    """Capacity of each line (markets, lines, 2) [Wh]."""
    one = np.array([way for *_, forward, backward in LINES_MW for way in (forward, backward)], np.int64)
    return np.tile(one.reshape(1, -1, 2) * WH_PER_MW_SLOT, (markets, 1, 1))


def random_books(orders: int, markets: int, seed: int) -> Table:
    """Markets of as many orders each, in nine areas, at JEPX ticks up to 100 JPY/kWh and lots of 50 kWh."""
    dice, count = np.random.default_rng(seed), orders * markets
    table = np.zeros(count, ORDER)
    table["market"] = np.repeat(np.arange(markets), orders)
    table["side"] = dice.integers(Side.BUY, Side.SELL + 1, count)
    table["kind"], table["time_in_force"] = Kind.NEW, TimeInForce.UNTIL_GATE
    table["area"] = dice.integers(0, len(AREAS), count)
    table["price"] = dice.integers(1, 10_000, count) * 10
    lots = 4 * DEMAND_WH // SPOT_LOT // orders
    table["energy"] = dice.integers(1, max(lots, 2), count) * SPOT_LOT
    table["party"] = table["reference"] = np.tile(np.arange(orders), markets)
    table["sequence"] = np.arange(count)
    return table


SPOT_LOT = 50_000
"""JEPX lot of a half hour [Wh]."""


def bench_uniform(seed: int) -> list[BenchRow]:
    """Many books of one area: selection against a NumPy sort of packed keys, one thread each."""
    table = random_books(BOOK_ORDERS, BOOKS, seed)
    side, price, energy = (table[name].astype(np.int64) for name in ("side", "price", "energy"))
    start, floor = np.arange(BOOKS + 1) * BOOK_ORDERS, SPOT.band_mjpy_kwh[0]

    def theirs() -> Int:
        return _sort_and_sum(side, price, energy, floor)

    ours_s, theirs_s, found, sorted_prices = alternate(
        lambda: clear_books(start, side, price, energy, floor)[0], theirs
    )
    what = f"uniform price of {BOOKS:,} books of {BOOK_ORDERS:,} orders"
    same = bool((found == sorted_prices).all())
    return [BenchRow(what, "NumPy packed-key sort in one batch, one thread", ours_s, theirs_s, 2.0, same)]


def _sort_and_sum(side: Int, price: Int, energy: Int, floor: int) -> Int:
    """Prices of books of equal length: sort (price, energy) as one number, add up, find where what is wanted is met."""
    books = (BOOKS, BOOK_ORDERS)
    key = np.sort((price << 38 | energy).reshape(books), axis=1)
    count = (key & ((1 << 38) - 1)).cumsum(axis=1)
    wanted = np.where(side == 1, energy, 0).reshape(books).sum(axis=1)
    place = (count >= wanted[:, None]).argmax(axis=1)
    return np.asarray(np.maximum(key[np.arange(BOOKS), place] >> 38, floor), np.int64)


def bench_splitting(seed: int) -> list[BenchRow]:
    """Markets of nine areas one at a time against HiGHS: two rows for each size, and the same target for both."""
    rows = []
    grid, room = japan(), capacities(1)
    use = np.zeros_like(room)
    for orders, target in SPLIT_SIZES:
        tables = [random_books(orders, 1, seed + number) for number in range(SPLIT_MARKETS)]
        ready, one = [WelfareProblem(grid) for _ in tables], WelfareProblem(grid)
        for problem, table in zip(ready, tables, strict=True):
            problem.load(table, room[0])
        mine = partial(clear, SPOT, grid, capacity_wh=room, flow_wh=use)
        whole = partial(one.clear, room_wh=room[0])
        gaps = [abs(welfare_of(mine(table))[0] - whole(table)) for table in tables]
        what = f"nine-area splitting, markets of {orders:,} orders, one a call"
        for reference, theirs in (
            (READY, partial(_each, WelfareProblem.solve, ready)),
            (WHOLE, partial(_each, whole, tables)),
        ):
            ours_s, theirs_s, _, _ = alternate(partial(_each, mine, tables), theirs)
            times = ours_s / SPLIT_MARKETS, theirs_s / SPLIT_MARKETS
            rows.append(BenchRow(what, reference, *times, target, max(gaps) < EQUAL_UJPY))
    return rows


def _each(call: Callable[[Any], Any], things: Sequence[Any]) -> None:
    for thing in things:
        call(thing)


def bench_year(seed: int) -> list[BenchRow]:
    """A year of half hours in one call against HiGHS, which solves some of them and is extrapolated.

    Ours shares its markets among threads: by the wall's clock, and by the processor's with all threads added up.
    """
    grid, room = japan(), capacities(YEAR_SLOTS)
    table, use = random_books(YEAR_ORDERS, YEAR_SLOTS, seed), np.zeros_like(room)
    picked = np.linspace(0, YEAR_SLOTS - 1, YEAR_CHECKED).astype(np.int64)
    welfare = welfare_of(clear(SPOT, grid, table, room, use))
    problem, same = WelfareProblem(grid), True
    ours: list[tuple[float, float]] = []
    theirs: dict[str, list[tuple[float, float]]] = {READY: [], WHOLE: []}
    for part in np.array_split(picked, YEAR_ROUNDS):
        ours.append(_both_clocks(partial(clear, SPOT, grid, table, room, use)))
        for market in part:
            orders = table[market * YEAR_ORDERS : (market + 1) * YEAR_ORDERS]
            theirs[WHOLE].append(_both_clocks(partial(problem.clear, orders, room[market])))
            theirs[READY].append(_both_clocks(problem.solve))
            same = same and abs(welfare[market] - problem.solve()) < EQUAL_UJPY
    rows = []
    for clock, how in enumerate(("one call", "processor time of all threads")):
        what = f"a year: {YEAR_SLOTS:,} markets of {YEAR_ORDERS:,} orders in nine areas, {how}"
        ours_s = median(pair[clock] for pair in ours)
        for name, taken in theirs.items():
            theirs_s = median(pair[clock] for pair in taken) * YEAR_SLOTS
            rows.append(BenchRow(what, f"{name}; {YEAR_CHECKED} extrapolated", ours_s, theirs_s, YEAR_TARGET, same))
    return rows


def _both_clocks(call: Callable[[], Any]) -> tuple[float, float]:
    """Time of a call by the wall's clock and by the processor's [s]."""
    wall, processor = perf_counter(), process_time()
    call()
    return perf_counter() - wall, process_time() - processor


def welfare_of(cleared: Cleared) -> list[int]:
    """Welfare of each market [uJPY], exact."""
    bids, filled = cleared.bids, cleared.result.filled
    signed = np.where(bids.side == int(Side.BUY), 1, -1) * bids.price * filled
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(signed)])
    return [int(value) for value in total[bids.start[1:]] - total[bids.start[:-1]]]


EQUAL_UJPY = 0.5
"""Two welfares of whole uJPY are equal when they are nearer than this."""
AREA_BITS, PRICE_BITS = 27, 26
"""Packed key of a step: area, then whether it buys, then price."""


class WelfareProblem:
    """The welfare problem of one market in HiGHS: a column for each step and line, a row for each area.

    Steps are orders of one area, side and price, merged. The solver is kept, the problem is given to it as arrays.
    """

    def __init__(self, grid: Grid) -> None:
        import highspy

        self.areas, self.lines = len(grid.areas), len(grid.lines)
        self.ends = np.array([(line.source, line.target) for line in grid.lines], np.int32).ravel()
        self.by_column = int(highspy.MatrixFormat.kColwise)
        self.solver: Any = highspy.Highs()
        for option, value in (("output_flag", False), ("presolve", "off"), ("threads", 1)):
            self.solver.setOptionValue(option, value)

    def load(self, orders: Table, room_wh: Int) -> None:
        """Give the solver the problem of an order table; `room_wh` (lines, 2)."""
        buys = orders["side"] == int(Side.BUY)
        keys = orders["area"].astype(np.int64) << AREA_BITS | buys.astype(np.int64) << PRICE_BITS | orders["price"]
        steps, place = np.unique(keys, return_inverse=True)
        energy, count = np.bincount(place, orders["energy"]), len(steps)
        sign = np.where(steps >> PRICE_BITS & 1, -1.0, 1.0)
        columns, balanced = count + self.lines, np.zeros(self.areas)
        start = np.concatenate([np.arange(count), count + 2 * np.arange(self.lines + 1)]).astype(np.int32)
        self.solver.passModel(
            columns,
            self.areas,
            count + 2 * self.lines,
            self.by_column,
            1,
            0.0,
            np.concatenate([sign * (steps & (1 << PRICE_BITS) - 1), np.zeros(self.lines)]),
            np.concatenate([np.zeros(count), -room_wh[:, 1]]),
            np.concatenate([energy, room_wh[:, 0]]),
            balanced,
            balanced,
            start,
            np.concatenate([steps >> AREA_BITS, self.ends]).astype(np.int32),
            np.concatenate([sign, np.tile([-1.0, 1.0], self.lines)]),
            np.zeros(columns, np.int32),
        )

    def solve(self) -> float:
        """Highest welfare [uJPY], from nothing."""
        self.solver.clearSolver()
        self.solver.run()
        return -float(self.solver.getInfo().objective_function_value)

    def clear(self, orders: Table, room_wh: Int) -> float:
        """From the order table to the welfare [uJPY]; prices, fills and flows are read from the solver."""
        self.load(orders, room_wh)
        self.solver.run()
        solution = self.solver.getSolution()
        np.array(solution.row_dual)
        np.array(solution.col_value)
        return -float(self.solver.getInfo().objective_function_value)
