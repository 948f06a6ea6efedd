"""The same books through other Python libraries, each in a virtual environment of its own, and through this engine.

A library gets the book in its own form (dicts, a data frame), made before its clock starts, in a process of its own
that has cleared a small book before; ours starts from the order table and ends with the contracts. Each round runs
every side once. What a library fills is held against the engine's fills: volume, welfare, prices, and whether as much
is sold as bought. Lines have one capacity for both directions, which is all that ASSUME's transport model knows.
"""

import json
import subprocess
import venv
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from experiments.bench_auctions import SPOT, SPOT_LOT, capacities, japan, random_books
from experiments.bench_continuous import ONE_AREA
from experiments.bench_peers_programs import ASSUME, PYMARKET
from experiments.bench_rows import time_calls
from market.errors import ConfigError
from market.exchange import NO_PRICE, Outcome, trade
from market.grid import Grid
from market.orders import Side, no_orders
from market.tables import Table
from market.units import MJPY_PER_JPY, Int

SIZES = (1_000, 10_000)
ROUNDS, OUR_CALLS = 3, 20
START_S, INSTALL_S = 60, 1_200
"""How long a library may take to load, and its installation [s]."""
NEAR = 1e-6
"""Relative difference of volumes and welfares that are called equal, for floats."""
NEAR_JPY = 0.005
"""Difference of prices that are called equal [JPY/kWh]: half a tick."""


@dataclass(frozen=True)
class Peer:
    """A library: its name, the packages pip is asked for, and the program that calls it."""

    name: str
    packages: tuple[str, ...]
    program: str


@dataclass(frozen=True)
class Method:
    """One way a library clears a book: its own name for it, the grid, and whether what is offered is scarce."""

    peer: Peer
    mechanism: str
    grid: Grid
    scarce: bool = False


ASSUME_PEER = Peer("assume-framework 0.6.0", ("assume-framework==0.6.0",), ASSUME)
# pymarket 0.7.6 writes into arrays that pandas 3 keeps from being written
PYMARKET_PEER = Peer("pymarket 0.7.6", ("pymarket==0.7.6", "pandas<3"), PYMARKET)
METHODS = (
    Method(ASSUME_PEER, "pay_as_clear", ONE_AREA),
    Method(ASSUME_PEER, "pay_as_clear", ONE_AREA, scarce=True),
    Method(ASSUME_PEER, "complex_clearing", ONE_AREA),
    Method(ASSUME_PEER, "complex_clearing", ONE_AREA, scarce=True),
    Method(ASSUME_PEER, "complex_clearing", japan()),
    Method(PYMARKET_PEER, "muda", ONE_AREA),
    Method(PYMARKET_PEER, "huang", ONE_AREA),
)


@dataclass(frozen=True)
class Fills:
    """What came of a book: energy sold and bought [lots], welfare [JPY/kWh x lots], price of each area [JPY/kWh]."""

    sold: float
    bought: float
    welfare: float
    prices: tuple[float, ...]


@dataclass(frozen=True)
class PeerRow:
    """One library on one book; `theirs_s` is None where it took longer than `limit_s`, and so is what it filled."""

    peer: str
    mechanism: str
    scarce: bool
    areas: int
    orders: int
    limit_s: float
    ours_s: float
    theirs_s: float | None
    ours: Fills
    theirs: Fills | None

    @property
    def ratio(self) -> float:
        """How many times faster ours is; where theirs was stopped, at least."""
        return (self.limit_s if self.theirs_s is None else self.theirs_s) / self.ours_s

    @property
    def differs(self) -> list[str]:
        """Where their result is not ours."""
        if self.theirs is None:
            return []
        ours, theirs, found = self.ours, self.theirs, []
        if abs(theirs.sold - theirs.bought) > NEAR * max(ours.sold, 1):
            found.append(f"sells {theirs.sold:,.0f}, buys {theirs.bought:,.0f} lots")
        for name, mine, other in (("volume", ours.sold, theirs.sold), ("welfare", ours.welfare, theirs.welfare)):
            if abs(other - mine) > NEAR * max(abs(mine), 1):
                found.append(f"{name} {other / mine - 1:+.2%}")
        same_count = len(ours.prices) == len(theirs.prices)
        if not same_count or np.abs(np.subtract(ours.prices, theirs.prices)).max(initial=0) > NEAR_JPY:
            found.append(f"price {_said(theirs.prices)}, ours {_said(ours.prices)}")
        return found


@dataclass(frozen=True)
class PeersBench:
    """What `bench_peers` measured, and a line for each library that could not be installed or run."""

    measured: list[PeerRow]
    missing: list[str]

    def rows(self) -> list[dict[str, Any]]:
        """One row a library, mechanism and size; times [s], ratio, both results and where they differ."""
        rows = [asdict(row) | {"ratio": row.ratio, "differs": row.differs} for row in self.measured]
        return rows + [{"missing": line} for line in self.missing]

    def print(self) -> None:
        """The rows as a table on standard output."""
        from rich.table import Table as Screen

        from experiments.screen import console

        screen = Screen(title=f"the same books through other libraries, medians of {ROUNDS} rounds")
        for column in ("library", "mechanism", "book", "orders", "ours", "theirs", "ratio", "their result"):
            left = column in ("library", "mechanism", "book", "their result")
            screen.add_column(column, justify="left" if left else "right")
        for row in self.measured:
            stopped = row.theirs_s is None
            theirs = f"over {row.limit_s:g} s" if row.theirs_s is None else f"{1_000 * row.theirs_s:,.1f} ms"
            times = (f"{1_000 * row.ours_s:,.3f} ms", theirs, f"{'>' * stopped}{row.ratio:,.0f}x")
            said = "-" if stopped else "; ".join(row.differs) or "same"
            book = ("one area" if row.areas == 1 else f"{row.areas} areas") + ", scarce" * row.scarce
            screen.add_row(row.peer, row.mechanism, book, f"{row.orders:,}", *times, said)
        console().print(screen)
        for line in self.missing:
            console().print(f"not measured: {line}")


def bench_peers(
    folder: Path,
    limit_s: float = 60.0,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> PeersBench:
    """Install each library under `folder` where it is not yet, and clear the same books with it and with this engine.

    Raises ConfigError when none of them can be measured.
    """
    measured: list[PeerRow] = []
    missing: list[str] = []
    steps = 1 + len(SIZES) * len(METHODS)
    progress(0, steps)
    ready: dict[Peer, Path] = {}
    for peer in dict.fromkeys(method.peer for method in METHODS):
        try:
            ready[peer] = install(peer, folder)
        except ConfigError as error:
            missing.append(str(error))
    methods = [(orders, method) for orders in SIZES for method in METHODS if method.peer in ready]
    for done, (orders, method) in enumerate(methods, start=1):
        progress(done, steps)
        try:
            measured.append(measure(ready[method.peer], method, orders, limit_s, seed))
        except ConfigError as error:
            missing.append(str(error))
    if not measured:
        raise ConfigError("; ".join(missing), where="bench peers", do="see to network and packages")
    return PeersBench(measured, missing)


def install(peer: Peer, folder: Path) -> Path:
    """The Python of a library's own environment, made and filled by pip once; raises ConfigError where that fails."""
    mark = sha256(" ".join(peer.packages).encode()).hexdigest()[:12]
    home = folder / f"{peer.name.replace(' ', '-')}-{mark}"
    python, done = home / "bin" / "python", home / ".installed"
    if not done.exists():
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages]
        try:
            venv.create(home, clear=True, with_pip=True)
            ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigError(str(error), where=f"{peer.name} in {folder}", do="give another --folder") from error
        if ended.returncode:
            lines = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
            raise ConfigError(lines[-1], where=f"{peer.name} in {folder}", do="see that pip reaches a package index")
        done.touch()
    return python


def measure(python: Path, method: Method, orders: int, limit_s: float, seed: int) -> PeerRow:
    """One library and the engine on the same book, in turn; raises ConfigError where the library fails."""
    table, room = _book(method, orders, seed), _room(method.grid)

    def ours() -> Outcome:
        return trade(SPOT, method.grid, no_orders(), table, room, np.zeros_like(room), np.zeros(1, np.int64))

    outcome = ours()
    mine: list[float] = []
    theirs: list[float] = []
    found: dict[str, Any] | None = None
    for _ in range(ROUNDS):
        mine.append(time_calls(ours, OUR_CALLS))
        found = _ask(python, method, table, room, limit_s, seed)
        if found is None:
            break
        theirs.append(found["seconds"])
    return PeerRow(
        method.peer.name,
        method.mechanism,
        method.scarce,
        len(method.grid.areas),
        orders,
        limit_s,
        median(mine),
        None if found is None else median(theirs),
        _fills(table, outcome.filled_wh / SPOT_LOT, _prices(outcome)),
        None if found is None else _fills(table, np.array(found["filled"]), tuple(found["prices"])),
    )


def _book(method: Method, orders: int, seed: int) -> Table:
    """A random book; where energy is scarce, a quarter of it is offered, at a fifth of the prices."""
    table = random_books(orders, 1, seed)
    table["area"] %= len(method.grid.areas)
    if method.scarce:
        sells = table["side"] == Side.SELL
        table["energy"][sells] = np.maximum(table["energy"][sells] // SPOT_LOT // 4, 1) * SPOT_LOT
        table["price"][sells] = np.maximum(table["price"][sells] // 50, 1) * 10
    return table


def _room(grid: Grid) -> Int:
    """Capacity of each line, the smaller one of Japan's for both directions [Wh]."""
    if not grid.lines:
        return np.zeros((1, 0, 2), np.int64)
    room = capacities(1)
    return np.minimum(room, room[:, :, ::-1])


def _ask(python: Path, method: Method, table: Table, room: Int, limit_s: float, seed: int) -> dict[str, Any] | None:
    """What a library's program prints, None when it takes too long."""
    names = method.grid.areas
    lines = zip(method.grid.lines, (room[0, :, 0] // SPOT_LOT).tolist(), strict=True)
    task = {
        "mechanism": method.mechanism,
        "seed": seed,
        "areas": names,
        "orders": [
            (
                int(row["side"] == Side.BUY),
                names[row["area"]],
                row["price"] / MJPY_PER_JPY,
                int(row["energy"] // SPOT_LOT),
            )
            for row in table
        ],
        "lines": [(names[line.source], names[line.target], lots) for line, lots in lines],
    }
    # isolated: the folders of this project have general names
    command = [str(python), "-I", "-c", method.peer.program]
    try:
        ended = subprocess.run(
            command, input=json.dumps(task), capture_output=True, text=True, check=False, timeout=START_S + limit_s
        )
    except subprocess.TimeoutExpired:
        return None
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise ConfigError(f"{method.mechanism} with {len(table):,} orders: {last}", where=method.peer.name)
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found if found["seconds"] <= limit_s else None


def _fills(table: Table, filled: Any, prices: tuple[float, ...]) -> Fills:
    buys = table["side"] == Side.BUY
    worth = np.where(buys, 1, -1) * (table["price"] / MJPY_PER_JPY) * filled
    return Fills(float(filled[~buys].sum()), float(filled[buys].sum()), float(worth.sum()), prices)


def _prices(outcome: Outcome) -> tuple[float, ...]:
    price = outcome.price
    assert price is not None
    return tuple(int(one) / MJPY_PER_JPY for one in price[0] if one != NO_PRICE)


def _said(prices: tuple[float, ...]) -> str:
    return ", ".join(f"{price:.2f}" for price in prices)
