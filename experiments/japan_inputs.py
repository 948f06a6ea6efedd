"""What the backtest reads, and the periods it keeps apart: calibration, and the spike of that winter."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from envs.japan_nine import AREAS, Floats, fleet_mw, line_capacity_mw, nuclear_mw, runs_always_mw
from envs.japan_nine_data import (
    PRICES_FROM,
    Hours,
    fill_demand,
    half_hours,
    model_solar,
    read_hours,
    read_prices,
    read_stations,
)
from experiments.japan_model import Nation
from experiments.japan_scores import Mask
from market.errors import ConfigError
from market.units import Int

CALIBRATE_FROM, CALIBRATE_UNTIL = date(2018, 10, 1), date(2021, 3, 31)
SPIKE = (date(2020, 12, 15), date(2021, 2, 5))
"""Prices of that winter came from shortage of fuel, which no input holds: neither fitted nor in the yardstick."""
LONG_LEVEL, SHORT_LEVEL = 28, 7
"""Days a level looks back."""
EARLIEST = CALIBRATE_FROM + timedelta(days=LONG_LEVEL)
LATEST = date(2024, 3, 31)
"""Last day of the published summaries that are read."""


@dataclass(frozen=True)
class Inputs:
    """All days read, from the first with prices on: what is simulated, and what was published.

    Attributes:
        nation: the days as they are simulated.
        published: (days, 48, areas) [JPY/kWh].
        missing: (days, areas) hours without published demand.
    """

    nation: Nation
    published: Floats
    missing: Int

    @property
    def days(self) -> list[date]:
        """The days."""
        return self.nation.days

    @property
    def measured(self) -> Mask:
        """Whether all demand of a day was published, (days,)."""
        return np.asarray(self.missing.sum(1) == 0, np.bool_)

    def gaps(self, rows: Int) -> dict[str, int]:
        """Hours without published demand on some of the days, by area."""
        hours = self.missing[rows].sum(0)
        return {area: int(count) for area, count in zip(AREAS, hours, strict=True) if count}

    def row_of(self, day: date) -> int:
        """Row of a day."""
        return (day - self.days[0]).days


def read_inputs(folder: Path, last: date, fill: bool) -> Inputs:
    """Read every file until `last`, at least until calibration ends; missing demand is filled only with `fill`.

    Raises DataError for a file that is wrong.
    """
    until = max(last, CALIBRATE_UNTIL)
    hours = read_hours(folder, PRICES_FROM, until)
    weather = read_stations(folder, PRICES_FROM, until)
    published = read_prices(folder, PRICES_FROM, until)
    missing = np.isnan(hours.demand_mw).reshape(len(hours.days), -1, len(AREAS)).sum(1)
    if fill:
        hours = fill_demand(hours, weather)
    return Inputs(make_nation(hours, model_solar(hours, weather)), published, missing)


def make_nation(hours: Hours, solar_mw: Floats) -> Nation:
    """The nation as it is simulated: half hours of demand less solar, dated lines and plant."""
    days = hours.days
    net = half_hours(hours.demand_mw) - half_hours(solar_mw)
    return Nation(
        days,
        net.reshape(len(days), -1, net.shape[1]),
        nuclear_mw(days),
        line_capacity_mw(days),
        fleet_mw(),
        runs_always_mw(),
    )


def calibration_days(days: list[date]) -> Mask:
    """Which days belong to calibration (days,): the spike and the days that it reaches by yesterday are out."""
    return np.array([CALIBRATE_FROM <= d <= CALIBRATE_UNTIL and not SPIKE[0] <= d <= SPIKE[1] for d in days])


def check_period(first: date, last: date) -> None:
    """Raise ConfigError for a period that is empty or off the published years."""
    if first > last:
        raise ConfigError(f"{first} lies after {last}", where="--from", do="give the earlier day first")
    if first < EARLIEST or last > LATEST:
        what = f"{first} to {last} is not covered"
        raise ConfigError(what, where="--from and --to", do=f"give days from {EARLIEST} to {LATEST}")
