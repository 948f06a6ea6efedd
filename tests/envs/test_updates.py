"""Forecasts that the newest official readings correct: nothing of the future, less error near delivery."""

from dataclasses import replace

import numpy as np
import pytest

from agents.fleet import Role
from envs.episode import draw_episode, held_out_starts
from envs.opening import open_world
from envs.population import fleet_of
from envs.public_year import PublicYear, public_year
from envs.scenario import load_scenario
from envs.updates import REACH, SEEN, Beliefs, Updates, fit_updates, updated_load, updated_sun
from envs.world import World
from market.units import PPM

URAWA = load_scenario("urawa-misono", {"forecast_updates": True})
GATE, LAG = 2, 3


@pytest.fixture(scope="module")
def year() -> PublicYear:
    """The synthetic year of the reference scenario."""
    return public_year(URAWA)


def worlds_of(year: PublicYear, updates: bool, count: int = 13, days: int = 2) -> World:
    """Held-out worlds with or without updated forecasts."""
    scenario = load_scenario("urawa-misono", {"forecast_updates": updates})
    world = open_world(scenario, worlds=count, days=days, held_out=True, year=year, ledger="off")
    world.reset()
    return world


def beliefs_of(load: np.ndarray, seen: np.ndarray, weight_ppm: int) -> Beliefs:
    """One world and party with one weight at all distances, and a sun as foretold."""
    weights = np.full(REACH + 1, weight_ppm)
    sun = np.zeros((1, load.shape[-1]), np.int64)
    return Beliefs(load, seen, sun, sun, Updates(weights[None], weights))


def test_half_of_the_mean_miss_of_the_last_four_readings_is_added() -> None:
    """40 Wh more than foretold, weight one half: 20 Wh more in every slot ahead."""
    foretold = np.full((1, 1, 50), 100)
    seen = foretold.copy()
    seen[..., 7:11] = (120, 140, 140, 160)
    more = updated_load(beliefs_of(foretold, seen, PPM // 2), slice(0, 1), 10, 13, 20)
    assert (more == 20).all()


def test_a_load_is_never_foretold_below_nothing() -> None:
    """A large miss downwards takes away what was foretold, no more."""
    foretold = np.full((1, 1, 50), 100)
    seen = np.zeros_like(foretold)
    foretold[..., 20] = 10
    more = updated_load(beliefs_of(foretold, seen, PPM), slice(0, 1), 10, 13, 21)
    assert more[0, 0].tolist() == [-100] * 7 + [-10]


def test_a_darker_morning_makes_the_forecast_smaller_in_proportion() -> None:
    """Half of the sun foretold was seen; with full weight half is foretold from then on, and night stays night."""
    foretold = np.array([[200] * 20 + [0] * 5])
    weights = np.full(REACH + 1, PPM)
    beliefs = Beliefs(foretold[None], foretold[None], foretold, foretold // 2, Updates(weights[None], weights))
    assert updated_sun(beliefs, 10, 13, 25).tolist() == [[100] * 7 + [0] * 5]


def test_nothing_is_updated_before_there_are_readings() -> None:
    """The first official readings of an episode do not fill the memory yet."""
    foretold = np.full((1, 1, 50), 100)
    beliefs = beliefs_of(foretold, foretold + 50, PPM)
    assert not updated_load(beliefs, slice(0, 1), SEEN - 2, 5, 9).any()
    assert (updated_sun(beliefs, SEEN - 2, 5, 9) == 0).all()


def test_readings_that_are_not_official_yet_change_nothing(year: PublicYear) -> None:
    """Loads and sun after the newest official slot may be anything."""
    world = worlds_of(year, True, count=2)
    while world.t < 24:
        world.step()
    before = world.view(Role.HOME).net_wh.copy()
    episode = world.episode
    assert episode.beliefs is not None
    changed = episode.beliefs._replace(
        load_seen_wh=episode.beliefs.load_seen_wh.copy(), sun_seen_wh_kw=episode.beliefs.sun_seen_wh_kw.copy()
    )
    changed.load_seen_wh[..., world.t - LAG + 1 :] += 5_000
    changed.sun_seen_wh_kw[..., world.t - LAG + 1 :] += 300
    world.episode = replace(episode, beliefs=changed)
    world._sight = type(world._sight)(world)
    assert (world.view(Role.HOME).net_wh == before).all()


def test_updates_lower_the_error_of_what_the_mall_foretells_at_the_gate(year: PublicYear) -> None:
    """Thirteen held-out worlds: mean absolute error of the plant's forecast for the slot at the gate."""
    missed = {}
    for updates in (False, True):
        world, total = worlds_of(year, updates), 0.0
        plant = world.fleet.rows(Role.SOLAR)
        for _ in range(world.slots - GATE):
            foretold = world.view(Role.SOLAR).net_wh[..., GATE]
            total += float(np.abs(foretold + world.episode.solar_wh[:, plant, world.t + GATE]).mean())
            world.step()
        missed[updates] = total
    assert missed[True] < 0.97 * missed[False]


def test_a_scenario_without_updates_keeps_no_beliefs(year: PublicYear) -> None:
    """The default costs nothing."""
    assert (
        draw_episode(load_scenario("urawa-misono"), fleet_of(URAWA), year, 5, held_out_starts(year, 1, 1), 48).beliefs
        is None
    )


def test_weights_fade_and_stay_between_nothing_and_one(year: PublicYear) -> None:
    """The sun's miss says more about the next hour than about tomorrow."""
    updates = fit_updates(URAWA, fleet_of(URAWA), year, "weather")
    for weights in (*updates.load_ppm, updates.sun_ppm):
        assert weights.min() >= 0
        assert weights.max() <= PPM
    assert updates.sun_ppm[1:7].mean() > 2 * updates.sun_ppm[40:90].mean()
