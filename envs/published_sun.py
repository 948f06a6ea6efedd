"""The weather forecast everybody is given: the real yield, smoothed, times an error that is slow.

Both figures are assumptions: no archive of forecasts is in the data. The error does not depend on how far ahead a slot
is; what a DGC's own readings add close to delivery is in `envs.forecasts`.
"""

import numpy as np

from agents.draw import Purpose, draw, lognormal_ppm
from envs.public_year import PublicYear
from market.units import PPM, Int

SMOOTHED = 5
"""Half hours over which the forecast is smooth."""
ERROR_SLOTS = 12
"""Half hours that share one error."""


def draw_published_sun(
    year: PublicYear, seed: int, worlds: Int, at: Int, first_slot: Int, error: float, yields: Int | None = None
) -> Int:
    """Published solar forecast (w, slots) [Wh per kW] at rows `at` of the public year; `error` is its log sd.

    With `yields` (slots of the year, areas) that of each area, (w, slots, areas), all under the same error.
    """
    reach = SMOOTHED // 2
    series = year.solar_wh_per_kw if yields is None else yields
    near = np.stack([series[np.clip(at + shift, 0, year.slots - 1)] for shift in range(-reach, reach + 1)])
    smooth = near.sum(0) // SMOOTHED
    block = (first_slot[:, None] + np.arange(at.shape[1])) // ERROR_SLOTS
    factor = lognormal_ppm(draw(seed, worlds[:, None], 0, block, Purpose.WEATHER), error)
    return np.asarray(smooth * (factor if yields is None else factor[..., None]) // PPM)
