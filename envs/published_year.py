"""One fiscal year from the publishers' files: JEPX day-ahead prices and JMA hourly weather.

- `jepx_spot/spot_summary_YYYY.csv[.xz]`: one row a half hour, area prices in JPY/kWh with at most two decimals, read as
  whole mJPY/kWh without floats. Every day has 48 slots (no daylight saving time); the lowest price is 0.01.
- `jma_hourly/jma_CITY_hourly_*.csv[.xz]`: one row an hour, `hour` 1..24 = hour ending, global irradiance [MJ/m2] blank
  at night. JMA marks values: `)` nearly complete, taken as it is; `]` incomplete and `×` missing are both filled from
  the hours around them (irradiance in proportion to the clear sky, temperature straight) up to `LONGEST_GAP` hours.
"""

import csv
import lzma
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from envs.solar_yield import Float, Site, clear_sky_irradiance, sun_position, yield_wh_per_kw
from market.errors import DataError
from market.slots import HALF_HOURS
from market.units import Int

STATIONS = {
    "hokkaido": ("sapporo", Site(43.060, 141.328)),
    "tohoku": ("sendai", Site(38.262, 140.897)),
    "tokyo": ("tokyo", Site(35.692, 139.750)),
    "chubu": ("nagoya", Site(35.167, 136.965)),
}
"""The weather station read for each area, and where it stands."""
LONGEST_GAP = 6
"""Longest run of missing hours that is filled."""
HOURS_PER_DAY = 24
PARTS_OF_DAY = {"slot": HALF_HOURS.per_day, "hour": HOURS_PER_DAY}
SUNDAY, LAST_CHANGE_HOUR = 6, 3
"""Clocks change in the first hours of a Sunday where there is daylight saving time: 01:00 to 03:00."""
HIGHEST_MEDIAN_MJPY, LOWEST_TOP_MJPY = 150_000, 1_000
"""A year's prices in JPY/kWh have a median below and a highest price above these: the dearest month since 2016,
January 2021, had a mean of 63 JPY/kWh (JEPX system price), and every year has evenings above 10."""
LOWEST_TOP_MJ, HOURS_PER_YEAR = 1.5, 365 * HOURS_PER_DAY
"""The sunniest hour of a year [MJ/m2] is above this; Tokyo's of 2016 to 2025 has 3.76 (JMA)."""
ALWAYS_DAYLIGHT = range(7, 15)
"""Hours of the day, counted from 0, that see the sun at every station all year."""
WH_PER_MJ = 1e6 / 3600
MISSING = float("nan")

_PRICE = re.compile(r"(\d{1,4})(?:\.(\d{1,2}))?")
_READING = re.compile(r"(-?\d+(?:\.\d+)?)(?: ([)\]]))?")


def read_spot_prices(folder: Path, fiscal_year: int, areas: tuple[str, ...], blank: int | None = None) -> Int:
    """Day-ahead area prices of a fiscal year, (slots, areas) [mJPY/kWh]; raises DataError.

    `blank` stands in for empty cells (Hokkaido had no market for twenty days of September 2018); None refuses them.
    """
    stem = f"spot_summary_{fiscal_year}.csv"
    path = only_file(folder / "jepx_spot", stem)
    rows = read_columns(path, ("date", "slot", *areas))
    start, stop = date(fiscal_year, 4, 1), date(fiscal_year + 1, 4, 1)
    expected = calendar_parts(start, stop, HALF_HOURS.per_day)
    prices = [
        [
            blank if blank is not None and not cell else price_mjpy(cell, f"{path}: line {line}: {area}")
            for area, cell in zip(areas, cells, strict=True)
        ]
        for line, cells in in_order(path, rows, expected, "slot")
    ]
    table = np.array(prices, np.int64)
    check_price_level(table[table != blank] if blank is not None else table, path)
    return table


def check_price_level(prices: Int, path: Path) -> None:
    """Refuse prices of any shape [mJPY/kWh] that, taken together, cannot be JPY/kWh; raises DataError."""
    middle, top = int(np.median(prices)), int(prices.max())
    if middle > HIGHEST_MEDIAN_MJPY:
        what = f"half of the prices are above {middle / 1_000:,.2f} JPY/kWh, plausible is 5 to 30"
        raise DataError(what, where=str(path), do="give JPY/kWh, not hundredths of a yen or JPY/MWh")
    if top < LOWEST_TOP_MJPY:
        what = f"the highest price is {top / 1_000:,.2f} JPY/kWh, plausible is 20 to 250"
        raise DataError(what, where=str(path), do="give JPY/kWh, not thousands of yen or JPY/Wh")


def read_solar_yield(folder: Path, fiscal_year: int, area: str) -> Int:
    """Half-hour yield of one kW of PV in an area over a fiscal year, (slots,) [Wh/kW]; raises DataError."""
    if area not in STATIONS:
        raise DataError(f"no weather station is known for area {area!r}", do=f"known: {', '.join(STATIONS)}")
    city, site = STATIONS[area]
    return yield_from_weather(only_file(folder / "jma_hourly", f"jma_{city}_hourly_*.csv"), fiscal_year, site)


def yield_from_weather(path: Path, fiscal_year: int, site: Site) -> Int:
    """Half-hour yield of one kW of PV at a site over a fiscal year from a weather file, (slots,) [Wh/kW]."""
    start, stop = date(fiscal_year, 4, 1), date(fiscal_year + 1, 4, 1)
    irradiation, temperature = read_weather(path, start, stop)
    sun = sun_position(start, 2 * len(irradiation), site)
    clear = clear_sky_irradiance(sun)
    hourly_clear = clear.reshape(-1, 2).sum(1)
    irradiation = _fill_irradiation(irradiation, hourly_clear)
    return yield_wh_per_kw(sun, _split_hours(irradiation, clear), np.repeat(fill_straight(temperature), 2))


def read_weather(path: Path, start: date, stop: date) -> tuple[Float, Float]:
    """Irradiation [MJ/m2] and temperature of each hour; missing values are NaN."""
    rows = read_columns(path, ("date", "hour", "ghi_mj_m2", "temp_c"))
    first, last = start.isoformat(), (stop - timedelta(days=1)).isoformat()
    wanted = ((line, cells) for line, cells in rows if first <= cells[0] <= last)
    irradiation: list[float] = []
    temperature: list[float] = []
    for line, (sun_cell, air_cell) in in_order(path, wanted, calendar_parts(start, stop, HOURS_PER_DAY), "hour"):
        where = f"{path}: line {line}"
        if not sun_cell and len(irradiation) % HOURS_PER_DAY in ALWAYS_DAYLIGHT:
            raise DataError(
                "blank by day", where=f"{where}: ghi_mj_m2", do="blank is for night; mark a missing value ×"
            )
        irradiation.append(_reading(sun_cell or "0", f"{where}: ghi_mj_m2", 0.0, 5.0))
        temperature.append(_reading(air_cell, f"{where}: temp_c", -50.0, 60.0))
    for name, values in (("ghi_mj_m2", irradiation), ("temp_c", temperature)):
        _check_gaps(np.isnan(values), f"{path}: {name}", start)
    _check_sun(irradiation, path)
    return np.array(irradiation), np.array(temperature)


def _check_sun(irradiation: list[float], path: Path) -> None:
    """Refuse a year whose irradiation cannot be MJ/m2; a year without any sun is left alone."""
    top = float(np.nanmax(irradiation, initial=0.0))
    if len(irradiation) >= HOURS_PER_YEAR and 0 < top < LOWEST_TOP_MJ:
        what = f"the sunniest hour of {len(irradiation) // HOURS_PER_DAY} days has {top:g} MJ/m2, plausible is 3 to 4"
        raise DataError(what, where=f"{path}: ghi_mj_m2", do="give MJ/m2 of each hour, not kWh/m2")


def only_file(folder: Path, pattern: str) -> Path:
    """The one file of that name, plain or xz-compressed."""
    if not folder.is_dir():
        raise DataError("no such folder", where=str(folder), do="--data names the folder that holds it")
    found = sorted({*folder.glob(pattern), *folder.glob(f"{pattern}.xz")})
    if not found:
        raise DataError(
            f"no file {pattern} or {pattern}.xz", where=str(folder), do="add it or choose another year or area"
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DataError(f"more than one file fits: {names}", where=str(folder), do="leave one of them there")
    return found[0]


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row, the header first; every row has as many cells as the header."""
    opened = lzma.open if path.suffix == ".xz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream)
            header = next(rows, [])
            yield 1, header
            for row in rows:
                if len(row) != len(header):
                    what = f"{len(row)} cells under a header of {len(header)}"
                    raise DataError(what, where=f"{path}: line {rows.line_num}", do="mend the line")
                yield rows.line_num, row
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot be read: {error}", where=str(path), do="fetch the file again") from error


def read_columns(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Line number and the wanted cells of each row, in the order of `columns`."""
    rows = read_rows(path)
    _, header = next(rows)
    picks = _column_numbers(header, columns, path)
    for line, row in rows:
        yield line, [row[pick] for pick in picks]


def _column_numbers(header: list[str], columns: tuple[str, ...], path: Path) -> list[int]:
    for column in columns:
        if header.count(column) != 1:
            seen = ",".join(header)[:120]
            times = "is missing" if column not in header else "stands more than once"
            raise DataError(
                f"column {column!r} {times}; found {seen!r}", where=f"{path}: line 1", do="use the published header"
            )
    return [header.index(column) for column in columns]


def calendar_parts(start: date, stop: date, per_day: int) -> Iterator[tuple[str, int]]:
    """Day and part, counted from 1, of everything from `start` until before `stop`."""
    for offset in range((stop - start).days):
        day = (start + timedelta(days=offset)).isoformat()
        for part in range(1, per_day + 1):
            yield day, part


def in_order(
    path: Path, rows: Iterator[tuple[int, list[str]]], expected: Iterator[tuple[str, int]], unit: str
) -> Iterator[tuple[int, list[str]]]:
    """Rows without their date and slot, refused unless these run through the calendar without gap or repetition."""
    previous: tuple[str, str] | None = None
    for line, (day, part, *cells) in rows:
        due = next(expected, None)
        if due is None or (day, part) != (due[0], str(due[1])):
            what, do = _out_of_order(day, part, due, previous, unit)
            raise DataError(what, where=f"{path}: line {line}", do=do)
        previous = (day, part)
        yield line, cells
    due = next(expected, None)
    if due is not None:
        raise DataError(f"ends before {due[0]} {unit} {due[1]}", where=str(path), do=_ORDER_ADVICE)


_ORDER_ADVICE = "the file needs every day of the year, each part once and in order"


def _out_of_order(
    day: str, part: str, due: tuple[str, int] | None, previous: tuple[str, str] | None, unit: str
) -> tuple[str, str]:
    """What is wrong with a day and part, and what to do."""
    found = f"{day} {unit} {part}"
    if due is None:
        return f"{found} lies after the year's last day", _ORDER_ADVICE
    if (day, part) == previous:
        return f"{found} stands twice", _ORDER_ADVICE
    missing = f"{due[0]} {unit} {due[1]} is missing, found {found}"
    changed = _day_of_changed_clock(day, part, due, previous, unit)
    if changed:
        return f"{missing}: {changed}", "Japan has no daylight saving time: give every day all its parts"
    return missing, _ORDER_ADVICE


def _day_of_changed_clock(
    day: str, part: str, due: tuple[str, int], previous: tuple[str, str] | None, unit: str
) -> str:
    """Names a day that is an hour longer or shorter than the others; empty when it is something else."""
    per_day = PARTS_OF_DAY[unit]
    hour = per_day // HOURS_PER_DAY
    name = "hours" if per_day == HOURS_PER_DAY else "half hours"
    zero = part == "0" or due[1] == 0  # some publishers count the parts of a day from 0
    ends_early = due[1] == per_day - hour + 1 - zero and day > due[0] and part == str(1 - zero)
    ends_late = part == str(per_day + 1 - zero) and previous is not None and day == previous[0]
    night = day == due[0] and due[1] <= (LAST_CHANGE_HOUR + 1) * hour and _is_sunday(day)
    if ends_early or (night and part == str(due[1] + hour)):
        return f"{due[0]} has {per_day - hour} {name}, a day of daylight saving time"
    if ends_late or (night and part == str(due[1] - hour)):
        return f"{day} has {per_day + hour} {name}, a day of daylight saving time"
    return ""


def _is_sunday(day: str) -> bool:
    try:
        return date.fromisoformat(day).weekday() == SUNDAY
    except ValueError:
        return False


def price_mjpy(cell: str, where: str) -> int:
    """A published price [JPY/kWh] as whole mJPY/kWh; raises DataError."""
    match = _PRICE.fullmatch(cell)
    if match is None:
        negative = cell.startswith("-")
        what = f"negative price {cell}" if negative else f"{cell!r} is not a price with at most two decimals"
        raise DataError(what, where=where, do="JEPX prices are 0.01 to 999.99 JPY/kWh")
    whole, decimals = match.groups(default="0")
    price = int(whole) * 1_000 + int(decimals.ljust(2, "0")) * 10
    if not 0 < price < 1_000_000:
        raise DataError(f"price {cell} is out of range", where=where, do="JEPX prices are 0.01 to 999.99 JPY/kWh")
    return price


def _reading(cell: str, where: str, low: float, high: float) -> float:
    """A weather value; NaN when the agency marks it missing or incomplete."""
    if cell == "×":
        return MISSING
    match = _READING.fullmatch(cell)
    if match is None:
        raise DataError(f"{cell!r} is not a reading", where=where, do="allowed: a number, a number with ) or ], and ×")
    value = float(match[1])
    if not low <= value <= high:
        raise DataError(f"{cell} is out of range", where=where, do=f"allowed: {low:g} to {high:g}")
    return MISSING if match[2] == "]" else value


def _check_gaps(missing: np.ndarray[tuple[int], np.dtype[np.bool_]], where: str, start: date) -> None:
    run = 0
    for hour, gone in enumerate(missing):
        run = run + 1 if gone else 0
        if run > LONGEST_GAP:
            day = start + timedelta(days=hour // HOURS_PER_DAY)
            raise DataError(
                f"more than {LONGEST_GAP} hours in a row are missing on {day}",
                where=where,
                do="choose another year or fill the file",
            )


def fill_straight(values: Float) -> Float:
    """Missing values on a straight line between their neighbours."""
    missing = np.isnan(values)
    hours = np.arange(len(values))
    return np.interp(hours, hours[~missing], values[~missing])


def _fill_irradiation(irradiation: Float, clear: Float) -> Float:
    """Missing hours get the clear sky times the clearness of the daylight hours around them."""
    missing = np.isnan(irradiation)
    known = ~missing & (clear > 0)
    hours = np.arange(len(clear))
    clearness = np.interp(hours, hours[known], irradiation[known] / clear[known])
    return np.where(missing, clear * clearness, irradiation)


def _split_hours(irradiation: Float, clear: Float) -> Float:
    """Mean irradiance of half hours [W/m2] from hourly sums [MJ/m2], shared like the clear sky of the two halves."""
    halves = clear.reshape(-1, 2)
    total = halves.sum(1, keepdims=True)
    share = np.divide(halves, total, out=np.full_like(halves, 0.5), where=total > 0)
    return np.asarray(2 * WH_PER_MJ * irradiation[:, None] * share, np.float64).reshape(-1)
