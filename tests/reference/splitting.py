"""Referees for auctions: a linear program (HiGHS), brute force over prices, the rule of one area read aloud."""

from itertools import product

import numpy as np
from scipy.optimize import linprog

from market.grid import Grid
from market.orders import Side
from market.tables import Table
from market.units import Int

VOLUME_WEIGHT = 1e-4
"""Small enough that volume never buys welfare: optimal welfares of different vertices differ by whole units."""


def rooms(capacity_wh: Int, use_wh: Int, netting: bool = True) -> Int:
    """Room of each line of one market (lines, 2): capacity less use, with netting plus use the other way."""
    return np.maximum(0, capacity_wh - use_wh + (use_wh[:, ::-1] if netting else 0))


def best_welfare_and_volume(grid: Grid, orders: Table, room: Int, left: Int | None = None) -> tuple[float, float]:
    """Highest welfare [uJPY] of one market, and the highest volume [Wh] among the allocations that reach it.

    `left` (limits,) is what the grid's joint limits still take [Wh].
    """
    sells = orders["side"] == Side.SELL
    value = np.where(sells, -1.0, 1.0) * orders["price"]
    cost = np.concatenate([-value - VOLUME_WEIGHT * sells, np.zeros(len(grid.lines))])
    balance = np.zeros((len(grid.areas), len(cost)))
    balance[orders["area"], np.arange(len(orders))] = np.where(sells, 1.0, -1.0)
    for column, line in enumerate(grid.lines, start=len(orders)):
        balance[line.source, column], balance[line.target, column] = -1.0, 1.0
    bounds = [(0, float(e)) for e in orders["energy"]] + [(-float(b), float(f)) for f, b in room]
    if not bounds:
        return 0.0, 0.0
    joint = np.zeros((len(grid.limits), len(cost)))
    for row, limit in enumerate(grid.limits):
        joint[row, len(orders) :] = limit.signs
    bounded = {"A_ub": joint, "b_ub": left} if left is not None else {}
    solved = linprog(cost, **bounded, A_eq=balance, b_eq=np.zeros(len(grid.areas)), bounds=bounds, method="highs")
    assert solved.status == 0, solved.message
    fills = solved.x[: len(orders)]
    return float(value @ fills), float(fills[sells].sum())


def dual_value(grid: Grid, orders: Table, room: Int, price: tuple[int, ...]) -> int:
    """Surplus of all orders at these prices plus room x gap of all lines [uJPY]."""
    total = 0
    for order in orders:
        sign = 1 if order["side"] == Side.BUY else -1
        total += max(0, sign * (int(order["price"]) - price[order["area"]])) * int(order["energy"])
    for line, (forward, backward) in zip(grid.lines, room, strict=True):
        gap = price[line.target] - price[line.source]
        total += int(forward) * max(0, gap) + int(backward) * max(0, -gap)
    return total


def smallest_prices(grid: Grid, orders: Table, room: Int, floor: int, top: int) -> tuple[int, ...]:
    """Smallest minimiser of the dual by trying every price vector."""
    vectors = list(product(range(floor, top + 1), repeat=len(grid.areas)))
    values = [dual_value(grid, orders, room, vector) for vector in vectors]
    best = [vector for vector, value in zip(vectors, values, strict=True) if value == min(values)]
    smallest = tuple(min(vector[area] for vector in best) for area in range(len(grid.areas)))
    assert smallest in best, "the optimal prices do not form a lattice"
    return smallest


def one_area_price(orders: Table, floor: int) -> int | None:
    """The lowest p >= floor with S(p) >= B(p+); None when nothing trades."""
    sells, buys = orders[orders["side"] == Side.SELL], orders[orders["side"] == Side.BUY]
    price = floor
    while sells["energy"][sells["price"] <= price].sum() < buys["energy"][buys["price"] > price].sum():
        price += 1
    traded = min(sells["energy"][sells["price"] <= price].sum(), buys["energy"][buys["price"] >= price].sum())
    return price if traded else None
