"""Forecasts learned from past weeks: fitted once for a kind of party and a year, then whole numbers for every world.

Both models look at the same features (`agents.forecast_models`) and are fitted on training weeks only, on targets whose
whole history lies in training weeks too; what a held-out week holds is never seen.

- `ridge`: linear, coefficients rounded to parts per million, so that a DGC computes the same integers with numpy alone;
- `boosting`: gradient-boosted trees (scikit-learn's HistGradientBoosting, after Friedman 2001,
  DOI 10.1214/aos/1013203451) on the same features over the level, rounded half to even.

Loads are drawn for a past of their own (`PAST_KEY`), so that no world's draws are learned by heart; measured loads are
learned from their own training weeks. The sun is learned from the published forecast, the same half hour of earlier
days and the half hour's mean in training weeks of the season.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from agents.fleet import Fleet
from agents.forecast_models import Calendar, Linear, level_of, load_features
from agents.forecasting import HISTORY_DAYS, seasonal_naive
from envs.load_shapes import is_free_day
from envs.loads import Cohort, cohorts_of, draw_members, past_weeks
from envs.public_year import PublicYear
from envs.published_sun import draw_published_sun
from envs.scenario_schema import Scenario
from market.slots import HALF_HOURS
from market.units import PPM, Int

Kind = Literal["naive", "weather", "ridge", "boosting"]
Floats = npt.NDArray[np.float64]

PAST_KEY = 1 << 40
"""Key of the draws that models are fitted on; worlds have keys far below."""
SAMPLE = 8
"""Parties drawn of each kind for fitting."""
RIDGE = 1.0
"""Assumption: weight of the squared coefficients, on features over the level."""
TREES, LEAVES = 120, 15
"""Assumption: boosting rounds, and leaves of a tree."""
SEASON_DAYS = 30
"""Assumption: days before and after, of any training week, that make a half hour's usual sun."""
SUN_LEVEL = 500
"""What one kW gives in a slot of full sun [Wh]; all slots weigh alike in fitting."""
HISTORY = HISTORY_DAYS * HALF_HOURS.per_day


class Model(NamedTuple):
    """A fitted model: energies [Wh] from features [Wh] and their level."""

    predict: Callable[[Iterator[Int], Int], Int]


@dataclass(frozen=True)
class Past:
    """What every party and world knows of the days: rows of the public year as a calendar."""

    year: PublicYear

    def calendar(self, at: Int) -> Calendar:
        """Calendar of rows of the public year, any shape."""
        half_hour, free, day = _calendar_columns(self.year)
        return Calendar(half_hour[at], free[at], day[at], HALF_HOURS.per_day)


@lru_cache(maxsize=8)
def _calendar_columns(year: PublicYear) -> tuple[Int, npt.NDArray[np.bool_], Int]:
    slots = year.first_slot + np.arange(year.slots)
    first = HALF_HOURS.day_of(year.first_slot)
    days = [first + timedelta(days=n) for n in range(-(-year.slots // HALF_HOURS.per_day))]
    row = np.arange(year.slots) // HALF_HOURS.per_day
    free = np.array([is_free_day(day) for day in days])[row]
    of_year = np.array([(day - date(day.year, 1, 1)).days for day in days], np.int64)[row]
    return slots % HALF_HOURS.per_day, free, of_year


def forecast_load(kind: Kind, scenario: Scenario, fleet: Fleet, year: PublicYear, load_wh: Int, at: Int) -> Int:
    """Forecast of every party's load (w, parties, n) [Wh].

    Args:
        kind: the model.
        scenario, fleet: who lives there.
        year: the public year the loads lie in.
        load_wh: (w, parties, history + n) real loads; only what is official two days before a slot is read.
        at: (w, history + n) their rows in the public year.
    """
    out = np.zeros((*load_wh.shape[:2], load_wh.shape[-1] - HISTORY), np.int64)
    for cohort, rows in cohorts_of(scenario, fleet, year):
        out[:, rows] = forecast_cohort(kind, cohort, year, load_wh[:, rows], at)
    return out


def forecast_cohort(kind: Kind, cohort: Cohort, year: PublicYear, load_wh: Int, at: Int) -> Int:
    """Forecast of the parties of one cohort (w, parties, n) [Wh]; `weather` foretells loads as `naive` does."""
    if kind == "naive" or kind == "weather":
        return seasonal_naive(load_wh, HALF_HOURS.per_day)
    calendar = Past(year).calendar(at[:, None])
    return _fit_load(kind, cohort, year).predict(load_features(load_wh, calendar), level_of(load_wh, calendar))


def forecast_sun(kind: Kind, year: PublicYear, sun: Int, published: Int, at: Int, error: float) -> Int:
    """Forecast of the yield (w, n) [Wh per kW].

    Args:
        kind: the model.
        year: the public year.
        sun: (w, history + n) real yield, read as far as it is official.
        published: (w, n) the weather forecast.
        at: (w, history + n) rows in the public year.
        error: log standard deviation of the weather forecast's error.
    """
    if kind == "naive":
        return seasonal_naive(sun, HALF_HOURS.per_day)
    if kind == "weather":
        return published
    model = _fit_sun(kind, year, error)
    features = [*_sun_features(year, sun, published, at)]
    ahead = model.predict(iter(features), np.full_like(published, SUN_LEVEL))
    return np.where(features[-1] > 0, ahead, 0)


# ---------------------------------------------------------------- fitting


@lru_cache(maxsize=64)
def _fit_load(kind: Kind, cohort: Cohort, year: PublicYear) -> Model:
    """A model of one kind of party, from training weeks of a past of its own or of its meter."""
    at = np.arange(year.slots)[None]
    load = past_load(cohort, year)
    calendar = Past(year).calendar(at[:, None])
    targets = past_weeks(year, HISTORY_DAYS)[HISTORY:]
    level = level_of(load, calendar)[..., targets]
    features = [
        np.broadcast_to(f, (*load.shape[:2], len(targets)))[..., targets] for f in load_features(load, calendar)
    ]
    return _fit(kind, features, load[..., HISTORY:][..., targets], level)


def past_load(cohort: Cohort, year: PublicYear) -> Int:
    """A year of loads (1, parties, slots of the year) [Wh]: drawn for a past of their own, or measured."""
    if cohort.measured:
        return year.load_wh[cohort.measured].T[None]
    at = np.arange(year.slots)[None]
    return draw_members(cohort, year, PAST_KEY, np.zeros(1, np.int64), np.arange(SAMPLE), at, at + year.first_slot)


def past_published(year: PublicYear, error: float) -> tuple[Int, Int]:
    """Rows of the public year and the forecasts published for them in a past of their own, (SAMPLE, slots) each."""
    worlds, at = np.arange(SAMPLE), np.arange(year.slots)[None].repeat(SAMPLE, 0)
    return at, draw_published_sun(year, PAST_KEY, worlds, at, np.full(SAMPLE, year.first_slot), error)


@lru_cache(maxsize=16)
def _fit_sun(kind: Kind, year: PublicYear, error: float) -> Model:
    """A model of the sun at the site, from training weeks and published forecasts drawn for them."""
    at, published = past_published(year, error)
    sun = year.solar_wh_per_kw[at]
    targets = past_weeks(year, HISTORY_DAYS)[HISTORY:]
    features = [f[..., targets] for f in _sun_features(year, sun, published[:, HISTORY:], at)]
    wanted = sun[:, HISTORY:][:, targets]
    return _fit(kind, features, wanted, np.full_like(wanted, SUN_LEVEL))


def _sun_features(year: PublicYear, sun: Int, published: Int, at: Int) -> Iterator[Int]:
    yield published
    yield seasonal_naive(sun, HALF_HOURS.per_day)
    yield usual_sun(year)[at[..., HISTORY:]]


@lru_cache(maxsize=8)
def usual_sun(year: PublicYear) -> Int:
    """Mean yield of the same half hour in training weeks of the season, (slots,) [Wh per kW]."""
    per_day = HALF_HOURS.per_day
    days = year.slots // per_day
    sun = year.solar_wh_per_kw[: days * per_day].reshape(days, per_day)
    known = past_weeks(year, 0)[: days * per_day].reshape(days, per_day)[:, 0]
    away = np.abs(np.arange(days)[:, None] - np.arange(days))
    season = ((away <= SEASON_DAYS) & known).astype(np.int64)
    return np.asarray((season @ sun) // np.maximum(season.sum(1, keepdims=True), 1)).reshape(-1)


def _fit(kind: Kind, features: list[Int], target: Int, level: Int) -> Model:
    """Fit on (..., rows) columns, all over their level."""
    inputs = np.stack([(f / level).reshape(-1) for f in features], 1)
    wanted = (target / level).reshape(-1)
    return _ridge(inputs, wanted) if kind == "ridge" else _boosting(inputs, wanted)


def _ridge(inputs: Floats, wanted: Floats) -> Model:
    from sklearn.linear_model import Ridge

    fitted = Ridge(alpha=RIDGE, fit_intercept=False).fit(inputs, wanted)
    linear = Linear(tuple(int(c) for c in np.rint(fitted.coef_ * PPM)))
    return Model(lambda features, level: linear.predict(features))


def _boosting(inputs: Floats, wanted: Floats) -> Model:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    trees: Any = HistGradientBoostingRegressor(
        max_iter=TREES, max_leaf_nodes=LEAVES, random_state=0, early_stopping=False
    )
    # more threads gain little on so few rows, and wait for each other where the machine is busy
    with threadpool_limits(1):
        trees.fit(inputs, wanted)

    def predict(features: Iterator[Int], level: Int) -> Int:
        columns = [np.broadcast_to(f, level.shape) / level for f in features]
        with threadpool_limits(1):
            ratio = trees.predict(np.stack([c.reshape(-1) for c in columns], 1)).reshape(level.shape)
        return np.asarray(np.rint(np.maximum(ratio, 0) * level), np.int64)

    return Model(predict)
