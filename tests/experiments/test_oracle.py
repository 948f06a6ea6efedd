"""The oracle bounds every bidder in every run it takes, and is reached where there is nothing to know."""

import numpy as np
import pytest

from agents.fleet import Role
from envs.opening import open_world
from envs.scenario import load_scenario
from envs.world import World
from experiments.oracle import find_best, play_course
from market.errors import ConfigError

BIDDERS = ("truthful", "markup:0.5", "zero-intelligence", "optimising", "optimising:24,0")
CHARGES = ("wheeling", "surcharge", "retail_margin", "feed_in_discount", "feed_in_floor", "fee")
WHOLESALE = {f"terms.{name}_jpy_kwh": 0.0 for name in CHARGES}
"""Everything bought and sold at JEPX's price."""


def world_of(bidder: str, design: str, forecast: str, seed: int, days: int = 1, **settings: float) -> World:
    """Held-out days in which homes, stores and the mall bid so."""
    return open_world(
        load_scenario("urawa-misono", {"forecast": forecast, **settings}),
        design,
        1,
        seed,
        policies={"home": bidder, "store": bidder, "mall": bidder},
        days=days,
        held_out=True,
        ledger="off",
    )


@pytest.mark.parametrize("design", ["retail", "call", "spot"])
def test_no_bidder_has_more_than_the_oracle(design: str) -> None:
    """Prices of the run known, every home, store and the mall has at most what the programme makes of it."""
    for seed, bidder in enumerate(BIDDERS):
        course = play_course(world_of(bidder, design, ("perfect", "weather", "naive")[seed % 3], seed))
        parties = np.flatnonzero(np.isin(course.world.fleet.role, (Role.HOME, Role.STORE, Role.SOLAR)))
        best = find_best(course, parties.tolist(), same_end=seed % 2 == 0)
        assert (course.money_ujpy[:, parties] <= best.money_ujpy + 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("design", ["retail", "call", "spot"])
def test_no_bidder_has_more_than_the_oracle_in_many_runs(design: str) -> None:
    """The same over thirty seeds, and with battery wear."""
    for seed in range(30):
        for wear in (0.0, 22.0):
            chosen = BIDDERS[seed % len(BIDDERS)]
            course = play_course(
                world_of(chosen, design, "weather", 100 + seed, **{"homes.battery.wear_jpy_kwh": wear})
            )
            best = find_best(course, range(11))
            assert (course.money_ujpy[:, :11] <= best.money_ujpy + 1).all()


def test_a_store_that_forecasts_well_has_what_the_oracle_has() -> None:
    """Without a battery there is nothing to decide under `retail`: the bound is reached to the uJPY."""
    course = play_course(world_of("truthful", "retail", "perfect", 0))
    stores = np.flatnonzero(course.world.fleet.role == Role.STORE)
    best = find_best(course, stores.tolist())
    assert np.abs(course.money_ujpy[:, stores] - best.money_ujpy).max() < 1


def test_the_oracle_of_one_bidder_bounds_another_where_nobody_moves_a_price() -> None:
    """Under `retail` the draws are the same and so is the oracle, whoever bids."""
    found = []
    for bidder in ("truthful", "optimising"):
        course = play_course(world_of(bidder, "retail", "perfect", 3))
        found.append(find_best(course, range(5)).money_ujpy)
    assert np.abs(found[0] - found[1]).max() < 10


def test_the_optimiser_reaches_nine_tenths_of_what_can_be_saved_at_wholesale_prices() -> None:
    """Perfect forecasts, a week, batteries that buy and sell at the outside price as published."""
    money = {}
    for bidder in ("truthful", "optimising"):
        course = play_course(world_of(bidder, "retail", "perfect", 10_000, 7, **WHOLESALE))
        money[bidder] = course.money_ujpy[:, :5].sum()
    best = find_best(course, range(5)).money_ujpy.sum()
    assert money["optimising"] - money["truthful"] > 0.9 * (best - money["truthful"]) > 0


def test_the_oracle_refuses_what_it_does_not_bound() -> None:
    """Continuous trade has no one price, other imbalance rules may pay more, thermal units burn fuel."""
    with pytest.raises(ConfigError, match="no one price"):
        play_course(world_of("truthful", "dgp", "perfect", 0))
    japan = load_scenario("urawa-misono", {"terms.imbalance": "jp-2022"})
    with pytest.raises(ConfigError, match="may pay more"):
        play_course(open_world(japan, "retail", days=1))
    course = play_course(world_of("truthful", "retail", "perfect", 0, 1))
    with pytest.raises(ConfigError, match="its plan is what it sold"):
        find_best(course, [int(course.world.fleet.rows(Role.THERMAL)[0])])
