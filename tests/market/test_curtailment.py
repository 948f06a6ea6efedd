"""Curtailment against a plain referee: last formed first, flows fit, nothing cut in vain, both parties made whole."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.contracts import CONTRACT, Source
from market.curtailment import (
    Curtailment,
    compensation,
    curtail,
    find_overflow,
    keep_rest,
    post_curtailment,
    prices_instead,
    take_back,
)
from market.design import MarketDesign, find_design
from market.grid import Grid, Limit, Line
from market.pairing import count_ways, limit_room
from market.settlement import KINDS, Accounts, PostingKind, Terms, post_contracts
from market.tables import Table
from market.units import Int
from tests.reference.curtailment import Held, Lines
from tests.reference.markets import random_grid

DGP = find_design("dgp")
GROSS = replace(DGP, netting=False)
TERMS = Terms(7_000, 3_000, 500, 2_000, 1_000, 100, 50)
TWO = Grid(("north", "south"), (Line("north-south", 0, 1),))
CHAIN = Grid(("a", "b", "c"), (Line("ab", 0, 1), Line("bc", 1, 2)))
seeds = st.integers(0, 2**32 - 1)


def deal(grid: Grid, *rows: tuple[tuple[int, ...], int]) -> Table:
    """Contracts of market 0 from (path, energy), in order of formation."""
    contracts = np.zeros(len(rows), CONTRACT)
    contracts["path"] = [grid.paths.index(path) for path, _ in rows]
    contracts["energy"] = [energy for _, energy in rows]
    return contracts


def flow_of(grid: Grid, contracts: Table, markets: int = 1) -> Int:
    """Use of lines by the contracts (markets, lines, 2)."""
    flow = np.zeros((markets, len(grid.lines), 2), np.int64)
    np.add.at(flow, contracts["market"], count_ways(grid)[contracts["path"]] * contracts["energy"][:, None, None])
    return flow


def cut_of(grid: Grid, contracts: Table, capacity: list[list[int]], design: MarketDesign = DGP) -> list[int]:
    """What each contract of market 0 loses when the lines have this capacity."""
    return curtail(design, grid, contracts, np.array([capacity]), flow_of(grid, contracts)).cut_wh.tolist()


def test_the_contract_formed_last_is_cut_first_and_the_next_in_part() -> None:
    """30, 20 and 10 over a line of 60 that falls to 35: the last goes, the one before loses 15, the first stays."""
    contracts = deal(TWO, ((1,), 30), ((1,), 20), ((1,), 10))
    assert cut_of(TWO, contracts, [[60, 0]]) == [0, 0, 0]
    assert cut_of(TWO, contracts, [[35, 0]]) == [0, 15, 10]
    assert cut_of(TWO, contracts, [[0, 0]]) == [30, 20, 10]


def test_the_slot_of_formation_comes_before_the_place_in_the_table() -> None:
    """A contract formed later is cut first, wherever its row stands; within one slot the later row is."""
    contracts = deal(TWO, ((1,), 30), ((1,), 20), ((1,), 10))
    contracts["formed"] = [9, 4, 4]
    assert cut_of(TWO, contracts, [[25, 0]]) == [30, 0, 5]


def test_a_contract_that_relieves_the_line_stays() -> None:
    """40 forward against 25 backward are 15; at a room of 5 the forward one loses 10, though it formed first."""
    contracts = deal(TWO, ((1,), 40), ((-1,), 25))
    assert cut_of(TWO, contracts, [[5, 50]]) == [10, 0]


def test_where_flows_do_not_net_each_direction_is_cut_by_itself() -> None:
    """The same contracts with a room of 5 each way: both are cut down to it."""
    contracts = deal(TWO, ((1,), 40), ((-1,), 25))
    assert cut_of(TWO, contracts, [[5, 50]], GROSS) == [35, 0]
    assert cut_of(TWO, contracts, [[5, 5]], GROSS) == [35, 20]


def test_a_contract_whose_room_was_made_by_a_cut_one_is_cut_too() -> None:
    """From c to b only the flow from a over b to c made room: what that loses on line ab, the other loses as well."""
    contracts = deal(CHAIN, ((1, 2), 25), ((-2,), 25))
    assert cut_of(CHAIN, contracts, [[10, 10], [5, 0]]) == [15, 15]


def test_what_a_later_cut_makes_needless_is_given_back() -> None:
    """The last contract loses all 10 for line ab; bc takes 8 off the first, so that 8 of the last fit again."""
    contracts = deal(CHAIN, ((1, 2), 20), ((1,), 10))
    assert cut_of(CHAIN, contracts, [[20, 0], [12, 0]]) == [8, 2]
    assert cut_of(CHAIN, contracts, [[22, 0], [12, 0]]) == [8, 0]


def test_a_joint_limit_is_cut_like_a_line() -> None:
    """Both lines together may carry 11: the path over both takes two for each Wh, so it loses 5 of 10, not 4.5."""
    grid = replace(CHAIN, limits=(Limit("both", (1, 1), 11),))
    contracts = deal(grid, ((1, 2), 10))
    assert cut_of(grid, contracts, [[50, 50], [50, 50]]) == [5]
    capacity, flow = np.full((1, 2, 2), 50), flow_of(grid, contracts)
    assert curtail(DGP, grid, contracts, capacity, flow, limit_wh=np.array([[20]])).count == 0


def test_cuts_are_counted_by_line_and_direction() -> None:
    """Two contracts cut over ab, one of them over bc too: 2 and 1, with their energy."""
    contracts = deal(CHAIN, ((1,), 10), ((1, 2), 6), ((1,), 4))
    result = curtail(DGP, CHAIN, contracts, np.array([[[12, 0], [6, 0]]]), flow_of(CHAIN, contracts))
    assert result.cut_wh.tolist() == [0, 4, 4]
    assert result.line_cuts.tolist() == [[2, 0], [1, 0]]
    assert result.line_cut_wh.tolist() == [[8, 0], [4, 0]]
    assert (result.count, result.energy_wh) == (2, 8)


def test_flow_that_no_contract_explains_is_told_and_not_cut() -> None:
    """30 of the flow are of contracts that are not in the table: 30 less 10 of room are still over."""
    contracts = deal(TWO, ((1,), 5))
    result = curtail(DGP, TWO, contracts, np.array([[[10, 0]]]), np.array([[[35, 0]]]))
    assert (result.cut_wh.tolist(), result.over_wh.tolist()) == ([5], [20])


def test_a_path_the_grid_does_not_number_is_a_misuse() -> None:
    """The kernel would read beyond its table."""
    contracts = deal(TWO, ((1,), 5))
    contracts["path"] = 99
    with pytest.raises(ValueError, match="path"):
        curtail(DGP, TWO, contracts, np.zeros((1, 1, 2), np.int64), np.zeros((1, 1, 2), np.int64))


def random_case(rng: np.random.Generator, markets: int) -> tuple[MarketDesign, Grid, Table, Int, Int]:
    """Random contracts over a random network with joint limits; capacities far below what they need."""
    grid = random_grid(rng, 5)
    wanted = int(rng.integers(0, 3)) if grid.lines else 0
    signs = rng.integers(-1, 2, (wanted, len(grid.lines)))
    limits = tuple(Limit(f"l{n}", tuple(int(s) for s in row), int(rng.integers(0, 30))) for n, row in enumerate(signs))
    grid = replace(grid, limits=limits)
    contracts = np.zeros(int(rng.integers(0, 12 * markets)), CONTRACT)
    contracts["path"] = rng.integers(0, len(grid.paths), len(contracts))
    contracts["energy"] = rng.integers(1, 30, len(contracts))
    contracts["market"] = rng.integers(0, markets, len(contracts))
    contracts["formed"] = np.sort(rng.integers(0, 5, len(contracts)))
    shape = (markets, len(grid.lines), 2)
    capacity = rng.integers(0, 60, shape) * rng.integers(0, 2, shape)
    limit = rng.integers(0, 40, (markets, wanted))
    return DGP if rng.random() < 0.6 else GROSS, grid, contracts, capacity, limit


def check_against_referee(seed: int, markets: int) -> int:
    """Every market against the referee; all fits at the end; contracts cut."""
    rng = np.random.default_rng(seed)
    design, grid, contracts, capacity, limit = random_case(rng, markets)
    flow = flow_of(grid, contracts, markets)
    result = curtail(design, grid, contracts, capacity, flow, limit_wh=limit)
    for market in range(markets):
        rows = np.flatnonzero(contracts["market"] == market)
        held = [Held(grid.paths[row["path"]], int(row["energy"]), int(row["energy"])) for row in contracts[rows]]
        base = [[0, 0] for _ in grid.lines]
        lines = Lines(grid, design.netting, capacity[market].tolist(), limit[market].tolist(), base, held)
        assert result.cut_wh[rows].tolist() == lines.curtail()
        assert result.flow_wh[market].tolist() == lines.use()
    check_result(design, grid, contracts, capacity, limit, result)
    return result.count


def check_result(
    design: MarketDesign, grid: Grid, contracts: Table, capacity: Int, limit: Int, result: Curtailment
) -> None:
    """Flows are those of what is left and fit; where flows do not net, no cut contract could keep one Wh more."""
    rest = keep_rest(contracts, result.cut_wh)
    assert (flow_of(grid, rest, len(capacity)) == result.flow_wh).all()
    assert (rest["energy"] > 0).all()
    assert (result.cut_wh >= 0).all()
    assert (result.over_wh == 0).all()
    assert (find_overflow(design, capacity, result.flow_wh, limit_room(design, grid, result.flow_wh, limit)) == 0).all()
    if design.netting:
        return
    for row in np.flatnonzero(result.cut_wh):
        more = result.flow_wh.copy()
        more[contracts["market"][row]] += count_ways(grid)[contracts["path"][row]]
        assert find_overflow(design, capacity, more, limit_room(design, grid, more, limit)).any()


@settings(max_examples=150, deadline=None)
@given(seed=seeds)
def test_any_markets_are_cut_as_the_referee_says_and_fit_afterwards(seed: int) -> None:
    """Three markets with loops, parallel lines, joint limits, netting on or off."""
    check_against_referee(seed, 3)


@pytest.mark.slow
def test_ten_thousand_random_markets_are_cut_as_the_referee_says() -> None:
    """The same at length: 2,000 networks, five markets each."""
    assert sum(check_against_referee(seed, 5) for seed in range(2_000)) > 10_000


@given(seed=seeds)
def test_on_one_line_whoever_came_before_a_cut_contract_keeps_all_it_loads(seed: int) -> None:
    """One contract at most is cut in part; all later ones of that direction are cut wholly, all earlier ones kept."""
    rng = np.random.default_rng(seed)
    signs = rng.choice([1, -1], int(rng.integers(1, 12)), p=[0.7, 0.3])
    contracts = deal(TWO, *(((int(sign),), int(rng.integers(1, 30))) for sign in signs))
    capacity = rng.integers(0, 60, (1, 1, 2))
    cut = curtail(DGP, TWO, contracts, capacity, flow_of(TWO, contracts)).cut_wh
    for sign in (1, -1):
        mine = cut[signs == sign]
        energy = contracts["energy"][signs == sign]
        first = int(np.argmax(mine > 0)) if mine.any() else len(mine)
        assert (mine[first + 1 :] == energy[first + 1 :]).all()
    assert not (cut[signs == 1].any() and cut[signs == -1].any())


@given(seed=seeds)
def test_what_fits_already_is_left_alone_and_a_second_call_changes_nothing(seed: int) -> None:
    """Curtailment is idempotent."""
    design, grid, contracts, capacity, limit = random_case(np.random.default_rng(seed), 3)
    first = curtail(design, grid, contracts, capacity, flow_of(grid, contracts, 3), limit_wh=limit)
    rest = keep_rest(contracts, first.cut_wh)
    again = curtail(design, grid, rest, capacity, first.flow_wh, limit_wh=limit)
    assert again.count == 0
    assert (again.flow_wh == first.flow_wh).all()


def test_long_chains_of_netted_contracts_end() -> None:
    """Every contract made room for the next, all around a ring of 12 areas, with large energies: all fit at the end."""
    ring = Grid(tuple(f"a{n}" for n in range(12)), tuple(Line(f"l{n}", n, (n + 1) % 12) for n in range(12)))
    rng = np.random.default_rng(5)
    contracts = np.zeros(300, CONTRACT)
    contracts["path"] = rng.integers(1, len(ring.paths), 300)
    contracts["energy"] = rng.integers(1, 10**9, 300)
    for room in (0, 1, 10**6):
        capacity = rng.integers(0, room + 1, (1, 12, 2))
        result = curtail(DGP, ring, contracts, capacity, flow_of(ring, contracts))
        check_result(DGP, ring, contracts, capacity, np.zeros((1, 0), np.int64), result)


GRID = Grid(("a", "b", "c"), (Line("ab", 0, 1), Line("bc", 1, 2), Line("ca", 2, 0)))
ACCOUNTS = Accounts(GRID, ("p0", "p1", "p2", "r0", "r1", "r2"), (0, 1, 2, 0, 1, 2), (3, 4, 5))
FUEL = np.array([0, 8_100, 0, 0, 0, 0])


def priced_contracts(rng: np.random.Generator) -> Table:
    """Contracts of two markets between the first three parties, some with rent, over any path."""
    contracts = np.zeros(20, CONTRACT)
    contracts["seller"] = rng.integers(0, 3, 20)
    contracts["buyer"] = (contracts["seller"] + rng.integers(1, 3, 20)) % 3
    contracts["market"], contracts["path"] = rng.integers(0, 2, 20), rng.integers(0, len(GRID.paths), 20)
    contracts["energy"], contracts["source"] = rng.integers(1, 5_000, 20), rng.integers(0, 4, 20)
    contracts["sell_price"] = rng.integers(-900, 40_000, 20)
    contracts["buy_price"] = contracts["sell_price"] + rng.integers(0, 2, 20) * rng.integers(0, 5_000, 20)
    return contracts


@given(seed=seeds)
def test_both_parties_are_made_whole_and_postings_sum_to_zero(seed: int) -> None:
    """With the energy at the prices it has otherwise nobody has less than under the whole contracts.

    Whoever had less without compensation has exactly as much; the account of line outages alone pays.
    """
    rng = np.random.default_rng(seed)
    contracts = priced_contracts(rng)
    cut = np.minimum(rng.integers(0, 5_000, 20) * rng.integers(0, 2, 20), contracts["energy"])
    instead = prices_instead(contracts, rng.integers(0, 50_000, (2, 3, 2)), FUEL, ACCOUNTS)
    made_whole = compensation(contracts, cut, instead)
    for row, less, (bought, sold), (buyer, seller) in zip(contracts, cut, instead, made_whole, strict=True):
        assert buyer == max(int(less) * (int(bought) - int(row["buy_price"])), 0)
        assert seller == max(int(less) * (int(row["sell_price"]) - int(sold)), 0)
    money = np.zeros((2, ACCOUNTS.count, KINDS), np.int64)
    rest = keep_rest(contracts, cut)
    post_contracts(money, rest["market"].astype(np.int64), rest, TERMS, ACCOUNTS)
    post_curtailment(money, contracts["market"].astype(np.int64), contracts, made_whole, ACCOUNTS)
    assert not money.sum(axis=1).any()
    assert money[:, ACCOUNTS.row("line_outage"), PostingKind.OUTAGE].sum() == -made_whole.sum()
    assert not np.delete(money[..., PostingKind.OUTAGE], [0, 1, 2, ACCOUNTS.row("line_outage")], axis=1).any()


@given(seed=seeds)
def test_rows_that_take_back_leave_what_the_rest_would_have_posted(seed: int) -> None:
    """Entering contracts and then their cut energy below zero posts the same as entering what is left."""
    rng = np.random.default_rng(seed)
    contracts = priced_contracts(rng)
    contracts["buy_price"] = contracts["sell_price"]
    cut = np.minimum(rng.integers(0, 5_000, 20) * rng.integers(0, 2, 20), contracts["energy"])
    once, twice = np.zeros((2, 2, ACCOUNTS.count, KINDS), np.int64)
    rest = keep_rest(contracts, cut)
    post_contracts(once, rest["market"].astype(np.int64), rest, TERMS, ACCOUNTS)
    for rows in (contracts, take_back(contracts, cut)):
        post_contracts(twice, rows["market"].astype(np.int64), rows, TERMS, ACCOUNTS)
    assert (once == twice).all()


def test_a_generator_saves_its_fuel_and_others_sell_to_the_retailer() -> None:
    """Seller 1 burns fuel at 8.1 JPY/kWh; as a prosumer it would get what its area's retailer pays."""
    contracts = np.zeros(2, CONTRACT)
    contracts["seller"], contracts["buyer"] = 1, 2
    contracts["source"] = [Source.THERMAL, Source.PROSUMER]
    retail = np.array([[[10, 1], [20, 2], [30, 3]]])
    assert prices_instead(contracts, retail, FUEL, ACCOUNTS).tolist() == [[30, 8_100], [30, 2]]
