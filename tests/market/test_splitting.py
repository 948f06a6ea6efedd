"""Market splitting against a linear program, brute force over prices, and the contracts that follow."""

from dataclasses import replace

import numpy as np
import pytest

from market.design import find_design
from market.exchange import NO_PRICE, Outcome, trade
from market.gathering_kernels import sort_markets
from market.grid import Grid, Line
from market.orders import Side, no_orders
from market.splitting import cancelled_by_splitting_wh, clear_without_limits, gather
from market.tables import Table
from market.units import Int
from tests.reference.markets import order_table, random_grid, random_orders, random_rooms
from tests.reference.splitting import best_welfare_and_volume, rooms, smallest_prices

SPOT = replace(find_design("spot"), tick_mjpy_kwh=1)
NOW = np.zeros(1, np.int64)
TWO = Grid(("north", "south"), (Line("north-south", 0, 1),))


def clear(grid: Grid, orders: Table, capacity: Int, flow: Int | None = None, netting: bool = True) -> Outcome:
    """One auction call without committed use unless given."""
    flow = np.zeros_like(capacity) if flow is None else flow
    return trade(replace(SPOT, netting=netting), grid, no_orders(), orders, capacity, flow, NOW)


def random_case(seed: int, markets: int = 3, most_areas: int = 6) -> tuple[Grid, Table, Int, Int]:
    """A random network with a few random markets on it."""
    rng = np.random.default_rng(seed)
    grid = random_grid(rng, most_areas)
    return grid, random_orders(rng, grid, markets), *random_rooms(rng, grid, markets)


def check_against_linear_program(seed: int, most_areas: int = 6) -> None:
    """Welfare within half a unit of HiGHS, volume the largest of any optimal allocation."""
    grid, orders, capacity, flow = random_case(seed, most_areas=most_areas)
    outcome = clear(grid, orders, capacity, flow)
    signed = np.where(orders["side"] == Side.BUY, 1, -1) * orders["price"].astype(np.int64) * outcome.filled_wh
    for market in range(len(capacity)):
        here = orders["market"] == market
        welfare, volume = best_welfare_and_volume(grid, orders[here], rooms(capacity[market], flow[market]))
        assert abs(signed[here].sum() - welfare) < 0.5
        assert abs(outcome.filled_wh[here & (orders["side"] == Side.SELL)].sum() - volume) < 0.5


@pytest.mark.parametrize("block", range(10))
def test_welfare_and_volume_equal_those_of_a_linear_program(block: int) -> None:
    """400 random networks in 10 blocks, with loops, islands, one-way lines and committed flow."""
    for seed in range(40 * block, 40 * block + 40):
        check_against_linear_program(seed)


def test_ten_areas_are_as_exact_as_two() -> None:
    """The largest grids whose connected sets are enumerated."""
    for seed in range(5_000, 5_040):
        check_against_linear_program(seed, most_areas=10)


def test_wide_prices_and_deep_books_are_proved_on_every_market() -> None:
    """40 networks of up to ten areas, 20 markets each, hundreds of orders at JEPX prices: the certificate holds."""
    rng = np.random.default_rng(11)
    for _ in range(40):
        grid = random_grid(rng, most_areas=10)
        orders = random_orders(rng, grid, 20, most=200, low=10, high=999_990)
        orders["energy"] *= 50_000
        capacity, flow = (50_000 * table for table in random_rooms(rng, grid, 20))
        outcome = clear(grid, orders, 20 * capacity, 20 * flow)
        assert (outcome.filled_wh + outcome.expired_wh == orders["energy"]).all()


def test_rows_in_any_order_give_what_rows_in_order_of_arrival_give() -> None:
    """Markets mixed, sequence decides: the same prices and contracts as from a table that is sorted already."""
    grid, orders, capacity, flow = random_case(77, markets=30)
    sorted_rows, mixed = clear(grid, orders, capacity, flow), np.random.default_rng(5).permutation(len(orders))
    shuffled = clear(grid, orders[mixed], capacity, flow)
    assert (sorted_rows.contracts == shuffled.contracts).all()
    assert (sorted_rows.filled_wh[mixed] == shuffled.filled_wh).all()


@pytest.mark.parametrize("size", [1, 23, 25, 400, 3_000])
def test_deep_books_are_sorted_by_area_price_side_and_arrival(size: int) -> None:
    """Insertion, narrow and wide digits: each gives the order that sorting by columns gives."""
    rng = np.random.default_rng(size)
    grid = random_grid(rng, 6)
    orders = random_orders(rng, grid, 4, most=0)
    rows = [
        (market, int(rng.integers(len(grid.areas))), Side(int(rng.integers(1, 3))), int(rng.integers(-500, 90_000)), 1)
        for market in range(3)
        for _ in range(size)
    ]
    orders = order_table(rows)  # type: ignore[arg-type]
    bids = gather(grid, orders, 3)
    sort_markets(bids, SPOT.band_mjpy_kwh[0], 0, 3)
    price = np.where(orders["side"] == Side.SELL, np.maximum(orders["price"], SPOT.band_mjpy_kwh[0]), orders["price"])
    expected = np.lexsort((orders["sequence"], orders["side"], price, orders["area"], orders["market"]))
    assert (bids.place == expected).all()
    assert (bids.price == price[expected]).all()


def test_threads_and_neighbours_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Markets shared among threads, each started from its neighbour's prices, give what each market alone gives."""
    rng = np.random.default_rng(3)
    grid = random_grid(rng, 6)
    orders = random_orders(rng, grid, 60, most=40)
    capacity, flow = random_rooms(rng, grid, 60)
    one = clear(grid, orders, capacity, flow)
    monkeypatch.setattr("market.splitting.SHARED_FROM", 1)
    shared = clear(grid, orders, capacity, flow)
    for name in ("contracts", "filled_wh", "flow_wh", "price"):
        assert (getattr(one, name) == getattr(shared, name)).all()
    for market in range(60):
        alone = orders[orders["market"] == market].copy()
        alone["market"] = 0
        outcome = clear(grid, alone, capacity[market : market + 1], flow[market : market + 1])
        assert outcome.price is not None
        assert one.price is not None
        assert (outcome.price[0] == one.price[market]).all()


def test_a_market_that_cannot_be_proved_stops_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail-stop: no result is given when the certificate does not hold."""
    grid, orders, capacity, flow = random_case(1)
    monkeypatch.setattr("market.splitting_kernels.clear_table", lambda *_: (0, 3, 2, None, None))
    with pytest.raises(AssertionError, match="market 3 could not be proved optimal"):
        clear(grid, orders, capacity, flow)
    monkeypatch.setattr("market.splitting_kernels.clear_markets", lambda *_: (3, 2))
    monkeypatch.setattr("market.splitting.SHARED_FROM", 1)
    with pytest.raises(AssertionError, match="market 3 could not be proved optimal"):
        clear(grid, orders, capacity, flow)


@pytest.mark.parametrize(("column", "value"), [("market", 9), ("area", 200), ("side", 3), ("side", 0)])
def test_rows_outside_the_markets_or_the_grid_are_misuse(column: str, value: int) -> None:
    """Admission refuses such rows; a caller who passes them is told."""
    orders = order_table([(0, 0, Side.SELL, 12, 4)])
    orders[column] = value
    with pytest.raises(ValueError, match="an order"):
        clear(TWO, orders, np.zeros((1, 1, 2), np.int64))


@pytest.mark.slow
def test_welfare_and_volume_equal_those_of_a_linear_program_on_many_networks() -> None:
    """3,000 random networks of three markets each."""
    for seed in range(1_000, 4_000):
        check_against_linear_program(seed)


@pytest.mark.parametrize("seed", range(60))
def test_prices_are_the_smallest_optimal_vector(seed: int) -> None:
    """Brute force over every price vector of up to three areas."""
    grid, orders, capacity, flow = random_case(seed, markets=1, most_areas=3)
    orders["price"] = 10 + (orders["price"] - 10) % 7
    found = clear(grid, orders, capacity, flow).price
    assert found is not None
    wanted = smallest_prices(grid, orders, rooms(capacity[0], flow[0]), 10, 17)
    assert all(p in (NO_PRICE, w) for p, w in zip(found[0], wanted, strict=True))


def test_no_order_in_the_money_is_refused_and_none_out_of_it_filled() -> None:
    """Prices support the allocation, with a price in every area where something is filled."""
    for seed in range(200):
        grid, orders, capacity, flow = random_case(seed)
        outcome = clear(grid, orders, capacity, flow)
        assert outcome.price is not None
        price = outcome.price[orders["market"], orders["area"]]
        gain = np.where(orders["side"] == Side.BUY, 1, -1) * (orders["price"] - price)
        priced = price != NO_PRICE
        assert (outcome.filled_wh[~priced] == 0).all()
        assert (outcome.filled_wh[priced & (gain < 0)] == 0).all()
        assert (outcome.filled_wh[priced & (gain > 0)] == orders["energy"][priced & (gain > 0)]).all()


def test_flows_stay_in_their_room_and_run_towards_the_higher_price() -> None:
    """A line with a price gap is full; no line carries more than capacity less committed flow."""
    for seed in range(200):
        grid, orders, capacity, flow = random_case(seed)
        outcome = clear(grid, orders, capacity, flow)
        assert outcome.price is not None
        used = outcome.flow_wh - flow
        assert ((used == 0).any(axis=2) & (used >= 0).all(axis=2)).all()
        new = used[:, :, 0] - used[:, :, 1]
        for market in range(len(capacity)):
            room = rooms(capacity[market], flow[market])
            assert (new[market] <= room[:, 0]).all()
            assert (-new[market] <= room[:, 1]).all()
            for number, line in enumerate(grid.lines):
                ends = outcome.price[market, [line.source, line.target]]
                if NO_PRICE in ends or ends[0] == ends[1]:
                    continue
                full = room[number, 0] if ends[1] > ends[0] else -room[number, 1]
                assert new[market, number] == full


def test_contracts_add_up_to_fills_and_flows() -> None:
    """Every order's contracts sum to its fill, every line's contracts to its new flow, prices never fall."""
    for seed in range(200):
        grid, orders, capacity, flow = random_case(seed)
        outcome = clear(grid, orders, capacity, flow)
        contracts = outcome.contracts
        sums = np.bincount(contracts["sell_reference"], contracts["energy"], len(orders))
        sums += np.bincount(contracts["buy_reference"], contracts["energy"], len(orders))
        assert (sums == outcome.filled_wh).all()
        moved = flow.copy()
        for row in contracts:
            assert row["energy"] > 0
            assert row["sell_price"] <= row["buy_price"]
            assert row["slot"] == 100 + row["market"]
            for step in grid.paths[row["path"]]:
                moved[row["market"], abs(step) - 1, 0 if step > 0 else 1] += row["energy"]
        assert (moved == outcome.flow_wh).all()


def test_a_contract_path_leads_from_the_sellers_to_the_buyers_area() -> None:
    """The path row belongs to the pair of areas of the two orders."""
    for seed in range(100):
        grid, orders, capacity, flow = random_case(seed)
        contracts = clear(grid, orders, capacity, flow).contracts
        source = orders["area"][contracts["sell_reference"]]
        target = orders["area"][contracts["buy_reference"]]
        low, high = grid.path_ranges[source, target].T
        assert ((low <= contracts["path"]) & (contracts["path"] < high)).all()


def test_a_batch_of_markets_equals_each_market_alone() -> None:
    """Prices, fills, flows and contracts do not depend on what else is in the call."""
    for seed in range(60):
        grid, orders, capacity, flow = random_case(seed, markets=5)
        together = clear(grid, orders, capacity, flow)
        for market in range(5):
            here = orders["market"] == market
            alone_orders = orders[here].copy()
            alone_orders["market"] = 0
            alone = clear(grid, alone_orders, capacity[market : market + 1], flow[market : market + 1])
            assert together.price is not None
            assert alone.price is not None
            assert (alone.price[0] == together.price[market]).all()
            assert (alone.filled_wh == together.filled_wh[here]).all()
            assert (alone.flow_wh[0] == together.flow_wh[market]).all()
            same = together.contracts[together.contracts["market"] == market].copy()
            same["market"] = 0
            assert (alone.contracts == same).all()


def test_the_order_of_rows_in_the_table_does_not_matter() -> None:
    """Only `sequence` says who came first."""
    rng = np.random.default_rng(5)
    for seed in range(50):
        grid, orders, capacity, flow = random_case(seed)
        shuffle = rng.permutation(len(orders))
        first, second = clear(grid, orders, capacity, flow), clear(grid, orders[shuffle], capacity, flow)
        assert (first.filled_wh[shuffle] == second.filled_wh).all()
        assert (first.contracts == second.contracts).all()


@pytest.mark.parametrize(("netting", "room"), [(True, 50), (False, 40)])
def test_committed_use_leaves_only_the_rest_of_the_line(netting: bool, room: int) -> None:
    """Room = capacity - use, plus the use the other way where opposite flows net."""
    orders = order_table([(0, 0, Side.SELL, 10, 100), (0, 1, Side.BUY, 30, 100)])
    outcome = clear(TWO, orders, np.array([[[60, 0]]]), np.array([[[20, 10]]]), netting)
    assert outcome.flow_wh.tolist() == [[[20 + room, 10]]]
    assert outcome.filled_wh.tolist() == [room, room]


def test_a_line_whose_capacity_fell_below_its_use_takes_nothing_more() -> None:
    """Negative room counts as none."""
    orders = order_table([(0, 0, Side.SELL, 10, 100), (0, 1, Side.BUY, 30, 100)])
    outcome = clear(TWO, orders, np.array([[[5, 0]]]), np.array([[[20, 0]]]))
    assert outcome.flow_wh.tolist() == [[[20, 0]]]
    assert len(outcome.contracts) == 0


def test_a_line_that_could_carry_more_makes_one_price() -> None:
    """All of a small offer crosses a wide line: the line is not full, so there is no gap."""
    orders = order_table([(0, 0, Side.SELL, 11, 4), (0, 1, Side.BUY, 15, 5)])
    price = clear(TWO, orders, np.array([[[7, 0]]])).price
    assert price is not None
    assert price.tolist() == [[15, 15]]


def test_an_area_that_only_passes_energy_on_has_a_price() -> None:
    """Null is for areas where nothing is filled and nothing flows."""
    grid = Grid(("a", "b", "c", "d"), (Line("ab", 0, 1), Line("bc", 1, 2)))
    orders = order_table([(0, 0, Side.SELL, 12, 5), (0, 2, Side.BUY, 20, 9)])
    price = clear(grid, orders, np.full((1, 2, 2), 50)).price
    assert price is not None
    assert price[0].tolist() == [20, 20, 20, NO_PRICE]


def test_the_seller_before_a_full_line_is_paid_the_lower_price() -> None:
    """The gap times the energy is the line's rent."""
    orders = order_table([(0, 0, Side.SELL, 11, 100), (0, 1, Side.SELL, 25, 100), (0, 1, Side.BUY, 40, 90)])
    contracts = clear(TWO, orders, np.array([[[30, 30]]])).contracts
    assert contracts[["sell_price", "buy_price", "energy"]].tolist() == [(25, 25, 60), (11, 25, 30)]


def test_system_price_ignores_every_limit() -> None:
    """All areas cleared as one; splitting then cancels what the full line cannot carry."""
    orders = order_table([(0, 0, Side.SELL, 11, 100), (0, 1, Side.SELL, 45, 100), (0, 1, Side.BUY, 40, 90)])
    capacity, flow = np.array([[[30, 30]]]), np.zeros((1, 1, 2), np.int64)
    assert clear_without_limits(SPOT, TWO, orders, 1).tolist() == [11]
    assert cancelled_by_splitting_wh(SPOT, TWO, orders, capacity, flow).tolist() == [60]
