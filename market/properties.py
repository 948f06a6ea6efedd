"""What a market design must hold and may claim, each as a test of one traded case: True where it does not hold.

Always:

- `conservation`: what is given is refused, filled, resting, withdrawn or lapsed; contracts add up to fills;
- `capacity`: no line beyond its room; use booked = use of the contracts' paths;
- `batch-equals-alone`: a market traded alone gives the same as in a batch.

When claimed:

- `weakly-budget-balanced`: no contract costs the exchange money; `strongly-budget-balanced`: and none leaves it any,
  save the rent of lines that are crossed;
- `individually-rational`: nobody trades beyond its limit price; `rational-against-retail`: nobody trades at a price
  worse than the retailer's in its area;
- `volume-maximal`: no pair that could trade in its area is left; welfare and volume are those of the optimal auction;
- `permutation-invariant`: who came first changes neither price nor volume nor money;
- `own-price-monotone`: who asks for more sells no more, who offers less buys no more;
- `truthful`: a party with one order gains nothing by another price than its own (no gain from each of some false
  prices, at its true value of the energy it trades).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from market.orders import Kind, Side, no_orders
from market.tables import Table
from market.trials import MOST_ORDERS, Case, alone, only, run
from market.units import Int

Bad = npt.NDArray[np.bool_]
"""(markets,) True where a property does not hold."""
Check = Callable[[Case], Bad]
SHIFTS = (-5, -1, 1, 5)
"""False prices tried, in ticks from the true one."""

Key = tuple[int, int, int]


def per_market(case: Case, table: Table, amount: Int) -> Int:
    """Sum of an amount per row over each market."""
    total = np.zeros(case.markets, np.int64)
    np.add.at(total, table["market"], amount)
    return total


def _key(row: Table, who: str, reference: str) -> Key:
    return int(row["market"]), int(row[who]), int(row[reference])


def conservation(case: Case) -> Bad:
    """Energy is lost or made, or fills differ from contracts."""
    out = case.outcome
    admitted = np.where((out.codes == 0) & (case.orders["kind"] != Kind.CANCEL), case.orders["energy"], 0)
    given = per_market(case, case.orders, admitted) + per_market(case, case.resting, case.resting["energy"])
    sold_and_bought = 2 * per_market(case, out.contracts, out.contracts["energy"])
    left = per_market(case, out.resting, out.resting["energy"]) + per_market(case, case.orders, out.expired_wh)
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


def capacity(case: Case) -> Bad:
    """Use booked differs from the contracts' paths, or (net) use passed the capacity in this call."""
    booked = case.flow_wh.copy()
    paths = case.outcome.paths or case.grid.paths
    for row in case.outcome.contracts:
        for step in paths[row["path"]]:
            booked[row["market"], abs(step) - 1, 0 if step > 0 else 1] += row["energy"]
    before, after = case.flow_wh, case.outcome.flow_wh
    if case.design.netting:
        before, after = before - before[:, :, ::-1], after - after[:, :, ::-1]
    beyond = after > np.maximum(case.capacity_wh, before)
    return np.asarray((beyond | (booked != case.outcome.flow_wh)).any(axis=(1, 2)), np.bool_)


def batch_equals_alone(case: Case) -> Bad:
    """A market alone gives other contracts, resting orders, lines or prices than in the batch."""
    return np.array([not _same_alone(case, market) for market in range(case.markets)], np.bool_)


def _same_alone(case: Case, market: int) -> bool:
    one, whole = alone(case, market).outcome, case.outcome
    for here, there in ((one.contracts, whole.contracts), (one.resting, whole.resting)):
        if not np.array_equal(here, only(there, market)):
            return False
    same_price = one.price is None or whole.price is None or bool((one.price[0] == whole.price[market]).all())
    return same_price and bool((one.flow_wh[0] == whole.flow_wh[market]).all())


def _left_over(case: Case) -> tuple[Table, Int]:
    table = case.outcome.contracts
    return table, table["buy_price"].astype(np.int64) - table["sell_price"]


def budget_deficit(case: Case) -> Bad:
    """A contract pays its seller more than its buyer pays."""
    table, left = _left_over(case)
    return per_market(case, table, (left < 0).astype(np.int64)) > 0


def budget_left_over(case: Case) -> Bad:
    """As `budget_deficit`, or a contract leaves money though it crosses no line."""
    table, left = _left_over(case)
    return per_market(case, table, ((left < 0) | ((left > 0) & (table["path"] == 0))).astype(np.int64)) > 0


def beyond_limit(case: Case) -> Bad:
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


def worse_than_retail(case: Case) -> Bad:
    """A seller gets less than the retailer pays in its area, or a buyer pays more than the retailer asks."""
    area = {_key(row, "party", "reference"): int(row["area"]) for row in case.orders}
    bad = np.zeros(case.markets, np.bool_)
    for row in case.outcome.contracts:
        market = int(row["market"])
        sells, buys = area[_key(row, "seller", "sell_reference")], area[_key(row, "buyer", "buy_reference")]
        bad[market] |= row["sell_price"] < case.retail[market, sells, 1]
        bad[market] |= row["buy_price"] > case.retail[market, buys, 0]
    return bad


def not_volume_maximal(case: Case) -> Bad:
    """A pair is left that could trade in its own area, or the optimal auction reaches more welfare or volume."""
    auction = replace(case.design, pairs="uniform", capacity="splitting", rule="")
    best = run(replace(case, design=auction, resting=no_orders()))
    return _pair_left(case) | (_welfare(case) < _welfare(best)) | (_traded(case) < _traded(best))


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
    return per_market(case, case.orders, sign * case.orders["price"].astype(np.int64) * case.outcome.filled_wh)


def _traded(case: Case) -> Int:
    return per_market(case, case.outcome.contracts, case.outcome.contracts["energy"])


def depends_on_arrival(case: Case) -> Bad:
    """Another order of arrival changes a price, the volume or the money paid."""
    orders = case.orders.copy()
    orders["sequence"] = orders["sequence"].max(initial=0) - orders["sequence"]
    other = run(replace(case, orders=orders))
    bad = _traded(case) != _traded(other)
    for price in ("sell_price", "buy_price"):
        bad = bad | (_paid(case, price) != _paid(other, price))
    if case.outcome.price is not None and other.outcome.price is not None:
        bad = bad | (case.outcome.price != other.outcome.price).any(axis=1)
    return np.asarray(bad, np.bool_)


def _paid(case: Case, price: str) -> Int:
    table = case.outcome.contracts
    return per_market(case, table, table[price].astype(np.int64) * table["energy"])


class Lie(NamedTuple):
    """Another price in one order of each market that has so many: its row and true price, and what comes of it.

    more_wh, gain_ujpy (orders with a lie,): how much more it trades, and its gain at the true price.
    """

    row: Int
    price: Int
    worse: Bad
    more_wh: Int
    gain_ujpy: Int


def lies(case: Case) -> Iterator[Lie]:
    """Each order of a plain case in turn with each of some other prices."""
    first = np.searchsorted(case.orders["market"], np.arange(case.markets))
    count = np.bincount(case.orders["market"], minlength=case.markets)
    low, high = case.design.band_mjpy_kwh
    for place in range(MOST_ORDERS):
        row = (first + place)[count > place]
        for shift in SHIFTS:
            true = case.orders["price"][row].astype(np.int64)
            price = np.clip(true + shift * case.design.tick_mjpy_kwh, low, high)
            orders = case.orders.copy()
            orders["price"][row] = price
            other = run(replace(case, orders=orders))
            worse = np.where(orders["side"][row] == Side.SELL, price >= true, price <= true)
            more = other.outcome.filled_wh[row] - case.outcome.filled_wh[row]
            gain = _value(case, other, row) - _value(case, case, row)
            yield Lie(row, price, worse, more, gain)


def _value(true: Case, case: Case, row: Int) -> Int:
    """What the parties of some rows gain in a case at their true prices [uJPY]; one order a party."""
    value = np.zeros((case.markets, MOST_ORDERS), np.int64)
    limit = np.zeros_like(value)
    orders = true.orders
    limit[orders["market"], orders["party"]] = orders["price"]
    for who, price, sign in (("seller", "sell_price", 1), ("buyer", "buy_price", -1)):
        table = case.outcome.contracts
        at = (table["market"], table[who])
        np.add.at(value, at, sign * (table[price].astype(np.int64) - limit[at]) * table["energy"])
    return np.asarray(value[orders["market"][row], orders["party"][row]])


def not_monotone(case: Case) -> Bad:
    """An order with a worse price trades more."""
    bad = np.zeros(case.markets, np.bool_)
    for lie in lies(case):
        bad[case.orders["market"][lie.row[lie.worse & (lie.more_wh > 0)]]] = True
    return bad


def not_truthful(case: Case) -> Bad:
    """An order with a false price gains."""
    bad = np.zeros(case.markets, np.bool_)
    for lie in lies(case):
        bad[case.orders["market"][lie.row[lie.gain_ujpy > 0]]] = True
    return bad


ALWAYS: dict[str, Check] = {
    "conservation": conservation,
    "capacity": capacity,
    "batch-equals-alone": batch_equals_alone,
}
CLAIMS: dict[str, Check] = {
    "strongly-budget-balanced": budget_left_over,
    "weakly-budget-balanced": budget_deficit,
    "individually-rational": beyond_limit,
    "rational-against-retail": worse_than_retail,
    "volume-maximal": not_volume_maximal,
    "permutation-invariant": depends_on_arrival,
    "own-price-monotone": not_monotone,
    "truthful": not_truthful,
}
ON_RESTING_TOO = ("strongly-budget-balanced", "weakly-budget-balanced", "individually-rational")
"""Claims that also hold, and are tried, where orders rest, are replaced and are withdrawn."""
