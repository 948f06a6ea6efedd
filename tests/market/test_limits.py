"""Large grids and joint limits: minimum cuts, fences as lines, other sums by a linear program."""

from dataclasses import replace

import numpy as np
import pytest

from market import splitting
from market.design import find_design
from market.exchange import NO_PRICE, Outcome, trade
from market.fences import expand, fences_of, limit_use
from market.grid import Grid, Limit, Line
from market.orders import Side, no_orders
from market.splitting import clear
from market.tables import Table
from market.units import Int
from tests.reference.markets import order_table, random_grid, random_orders, random_rooms
from tests.reference.splitting import best_welfare_and_volume, rooms

SPOT = replace(find_design("spot"), tick_mjpy_kwh=1)
NOW = np.zeros(1, np.int64)


def auction(grid: Grid, orders: Table, capacity: Int, flow: Int, limit: Int | None = None) -> Outcome:
    """One auction call."""
    return trade(SPOT, grid, no_orders(), orders, capacity, flow, NOW, limit_wh=limit)


def random_mesh(rng: np.random.Generator, areas: int) -> Grid:
    """A connected grid with about as many lines again as a tree has."""
    tree = [(int(rng.integers(0, b)), b) for b in range(1, areas)]
    more = [tuple(int(x) for x in rng.choice(areas, 2, replace=False)) for _ in range(areas // 2)]
    lines = [Line(f"l{n}", a, b) for n, (a, b) in enumerate([*tree, *more])]
    return Grid(tuple(f"a{n}" for n in range(areas)), tuple(lines))


def with_fence(rng: np.random.Generator, grid: Grid) -> Grid:
    """The grid with one or two limits on all or some lines of an area, on what leaves or what enters."""
    limits: list[Limit] = []
    for area in rng.permutation(len(grid.areas))[:2]:
        near = [n for n, line in enumerate(grid.lines) if area in (line.source, line.target)]
        if not near:
            continue
        chosen = {int(n) for n in rng.choice(near, int(rng.integers(1, len(near) + 1)), replace=False)}
        leaves = 1 if rng.random() < 0.5 else -1
        signs = tuple(
            (leaves if line.source == area else -leaves) if n in chosen else 0 for n, line in enumerate(grid.lines)
        )
        limits.append(Limit(f"fence {area}", signs, int(rng.integers(0, 20))))
    return replace(grid, limits=tuple(limits))


def check_welfare(grid: Grid, orders: Table, capacity: Int, flow: Int, outcome: Outcome, lost: int = 0) -> None:
    """Each market's welfare is the linear program's, less at most `lost`; contracts explain flows; limits hold."""
    signed = np.where(orders["side"] == Side.BUY, 1, -1) * orders["price"].astype(np.int64) * outcome.filled_wh
    bounds = np.array([limit.most_wh for limit in grid.limits])
    for market in range(len(capacity)):
        here = orders["market"] == market
        used = limit_use(grid, flow[market : market + 1], True)[0]
        left = np.maximum(bounds - used, 0) if grid.limits else None
        welfare, volume = best_welfare_and_volume(grid, orders[here], rooms(capacity[market], flow[market]), left)
        assert welfare - lost - 0.5 < signed[here].sum() < welfare + 0.5
        if not lost:
            sold = outcome.filled_wh[here & (orders["side"] == Side.SELL)].sum()
            assert abs(sold - volume) < 0.5
    check_contracts(grid, orders, capacity, flow, outcome)


def check_contracts(grid: Grid, orders: Table, capacity: Int, flow: Int, outcome: Outcome) -> None:
    """Contracts add up to fills and flows, never cost the exchange money, and keep lines and limits."""
    booked, filled = flow.copy(), np.zeros(len(orders), np.int64)
    for row in outcome.contracts:
        assert row["sell_price"] <= row["buy_price"]
        filled[[row["sell_reference"], row["buy_reference"]]] += row["energy"]
        for step in outcome.paths[row["path"]]:
            booked[row["market"], abs(step) - 1, 0 if step > 0 else 1] += row["energy"]
        seller, buyer = orders[row["sell_reference"]], orders[row["buy_reference"]]
        passed = grid.areas_of(int(seller["area"]), outcome.paths[row["path"]])
        assert passed[-1] == buyer["area"]
        # a way round an area can keep energy from counting towards its fence; no line is ever passed twice
        assert len(set(passed)) == len(passed) or grid.limits
        assert len({abs(step) for step in outcome.paths[row["path"]]}) == len(outcome.paths[row["path"]])
    assert (filled == outcome.filled_wh).all()
    assert (booked == outcome.flow_wh).all()
    net, before = booked[..., 0] - booked[..., 1], flow[..., 0] - flow[..., 1]
    assert (net <= np.maximum(capacity[..., 0], before)).all()
    assert (-net <= np.maximum(capacity[..., 1], -before)).all()
    if grid.limits:
        bounds = np.array([limit.most_wh for limit in grid.limits])
        assert (limit_use(grid, booked, True) <= np.maximum(bounds, limit_use(grid, flow, True))).all()


def check_support(orders: Table, outcome: Outcome) -> None:
    """At the prices found no order in the money is left, and none out of it is filled."""
    assert outcome.price is not None
    price = outcome.price[orders["market"], orders["area"]]
    known = price != NO_PRICE
    gain = np.where(orders["side"] == Side.BUY, orders["price"] - price, price - orders["price"])
    assert (outcome.filled_wh[known & (gain > 0)] == orders["energy"][known & (gain > 0)]).all()
    assert (outcome.filled_wh[known & (gain < 0)] == 0).all()


def large_case(seed: int) -> tuple[Grid, Table, Int, Int]:
    """A mesh of 11 to 40 areas with two markets."""
    rng = np.random.default_rng(seed)
    grid = random_mesh(rng, int(rng.integers(11, 41)))
    orders = random_orders(rng, grid, 2, most=120)
    return grid, orders, *random_rooms(rng, grid, 2)


def test_grids_of_up_to_forty_areas_are_as_exact_as_small_ones() -> None:
    """Minimum cuts find the steepest set; welfare and volume are the linear program's, prices support the fills."""
    for seed in range(12):
        case = large_case(seed)
        outcome = auction(*case)
        check_welfare(*case, outcome)
        check_support(case[1], outcome)


@pytest.mark.slow
def test_five_hundred_large_grids() -> None:
    """The same at length."""
    for seed in range(1_000, 1_500):
        case = large_case(seed)
        check_welfare(*case, auction(*case))


def test_minimum_cuts_find_the_prices_that_listed_sets_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """On small grids both ways must end at the same smallest price vector."""
    rng = np.random.default_rng(8)
    for _ in range(60):
        grid = random_grid(rng, 7)
        orders = random_orders(rng, grid, 4, most=20)
        capacity, flow = random_rooms(rng, grid, 4)
        listed = auction(grid, orders, capacity, flow)
        with monkeypatch.context() as patch:
            patch.setattr(splitting, "MOST_LISTED", 0)
            splitting.network_of.cache_clear()
            cut = auction(grid, orders, capacity, flow)
        splitting.network_of.cache_clear()
        assert listed.price is not None
        assert (listed.price == cut.price).all()
        assert (listed.filled_wh == cut.filled_wh).all()


def test_a_way_beyond_the_numbered_ones_is_told_with_the_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ring whose path table has room for one way each: the way round is added to the call's own table."""
    monkeypatch.setattr("market.grid.MOST_PATHS", 6)
    ring = Grid(("a", "b", "c"), (Line("ab", 0, 1), Line("bc", 1, 2), Line("ac", 0, 2)))
    assert not ring.has_all_paths
    orders = order_table([(0, 0, Side.SELL, 10, 30), (0, 2, Side.BUY, 20, 30)])
    capacity = np.full((1, 3, 2), 15)
    outcome = auction(ring, orders, capacity, np.zeros_like(capacity))
    assert outcome.paths == (*ring.paths, (1, 2))
    check_contracts(ring, orders, capacity, np.zeros_like(capacity), outcome)


def fence_case(seed: int) -> tuple[Grid, Table, Int, Int]:
    """A random network with one or two fences and committed use, three markets."""
    rng = np.random.default_rng(seed)
    grid = with_fence(rng, random_grid(rng, 6))
    orders = random_orders(rng, grid, 3)
    return grid, orders, *random_rooms(rng, grid, 3)


def run_fences(seeds: range) -> None:
    """Fences that can be lines are exact; the others lose at most what rounding costs."""
    for seed in seeds:
        case = fence_case(seed)
        outcome = auction(*case)
        exact = fences_of(case[0]) is not None
        lost = 0 if exact or outcome.lost_ujpy is None else int(outcome.lost_ujpy.max()) + 1
        check_welfare(*case, outcome, lost)
        check_support(case[1], outcome)


def test_a_fence_is_kept_and_costs_no_exactness() -> None:
    """150 random networks: welfare and volume are those of the linear program with the limit as a row."""
    run_fences(range(150))


def test_a_way_round_an_area_is_kept_where_its_fence_asks_for_it() -> None:
    """Contracts then add up to the flows; found among random networks."""
    run_fences(range(10_394, 10_395))


@pytest.mark.slow
def test_two_thousand_networks_with_fences() -> None:
    """The same at length."""
    run_fences(range(10_000, 12_000))


def test_a_fence_over_two_lines_splits_the_market() -> None:
    """Each line could take 30 Wh, together they may take 40: the price rises across both of them."""
    lines = (Line("ab", 0, 1), Line("ac", 0, 2))
    open_grid = Grid(("a", "b", "c"), lines)
    fenced = Grid(("a", "b", "c"), lines, (Limit("out of a", (1, 1), 40),))
    orders = order_table(
        [
            (0, 0, Side.SELL, 10, 100),
            (0, 1, Side.BUY, 50, 30),
            (0, 2, Side.BUY, 50, 30),
            (0, 1, Side.SELL, 30, 30),
            (0, 2, Side.SELL, 30, 30),
        ]
    )
    room = np.full((1, 2, 2), 35)
    free, held = (auction(grid, orders, room, np.zeros_like(room)) for grid in (open_grid, fenced))
    assert free.price is not None
    assert held.price is not None
    assert free.price.tolist() == [[10, 10, 10]]
    assert held.price.tolist() == [[10, 30, 30]]
    assert limit_use(fenced, held.flow_wh, True).tolist() == [[40]]
    assert len(expand(fenced).areas) == 4


def test_a_limit_given_for_the_slot_stands_in_for_the_grids_own() -> None:
    """Limits move with time as capacities do."""
    grid = Grid(("a", "b"), (Line("ab", 0, 1),), (Limit("out of a", (1,), 40),))
    orders = order_table([(0, 0, Side.SELL, 10, 100), (0, 1, Side.BUY, 50, 100)])
    room = np.full((1, 1, 2), 90)
    moved = auction(grid, orders, room, np.zeros_like(room), np.array([[7]]))
    assert moved.flow_wh[0, 0].tolist() == [7, 0]


def loop_limit_case(seed: int) -> tuple[Grid, Table, Int, Int]:
    """Limits over lines that meet in no one area, or that overlap."""
    rng = np.random.default_rng(seed)
    grid = random_mesh(rng, int(rng.integers(3, 6)))
    signs = [tuple(int(s) for s in rng.integers(-1, 2, len(grid.lines))) for _ in range(2)]
    grid = replace(grid, limits=tuple(Limit(f"sum {n}", s, int(rng.integers(0, 15))) for n, s in enumerate(signs)))
    orders = random_orders(rng, grid, 2)
    capacity, _ = random_rooms(rng, grid, 2)
    return grid, orders, capacity, np.zeros_like(capacity)


def test_other_sums_are_kept_and_what_rounding_costs_is_told() -> None:
    """80 random limits that are no fences: contracts, lines and limits hold, welfare is the program's less the loss."""
    for seed in range(80):
        case = loop_limit_case(seed)
        outcome = auction(*case)
        if outcome.lost_ujpy is None:
            continue
        check_contracts(*case, outcome)
        check_support(case[1], outcome)
        signed = np.where(case[1]["side"] == Side.BUY, 1, -1) * case[1]["price"].astype(np.int64) * outcome.filled_wh
        for market, lost in enumerate(outcome.lost_ujpy):
            here = case[1]["market"] == market
            bounds = np.array([limit.most_wh for limit in case[0].limits])
            room = rooms(case[2][market], case[3][market])
            welfare, _ = best_welfare_and_volume(case[0], case[1][here], room, bounds)
            assert abs(welfare - lost - signed[here].sum()) <= 1


def test_pro_rata_shares_the_margin_in_whole_lots() -> None:
    """Three marginal sellers share 100 Wh of demand as 1 : 2 : 4 by largest remainder; nobody else is touched."""
    design = replace(SPOT, margin="pro-rata", lot_wh=10)
    rows = [
        (0, 0, Side.SELL, 20, 100),
        (0, 0, Side.SELL, 20, 200),
        (0, 0, Side.SELL, 20, 400),
        (0, 0, Side.SELL, 10, 50),
    ]
    orders = order_table([*rows, (0, 0, Side.BUY, 30, 150)])
    none = np.zeros((1, 0, 2), np.int64)
    outcome = trade(design, Grid(("a",)), no_orders(), orders, none, none, NOW)
    assert outcome.filled_wh.tolist() == [10, 30, 60, 50, 150]


def test_pro_rata_changes_neither_price_nor_volume_nor_flow() -> None:
    """Only who fills at the margin: random networks, and every marginal share is within a lot of proportion."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        grid = random_grid(rng, 5)
        orders = random_orders(rng, grid, 3, most=20)
        capacity, flow = random_rooms(rng, grid, 3)
        one = auction(grid, orders, capacity, flow)
        design = replace(SPOT, margin="pro-rata")
        other = trade(design, grid, no_orders(), orders, capacity, flow, NOW)
        assert (one.price == other.price).all()
        assert (one.flow_wh == other.flow_wh).all()
        price = one.price[orders["market"], orders["area"]]  # type: ignore[index]
        at_money = orders["price"] == price
        assert (one.filled_wh[~at_money] == other.filled_wh[~at_money]).all()
        keys = np.stack([orders["market"], orders["area"], orders["side"]])
        for key in np.unique(keys[:, at_money], axis=1).T:
            same = at_money & (keys == key[:, None]).all(0)
            share = one.filled_wh[same].sum() * orders["energy"][same] / orders["energy"][same].sum()
            assert other.filled_wh[same].sum() == one.filled_wh[same].sum()
            assert (np.abs(other.filled_wh[same] - share) < 1).all()


def test_clearing_without_contracts_finds_what_trading_finds() -> None:
    """The timed call of the benchmarks is the engine's own first half."""
    rng = np.random.default_rng(21)
    grid = random_grid(rng, 6)
    orders = random_orders(rng, grid, 10)
    capacity, flow = random_rooms(rng, grid, 10)
    outcome, cleared = auction(grid, orders, capacity, flow), clear(SPOT, grid, orders, capacity, flow)
    assert (outcome.price == cleared.result.price).all()
    assert (outcome.filled_wh[cleared.bids.place] == cleared.result.filled).all()
