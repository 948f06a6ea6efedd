"""Auctions against their references: a NumPy sort of packed keys, and HiGHS on the welfare problem.

References are given what helps them: the sort gets columns of one width, HiGHS runs without presolve on orders merged
by area, side and price, and neither building the problem nor merging is counted against it. What is timed on our side
starts from the order table and ends with prices, fills, flows and the certificate of every market.
"""

from functools import partial
from statistics import median
from time import perf_counter
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
YEAR_SLOTS, YEAR_ORDERS, YEAR_CHECKED = 17_520, 1_000, 40


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


def bench_splitting(
    seed: int, sizes: tuple[tuple[int, float], ...] = ((100, 4), (1_000, 12), (10_000, 25))
) -> list[BenchRow]:
    """One market of nine areas at a time against HiGHS, for each size and target ratio."""
    rows = []
    grid, room = japan(), capacities(1)
    for orders, target in sizes:
        table = random_books(orders, 1, seed)
        solver = WelfareProblem(grid, table, room[0])
        ours_s, theirs_s, cleared, best = alternate(
            partial(clear, SPOT, grid, table, room, np.zeros_like(room)), solver.solve
        )
        same = abs(welfare_of(cleared)[0] - best) < 0.5
        what = f"nine-area splitting, one market of {orders:,} orders"
        rows.append(BenchRow(what, "HiGHS, no presolve, equal steps merged", ours_s, theirs_s, target, same))
    return rows


def bench_year(seed: int) -> list[BenchRow]:
    """A year of half hours in one call against HiGHS, which solves some of them and is extrapolated."""
    grid, room = japan(), capacities(YEAR_SLOTS)
    table, use = random_books(YEAR_ORDERS, YEAR_SLOTS, seed), np.zeros_like(room)
    picked = np.linspace(0, YEAR_SLOTS - 1, YEAR_CHECKED).astype(np.int64)
    ours, theirs, gaps = [], [], []
    cleared = clear(SPOT, grid, table, room, use)
    welfare = welfare_of(cleared)
    for part in np.array_split(picked, 4):
        began = perf_counter()
        clear(SPOT, grid, table, room, use)
        ours.append(perf_counter() - began)
        for market in part:
            solver = WelfareProblem(grid, table[market * YEAR_ORDERS : (market + 1) * YEAR_ORDERS], room[market])
            began = perf_counter()
            best = solver.solve()
            theirs.append(perf_counter() - began)
            gaps.append(abs(welfare[market] - best))
    what = f"a year: {YEAR_SLOTS:,} markets of {YEAR_ORDERS:,} orders in nine areas"
    reference = f"the same, {YEAR_CHECKED} markets solved and extrapolated"
    return [BenchRow(what, reference, median(ours), median(theirs) * YEAR_SLOTS, 12.0, max(gaps) < 0.5)]


def welfare_of(cleared: Cleared) -> list[int]:
    """Welfare of each market [uJPY], exact."""
    bids, filled = cleared.bids, cleared.result.filled
    signed = np.where(bids.side == int(Side.BUY), 1, -1) * bids.price * filled
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(signed)])
    return [int(value) for value in total[bids.start[1:]] - total[bids.start[:-1]]]


class WelfareProblem:
    """The welfare problem of one market in HiGHS: built once, solved again from nothing at each call."""

    def __init__(self, grid: Grid, orders: Table, room_wh: Int) -> None:
        import highspy

        merged, energy = _merge(orders)
        lines, areas = len(grid.lines), len(grid.areas)
        count = len(merged)
        sign = np.where(merged["side"] == int(Side.SELL), 1.0, -1.0)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = count + lines, areas
        model.col_cost_ = np.concatenate([sign * merged["price"], np.zeros(lines)])
        model.col_lower_ = np.concatenate([np.zeros(count), -room_wh[:, 1].astype(float)])
        model.col_upper_ = np.concatenate([energy.astype(float), room_wh[:, 0].astype(float)])
        model.row_lower_ = model.row_upper_ = np.zeros(areas)
        ends = np.array([(line.source, line.target) for line in grid.lines], np.int32)
        matrix = model.a_matrix_
        matrix.format_ = highspy.MatrixFormat.kColwise
        matrix.start_ = np.concatenate([np.arange(count), count + 2 * np.arange(lines + 1)]).astype(np.int32)
        matrix.index_ = np.concatenate([merged["area"], ends.ravel()]).astype(np.int32)
        matrix.value_ = np.concatenate([sign, np.tile([-1.0, 1.0], lines)])
        self.solver: Any = highspy.Highs()
        self.solver.setOptionValue("output_flag", False)
        self.solver.setOptionValue("presolve", "off")
        self.solver.setOptionValue("threads", 1)
        self.solver.passModel(model)

    def solve(self) -> float:
        """Highest welfare [uJPY]."""
        self.solver.clearSolver()
        self.solver.run()
        return -float(self.solver.getInfo().objective_function_value)


def _merge(orders: Table) -> tuple[Table, Int]:
    """Orders of one area, side and price as one, and the energy of each."""
    steps = orders[["area", "side", "price"]]
    merged, row = np.unique(steps, return_inverse=True)
    energy = np.zeros(len(merged), np.int64)
    np.add.at(energy, row, orders["energy"])
    return merged, energy
