"""What parties can know: nobody sees loads or prices of the future."""

from dataclasses import replace

import numpy as np
import pytest

from agents.fleet import Role
from agents.forecasting import READING_LAG, known_slots
from envs.scenario import load_scenario
from envs.world import World
from market.design import find_design
from market.errors import ConfigError

YEAR_AHEAD = find_design("dgp").with_horizon(400)


def far_sighted_world() -> World:
    """A world whose market opens 400 slots ahead, on its second day."""
    world = World(load_scenario("urawa-misono"), YEAR_AHEAD, 1, 5, days=10)
    world.reset()
    for _ in range(60):
        world.step()
    return world


def test_slots_within_two_days_are_forecast_for_themselves() -> None:
    """The windows of all short designs are as before."""
    assert known_slots(96, 48).tolist() == list(range(96))


@pytest.mark.parametrize("count", [97, 480, 17_520])
def test_farther_slots_repeat_the_newest_forecast_made_of_official_readings(count: int) -> None:
    """Same half hour, whole days earlier, no day earlier than needed."""
    known, ahead = known_slots(count, 48), np.arange(count)
    far = ahead >= 96
    assert ((ahead - known) % 48 == 0).all()
    assert (known[far] - 96 <= -READING_LAG).all()
    assert (known[far] + 48 - 96 > -READING_LAG).all()


def test_a_forecast_a_week_ahead_reads_no_load_of_the_future() -> None:
    """Loads from now on may be anything: what is seen now does not change."""
    world = far_sighted_world()
    seen = world.view(Role.HOME).net_wh
    later = world.episode.net_forecast_wh.copy()
    # forecasts of slots from two days ahead on are made of loads from now on
    later[..., world.t + 96 :] += 1_000_000
    world.episode = replace(world.episode, net_forecast_wh=later)
    other = World.view(_looked_again(world), Role.HOME).net_wh
    assert seen.shape[-1] > 400
    assert (seen == other).all()


def test_perfect_foresight_sees_what_will_happen_however_far() -> None:
    """It is for comparison only, and says so."""
    scenario = load_scenario("urawa-misono").model_copy(update={"forecast": "perfect"})
    world = World(scenario, YEAR_AHEAD, 1, 5, days=10)
    world.reset()
    net = world.view(Role.HOME).net_wh
    load, solar = world.episode.load_wh[:, :5], world.episode.solar_wh[:, :5]
    assert (net == (load - solar)[..., : net.shape[-1]]).all()


def test_an_episode_past_the_public_year_is_refused_with_the_days_that_fit() -> None:
    """The number named works, one day more does not."""
    scenario, design = load_scenario("urawa-misono"), find_design("call")
    with pytest.raises(ConfigError, match="choose at most") as refused:
        World(scenario, design, 1, 0, days=360, held_out=True).reset()
    most = int(str(refused.value).split("choose at most ")[1].split()[0])
    World(scenario, design, 1, 0, days=most, held_out=True, ledger="off").reset()
    with pytest.raises(ConfigError):
        World(scenario, design, 1, 0, days=most + 1, held_out=True, ledger="off").reset()


def _looked_again(world: World) -> World:
    """The same world with nothing remembered from the views before."""
    from envs.sight import Sight

    world._sight = Sight(world)
    return world
