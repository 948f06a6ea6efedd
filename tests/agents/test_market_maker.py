"""A market maker: both sides, inside its limit, its battery and the band; and the study of what it adds."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agents.bidders import find_bidder
from agents.devices import charge_limit, discharge_limit
from agents.fleet import Role
from agents.market_maker import MarketMaker
from agents.observing import View
from agents.quoting import TRUTHFUL, Quote, floor_price, quote
from envs.opening import open_world
from envs.world import World
from experiments.cli import app
from market.errors import ConfigError
from market.orders import Side

MAKER = MarketMaker(spread=0.4, limit_wh=600)


@pytest.fixture(scope="module")
def world() -> World:
    """Half a day of homes that all make markets."""
    world = open_world(policies={"home": MAKER}, worlds=3, days=1, seed=5)
    world.reset()
    for _ in range(24):
        world.step()
    return world


def quotes(world: World, role: Role = Role.HOME) -> tuple[View, Quote, Quote]:
    """What is seen, what the market maker quotes, and what a truthful bidder would."""
    view = world.view(role)
    action = np.broadcast_to(np.array(TRUTHFUL, np.float32), (*view.stored_wh.shape, len(TRUTHFUL)))
    made = MAKER.quote(view, world.stream(role), world.design, None)
    return view, made, quote(view, action, world.design)


def test_it_bids_below_where_it_asks_and_never_beyond_the_outside_prices(world: World) -> None:
    """Floor <= bid < ask <= value in every slot with both sides (to the tick)."""
    view, made, _ = quotes(world)
    assert made.other_wh is not None
    assert made.other_price is not None
    both = (made.wanted_wh > 0) & (made.other_wh < 0)
    assert both.any()
    outside = view.outside[..., view.open_first : view.open_first + made.wanted_wh.shape[-1]]
    tick = world.design.tick_mjpy_kwh
    assert (made.price < made.other_price)[both].all()
    assert (made.price <= view.terms.consumption_value(outside))[both].all()
    assert (made.other_price >= floor_price(view, outside) - tick)[both].all()


def test_what_it_offers_keeps_inventory_within_its_limit(world: World) -> None:
    """Each side alone, filled whole, leaves at most the limit beyond the truthful target where it was within."""
    _, made, truth = quotes(world)
    assert made.other_wh is not None
    later = slice(1, None)
    inventory = -truth.wanted_wh[..., later]
    bought = made.wanted_wh[..., later] > 0
    sold = made.other_wh[..., later] < 0
    assert (inventory + made.wanted_wh[..., later] <= MAKER.limit_wh)[bought].all()
    assert (inventory + made.other_wh[..., later] >= -MAKER.limit_wh)[sold].all()


def test_at_the_gate_it_plans_what_its_battery_can_deliver(world: World) -> None:
    """The plan of the gate slot differs from the forecast by no more than the battery can take or give."""
    view, made, _ = quotes(world)
    assert made.other_wh is not None
    assert not made.other_wh[..., 0].any()
    passed = made.plan_wh - view.net_wh[..., view.gate]
    assert (passed <= charge_limit(view.battery, view.stored_at_gate_wh)).all()
    assert (-passed <= discharge_limit(view.battery, view.stored_at_gate_wh)).all()


def test_more_inventory_moves_both_quotes_down(world: World) -> None:
    """A market maker that is long wants to sell: bid and ask are lower than of one that is short."""
    view, _, truth = quotes(world)
    short, long = (MAKER._prices(view, np.full_like(truth.wanted_wh, energy), world.design) for energy in (-600, 600))
    for at_short, at_long in zip(short, long, strict=True):
        assert (at_long <= at_short).all()
        assert (at_long < at_short).any()


def test_both_sides_rest_in_the_book_of_the_same_party() -> None:
    """The world sends both orders of a slot, and the party never meets itself."""
    world = open_world(policies={"home": MAKER, "store": "markup:0.9", "thermal": "markup:0.9"}, days=1, seed=5)
    world.reset()
    found = False
    for _ in range(30):
        step = world.step()
        assert (step.contracts["seller"] != step.contracts["buyer"]).all()
        mine = world.resting[world.resting["party"] == world.fleet.rows(Role.HOME)[0]]
        slots = {side: set(mine["slot"][mine["side"] == side].tolist()) for side in Side}
        found = found or bool(slots[Side.BUY] & slots[Side.SELL])
    assert found


def test_a_party_without_a_battery_is_a_pure_trader(world: World) -> None:
    """A store quotes both sides of later slots and plans its own load."""
    _, made, truth = quotes(world, Role.STORE)
    assert made.other_wh is not None
    assert (made.wanted_wh[..., 1:] > 0).any()
    assert np.array_equal(made.plan_wh, truth.plan_wh)
    assert np.array_equal(made.wanted_wh[..., 0], truth.wanted_wh[..., 0])


def test_a_thermal_unit_makes_no_market() -> None:
    """It cannot buy: one line says so."""
    world = open_world(policies={"thermal": MAKER}, days=1)
    world.reset()
    with pytest.raises(ConfigError, match="thermal unit cannot buy"):
        world.step()


@pytest.mark.parametrize(("text", "says"), [("wide", "is not a spread"), ("2", "outside 0 .. 1")])
def test_a_spread_is_a_part_of_the_band(text: str, says: str) -> None:
    """What is not is refused in one line."""
    with pytest.raises(ConfigError, match=says):
        find_bidder(f"market-maker:{text}")


def test_the_study_shows_every_background_and_draws_its_picture(tmp_path: Path) -> None:
    """JSON holds a change with an interval for each measure; a home that makes a market trades more than its twin."""
    asked = f"study market-maker --worlds 2 --days 1 --json --figures {tmp_path}"
    result = CliRunner().invoke(app, asked.split())
    found = json.loads(result.stdout)
    change = found["zero-intelligence"]["two_sided"]["change"]
    assert change["low"] <= change["mean"] <= change["high"]
    assert found["zero-intelligence"]["turnover_kwh_day"]["change"]["mean"] > 0
    assert (tmp_path / "market_maker.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("wrong", ["--worlds 1", "--spread 2", "--limit 0", "--days 9"])
def test_wrong_numbers_are_refused_in_one_line(wrong: str) -> None:
    """Nothing is played."""
    result = CliRunner().invoke(app, f"study market-maker {wrong}".split())
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
