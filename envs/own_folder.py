"""A user's folder as a scenario: `scenario.toml` and, beside it, files that take the place of the synthetic year.

| file | columns | unit |
|---|---|---|
| `prices.csv` | `start`, one column for each area of the scenario | JPY/kWh outside the market |
| `solar.csv` | `start,kwh_per_kw` | kWh of one kW of PV in the row |
| `weather.csv` | `date,hour,ghi_mj_m2,temp_c`, JMA's form; in place of `solar.csv` | MJ/m2, degrees Celsius |
| the `load_file` of a group of homes or stores | `start`, one column for each of its parties | kWh in the row |

Each may be packed (`.csv.xz`) and each may be absent; groups may share a load file. All cover the scenario's fiscal
year: episodes are drawn from a whole one (`envs.episode`). Times are Japanese local time (`envs.half_hour_series`).
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from envs.groups import HomesSpec, StoresSpec
from envs.half_hour_series import LOAD_KWH, PRICE_JPY, YIELD_KWH, Quantity, Series, settle_gaps
from envs.load_files import HOME, SITE, Size, check_size, read_table
from envs.population import rows_of_groups
from envs.published_year import check_price_level, yield_from_weather
from envs.scenario import SCENARIO_FOLDER
from envs.scenario_schema import Scenario
from envs.synthetic_year import AREA_MODEL
from market.errors import DataError
from market.slots import HALF_HOURS
from market.units import WH_PER_KWH, Int

PRICES, SOLAR, WEATHER, LOADS = "prices.csv", "solar.csv", "weather.csv", "loads.csv"
YIELD_COLUMN = "kwh_per_kw"
LOWEST_PRICE_MJPY = 10
"""JEPX's lowest price, 0.01 JPY/kWh (JEPX trading rules)."""
LEAST_YIELD_KWH = 300.0
"""A year's yield of one kW is above this; Kanto's is 1,100 to 1,200 kWh (JPEA), the rest is an assumption."""
DARK_SLOTS = (*range(5), *range(44, 48))
"""Half hours of the day without sun anywhere in Japan all year: 22:00 to 02:30."""
MOST_NAMED = 12
"""Parties listed in a message."""


@dataclass(frozen=True)
class OwnSeries:
    """What a folder has of its own for a fiscal year, None or empty where it has nothing.

    Attributes:
        outside_mjpy_kwh: (slots, areas) prices.
        solar_wh_per_kw: (slots,) yield.
        load_wh: (slots, parties) load by name of the group.
        files: the names of the files read.
    """

    outside_mjpy_kwh: Int | None = None
    solar_wh_per_kw: Int | None = None
    load_wh: Mapping[str, Int] = field(default_factory=dict)
    files: tuple[str, ...] = ()


def folder_of(scenario: str | Path | Scenario) -> Path | None:
    """The folder of a scenario given by path; None for one that comes with the package."""
    if isinstance(scenario, Scenario) or not str(scenario).endswith(".toml"):
        return None
    folder = Path(scenario).parent
    return None if folder.resolve() == SCENARIO_FOLDER.resolve() else folder


def read_own(scenario: Scenario, folder: Path) -> OwnSeries:
    """Every file of the folder, checked, over the scenario's fiscal year; raises DataError."""
    series = dict(open_series(scenario, folder))
    files = [table.path.name for table in series.values()]
    whole = {name: _whole_year(scenario, settle_gaps(table, fill=False)) for name, table in series.items()}
    outside = _prices(scenario, series[PRICES], whole[PRICES]) if PRICES in series else None
    solar = _solar(series[SOLAR], whole[SOLAR]) if SOLAR in series else None
    weather = find_file(folder, WEATHER)
    if weather:
        solar = yield_from_weather(weather, scenario.fiscal_year, AREA_MODEL[scenario.site_area][1])
        files.append(weather.name)
    loads = {}
    for name, groups in load_files(scenario).items():
        names = {group.name: scenario.party_names[rows_of_groups(scenario)[group.name]] for group in groups}
        _check_columns(series[name], names)
        for group in groups:
            size = HOME if isinstance(group, HomesSpec) else SITE
            loads[group.name] = _load(series[name], whole[name], names[group.name], size)
    return OwnSeries(outside, solar, loads, tuple(files))


def open_series(scenario: Scenario, folder: Path) -> Iterator[tuple[str, Series]]:
    """The half-hour files of the folder one by one, with their names, gaps as they are; raises DataError."""
    if find_file(folder, SOLAR) and find_file(folder, WEATHER):
        raise DataError(f"both {SOLAR} and {WEATHER} are there", where=str(folder), do="leave one of them there")
    loads = load_files(scenario)
    if LOADS not in loads and find_file(folder, LOADS):
        do = f'write load_file = "{LOADS}" in the groups it is for, or rename it'
        raise DataError("no group of the scenario names this file", where=str(folder / LOADS), do=do)
    for name in (PRICES, SOLAR, *loads):
        path = find_file(folder, name)
        if path is None and name in loads:
            where = str(folder / name)
            raise DataError(f"the load file of group {loads[name][0].name!r} is not there", where=where, do="add it")
        if path is not None:
            yield name, read_table(path, kind_of(name))


def kind_of(name: str) -> Quantity:
    """What the columns of a file of that name hold."""
    return {PRICES: PRICE_JPY, SOLAR: YIELD_KWH}.get(name.removesuffix(".xz"), LOAD_KWH)


def load_files(scenario: Scenario) -> dict[str, list[HomesSpec | StoresSpec]]:
    """The groups of homes and stores whose loads are given, by file."""
    found: dict[str, list[HomesSpec | StoresSpec]] = {}
    for group in consumers(scenario):
        if group.load_file:
            found.setdefault(group.load_file, []).append(group)
    return found


def consumers(scenario: Scenario) -> list[HomesSpec | StoresSpec]:
    """The groups that use energy: homes, then stores."""
    groups: list[HomesSpec | StoresSpec] = [*scenario.homes]
    groups.extend(scenario.stores)
    return groups


def find_file(folder: Path, name: str) -> Path | None:
    """A file of the folder, plain or packed; raises DataError when both are there."""
    found = [path for path in (folder / name, folder / f"{name}.xz") if path.is_file()]
    if len(found) > 1:
        raise DataError(f"both {name} and {name}.xz are there", where=str(folder), do="leave one of them there")
    return found[0] if found else None


def fiscal_days(scenario: Scenario) -> tuple[date, int]:
    """First day of the scenario's fiscal year and its number of days."""
    first = date(scenario.fiscal_year, 4, 1)
    return first, (date(scenario.fiscal_year + 1, 4, 1) - first).days


def _whole_year(scenario: Scenario, series: Series) -> Int:
    """The rows of the fiscal year, (slots, columns)."""
    first_day, days = fiscal_days(scenario)
    begin = HALF_HOURS.first_of(first_day) - series.first_slot
    stop = begin + days * HALF_HOURS.per_day
    if begin < 0 or stop > len(series.values):
        covered = f"{HALF_HOURS.label(series.first_slot)} to {HALF_HOURS.label(series.stop_slot)}"
        last = first_day + timedelta(days=days - 1)
        what = f"covers {covered} only; episodes are drawn from a whole fiscal year"
        do = f"give {first_day} to {last}, or change fiscal_year in the scenario"
        raise DataError(what, where=str(series.path), do=do)
    return series.values[begin:stop]


def _prices(scenario: Scenario, series: Series, values: Int) -> Int:
    missing = [area for area in scenario.areas if area not in series.names]
    if missing:
        do = f"add a column for each area: start,{','.join(scenario.areas)}"
        raise DataError(f"no column for area {missing[0]!r}", where=f"{series.path}: line 1", do=do)
    columns = [series.names.index(area) for area in scenario.areas]
    low = np.argwhere(values[:, columns] < LOWEST_PRICE_MJPY)
    if len(low):
        slot = HALF_HOURS.label(HALF_HOURS.first_of(fiscal_days(scenario)[0]) + int(low[0, 0]))
        where = f"{series.path}: {slot}: {scenario.areas[low[0, 1]]}"
        raise DataError("the price is below 0.01 JPY/kWh", where=where, do="JEPX prices are 0.01 to 999.99 JPY/kWh")
    check_price_level(values[:, columns], series.path)
    return np.ascontiguousarray(values[:, columns])


def _solar(series: Series, values: Int) -> Int:
    if series.names != (YIELD_COLUMN,):
        what = f"columns {', '.join(series.names)[:60]}"
        raise DataError(what, where=f"{series.path}: line 1", do=f"write start,{YIELD_COLUMN}")
    solar = values[:, 0]
    days = solar.reshape(-1, HALF_HOURS.per_day)
    if days[:, DARK_SLOTS].any():
        slot = int(np.flatnonzero(days[:, DARK_SLOTS].sum(0))[0])
        hour = HALF_HOURS.label(DARK_SLOTS[slot])[-5:]
        raise DataError(f"sun at {hour}", where=str(series.path), do="give Japanese local time, not UTC")
    year = float(solar.sum()) / WH_PER_KWH
    if year < LEAST_YIELD_KWH:
        what = f"one kW yields {year:,.1f} kWh in {len(days)} days, plausible is 900 to 1,500"
        raise DataError(what, where=str(series.path), do="give kWh of one kW in each row, not MWh or kW of the plant")
    return np.ascontiguousarray(solar)


def _check_columns(series: Series, parties: Mapping[str, tuple[str, ...]]) -> None:
    """The columns are the parties of the groups that name the file, each once and no other."""
    where = f"{series.path}: line 1"
    due = [name for names in parties.values() for name in names]
    for name in series.names:
        if name not in due:
            near = difflib.get_close_matches(name, due, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            some = ", ".join(due[:MOST_NAMED]) + (", ..." if len(due) > MOST_NAMED else "")
            what = f"column {name!r} is no party of group {' or '.join(map(repr, parties))}"
            raise DataError(what, where=where, do=f"{hint}parties: {some}")
    for name in due:
        if name not in series.names:
            raise DataError(f"no column for party {name!r}", where=where, do="add it, or lower the count of its group")


def _load(series: Series, values: Int, names: tuple[str, ...], size: Size) -> Int:
    """Load of parties in their order, (slots, parties); raises DataError for an impossible size."""
    for name in names:
        check_size(series, name, size)
    return np.ascontiguousarray(values[:, [series.names.index(name) for name in names]])
