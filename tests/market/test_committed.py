"""The year ahead on the lines: committed flow, room, full slots, from trade's own use and from contracts."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from market.committed import known_at, look_ahead, use_of
from market.contracts import no_contracts
from market.design import find_design
from market.exchange import trade
from market.grid import Grid, Limit, Line
from market.orders import Side, no_orders
from market.slots import HALF_HOURS
from market.tables import join_rows
from tests.reference.markets import order_table, random_orders

DGP = replace(find_design("dgp"), tick_mjpy_kwh=1)
CHAIN = Grid(("a", "b", "c"), (Line("ab", 0, 1), Line("bc", 1, 2)), (Limit("both", (1, 1), 60),))


def test_committed_flow_room_and_full_slots_of_each_line() -> None:
    """30 from a to c and 10 back from b to a: ab nets to 20, bc to 30; the joint limit leaves 10 for either."""
    use = np.array([[[30, 10], [30, 0]]])
    capacity = np.array([[[50, 50], [30, 0]]])
    ahead = look_ahead(DGP, CHAIN, np.array([5]), capacity, use)
    assert ahead.net_wh.tolist() == [[20, 30]]
    assert ahead.room_wh.tolist() == [[[10, 70], [0, 30]]]
    assert ahead.limit_room_wh.tolist() == [[10]]
    assert ahead.full.tolist() == [[[False, False], [True, False]]]
    assert ahead.table().tolist() == [(5, 0, 20, 50, 50, 10, 70, 0), (5, 1, 30, 30, 0, 0, 30, 1)]


def test_a_joint_limit_without_room_fills_every_line_it_counts() -> None:
    """At a bound of 50 both lines are full forward, though line ab has capacity left."""
    use, capacity = np.array([[[20, 0], [30, 0]]]), np.full((1, 2, 2), 90)
    ahead = look_ahead(DGP, CHAIN, np.array([5]), capacity, use, limit_wh=np.array([[50]]))
    assert ahead.full.tolist() == [[[True, False], [True, False]]]
    assert ahead.room_wh[..., 1].tolist() == [[110, 120]]


def test_without_netting_opposite_flow_makes_no_room() -> None:
    """The same use: 30 and 10 stand each against its own capacity, and the limit counts what flows its way."""
    use, capacity = np.array([[[30, 10], [30, 0]]]), np.array([[[50, 50], [30, 0]]])
    ahead = look_ahead(replace(DGP, netting=False), CHAIN, np.array([5]), capacity, use)
    assert ahead.room_wh.tolist() == [[[0, 40], [0, 0]]]
    assert ahead.full.tolist() == [[[True, False], [True, False]]]


def test_lines_over_all_slots() -> None:
    """Slots with use, slots full each way, the most of either direction, the first full slot."""
    use = np.zeros((3, 2, 2), np.int64)
    use[0, 0], use[2, 0], use[1, 1] = (50, 0), (10, 45), (7, 7)
    capacity = np.full((3, 2, 2), 50)
    ab, bc = look_ahead(DGP, replace(CHAIN, limits=()), np.arange(100, 103), capacity, use).lines()
    assert (ab.committed, ab.full_forward, ab.full_backward, ab.first_full) == (2, 1, 0, 100)
    assert (ab.most_forward_wh, ab.most_backward_wh, ab.flow_wh) == (50, 35, 85)
    assert (bc.committed, bc.first_full, bc.flow_wh) == (1, None, 0)


@given(seed=st.integers(0, 2**32 - 1))
def test_the_contracts_of_a_trade_say_what_its_use_says_and_room_is_what_trade_takes(seed: int) -> None:
    """Two steps over 20 slots; then in every slot and direction an order takes the room of a line and no more."""
    rng = np.random.default_rng(seed)
    capacity = rng.integers(0, 40, (20, 2, 2))
    design = replace(DGP, netting=bool(rng.integers(2)))
    use, resting, contracts = np.zeros_like(capacity), no_orders(), no_contracts()
    for now in (3, 4):
        orders = random_orders(rng, CHAIN, 20)
        orders["reference"] += 1_000 * now
        outcome = trade(design, CHAIN, resting, orders, capacity, use, np.array([now]))
        use, resting, contracts = outcome.flow_wh, outcome.resting, join_rows(contracts, outcome.contracts)
    assert (use_of(CHAIN, contracts, 100, 20) == use).all()
    early = known_at(contracts, 3)
    assert (early["formed"] == 3).all()
    assert (use_of(CHAIN, early, 100, 20) <= use).all()
    ahead = look_ahead(design, CHAIN, 100 + np.arange(20), capacity, use)
    for line in range(2):
        for way in range(2):
            seller, buyer = (line, line + 1) if way == 0 else (line + 1, line)
            rows = [[(m, seller, Side.SELL, 10, 999), (m, buyer, Side.BUY, 10, 999)] for m in range(20)]
            more = order_table([row for pair in rows for row in pair])
            taken = trade(design, CHAIN, no_orders(), more, capacity, use, np.array([5])).contracts
            found = np.zeros(20, np.int64)
            np.add.at(found, taken["market"], taken["energy"])
            assert (found == ahead.room_wh[:, line, way]).all()


def test_a_whole_year_of_ten_lines_is_asked_in_one_call() -> None:
    """17,520 slots x 10 lines: 175,200 rows, each with its slot and line."""
    grid = Grid(tuple(f"a{n}" for n in range(11)), tuple(Line(f"l{n}", n, n + 1) for n in range(10)))
    use = np.random.default_rng(1).integers(0, 100, (HALF_HOURS.year, 10, 2))
    ahead = look_ahead(DGP, grid, np.arange(HALF_HOURS.year), np.full_like(use, 80), use)
    rows = ahead.table()
    assert len(rows) == 175_200
    assert (rows["flow"].reshape(-1, 10) == use[..., 0] - use[..., 1]).all()
    assert [line.full_forward for line in ahead.lines()] == ahead.full[..., 0].sum(0).tolist()


def test_contracts_for_other_slots_are_left_out() -> None:
    """Only slots asked for count."""
    outcome = trade(
        DGP,
        CHAIN,
        no_orders(),
        order_table([(0, 0, Side.SELL, 10, 5), (0, 1, Side.BUY, 10, 5)]),
        np.full((1, 2, 2), 9),
        np.zeros((1, 2, 2), np.int64),
        np.array([1]),
    )
    assert use_of(CHAIN, outcome.contracts, 100, 1)[0].tolist() == [[5, 0], [0, 0]]
    assert not use_of(CHAIN, outcome.contracts, 101, 3).any()
