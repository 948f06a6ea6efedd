"""The contract test of a market design: what every design must hold, and what it claims for itself.

`check_design` trades many small random markets through `exchange.trade` and looks for a counterexample to:

- always: `conservation` (what is given is refused, filled, resting, withdrawn or lapsed; contracts add up to
  fills), `limits` (nobody is worse off than its limit price), `capacity` (no line beyond its room, use booked =
  use of the contracts' paths), `batch-equals-alone`;
- when claimed: `budget-balanced` (what buyers pay = what sellers get + rent of the lines crossed, rent >= 0),
  `individually-rational` (as `limits`), `volume-maximal` (no pair that could trade in its area is left; welfare
  and volume are those of the optimal auction), `permutation-invariant` (who came first changes neither price
  nor volume).

"Proved" means: no counterexample among the markets tried. Randomness is an argument (`seed`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from market.design import MarketDesign
from market.exchange import Outcome, trade
from market.grid import Grid, Line
from market.orders import ORDER, Kind, Side, TimeInForce, no_orders
from market.tables import Table
from market.units import Int

Bad = npt.NDArray[np.bool_]
"""(markets,) True where a property does not hold."""
PLAIN_GRID = Grid(("north", "middle", "south"), (Line("north-middle", 0, 1), Line("middle-south", 1, 2)))
MOST_ORDERS, PRICES, LOTS, PARTIES = 9, 12, 20, 6


@dataclass(frozen=True)
class Case:
    """One call of `trade` on random markets: what went in and what came out."""

    design: MarketDesign
    grid: Grid
    resting: Table
    orders: Table
    capacity_wh: Int
    flow_wh: Int
    outcome: Outcome

    @property
    def markets(self) -> int:
        """Number of markets."""
        return len(self.capacity_wh)


@dataclass(frozen=True)
class Report:
    """What was found: properties proved, failed ones and unclaimed ones with a counterexample each."""

    design: str
    markets: int
    proved: tuple[str, ...]
    failed: dict[str, str] = field(default_factory=dict)
    not_claimed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.design}: {self.markets} random markets"]
        lines += [f"  proved: {name}" for name in self.proved]
        lines += [f"  FAILED: {name}\n{example}" for name, example in self.failed.items()]
        lines += [f"  not claimed, and not so: {name}\n{example}" for name, example in self.not_claimed.items()]
        return "\n".join(lines)


def check_design(design: MarketDesign, grid: Grid = PLAIN_GRID, seed: int = 0, markets: int = 200) -> Report:
    """Look for counterexamples to every property of a design; see the module for the list.

    `grid` has at most ten areas; `markets` random markets of up to nine orders are traded twice in a row.
    """
    rng = np.random.default_rng(seed)
    mixed = _two_calls(design, grid, rng, markets)
    plain = _first_call(design, grid, rng, markets, mixed=False)
    proved: list[str] = []
    failed: dict[str, str] = {}
    not_claimed: dict[str, str] = {}
    for name, check in ALWAYS.items():
        example = _first_example(check, mixed)
        if example:
            failed[name] = example
        else:
            proved.append(name)
    for name, check in CLAIMS.items():
        example = _first_example(check, (plain,))
        if name in design.claims and not example:
            proved.append(name)
        elif example:
            (failed if name in design.claims else not_claimed)[name] = example
    return Report(design.name, markets, tuple(proved), failed, not_claimed)


def _first_example(check: Callable[[Case], Bad], cases: tuple[Case, ...]) -> str:
    for case in cases:
        bad = np.flatnonzero(check(case))
        if len(bad):
            sizes = np.bincount(case.orders["market"], minlength=case.markets)
            return _describe(case, int(bad[np.argmin(sizes[bad])]))
    return ""


def _describe(case: Case, market: int) -> str:
    """One market in words: lines, orders by arrival, contracts."""
    areas, out = case.grid.areas, []
    for line, room in zip(case.grid.lines, case.capacity_wh[market], strict=True):
        out.append(f"line {line.name}: {room[0]} Wh forward, {room[1]} Wh backward")
    for what, table in (("resting", case.resting), ("arrives", case.orders)):
        for row in np.sort(table[table["market"] == market], order="sequence"):
            kind = Kind(row["kind"]).name.lower()
            out.append(
                f"{what} #{row['reference']} {kind}: party {row['party']} in {areas[row['area']]}"
                f" {Side(row['side']).name.lower()}s {row['energy']} Wh at {row['price']} mJPY/kWh"
            )
    for row in case.outcome.contracts[case.outcome.contracts["market"] == market]:
        out.append(
            f"contract #{row['sell_reference']} to #{row['buy_reference']}: {row['energy']} Wh,"
            f" paid {row['buy_price']}, received {row['sell_price']}"
        )
    return "\n".join(f"    {line}" for line in out)


def _two_calls(design: MarketDesign, grid: Grid, rng: np.random.Generator, markets: int) -> tuple[Case, Case]:
    first = _first_call(design, grid, rng, markets, mixed=True)
    orders = _random_orders(design, grid, rng, markets, mixed=True, sequence=len(first.orders))
    return first, _run(design, grid, first.outcome.resting, orders, first.capacity_wh, first.outcome.flow_wh)


def _first_call(design: MarketDesign, grid: Grid, rng: np.random.Generator, markets: int, mixed: bool) -> Case:
    orders = _random_orders(design, grid, rng, markets, mixed, 0)
    shape = (markets, len(grid.lines), 2)
    capacity = rng.integers(0, 3 * LOTS, shape) * rng.integers(0, 2, shape) * design.lot_wh
    return _run(design, grid, no_orders(), orders, capacity, np.zeros(shape, np.int64))


def _run(design: MarketDesign, grid: Grid, resting: Table, orders: Table, capacity: Int, use: Int) -> Case:
    outcome = trade(design, grid, resting, orders, capacity, use, np.zeros(1, np.int64))
    return Case(design, grid, resting, orders, capacity, use, outcome)


def _random_orders(
    design: MarketDesign, grid: Grid, rng: np.random.Generator, markets: int, mixed: bool, sequence: int
) -> Table:
    """Small random books; `mixed` adds immediate orders, cancels, replaces and parties with several orders."""
    market = np.repeat(np.arange(markets), rng.integers(0, MOST_ORDERS + 1, markets))
    count = len(market)
    table = np.zeros(count, ORDER)
    table["market"] = market
    table["side"] = rng.integers(1, 3, count)
    table["kind"] = rng.choice([1, 1, 1, 2, 3], count) if mixed else Kind.NEW
    table["time_in_force"] = rng.integers(1, 3, count) if mixed else TimeInForce.UNTIL_GATE
    table["area"] = rng.integers(0, len(grid.areas), count)
    table["energy"] = rng.integers(1, LOTS + 1, count) * design.lot_wh
    table["price"] = design.band_mjpy_kwh[0] + rng.integers(0, PRICES, count) * design.tick_mjpy_kwh
    table["party"] = rng.integers(0, PARTIES, count)
    table["sequence"] = sequence + rng.permutation(count)
    # every third number is used again, so that cancels and replaces find something
    table["reference"] = np.where(rng.integers(0, 3, count) == 0, rng.integers(0, 3, count), 10 + table["sequence"])
    if not mixed:
        table["party"] = np.arange(count) - np.searchsorted(market, market)
        table["reference"] = table["sequence"]
    table["energy"][table["kind"] == Kind.CANCEL] = 0
    return table


def _per_market(case: Case, table: Table, amount: Int) -> Int:
    total = np.zeros(case.markets, np.int64)
    np.add.at(total, table["market"], amount)
    return total


Key = tuple[int, int, int]


def _key(row: Table, who: str, reference: str) -> Key:
    return int(row["market"]), int(row[who]), int(row[reference])


def _conservation(case: Case) -> Bad:
    out = case.outcome
    admitted = np.where((out.codes == 0) & (case.orders["kind"] != Kind.CANCEL), case.orders["energy"], 0)
    given = _per_market(case, case.orders, admitted) + _per_market(case, case.resting, case.resting["energy"])
    sold_and_bought = 2 * _per_market(case, out.contracts, out.contracts["energy"])
    left = _per_market(case, out.resting, out.resting["energy"]) + _per_market(case, case.orders, out.expired_wh)
    withdrawn = given - sold_and_bought - left
    bad = (withdrawn < 0) | _fills_without_contracts(case)
    return np.asarray(bad | (withdrawn.sum() != out.cancelled_wh), np.bool_)


def _fills_without_contracts(case: Case) -> Bad:
    """Where an order's contracts do not add up to its fill (orders new in this call)."""
    missing: dict[Key, int] = {}
    for row, filled in zip(case.orders, case.outcome.filled_wh, strict=True):
        key = _key(row, "party", "reference")
        missing[key] = missing.get(key, 0) + int(filled)
    for row in case.outcome.contracts:
        for key in (_key(row, "seller", "sell_reference"), _key(row, "buyer", "buy_reference")):
            missing[key] = missing.get(key, 0) - int(row["energy"])
    before = {_key(row, "party", "reference") for row in case.resting}
    bad = np.zeros(case.markets, np.bool_)
    bad[[key[0] for key, energy in missing.items() if energy and key not in before]] = True
    return bad


def _limits(case: Case) -> Bad:
    """A contract beyond the limit of either order (the widest one where an order was replaced)."""
    lowest: dict[Key, int] = {}
    highest: dict[Key, int] = {}
    for row in np.concatenate([case.resting, case.orders]):
        key, price = _key(row, "party", "reference"), int(row["price"])
        if row["side"] == Side.SELL:
            lowest[key] = min(lowest.get(key, price), price)
        else:
            highest[key] = max(highest.get(key, price), price)
    bad = np.zeros(case.markets, np.bool_)
    for row in case.outcome.contracts:
        sells = lowest.get(_key(row, "seller", "sell_reference"))
        buys = highest.get(_key(row, "buyer", "buy_reference"))
        if sells is None or buys is None or row["sell_price"] < sells or row["buy_price"] > buys:
            bad[row["market"]] = True
    return bad


def _capacity(case: Case) -> Bad:
    """Use booked differs from the contracts' paths, or (net) use passed the capacity in this call."""
    booked = case.flow_wh.copy()
    for row in case.outcome.contracts:
        for step in case.grid.paths[row["path"]]:
            booked[row["market"], abs(step) - 1, 0 if step > 0 else 1] += row["energy"]
    before, after = case.flow_wh, case.outcome.flow_wh
    if case.design.netting:
        before, after = before - before[:, :, ::-1], after - after[:, :, ::-1]
    beyond = after > np.maximum(case.capacity_wh, before)
    return np.asarray((beyond | (booked != case.outcome.flow_wh)).any(axis=(1, 2)), np.bool_)


def _batch(case: Case) -> Bad:
    """A market alone gives other contracts, resting orders, lines or prices than in the batch."""
    return np.array([not _same_alone(case, market) for market in range(case.markets)], np.bool_)


def _same_alone(case: Case, market: int) -> bool:
    here = slice(market, market + 1)
    resting, orders = _only(case.resting, market), _only(case.orders, market)
    alone = _run(case.design, case.grid, resting, orders, case.capacity_wh[here], case.flow_wh[here]).outcome
    whole = case.outcome
    for one, all_of_them in ((alone.contracts, whole.contracts), (alone.resting, whole.resting)):
        if not np.array_equal(one, _only(all_of_them, market)):
            return False
    same_price = alone.price is None or whole.price is None or bool((alone.price[0] == whole.price[market]).all())
    return same_price and bool((alone.flow_wh[0] == whole.flow_wh[market]).all())


def _only(table: Table, market: int) -> Table:
    """The rows of one market, as market 0 of a call by itself."""
    rows: Table = table[table["market"] == market].copy()
    rows["market"] = 0
    return rows


def _budget(case: Case) -> Bad:
    """A contract costs the exchange money, or leaves rent though it crosses no line."""
    table = case.outcome.contracts
    rent = table["buy_price"].astype(np.int64) - table["sell_price"]
    return _per_market(case, table, ((rent < 0) | ((rent > 0) & (table["path"] == 0))).astype(np.int64)) > 0


def _volume(case: Case) -> Bad:
    """A pair is left that could trade in its own area, or the optimal auction reaches more welfare or volume."""
    bad = _pair_left(case)
    auction = replace(case.design, pairs="uniform", capacity="splitting")
    best = _run(auction, case.grid, no_orders(), case.orders, case.capacity_wh, case.flow_wh)
    return bad | (_welfare(case) < _welfare(best)) | (_traded(case) < _traded(best))


def _pair_left(case: Case) -> Bad:
    left = case.orders["energy"] - case.outcome.filled_wh
    bad = np.zeros(case.markets, np.bool_)
    for market in range(case.markets):
        rows = case.orders[(case.orders["market"] == market) & (left > 0)]
        sells, buys = rows[rows["side"] == Side.SELL], rows[rows["side"] == Side.BUY]
        near = sells["area"][:, None] == buys["area"][None, :]
        other = sells["party"][:, None] != buys["party"][None, :]
        bad[market] = (near & other & (sells["price"][:, None] <= buys["price"][None, :])).any()
    return bad


def _welfare(case: Case) -> Int:
    sign = np.where(case.orders["side"] == Side.BUY, 1, -1)
    return _per_market(case, case.orders, sign * case.orders["price"].astype(np.int64) * case.outcome.filled_wh)


def _traded(case: Case) -> Int:
    return _per_market(case, case.outcome.contracts, case.outcome.contracts["energy"])


def _permutation(case: Case) -> Bad:
    """Another order of arrival changes a price, the volume or the money paid."""
    orders = case.orders.copy()
    orders["sequence"] = orders["sequence"].max(initial=0) - orders["sequence"]
    other = _run(case.design, case.grid, case.resting, orders, case.capacity_wh, case.flow_wh)
    bad = _traded(case) != _traded(other)
    for price in ("sell_price", "buy_price"):
        bad = bad | (_paid(case, price) != _paid(other, price))
    if case.outcome.price is not None and other.outcome.price is not None:
        bad = bad | (case.outcome.price != other.outcome.price).any(axis=1)
    return np.asarray(bad, np.bool_)


def _paid(case: Case, price: str) -> Int:
    table = case.outcome.contracts
    return _per_market(case, table, table[price].astype(np.int64) * table["energy"])


ALWAYS: dict[str, Callable[[Case], Bad]] = {
    "conservation": _conservation,
    "limits": _limits,
    "capacity": _capacity,
    "batch-equals-alone": _batch,
}
CLAIMS: dict[str, Callable[[Case], Bad]] = {
    "budget-balanced": _budget,
    "individually-rational": _limits,
    "volume-maximal": _volume,
    "permutation-invariant": _permutation,
}
