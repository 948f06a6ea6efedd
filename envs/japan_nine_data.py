"""What was published of the nine areas, hour by hour: demand, solar output, weather, and day-ahead prices.

- `area_demand/area_demand_hourly_mw_*.csv[.xz]`: the utilities' でんき予報, one row an hour (hour 0..23, its start),
  demand [MW] of nine areas and solar [MW] of six, blank where nothing was published.
- `area_demand/tepco_area_supply_demand_FY2019.csv[.xz]`: TEPCO's エリア需給実績, unit 10 MWh, three header rows; the
  only solar output of Tokyo before 2022.
- `jepx_spot` and `jma_hourly`: see `envs.published_year`.
Solar that was not published is made from irradiance at the nearest station (`model_solar`). Demand that is missing is
reported, and filled only when asked (`fill_demand`). Japan has no daylight saving time: every day has 24 hours.
"""

import csv
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from envs.japan_nine import AREAS, PEAK_MW, Floats
from envs.load_shapes import is_free_day
from envs.published_year import (
    HOURS_PER_DAY,
    MISSING,
    calendar_parts,
    fill_straight,
    in_order,
    only_file,
    read_columns,
    read_spot_prices,
    read_weather,
)
from market.errors import DataError

SHORT = ("hok", "toh", "tok", "chb", "hrk", "kas", "cgk", "shi", "kyu")
"""The areas as the demand file names them."""
HAS_SOLAR = ("hok", "tok", "chb", "hrk", "kas", "kyu")
STATION = ("sapporo", "sendai", "tokyo", "nagoya", "nagoya", "nagoya", "nagoya", "nagoya", "nagoya")
"""Weather station of each area; there is none west of Nagoya in the data (assumption: its sun stands for theirs)."""
LIKE = {"tohoku": ("tokyo", 0.41), "chugoku": ("kansai", 1.15), "shikoku": ("kansai", 0.45)}
"""Solar of areas that publish none, as a part of another area's per unit of irradiance: from Electricity Maps'
installed 5,690 MW in Chugoku and 2,230 MW in Shikoku to 4,962 MW in Kansai; Tohoku to Tokyo is an assumption."""
SOLAR_GROWTH = 1.08
"""Assumption: growth of installed solar in a year."""
SOLAR_BASE = 2019
LEARN_UNTIL = date(2021, 4, 1)
"""Irradiance is turned into output by what was published before this day; nothing later is used to look back."""
PRICES_FROM = date(2018, 9, 27)
"""First day with prices in all areas after Hokkaido's earthquake; the indirect auction began on 2018-10-01."""
NO_PRICE = 0
LEAST_PART, MOST_TIMES = 0.1, 1.6
"""Demand whose median is below this part, or whose top is above so many times an area's peak, is in another unit."""
NEIGHBOURS = {"tokyo": ("tohoku", "chubu")}
"""Areas whose demand stands in for a long gap."""
LONGEST_SHORT_GAP = 48
WEEK = 7 * HOURS_PER_DAY
TEPCO_SOLAR = "太陽光発電実績"
TEPCO_UNIT_MW = 10.0

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Hours:
    """Demand and solar by hour.

    Attributes:
        first_day: day of the first hour.
        demand_mw: (hours, areas) [MW], NaN where missing.
        solar_mw: (hours, areas) [MW], NaN where nothing was published.
    """

    first_day: date
    demand_mw: Floats
    solar_mw: Floats

    @property
    def days(self) -> list[date]:
        """The days covered."""
        return [self.first_day + timedelta(days=d) for d in range(len(self.demand_mw) // HOURS_PER_DAY)]

    @property
    def gaps(self) -> dict[str, int]:
        """Hours of demand that are missing, by area."""
        missing = np.isnan(self.demand_mw).sum(0)
        return {area: int(count) for area, count in zip(AREAS, missing, strict=True) if count}


@dataclass(frozen=True)
class Weather:
    """Irradiation [MJ/m2] and temperature [degrees Celsius] at the station of each area, (hours, areas)."""

    irradiation: Floats
    celsius: Floats


def read_hours(folder: Path, first: date, last: date) -> Hours:
    """Published demand and solar from `first` to `last`, both included; raises DataError.

    Refused: another header, a missing, doubled or misplaced hour, what is not a number, demand that is not positive,
    negative solar, sizes that cannot be megawatts.
    """
    path = only_file(folder / "area_demand", "area_demand_hourly_mw_*.csv")
    columns = tuple(f"{s}_demand" for s in SHORT) + tuple(f"{s}_solar" for s in HAS_SOLAR)
    wanted = (
        (line, cells)
        for line, cells in read_columns(path, ("date", "hour", *columns))
        if first.isoformat() <= cells[0] <= last.isoformat()
    )
    due = ((day, part - 1) for day, part in calendar_parts(first, last + timedelta(days=1), HOURS_PER_DAY))
    rows = [
        [_power(cell, f"{path}: line {line}: {name}") for cell, name in zip(cells, columns, strict=True)]
        for line, cells in in_order(path, wanted, due, "hour")
    ]
    table = np.array(rows, np.float64).reshape(-1, len(columns))
    solar = np.full((len(table), len(AREAS)), MISSING)
    solar[:, [SHORT.index(s) for s in HAS_SOLAR]] = table[:, len(SHORT) :]
    demand = table[:, : len(SHORT)]
    _check_demand(demand, path)
    _add_tepco_solar(folder, first, solar)
    return Hours(first, demand, solar)


def read_stations(folder: Path, first: date, last: date) -> Weather:
    """Weather of each area from `first` to `last`; missing hours are filled straight. Raises DataError."""
    found = {}
    for city in dict.fromkeys(STATION):
        path = only_file(folder / "jma_hourly", f"jma_{city}_hourly_*.csv")
        sun, air = read_weather(path, first, last + timedelta(days=1))
        found[city] = fill_straight(sun), fill_straight(air)
    return Weather(*(np.stack([found[city][part] for city in STATION], 1) for part in range(2)))


def read_prices(folder: Path, first: date, last: date) -> Floats:
    """Published prices from `first` to `last`, (days, 48, areas) [JPY/kWh], NaN where empty; raises DataError."""
    years = range(_fiscal_year(first), _fiscal_year(last) + 1)
    table = np.concatenate([read_spot_prices(folder, year, AREAS, blank=NO_PRICE) for year in years])
    days = table.reshape(-1, 48, len(AREAS))[(first - date(years[0], 4, 1)).days :][: (last - first).days + 1]
    return np.where(days == NO_PRICE, MISSING, days / 1_000)


def fill_demand(hours: Hours, weather: Weather) -> Hours:
    """Missing demand filled: short gaps with the mean of a week before and after, Tokyo's long one by regression.

    The regression is on the demand of the neighbours, temperature and free days, one for each hour of the day, fitted
    on the hours before the gap. Raises DataError where neither is possible.
    """
    demand = hours.demand_mw.copy()
    for area, name in enumerate(AREAS):
        missing = np.isnan(demand[:, area])
        if _longest_run(missing) > LONGEST_SHORT_GAP:
            if name not in NEIGHBOURS:
                do = "choose another period"
                raise DataError(f"more than {LONGEST_SHORT_GAP} hours in a row have no demand", where=name, do=do)
            demand[missing, area] = _from_neighbours(hours, weather, area)[missing]
        elif missing.any():
            demand[missing, area] = _from_weeks(demand[:, area])[missing]
        if np.isnan(demand[:, area]).any():
            raise DataError("demand cannot be filled", where=name, do="choose a period with more hours before the gap")
    return Hours(hours.first_day, demand, hours.solar_mw)


def model_solar(hours: Hours, weather: Weather) -> Floats:
    """Solar output, (hours, areas) [MW]: published where it was, else irradiance times output per irradiance.

    That factor is the least-squares one of the area's hours published before `LEARN_UNTIL`, with `SOLAR_GROWTH` a
    year; areas that publish nothing have a part of another's (`LIKE`). Raises DataError if there is nothing to learn.
    """
    year = np.repeat([_fiscal_year(day) for day in hours.days], HOURS_PER_DAY)
    growth = SOLAR_GROWTH ** (year - SOLAR_BASE)
    early = np.repeat([day < LEARN_UNTIL for day in hours.days], HOURS_PER_DAY)
    factor: dict[str, float] = {}
    for area, name in enumerate(AREAS):
        if name not in LIKE:
            factor[name] = _output_per_irradiance(hours, weather, growth, early, area)
    for name, (other, part) in LIKE.items():
        factor[name] = part * factor[other]
    modelled = weather.irradiation * growth[:, None] * np.array([factor[name] for name in AREAS])
    return np.where(np.isnan(hours.solar_mw), modelled, hours.solar_mw)


def half_hours(hourly: Floats) -> Floats:
    """Hours (hours, areas) as half hours (2 x hours, areas): straight lines between the middles of the hours."""
    padded = np.concatenate([hourly[:1], hourly, hourly[-1:]])
    halves = np.stack([0.75 * hourly + 0.25 * padded[:-2], 0.75 * hourly + 0.25 * padded[2:]], 1)
    return halves.reshape(-1, hourly.shape[1])


def _power(cell: str, where: str) -> float:
    if not cell:
        return MISSING
    if not _NUMBER.fullmatch(cell):
        raise DataError(f"{cell!r} is not a power in MW", where=where, do="leave a missing value empty")
    value = float(cell)
    if value < 0:
        raise DataError(f"negative power {cell}", where=where, do="leave a missing value empty")
    if value == 0 and where.endswith("_demand"):
        raise DataError("an area without demand", where=where, do="leave a missing value empty")
    return value


def _check_demand(demand: Floats, path: Path) -> None:
    for area, name in enumerate(AREAS):
        known = demand[~np.isnan(demand[:, area]), area]
        if not len(known):
            raise DataError(f"no demand at all in {name}", where=str(path), do="choose another period")
        top, middle = float(known.max()), float(np.median(known))
        if top > MOST_TIMES * PEAK_MW[name] or middle < LEAST_PART * PEAK_MW[name]:
            what = (
                f"demand of {name} has median {middle:,.0f} and top {top:,.0f}, its peak is about {PEAK_MW[name]:,} MW"
            )
            raise DataError(what, where=str(path), do="give megawatts, not kWh, 10 MW or GW")


def _add_tepco_solar(folder: Path, first: date, solar: Floats) -> None:
    """Tokyo's solar output of fiscal year 2019 into the table, where its file is there."""
    start = date(SOLAR_BASE, 4, 1)
    offset = (start - first).days * HOURS_PER_DAY
    stop = offset + 366 * HOURS_PER_DAY
    if stop <= 0 or offset >= len(solar):
        return
    values = _read_tepco(only_file(folder / "area_demand", "tepco_area_supply_demand_FY2019.csv"), start)
    part = values[max(0, -offset) : len(solar) - offset]
    solar[max(0, offset) : stop, AREAS.index("tokyo")] = part


def _read_tepco(path: Path, start: date) -> Floats:
    """Solar output of each hour of the year [MW]."""
    rows = _tepco_rows(path)
    due = calendar_parts(start, date(start.year + 1, 4, 1), HOURS_PER_DAY)
    shifted = ((f"{day[:4]}/{int(day[5:7])}/{int(day[8:])}", part - 1) for day, part in due)
    cells = in_order(path, rows, shifted, "hour")
    return np.array([TEPCO_UNIT_MW * _power(cell, f"{path}: line {line}: solar") for line, (cell,) in cells])


def _tepco_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line, and day, hour and solar of each row; the three header rows are checked."""
    opened = lzma.open if path.suffix == ".xz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream)
            unit, _, header = next(rows, []), next(rows, []), next(rows, [])
            if "万kWh" not in "".join(unit) or header.count(TEPCO_SOLAR) != 1:
                raise DataError("not TEPCO's table in 万kWh", where=f"{path}: line 1", do="use the published file")
            pick = header.index(TEPCO_SOLAR)
            for row in rows:
                if len(row) <= pick:
                    raise DataError(f"only {len(row)} cells", where=f"{path}: line {rows.line_num}", do="mend the line")
                yield rows.line_num, [row[0], row[1].split(":")[0], row[pick]]
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot be read: {error}", where=str(path), do="fetch the file again") from error


def _fiscal_year(day: date) -> int:
    return day.year - (day.month < 4)


def _longest_run(mask: npt.NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _from_weeks(demand: Floats) -> Floats:
    """Mean of the same hour a week before and after, or the one of them that is there."""
    around = np.full((2, len(demand)), MISSING)
    around[0, WEEK:], around[1, :-WEEK] = demand[:-WEEK], demand[WEEK:]
    there = ~np.isnan(around)
    total = np.where(there, around, 0).sum(0)
    return np.where(there.any(0), total / np.maximum(there.sum(0), 1), MISSING)


def _from_neighbours(hours: Hours, weather: Weather, area: int) -> Floats:
    demand = hours.demand_mw
    free = np.repeat([float(is_free_day(day)) for day in hours.days], HOURS_PER_DAY)
    warm = weather.celsius[:, area]
    near = [demand[:, AREAS.index(name)] for name in NEIGHBOURS[AREAS[area]]]
    features = np.stack(
        [np.ones(len(demand)), *near, warm, np.maximum(warm - 20, 0), np.maximum(10 - warm, 0), free], 1
    )
    before = np.arange(len(demand)) < int(np.flatnonzero(np.isnan(demand[:, area]))[0])
    usable = before & ~np.isnan(features).any(1)
    found = np.full(len(demand), MISSING)
    for hour in range(HOURS_PER_DAY):
        at = np.arange(len(demand)) % HOURS_PER_DAY == hour
        fit = at & usable
        if fit.sum() > 10 * features.shape[1]:
            weights = np.linalg.lstsq(features[fit], demand[fit, area], rcond=None)[0]
            found[at] = features[at] @ weights
    return found


def _output_per_irradiance(
    hours: Hours, weather: Weather, growth: Floats, early: npt.NDArray[np.bool_], area: int
) -> float:
    known = early & ~np.isnan(hours.solar_mw[:, area])
    sun, output = weather.irradiation[known, area], hours.solar_mw[known, area] / growth[known]
    if not sun.any():
        what = f"no solar output of {AREAS[area]} before {LEARN_UNTIL}"
        raise DataError(what, do="let the period read begin in 2018, as the verb does")
    return float((sun * output).sum() / (sun * sun).sum())
