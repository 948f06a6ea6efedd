"""study load-memory: how long what a meter shows above or below the usual persists, in published load files.

The rest of a load is log(load / usual load); the usual load is the log mean of the same half hour on days of the same
kind, working or free, within `SEASON_DAYS` (assumption). Its correlation is shown at lags up to a day and fitted at
lags up to a day, for homes half a day, since their habits come back after a day: least squares by a part that persists
times exp(-lag / time constant). What is missing from one at lag nothing is new every half hour.
Days are free as Japan's calendar says; abroad only weekends are right. An hourly file says nothing of half hours: its
lags are whole hours, and what is new every half hour is half averaged out in it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from envs.half_hour_series import Series
from envs.load_files import read_building, read_home, read_site
from envs.load_shapes import is_free_day
from envs.published_year import HOURS_PER_DAY
from market.errors import ConfigError
from market.slots import HALF_HOURS

Floats = npt.NDArray[np.float64]

SEASON_DAYS = 30
"""Assumption: days before and after that make a half hour's usual load."""
MOST_IDLE = 0.05
"""Assumption: a meter that shows nothing for more of the time is no home in use."""
HOURS = np.arange(1, 24 * 20 + 1) / 10
"""Time constants that are tried [hours]."""
SLOTS_PER_HOUR = HALF_HOURS.gate
SITE_YEAR = 2024
"""Year whose days the Tokachi file gives as mm-dd (its source: measured in 2024, without 29 February)."""
BUILDING_YEAR = 2016
"""Year whose calendar the CityLearn file is read with: its first of August has day type 1, a Monday as in 2016."""
HABIT_HOURS = 12
"""Lags of homes up to here are fitted (assumption: what comes back after a day is habit, not memory)."""
FILES = {
    "home, Sydney (Ausgrid)": "customer*_30min.csv*",
    "homes, Fontana (CityLearn), hourly": "citylearn_challenge_2022_phase_all.tar.xz",
    "site, Tokachi": "tokachi_load_pv_30min.csv*",
}
"""Names of the files below the data folder, by what they hold."""
HOMES_IN_PACK = 17


@dataclass(frozen=True)
class Memory:
    """What one file shows.

    meters read; hours (lags,) and correlation at each, mean over meters; sd of the log rest, mean over meters; hours
    the fitted time constant and the part that persists; miss root mean square of the fit's error.
    """

    what: str
    meters: int
    lag_hours: list[float]
    correlation: list[float]
    sd: float
    hours: float
    part: float
    miss: float

    def at(self, hours: float) -> float | None:
        """Correlation at a lag; None where the file has no such lag."""
        return self.correlation[self.lag_hours.index(hours)] if hours in self.lag_hours else None

    def fitted(self, hours: Floats) -> Floats:
        """The fitted correlation at lags."""
        return np.asarray(self.part * np.exp(-hours / self.hours))


@dataclass(frozen=True)
class LoadMemory:
    """What the study found, a row for each file."""

    files: tuple[Memory, ...]

    def rows(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return asdict(self)

    def print(self) -> None:
        """One table on standard output."""
        from rich.table import Table

        from experiments.screen import console

        table = Table("load", title="Correlation of log(load / usual load), and the fit part x exp(-lag / hours)")
        for head in ("meters", "log sd", *(f"{lag:g} h" for lag in SHOWN), "hours", "part", "miss of fit"):
            table.add_column(head, justify="right")
        for row in self.files:
            found = ("-" if (value := row.at(lag)) is None else f"{value:.2f}" for lag in SHOWN)
            fit = f"{row.hours:.1f}", f"{row.part:.2f}", f"{row.miss:.2f}"
            table.add_row(row.what, str(row.meters), f"{row.sd:.2f}", *found, *fit)
        console().print(table)


SHOWN = (0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 24.0)
"""Lags of the table [hours]."""


class Fit(NamedTuple):
    """Time constant [hours], part that persists, root mean square error."""

    hours: float
    part: float
    miss: float


def study_load_memory(data: Path) -> LoadMemory:
    """Measure every file of `FILES` that lies in a folder or below; raises ConfigError where none does, DataError."""
    found = {what: sorted(data.rglob(name)) for what, name in FILES.items()}
    if not any(found.values()):
        do = f"give a folder with {', '.join(name.rstrip('*') for name in FILES.values())}"
        raise ConfigError("there are no load files", where=str(data), do=do)
    return LoadMemory(tuple(_memory_of(what, paths[0]) for what, paths in found.items() if paths))


def rest_of(load_wh: npt.NDArray[np.int64], first_slot: int, per_day: int) -> Floats:
    """log(load / usual load) of whole days (slots,); nan where the load is zero."""
    days = len(load_wh) // per_day
    load = load_wh[: days * per_day].reshape(days, per_day)
    logs = np.where(load > 0, np.log(np.maximum(load, 1)), 0)
    first = HALF_HOURS.day_of(first_slot)
    free = np.array([is_free_day(first + timedelta(days=day)) for day in range(days)])
    near = np.abs(np.arange(days)[:, None] - np.arange(days)) <= SEASON_DAYS
    alike = (near & (free[:, None] == free)).astype(np.float64)
    usual = alike @ logs / np.maximum(alike @ (load > 0), 1)
    return np.where(load > 0, logs - usual, np.nan).reshape(-1)


def correlation_of(rest: Floats, lags: Sequence[int]) -> Floats:
    """Correlation of a series with itself some rows later (lags,); pairs with a nan are left out."""
    square = np.nanmean(rest * rest)
    return np.array([np.nanmean(rest[:-lag] * rest[lag:]) / square for lag in lags])


def fit_memory(lag_hours: Floats, correlation: Floats) -> Fit:
    """The least-squares time constant and part, the part within 0 .. 1."""
    fading = np.exp(-lag_hours / HOURS[:, None])
    part = np.clip((fading @ correlation) / (fading * fading).sum(1), 0, 1)
    miss = np.sqrt(((part[:, None] * fading - correlation) ** 2).mean(1))
    best = int(miss.argmin())
    return Fit(float(HOURS[best]), float(part[best]), float(miss[best]))


def _memory_of(what: str, path: Path) -> Memory:
    """All meters of a file together: the mean of their correlations, one fit."""
    hourly = what.endswith("hourly")
    step = SLOTS_PER_HOUR if hourly else 1
    per_day = HALF_HOURS.per_day // step
    rests = []
    for series in _meters(what, path):
        load = series.column("load").reshape(-1, step).sum(1)
        if (load == 0).mean() <= MOST_IDLE:
            rests.append(rest_of(load, series.first_slot, per_day))
    lags = range(1, per_day + 1)
    correlation = np.mean([correlation_of(rest, lags) for rest in rests], 0)
    hours = np.array(lags) * step / SLOTS_PER_HOUR
    fitted = hours <= (HABIT_HOURS if what.startswith("home") else HOURS_PER_DAY)
    fit = fit_memory(hours[fitted], correlation[fitted])
    sd = float(np.mean([np.nanstd(rest) for rest in rests]))
    return Memory(what, len(rests), hours.tolist(), correlation.tolist(), sd, *fit)


def _meters(what: str, path: Path) -> Iterator[Series]:
    if what.startswith("homes"):
        for number in range(1, HOMES_IN_PACK + 1):
            yield read_building(path, BUILDING_YEAR, f"Building_{number}")
    elif what.startswith("home"):
        yield read_home(path)
    else:
        yield read_site(path, SITE_YEAR, fill=True)
