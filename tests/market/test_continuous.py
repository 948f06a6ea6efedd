"""The continuous book against a plain Python referee: price, time, reach, netting, owners, limits, kinds of rows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.design import find_design
from market.exchange import Outcome, trade
from market.fences import limit_use
from market.grid import Grid, Limit, Line
from market.orders import ORDER, Kind, Side, TimeInForce, no_orders
from market.tables import Table
from market.units import Int
from tests.reference.continuous import trade_one_market
from tests.reference.markets import order_table, random_grid

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
    grid: Grid,
    resting: Table,
    orders: Table,
    capacity: Int,
    use: Int,
    outcome: Outcome,
    netting: bool,
    limit: Int | None = None,
    owner: Int | None = None,
) -> None:
    """Every market of the call against the referee: contracts, codes, fills, rests, lapses, lines."""
    rows = np.concatenate([resting, orders])
    withdrawn = 0
    for market in range(len(capacity)):
        old = np.flatnonzero(resting["market"] == market)
        new = np.flatnonzero(orders["market"] == market)
        bounds = None if limit is None else limit[market]
        book = trade_one_market(grid, resting[old], orders[new], capacity[market], use[market], netting, bounds, owner)
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


def test_an_order_passes_over_its_owners_orders_and_meets_the_next() -> None:
    """Parties 0 and 1 belong to one owner: party 1 buys from party 2 at the worse price, the better one rests on."""
    orders = order_table([(0, 0, Side.SELL, 10, 5), (0, 0, Side.BUY, 20, 5), (0, 0, Side.SELL, 15, 5)])
    orders["party"], orders["sequence"] = [0, 1, 2], [0, 2, 1]
    none = np.zeros((1, 0, 2), np.int64)
    outcome = trade(DGP, ONE, no_orders(), orders, none, none, NOW, owner=np.array([7, 7, 8]))
    assert outcome.contracts[["seller", "buyer", "buy_price"]].tolist() == [(2, 1, 15)]
    assert outcome.resting[["party", "energy"]].tolist() == [(0, 5)]


def test_a_joint_limit_that_a_path_crosses_twice_takes_two_for_each_wh() -> None:
    """From a over b to c both lines count: 9 Wh of bound let 4 Wh pass; opposite flow makes room where flows net."""
    grid = Grid(("a", "b", "c"), LOOP.lines[:2], (Limit("both", (1, 1), 9),))
    orders = order_table([(0, 0, Side.SELL, 10, 50), (0, 2, Side.BUY, 20, 50)])
    room = np.full((1, 2, 2), 50)
    outcome = trade(DGP, grid, no_orders(), orders, room, 0 * room, NOW)
    assert outcome.contracts["energy"].tolist() == [4]
    against = np.array([[[0, 30], [0, 0]]])
    assert trade(DGP, grid, no_orders(), orders, room, against, NOW).contracts["energy"].tolist() == [19]


def random_network(rng: np.random.Generator) -> Grid:
    """One to six areas with islands, loops and parallel lines; most of them with joint limits of any signs."""
    grid = random_grid(rng)
    wanted = int(rng.integers(0, 4)) if grid.lines else 0
    signs = rng.integers(-1, 2, (wanted, len(grid.lines)))
    limits = tuple(
        Limit(f"sum{n}", tuple(int(s) for s in row), int(rng.integers(0, 20))) for n, row in enumerate(signs)
    )
    return replace(grid, limits=limits)


def check_random_network(seed: int, markets: int) -> int:
    """Three calls on a random network, each with what the last one left and with other capacities and bounds.

    Returns how many contracts formed.
    """
    rng = np.random.default_rng(seed)
    grid, netting = random_network(rng), bool(rng.integers(2))
    owner = rng.integers(0, 3, 4) if rng.random() < 0.7 else None
    use, resting, formed = np.zeros((markets, len(grid.lines), 2), np.int64), no_orders(), 0
    for call in range(3):
        capacity = rng.integers(0, 25, use.shape) * rng.integers(0, 2, use.shape)
        bounds = np.array([limit.most_wh for limit in grid.limits], np.int64)
        limit = rng.integers(-3, 20, (markets, len(bounds))) if rng.random() < 0.5 else None
        orders = random_arrivals(rng, grid, markets, 14, call * 100_000)
        outcome = trade(
            replace(DGP, netting=netting), grid, resting, orders, capacity, use, NOW, limit_wh=limit, owner=owner
        )
        check_markets(grid, resting, orders, capacity, use, outcome, netting, limit, owner)
        check_kept(grid, capacity, use, outcome, netting, bounds if limit is None else limit)
        check_owners(outcome.contracts, np.arange(4) if owner is None else owner)
        resting, use, formed = outcome.resting, outcome.flow_wh, formed + len(outcome.contracts)
    return formed


def check_kept(grid: Grid, capacity: Int, before: Int, outcome: Outcome, netting: bool, bound: Int) -> None:
    """No line and no joint limit is over its bound that was not before, and none goes further beyond it."""
    use = outcome.flow_wh
    now, then = (u - u[..., ::-1] if netting else u for u in (use, before))
    assert (now <= np.maximum(capacity, then)).all()
    assert (limit_use(grid, use, netting) <= np.maximum(bound, limit_use(grid, before, netting))).all()


def check_owners(contracts: Table, owner: Int) -> None:
    """Nobody meets itself under another name."""
    assert (owner[contracts["seller"]] != owner[contracts["buyer"]]).all()


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_any_network_with_owners_and_joint_limits_trades_as_the_referee_says(seed: int) -> None:
    """Two markets, three calls: kinds of rows, islands, loops, parallel lines, netting, rooms that fall."""
    check_random_network(seed, 2)


@pytest.mark.slow
def test_twelve_thousand_random_books_of_random_networks() -> None:
    """The same at length: 400 networks, ten markets each, three calls."""
    assert sum(check_random_network(seed, 10) for seed in range(400)) > 10_000
