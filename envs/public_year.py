"""What everybody can know of one fiscal year: outside prices, solar yield and the usual shapes of use.

A year runs from 1 April to 31 March and is followed by `EXTRA_DAYS` days, so that a window that starts on the last day
does not run over: the synthetic year goes on, a year from files repeats the days of a week earlier.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from envs.area_series import EXTRA_DAYS, demand_of_areas, suns_of_areas, with_extra_days
from envs.load_shapes import household_shape_ppm, store_shape_ppm
from envs.own_folder import OwnSeries, fiscal_days, read_own
from envs.published_year import read_solar_yield, read_spot_prices
from envs.scenario_schema import Scenario
from envs.synthetic_year import SYNTHETIC_SEED, draw_year
from market.slots import HALF_HOURS
from market.units import Int


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
        load_wh: (slots, parties) loads of groups by name [Wh], measured or of whole areas; those of others are drawn.
        area_wh_per_kw: (slots, areas) yield of one kW of PV in each area; None where all have the site's sun.
    """

    source: str
    first_slot: int
    outside_mjpy_kwh: Int
    solar_wh_per_kw: Int
    household_ppm: Int
    store_ppm: Int
    load_wh: Mapping[str, Int] = field(default_factory=dict)
    area_wh_per_kw: Int | None = None

    def __post_init__(self) -> None:
        for series in (*self._series, *self.load_wh.values()):
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
        """SHA-256 over the first slot, shapes and values of all series and names of measured groups, in hexadecimal."""
        content = hashlib.sha256(b"digitalgrid-public-year/1\n%d\n" % self.first_slot)
        for series in self._series:
            content.update(repr(series.shape).encode())
            content.update(np.ascontiguousarray(series, "<i8").tobytes())
        for name in sorted(self.load_wh):
            content.update(repr(name).encode())
            content.update(np.ascontiguousarray(self.load_wh[name], "<i8").tobytes())
        return content.hexdigest()

    @property
    def _series(self) -> tuple[Int, ...]:
        always = self.outside_mjpy_kwh, self.solar_wh_per_kw, self.household_ppm, self.store_ppm
        return always if self.area_wh_per_kw is None else (*always, self.area_wh_per_kw)


def public_year(
    scenario: Scenario, data_dir: Path | None = None, seed: int = SYNTHETIC_SEED, folder: Path | None = None
) -> PublicYear:
    """The year of a scenario: its own files in `folder`, else the publishers' below `data_dir`, else drawn from `seed`.

    Raises:
        DataError: a file is missing, does not have the published form, or does not cover the fiscal year.
    """
    first_day, days = fiscal_days(scenario)
    own = read_own(scenario, folder) if folder else OwnSeries()
    outside, solar, source = _outside_and_sun(scenario, own, data_dir, seed)
    loads = {name: with_extra_days(load) for name, load in own.load_wh.items()}
    suns = None
    if scenario.sun_by_area and own.solar_wh_per_kw is None:
        suns = suns_of_areas(scenario, first_day, days, data_dir, seed)
    return PublicYear(
        source="; ".join(filter(None, (", ".join(own.files), source))),
        first_slot=HALF_HOURS.first_of(first_day),
        outside_mjpy_kwh=outside,
        solar_wh_per_kw=solar,
        household_ppm=household_shape_ppm(first_day, days + EXTRA_DAYS, days),
        store_ppm=store_shape_ppm(first_day, days + EXTRA_DAYS, days),
        load_wh=demand_of_areas(scenario, first_day, days, data_dir) | loads,
        area_wh_per_kw=suns,
    )


def _outside_and_sun(scenario: Scenario, own: OwnSeries, data_dir: Path | None, seed: int) -> tuple[Int, Int, str]:
    """Prices, yield, and where those of them come from that are not the folder's own."""
    outside, solar = own.outside_mjpy_kwh, own.solar_wh_per_kw
    if outside is not None and solar is not None:
        return with_extra_days(outside), with_extra_days(solar), ""
    if data_dir is None:
        first_day, days = fiscal_days(scenario)
        drawn = draw_year(first_day, days + EXTRA_DAYS, scenario.areas, scenario.site_area, seed)
        return (
            drawn[0] if outside is None else with_extra_days(outside),
            drawn[1] if solar is None else with_extra_days(solar),
            f"synthetic, seed {seed}",
        )
    year = scenario.fiscal_year
    return (
        with_extra_days(read_spot_prices(data_dir, year, scenario.areas) if outside is None else outside),
        with_extra_days(read_solar_yield(data_dir, year, scenario.site_area) if solar is None else solar),
        f"JEPX and JMA, fiscal year {year}",
    )
