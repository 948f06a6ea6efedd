"""The rolling optimiser in the world: what it bids, what it earns, and that it is exact."""

from dataclasses import replace

import pytest

from agents.bidders import find_bidder
from agents.fleet import Role
from agents.optimising import Optimising, look_ahead, make_optimising
from agents.quoting import THERMAL
from agents.strategies import Bidder
from envs.opening import open_world
from envs.scenario import load_scenario
from envs.world import World
from market.design import find_design
from market.errors import ConfigError
from market.units import PPM, Int


def played(bidder: str | Bidder, design: str = "retail", worlds: int = 2, days: int = 3, **settings: object) -> World:
    """Held-out days with perfect forecasts, homes bidding so, everybody else truthful."""
    world = open_world(
        load_scenario("urawa-misono", {"forecast": "perfect", **settings}),
        design,
        worlds,
        5,
        policies={"home": bidder},
        days=days,
        held_out=True,
    )
    world.reset()
    while not world.step().done:
        pass
    return world


def money(world: World) -> Int:
    """Money of the homes in each world [uJPY]."""
    return world.tally.money_of_parties()[:, world.fleet.role == Role.HOME].sum(1)


WHOLESALE = {
    "terms.wheeling_jpy_kwh": 0.0,
    "terms.surcharge_jpy_kwh": 0.0,
    "terms.retail_margin_jpy_kwh": 0.0,
    "terms.feed_in_discount_jpy_kwh": 0.0,
    "terms.feed_in_floor_jpy_kwh": 0.0,
}


@pytest.mark.parametrize("settings", [{}, WHOLESALE], ids=["tariff", "wholesale"])
def test_it_earns_more_than_self_use(settings: dict[str, object]) -> None:
    """In every world where the retailer is the only partner and forecasts hold."""
    assert (money(played("optimising", **settings)) > money(played("truthful", **settings))).all()


def test_it_earns_more_than_a_mark_up_where_it_may_trade() -> None:
    """The timing of sales is worth more than their price alone."""
    assert money(played("optimising", "dgp")).sum() > money(played("markup:0.9", "dgp")).sum()


def test_a_world_of_a_batch_equals_the_world_alone() -> None:
    """The second of two worlds leads to the same ledger head as one world with its seed."""
    heads = []
    for worlds, seed in ((2, 5), (1, 6)):
        world = open_world("urawa-misono", "dgp", worlds, seed, policies={"home": "optimising"}, days=1)
        world.reset()
        while not world.step().done:
            pass
        heads.append((world.keeper.content_heads or [])[-1])
    assert heads[0] == heads[1]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_limits_stay_in_the_band(share: float) -> None:
    """No bid above the tariff less a contract's charges, no ask below feed-in, up to the tick."""
    world = open_world("urawa-misono", "dgp", 4, 1, policies={"home": f"optimising:24,{share}"}, days=1, ledger="off")
    world.reset()
    asked = 0
    for _ in range(40):
        view = world.view(Role.HOME)
        made = Optimising(24, share).quote(view, world.stream(Role.HOME), world.design, None)
        outside = view.outside[..., view.open_first : view.open_first + made.price.shape[-1]]
        low, high = view.terms.feed_in_price(outside), view.terms.consumption_value(outside)
        live = made.wanted_wh != 0
        assert ((made.price >= low - 5) & (made.price <= high + 5) | ~live).all()
        asked += (made.wanted_wh < 0).sum()
        world.step()
    assert asked > 0


def test_its_plan_reckons_with_contracts_only_in_the_gate_slot() -> None:
    """A sale of the gate slot is reckoned at feed-in, of later open slots higher; without a market all at feed-in."""
    world = open_world("urawa-misono", "dgp", 1, 1, days=1)
    world.reset()
    view = world.view(Role.HOME)
    ahead = look_ahead(view, world.design, 20, PPM // 2)
    feed_in = view.terms.feed_in_price(view.outside[..., view.gate : view.gate + 20])
    assert (ahead.sell[..., :1] == feed_in[..., :1]).all()
    assert (ahead.sell[..., 1:] > feed_in[..., 1:]).all()
    assert (look_ahead(view, find_design("retail"), 20, PPM // 2).sell == feed_in).all()
    one = {name: getattr(view, name)[..., :1] for name in ("position_wh", "best_bid", "best_ask")}
    once = replace(view, live=view.live[..., :1, :], **one)
    assert (look_ahead(once, find_design("call"), 20, PPM // 2).sell[..., :1] > feed_in[..., :1]).all()


def test_every_role_may_bid_so() -> None:
    """Stores buy, the mall sells, thermal units sell at cost and a share of the band."""
    world = open_world(policies={name: "optimising:47,0" for name in ("home", "store", "mall", "thermal")}, days=1)
    world.reset()
    while not world.step().done:
        pass
    traded = world.tally.energy_wh[0, :, :2].sum(-1)
    assert all(traded[world.fleet.role == role].sum() > 0 for role in (Role.STORE, Role.SOLAR, THERMAL))


def test_its_parameters_are_read_or_refused() -> None:
    """Hours and share, either left out; anything else in one line."""
    assert find_bidder("optimising") == Optimising()
    assert make_optimising("24") == Optimising(24)
    assert make_optimising(",0.5") == Optimising(share=0.5)
    assert find_bidder("optimising:24,0.5").name == "optimising:24,0.5"
    for text in ("x", "24,2", "0,0.5", "nan"):
        with pytest.raises(ConfigError):
            make_optimising(text)
