"""Blocks in auctions against every acceptance tried, and what holds of each auction with blocks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.blocks import BlockOutcome, Blocks, join_blocks, trade_blocks
from market.design import find_design
from market.grid import Grid, Limit, Line
from market.orders import Side, no_orders
from market.tables import join_rows
from market.units import PPM
from tests.reference.blocks import Case, best_acceptance, random_blocks, random_case
from tests.reference.markets import random_grid, random_orders, random_rooms
from tests.reference.splitting import rooms

SPOT = replace(find_design("spot"), tick_mjpy_kwh=1, band_mjpy_kwh=(10, 40))
NOW = np.zeros(1, np.int64)
SEEDS = st.integers(0, 2**32 - 1)


def make_case(seed: int, most_blocks: int, partial: float) -> Case:
    """Up to three areas and slots; lines are wide in every other case."""
    rng = np.random.default_rng(seed)
    grid = random_grid(rng, 3)
    case = random_case(rng, grid, int(rng.integers(1, 4)), int(rng.integers(1, most_blocks + 1)), partial)
    return case._replace(capacity_wh=case.capacity_wh * 2) if seed % 2 else case


def clear(case: Case, most_nodes: int = 2_000) -> BlockOutcome:
    """The auction of a case."""
    return trade_blocks(
        SPOT, case.grid, no_orders(), case.orders, case.blocks, case.capacity_wh, case.flow_wh, NOW,
        most_nodes=most_nodes,
    )  # fmt: skip


def check_against_all_acceptances(seed: int, most_blocks: int, partial: float) -> None:
    """The search proves its acceptance, which is the best of all, ties included."""
    case = make_case(seed, most_blocks, partial)
    found, (welfare, energy) = clear(case), best_acceptance(SPOT, case)
    assert (found.welfare_ujpy, found.bound_ujpy, found.search) == (welfare, welfare, "exact")
    assert found.filled_wh.sum() == energy.sum()
    assert ((found.fill_ppm > 0) == energy.any(axis=1)).all()


@pytest.mark.parametrize("part", range(4))
def test_the_search_finds_the_best_of_all_acceptances(part: int) -> None:
    """200 random markets with up to five all-or-nothing blocks, lines, loops and committed flow."""
    for seed in range(50 * part, 50 * part + 50):
        check_against_all_acceptances(seed, most_blocks=5, partial=0.0)


def test_the_search_finds_the_best_of_all_parts() -> None:
    """60 random markets with up to three blocks that may be filled in part: every lot tried."""
    for seed in range(60):
        check_against_all_acceptances(seed, most_blocks=3, partial=0.6)


@pytest.mark.parametrize("kind", ["fence", "ring"])
def test_fences_and_large_grids_are_searched_as_well(kind: str) -> None:
    """A joint limit over the lines of one area; a ring of twelve areas, which is priced by cuts: best of all."""
    for seed in range(25):
        rng = np.random.default_rng(seed)
        if kind == "fence":
            lines = (Line("a", 0, 1), Line("b", 0, 2), Line("c", 1, 2))
            grid = Grid(("0", "1", "2"), lines, (Limit("fence", (1, 1, 0), int(rng.integers(0, 15))),))
        else:
            lines = tuple(Line(f"{n}", n, (n + 1) % 12) for n in range(12))
            grid = Grid(tuple(f"area {n}" for n in range(12)), lines)
        case = random_case(rng, grid, 2, 4)._replace(orders=random_orders(rng, grid, 2, most=40))
        case = case._replace(flow_wh=0 * case.flow_wh)
        found, (welfare, energy) = clear(case), best_acceptance(SPOT, case)
        assert (found.welfare_ujpy, found.bound_ujpy) == (welfare, welfare)
        assert (found.filled_wh == energy).all()


@pytest.mark.slow
def test_the_search_finds_the_best_of_all_acceptances_in_many_markets() -> None:
    """4,000 random markets with blocks that trade wholly, 1,000 with parts."""
    for seed in range(10_000, 14_000):
        check_against_all_acceptances(seed, most_blocks=7, partial=0.0)
    for seed in range(20_000, 21_000):
        check_against_all_acceptances(seed, most_blocks=3, partial=0.5)


def check_rules(case: Case, found: BlockOutcome) -> None:
    """What holds of every auction with blocks, proved best or not."""
    blocks, done = case.blocks, found.outcome
    contracts, price = done.contracts, done.price
    assert price is not None
    assert found.bound_ujpy is not None
    assert found.bound_ujpy >= found.welfare_ujpy
    assert (contracts["sell_price"] <= contracts["buy_price"]).all()
    assert (done.filled_wh + done.expired_wh == case.orders["energy"]).all()
    assert (found.filled_wh == blocks.profile_wh * found.fill_ppm[:, None] // PPM).all()
    for row, block in enumerate(blocks.table):
        sells, first = block["side"] == Side.SELL, int(block["market"])
        assert found.fill_ppm[row] == 0 or found.fill_ppm[row] >= block["min_fill_ppm"]
        who, name = ("seller", "sell_reference") if sells else ("buyer", "buy_reference")
        mine = contracts[(contracts[who] == block["party"]) & (contracts[name] == block["reference"])]
        sold = np.bincount(mine["market"] - first, mine["energy"], blocks.profile_wh.shape[1])
        assert (sold == found.filled_wh[row]).all()
        money = int((mine["energy"] * mine["sell_price" if sells else "buy_price"].astype(np.int64)).sum())
        limit = int(block["price"]) * int(found.filled_wh[row].sum())
        assert money >= limit if sells else money <= limit
    sold = done.filled_wh[case.orders["side"] == Side.SELL].sum() + found.filled_wh[blocks.table["side"] == 2].sum()
    assert contracts["energy"].sum() == sold
    used = done.flow_wh - case.flow_wh
    net = used[..., 0] - used[..., 1]
    room = np.array([rooms(c, f) for c, f in zip(case.capacity_wh, case.flow_wh, strict=True)])
    assert (net <= room[..., 0]).all()
    assert (-net <= room[..., 1]).all()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, partial=st.sampled_from([0.0, 0.4]), most_nodes=st.sampled_from([1, 30]))
def test_no_accepted_block_loses_and_nothing_is_lost(seed: int, partial: float, most_nodes: int) -> None:
    """Contracts of a block are its fills, its mean price keeps its limit, lines keep their room; proved best or not."""
    case = make_case(seed, 9, partial)
    check_rules(case, clear(case, most_nodes))


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_several_days_in_one_call_are_as_each_day_alone(seed: int) -> None:
    """Two days of three slots on one grid: fills, prices, flows and welfare."""
    rng = np.random.default_rng(seed)
    grid = random_grid(rng, 4)
    days = [
        Case(grid, random_orders(rng, grid, 3), random_blocks(rng, grid, 3, 4, 0.3), *random_rooms(rng, grid, 3))
        for _ in range(2)
    ]
    later = days[1].orders.copy(), Blocks(days[1].blocks.table.copy(), days[1].blocks.profile_wh)
    for table in (later[0], later[1].table):
        table["market"] += 3
        table["slot"] += 3
        table["reference"] += 500
        table["sequence"] += 500
    together = Case(
        grid,
        join_rows(days[0].orders, later[0]),
        join_blocks(days[0].blocks, later[1]),
        *(np.concatenate([getattr(day, name) for day in days]) for name in ("capacity_wh", "flow_wh")),
    )
    both, alone = clear(together), [clear(day) for day in days]
    assert (both.fill_ppm == np.concatenate([one.fill_ppm for one in alone])).all()
    assert (both.in_money == np.concatenate([one.in_money for one in alone])).all()
    for name in ("price", "flow_wh", "filled_wh"):
        found = [np.asarray(getattr(one.outcome, name)) for one in alone]
        assert (getattr(both.outcome, name) == np.concatenate(found)).all()
    assert both.welfare_ujpy == sum(one.welfare_ujpy for one in alone)
    assert both.bound_ujpy == sum(one.bound_ujpy or 0 for one in alone)


def many_blocks(count: int) -> Case:
    """A day of eight slots in two areas, with blocks near the clearing prices."""
    rng = np.random.default_rng(5)
    grid = Grid(("north", "south"), (Line("north-south", 0, 1),))
    orders = random_orders(rng, grid, 8, most=60)
    return Case(grid, orders, random_blocks(rng, grid, 8, count), *random_rooms(rng, grid, 8))


def test_a_search_that_stops_early_says_how_far_it_may_be_from_the_best() -> None:
    """With one node the bound is that of the relaxation, no acceptance is above it, and rules hold."""
    case = many_blocks(24)
    early, best = clear(case, 1), clear(case)
    check_rules(case, early)
    assert best.search == "exact"
    assert early.bound_ujpy is not None
    assert early.welfare_ujpy <= best.welfare_ujpy <= early.bound_ujpy
    assert early.search == ("exact" if early.gap_ujpy == 0 else "limited")


def test_the_same_blocks_give_the_same_result() -> None:
    """Nothing of the search depends on a clock: twice the same, stopped early too."""
    case = many_blocks(30)
    for nodes in (1, 40):
        one, other = clear(case, nodes), clear(case, nodes)
        assert (one.fill_ppm == other.fill_ppm).all()
        assert one.bound_ujpy == other.bound_ujpy
        assert (one.outcome.contracts == other.outcome.contracts).all()
