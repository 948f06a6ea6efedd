"""What everybody can know of one fiscal year: outside prices, solar yield and the usual shapes of use.

A year runs from 1 April to 31 March and is followed by `EXTRA_DAYS` days, so that a window that starts on the last day
does not run over: the synthetic year goes on, a published year repeats the days of a week earlier.
"""

import hashlib
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np

from envs.load_shapes import household_shape_ppm, store_shape_ppm
from envs.published_year import read_solar_yield, read_spot_prices
from envs.scenario_schema import Scenario
from envs.synthetic_year import SYNTHETIC_SEED, draw_year
from market.slots import HALF_HOURS
from market.units import Int

EXTRA_DAYS = 3


@dataclass(frozen=True, eq=False)
class PublicYear:
    """Public series of one fiscal year and `EXTRA_DAYS` more, all int64, read-only.

    Attributes:
        source: where the series come from, for the report.
        first_slot: slot of 1 April 00:00, counted as in `market.slots`.
        outside_mjpy_kwh: (slots, areas) price outside the market, areas in the scenario's order.
        solar_wh_per_kw: (slots,) yield of one kW of PV at the site.
        household_ppm: (slots,) household load, 1,000,000 is the mean slot of the year.
        store_ppm: (slots,) the same for stores.
    """

    source: str
    first_slot: int
    outside_mjpy_kwh: Int
    solar_wh_per_kw: Int
    household_ppm: Int
    store_ppm: Int

    def __post_init__(self) -> None:
        for series in self._series:
            series.setflags(write=False)

    @property
    def slots(self) -> int:
        """Number of slots, the extra days included."""
        return len(self.solar_wh_per_kw)

    @property
    def days(self) -> int:
        """Days of the fiscal year itself, 365 or 366; a window may start on any of them."""
        return self.slots // HALF_HOURS.per_day - EXTRA_DAYS

    @cached_property
    def content_digest(self) -> str:
        """SHA-256 over the first slot, shapes and values of all series, in hexadecimal."""
        content = hashlib.sha256(b"digitalgrid-public-year/1\n%d\n" % self.first_slot)
        for series in self._series:
            content.update(repr(series.shape).encode())
            content.update(np.ascontiguousarray(series, "<i8").tobytes())
        return content.hexdigest()

    @property
    def _series(self) -> tuple[Int, ...]:
        return self.outside_mjpy_kwh, self.solar_wh_per_kw, self.household_ppm, self.store_ppm


def public_year(scenario: Scenario, data_dir: Path | None = None, seed: int = SYNTHETIC_SEED) -> PublicYear:
    """The year of a scenario: from the publishers' files below `data_dir`, or else synthetic, drawn from `seed`.

    Raises:
        DataError: a file is missing or does not have the published form.
    """
    first_day = date(scenario.fiscal_year, 4, 1)
    days = (date(scenario.fiscal_year + 1, 4, 1) - first_day).days
    if data_dir is None:
        source = f"synthetic, seed {seed}"
        outside, solar = draw_year(first_day, days + EXTRA_DAYS, scenario.areas, scenario.site_area, seed)
    else:
        source = f"JEPX and JMA, fiscal year {scenario.fiscal_year}"
        outside = _with_extra_days(read_spot_prices(data_dir, scenario.fiscal_year, scenario.areas))
        solar = _with_extra_days(read_solar_yield(data_dir, scenario.fiscal_year, scenario.site_area))
    return PublicYear(
        source=source,
        first_slot=HALF_HOURS.first_of(first_day),
        outside_mjpy_kwh=outside,
        solar_wh_per_kw=solar,
        household_ppm=household_shape_ppm(first_day, days + EXTRA_DAYS, days),
        store_ppm=store_shape_ppm(first_day, days + EXTRA_DAYS, days),
    )


def _with_extra_days(series: Int) -> Int:
    week, extra = 7 * HALF_HOURS.per_day, EXTRA_DAYS * HALF_HOURS.per_day
    return np.concatenate([series, series[-week : -week + extra]])
