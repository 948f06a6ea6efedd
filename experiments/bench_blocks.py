"""Block orders against a plain mixed-integer program of the same day.

The program (HiGHS, by scipy) maximises welfare over simple orders merged by market, area, side and price, flows, and
one binary for each block. It knows no prices, so its acceptance may hold blocks that lose: it does less than the
auction, and its welfare is a bound on the auction's.
"""

from statistics import median
from time import perf_counter

import numpy as np

from experiments.bench_auctions import AREAS, SPOT, SPOT_LOT, capacities, japan, random_books
from experiments.bench_rows import BenchRow
from market.blocks import BLOCK, BlockOutcome, Blocks, trade_blocks
from market.grid import Grid
from market.orders import Side, TimeInForce, no_orders
from market.tables import Table
from market.units import PPM, Int

SLOTS, ORDERS = 48, 200
COUNTS = (10, 30, 50)
ROUNDS = 3
NEAR = (42_000, 55_000)
"""Prices of blocks [mJPY/kWh]: where the books of the bench clear."""
GAP = 1e-9
"""Relative gap at which the program may stop."""


def random_day(count: int, seed: int) -> tuple[Table, Blocks]:
    """A day of books in nine areas, and blocks of 4 to 48 slots and 25 to 500 MWh a slot near the clearing prices."""
    dice = np.random.default_rng(seed)
    table, profile = np.zeros(count, BLOCK), np.zeros((count, SLOTS), np.int64)
    for row in range(count):
        slots = int(dice.integers(4, SLOTS + 1))
        first = int(dice.integers(0, SLOTS - slots + 1))
        profile[row, :slots] = dice.integers(500, 10_000) * SPOT_LOT
        table["slot"][row] = table["market"][row] = first
        table["slots"][row] = slots
    table["side"] = np.where(dice.random(count) < 0.7, int(Side.SELL), int(Side.BUY))
    table["area"], table["price"] = dice.integers(0, len(AREAS), count), dice.integers(*NEAR, count) // 10 * 10
    table["min_fill_ppm"], table["time_in_force"] = PPM, int(TimeInForce.UNTIL_GATE)
    table["party"] = table["reference"] = ORDERS + np.arange(count)
    table["sequence"] = np.arange(count)
    return random_books(ORDERS, SLOTS, seed), Blocks(table, profile)


def trade_day(orders: Table, blocks: Blocks) -> BlockOutcome:
    """The auction of the day."""
    room = capacities(SLOTS)
    return trade_blocks(SPOT, japan(), no_orders(), orders, blocks, room, np.zeros_like(room), np.zeros(1, np.int64))


def solve_program(grid: Grid, orders: Table, blocks: Blocks, room: Int) -> float:
    """Most welfare of the mixed-integer program [uJPY]."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_matrix

    markets, areas, lines = len(room), len(grid.areas), len(grid.lines)
    cell = orders["market"].astype(np.int64) * areas + orders["area"]
    key = (cell << 33) | ((orders["side"] == int(Side.BUY)).astype(np.int64) << 32) | orders["price"]
    steps, place = np.unique(key, return_inverse=True)
    energy = np.bincount(place, orders["energy"])
    sign = np.where((steps >> 32) & 1, 1.0, -1.0)
    rows, columns, numbers = [steps >> 33], [np.arange(len(steps))], [sign]
    at = len(steps)
    flow = at + np.arange(markets * lines)
    for ends, way in ((line.source for line in grid.lines), 1.0), ((line.target for line in grid.lines), -1.0):
        rows.append((np.arange(markets)[:, None] * areas + np.array(list(ends))).ravel())
        columns.append(flow)
        numbers.append(np.full(len(flow), way))
    at += len(flow)
    block, slot = np.nonzero(blocks.profile_wh)
    table = blocks.table[block]
    block_sign = np.where(table["side"] == int(Side.BUY), 1.0, -1.0)
    rows.append((table["market"] + slot) * areas + table["area"])
    columns.append(at + block)
    numbers.append(block_sign * blocks.profile_wh[block, slot])
    side = np.where(blocks.table["side"] == int(Side.BUY), 1.0, -1.0)
    worth = [sign * (steps & 0xFFFF_FFFF), np.zeros(len(flow)), side * blocks.table["price"] * blocks.profile_wh.sum(1)]
    width = at + len(blocks)
    balance = csr_matrix(
        (np.concatenate(numbers), (np.concatenate(rows), np.concatenate(columns))), (markets * areas, width)
    )
    free = np.concatenate([np.zeros(len(steps)), -room[..., 1].ravel(), np.zeros(len(blocks))])
    most = np.concatenate([energy, room[..., 0].ravel(), np.ones(len(blocks))])
    whole = np.repeat([0, 1], [at, len(blocks)])
    found = milp(
        -np.concatenate(worth),
        constraints=LinearConstraint(balance, 0.0, 0.0),
        bounds=Bounds(free, most),
        integrality=whole,
        options={"mip_rel_gap": GAP},
    )
    return -float(found.fun)


def block_rows(seed: int) -> list[BenchRow]:
    """Days with 10, 30 and 50 blocks: the auction, which lets no block lose, against the program, which does not ask.

    `same` says whether the program's welfare is at least the auction's, as it must be.
    """
    rows = []
    for count in COUNTS:
        orders, blocks = random_day(count, seed)
        trade_day(orders, blocks)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            start = perf_counter()
            found = trade_day(orders, blocks)
            middle = perf_counter()
            welfare = solve_program(japan(), orders, blocks, capacities(SLOTS))
            ours.append(middle - start)
            theirs.append(perf_counter() - middle)
        share = 0.0 if found.gap_ujpy is None else found.gap_ujpy / max(abs(found.welfare_ujpy), 1)
        what = f"{count} blocks, {SLOTS} slots, nine areas, {ORDERS} orders a slot ({found.search}, gap {share:.2%})"
        holds = welfare >= found.welfare_ujpy * (1 - 1e-7)
        rows.append(BenchRow(what, "HiGHS, blocks may lose", median(ours), median(theirs), 1.0, holds))
    return rows
