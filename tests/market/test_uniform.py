"""Uniform-price auctions in one area, and published sample cases through the same `trade`."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.design import MarketDesign, find_design
from market.errors import Refusal
from market.exchange import NO_PRICE, Outcome, trade
from market.grid import Grid, Line
from market.orders import Kind, Side, no_orders
from market.tables import Table
from market.units import mjpy_from_jpy, wh_from_kwh
from tests.reference.markets import order_table
from tests.reference.splitting import one_area_price

CALL = replace(find_design("call"), tick_mjpy_kwh=1)
ONE = Grid(("town",))
CASES = Path(__file__).parents[3] / "shared" / "cases"
SIMPLE_CASES = (
    "pypsa_2zones",
    "pypsa_elastic",
    "powertac_tie_at_21",
    "amiris_demand_cut",
    "amiris_more_demand",
    "amiris_same_power_1",
    "own_empty_book",
    "own_three_area_loop",
)
order_rows = st.lists(
    st.tuples(st.just(0), st.just(0), st.sampled_from(Side), st.integers(5, 18), st.integers(1, 9)), max_size=14
)


def clear(orders: Table, design: MarketDesign = CALL, markets: int = 1) -> Outcome:
    """An auction in one area."""
    no_lines = np.zeros((markets, 0, 2), np.int64)
    return trade(design, ONE, no_orders(), orders, no_lines, no_lines, np.zeros(1, np.int64))


@settings(max_examples=400, deadline=None)
@given(order_rows, st.integers(0, 20))
def test_the_price_is_the_lowest_that_clears_and_never_below_the_floor(
    rows: list[tuple[int, int, Side, int, int]], floor: int
) -> None:
    """S(p) >= B(p+), read aloud by the referee; null without trade."""
    orders = order_table(rows)
    outcome = clear(orders, replace(CALL, band_mjpy_kwh=(floor, 30)))
    assert outcome.price is not None
    expected = one_area_price(orders, floor)
    assert outcome.price.tolist() == [[NO_PRICE if expected is None else expected]]


@settings(max_examples=200, deadline=None)
@given(order_rows)
def test_energy_is_conserved(rows: list[tuple[int, int, Side, int, int]]) -> None:
    """Admitted = filled + expired, sold = bought, and contracts carry exactly what was filled."""
    orders = order_table(rows)
    outcome = clear(orders)
    assert (outcome.filled_wh + outcome.expired_wh == orders["energy"]).all()
    assert (outcome.filled_wh >= 0).all()
    sold = outcome.filled_wh[orders["side"] == Side.SELL].sum()
    assert sold == outcome.filled_wh[orders["side"] == Side.BUY].sum() == outcome.contracts["energy"].sum()


def test_a_tie_takes_the_lowest_price_of_the_interval() -> None:
    """Between the last filled sale (11) and the last filled purchase (15) every price clears."""
    outcome = clear(order_table([(0, 0, Side.SELL, 11, 5), (0, 0, Side.BUY, 15, 5)]))
    assert outcome.price is not None
    assert outcome.price.tolist() == [[11]]


def test_marginal_orders_fill_in_the_order_of_arrival() -> None:
    """Two sales at the price: the earlier sequence fills first, whatever its row."""
    orders = order_table([(0, 0, Side.SELL, 12, 4), (0, 0, Side.SELL, 12, 4), (0, 0, Side.BUY, 20, 6)])
    orders["sequence"] = [9, 3, 5]
    assert clear(orders).filled_wh.tolist() == [2, 4, 6]


def test_contracts_pair_by_price_then_arrival() -> None:
    """The cheapest sale meets the dearest purchase first."""
    orders = order_table(
        [(0, 0, Side.SELL, 14, 3), (0, 0, Side.SELL, 12, 3), (0, 0, Side.BUY, 18, 2), (0, 0, Side.BUY, 20, 4)]
    )
    contracts = clear(orders).contracts
    assert contracts[["seller", "buyer", "energy"]].tolist() == [(1, 3, 3), (0, 3, 1), (0, 2, 2)]
    assert set(contracts["sell_price"]) == set(contracts["buy_price"]) == {14}


def test_one_side_alone_has_no_price() -> None:
    """Without trade the price is null, never a number, and everything expires."""
    for side in Side:
        outcome = clear(order_table([(0, 0, side, 12, 4)]))
        assert outcome.price is not None
        assert outcome.price.tolist() == [[NO_PRICE]]
        assert outcome.expired_wh.tolist() == [4]


def test_a_call_without_orders_or_markets_works() -> None:
    """Empty tables give empty results."""
    assert len(clear(order_table([])).contracts) == 0
    price = clear(order_table([]), markets=0).price
    assert price is not None
    assert price.shape == (0, 1)


def test_a_cancel_finds_nothing_in_an_auction() -> None:
    """Auctions have no live orders: the row is refused, nothing lapses."""
    orders = order_table([(0, 0, Side.SELL, 12, 4), (0, 0, Side.SELL, 12, 0), (0, 0, Side.BUY, 12, 4)])
    orders["kind"][1] = Kind.CANCEL
    outcome = clear(orders)
    assert outcome.codes.tolist() == [Refusal.ADMITTED, Refusal.NOTHING_TO_CANCEL, Refusal.ADMITTED]
    assert outcome.filled_wh.tolist() == [4, 0, 4]


def test_prices_below_zero_clear_where_the_band_allows_them() -> None:
    """A seller may pay to deliver."""
    orders = order_table([(0, 0, Side.SELL, -8, 4), (0, 0, Side.BUY, -3, 2)])
    price = clear(orders, replace(CALL, band_mjpy_kwh=(-10, 10))).price
    assert price is not None
    assert price.tolist() == [[-8]]


def test_the_largest_energies_and_prices_stay_exact() -> None:
    """2^37 Wh at the edge of the price bound: no overflow in prices, fills or certificate."""
    most, high = 1 << 37, (1 << 24) - 1
    orders = order_table([(0, 0, Side.SELL, -high, most), (0, 0, Side.BUY, high, most)])
    outcome = clear(orders, replace(CALL, band_mjpy_kwh=(-high, high)))
    assert outcome.filled_wh.tolist() == [most, most]
    assert outcome.price is not None
    assert outcome.price.tolist() == [[-high]]


def read_case(name: str) -> dict[str, Any]:
    """A sample case with exact decimals, or a skip where the samples are not there."""
    path = CASES / f"{name}.json"
    if not path.exists():
        pytest.skip(f"no sample cases at {CASES}")
    case: dict[str, Any] = json.loads(path.read_text(), parse_float=Decimal, parse_int=Decimal)
    return case


def clear_case(case: dict[str, Any]) -> tuple[Table, Outcome]:
    """A case of simple orders in slot 0 through `trade`."""
    areas = case["areas"]
    lines = tuple(Line(row["id"], areas.index(row["from"]), areas.index(row["to"])) for row in case["lines"])
    room = [[wh_from_kwh(row["forward_kwh"]), wh_from_kwh(row["backward_kwh"])] for row in case["lines"]]
    low, high = (mjpy_from_jpy(price) for price in case["price_band_jpy_kwh"])
    design = replace(find_design(case["design"]), band_mjpy_kwh=(low, high))
    orders = order_table(
        [
            (0, areas.index(o["area"]), Side[o["side"].upper()], mjpy_from_jpy(o["price_jpy_kwh"]), energy)
            for o in case["orders"]
            for energy in [wh_from_kwh(o["energy_kwh"])]
        ]
    )
    capacity = np.array(room, np.int64).reshape(1, len(lines), 2)
    use, now = np.zeros_like(capacity), np.zeros(1, np.int64)
    return orders, trade(design, Grid(tuple(areas), lines), no_orders(), orders, capacity, use, now)


@pytest.mark.parametrize("name", SIMPLE_CASES)
def test_published_sample_cases_come_out_as_expected(name: str) -> None:
    """Prices take the low end of the expected interval; flows and welfare are exact."""
    case = read_case(name)
    orders, outcome = clear_case(case)
    assert outcome.price is not None
    expected = case["expected"]
    for area, slots in expected.get("price_interval_jpy_kwh", {}).items():
        assert outcome.price[0, case["areas"].index(area)] == mjpy_from_jpy(slots["0"][0])
    for area, slots in expected.get("prices_jpy_kwh", {}).items():
        wanted = NO_PRICE if slots["0"] is None else mjpy_from_jpy(slots["0"])
        assert outcome.price[0, case["areas"].index(area)] == wanted
    net = outcome.flow_wh[0, :, 0] - outcome.flow_wh[0, :, 1]
    for line, slots in expected.get("flows_kwh", {}).items():
        assert net[[row["id"] for row in case["lines"]].index(line)] == wh_from_kwh(slots["0"])
    sign = np.where(orders["side"] == Side.BUY, 1, -1)
    welfare = int((sign * orders["price"].astype(np.int64) * outcome.filled_wh).sum())
    assert Decimal(welfare) / 1_000_000 == expected["welfare_jpy"]
