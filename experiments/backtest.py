"""backtest japan-nine: simulate the day-ahead market of a real period and compare with the published area prices.

Forecasts: the simulation as it is, at a past-only level of 28 or 7 days, and as a change that moves yesterday's price;
beside them yesterday, last week, and a regression on residual demand treated alike. Actual demand and solar stand in
for forecasts of them. All are scored on the same half hours. What-ifs change a line or a fleet and clear again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from envs.japan_nine import AREAS, Floats
from experiments.japan_inputs import (
    CALIBRATE_UNTIL,
    LONG_LEVEL,
    SHORT_LEVEL,
    SPIKE,
    Inputs,
    calibration_days,
    check_period,
    read_inputs,
)
from experiments.japan_model import MOVE, Nation, simulate_prices
from experiments.japan_regression import regress_prices
from experiments.japan_scores import (
    Mask,
    Score,
    Split,
    days_before,
    move_yesterday,
    past_level,
    score,
    splits,
)
from market.errors import ConfigError
from market.units import Int

YESTERDAY, LAST_WEEK = "same slot yesterday", "same slot last week"
RAW, LONG, SHORT, MOVED = "simulation", "simulation, 28-day level", "simulation, 7-day level", "yesterday + simulation"
BOTH = "mean of the two above"
REGRESSED = "regression"
LEVELLED = {"regression, 28-day level": LONG_LEVEL, "regression, 7-day level": SHORT_LEVEL}
MOVED_BY_REGRESSION = "yesterday + regression"
WEIGHTS = tuple(np.round(np.arange(0.1, 1.01, 0.1), 1).tolist())
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class WhatIf:
    """A line or fleet changed: the mean price of each area before and after [JPY/kWh], and the splits after."""

    what: str
    before: dict[str, float]
    after: dict[str, float]
    splits: tuple[Split, ...]


@dataclass(frozen=True)
class Backtest:
    """What a period showed.

    Attributes:
        scores: each forecast against the published prices.
        measured: ratio of each forecast on days whose demand was published everywhere.
        splits: by border; split_years: the same by fiscal year.
        what_ifs: lines and fleets changed.
        gaps: hours without published demand by area; filled: whether they were filled.
        days, published, forecasts: for pictures, (days, 48, areas) [JPY/kWh].
    """

    first: date
    last: date
    scores: dict[str, Score]
    measured: dict[str, float]
    splits: tuple[Split, ...]
    split_years: dict[int, tuple[Split, ...]]
    what_ifs: tuple[WhatIf, ...]
    gaps: dict[str, int]
    filled: bool
    half_hours: int
    days: list[date]
    published: Floats
    forecasts: dict[str, Floats]

    @property
    def notes(self) -> list[str]:
        """What a reader must know of the period."""
        found = ["actual demand and solar stand in for forecasts of them (perfect weather)"]
        if self.first <= CALIBRATE_UNTIL:
            found.append(f"costs were fitted on days until {CALIBRATE_UNTIL}: such days are no test")
        if self.first <= SPIKE[1] and self.last >= SPIKE[0]:
            found.append(f"{SPIKE[0]} to {SPIKE[1]}: prices of a fuel shortage that no input holds")
        if self.gaps:
            what = "filled" if self.filled else "left out, --fill fills them"
            found.append(f"hours without demand: {', '.join(f'{a} {h}' for a, h in self.gaps.items())} ({what})")
        return found

    def rows(self) -> list[dict[str, Any]]:
        """One row for each forecast, border and what-if."""
        rows: list[dict[str, Any]] = [
            {"kind": "forecast", "name": name, **_plain(vars(found)), "measured_ratio": _plain(self.measured[name])}
            for name, found in self.scores.items()
        ]
        for year, borders in ((None, self.splits), *self.split_years.items()):
            rows += [{"kind": "split", "fiscal_year": year, **_plain(vars(split))} for split in borders]
        for what in self.what_ifs:
            changed = tuple(vars(split) for split in what.splits)
            rows.append({"kind": "what-if", **_plain({**vars(what), "splits": changed})})
        return rows

    def print(self) -> None:
        """The tables on standard output."""
        from experiments.backtest_tables import print_tables

        print_tables(self)


def backtest(
    folder: Path,
    first: date,
    last: date,
    fill: bool = False,
    doubled: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    no_limits: bool = False,
    progress: Progress | None = None,
) -> Backtest:
    """Simulate and score `first` to `last`, both included, and clear again with each change.

    `doubled` names lines, `without` fleets as AREA:FUEL, `no_limits` takes all lines' limits away. Raises ConfigError
    and DataError.
    """
    check_period(first, last)
    inputs = read_inputs(folder, last, fill)
    rows = np.arange(inputs.row_of(first) - LONG_LEVEL, inputs.row_of(last) + 1)
    nation, published = inputs.nation.part(rows), inputs.published[rows]
    changes = [(f"{line} doubled", nation.with_line_doubled(line)) for line in doubled]
    changes += [(f"no {fleet}", nation.without_fleet(fleet)) for fleet in without]
    changes += [("no line limits", nation.without_limits())] * no_limits
    count = Count(progress, len(rows) * (1 + len(changes)))
    simulated = simulate_prices(nation, progress=count.step)
    forecasts = make_forecasts(inputs, rows, simulated)
    usable = usable_hours(nation.days, first, published, forecasts)
    if not usable.any():
        raise ConfigError("no half hour of the period can be scored", where="--from and --to", do="try --fill")
    level = past_level(published, simulated, LONG_LEVEL)
    measured = usable & inputs.measured[rows][:, None, None]
    scores = {name: score(nation.days, published, prices, usable) for name, prices in forecasts.items()}
    year = np.array([day.year - (day.month < 4) for day in nation.days])
    return Backtest(
        first,
        last,
        scores,
        {name: plain_ratio(published, prices, measured) for name, prices in forecasts.items()},
        tuple(splits(published, simulated, usable)),
        {y: tuple(splits(published, simulated, usable & (year == y)[:, None, None])) for y in _years(year, usable)},
        tuple(_what_if(name, changed, simulated, level, published, usable, count) for name, changed in changes),
        inputs.gaps(rows),
        fill,
        int(usable.sum()),
        nation.days[LONG_LEVEL:],
        np.where(usable, published, np.nan)[LONG_LEVEL:],
        {name: prices[LONG_LEVEL:] for name, prices in forecasts.items()},
    )


class Count:
    """Counts days over several simulations for one bar."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._before, self._now = progress, total, 0, 0

    def step(self, done: int, total: int) -> None:
        """Report `done` of `total` of the simulation that runs."""
        self._now = done
        if self._progress:
            self._progress(self._before + done, self._total)
        if done == total:
            self._before += total


def make_forecasts(inputs: Inputs, rows: Int, simulated: Floats) -> dict[str, Floats]:
    """All forecasts of the days `rows`, from prices of earlier days and the day's demand and solar only."""
    published = inputs.published[rows]
    yesterday = days_before(inputs.published, 1)[rows]
    long, short = (past_level(published, simulated, window) for window in (LONG_LEVEL, SHORT_LEVEL))
    moved = move_yesterday(published, simulated, long, MOVE)
    near = simulated * short[:, None, :]
    regression = regress_prices(inputs)
    levels = {window: past_level(inputs.published, regression, window) for window in (LONG_LEVEL, SHORT_LEVEL)}
    weight = best_weight(inputs, regression, levels[LONG_LEVEL])
    return {
        YESTERDAY: yesterday,
        LAST_WEEK: days_before(inputs.published, 7)[rows],
        REGRESSED: regression[rows],
        **{name: (regression * levels[window][:, None, :])[rows] for name, window in LEVELLED.items()},
        MOVED_BY_REGRESSION: move_yesterday(inputs.published, regression, levels[LONG_LEVEL], weight)[rows],
        RAW: simulated,
        LONG: simulated * long[:, None, :],
        SHORT: near,
        MOVED: moved,
        BOTH: (near + moved) / 2,
    }


def best_weight(inputs: Inputs, prices: Floats, level: Floats) -> float:
    """The weight with which a change moves yesterday best on the calibration days."""
    own = calibration_days(inputs.days)[:, None, None] & ~np.isnan(inputs.published + days_before(inputs.published, 1))
    own = own & ~np.isnan(level)[:, None, :] & ~np.isnan(prices + days_before(prices, 1))

    def error(weight: float) -> float:
        moved = move_yesterday(inputs.published, prices, level, weight)
        return float(np.abs(moved - inputs.published)[own].sum())

    errors = [error(weight) for weight in WEIGHTS]
    return float(WEIGHTS[int(np.argmin(errors))])


def usable_hours(days: list[date], first: date, published: Floats, forecasts: dict[str, Floats]) -> Mask:
    """Half hours of the period for which every forecast and the published price are there."""
    inside = np.array([day >= first for day in days])
    total = published + np.sum(list(forecasts.values()), axis=0)
    return np.asarray(inside[:, None, None] & ~np.isnan(total), np.bool_)


def plain_ratio(published: Floats, forecast: Floats, usable: Mask) -> float:
    """Mean absolute error over yesterday's."""
    naive = np.abs(days_before(published, 1) - published)[usable].sum()
    return float(np.abs(forecast - published)[usable].sum() / naive) if naive > 0 else float("nan")


def _what_if(
    name: str, nation: Nation, simulated: Floats, level: Floats, published: Floats, usable: Mask, count: Count
) -> WhatIf:
    """Clear again with the change, at the level the simulation had without it."""
    changed = simulate_prices(nation, progress=count.step)
    before, after = (_means(prices * level[:, None, :], usable) for prices in (simulated, changed))
    return WhatIf(name, before, after, tuple(splits(published, changed, usable)))


def _means(prices: Floats, usable: Mask) -> dict[str, float]:
    return {area: float(prices[..., i][usable[..., i]].mean()) for i, area in enumerate(AREAS) if usable[..., i].any()}


def _years(year: Int, usable: Mask) -> list[int]:
    return [int(y) for y in np.unique(year) if usable[year == y].any()]


def _plain(value: Any) -> Any:
    """Values as JSON has them: NaN is null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value
