"""Noise of loads with a memory: mean one, the correlation that is asked for, and every slot by itself."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.draw import Purpose, draw, lognormal_ppm
from agents.fleet import Role
from envs.load_noise import Noise, draw_noise
from envs.opening import open_world
from envs.population import fleet_of
from envs.public_year import PublicYear
from envs.scenario import load_scenario
from envs.updates import fit_updates
from market.errors import ConfigError
from market.slots import HALF_HOURS
from market.units import PPM, Int

HOME = Noise(400_000, 105, 770_000)
MEMORY = {"homes.load_memory_hours": 1.75, "stores.load_memory_hours": 1.75}
LONG = {"homes.load_memory_hours": 6, "stores.load_memory_hours": 6}
GATE, LAG = 2, 3


def noise_of(noise: Noise, worlds: int = 40, parties: int = 30, slots: int = 480) -> Int:
    """Factors of many worlds and parties from slot 1,000 on (w, parties, slots) [ppm]."""
    slot = np.arange(1_000, 1_000 + slots)[None].repeat(worlds, 0)
    return draw_noise(noise, 3, np.arange(worlds), np.arange(parties), slot)


def test_without_a_time_constant_the_noise_is_that_of_one_draw_for_each_slot() -> None:
    """Whatever part would persist: the bytes that loads had before there was a memory."""
    slot = np.arange(100, 148)[None].repeat(2, 0)
    bits = draw(3, np.arange(2)[:, None, None], np.arange(3)[:, None], slot[:, None], Purpose.LOAD)
    found = draw_noise(Noise(400_000, 0, 770_000), 3, np.arange(2), np.arange(3), slot)
    assert (found == lognormal_ppm(bits, 0.4)).all()


@pytest.mark.parametrize("noise", [HOME, Noise(400_000, 600, 500_000), Noise(100_000, 980, 1_000_000)])
def test_the_mean_is_one_and_the_spread_is_kept(noise: Noise) -> None:
    """Within the percent or two that the slowest of these series leaves to chance."""
    factor = noise_of(noise) / PPM
    assert factor.mean() == pytest.approx(1, abs=0.01)
    assert np.log(factor).std() == pytest.approx(noise.sd_ppm / PPM, rel=0.02)


@pytest.mark.parametrize("minutes", [30, 105, 300, 980])
@pytest.mark.parametrize("part", [0.22, 0.77])
@pytest.mark.parametrize("lag", [1, 4, 12, 48])
def test_the_correlation_is_what_is_asked_for(minutes: int, part: float, lag: int) -> None:
    """The part that persists times exp(-lag/time constant), within what four lengths in whole slots can follow."""
    rest = np.log(noise_of(Noise(400_000, minutes, round(part * PPM))) / PPM)
    rest -= rest.mean()
    found = (rest[..., :-lag] * rest[..., lag:]).mean() / rest.var()
    tolerance = 0.02 + part * (0.13 if minutes < 60 else 0.04)
    assert found == pytest.approx(part * np.exp(-lag * HALF_HOURS.minutes / minutes), abs=tolerance)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 500), st.integers(0, 200_000), st.integers(1, 10_000))
def test_any_slot_of_any_world_is_drawn_alone(world: int, party: int, first: int, minutes: int) -> None:
    """One slot of one party of one world is that of a batch, and world i is world 0 with the seed i higher."""
    noise = Noise(400_000, minutes, 600_000)
    worlds, rows = np.array([world + 1, world]), np.array([party, party + 1])
    batch = draw_noise(noise, 7, worlds, rows, np.stack([np.arange(first, first + 20)] * 2))
    alone = draw_noise(noise, 7 + world, np.zeros(1, np.int64), rows[:1], np.array([[first + 13]]))
    assert alone.item() == batch[1, 0, 13]


def test_parties_and_worlds_are_noisy_by_themselves() -> None:
    """The slow part of one says nothing of another: correlation below one percent."""
    rest = np.log(noise_of(HOME) / PPM)
    rest -= rest.mean()
    for other in (np.roll(rest, 1, 0), np.roll(rest, 1, 1)):
        assert abs((rest * other).mean() / rest.var()) < 0.01


def test_a_memory_that_is_none_leaves_scenario_and_loads_as_they_were(year: PublicYear) -> None:
    """The keys are dumped only where they say something; a world's loads are equal."""
    plain, told = load_scenario("urawa-misono"), load_scenario("urawa-misono", {"homes.load_memory_hours": 0})
    assert told.model_dump() == plain.model_dump()
    assert "load_memory_hours" in load_scenario("urawa-misono", MEMORY).model_dump()["homes"]
    loads = [open_world(one, worlds=2, days=1, year=year, ledger="off") for one in (plain, told)]
    for world in loads:
        world.reset()
    assert (loads[0].episode.load_wh == loads[1].episode.load_wh).all()


@pytest.mark.parametrize(("key", "value"), [("hours", -1), ("hours", 200), ("part", 1.5)])
def test_a_memory_beyond_its_bounds_is_refused(key: str, value: float) -> None:
    """A week at most; a part is 0 to 1. One line names the key."""
    with pytest.raises(ConfigError, match=rf"homes\.load_memory_{key}"):
        load_scenario("urawa-misono", {f"homes.load_memory_{key}": value})


def test_readings_are_worth_more_where_loads_persist(year: PublicYear) -> None:
    """Weight of the newest misses of homes at the gate: little without a memory, more with one, most if it is long."""
    weights = []
    for chosen in ({}, MEMORY, LONG):
        scenario = load_scenario("urawa-misono", chosen)
        weights.append(fit_updates(scenario, fleet_of(scenario), year, "ridge").load_ppm[0, LAG + GATE] / PPM)
    assert weights[0] < 0.05
    assert weights[0] + 0.1 < weights[1]
    assert weights[1] + 0.1 < weights[2]


def test_updates_lower_the_error_of_persistent_loads_at_the_gate(year: PublicYear) -> None:
    """What stores miss one hour before delivery: no less without a memory, 1 % at least with one, 10 % with a long."""
    gone = [1 - missed(year, chosen, updates=True) / missed(year, chosen) for chosen in ({}, MEMORY, LONG)]
    assert abs(gone[0]) < 0.01
    assert gone[1] > 0.01
    assert gone[2] > 0.1


def missed(year: PublicYear, chosen: Mapping[str, object], *, updates: bool = False) -> float:
    """Mean absolute error of the stores' forecast for the slot at the gate, thirteen held-out worlds [Wh]."""
    scenario = load_scenario("urawa-misono", {**chosen, "forecast": "ridge", "forecast_updates": updates})
    world = open_world(scenario, worlds=13, days=2, held_out=True, year=year, ledger="off")
    world.reset()
    stores, total = world.fleet.rows(Role.STORE), 0.0
    for _ in range(world.slots - GATE):
        miss = world.view(Role.STORE).net_wh[..., GATE] - world.episode.load_wh[:, stores, world.t + GATE]
        total += float(np.abs(miss).mean())
        world.step()
    return total
