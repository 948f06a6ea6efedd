"""What whole areas use and how the sun shines on them, for scenarios of the nation.

Demand is published (`area_demand`, see `envs.japan_nine_data`), or has the shape of Tokyo's at the energy that the
scenario states; actual demand stands in for what a retailer would forecast of it. The sun of an area is that of its
weather station (`jma_hourly`; there is none west of Nagoya, whose sun stands for theirs), or drawn.
"""

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from envs.japan_nine import AREAS
from envs.japan_nine_data import STATION, fill_demand, half_hours, read_hours, read_stations
from envs.load_shapes import area_shape_ppm
from envs.published_year import STATIONS, only_file, yield_from_weather
from envs.scenario_schema import Scenario
from envs.synthetic_year import draw_area_suns
from market.slots import HALF_HOURS
from market.units import PPM, WH_PER_KWH, Int

EXTRA_DAYS = 3
"""Days after a fiscal year that its series go on."""
WH_PER_SLOT_OF_MW = 500_000


def demand_of_areas(scenario: Scenario, first_day: date, days: int, data_dir: Path | None) -> dict[str, Int]:
    """Load of each group that buys for its whole area, (slots and extra days, 1) [Wh]; raises DataError."""
    buyers = {group.name: group for group in scenario.stores if group.whole_area and not group.load_file}
    if not buyers:
        return {}
    if data_dir is None:
        shape = area_shape_ppm(first_day, days + EXTRA_DAYS, days)
        means = {name: round(group.load_kwh_year * WH_PER_KWH / HALF_HOURS.year) for name, group in buyers.items()}
        return {name: (mean * shape // PPM)[:, None] for name, mean in means.items()}
    published = with_extra_days(_published_demand(data_dir, first_day, days))
    return {name: published[:, [AREAS.index(group.area)]] for name, group in buyers.items()}


def suns_of_areas(scenario: Scenario, first_day: date, days: int, data_dir: Path | None, seed: int) -> Int:
    """Yield of one kW of PV in each area, (slots and extra days, areas) [Wh per kW]; raises DataError."""
    if data_dir is None:
        return draw_area_suns(first_day, days + EXTRA_DAYS, scenario.areas, scenario.site_area, seed)
    sites = dict(STATIONS.values())
    by_city = {}
    for city in {STATION[AREAS.index(area)] for area in scenario.areas}:
        path = only_file(data_dir / "jma_hourly", f"jma_{city}_hourly_*.csv")
        by_city[city] = yield_from_weather(path, scenario.fiscal_year, sites[city])
    return with_extra_days(np.stack([by_city[STATION[AREAS.index(area)]] for area in scenario.areas], 1))


def with_extra_days(series: Int) -> Int:
    """A fiscal year (slots, ...) with the days after it, which repeat those of a week earlier."""
    week, extra = 7 * HALF_HOURS.per_day, EXTRA_DAYS * HALF_HOURS.per_day
    return np.concatenate([series, series[-week : -week + extra]])


def _published_demand(folder: Path, first_day: date, days: int) -> Int:
    """Demand of the nine areas by half hour, (slots, areas) [Wh]; short gaps are filled from the weeks around."""
    last = first_day + timedelta(days=days - 1)
    hours = read_hours(folder, first_day, last)
    if hours.gaps:
        hours = fill_demand(hours, read_stations(folder, first_day, last))
    return np.rint(half_hours(hours.demand_mw) * WH_PER_SLOT_OF_MW).astype(np.int64)
