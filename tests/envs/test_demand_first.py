"""Demand first (paper 1.4): buy orders are admitted, then sellers see them and answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from agents.fleet import Role
from agents.observing import NO_QUOTE
from envs.opening import open_world
from envs.world import SELLERS, World
from ledger.audit import verify
from market.design import find_design
from market.orders import Side

ANSWERED = replace(find_design("dgp"), name="dgp-answered", arrivals="demand-first")


def fresh(design: object = ANSWERED, worlds: int = 2, folder: Path | None = None) -> World:
    """A reset world of one day."""
    world = open_world(
        design=design,  # type: ignore[arg-type]
        worlds=worlds,
        seed=3,
        days=1,
        ledger="full" if folder else "digest",
        folder=folder,
    )
    world.reset()
    return world


def test_sellers_see_the_buy_orders_of_the_same_step() -> None:
    """At the first step no order rests: with a drawn arrival the mall sees no bid, demand first it sees the stores'."""
    drawn, answered = fresh("dgp").view(Role.SOLAR), fresh().view(Role.SOLAR)
    assert (drawn.best_bid == NO_QUOTE).all()
    assert (answered.best_bid != NO_QUOTE).all()


def test_the_bid_that_sellers_see_is_the_best_buy_order_they_then_meet() -> None:
    """What was shown is what was given: the dearest buy order in the mall's area for each open slot."""
    world = fresh(worlds=1)
    seen, (first, stop) = world.view(Role.SOLAR).best_bid[0, 0], world.open_columns()
    given = world.step().given
    tokyo = int(world.fleet.area[world.fleet.rows(Role.SOLAR)][0])
    for column, bid in zip(range(first, stop), seen, strict=True):
        here = (given["slot"] == world.episode.first_slot[0] + column) & (given["area"] == tokyo)
        assert bid == given["price"][here & (given["side"] == Side.BUY)].max()


def test_demand_arrives_before_every_seller_in_a_drawn_order() -> None:
    """Sellers come last; among the others and among the sellers the order still changes from step to step."""
    world = fresh(worlds=1)
    sells = np.isin(world.fleet.role, SELLERS)
    orders = []
    for _ in range(6):
        given = world.step().given
        assert given["sequence"][sells[given["party"]]].min() > given["sequence"][~sells[given["party"]]].max()
        orders.append(tuple(dict.fromkeys(given["party"][np.argsort(given["sequence"])].tolist())))
    assert len(set(orders)) > 1


def test_looking_first_changes_nothing() -> None:
    """A world whose sellers are observed before each step has the same head as one that is only stepped."""
    looked, blind = fresh(), fresh()
    for _ in range(12):
        for role in SELLERS:
            looked.observe(role)
        looked.step()
        blind.step()
    assert looked.keeper.content_heads == blind.keeper.content_heads


def test_a_signed_day_with_demand_first_is_derived_again(tmp_path: Path) -> None:
    """The recorded order of arrival is all that replay needs."""
    world = fresh(worlds=1, folder=tmp_path / "ledger")
    while not world.step().done:
        pass
    verdict = verify(tmp_path / "ledger", world.keeper.chain_head)
    assert verdict.ok, verdict.lines
