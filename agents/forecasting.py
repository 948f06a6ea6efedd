"""What a DGC believes about the slots ahead (paper 1.4: the DGC forecasts demand).

- load, `seasonal_naive`: mean of the same half hour two to eight days before; the newest of these
  readings is official long before any slot of the coming day, so the meter's lag is respected;
- solar, published weather forecast: given by the world with its stated error;
- `perfect`: what will really happen, for comparison only.
"""

import numpy as np

from market.units import Int

FIRST_LAG_DAYS, LAST_LAG_DAYS = 2, 8
HISTORY_DAYS = LAST_LAG_DAYS


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
