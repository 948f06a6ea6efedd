"""The outside world of an episode: alone as in a batch, in integers, with held-out weeks that stay unseen."""

from dataclasses import replace

import numpy as np
import pytest

from agents.draw import Purpose, below, draw, lognormal_ppm
from agents.fleet import Role
from agents.forecasting import HISTORY_DAYS, seasonal_naive
from envs.episode import (
    AHEAD,
    Episode,
    draw_episode,
    held_out_starts,
    start_charge,
    training_starts,
)
from envs.loads import is_held_out
from envs.population import fleet_of
from envs.public_year import PublicYear
from envs.scenario import load_scenario
from envs.scenario_schema import Scenario
from market.errors import ConfigError
from market.units import PPM

SLOTS = 96
COLUMNS = ["load_wh", "solar_wh", "net_forecast_wh", "solar_forecast_wh_kw", "history_wh", "outside", "capacity_wh"]


def drawn(scenario: Scenario, year: PublicYear, starts: np.ndarray, seed: int = 5) -> Episode:
    """An episode of two days."""
    return draw_episode(scenario, fleet_of(scenario), year, seed, starts, SLOTS)


@pytest.fixture(scope="module")
def starts(year: PublicYear) -> np.ndarray:
    """Midnights of four worlds."""
    return training_starts(year, 5, 4, 2)


def test_each_world_is_drawn_as_if_alone(scenario: Scenario, year: PublicYear, starts: np.ndarray) -> None:
    """World i of seed s equals world 0 of seed s + i, in every series."""
    together = drawn(scenario, year, starts)
    for world in range(4):
        alone = drawn(scenario, year, starts[world : world + 1], 5 + world)
        for name in COLUMNS:
            assert (getattr(alone, name)[0] == getattr(together, name)[world]).all(), name
        charge = start_charge(fleet_of(scenario), 5 + world, starts[world : world + 1])
        assert (charge[0] == start_charge(fleet_of(scenario), 5, starts)[world]).all()


def test_series_are_whole_numbers_of_the_stated_shapes(
    scenario: Scenario, year: PublicYear, starts: np.ndarray
) -> None:
    """int64 throughout; energies of load and sun are never negative."""
    episode = drawn(scenario, year, starts)
    assert {getattr(episode, name).dtype for name in COLUMNS} == {np.dtype(np.int64)}
    assert episode.load_wh.shape == episode.solar_wh.shape == (4, 17, SLOTS + AHEAD)
    assert episode.outside.shape == (4, 2, SLOTS + AHEAD)
    assert episode.capacity_wh.shape == (4, SLOTS, 1, 2)
    assert episode.history_wh.shape == (4, 17, HISTORY_DAYS * 48)
    for name in ("load_wh", "solar_wh", "solar_forecast_wh_kw", "capacity_wh"):
        assert (getattr(episode, name) >= 0).all()


def test_sun_is_the_years_yield_times_the_rating(scenario: Scenario, year: PublicYear, starts: np.ndarray) -> None:
    """The mall has twelve times a home's sun, to the rounding; stores have none; prices are the year's."""
    episode, fleet = drawn(scenario, year, starts), fleet_of(scenario)
    at = starts[:, None] - year.first_slot + np.arange(SLOTS + AHEAD)
    assert (episode.solar_wh[:, fleet.rows(Role.SOLAR)[0]] == year.solar_wh_per_kw[at] * 60).all()
    assert (episode.solar_wh[:, 0] == year.solar_wh_per_kw[at] * 5).all()
    assert not episode.solar_wh[:, fleet.rows(Role.STORE)].any()
    assert (np.moveaxis(episode.outside, 1, -1) == year.outside_mjpy_kwh[at]).all()


def test_forecasts_are_perfect_only_when_the_scenario_says_so(year: PublicYear, starts: np.ndarray) -> None:
    """`perfect` is load less sun; `weather` and `naive` use the seasonal load, and differ in the sun."""
    made = {
        name: drawn(load_scenario("urawa-misono", {"forecast": name}), year, starts)
        for name in ("perfect", "weather", "naive")
    }
    perfect = made["perfect"]
    assert (perfect.net_forecast_wh == perfect.load_wh - perfect.solar_wh).all()
    history = np.concatenate([perfect.history_wh, perfect.load_wh], -1)
    expected = seasonal_naive(history, 48)
    stores = slice(5, 10)
    assert (made["weather"].net_forecast_wh[:, stores] == expected[:, stores]).all()
    sun = made["weather"].solar_forecast_wh_kw
    assert (made["weather"].net_forecast_wh[:, 10] == -sun * 60).all()
    assert (made["naive"].net_forecast_wh[:, 10] != made["weather"].net_forecast_wh[:, 10]).any()


def test_the_line_takes_one_of_its_levels_for_each_period(
    scenario: Scenario, year: PublicYear, starts: np.ndarray
) -> None:
    """A level lasts its hold period, in both directions together; each of the scenario's levels occurs."""
    (line,) = scenario.lines
    held = drawn(scenario, year, np.repeat(starts, 5)).capacity_wh[:, :, 0]
    held = held.reshape(20, SLOTS // line.hold_slots, line.hold_slots, 2)
    assert (held == held[:, :, :1]).all()
    assert {tuple(level) for level in held[:, :, 0].reshape(-1, 2).tolist()} == set(line.levels_wh)


def test_the_start_charge_lies_between_its_bounds(scenario: Scenario, year: PublicYear) -> None:
    """The scenario's fractions of the capacity in homes, spread over the range; nothing elsewhere."""
    battery = scenario.homes[0].battery
    low, high = (fraction * battery.kwh * 1_000 for fraction in battery.start_charge)
    charge = start_charge(fleet_of(scenario), 1, training_starts(year, 1, 200, 1))
    assert charge[:, :5].min() >= low
    assert charge[:, :5].max() <= high
    assert charge[:, :5].std() > (high - low) / 4
    assert not charge[:, 5:].any()


@pytest.mark.parametrize("days", [1, 3, 7])
def test_training_episodes_never_touch_a_held_out_day(year: PublicYear, days: int) -> None:
    """Every day of 500 training episodes lies in a training week; every start is a midnight with history behind it."""
    first = (training_starts(year, 3, 500, days) - year.first_slot) // 48
    assert not any(is_held_out(int(day) + ahead) for day in first for ahead in range(days))
    assert ((training_starts(year, 3, 500, days) - year.first_slot) % 48 == 0).all()
    assert first.min() >= HISTORY_DAYS
    assert len(np.unique(first)) > 50


@pytest.mark.parametrize("days", [1, 3, 7])
def test_evaluation_starts_at_the_first_day_of_each_held_out_week(year: PublicYear, days: int) -> None:
    """Thirteen weeks of the year, in turn, each wholly held out."""
    first = ((held_out_starts(year, 26, days) - year.first_slot) // 48).tolist()
    assert all(is_held_out(day + ahead) for day in first for ahead in range(days))
    assert all(not is_held_out(day - 1) for day in first)
    weeks = len(set(first))
    assert 12 <= weeks <= 13
    assert first[weeks:] == first[: 26 - weeks]


def test_a_quarter_of_the_weeks_is_held_out() -> None:
    """Every fourth."""
    assert [is_held_out(day) for day in range(0, 56, 7)] == [False, False, False, True] * 2
    assert sum(is_held_out(day) for day in range(364)) == 91


def test_homes_differ_in_size_and_noise_but_keep_their_mean(scenario: Scenario, year: PublicYear) -> None:
    """The mean of many homes' loads is within 10 % of the published year, and single homes differ."""
    starts = training_starts(year, 9, 300, 2)
    load = drawn(scenario, year, starts, 9).load_wh[:, :5]
    assert load.mean() == pytest.approx(scenario.homes[0].load_kwh_year * 1_000 / 17_520, rel=0.1)
    assert load.mean((0, 2)).std() / load.mean() < 0.1
    assert load[0].mean(-1).std() > 0


def test_loads_and_charges_equal_those_drawn_party_by_party(
    scenario: Scenario, year: PublicYear, starts: np.ndarray
) -> None:
    """The columns drawn together are those of one party after the other (mean x size x shape x noise)."""
    fleet, episode = fleet_of(scenario), drawn(scenario, year, starts)
    charge, slot = start_charge(fleet, 5, starts), starts[:, None] + np.arange(SLOTS + AHEAD)
    worlds, at = np.arange(4), slot - year.first_slot
    for party in range(10):
        shape = (year.household_ppm if party < 5 else year.store_ppm)[at]
        low, high = int(fleet.size_low_ppm[party]), int(fleet.size_high_ppm[party])
        size = low + below(draw(5, worlds, party, 0, Purpose.SIZE), high - low + 1)
        bits = draw(5, worlds[:, None], party, slot, Purpose.LOAD)
        noise = lognormal_ppm(bits, int(fleet.load_noise_ppm[party]) / PPM)
        mean = (fleet.load_wh[party] * size // PPM)[:, None]
        assert (episode.load_wh[:, party] == mean * shape // PPM * noise // PPM).all()
        least, most = int(fleet.start_low_wh[party]), int(fleet.start_high_wh[party])
        assert (
            charge[:, party] == least + below(draw(5, worlds, party, starts, Purpose.CHARGE), most - least + 1)
        ).all()


def test_a_shop_uses_less_while_closed_and_as_much_in_the_day(year: PublicYear, starts: np.ndarray) -> None:
    """Open 9 to 18 and a fifth while closed, without noise: the mean of a flat use stays within 2 %."""
    settings = {"stores.load_noise": 0, "stores.size_spread": [1, 1], "stores.open_hours": [9, 18]}
    shop = drawn(load_scenario("urawa-misono", settings | {"stores.closed_part": 0.2}), year, starts)
    flat = drawn(load_scenario("urawa-misono", {"stores.load_noise": 0, "stores.size_spread": [1, 1]}), year, starts)
    day, whole = shop.load_wh[:, 5, :48], flat.load_wh[:, 5, :48]
    assert (day[:, 18:36] > 1.5 * whole[:, 18:36]).all()
    assert (day[:, :18] < 0.5 * whole[:, :18]).all()
    assert day.sum() == pytest.approx(whole.sum(), rel=0.1)


def test_measured_loads_take_the_place_of_drawn_ones(year: PublicYear, starts: np.ndarray) -> None:
    """The series of a group by its name; all other parties are drawn as before."""
    scenario = load_scenario("urawa-misono", {"homes.load_file": "homes.csv"})
    measured = np.arange(year.slots)[:, None] + np.arange(5) * 1_000_000
    episode = drawn(scenario, replace(year, load_wh={"home": measured}), starts)
    at = starts[:, None] - year.first_slot + np.arange(SLOTS + AHEAD)
    assert (episode.load_wh[:, 3] == at + 3_000_000).all()
    before = drawn(load_scenario("urawa-misono"), year, starts)
    assert (episode.load_wh[:, 5:] == before.load_wh[:, 5:]).all()


def test_a_group_whose_load_file_was_not_read_is_refused(year: PublicYear, starts: np.ndarray) -> None:
    """One line names the group; so does a series of another shape."""
    scenario = load_scenario("urawa-misono", {"homes.load_file": "homes.csv"})
    with pytest.raises(ConfigError, match="load file of group 'home' was not read"):
        drawn(scenario, year, starts)
    with pytest.raises(ConfigError, match="by 5 parties"):
        drawn(scenario, replace(year, load_wh={"home": np.zeros((year.slots, 4), int)}), starts)


def test_a_plant_gives_no_more_than_its_routers_pass(year: PublicYear) -> None:
    """One router of 20 kW on 60 kW of panels: 10,000 Wh per half hour, in fact and in the forecast."""
    noon = training_starts(year, 5, 20, 2)
    plant = drawn(load_scenario("urawa-misono", {"mall.routers": 1}), year, noon)
    free = drawn(load_scenario("urawa-misono"), year, noon)
    assert (plant.solar_wh[:, 10] == np.minimum(free.solar_wh[:, 10], 10_000)).all()
    assert (plant.net_forecast_wh[:, 10] == np.maximum(free.net_forecast_wh[:, 10], -10_000)).all()
    assert (free.solar_wh[:, 10] > 10_000).any()
