"""What a DGC believes about the slots ahead (paper 1.4: the DGC forecasts demand).

- load, `seasonal_naive`: mean of the same half hour two to eight days before. Up to two days ahead all of these
  readings exist; farther slots repeat the last forecast made of readings that are official (`known_slots`);
- solar, published weather forecast: given by the world with its stated error;
- `perfect`: what will really happen, for comparison only.
"""

from functools import lru_cache

import numpy as np

from market.units import Int

FIRST_LAG_DAYS, LAST_LAG_DAYS = 2, 8
HISTORY_DAYS = LAST_LAG_DAYS
READING_LAG = 3
"""At step k the newest official reading is that of slot k - 3."""


def seasonal_naive(history_wh: Int, slots_per_day: int) -> Int:
    """Forecast of each slot from the same slot of earlier days.

    Args:
        history_wh: (..., HISTORY_DAYS * slots_per_day + n), readings, oldest first.
        slots_per_day: slots in a day.

    Returns:
        (..., n) forecasts of the last n slots of the history's axis [Wh], rounded down.
    """
    count = history_wh.shape[-1] - HISTORY_DAYS * slots_per_day
    total = np.zeros((*history_wh.shape[:-1], count), np.int64)
    for days in range(FIRST_LAG_DAYS, LAST_LAG_DAYS + 1):
        first = (HISTORY_DAYS - days) * slots_per_day
        total += history_wh[..., first : first + count]
    return total // (LAST_LAG_DAYS - FIRST_LAG_DAYS + 1)


@lru_cache(maxsize=64)
def known_slots(count: int, slots_per_day: int, lag: int = READING_LAG) -> Int:
    """The slot, counted from now, whose forecast stands for each of the next `count` slots (count,).

    A slot within two days stands for itself. A farther one takes the forecast of the same half hour of the last day
    whose readings are all official now: nobody forecasts from loads that are still to come. With a `lag` of official
    readings beyond READING_LAG slots, the slots that stand for themselves are fewer by as many.
    """
    ahead = np.arange(count)
    official = FIRST_LAG_DAYS * slots_per_day - lag
    days_back = np.where(
        ahead < min(official + READING_LAG, FIRST_LAG_DAYS * slots_per_day),
        0,
        (ahead - official - 1) // slots_per_day + 1,
    )
    return np.asarray(ahead - days_back * slots_per_day)
