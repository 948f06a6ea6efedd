"""Forecasts that improve towards delivery: what the newest official readings missed is carried on, and fades.

A DGC sees its readings `lag` slots late. The mean miss of the newest `SEEN` of them is added to the forecast of a slot
j slots after the newest one, times a weight between 0 and 1 that belongs to j: the least-squares weight of past misses
in training weeks (`fit_updates`), in parts per million. Load misses add as energies; the sun's miss is relative, so
that a cloudier morning than foretold makes the afternoon's forecast smaller in proportion. The persistence of the last
miss is the plainest update in use (for solar power: Antonanzas et al. 2016, DOI 10.1016/j.solener.2016.06.069).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agents.fleet import Fleet
from agents.forecasting import HISTORY_DAYS
from envs.forecasts import HISTORY, Kind, forecast_cohort, forecast_sun, past_load, past_published
from envs.loads import Cohort, cohorts_of, past_weeks
from envs.public_year import PublicYear
from envs.scenario_schema import Scenario
from market.slots import HALF_HOURS
from market.units import PPM, Int

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SEEN = 4
"""Newest official readings whose mean miss is carried on (assumption)."""
REACH = 3 * HALF_HOURS.per_day
"""Slots after the newest official one that can be asked for."""
FAINT_WH_KW = 25
"""Mean foretold yield below which the sun's relative miss says nothing [Wh per kW] (assumption)."""


class Updates(NamedTuple):
    """Weights [ppm] by slots after the newest official one, 0 .. REACH: load_ppm (parties, REACH + 1), sun_ppm."""

    load_ppm: Int
    sun_ppm: Int


class Beliefs(NamedTuple):
    """What was foretold before the episode and what is read during it.

    load_wh, load_seen_wh (w, parties, n) [Wh]; sun_wh_kw, sun_seen_wh_kw (w, n) [Wh per kW]; updates.
    """

    load_wh: Int
    load_seen_wh: Int
    sun_wh_kw: Int
    sun_seen_wh_kw: Int
    updates: Updates


def updated_load(beliefs: Beliefs, rows: slice, official: int, first: int, stop: int) -> Int:
    """What the newest readings add to the load forecast of columns first .. stop (w, rows, n) [Wh].

    `official` is the column of the newest official reading; before there are `SEEN` of them nothing is added.
    """
    seen = slice(official - SEEN + 1, official + 1)
    shape = (len(beliefs.load_wh), rows.stop - rows.start, stop - first)
    if seen.start < 0:
        return np.zeros(shape, np.int64)
    miss = (beliefs.load_seen_wh[:, rows, seen] - beliefs.load_wh[:, rows, seen]).sum(-1) // SEEN
    weights = beliefs.updates.load_ppm[rows, first - official : stop - official]
    more = miss[..., None] * weights // PPM
    return np.asarray(np.maximum(more, -beliefs.load_wh[:, rows, first:stop]))


def updated_sun(beliefs: Beliefs, official: int, first: int, stop: int) -> Int:
    """The sun's forecast of columns first .. stop after the newest readings (w, n) [Wh per kW]."""
    seen, foretold = slice(official - SEEN + 1, official + 1), beliefs.sun_wh_kw[:, first:stop]
    if seen.start < 0:
        return foretold
    miss = _relative_miss(beliefs.sun_seen_wh_kw[:, seen].sum(-1), beliefs.sun_wh_kw[:, seen].sum(-1))
    factor = PPM + miss[:, None] * beliefs.updates.sun_ppm[first - official : stop - official] // PPM
    return np.asarray(foretold * factor // PPM)


def fit_updates(scenario: Scenario, fleet: Fleet, year: PublicYear, kind: Kind) -> Updates:
    """Weights of every party and of the sun, learned from training weeks of the year."""
    load = np.zeros((fleet.count, REACH + 1), np.int64)
    for cohort, rows in cohorts_of(scenario, fleet, year):
        load[rows] = _fit_load_weights(kind, cohort, year)
    return Updates(load, _fit_sun_weights(kind, year, scenario.solar_error))


def _relative_miss(seen: Int, foretold: Int) -> Int:
    """How much more was seen than foretold, -1 .. 1 in ppm; nothing where next to nothing was foretold."""
    miss = np.clip((seen - foretold) * PPM // np.maximum(foretold, 1), -PPM, PPM)
    return np.where(foretold >= SEEN * FAINT_WH_KW, miss, 0)


@lru_cache(maxsize=64)
def _fit_load_weights(kind: Kind, cohort: Cohort, year: PublicYear) -> Int:
    load, at = past_load(cohort, year), np.arange(year.slots)[None]
    miss = (load[..., HISTORY:] - forecast_cohort(kind, cohort, year, load, at))[0]
    carried = _sum_of_last(miss) / SEEN
    return _weights(carried, miss.astype(np.float64), np.ones_like(carried), past_weeks(year, HISTORY_DAYS)[HISTORY:])


@lru_cache(maxsize=16)
def _fit_sun_weights(kind: Kind, year: PublicYear, error: float) -> Int:
    at, published = past_published(year, error)
    sun = year.solar_wh_per_kw[at]
    foretold = forecast_sun(kind, year, sun, published[:, HISTORY:], at, error)
    real = sun[:, HISTORY:]
    carried = _relative_miss(_sum_of_last(real), _sum_of_last(foretold)) / PPM
    miss = (real - foretold).astype(np.float64)
    return _weights(carried, miss, foretold.astype(np.float64), past_weeks(year, HISTORY_DAYS)[HISTORY:])


def _sum_of_last(series: Int) -> Int:
    """Sum of each slot and the SEEN - 1 before it, zero for the first ones."""
    total = np.zeros_like(series)
    sums = np.cumsum(series, -1)
    total[..., SEEN - 1] = sums[..., SEEN - 1]
    total[..., SEEN:] = sums[..., SEEN:] - sums[..., :-SEEN]
    return total


def _weights(carried: Floats, miss: Floats, scale: Floats, known: Mask) -> Int:
    """Least-squares weight of carried x scale in the miss j slots later, j = 0 .. REACH, within 0 .. 1 [ppm]."""
    whole = known.copy()
    for back in range(1, SEEN):
        whole[back:] &= known[:-back]
    whole[: SEEN - 1] = False
    out = np.zeros(REACH + 1, np.int64)
    for j in range(1, REACH + 1):
        pairs = whole[:-j] & known[j:]
        x, y = (carried[..., :-j] * scale[..., j:])[..., pairs], miss[..., j:][..., pairs]
        power = float((x * x).sum())
        out[j] = round(min(max(float((x * y).sum()) / power, 0.0), 1.0) * PPM) if power else 0
    return out
