"""Random small markets for tests: few prices and energies, so that ties, floors and empty sides are common."""

import numpy as np

from market.grid import Grid, Line
from market.orders import ORDER, Side
from market.tables import Table
from market.units import Int

Rows = list[tuple[int, int, Side, int, int]]
"""Orders as (market, area, side, price, energy) in sequence order."""


def order_table(rows: Rows) -> Table:
    """An order table from (market, area, side, price, energy); party and reference are the row number."""
    table = np.zeros(len(rows), ORDER)
    for number, (market, area, side, price, energy) in enumerate(rows):
        table[number] = (side, 1, area, 1, 100 + market, energy, price, number, 0, market, number, number)
    return table


def random_grid(rng: np.random.Generator, most_areas: int = 6) -> Grid:
    """One to six areas; lines at random: islands, loops and parallel lines occur."""
    areas = int(rng.integers(1, most_areas + 1))
    wanted = int(rng.integers(0, areas + 3)) if areas > 1 else 0
    ends = [rng.choice(areas, 2, replace=False) for _ in range(wanted)]
    return Grid(
        tuple(f"area{n}" for n in range(areas)),
        tuple(Line(f"line{n}", int(a), int(b)) for n, (a, b) in enumerate(ends)),
    )


def random_rooms(rng: np.random.Generator, grid: Grid, markets: int) -> tuple[Int, Int]:
    """Capacities, often one-way or zero, and use already committed, both (markets, lines, 2)."""
    lines = len(grid.lines)
    capacity = rng.integers(0, 25, (markets, lines, 2)) * rng.integers(0, 2, (markets, lines, 2))
    use = rng.integers(0, 6, (markets, lines, 2)) * rng.integers(0, 2, (markets, 1, 2))
    return capacity, use


def random_orders(
    rng: np.random.Generator, grid: Grid, markets: int, most: int = 12, low: int = 10, high: int = 22
) -> Table:
    """Up to `most` orders a market on a narrow price range [mJPY/kWh]; some markets have one side or nothing."""
    rows: Rows = []
    for market in range(markets):
        one_side = rng.random() < 0.1
        for _ in range(int(rng.integers(0, most + 1))):
            side = Side.BUY if one_side or rng.random() < 0.5 else Side.SELL
            area, price = int(rng.integers(len(grid.areas))), int(rng.integers(low, high))
            rows.append((market, area, side, price, int(rng.integers(1, 20))))
    return order_table(rows)
