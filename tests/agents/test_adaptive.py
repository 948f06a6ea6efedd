"""ZIP: margins that move with what a DGC sees, and random prices without a budget."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.adaptive import BUY, SELL, Adaptation, Zip, move_prices
from agents.bidders import find_bidder
from agents.fleet import Role
from agents.quoting import TRUTHFUL, Quote, floor_price, quote
from envs.opening import open_world
from envs.world import World
from market.errors import ConfigError
from market.orders import Side

ROLES = ("home", "store", "solar", "thermal")


def played(bidder: str, steps: int, design: str = "dgp", worlds: int = 2, seed: int = 3, role: str = "") -> World:
    """A world of such bidders some steps on."""
    roles = (role,) if role else ROLES
    world = open_world(policies=dict.fromkeys(roles, bidder), design=design, worlds=worlds, days=1, seed=seed)
    world.reset()
    for _ in range(steps):
        world.step()
    return world


@given(st.integers(0, 2**32 - 1), st.floats(0, 200), st.floats(0, 200))
def test_a_price_moves_towards_a_target_beyond_what_was_seen(seed: int, price: float, seen: float) -> None:
    """Without momentum the new price lies between the old one and the target, which no shift carries too far."""
    dice = np.random.default_rng(seed).integers(0, 2**64, (2, 1), np.uint64)
    adaptation = Adaptation(*(np.array([value]) for value in (0.3, 0.0, 0.2, 0.0)))
    yes, no = np.array([True]), np.array([False])
    up = float(move_prices(np.array([price]), np.array([seen]), yes, no, adaptation, dice, 5.0)[0])
    assert min(price, price + 0.3 * (seen - price)) - 1e-9 <= up <= price + 0.3 * (seen * 1.05 + 5 - price) + 1e-9
    assert move_prices(np.array([price]), np.array([seen]), no, no, adaptation, dice)[0] == price


@pytest.mark.parametrize("design", ["dgp", "call", "spot"])
def test_zip_stays_inside_the_individually_rational_band(design: str) -> None:
    """Limits of purchases lie at most at the consumption value, of sales at least at the floor, after a day."""
    world = played("zip", 30 if design != "spot" else 20, design)
    for role in world.roles:
        view = world.view(role)
        made = Zip().quote(view, world.stream(role), world.design, world._memories[role])
        first, slots = view.open_first, made.wanted_wh.shape[-1]
        outside = view.outside[..., first : first + slots]
        tick = world.design.tick_mjpy_kwh
        assert (made.price <= view.terms.consumption_value(outside) + tick)[made.wanted_wh > 0].all()
        assert (made.price >= floor_price(view, outside) - tick)[made.wanted_wh < 0].all()


def test_zip_wants_what_a_truthful_bidder_wants() -> None:
    """Only prices are learned: energies and plan are those of the truth."""
    world = played("zip", 5)
    view = world.view(Role.HOME)
    action = np.broadcast_to(np.array(TRUTHFUL, np.float32), (*view.stored_wh.shape, len(TRUTHFUL)))
    truth = quote(view, action, world.design)
    made = Zip().quote(view, world.stream(Role.HOME), world.design, world._memories[Role.HOME])
    assert np.array_equal(made.wanted_wh, truth.wanted_wh)
    assert np.array_equal(made.plan_wh, truth.plan_wh)


def test_a_fill_of_its_own_makes_a_seller_ask_for_more() -> None:
    """At a margin above the usual price: after a sale it rises, without one it falls."""
    world = played("zip", 22)
    view, stream = world.view(Role.SOLAR), world.stream(Role.SOLAR)
    margins = []
    for sold_wh in (0, 500):
        memory = Zip().begin(view, stream)
        before: Quote = Zip().quote(view, stream, world.design, memory)
        assert (before.wanted_wh < 0).any()
        memory.margin[:] = 0.9
        later = replace(view, position_wh=view.position_wh - sold_wh, open_first=view.open_first - 1)
        Zip().quote(later, stream, world.design, memory)
        margins.append(memory.margin[..., SELL].copy())
    assert (margins[0] < 0.9).all()
    assert (margins[1] > 0.9).all()


def test_who_is_passed_over_by_a_better_quote_gives_way() -> None:
    """With a live bid behind a rival's, a buyer's margin falls."""
    world = played("zip", 22)
    view, stream = world.view(Role.STORE), world.stream(Role.STORE)
    memory = Zip().begin(view, stream)
    Zip().quote(view, stream, world.design, memory)
    memory.margin[:] = 0.9
    live = np.zeros_like(view.live)
    live[..., Side.BUY - 1] = True
    ahead = np.full_like(view.best_bid, view.terms.consumption_value(view.outside).max())
    # a step later the first open slot is one nearer, seen from where the last one was
    later = replace(view, live=live, best_bid=ahead, open_first=view.open_first - 1)
    Zip().quote(later, stream, world.design, memory)
    assert (memory.margin[..., BUY] < 0.9).all()


def test_a_world_of_learners_in_a_batch_equals_the_world_alone() -> None:
    """Margins of world i are those of a world with seed + i, bit for bit."""
    together = played("zip", 40, worlds=3)
    for world in range(3):
        alone = played("zip", 40, worlds=1, seed=3 + world)
        for role in together.roles:
            mine, theirs = (w._memories[role].margin for w in (alone, together))
            assert mine[0].tobytes() == theirs[world].tobytes()


def test_without_a_budget_prices_leave_the_band() -> None:
    """Some limits of zero-intelligence-unconstrained lie above what the energy is worth to a buyer."""
    world = played("zero-intelligence-unconstrained", 4)
    buys = world.resting[world.resting["side"] == Side.BUY]
    column = buys["slot"] - world.episode.first_slot[buys["world"]]
    outside = world.episode.outside[buys["world"], buys["area"], column]
    assert (buys["price"] > world.terms.consumption_value(outside)).any()


@pytest.mark.parametrize("name", ["zip", "zero-intelligence-unconstrained"])
def test_what_takes_no_parameter_refuses_one(name: str) -> None:
    """One line says what to write."""
    with pytest.raises(ConfigError, match="takes no parameter"):
        find_bidder(f"{name}:0.5")
