"""Peak memory of one call of the engine at two sizes: linear in orders when a row costs the same in both.

Each size runs in a process of its own, which reads its order table from a file and loads the kernels by a call with one
order. Counted is the most memory the process ever held, less what it held before the call; what the call returns is
inside, the order table is not.
"""

import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from experiments.bench_auctions import capacities, japan, random_books
from experiments.bench_continuous import random_flow
from market.design import find_design
from market.errors import ConfigError
from market.exchange import trade
from market.orders import ORDER, no_orders
from market.tables import Table

SIZES = {"spot": (1_000_000, 4_000_000), "dgp": (200_000, 800_000)}
"""Orders of the smaller and the larger call by design."""
MARKET_ORDERS = {"spot": 1_000, "dgp": 2_000}
LINEAR = 1.15
"""Bytes an order in the larger call over those in the smaller one, at most, to be called linear."""


@dataclass(frozen=True)
class MemoryRow:
    """Peak memory of a call beyond what it was given [byte an order], at two sizes."""

    what: str
    orders: tuple[int, int]
    bytes_per_order: tuple[float, float]

    @property
    def linear(self) -> bool:
        """Whether an order costs no more in the larger call."""
        return 0 < self.bytes_per_order[1] <= LINEAR * self.bytes_per_order[0]


def bench_memory(seed: int) -> list[MemoryRow]:
    """One row for auctions in nine areas, one for continuous trade."""
    rows = []
    for design, sizes in SIZES.items():
        # kernels that are not compiled yet would count as memory of the call
        _in_a_process(design, MARKET_ORDERS[design], seed)
        found = [_in_a_process(design, orders, seed) / orders for orders in sizes]
        what = f"{design}, nine areas, {MARKET_ORDERS[design]:,} orders a market"
        rows.append(MemoryRow(what, sizes, (found[0], found[1])))
    return rows


def print_memory(rows: list[MemoryRow]) -> None:
    """The rows as a table on standard output."""
    from rich.table import Table as Screen

    from experiments.screen import console

    screen = Screen(title="peak memory of a call beyond its order table")
    for column in ("what", "orders", "byte an order", "linear"):
        screen.add_column(column, justify="left" if column == "what" else "right")
    for row in rows:
        orders = " and ".join(f"{count:,}" for count in row.orders)
        amounts = " and ".join(f"{amount:.0f}" for amount in row.bytes_per_order)
        screen.add_row(row.what, orders, amounts, "yes" if row.linear else "NO")
    console().print(screen)


def _in_a_process(design: str, orders: int, seed: int) -> int:
    markets = orders // MARKET_ORDERS[design]
    flow = partial(random_books, MARKET_ORDERS[design], markets) if design == "spot" else partial(_arrivals, markets)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "orders"
        flow(seed=seed).tofile(file)
        call = f"print(peak_of_call({design!r}, {str(file)!r}, {markets}))"
        code = f"from experiments.bench_memory import peak_of_call; {call}"
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if ended.returncode:
        why = (ended.stderr.strip() or f"stopped by signal {-ended.returncode}").splitlines()[-1]
        raise ConfigError(why, where="bench market, memory", do="free some memory")
    return int(ended.stdout)


def _arrivals(markets: int, seed: int) -> Table:
    return random_flow(japan(), markets, markets * MARKET_ORDERS["dgp"], seed).orders


def peak_of_call(design: str, file: str, markets: int) -> int:
    """Peak memory of a call beyond what the process held before it [byte]; meant for a process of its own."""
    rules, grid, room, now = find_design(design), japan(), capacities(markets), np.zeros(1, np.int64)
    table, use = np.fromfile(file, ORDER), np.zeros_like(room)
    first = table[:1].copy()
    first["market"] = 0
    trade(rules, grid, no_orders(), first, room[:1], use[:1], now)
    before = _most_held()
    trade(rules, grid, no_orders(), table, room, use, now)
    return _most_held() - before


def _most_held() -> int:
    """Most memory this process ever held [byte]."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    import resource

    # on Linux this figure also counts what the parent held, elsewhere it is the process's own, in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
