"""Linear forecasts on whole numbers: what a DGC computes itself from its own readings and the calendar.

A forecast is a sum of features, each an energy [Wh], times coefficients in parts per million, rounded down once: the
same integers in any batch and on any machine. The coefficients are fitted elsewhere (`envs.forecasts`), by ridge
regression on past weeks; everything a feature reads is official two days before its slot (`FIRST_LAG_DAYS`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from agents.forecasting import FIRST_LAG_DAYS, HISTORY_DAYS, LAST_LAG_DAYS
from market.units import PPM, Int

WAVES = 4
"""Harmonics of the day in the calendar features."""
DAYS_PER_YEAR = 365
SAME_WEEKDAY = 7


@dataclass(frozen=True)
class Calendar:
    """What is known of every slot of a history and after it: (..., slots) each.

    half_hour: 0 .. slots_per_day - 1; free: Saturday, Sunday or holiday; day_of_year: 0 .. 365.
    """

    half_hour: Int
    free: npt.NDArray[np.bool_]
    day_of_year: Int
    slots_per_day: int

    @property
    def history(self) -> int:
        """Slots of history in front."""
        return HISTORY_DAYS * self.slots_per_day


@dataclass(frozen=True)
class Linear:
    """Coefficients [ppm], one for each feature, in their order."""

    coefficients_ppm: tuple[int, ...]

    def predict(self, features: Iterator[Int]) -> Int:
        """Sum of the features times their coefficients, rounded down, never negative [Wh]."""
        total: Int | int = 0
        for coefficient, feature in zip(self.coefficients_ppm, features, strict=True):
            total = total + coefficient * feature
        return np.asarray(np.maximum(np.asarray(total) // PPM, 0))


def load_features(load_wh: Int, calendar: Calendar) -> Iterator[Int]:
    """Features of the load of each slot behind the history, one after the other, (..., n) each [Wh].

    - the mean of the same half hour two to eight days before, of those of the same kind of day, and of a week before;
    - the mean of the six days that end two days before (`level_of`): by itself and times harmonics of the half hour,
      both again on free days only, and times the season.

    Args:
        load_wh: (..., history + n) readings, oldest first.
        calendar: of the same slots, shapes that broadcast against it.
    """
    lags = [_lag(load_wh, days, calendar) for days in range(FIRST_LAG_DAYS, LAST_LAG_DAYS + 1)]
    total = sum(lags[1:], lags[0])
    yield total // len(lags)
    yield _same_kind(lags, calendar, total)
    yield lags[SAME_WEEKDAY - FIRST_LAG_DAYS]
    level = level_of(load_wh, calendar)
    for factor in _calendar_factors(calendar):
        yield level * factor // PPM


def level_of(load_wh: Int, calendar: Calendar) -> Int:
    """Mean reading of the six days that end two days before each slot behind the history (..., n) [Wh], at least 1."""
    sums = np.concatenate([np.zeros_like(load_wh[..., :1]), np.cumsum(load_wh, -1)], -1)
    count = load_wh.shape[-1] - calendar.history
    span = (LAST_LAG_DAYS - FIRST_LAG_DAYS) * calendar.slots_per_day
    return np.asarray(np.maximum((sums[..., span : span + count] - sums[..., :count]) // span, 1))


def count_load_features() -> int:
    """Number of load features."""
    return 3 + 1 + 2 * WAVES + 1 + 2 * WAVES + 2


def _lag(load_wh: Int, days: int, calendar: Calendar) -> Int:
    first = calendar.history - days * calendar.slots_per_day
    return load_wh[..., first : first + load_wh.shape[-1] - calendar.history]


def _same_kind(lags: list[Int], calendar: Calendar, total: Int) -> Int:
    """Mean of the lags that fell on the slot's kind of day; of all where none did."""
    per_day, history = calendar.slots_per_day, calendar.history
    count = lags[0].shape[-1]
    now = calendar.free[..., history : history + count]
    energy, found = np.zeros_like(lags[0]), np.zeros(now.shape, np.int64)
    for lag, days in zip(lags, range(FIRST_LAG_DAYS, LAST_LAG_DAYS + 1), strict=True):
        first = history - days * per_day
        same = calendar.free[..., first : first + count] == now
        energy += np.where(same, lag, 0)
        found += same
    return np.where(found > 0, energy // np.maximum(found, 1), total // len(lags))


def _calendar_factors(calendar: Calendar) -> Iterator[Int]:
    """One, harmonics of the half hour, the same on free days, and the season [ppm]."""
    ahead = slice(calendar.history, None)
    waves = _waves(calendar.slots_per_day)[:, calendar.half_hour[..., ahead]]
    free = calendar.free[..., ahead]
    everywhere = np.full(free.shape, PPM, np.int64)
    for factor in (everywhere, *waves):
        yield factor
    for factor in (everywhere, *waves):
        yield np.where(free, factor, 0)
    yield from _seasons()[:, calendar.day_of_year[..., ahead]]


@lru_cache(maxsize=4)
def _waves(slots_per_day: int) -> Int:
    return _harmonics(slots_per_day, WAVES)


@lru_cache(maxsize=1)
def _seasons() -> Int:
    return _harmonics(DAYS_PER_YEAR, 1)[:, np.arange(DAYS_PER_YEAR + 1) % DAYS_PER_YEAR]


def _harmonics(period: int, waves: int) -> Int:
    angle = 2 * np.pi * np.arange(period) / period
    rows: list[Callable[..., npt.NDArray[np.float64]]] = [np.sin, np.cos]
    return np.asarray([np.rint(f(k * angle) * PPM) for k in range(1, waves + 1) for f in rows], np.int64)
