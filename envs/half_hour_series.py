"""Half-hour series from files with a time on every row: what is refused, what counts as missing, how gaps are filled.

Values are whole numbers of a small unit (Wh, mJPY/kWh), never negative, so that -1 marks a missing one. An hourly
file is split: half of an energy to each half hour, the odd Wh to the second; a price holds for both (assumption).
Japan has no daylight saving time (`market.slots`), so an hour of the night that is missing or doubled on a Sunday, or
a day of 46 or 50 half hours, is named as what it is.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from market.errors import DataError
from market.slots import HALF_HOURS
from market.units import MJPY_PER_JPY, WH_PER_KWH, Int

MISSING = -1
SHORT_GAP = 4
"""Longest run of half hours that is filled on a straight line (assumption: use changes little in two hours)."""
DAYS_AROUND = 7
"""Days before and after in which a longer gap looks for the same half hour."""
MINUTES_PER_HOUR = 60
LAST_CHANGE_HOUR = 3
"""Clocks change before this hour of a Sunday: at 01:00 in Britain, at 02:00 or 03:00 elsewhere."""
NO_DAYLIGHT_SAVING = "Japan has no daylight saving time: give 48 half hours, or 24 hours, for every day"

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_START = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d)(?::00)?(.*)")


@dataclass(frozen=True)
class Quantity:
    """What a column holds.

    Attributes:
        what: its name in messages.
        unit: the unit of the file.
        scale: whole units for each unit of the file.
        most: largest value of a half hour that is possible, in the unit of the file.
        advice: what is probably wrong beyond it.
        is_power: a row's energy is its value times its length.
        splits: an hourly value is shared between its half hours.
    """

    what: str
    unit: str
    scale: float
    most: float
    advice: str
    is_power: bool = False
    splits: bool = True


LOAD_KWH = Quantity("load", "kWh", WH_PER_KWH, 1e6, "give kWh per slot, not W, Wh or kVA")
LOAD_KW = Quantity("load", "kW", WH_PER_KWH, 2e6, "give kW, not W", is_power=True)
PV_KWH = Quantity("solar energy", "kWh", WH_PER_KWH, 1e6, "give kWh per slot, not W or Wh")
PV_KW = Quantity("solar power", "kW", WH_PER_KWH, 2e6, "give kW, not W", is_power=True)
YIELD_KWH = Quantity("solar yield", "kWh of one kW", WH_PER_KWH, 0.6, "one kW yields at most 0.5 kWh in a half hour")
YIELD_W = Quantity("solar yield", "W of one kW", 1, 1_100, "one kW yields at most 1,000 W", is_power=True)
PRICE_JPY = Quantity(
    "price", "JPY/kWh", MJPY_PER_JPY, 999.99, "give JPY/kWh, not hundredths of a yen or JPY/MWh", splits=False
)


@dataclass(frozen=True)
class Gap:
    """A run of missing half hours of one column."""

    name: str
    first_slot: int
    slots: int

    def __str__(self) -> str:
        return f"{self.slots} from {HALF_HOURS.label(self.first_slot)} in {self.name}"


@dataclass(frozen=True)
class Series:
    """Columns of half hours.

    Attributes:
        path: the file.
        first_slot: slot of the first row, counted as in `market.slots`.
        names: the columns.
        values: (slots, columns) whole units, `MISSING` where nothing is known.
        filled: values that `fill_gaps` made up.
    """

    path: Path
    first_slot: int
    names: tuple[str, ...]
    values: Int
    filled: int = 0

    @property
    def stop_slot(self) -> int:
        """One past the last slot."""
        return self.first_slot + len(self.values)

    @property
    def gaps(self) -> list[Gap]:
        """Runs of missing values, column by column, oldest first."""
        return [
            Gap(name, self.first_slot + first, stop - first)
            for column, name in enumerate(self.names)
            for first, stop in runs_of(self.values[:, column] == MISSING)
        ]

    def column(self, name: str) -> Int:
        """One column, (slots,)."""
        return self.values[:, self.names.index(name)]


def tell_gaps(gaps: Sequence[Gap]) -> str:
    """How many values are missing in how many gaps, the first and the longest, in one clause."""
    longest = max(gaps, key=lambda gap: gap.slots)
    count = sum(gap.slots for gap in gaps)
    where = f"the first {gaps[0]}" + ("" if longest == gaps[0] else f", the longest {longest}")
    values = "half-hour value is" if count == 1 else "half-hour values are"
    return f"{count:,} {values} missing in {len(gaps):,} gap{'s' * (len(gaps) > 1)}: {where}"


def settle_gaps(series: Series, fill: bool) -> Series:
    """The series without gaps: as it is, filled when asked, else refused; raises DataError."""
    gaps = series.gaps
    if gaps and not fill:
        raise DataError(
            tell_gaps(gaps), where=str(series.path), do="add them, or fill them: digitalgrid scenarios fill"
        )
    return fill_gaps(series) if gaps else series


def fill_gaps(series: Series) -> Series:
    """Fill short gaps on a straight line and longer ones like the days around; raises DataError where none is known.

    Up to `SHORT_GAP` half hours between known values lie on the line between these; else the value is the mean of the
    same half hour on the nearest day before and after that knows it, at most `DAYS_AROUND` away. Both round half to
    even.
    """
    values = series.values.copy()
    for column in range(values.shape[1]):
        known = series.values[:, column] != MISSING
        for first, stop in runs_of(~known):
            inside = first > 0 and stop < len(values)
            if inside and stop - first <= SHORT_GAP:
                ends = values[[first - 1, stop], column]
                line = np.interp(np.arange(first, stop), (first - 1, stop), ends)
            else:
                line = _from_days_around(series.values[:, column], first, stop)
            if np.isnan(line).any():
                gap = Gap(series.names[column], series.first_slot + first, stop - first)
                what = f"a gap cannot be filled: {gap}, and the {DAYS_AROUND} days before and after do not know it"
                raise DataError(what, where=str(series.path), do="give more of the file")
            values[first:stop, column] = np.rint(line).astype(np.int64)
    return replace(series, values=values, filled=series.filled + int((series.values == MISSING).sum()))


def _from_days_around(column: Int, first: int, stop: int) -> npt.NDArray[np.float64]:
    at = np.arange(first, stop)
    found = np.full(len(at), np.nan)
    for day in range(DAYS_AROUND, 0, -1):
        rows = at + day * HALF_HOURS.per_day * np.array([[-1], [1]])
        inside = (rows >= 0) & (rows < len(column))
        near = np.where(inside, column[np.clip(rows, 0, len(column) - 1)], MISSING)
        there = near != MISSING
        mean = np.where(there, near, 0).sum(0) / np.maximum(there.sum(0), 1)
        found = np.where(there.any(0), mean, found)
    return found


def runs_of(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and one past the last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(first), int(stop)) for first, stop in zip(edges[::2], edges[1::2], strict=True)]


def read_start(text: str, where: str) -> int:
    """Minutes from 2000-01-01 00:00 Japanese time of `2018-04-01T00:30`; raises DataError."""
    match = _START.fullmatch(text.strip())
    if match is None or int(match[2]) > 23 or int(match[3]) > 59:
        raise DataError(f"{text[:30]!r} is not a time", where=where, do="write 2018-04-01T00:30")
    if match[4] not in ("", "+09:00"):
        raise DataError(f"{text[:40]!r} is not Japanese time", where=where, do="give local time, +09:00 or no offset")
    try:
        first = HALF_HOURS.first_of(date.fromisoformat(match[1]))
    except ValueError as error:
        raise DataError(f"{text[:30]!r} is no day of the calendar", where=where, do="mend it") from error
    return first * HALF_HOURS.minutes + MINUTES_PER_HOUR * int(match[2]) + int(match[3])


def make_series(
    path: Path,
    rows: Iterable[tuple[int, int, Sequence[str]]],
    columns: Mapping[str, Quantity],
    *,
    numbered: bool = False,
) -> Series:
    """A series from rows of line, start [minutes from 2000-01-01 00:00] and cells in the order of `columns`.

    `numbered` files count the slots of a day, so that a change of the clock shows at the end of a day. Raises DataError
    for what is not a number, is negative or not possible, for times that repeat, go back or leave the half hours.
    """
    kinds = tuple(columns.items())
    lines: list[int] = []
    starts: list[int] = []
    table: list[list[float]] = []
    for line, start, cells in rows:
        lines.append(line)
        starts.append(start)
        table.append(_values(cells, kinds, path, line))
    if len(lines) < 2:
        raise DataError("fewer than two rows of data", where=str(path), do="give the whole file")
    minutes = np.array(starts, np.int64)
    step = _check_times(path, lines, minutes, numbered)
    halves = step // HALF_HOURS.minutes
    numbers = np.array(table, np.float64)
    _check_most(numbers, kinds, halves, path, lines)
    whole = _whole_units(numbers, tuple(columns.values()), halves)
    at = (minutes - minutes[0]) // step
    values = np.full(((int(at[-1]) + 1) * halves, len(kinds)), MISSING, np.int64)
    for part in range(halves):
        values[at * halves + part] = whole[part]
    first = int(minutes[0]) // HALF_HOURS.minutes
    return Series(path, first, tuple(columns), values)


def _values(cells: Sequence[str], kinds: Sequence[tuple[str, Quantity]], path: Path, line: int) -> list[float]:
    """The numbers of a row, NaN where empty."""
    values = []
    for cell, (name, kind) in zip(cells, kinds, strict=True):
        text = cell.strip()
        if not text:
            values.append(np.nan)
        elif _NUMBER.fullmatch(text):
            values.append(float(text))
        else:
            where = f"{path}: line {line}: {name}"
            if text.startswith("-") and _NUMBER.fullmatch(text[1:]):
                raise DataError(f"negative {kind.what} {text}", where=where, do="mend it or leave it empty")
            raise DataError(f"{text[:30]!r} is not a number", where=where, do="leave a missing value empty")
    return values


def _check_most(
    table: npt.NDArray[np.float64], kinds: Sequence[tuple[str, Quantity]], halves: int, path: Path, lines: list[int]
) -> None:
    for column, (name, kind) in enumerate(kinds):
        most = kind.most * (halves if kind.splits and not kind.is_power else 1)
        over = np.flatnonzero(table[:, column] > most)
        if len(over):
            what = f"{kind.what} {table[over[0], column]:,g} {kind.unit} is not possible"
            raise DataError(what, where=f"{path}: line {lines[over[0]]}: {name}", do=kind.advice)


def _whole_units(table: npt.NDArray[np.float64], kinds: Sequence[Quantity], halves: int) -> list[Int]:
    """Whole units of each half of a row, rounded half to even; one part for half-hour files, two for hourly ones."""
    hours = halves * HALF_HOURS.minutes / MINUTES_PER_HOUR
    scale = np.array([kind.scale * (hours if kind.is_power else 1) for kind in kinds])
    total = np.where(np.isnan(table), MISSING, np.rint(table * scale)).astype(np.int64)
    if halves == 1:
        return [total]
    splits = np.array([kind.splits for kind in kinds]) & (total != MISSING)
    return [np.where(splits, total // 2, total), np.where(splits, total - total // 2, total)]


def _check_times(path: Path, lines: list[int], minutes: Int, numbered: bool) -> int:
    """The step of the file, 30 or 60 minutes; raises DataError for the first time that does not fit."""
    steps = np.diff(minutes)
    kinds, counts = np.unique(steps, return_counts=True)
    step = int(kinds[counts.argmax()])
    if step not in (HALF_HOURS.minutes, MINUTES_PER_HOUR):
        do = "give half hours or hours"
        raise DataError(f"the rows are {step} minutes apart", where=f"{path}: line {lines[1]}: start", do=do)
    if minutes[0] % step:
        what = f"{_clock(int(minutes[0]))} does not begin a {'half ' * (step != MINUTES_PER_HOUR)}hour"
        raise DataError(what, where=f"{path}: line {lines[0]}: start", do="give times on the half hour")
    for row in np.flatnonzero(steps != step).tolist():
        what, do = _time_fault(minutes, row, step, numbered)
        if what:
            raise DataError(what, where=f"{path}: line {lines[row + 1]}: start", do=do)
    return step


def _time_fault(minutes: Int, row: int, step: int, numbered: bool) -> tuple[str, str]:
    """What is wrong with the time after `row`, and what to do; empty for an ordinary gap."""
    before, here = int(minutes[row]), int(minutes[row + 1])
    if here == before + step - MINUTES_PER_HOUR and step != MINUTES_PER_HOUR and _clock_changes(here):
        hours = f"the hour from {_clock(here)} stands twice: a day of 25 hours in daylight saving time"
        return hours, NO_DAYLIGHT_SAVING
    if here == before and step == MINUTES_PER_HOUR and _clock_changes(here):
        return f"{_clock(here)} stands twice: a day of 25 hours in daylight saving time", NO_DAYLIGHT_SAVING
    if here <= before:
        again = bool((minutes[: row + 1] == here).any())
        what = f"{_clock(here)} stands twice" if again else f"{_clock(here)} comes after {_clock(before)}"
        return what, "give every slot once and in order"
    if (here - before) % step:
        return f"{_clock(here)} is {here - before} minutes after the row above", f"give a row every {step} minutes"
    if here - before == step + MINUTES_PER_HOUR:
        lost = before + step
        if numbered and here % (24 * MINUTES_PER_HOUR) == 0:
            return f"the day before {_clock(here)} has 23 hours: daylight saving time", NO_DAYLIGHT_SAVING
        if not numbered and _clock_changes(lost):
            what = f"the hour from {_clock(lost)} is left out: a day of 23 hours in daylight saving time"
            return what, NO_DAYLIGHT_SAVING
    return "", ""


def _clock_changes(minutes: int) -> bool:
    """Whether a time lies in the hours of a Sunday in which clocks are changed."""
    day, hour = HALF_HOURS.day_of(minutes // HALF_HOURS.minutes), minutes // MINUTES_PER_HOUR % 24
    return day.weekday() == 6 and 1 <= hour <= LAST_CHANGE_HOUR


def _clock(minutes: int) -> str:
    day = HALF_HOURS.day_of(0) + timedelta(minutes=minutes)
    return f"{day} {minutes // MINUTES_PER_HOUR % 24:02d}:{minutes % MINUTES_PER_HOUR:02d}"
