"""Plans that are fixed early: the truthful bidder at the gate, kept plans before it, no trade after them."""

from collections.abc import Sequence

import numpy as np
import pytest

from agents.fixed_plans import DAY_AHEAD, FixedPlans
from agents.fleet import Role
from envs.opening import fit_design
from envs.scenario import load_scenario
from envs.world import World
from market.design import find_design
from market.slots import HALF_HOURS
from market.units import Int

SITES = (Role.HOME, Role.STORE, Role.SOLAR)
GATE = HALF_HOURS.gate
DAYS = 2


def play(lead: int | None, design: str = "retail", truthful: bool = False, **settings: object) -> tuple[World, Int]:
    """Two held-out worlds of two days, and what their meters read (slots, worlds, parties)."""
    scenario = load_scenario("urawa-misono", settings)
    policies = {} if truthful else dict.fromkeys(SITES, FixedPlans(lead))
    rules = fit_design(find_design(design), scenario, 48)
    world = World(scenario, rules, 2, 7, policies=policies, days=DAYS, held_out=True, ledger="off")
    world.reset()
    reading = [world.step().reading_wh for _ in range(world.slots)]
    return world, np.stack(reading)


def plans(world: World, rows: Sequence[int] = range(11)) -> Int:
    """Plans of the sites (worlds, sites, slots)."""
    return world.plan_wh[:, list(rows), : world.slots]


@pytest.mark.parametrize("design", ["retail", "spot", "dgp"])
def test_fixed_at_the_gate_is_the_truthful_bidder(design: str) -> None:
    """Plans, positions, readings and money are the same."""
    fixed, truthful = play(GATE, design), play(None, design, truthful=True)
    assert (fixed[0].plan_wh == truthful[0].plan_wh).all()
    assert (fixed[1] == truthful[1]).all()
    assert (fixed[0].tally.money_ujpy == truthful[0].tally.money_ujpy).all()


@pytest.mark.parametrize("lead", [GATE, 8, 24])
def test_imbalance_is_the_same_under_every_design(lead: int) -> None:
    """What is planned and read depends on when plans are fixed only: the retailer takes what is not traded."""
    found = [play(lead, design) for design in ("retail", "spot", "spot+intraday", "dgp")]
    for world, reading in found[1:]:
        assert (plans(world) == plans(found[0][0])).all()
        assert (reading[..., :11] == found[0][1][..., :11]).all()


def test_nothing_is_traded_after_a_plan_is_fixed() -> None:
    """After the first step no free contract forms less than eight slots before delivery, and some form just then."""
    scenario = load_scenario("urawa-misono")
    policies = dict.fromkeys(SITES, FixedPlans(8))
    rules = fit_design(find_design("dgp"), scenario, 48)
    world = World(scenario, rules, 2, 7, policies=policies, days=1, held_out=True, ledger="off")
    world.reset()
    world.step()
    ahead = []
    for _ in range(1, world.slots):
        formed = world.step().contracts
        free = formed[formed["last_resort"] == 0]
        ahead += (free["slot"].astype(np.int64) - free["formed"]).tolist()
    assert min(ahead) == 8


def test_a_plan_of_the_day_before_is_made_from_what_was_known_then() -> None:
    """Readings from 10:00 on the first day change no plan of the second; those before do."""
    plans_of = []
    for changed_from in (None, 20, 10):
        scenario = load_scenario("urawa-misono", {"forecast": "naive", "forecast_updates": True})
        policies = dict.fromkeys(SITES, FixedPlans(DAY_AHEAD))
        world = World(scenario, find_design("retail"), 2, 7, policies=policies, days=DAYS, ledger="off")
        world.reset()
        assert world.episode.beliefs is not None
        if changed_from is not None:
            world.episode.beliefs.load_seen_wh[..., changed_from:] += 5000
        for _ in range(world.slots):
            world.step()
        plans_of.append(plans(world)[..., HALF_HOURS.per_day :])
    assert (plans_of[0] == plans_of[1]).all()
    assert (plans_of[0] != plans_of[2]).any()


@pytest.mark.parametrize("lead", [GATE, 8, DAY_AHEAD])
def test_a_perfect_forecast_leaves_no_imbalance_whenever_plans_are_fixed(lead: int | None) -> None:
    """Readings are plans, in every design, with batteries."""
    for design in ("retail", "spot", "dgp"):
        world, reading = play(lead, design, forecast="perfect")
        assert (np.moveaxis(reading[..., :11], 0, -1) == plans(world)).all()


def test_batches_do_not_matter() -> None:
    """World 1 of two equals the same world alone."""
    both, _ = play(8, "dgp")
    scenario = load_scenario("urawa-misono")
    rules = fit_design(find_design("dgp"), scenario, 48)
    alone = World(scenario, rules, 1, 8, policies=dict.fromkeys(SITES, FixedPlans(8)), days=DAYS, ledger="off")
    alone.reset(seed=8, starts=both.episode.first_slot[1:])
    for _ in range(alone.slots):
        alone.step()
    assert (alone.plan_wh[0] == both.plan_wh[1]).all()
