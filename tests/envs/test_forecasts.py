"""Learned forecasts: whole numbers, nothing of the future, nothing of held-out weeks."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.fleet import Role
from agents.forecast_models import Calendar, Linear, level_of, load_features
from agents.forecasting import FIRST_LAG_DAYS, seasonal_naive
from envs.episode import AHEAD, draw_episode, held_out_starts
from envs.forecasts import HISTORY, Kind, forecast_load, forecast_sun
from envs.load_shapes import is_free_day
from envs.loads import cohorts_of, draw_load, is_held_out, past_weeks
from envs.population import fleet_of
from envs.public_year import PublicYear, public_year
from envs.published_sun import draw_published_sun
from envs.scenario import load_scenario
from market.slots import HALF_HOURS
from market.units import PPM

SLOTS = 96
URAWA = load_scenario("urawa-misono")
KINDS: tuple[Kind, ...] = ("ridge", "boosting")


@pytest.fixture(scope="module")
def year() -> PublicYear:
    """The synthetic year of the reference scenario."""
    return public_year(URAWA)


def loads(year: PublicYear, worlds: int, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Loads with history and their rows in the year, of worlds in held-out weeks."""
    starts = held_out_starts(year, worlds, 2)
    slot = starts[:, None] + np.arange(-HISTORY, SLOTS)
    at = slot - year.first_slot
    return draw_load(URAWA, fleet_of(URAWA), year, seed, np.arange(worlds), at, slot), at


@pytest.mark.parametrize("kind", KINDS)
def test_a_forecast_reads_only_what_is_official_two_days_before(year: PublicYear, kind: Kind) -> None:
    """Loads within the last two days before a slot may be anything."""
    fleet = fleet_of(URAWA)
    load, at = loads(year, 2)
    changed = load.copy()
    changed[..., HISTORY - FIRST_LAG_DAYS * HALF_HOURS.per_day + 1 :] += 12_345
    first = forecast_load(kind, URAWA, fleet, year, load, at)[..., 0]
    assert (forecast_load(kind, URAWA, fleet, year, changed, at)[..., 0] == first).all()
    assert first[:, :10].all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_world_alone_is_forecast_as_in_a_batch(year: PublicYear, kind: Kind) -> None:
    """The third world of five, by itself."""
    fleet = fleet_of(URAWA)
    load, at = loads(year, 5)
    together = forecast_load(kind, URAWA, fleet, year, load, at)
    assert (forecast_load(kind, URAWA, fleet, year, load[2:3], at[2:3]) == together[2:3]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_models_see_nothing_of_held_out_weeks(year: PublicYear, kind: Kind) -> None:
    """A meter and a sun that differ in held-out weeks only lead to the same forecast from the same readings."""
    fleet = fleet_of(URAWA)
    held = np.array([is_held_out(slot // HALF_HOURS.per_day) for slot in range(year.slots)])
    meter = np.repeat(100 + np.arange(year.slots)[:, None] % 48, 5, 1)
    one = replace(year, load_wh={"home": meter})
    other = replace(
        year,
        load_wh={"home": np.where(held[:, None], 9_999, meter)},
        solar_wh_per_kw=np.where(held & (year.solar_wh_per_kw > 0), 777, year.solar_wh_per_kw),
    )
    load, at = loads(year, 1)
    published = np.full((1, SLOTS), 50)
    sun = year.solar_wh_per_kw[at]
    assert (
        forecast_load(kind, URAWA, fleet, one, load, at) == forecast_load(kind, URAWA, fleet, other, load, at)
    ).all()
    assert (
        forecast_sun(kind, one, sun, published, at, 0.15) == forecast_sun(kind, other, sun, published, at, 0.15)
    ).all()


def test_training_slots_have_their_whole_history_in_training_weeks(year: PublicYear) -> None:
    """Days 8 to 20 of every 28 serve as targets: weeks two and three, with eight days before them."""
    days = past_weeks(year, 8).reshape(-1, HALF_HOURS.per_day)[:, 0]
    assert np.flatnonzero(days[:56]).tolist() == [*range(8, 21), *range(36, 49)]


@pytest.mark.parametrize("kind", KINDS)
def test_learned_loads_miss_by_less_than_the_seasonal_naive(year: PublicYear, kind: Kind) -> None:
    """Homes on thirteen held-out weeks: the mean absolute error falls; so does the sun's."""
    fleet = fleet_of(URAWA)
    load, at = loads(year, 13)
    homes = fleet.rows(Role.HOME)
    real = load[:, homes, HISTORY:]
    learned = np.abs(forecast_load(kind, URAWA, fleet, year, load, at)[:, homes] - real).mean()
    assert learned < 0.97 * np.abs(seasonal_naive(load, 48)[:, homes] - real).mean()
    sun = year.solar_wh_per_kw[at]
    starts = at[:, HISTORY] + year.first_slot
    published = draw_published_sun(year, 7, np.arange(13), at[:, HISTORY:], starts, 0.15)
    missed = np.abs(forecast_sun(kind, year, sun, published, at, 0.15) - sun[:, HISTORY:]).mean()
    assert missed < np.abs(published - sun[:, HISTORY:]).mean()


def test_the_scenario_chooses_the_forecast(year: PublicYear) -> None:
    """`ridge` and `boosting` reach the net forecast of the episode and leave what happens as it is."""
    found = {}
    for kind in ("weather", *KINDS):
        scenario = load_scenario("urawa-misono", {"forecast": kind})
        episode = draw_episode(scenario, fleet_of(scenario), year, 5, held_out_starts(year, 2, 2), SLOTS)
        assert episode.net_forecast_wh.shape == episode.load_wh.shape == (2, 17, SLOTS + AHEAD)
        found[kind] = episode
    assert (found["ridge"].load_wh == found["weather"].load_wh).all()
    assert (found["ridge"].net_forecast_wh != found["weather"].net_forecast_wh).any()
    assert (found["ridge"].net_forecast_wh != found["boosting"].net_forecast_wh).any()


def test_cohorts_hold_every_party_with_a_load_once(year: PublicYear) -> None:
    """A group with measured loads is one of its own."""
    measured = replace(year, load_wh={"store": np.ones((year.slots, 5), np.int64)})
    found = {cohort.measured: members.tolist() for cohort, members in cohorts_of(URAWA, fleet_of(URAWA), measured)}
    assert found == {"store": [5, 6, 7, 8, 9], "": [0, 1, 2, 3, 4]}


# ---------------------------------------------------------------- features and their referee


def calendar_of(first_day: int, slots: int) -> Calendar:
    """A calendar from a day on."""
    slot = first_day * 48 + np.arange(slots)
    days = [HALF_HOURS.day_of(int(s)) for s in slot]
    free = np.array([is_free_day(day) for day in days])
    return Calendar(slot % 48, free, np.array([day.timetuple().tm_yday - 1 for day in days]), 48)


@given(st.integers(0, 2**32 - 1), st.integers(6_000, 7_000))
def test_features_of_the_past_equal_a_plain_count(seed: int, first_day: int) -> None:
    """Means over lags, over lags of the same kind of day and over six days, slot by slot."""
    dice = np.random.default_rng(seed)
    count = 3
    load = dice.integers(0, 5_000, HISTORY + count)
    calendar = calendar_of(first_day, HISTORY + count)
    mean, same, week, level, *_ = load_features(load, calendar)
    for n in range(count):
        at = HISTORY + n
        lags = [int(load[at - 48 * days]) for days in range(2, 9)]
        kind = [
            lag
            for lag, days in zip(lags, range(2, 9), strict=True)
            if calendar.free[at - 48 * days] == calendar.free[at]
        ]
        assert mean[n] == sum(lags) // 7
        assert same[n] == (sum(kind) // len(kind) if kind else sum(lags) // 7)
        assert week[n] == load[at - 48 * 7]
        before = load[at - 8 * 48 : at - 2 * 48]
        assert level[n] == max(int(before.sum()) // len(before), 1)


@given(st.lists(st.integers(-3 * PPM, 3 * PPM), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_a_linear_forecast_is_the_whole_number_below_the_sum(coefficients: list[int], seed: int) -> None:
    """Python's own integers say the same; what would be negative is nothing."""
    features = np.random.default_rng(seed).integers(0, 2**38, (len(coefficients), 4))

    def columns() -> Iterator[np.ndarray]:
        yield from features

    found = Linear(tuple(coefficients)).predict(columns())
    for n in range(4):
        total = sum(c * int(f) for c, f in zip(coefficients, features[:, n], strict=True))
        assert found[n] == max(total // PPM, 0)


def test_the_level_does_not_know_the_last_two_days() -> None:
    """The newest reading it holds is of two days before the slot."""
    load = np.zeros(HISTORY + 2, np.int64)
    load[HISTORY - 96 :] = 1_000
    assert level_of(load, calendar_of(6_500, HISTORY + 2)).tolist() == [1, 1 * 1_000 // 288]
