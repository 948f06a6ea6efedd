"""When households and stores use electricity: load relative to its annual mean, in parts per million.

No half-hourly Japanese shape is published with numbers; these follow what is published in words and are assumptions:
a household has a morning peak, a dinner peak and uses more in winter and summer; at weekends and on holidays the
morning is later and the day fuller. A convenience store is nearly flat around the clock, a little higher by day and
highest from July to September. Energy comes from the scenario, so each shape has the annual mean 1,000,000.
"""

from datetime import date, timedelta

import numpy as np

from market.slots import HALF_HOURS
from market.units import PPM, Int

HOUSEHOLD_WORKDAY = (
    62, 54, 50, 48, 50, 62, 95, 115, 105, 88, 80, 80, 84, 80, 76, 80, 92, 118, 148, 168, 168, 155, 128, 92,
)  # fmt: skip
HOUSEHOLD_FREE_DAY = (
    66, 57, 52, 49, 50, 56, 74, 98, 114, 112, 104, 102, 106, 100, 94, 96, 106, 128, 152, 168, 164, 150, 124, 92,
)  # fmt: skip
STORE_DAY = (
    95, 93, 92, 92, 93, 95, 98, 100, 101, 102, 103, 104, 105, 105, 105, 105, 105, 104, 104, 104, 103, 102, 100, 97,
)  # fmt: skip
"""Use at the middle of each hour 0 to 23, any unit."""
AREA_SUMMER = (
    291, 272, 264, 262, 264, 268, 290, 329, 380, 419, 433, 440,
    429, 440, 441, 437, 433, 418, 413, 403, 382, 360, 346, 323,
)  # fmt: skip
AREA_WINTER = (
    299, 285, 280, 279, 283, 301, 342, 373, 401, 411, 402, 392,
    372, 378, 376, 376, 391, 407, 407, 398, 387, 372, 354, 330,
)  # fmt: skip
AREA_MILD = (
    254, 242, 240, 243, 246, 254, 272, 295, 324, 346, 350, 351,
    335, 348, 348, 346, 350, 352, 351, 342, 328, 313, 300, 281,
)  # fmt: skip
"""Mean demand of Tokyo's area on workdays of July and August, of December to February, and of April, May, October and
November of FY2019 [0.1 GW] (TEPCO, でんき予報)."""
AREA_OF_MONTH = (*[AREA_WINTER] * 3, *[AREA_MILD] * 2, *[AREA_SUMMER] * 4, *[AREA_MILD] * 2, AREA_WINTER)
AREA_MONTH = (109, 107, 98, 92, 87, 93, 102, 116, 103, 91, 94, 106)
AREA_FREE_DAY = 0.88
"""Demand of Tokyo's area in FY2019 by month, and on free days over that on workdays (TEPCO, でんき予報)."""
HOUSEHOLD_MONTH = (127, 122, 106, 91, 82, 84, 99, 107, 95, 84, 92, 113)
STORE_MONTH = (98, 97, 94, 93, 96, 102, 109, 112, 107, 99, 94, 97)
"""Use in January to December, any unit."""


def household_shape_ppm(first_day: date, days: int, mean_days: int) -> Int:
    """Household load over its mean of the first `mean_days` days, (days * 48,) [ppm]."""
    hours = (HOUSEHOLD_WORKDAY, HOUSEHOLD_FREE_DAY)
    return _shape(first_day, days, mean_days, hours, HOUSEHOLD_MONTH)


def store_shape_ppm(first_day: date, days: int, mean_days: int) -> Int:
    """Store load over its mean of the first `mean_days` days, (days * 48,) [ppm]."""
    return _shape(first_day, days, mean_days, (STORE_DAY, STORE_DAY), STORE_MONTH)


def area_shape_ppm(first_day: date, days: int, mean_days: int) -> Int:
    """Demand of a whole area over its mean of the first `mean_days` days, (days * 48,) [ppm]."""
    by_month = [half_hours_from_hours(row) / np.mean(row) for row in AREA_OF_MONTH]
    calendar = [first_day + timedelta(days=offset) for offset in range(days)]
    load = np.concatenate(
        [
            by_month[day.month - 1] * AREA_MONTH[day.month - 1] * (AREA_FREE_DAY if is_free_day(day) else 1.0)
            for day in calendar
        ]
    )
    return _over_mean(load, mean_days)


def is_free_day(day: date) -> bool:
    """Whether a day is a Saturday, a Sunday or a Japanese holiday."""
    import jpholiday

    return day.weekday() >= 5 or bool(jpholiday.is_holiday(day))


def half_hours_from_hours(hours: tuple[float, ...]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Values at the middle of 24 hours as values at the middle of 48 half hours, straight lines between."""
    middles = (np.arange(HALF_HOURS.per_day) + 0.5) * HALF_HOURS.minutes / 60
    return np.interp(middles, np.arange(24) + 0.5, hours, period=24)


def _shape(
    first_day: date, days: int, mean_days: int, hours: tuple[tuple[float, ...], ...], months: tuple[int, ...]
) -> Int:
    by_kind = [half_hours_from_hours(row) / np.mean(row) for row in hours]
    calendar = [first_day + timedelta(days=offset) for offset in range(days)]
    load = np.concatenate([by_kind[is_free_day(day)] * months[day.month - 1] for day in calendar])
    return _over_mean(load, mean_days)


def _over_mean(load: np.ndarray[tuple[int], np.dtype[np.float64]], mean_days: int) -> Int:
    mean = load[: mean_days * HALF_HOURS.per_day].mean()
    return np.asarray(np.rint(load / mean * PPM), np.int64)
