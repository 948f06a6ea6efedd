"""The observation: its table, its bounds, the same bits in any batch, and what a sealed market hides."""

import numpy as np
import pytest
from hypothesis import given

from agents.devices import run_battery
from agents.fleet import Role
from agents.observing import (
    HIGHS,
    LOWS,
    NO_QUOTE,
    OBSERVATION,
    OPEN_SEEN,
    WIDTH,
    View,
    band_fraction_ppm,
    features,
    observe,
    stored_at_gate,
)
from envs.opening import open_world
from market.units import PPM, Int
from tests.strategies import make_view, views, world_of

NAMES = [field.name for field in OBSERVATION]


def column(view: View, name: str) -> Int:
    """One feature before scaling (w, r)."""
    return features(view)[..., NAMES.index(name)]


@given(views())
def test_every_feature_is_a_number_within_its_bounds(view: View) -> None:
    """Whatever a DGC knows, the features are finite float32 in [low, high] of their row of the table."""
    seen = observe(view)
    assert seen.dtype == np.float32
    assert seen.shape == (*view.stored_wh.shape, WIDTH)
    assert np.isfinite(seen).all()
    assert ((seen >= LOWS) & (seen <= HIGHS)).all()


@given(views())
def test_features_are_the_integers_shifted_and_scaled_as_the_table_says(view: View) -> None:
    """(integer + offset) / scale, clipped: column by column."""
    exact, seen = features(view), observe(view)
    for place, field in enumerate(OBSERVATION):
        expected = np.clip(np.float32((exact[..., place] + field.offset) / field.scale), field.low, field.high)
        assert (seen[..., place] == expected.astype(np.float32)).all(), field.name


def test_the_table_names_each_column_once_with_unit_and_meaning() -> None:
    """42 columns: 22 of the day and five for each of four open slots."""
    assert len(set(NAMES)) == WIDTH == 22 + 5 * OPEN_SEEN == 42
    assert all(field.meaning and field.scale > 0 and field.low < field.high for field in OBSERVATION)
    assert {field.unit for field in OBSERVATION} <= {"Wh", "mJPY/kWh", "ppm", "Wh/kW", ""}


@pytest.mark.parametrize("role", [Role.HOME, Role.STORE, Role.SOLAR, Role.THERMAL])
def test_a_view_alone_and_in_a_batch_of_64_gives_the_same_bits(role: Role) -> None:
    """Each world of 64 by itself."""
    view = make_view(role, seed=5, worlds=64)
    together = observe(view)
    for world in range(64):
        assert together[world].tobytes() == observe(world_of(view, world)).tobytes()


@given(views((Role.HOME,)))
def test_stored_energy_at_the_gate_runs_the_battery_through_the_plans(view: View) -> None:
    """Slot by slot what the plans leave for the battery, in order."""
    stored = view.stored_wh
    for ahead in range(view.gate):
        _, stored = run_battery(view.battery, stored, view.plan_wh[..., ahead] - view.net_wh[..., ahead])
    assert (stored_at_gate(view) == stored).all()
    assert (column(view, "stored_at_gate") == stored).all()


@given(views())
def test_day_features_are_those_of_the_24_hours_from_the_gate(view: View) -> None:
    """Mean, lowest, highest price, sun and net energy by plain slices."""
    day = view.outside[..., view.gate : view.gate + 48]
    assert (column(view, "price_day") == day.sum(-1) // 48).all()
    assert (column(view, "price_low") + column(view, "price_day") == day.min(-1)).all()
    assert (column(view, "price_high") + column(view, "price_day") == day.max(-1)).all()
    assert (column(view, "net_day") == view.net_wh[..., 2:50].sum(-1)).all()
    assert (column(view, "solar_6h") == view.solar_wh_kw[..., 2:14].sum(-1)).all()


@given(views())
def test_each_open_slot_shows_its_own_forecast_position_and_quotes(view: View) -> None:
    """Slot j shows column j of the book; a slot that is not open shows no position, no bid and an empty ask."""
    open_slots = view.position_wh.shape[-1]
    for slot in range(OPEN_SEEN):
        assert (column(view, f"net_forecast_{slot}") == view.net_wh[..., view.gate + slot]).all()
        if slot >= open_slots:
            assert not column(view, f"position_{slot}").any()
            assert (column(view, f"best_ask_{slot}") == PPM).all()
            continue
        assert (column(view, f"position_{slot}") == view.position_wh[..., slot]).all()
        none = view.best_bid[..., slot] == NO_QUOTE
        assert (column(view, f"best_bid_{slot}")[np.broadcast_to(none, view.stored_wh.shape)] == 0).all()


def test_the_band_fraction_runs_from_feed_in_to_consumption_value() -> None:
    """Zero at and below feed-in, one at and above the consumption value, and no division by an empty band."""
    low, high = np.array([1_000]), np.array([3_000])
    for price, expected in ((0, 0), (1_000, 0), (1_500, 250_000), (3_000, PPM), (9_000, PPM)):
        assert band_fraction_ppm(np.array([price]), low, high).tolist() == [expected]
    assert band_fraction_ppm(np.array([5]), low, low).tolist() == [0]


def test_the_clock_turns_once_a_day() -> None:
    """48 different hours; the same hour again shows the same sine and cosine."""
    faces = {features(make_view(Role.STORE, 1, slot_of_day=slot))[0, 0, :4].tobytes() for slot in range(48)}
    assert len(faces) == 48


@pytest.mark.parametrize("design", ["call", "spot", "retail"])
def test_a_sealed_market_shows_nobodys_quotes(design: str) -> None:
    """Through a whole day no feature of a bid or ask moves."""
    world = open_world(design=design, days=1, seed=2, ledger="off")
    world.reset()
    quotes = [place for place, name in enumerate(NAMES) if name.startswith("best_")]
    empty = [0.0 if "bid" in NAMES[place] else 1.0 for place in quotes]
    done = False
    while not done:
        for role in world.roles:
            assert (world.observe(role)[..., quotes] == empty).all()
        done = world.step().done


def test_an_open_book_shows_quotes() -> None:
    """In `dgp` stores see the bids that rest, their own among them."""
    world = open_world(design="dgp", days=1, seed=2, ledger="off")
    world.reset()
    seen = False
    while not (step := world.step()).done:
        seen |= bool((world.view(Role.STORE).best_bid != NO_QUOTE).any())
        assert step.outcome.price is None
    assert seen


def test_no_outside_price_is_seen_before_it_is_published() -> None:
    """Before the 10:00 auction tomorrow's prices are today's; after it they are tomorrow's own."""
    world = open_world(design="dgp", days=2, seed=4, ledger="off")
    world.reset()
    true = world.episode.outside[0]
    while world.t < 48:
        seen = world.view(Role.HOME).outside[0, 0]
        tomorrow = slice(48 - world.t, 96 - world.t)
        today = true[world.fleet.area[0], :48]
        expected = true[world.fleet.area[0], 48:96] if world.t > 20 else today
        assert (seen[: 48 - world.t] == today[world.t :]).all()
        assert (seen[tomorrow] == expected).all()
        world.step()
