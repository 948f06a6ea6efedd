"""A year that looks like Japan without anybody's data: solar yield under drawn clouds and a JEPX-like price.

The year is one public series, the same for every world, so it is drawn once from its own seed. All of it is a model:
- clouds: a daily clearness that depends on the month (rainy season, autumn typhoons, clear winters) and on the day
  before, moved within the day by a slower noise; times the clear sky of the place;
- price of the Tokyo area: hour shapes by season (published Tokyo means of FY2025, flattened, since FY2018 had less
  solar), levels by season, lower at weekends and holidays, a slow and a fast autoregressive noise, lower in hours that
  are sunnier than usual, and evenings now and then with a spike; floor and tick 0.01 JPY/kWh;
- other areas: Tokyo's price times a ratio that moves and does not exceed one.
"""

from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.load_shapes import half_hours_from_hours, is_free_day
from envs.solar_yield import Float, Site, clear_sky_irradiance, sun_position, yield_wh_per_kw
from market.slots import HALF_HOURS
from market.units import Int

SYNTHETIC_SEED = 2018
MEAN_PRICE_JPY = 10.5
"""Annual mean of the Tokyo area [JPY/kWh] (assumption: about FY2018)."""
FLOOR_MJPY, CEILING_MJPY, TICK_MJPY = 10, 999_990, 10

AREA_MODEL = {
    "hokkaido": (0.94, Site(43.06, 141.33)),
    "tohoku": (1.02, Site(38.26, 140.90)),
    "tokyo": (1.00, Site(35.90, 139.70)),
    "chubu": (0.92, Site(35.17, 136.97)),
    "hokuriku": (0.87, Site(36.56, 136.66)),
    "kansai": (0.86, Site(34.69, 135.52)),
    "chugoku": (0.85, Site(34.40, 132.46)),
    "shikoku": (0.83, Site(34.34, 134.05)),
    "kyushu": (0.79, Site(33.58, 130.38)),
}
"""Price over Tokyo's before the cap at one (FY2025 means, else assumption); place of the PV, Tokyo's is Saitama."""
RATIO_MEMORY, RATIO_SD = 0.97, 0.06

SPRING = (
    12.5, 12.3, 12.3, 12.5, 12.7, 12.9, 12.8, 11.8, 11.0, 10.8, 9.5, 8.8,
    8.1, 9.4, 10.4, 11.8, 13.6, 15.0, 16.0, 15.6, 14.9, 14.3, 14.1, 13.2,
)  # fmt: skip
SUMMER = (
    11.7, 11.3, 11.2, 11.2, 11.2, 11.1, 10.8, 10.7, 10.7, 11.7, 11.5, 11.9,
    11.3, 13.7, 14.9, 16.0, 18.3, 18.5, 18.3, 17.1, 15.6, 13.9, 13.4, 12.2,
)  # fmt: skip
WINTER = (
    10.5, 10.4, 10.4, 10.3, 10.4, 10.7, 12.4, 13.9, 12.9, 11.5, 10.2, 9.3,
    8.8, 9.3, 9.8, 11.0, 13.3, 14.2, 14.0, 13.5, 13.3, 12.6, 11.9, 11.0,
)  # fmt: skip
"""Mean price of hours 0 to 23, Tokyo area, FY2025 [JPY/kWh]."""
SHAPE_OF_MONTH = (WINTER, WINTER, *[SPRING] * 3, *[SUMMER] * 4, *[SPRING] * 2, WINTER)
SHAPE_STRENGTH = 0.9
LEVEL_OF_MONTH = (1.04, 1.02, 0.93, 0.86, 0.88, 0.95, 1.18, 1.20, 1.04, 1.00, 0.99, 1.03)
WEEKEND_FACTOR = 0.88
DAY_MEMORY, DAY_SD = 0.72, 0.17
SLOT_MEMORY, SLOT_SD = 0.75, 0.10
SUN_EFFECT = 0.25
"""Fall of the log price at noon when clearness is one above the month's usual."""
SPIKE_CHANCE_OF_MONTH = (0.06, 0.05, 0.01, 0.01, 0.01, 0.03, 0.10, 0.10, 0.04, 0.02, 0.02, 0.04)
SPIKE_HOUR, SPIKE_WIDTH_HOURS = 17.0, 1.6

CLEARNESS_OF_MONTH = (1.7, 1.1, 0.7, 0.5, 0.4, -0.3, 0.1, 0.5, -0.4, 0.4, 1.0, 1.8)
"""Middle of the drawn clearness before it is squeezed between its bounds; higher is clearer."""
CLEARNESS_BOUNDS = (0.08, 1.00)
CLOUD_DAY_MEMORY, CLOUD_DAY_SD = 0.30, 1.7
CLOUD_SLOT_MEMORY, CLOUD_SLOT_SD = 0.90, 0.8
OWN_CLOUDS = 20
"""First number of the streams of areas with clouds of their own."""


@lru_cache(maxsize=16)
def draw_year(
    first_day: date, days: int, areas: tuple[str, ...], site_area: str, seed: int = SYNTHETIC_SEED
) -> tuple[Int, Int]:
    """Outside prices (slots, areas) [mJPY/kWh] and solar yield (slots,) [Wh/kW] of `days` days, read-only."""
    solar, clearness = _draw_solar(first_day, days, site_area, seed)
    tokyo = _draw_tokyo_price(first_day, days, clearness, seed)
    prices = np.stack([_area_price(tokyo, area, seed) for area in areas], axis=1)
    mjpy = np.clip(np.rint(prices * 100).astype(np.int64) * TICK_MJPY, FLOOR_MJPY, CEILING_MJPY)
    mjpy.setflags(write=False)
    solar.setflags(write=False)
    return mjpy, solar


@lru_cache(maxsize=16)
def draw_area_suns(
    first_day: date, days: int, areas: tuple[str, ...], site_area: str, seed: int = SYNTHETIC_SEED
) -> Int:
    """Solar yield of every area (slots, areas) [Wh/kW] of `days` days, read-only; that of the site as in `draw_year`.

    Another area's clouds are half the site's and half its own (assumption: variances alike).
    """
    suns = []
    for area in areas:
        own = None if area == site_area else _stream(seed, OWN_CLOUDS + sorted(AREA_MODEL).index(area))
        suns.append(_draw_solar(first_day, days, area, seed, own)[0])
    table = np.stack(suns, axis=1)
    table.setflags(write=False)
    return table


def _stream(seed: int, purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, purpose))))


def _autoregression(stream: np.random.Generator, count: int, memory: float, sd: float) -> Float:
    """Stationary first-order series of standard deviation `sd`, (count,)."""
    steps = stream.standard_normal(count) * sd * np.sqrt(1 - memory**2)
    value = float(stream.standard_normal()) * sd
    series = np.empty(count)
    for index, step in enumerate(steps):
        value = memory * value + step
        series[index] = value
    return series


def _months(first_day: date, days: int) -> Int:
    """Month row 0..11 of each day."""
    return np.array([(first_day + timedelta(days=offset)).month - 1 for offset in range(days)], np.int64)


def _draw_solar(
    first_day: date, days: int, area: str, seed: int, own: np.random.Generator | None = None
) -> tuple[Int, Float]:
    """Yield [Wh/kW] and how much clearer than usual each slot is; `own` draws clouds that the site does not have."""
    per_day = HALF_HOURS.per_day
    stream = _stream(seed, 1)
    usual = np.repeat(np.array(CLEARNESS_OF_MONTH)[_months(first_day, days)], per_day)
    clouds = _draw_clouds(stream, days)
    if own is not None:
        clouds = (clouds + _draw_clouds(own, days)) / np.sqrt(2)
    clearness, mean = _squeeze(usual + clouds), _squeeze(usual)
    sun = sun_position(first_day, days * per_day, AREA_MODEL[area][1])
    solar = yield_wh_per_kw(sun, clear_sky_irradiance(sun) * clearness, _air_celsius(first_day, days))
    return solar, clearness - mean


def _draw_clouds(stream: np.random.Generator, days: int) -> Float:
    """Drawn clearness before it is squeezed, over its middle (slots,): one value a day and a slower noise within."""
    by_day = np.repeat(_autoregression(stream, days, CLOUD_DAY_MEMORY, CLOUD_DAY_SD), HALF_HOURS.per_day)
    return by_day + _autoregression(stream, days * HALF_HOURS.per_day, CLOUD_SLOT_MEMORY, CLOUD_SLOT_SD)


def _squeeze(latent: Float) -> Float:
    low, high = CLEARNESS_BOUNDS
    return np.asarray(low + (high - low) / (1 + np.exp(-latent)), np.float64)


def mean_air_celsius(day_of_year: npt.NDArray[Any], hour: npt.NDArray[Any]) -> Float:
    """Mean course of the air temperature in Kanto (assumption): 16 degrees, warmest end of July and at 14:30."""
    season, time = np.cos(2 * np.pi * (day_of_year - 212) / 365), np.cos(2 * np.pi * (hour - 14.5) / 24)
    return np.asarray(16.0 + 10.5 * season + 4.0 * time, np.float64)


def _air_celsius(first_day: date, days: int) -> Float:
    day = np.repeat(np.arange(days) + first_day.timetuple().tm_yday, HALF_HOURS.per_day)
    return mean_air_celsius(day, np.tile(_hours_of_day(), days))


def _hours_of_day() -> Float:
    return np.asarray((np.arange(HALF_HOURS.per_day) + 0.5) * HALF_HOURS.minutes / 60, np.float64)


def _draw_tokyo_price(first_day: date, days: int, clearer: Float, seed: int) -> Float:
    """Price of the Tokyo area with the mean `MEAN_PRICE_JPY`, (slots,) [JPY/kWh]."""
    per_day = HALF_HOURS.per_day
    stream = _stream(seed, 2)
    noise = np.repeat(_autoregression(stream, days, DAY_MEMORY, DAY_SD), per_day)
    noise += _autoregression(stream, days * per_day, SLOT_MEMORY, SLOT_SD)
    noon = np.maximum(np.cos(2 * np.pi * (np.tile(_hours_of_day(), days) - 12) / 24), 0)
    spikes = _draw_spikes(stream, _months(first_day, days))
    price = _usual_price(first_day, days) * np.exp(noise - SUN_EFFECT * noon * clearer + spikes)
    return np.asarray(price * (MEAN_PRICE_JPY / price.mean()), np.float64)


def _usual_price(first_day: date, days: int) -> Float:
    shapes = [half_hours_from_hours(shape) / np.mean(shape) for shape in SHAPE_OF_MONTH]
    rows = []
    for offset, month in enumerate(_months(first_day, days)):
        weekend = WEEKEND_FACTOR if is_free_day(first_day + timedelta(days=offset)) else 1.0
        rows.append(shapes[month] ** SHAPE_STRENGTH * LEVEL_OF_MONTH[month] * weekend)
    return np.concatenate(rows)


def _draw_spikes(stream: np.random.Generator, months: Int) -> Float:
    """Rise of the log price in the evenings that have a spike, (slots,)."""
    happens = stream.random(len(months)) < np.array(SPIKE_CHANCE_OF_MONTH)[months]
    height = happens * stream.uniform(0.3, 1.0, len(months))
    course = np.exp(-0.5 * ((_hours_of_day() - SPIKE_HOUR) / SPIKE_WIDTH_HOURS) ** 2)
    return np.asarray(height[:, None] * course, np.float64).reshape(-1)


def _area_price(tokyo: Float, area: str, seed: int) -> Float:
    """An area's price: Tokyo's times a ratio that moves and is capped at one, where the areas share a price."""
    if area == "tokyo":
        return tokyo
    stream = _stream(seed, 3 + sorted(AREA_MODEL).index(area))
    ratio = AREA_MODEL[area][0] + _autoregression(stream, len(tokyo), RATIO_MEMORY, RATIO_SD)
    return np.asarray(tokyo * np.minimum(ratio, 1.0), np.float64)
