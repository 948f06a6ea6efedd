"""Quoting: from any action to orders inside the individually rational band, on lot and tick, within every limit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.devices import run_battery
from agents.fleet import NO_COST, Role
from agents.observing import Floats, View, stored_at_gate
from agents.quoting import ACTION, ACTIONS, TRUTHFUL, Quote, plan_battery, quote
from market.design import MarketDesign, find_design
from market.units import Int
from tests.strategies import actions, make_view, views, world_of

DGP = find_design("dgp")
JEPX = replace(DGP, lot_wh=50_000)
DESIGNS = st.sampled_from([DGP, replace(DGP, lot_wh=7, tick_mjpy_kwh=1), replace(DGP, lot_wh=100, tick_mjpy_kwh=250)])
TWO_IN_THREE = actions(3, 2)


def truthful(view: View, design: MarketDesign = DGP) -> Quote:
    """What the truthful action says."""
    return quote(view, np.full((*view.stored_wh.shape, ACTIONS), TRUTHFUL, np.float32), design)


def band(view: View) -> tuple[Int, Int]:
    """Reservation prices of selling and of buying for every open slot (w, r, h)."""
    outside = view.outside[..., view.open_first : view.open_first + view.position_wh.shape[-1]]
    low = np.where((view.cost == NO_COST)[:, None], view.terms.feed_in_price(outside), view.cost[:, None])
    shape = view.position_wh.shape
    return np.broadcast_to(low, shape), np.broadcast_to(view.terms.consumption_value(outside), shape)


def nearest(price: Int, design: MarketDesign) -> Int:
    """A price rounded half to even to the tick, in whole numbers, within the design's band."""
    down, rest = np.divmod(price, design.tick_mjpy_kwh)
    up = (2 * rest > design.tick_mjpy_kwh) | ((2 * rest == design.tick_mjpy_kwh) & (down % 2 == 1))
    return np.asarray(np.clip((down + up) * design.tick_mjpy_kwh, *design.band_mjpy_kwh), np.int64)


@given(views(), DESIGNS)
def test_truthful_limits_are_the_reservation_prices(view: View, design: MarketDesign) -> None:
    """A purchase bids the consumption value, a sale asks feed-in, a thermal unit its marginal cost."""
    made, (low, high) = truthful(view, design), band(view)
    assert (made.price == nearest(np.where(made.wanted_wh > 0, high, low), design)).all()


@given(views((Role.STORE, Role.SOLAR, Role.THERMAL)))
def test_truthful_energies_are_the_forecast_less_the_position(view: View) -> None:
    """Without a battery: the net forecast not yet contracted, within the export limit; thermal: all its output."""
    slots = view.position_wh.shape[-1]
    forecast = view.net_wh[..., view.gate : view.gate + slots]
    if view.role == Role.THERMAL:
        expected = np.minimum(-view.thermal_wh[:, None] - view.position_wh, 0)
    else:
        expected = np.maximum(forecast, -view.export_limit_wh[:, None]) - view.position_wh
    assert (truthful(view).wanted_wh == expected).all()


@given(views(), TWO_IN_THREE, DESIGNS)
def test_no_action_leaves_the_individually_rational_band(view: View, action: Floats, design: MarketDesign) -> None:
    """Nobody bids above the consumption value or asks below the reservation price, up to half a tick of rounding."""
    made, (low, high) = quote(view, action, design), band(view)
    buys, sells = made.wanted_wh > 0, made.wanted_wh < 0
    half = design.tick_mjpy_kwh // 2 + design.tick_mjpy_kwh % 2
    top = np.clip(high + half, *design.band_mjpy_kwh)
    bottom = np.clip(low - half, *design.band_mjpy_kwh)
    assert (made.price[buys] <= top[buys]).all()
    assert (made.price[sells] >= bottom[sells]).all()
    # and the other end: no bid below feed-in or cost, no ask above the consumption value where the band is not empty
    wide = high > low
    assert (made.price[buys & wide] >= bottom[buys & wide]).all()
    assert (made.price[sells & wide] <= top[sells & wide]).all()


@given(views(), TWO_IN_THREE, DESIGNS)
def test_every_quote_is_on_tick_and_lot_and_in_the_band(view: View, action: Floats, design: MarketDesign) -> None:
    """Whole numbers, so no refusal for form ever follows from an action."""
    made = quote(view, action, design)
    low, high = design.band_mjpy_kwh
    assert made.wanted_wh.dtype == made.price.dtype == made.plan_wh.dtype == np.int64
    assert not (made.price % design.tick_mjpy_kwh).any()
    assert not (np.abs(made.wanted_wh) % design.lot_wh).any()
    assert ((made.price >= low) & (made.price <= high)).all()


@given(views(), TWO_IN_THREE)
def test_position_and_orders_together_never_exceed_the_export_limit(view: View, action: Floats) -> None:
    """If all a party wants to sell trades, its net position is within its export limit, or no larger than before."""
    after = view.position_wh + np.minimum(quote(view, action, DGP).wanted_wh, 0)
    assert (after >= np.minimum(-view.export_limit_wh[:, None], view.position_wh)).all()


@given(views((Role.THERMAL,)), TWO_IN_THREE)
def test_a_thermal_unit_never_offers_more_than_it_can_generate(view: View, action: Floats) -> None:
    """Orders and position together stay within the capacity; it never buys, not even what it sold beyond that."""
    made = quote(view, action, DGP)
    assert (made.wanted_wh <= 0).all()
    after = view.position_wh + made.wanted_wh
    assert (after >= np.minimum(-view.thermal_wh[:, None], view.position_wh)).all()
    assert not made.plan_wh.any()


@given(views((Role.HOME, Role.STORE, Role.SOLAR)), TWO_IN_THREE)
def test_the_gate_slot_is_quoted_for_what_is_planned(view: View, action: Floats) -> None:
    """Position plus orders of the gate slot is the declared plan, within the export limit."""
    made = quote(view, action, DGP)
    assert (view.position_wh[..., 0] + made.wanted_wh[..., 0] == np.maximum(made.plan_wh, -view.export_limit_wh)).all()


@given(views((Role.HOME,)), st.floats(-1, 1, width=32))
def test_the_battery_plan_is_one_the_battery_can_carry_out(view: View, share: float) -> None:
    """Run from the stored energy at the gate, every slot's plan passes whole."""
    plan = plan_battery(view, np.full(view.stored_wh.shape, np.float64(share)), 4)
    stored = stored_at_gate(view)
    for slot in range(4):
        passed, stored = run_battery(view.battery, stored, plan[..., slot])
        assert (passed == plan[..., slot]).all()


@given(views((Role.HOME,)))
def test_truthful_homes_use_their_battery_for_themselves(view: View) -> None:
    """The self-use plan never imports to charge and never exports to discharge."""
    net = view.net_wh[..., view.gate : view.gate + 4]
    plan = plan_battery(view, np.zeros(view.stored_wh.shape), 4)
    assert (np.sign(net + plan) * np.sign(net) >= 0).all()


def test_a_battery_share_below_zero_sells_the_charge_and_above_zero_discharges() -> None:
    """At -1 nothing is charged; at 1 the terminals give all they can; the plan falls as the share rises from zero."""
    view = make_view(Role.HOME, 3)
    plans = [plan_battery(view, np.full(view.stored_wh.shape, share), 1)[..., 0] for share in (-1.0, 0.0, 0.5, 1.0)]
    assert (plans[0] <= 0).all()
    assert (plans[0] <= plans[1]).all()
    assert (plans[2] <= plans[1]).all()
    assert (plans[3] <= plans[2]).all()


def test_a_battery_whose_wear_costs_more_than_it_saves_stands_still() -> None:
    """With wear above the whole tariff no self-use is planned."""
    view = make_view(Role.HOME, 9)
    worn = replace(view, battery=replace(view.battery, wear_mjpy_kwh=np.array([500_000, 500_000])))
    assert not plan_battery(worn, np.zeros(view.stored_wh.shape), 4).any()
    assert plan_battery(view, np.zeros(view.stored_wh.shape), 4).any()


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5, 1.0])
def test_fractions_move_a_limit_evenly_through_the_band(fraction: float) -> None:
    """A sale asks low + f x band, a purchase bids high - f x band."""
    view = make_view(Role.SOLAR, 4, open_slots=1)
    level = 2 * fraction - 1
    made = quote(view, np.full((3, 2, ACTIONS), (level, level, -1, 0), np.float32), DGP)
    low, high = band(view)
    expected = np.where(made.wanted_wh > 0, high - fraction * (high - low), low + fraction * (high - low))
    assert (np.abs(made.price - expected) <= DGP.tick_mjpy_kwh / 2).all()


def test_patience_asks_more_the_farther_the_slot() -> None:
    """Full patience sells at the top of the band in the farthest slot, buys at its bottom; the gate slot is unmoved."""
    view = make_view(Role.SOLAR, 6)
    calm, patient = (quote(view, np.full((3, 2, ACTIONS), (-1, -1, p, 0), np.float32), DGP) for p in (-1, 1))
    low, high = band(view)
    assert (calm.price[..., 0] == patient.price[..., 0]).all()
    far = np.where(patient.wanted_wh[..., -1] > 0, low[..., -1], high[..., -1])
    assert (patient.price[..., -1] == nearest(far, DGP)).all()


def test_actions_beyond_their_bounds_count_as_the_bound() -> None:
    """A number outside [-1, 1] acts like the nearest end."""
    view = make_view(Role.HOME, 8)
    for number in (1.0, -1.0):
        near = quote(view, np.full((3, 2, ACTIONS), number, np.float32), DGP)
        far = quote(view, np.full((3, 2, ACTIONS), 50 * number, np.float32), DGP)
        assert [getattr(near, n).tolist() for n in ("wanted_wh", "price", "plan_wh")] == [
            getattr(far, n).tolist() for n in ("wanted_wh", "price", "plan_wh")
        ]


def test_small_parties_offer_nothing_in_whole_jepx_lots() -> None:
    """With 50 kWh lots a party of a few kW has no order: it needs a member who nets many."""
    assert not truthful(make_view(Role.STORE, 2), JEPX).wanted_wh.any()


@given(views(), TWO_IN_THREE)
def test_a_batch_quotes_what_each_world_quotes_alone(view: View, action: Floats) -> None:
    """World by world, bit for bit."""
    together = quote(view, action, DGP)
    for world in range(3):
        alone = quote(world_of(view, world), action[world : world + 1], DGP)
        assert alone.wanted_wh.tobytes() == together.wanted_wh[world].tobytes()
        assert alone.price.tobytes() == together.price[world].tobytes()
        assert alone.plan_wh.tobytes() == together.plan_wh[world].tobytes()


def test_the_action_has_four_named_numbers() -> None:
    """One layout for all designs and the device."""
    assert [field.name for field in ACTION] == ["sell_fraction", "buy_fraction", "patience", "battery"]
    assert all(field.meaning for field in ACTION)
