"""JEPX's intraday results (時間前市場): what traded in each half hour, from its first to its last trade.

`jepx_spot/intraday_*.csv[.xz]`: `date,slot,open,high,low,close,avg,contract_kwh,n_contracts`, one row a half hour,
prices in JPY/kWh with at most two decimals, blank without a trade. The average is as published.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from envs.half_hour_series import Gap, runs_of, tell_gaps
from envs.published_year import calendar_parts, only_file, price_mjpy, read_columns
from market.errors import DataError
from market.exchange import NO_PRICE
from market.slots import HALF_HOURS
from market.units import Int

PRICES = ("open", "high", "low", "close", "avg")
COLUMNS = ("date", "slot", *PRICES, "contract_kwh", "n_contracts")
LOT_WH = 50_000
"""Smallest step of intraday energy, 0.1 MW over a half hour (JEPX trading rules)."""
MOST_KWH = 20_000_000
"""More than a half hour's energy of all Japan, 160 GW (assumption), so that another unit shows."""

_ENERGY = re.compile(r"(\d{1,12})(?:\.0+)?")
_COUNT = re.compile(r"\d{1,7}")


@dataclass(frozen=True)
class Intraday:
    """Intraday results of consecutive half hours.

    Attributes:
        first_slot: slot of the first row, counted as in `market.slots`.
        price: (slots, 5) open, high, low, close and average [mJPY/kWh], `NO_PRICE` where nothing traded.
        energy_wh: (slots,) energy traded [Wh].
        trades: (slots,) number of trades.
        filled: half hours that the file lacks, taken as without a trade.
    """

    first_slot: int
    price: Int
    energy_wh: Int
    trades: Int
    filled: int


def read_intraday(folder: Path, first: date, last: date, *, fill: bool = False) -> Intraday:
    """Results from `first` to `last`, both included, of the file below `folder`; raises DataError.

    A half hour that the file lacks is refused, or with `fill` counted and taken as one without a trade.
    """
    path = only_file(folder / "jepx_spot", "intraday_*.csv")
    slots = (last - first).days * HALF_HOURS.per_day + HALF_HOURS.per_day
    price = np.full((slots, len(PRICES)), NO_PRICE, np.int64)
    energy, trades, there = np.zeros(slots, np.int64), np.zeros(slots, np.int64), np.zeros(slots, np.bool_)
    for row, where, cells in _rows(path, first, last):
        price[row], energy[row], trades[row], there[row] = *_result(cells, where), True
    gaps = [Gap("the results", HALF_HOURS.first_of(first) + at, stop - at) for at, stop in runs_of(~there)]
    _check_days(gaps, path)
    if gaps and not fill:
        raise DataError(tell_gaps(gaps), where=str(path), do="choose another period, or fill with no trade")
    return Intraday(HALF_HOURS.first_of(first), price, energy, trades, int((~there).sum()))


def _check_days(gaps: list[Gap], path: Path) -> None:
    """Refuse a day whose last hour alone is missing: slots counted on a day when the clock was put forward."""
    for gap in gaps:
        if gap.slots == HALF_HOURS.gate and HALF_HOURS.of_day(gap.first_slot) == HALF_HOURS.per_day - gap.slots:
            what = f"{HALF_HOURS.day_of(gap.first_slot)} has 46 half hours, a day of daylight saving time"
            raise DataError(what, where=str(path), do="Japan has none: give 48 half hours for every day")


def _rows(path: Path, first: date, last: date) -> Iterator[tuple[int, str, list[str]]]:
    """Place in the period, place in the file, and results of each row of the period; rows come in order."""
    place = {
        (day, str(part)): at
        for at, (day, part) in enumerate(calendar_parts(first, last + timedelta(days=1), HALF_HOURS.per_day))
    }
    above = -1
    for line, (day, slot, *cells) in read_columns(path, COLUMNS):
        if not first.isoformat() <= day <= last.isoformat():
            continue
        where = f"{path}: line {line}"
        at = place.get((day, slot))
        if at is None:
            raise _no_such_slot(day, slot, where)
        if at <= above:
            what = f"{day} slot {slot} " + ("stands twice" if at == above else "comes too late")
            raise DataError(what, where=where, do="give every slot once and in order")
        above = at
        yield at, where, cells


def _no_such_slot(day: str, slot: str, where: str) -> DataError:
    per_day = HALF_HOURS.per_day
    if slot in (str(per_day + 1), str(per_day + 2)):
        what = f"{day} has {per_day + 2} half hours, a day of daylight saving time"
        return DataError(what, where=where, do="Japan has none: slots of a day are 1 to 48")
    return DataError(f"there is no {day[:20]} slot {slot[:20]}", where=where, do="slots of a day are 1 to 48")


def _result(cells: list[str], where: str) -> tuple[list[int], int, int]:
    """Prices [mJPY/kWh], energy [Wh] and trades of a row, which agree with one another."""
    *prices, energy, trades = cells
    if not _COUNT.fullmatch(trades):
        raise DataError(
            f"{trades[:20]!r} is not a number of trades", where=f"{where}: n_contracts", do="give 0 or more"
        )
    if not int(trades):
        if any(prices) or (energy and float(_energy(energy, where))):
            raise DataError("a price or energy without a trade", where=where, do="leave them empty")
        return [NO_PRICE] * len(PRICES), 0, 0
    found = [price_mjpy(cell, f"{where}: {name}") for name, cell in zip(PRICES, prices, strict=True)]
    opened, high, low, close, mean = found
    if not low <= min(opened, close, mean) <= max(opened, close, mean) <= high:
        raise DataError("open, close or average is outside low and high", where=where, do="use the published file")
    return found, _energy(energy, where), int(trades)


def _energy(cell: str, where: str) -> int:
    match = _ENERGY.fullmatch(cell)
    place = f"{where}: contract_kwh"
    if match is None:
        what = f"negative energy {cell}" if cell.startswith("-") else f"{cell[:20]!r} is not whole kWh"
        raise DataError(what, where=place, do="give kWh in steps of 50")
    kwh = int(match[1])
    if kwh > MOST_KWH:
        raise DataError(f"{kwh:,} kWh in a half hour is not possible", where=place, do="give kWh, not Wh")
    if kwh * 1_000 % LOT_WH:
        raise DataError(
            f"{kwh:,} kWh is not a whole number of lots of 50 kWh", where=place, do="give kWh, not MWh or MW"
        )
    return kwh * 1_000
