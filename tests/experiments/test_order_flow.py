"""The synthetic year-ahead orders: what a seed fixes, when orders come, and that every row is a valid order."""

import numpy as np
import pytest

from experiments.order_flow import (
    ARRIVALS,
    DEMAND,
    FIRM,
    LONGEST_LEAD,
    LOT_WH,
    SOLAR_LEAD,
    SUN,
    TICK,
    WEATHER,
    WEATHER_LEAD,
    Flow,
    japan_grid,
    line_capacity_wh,
    make_flow,
    shade_limits,
)
from market.design import DESIGNS
from market.orders import Side
from market.slots import HALF_HOURS

DAYS = 4


@pytest.fixture(scope="module")
def flow() -> Flow:
    """Four days of the base case."""
    return make_flow(7, DAYS)


def test_the_flow_repeats_with_its_seed(flow: Flow) -> None:
    """The same seed gives the same rows; another gives others."""
    again, other = make_flow(7, DAYS), make_flow(8, DAYS)
    assert np.array_equal(flow.orders, again.orders)
    assert np.array_equal(flow.lead, again.lead)
    assert not np.array_equal(flow.orders["price"][:1_000], other.orders["price"][:1_000])


@pytest.mark.parametrize("arrivals", ARRIVALS)
def test_a_seed_fixes_quantities_and_limits_however_orders_arrive(flow: Flow, arrivals: str) -> None:
    """Only leads and arrival numbers differ, so that designs and cases meet the same orders."""
    orders = make_flow(7, DAYS, arrivals).orders
    for column in ("side", "area", "party", "slot", "energy", "price", "market"):
        assert np.array_equal(orders[column], flow.orders[column])


def test_every_row_is_an_order_both_designs_take(flow: Flow) -> None:
    """Whole lots, on the tick, inside the band, of a known area, in the market of its day and half hour."""
    orders = flow.orders
    low, high = DESIGNS["spot"].band_mjpy_kwh
    assert (orders["energy"] > 0).all()
    assert (orders["energy"] % LOT_WH == 0).all()
    assert (orders["price"] % TICK == 0).all()
    assert ((orders["price"] >= low) & (orders["price"] <= high)).all()
    assert orders["area"].max() + 1 == len(japan_grid().areas)
    assert np.array_equal(flow.first_slot[orders["world"]] + orders["market"] % HALF_HOURS.per_day, orders["slot"])
    assert flow.wanted_wh == orders["energy"][orders["side"] == Side.BUY].sum()
    assert line_capacity_wh(flow.markets).shape == (DAYS * HALF_HOURS.per_day, len(japan_grid().lines), 2)


def test_arrival_numbers_follow_the_leads(flow: Flow) -> None:
    """Each number once; who comes more days ahead comes first."""
    by_arrival = np.argsort(flow.orders["sequence"])
    assert np.array_equal(flow.orders["sequence"][by_arrival], np.arange(len(by_arrival)))
    assert (np.diff(flow.lead[by_arrival]) <= 0).all()


def test_a_party_sends_its_whole_day_at_once(flow: Flow) -> None:
    """The half hours of a party and day share one lead, and one limit where the party keeps one side."""
    whose = flow.orders["world"].astype(np.int64) * 10_000 + flow.orders["party"]
    for values, rows in ((flow.lead, whose >= 0), (flow.orders["price"], flow.follows != WEATHER)):
        pairs = np.unique(np.stack([whose[rows], values[rows]]), axis=1)
        assert len(np.unique(pairs[0])) == pairs.shape[1]


def test_nobody_trades_the_weather_before_it_is_known(flow: Flow) -> None:
    """Solar comes at most a fortnight ahead, corrections a week, everything at least a day and at most a year."""
    assert flow.lead[flow.follows == SUN].max() <= SOLAR_LEAD
    assert flow.lead[flow.follows == WEATHER].max() <= WEATHER_LEAD
    assert flow.lead.min() >= 1
    assert flow.lead.max() <= LONGEST_LEAD


@pytest.mark.parametrize(
    ("arrivals", "days", "part"), [("log", 30, 0.42), ("log", 100, 0.22), ("uniform", 30, 0.92), ("late", 14, 0.05)]
)
def test_orders_come_as_early_as_the_case_says(arrivals: str, days: int, part: float) -> None:
    """Parts of the parties' days, other than those of the weather, that come more than so many days ahead."""
    flow = make_flow(3, 8, arrivals)
    midnight = (flow.orders["market"] % HALF_HOURS.per_day == 0) & np.isin(flow.follows, (DEMAND, FIRM))
    assert np.mean(flow.lead[midnight] > days) == pytest.approx(part, abs=0.03)


def test_finer_parties_make_the_same_demand(flow: Flow) -> None:
    """Five parties for one want the same energy, up to lots and to what the weather corrects."""
    finer = make_flow(7, DAYS, finer=5)
    assert len(finer.orders) > 4 * len(flow.orders)
    assert finer.wanted_wh == pytest.approx(flow.wanted_wh, rel=0.005)


def test_who_knows_the_usual_price_asks_more_and_bids_less(flow: Flow) -> None:
    """Limits move to the price and never past the true ones; solar and corrections keep theirs."""
    usual = np.full((HALF_HOURS.per_day, len(japan_grid().areas)), 9_000.0)
    true, shaded = flow.orders["price"], shade_limits(flow, usual)["price"]
    firm, demand = flow.follows == FIRM, flow.follows == DEMAND
    assert np.array_equal(shaded[firm], np.maximum(true[firm], 8_100))
    assert np.array_equal(shaded[demand], np.minimum(true[demand], 9_900))
    assert np.array_equal(shaded[~firm & ~demand], true[~firm & ~demand])
