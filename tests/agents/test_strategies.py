"""Bidders that quote by themselves beside those that act in four numbers."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from agents.bidders import find_bidder
from agents.fleet import Role
from agents.observing import View
from agents.policies import TRUTHFUL_POLICY, Stream, mark_up
from agents.quoting import TRUTHFUL, Quote, quote
from agents.strategies import Memory, Mixed, Strategy
from envs.opening import open_world
from market.design import MarketDesign, find_design
from market.errors import ConfigError


@dataclass(frozen=True)
class Counting(Strategy):
    """Bids truthfully and counts how often it was asked."""

    name: str = "counting"

    def begin(self, view: View, stream: Stream) -> Memory:
        """A counter."""
        return np.zeros(1, np.int64)

    def quote(self, view: View, stream: Stream, design: MarketDesign, memory: Memory) -> Quote:
        """The truth, counted."""
        memory += 1
        shape = (*view.stored_wh.shape, len(TRUTHFUL))
        return quote(view, np.broadcast_to(np.array(TRUTHFUL, np.float32), shape), design)


def heads(policies: dict[str, object], design: str = "dgp") -> list[bytes]:
    """Content heads of a day under these bidders."""
    world = open_world(policies=policies, design=design, worlds=2, days=1, seed=3)  # type: ignore[arg-type]
    world.reset()
    while not world.step().done:
        pass
    return list(world.keeper.content_heads or [])


def test_a_strategy_that_quotes_the_truth_equals_the_truthful_policy() -> None:
    """The two ways to a quote lead to the same orders, so to the same ledger head."""
    assert heads({"home": Counting()}) == heads({"home": "truthful"})


def test_a_mixed_role_lets_each_row_bid_in_its_own_way() -> None:
    """All rows given the same bidder of their own equal the role bidding so; one row changed changes the outcome."""
    everyone = Mixed(TRUTHFUL_POLICY, {row: mark_up(0.5) for row in range(5)})
    assert heads({"home": everyone}) == heads({"home": "markup:0.5"})
    assert heads({"home": Mixed(TRUTHFUL_POLICY, {0: mark_up(0.5)})}) != heads({"home": "truthful"})


def test_a_strategy_is_asked_once_a_step_also_where_sellers_hear_demand_first() -> None:
    """Its memory would otherwise move twice in a step."""
    answering = replace(find_design("dgp"), arrivals="demand-first")
    world = open_world(policies={"store": Counting()}, design=answering, days=1)
    world.reset()
    for step in range(1, 4):
        world.observe(Role.SOLAR)
        world.step()
        assert world._memories[Role.STORE].tolist() == [step]


def test_a_new_episode_begins_with_a_new_memory() -> None:
    """Nothing of one episode reaches the next."""
    world = open_world(policies={"home": Counting()}, days=1)
    for _ in range(2):
        world.reset()
        world.step()
        assert world._memories[Role.HOME].tolist() == [1]


def test_a_strategy_has_no_action_to_give() -> None:
    """A learner cannot share its role with a bidder outside the action layout."""
    world = open_world(policies={"home": Counting()}, days=1)
    world.reset()
    with pytest.raises(ConfigError, match="quotes by itself"):
        world.act(Role.HOME)


def test_an_unknown_bidder_is_refused_by_name() -> None:
    """One line says what is known."""
    with pytest.raises(ConfigError, match="unknown policy 'nobody'"):
        find_bidder("nobody")
