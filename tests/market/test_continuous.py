"""The continuous book against a plain Python referee: price, time, reach, netting, cancel, replace, immediate."""

from dataclasses import replace

import numpy as np
import pytest

from market.design import find_design
from market.exchange import Outcome, trade
from market.grid import Grid, Line
from market.orders import ORDER, Kind, TimeInForce, no_orders
from market.tables import Table
from market.units import Int
from tests.reference.continuous import trade_one_market

DGP = replace(find_design("dgp"), tick_mjpy_kwh=1)
ONE = Grid(("town",))
TWO = Grid(("north", "south"), (Line("north-south", 0, 1),))
LOOP = Grid(("a", "b", "c"), (Line("ab", 0, 1), Line("bc", 1, 2), Line("ca", 2, 0)))
NOW = np.array([7])


def random_arrivals(rng: np.random.Generator, grid: Grid, markets: int, most: int, first: int) -> Table:
    """Rows of all kinds with few parties and references, in a shuffled table."""
    market = np.repeat(np.arange(markets), rng.integers(0, most + 1, markets))
    table = np.zeros(len(market), ORDER)
    table["market"], table["slot"] = market, 100 + market
    table["side"] = rng.integers(1, 3, len(table))
    table["kind"] = rng.choice([1, 1, 1, 1, 2, 3], len(table))
    table["time_in_force"] = rng.choice([1, 1, 2], len(table))
    table["area"] = rng.integers(0, len(grid.areas), len(table))
    table["energy"] = rng.integers(1, 12, len(table))
    table["price"] = rng.integers(10, 18, len(table))
    table["party"], table["reference"] = rng.integers(0, 4, len(table)), rng.integers(0, 4, len(table))
    table["energy"][table["kind"] == Kind.CANCEL] = 0
    table["sequence"] = first + rng.permutation(len(table))
    return table


def check_markets(
    grid: Grid, resting: Table, orders: Table, capacity: Int, use: Int, outcome: Outcome, netting: bool
) -> None:
    """Every market of the call against the referee: contracts, codes, fills, rests, lapses, lines."""
    rows = np.concatenate([resting, orders])
    withdrawn = 0
    for market in range(len(capacity)):
        old = np.flatnonzero(resting["market"] == market)
        new = np.flatnonzero(orders["market"] == market)
        book = trade_one_market(grid, resting[old], orders[new], capacity[market], use[market], netting)
        place = np.concatenate([old, len(resting) + new])
        expected = []
        for maker, taker, energy, path in book.fills:
            pair = sorted((int(place[maker]), int(place[taker])), key=lambda n: -int(rows["side"][n]))
            price = int(rows["price"][place[maker]])
            names = (int(rows["party"][pair[0]]), int(rows["party"][pair[1]]))
            references = (int(rows["reference"][pair[0]]), int(rows["reference"][pair[1]]))
            expected.append((*names, energy, price, price, path, *references, 100 + market, 7))
        found = outcome.contracts[outcome.contracts["market"] == market]
        columns = ["seller", "buyer", "energy", "sell_price", "buy_price", "path", "sell_reference", "buy_reference"]
        assert found[[*columns, "slot", "formed"]].tolist() == expected
        assert [int(outcome.codes[n]) for n in new] == [book.codes[len(old) + n] for n in range(len(new))]
        assert [int(outcome.expired_wh[n]) for n in new] == [book.lapsed.get(len(old) + n, 0) for n in range(len(new))]
        left = {int(row["sequence"]): int(row["energy"]) for row in outcome.resting if row["market"] == market}
        assert left == {int(rows["sequence"][place[order.row]]): order.left for order in book.live}
        assert outcome.flow_wh[market].tolist() == book.use
        withdrawn += book.withdrawn
    assert outcome.cancelled_wh == withdrawn


@pytest.mark.parametrize("netting", [True, False])
@pytest.mark.parametrize("grid", [ONE, TWO, LOOP], ids=["one-area", "two-areas", "loop"])
def test_two_thousand_random_books_trade_as_the_referee_says(grid: Grid, netting: bool) -> None:
    """350 markets in each of six settings, two calls each; the second meets the resting orders of the first."""
    rng = np.random.default_rng(len(grid.areas))
    design = replace(DGP, netting=netting)
    capacity = rng.integers(0, 25, (350, len(grid.lines), 2))
    use, resting = np.zeros_like(capacity), no_orders()
    for first in (0, 100_000):
        orders = random_arrivals(rng, grid, 350, 12, first)
        outcome = trade(design, grid, resting, orders, capacity, use, NOW)
        check_markets(grid, resting, orders, capacity, use, outcome, netting)
        resting, use = outcome.resting, outcome.flow_wh


def test_a_long_book_trades_as_the_referee_says() -> None:
    """One market with hundreds of orders."""
    rng = np.random.default_rng(3)
    orders = random_arrivals(rng, LOOP, 1, 600, 0)
    orders["reference"] = rng.integers(0, 80, len(orders))
    capacity = rng.integers(0, 300, (1, 3, 2))
    use = np.zeros_like(capacity)
    outcome = trade(DGP, LOOP, no_orders(), orders, capacity, use, NOW)
    assert len(outcome.contracts) > 20
    check_markets(LOOP, no_orders(), orders, capacity, use, outcome, True)


def test_an_immediate_order_never_rests() -> None:
    """What it cannot trade at once lapses."""
    orders = random_arrivals(np.random.default_rng(4), ONE, 50, 8, 0)
    outcome = trade(DGP, ONE, no_orders(), orders, np.zeros((50, 0, 2), np.int64), np.zeros((50, 0, 2), np.int64), NOW)
    assert len(outcome.resting) > 0
    assert (outcome.resting["time_in_force"] == TimeInForce.UNTIL_GATE).all()
