"""From irradiance to energy: half-hour yield of one kW of PV, and the clear-sky irradiance it is compared with.

Clear sky after Haurwitz (1945), direct and diffuse parts after Erbs et al. (Solar Energy 28, 1982), sky of the tilted
plane after Hay and Davies (1980), module and losses as in PVWatts version 5 (NREL/TP-6A20-62641), all by pvlib.
Modules are tilted 30 degrees and face south; module temperature is the air's plus 30 K at 1,000 W/m2 (assumption).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from market.slots import HALF_HOURS
from market.units import Int

Float = npt.NDArray[np.float64]

TILT_DEGREES, SOUTH_DEGREES = 30.0, 180.0
TEMPERATURE_COEFFICIENT = -0.0047
"""Change of power per kelvin of module temperature, PVWatts' standard module."""
INVERTER_EFFICIENCY = 0.96
MODULE_WARMING_K = 30.0
SLOT_HOURS = HALF_HOURS.minutes / 60


@dataclass(frozen=True)
class Site:
    """A place: latitude and longitude [degrees]."""

    latitude: float
    longitude: float


def sun_position(first_day: date, slots: int, site: Site) -> Any:
    """Apparent zenith and azimuth [degrees] in the middle of each slot, a pandas frame (slots,)."""
    import pandas as pd
    import pvlib

    half = timedelta(minutes=HALF_HOURS.minutes / 2)
    start = pd.Timestamp(first_day, tz="Asia/Tokyo") + half
    times = pd.date_range(start, periods=slots, freq=f"{HALF_HOURS.minutes}min")
    return pvlib.solarposition.get_solarposition(times, site.latitude, site.longitude)


def clear_sky_irradiance(sun: Any) -> Float:
    """Global horizontal irradiance under a clear sky, (slots,) [W/m2]."""
    import pvlib

    return np.asarray(pvlib.clearsky.haurwitz(sun["apparent_zenith"])["ghi"], np.float64)


def yield_wh_per_kw(sun: Any, irradiance: Float, air_celsius: Float) -> Int:
    """Energy of one kW of PV in each slot, rounded half to even.

    Args:
        sun: from `sun_position`.
        irradiance: (slots,) mean global horizontal irradiance [W/m2].
        air_celsius: (slots,) air temperature.

    Returns:
        (slots,) [Wh/kW].
    """
    import pvlib

    plane = _plane_irradiance(sun, irradiance)
    module = air_celsius + MODULE_WARMING_K * plane / 1_000
    power = pvlib.pvsystem.pvwatts_dc(plane, module, 1_000, TEMPERATURE_COEFFICIENT)
    losses = pvlib.pvsystem.pvwatts_losses() / 100
    energy = np.maximum(power, 0) * (1 - losses) * INVERTER_EFFICIENCY * SLOT_HOURS
    return np.asarray(np.rint(energy), np.int64)


def _plane_irradiance(sun: Any, irradiance: Float) -> Float:
    """What the cells receive, (slots,) [W/m2]: direct light less reflection at the glass, and diffuse light."""
    import pvlib

    zenith, azimuth = sun["apparent_zenith"], sun["azimuth"]
    beyond_air = pvlib.irradiance.get_extra_radiation(sun.index)
    parts = pvlib.irradiance.erbs(irradiance, sun["zenith"], sun.index)
    plane = pvlib.irradiance.get_total_irradiance(
        TILT_DEGREES,
        SOUTH_DEGREES,
        zenith,
        azimuth,
        parts["dni"],
        irradiance,
        parts["dhi"],
        beyond_air,
        model="haydavies",
    )
    passed = pvlib.iam.physical(pvlib.irradiance.aoi(TILT_DEGREES, SOUTH_DEGREES, zenith, azimuth))
    return np.nan_to_num(np.asarray(plane["poa_direct"] * passed + plane["poa_diffuse"], np.float64))
