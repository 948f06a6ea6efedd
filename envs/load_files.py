"""Loads of homes and sites from half-hour and hourly files, each in the form its source gives.

| reader | file | columns |
|---|---|---|
| `read_loads` | `start,NAME,...`, the form of this project; half hours or hours | one party each [kWh per row] |
| `read_site` | `date,slot,load_kwh,pv_kwh`, date mm-dd (a high-voltage customer in Tokachi) | load, solar [kWh] |
| `read_home` | `,GC,GG` with the time first (Ausgrid solar homes, one customer) | load, solar [kW] |
| `read_building` | CityLearn `Building_N.csv` (MIT), month and hour ending 1..24 | load [kWh], yield [W/kW] |

All give Wh of each half hour (`envs.half_hour_series`). Refused in one line: another header, a time that repeats or
goes back, daylight saving time, what is not a number or negative, gaps unless `fill` is set, and a size that cannot be
of the unit. A file in kW for kWh per half hour is only double, which no size can show: the header has to say it.
"""

import io
import lzma
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from envs.half_hour_series import (
    LOAD_KW,
    LOAD_KWH,
    MINUTES_PER_HOUR,
    MISSING,
    NO_DAYLIGHT_SAVING,
    PV_KW,
    PV_KWH,
    YIELD_W,
    Quantity,
    Series,
    make_series,
    read_start,
    settle_gaps,
)
from envs.published_year import HOURS_PER_DAY, read_columns, read_rows
from market.errors import DataError
from market.slots import HALF_HOURS
from market.units import WH_PER_KWH

START = "start"
SITE_COLUMNS = ("date", "slot", "load_kwh", "pv_kwh")
HOME_COLUMNS = ("", "GC", "GG")
BUILDING_COLUMNS = ("month", "hour", "non_shiftable_load", "solar_generation")
SLOTS_PER_HOUR = HALF_HOURS.gate


@dataclass(frozen=True)
class Size:
    """What power a customer of a kind can have: bounds of the mean, and the most in one half hour [kW]."""

    what: str
    least_mean_kw: float
    most_mean_kw: float
    most_kw: float


HOME = Size("a home", 0.02, 10.0, 50.0)
"""A home has a low-voltage contract, below 50 kW (Electricity Business Act rules, 低圧); the means are assumptions."""
SITE = Size("a store, mall or office", 0.3, 1_000.0, 2_000.0)
"""A site has at most a high-voltage contract, below 2,000 kW (高圧); the means are assumptions."""
CUSTOMER = Size("a customer", HOME.least_mean_kw, SITE.most_mean_kw, SITE.most_kw)


def read_loads(path: Path, sizes: Mapping[str, Size] | None = None, *, fill: bool = False) -> Series:
    """Loads of parties from a file `start,NAME,...` [Wh]; a party without an entry in `sizes` is any customer."""
    series = settle_gaps(read_table(path, LOAD_KWH), fill)
    for name in series.names:
        check_size(series, name, (sizes or {}).get(name, CUSTOMER))
    return series


def read_table(path: Path, kind: Quantity) -> Series:
    """A file `start,NAME,...` whose columns all hold one quantity, gaps as they are; raises DataError."""
    rows = read_rows(path)
    _, header = next(rows)
    names = [cell.strip() for cell in header[1:]]
    if [cell.strip() for cell in header[:1]] != [START] or not names or "" in names:
        seen = ",".join(header)[:80]
        raise DataError(f"the header is {seen!r}", where=f"{path}: line 1", do="write start,NAME,NAME,...")
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"column {name!r} stands more than once", where=f"{path}: line 1", do="name each once")
    stamped = ((line, read_start(row[0], f"{path}: line {line}: {START}"), row[1:]) for line, row in rows)
    return make_series(path, stamped, dict.fromkeys(names, kind))


def read_site(path: Path, year: int, *, fill: bool = False) -> Series:
    """Load and solar energy of a site [Wh], its days taken as those of `year`, which has no 29 February."""

    def stamped() -> Iterator[tuple[int, int, Sequence[str]]]:
        for line, (day, slot, *cells) in read_columns(path, SITE_COLUMNS):
            yield line, _slot_start(f"{year}-{day}", slot, f"{path}: line {line}"), cells

    series = make_series(path, stamped(), {"load": LOAD_KWH, "solar": PV_KWH}, numbered=True)
    return _checked(settle_gaps(series, fill), SITE)


def read_home(path: Path, *, fill: bool = False) -> Series:
    """Load and solar energy of an Ausgrid home [Wh] at its own dates; its summer is January."""
    rows = read_columns(path, HOME_COLUMNS)
    stamped = ((line, read_start(time, f"{path}: line {line}: time"), cells) for line, (time, *cells) in rows)
    series = make_series(path, stamped, {"load": LOAD_KW, "solar": PV_KW})
    return _checked(settle_gaps(series, fill), HOME)


def read_building(path: Path, year: int, building: str = "", *, fill: bool = False, size: Size = CUSTOMER) -> Series:
    """Load of a CityLearn building [Wh] and yield of its PV [Wh/kW], its days taken as those from its month in `year`.

    `path` is the CSV, or the packed folder (`.tar.xz`) with the name of the `building` in it. The file's column
    `daylight_savings_status` is not read: every day has its 24 hours.
    """
    packed = path.name.endswith(".tar.xz")
    lines = _member(path, building) if packed else read_columns(path, BUILDING_COLUMNS)
    place = path / f"{building}.csv" if packed else path
    series = make_series(place, _hours_in_order(place, list(lines), year), {"load": LOAD_KWH, "solar": YIELD_W})
    return _checked(settle_gaps(series, fill), size)


def check_size(series: Series, name: str, size: Size) -> None:
    """Refuse a column of energy [Wh] whose mean or highest power no such customer has; raises DataError."""
    known = series.column(name)
    known = known[known != MISSING]
    where = f"{series.path}: {name}"
    if not known.any():
        do = "leave out a party without readings, and give kWh of each row, not MWh"
        raise DataError("the load is zero throughout", where=where, do=do)
    per_kw = SLOTS_PER_HOUR / WH_PER_KWH
    mean, top = float(known.mean()) * per_kw, float(known.max()) * per_kw
    year = mean * HOURS_PER_DAY * 365
    plausible = f"{size.what} uses {size.least_mean_kw:g} to {size.most_mean_kw:,g} kW on average"
    if mean > size.most_mean_kw or top > size.most_kw:
        what = f"a mean of {_kw(mean)} ({year:,.0f} kWh a year) and a top of {_kw(top)}; {plausible}"
        raise DataError(what, where=where, do="give kWh of each row, not Wh, W or kVA")
    if mean < size.least_mean_kw:
        what = f"a mean of {_kw(mean)} ({year:,.0f} kWh a year); {plausible}"
        raise DataError(what, where=where, do="give kWh of each row, not MWh or MW")


def _kw(power: float) -> str:
    return f"{power:,.0f} kW" if power >= 10 else f"{power:.3g} kW"


def _checked(series: Series, size: Size) -> Series:
    check_size(series, "load", size)
    return series


def _slot_start(day: str, slot: str, where: str) -> int:
    """Start of a numbered slot of a day [minutes from 2000-01-01 00:00]."""
    try:
        first = HALF_HOURS.first_of(date.fromisoformat(day))
    except ValueError as error:
        raise DataError(f"{day!r} is no day of the calendar", where=f"{where}: date", do="give mm-dd") from error
    if not re.fullmatch(r"[1-9]\d?", slot):
        raise DataError(f"{slot[:20]!r} is not a slot", where=f"{where}: slot", do="slots of a day are 1 to 48")
    number = int(slot)
    if number in (HALF_HOURS.per_day + 1, HALF_HOURS.per_day + SLOTS_PER_HOUR):
        what = f"{day} has {HALF_HOURS.per_day + SLOTS_PER_HOUR} half hours, a day of daylight saving time"
        raise DataError(what, where=f"{where}: slot", do=NO_DAYLIGHT_SAVING)
    if number > HALF_HOURS.per_day:
        raise DataError(f"there is no slot {number}", where=f"{where}: slot", do="slots of a day are 1 to 48")
    return (first + number - 1) * HALF_HOURS.minutes


def _hours_in_order(
    path: Path, rows: list[tuple[int, list[str]]], year: int
) -> Iterator[tuple[int, int, Sequence[str]]]:
    """Rows with their start; the calendar begins at the month of the first row, in `year`."""
    begin = _first_hour(path, rows, year)
    for offset, (line, (month, hour, *cells)) in enumerate(rows):
        moment = begin + offset
        day = HALF_HOURS.day_of(moment * SLOTS_PER_HOUR)
        due = (str(day.month), str(moment % HOURS_PER_DAY + 1))
        if (month, hour) != due:
            raise _hour_fault(path, line, (month, hour), due, rows[offset - 1][1] if offset else None)
        yield line, moment * MINUTES_PER_HOUR, cells


def _first_hour(path: Path, rows: list[tuple[int, list[str]]], year: int) -> int:
    """Hours from 2000-01-01 00:00 to the first row: so many as stand before the first change of month."""
    months = [row[0] for _, row in rows]
    change = next((at for at, month in enumerate(months) if month != months[0]), 0)
    if not change or not re.fullmatch(r"[1-9]|1[0-2]", months[0]) or not 2000 < year < 2100:
        raise DataError("the months do not change", where=str(path), do="give whole months, month 1 to 12")
    following = date(year, int(months[0]), 1) + timedelta(days=31)
    return HALF_HOURS.first_of(following.replace(day=1)) // SLOTS_PER_HOUR - change


def _hour_fault(
    path: Path, line: int, found: tuple[str, str], due: tuple[str, str], above: list[str] | None
) -> DataError:
    where = f"{path}: line {line}"
    said = f"month {found[0]} hour {found[1]}"
    if above and tuple(above[:2]) == found:
        return DataError(f"{said} stands twice", where=where, do="give every hour once and in order")
    if due[1] == str(HOURS_PER_DAY) and found[1] == "1":
        return DataError(f"{said} after 23 hours: daylight saving time", where=where, do=NO_DAYLIGHT_SAVING)
    if found[1] == str(HOURS_PER_DAY + 1):
        return DataError(f"{said}: a day of 25 hours, daylight saving time", where=where, do=NO_DAYLIGHT_SAVING)
    do = "give every hour once and in order, and a year without 29 February"
    return DataError(f"month {due[0]} hour {due[1]} is missing, found {said}", where=where, do=do)


def _member(path: Path, building: str) -> Iterator[tuple[int, list[str]]]:
    """Line and wanted cells of a building's file in a packed folder."""
    try:
        with tarfile.open(path, "r:xz") as archive:
            names = [name for name in archive.getnames() if Path(name).name == f"{building}.csv"]
            stream = archive.extractfile(names[0]) if names else None
            text = io.TextIOWrapper(stream, "utf-8-sig").read() if stream else None
    except (OSError, EOFError, lzma.LZMAError, tarfile.TarError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path), do="fetch the file again") from error
    if text is None:
        raise DataError(f"no file {building}.csv in it", where=str(path), do="name a building, as Building_1")
    header, *lines = (line.split(",") for line in text.splitlines())
    lacking = [name for name in BUILDING_COLUMNS if name not in header]
    if lacking:
        raise DataError(
            f"column {lacking[0]!r} is missing", where=f"{path}: {building}.csv", do="use the published file"
        )
    picks = [header.index(name) for name in BUILDING_COLUMNS]
    for number, row in enumerate(lines, 2):
        if len(row) != len(header):
            what = f"{len(row)} cells under a header of {len(header)}"
            raise DataError(what, where=f"{path}: {building}.csv: line {number}", do="mend the line")
        yield number, [row[pick] for pick in picks]
