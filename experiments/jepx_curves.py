"""Published JEPX bid curves from their files: the official CSV, or the same numbers in a Parquet table.

- CSV, UTF-8 or CP932, one row a step: 電力受渡日 (date), 商品コード (slot 1..48), 入札価格 [JPY/kWh], 売入札量累積 and
  買入札量累積 (cumulated sales and purchases, MW), 分断エリア連番 (number of the group of areas; blank = the national
  curve behind the system price).
- Parquet: `date` (yyyymmdd), `slot`, `group` (-1 = national), `price_sen` (0.01 JPY/kWh), `sell_100kw`, `buy_100kw`
  (0.1 MW).

Everything is read as whole numbers: 0.01 JPY/kWh is 10 mJPY/kWh, 0.1 MW over a half hour is 50,000 Wh.
"""

import csv
import io
import lzma
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from market.curves import Curves, clear_curves, find_fault
from market.design import find_design
from market.errors import DataError
from market.exchange import NO_PRICE
from market.slots import HALF_HOURS
from market.units import Int

CSV_COLUMNS = ("電力受渡日", "商品コード", "入札価格", "売入札量累積", "買入札量累積", "分断エリア連番")
TABLE_COLUMNS = ("date", "slot", "price_sen", "sell_100kw", "buy_100kw", "group")
MJPY_PER_SEN, WH_PER_100KW = 10, 50_000
NATIONAL = -1
MOST_WHOLE = 10**9
"""Larger numbers than any price or energy in a file; what is beyond is refused as too large."""
MOST_GROUPS = 1_000
OUT_HEADER = ("date", "slot", "group", "price_jpy_kwh")

_NUMBER = re.compile(r"(-?)(\d{1,9})(?:\.(\d*?)0*)?")
_DAY = re.compile(r"(\d{4})[-/]?(\d{1,2})[-/]?(\d{1,2})")


@dataclass(frozen=True)
class CurveFile:
    """Curves of a file with the date (yyyymmdd), slot of the day (1..48) and group (-1 = national) of each."""

    date: Int
    slot: Int
    group: Int
    curves: Curves

    @property
    def count(self) -> int:
        """Number of curves."""
        return len(self.date)


def read_curves(path: Path) -> CurveFile:
    """All curves of a file, sorted by date, slot and group; raises DataError naming file and row."""
    table, where = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    day, slot, price, sell, buy, group = table
    _check_keys(day, slot, group, where)
    key = (day * (HALF_HOURS.per_day + 1) + slot) * MOST_GROUPS + group
    rows = np.argsort(key, kind="stable") if (key[1:] < key[:-1]).any() else np.arange(len(key))
    key = key[rows]
    begins = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    curves = Curves(
        np.append(begins, len(key)), price[rows] * MJPY_PER_SEN, sell[rows] * WH_PER_100KW, buy[rows] * WH_PER_100KW
    )
    fault = find_fault(curves)
    if fault:
        raise DataError(fault.what, where=where(int(rows[fault.row])), do=fault.do)
    heads = rows[begins]
    return CurveFile(day[heads], slot[heads], group[heads], curves)


def curve_prices(file: CurveFile) -> tuple[Int, Int]:
    """Price and volume of each curve by the rule of the day-ahead auction, (curves,) [mJPY/kWh, Wh]."""
    return clear_curves(file.curves, find_design("spot").band_mjpy_kwh[0])


def prices_csv(file: CurveFile) -> str:
    """`date,slot,group,price_jpy_kwh` of every curve; group is empty for the system price, price without trade."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(OUT_HEADER)
    price, _ = curve_prices(file)
    for day, slot, group, found in zip(
        file.date.tolist(), file.slot.tolist(), file.group.tolist(), price.tolist(), strict=True
    ):
        writer.writerow((iso_day(day), slot, "" if group == NATIONAL else group, _yen(found)))
    return out.getvalue()


def iso_day(number: int) -> str:
    """yyyymmdd as yyyy-mm-dd."""
    return f"{number // 10_000:04d}-{number // 100 % 100:02d}-{number % 100:02d}"


def _yen(price: int) -> str:
    if price == NO_PRICE:
        return ""
    return f"{price // 1_000}.{price % 1_000 // 10:02d}"


def _read_parquet(path: Path) -> tuple[Int, Callable[[int], str]]:
    from pandas import read_parquet

    try:
        frame: Any = read_parquet(path)
    except FileNotFoundError as error:
        raise DataError("no such file", where=str(path), do="check the path") from error
    except ImportError as error:
        raise DataError(
            "Parquet needs the library pyarrow", where=str(path), do="pip install pyarrow, or give the CSV"
        ) from error
    except (OSError, ValueError) as error:
        raise DataError("not a Parquet file", where=str(path), do="give the file as published") from error
    _check_header(path, TABLE_COLUMNS, tuple(str(name) for name in frame.columns))
    if not len(frame):
        raise DataError("no rows", where=str(path), do="give a file with curves")
    table = np.empty((len(TABLE_COLUMNS), len(frame)), np.int64)
    for place, name in enumerate(TABLE_COLUMNS):
        if frame[name].dtype.kind not in "iu":
            raise DataError(f"{name} is not a column of whole numbers", where=str(path), do="see its documented layout")
        table[place] = frame[name].to_numpy()

    def where(row: int) -> str:
        return f"{path}: row {row}"

    huge = (np.abs(table[2:5]) > MOST_WHOLE).any(0)
    if huge.any():
        raise DataError("a number is too large", where=where(int(huge.argmax())), do="see the documented layout")
    return table, where


def _read_csv(path: Path) -> tuple[Int, Callable[[int], str]]:
    rows = csv.reader(io.StringIO(read_text(path)))
    try:
        names = tuple(cell.strip() for cell in next(rows, []))
        if not names:
            raise DataError("the file is empty", where=str(path), do="give a file with curves")
        _check_header(path, CSV_COLUMNS, names)
        places = [names.index(name) for name in CSV_COLUMNS]
        lines, table = _read_rows(path, rows, places, len(names))
    except csv.Error as error:
        raise DataError(f"not a CSV file: {error}", where=str(path), do="give the file as published") from error
    if not lines:
        raise DataError("no rows", where=str(path), do="give a file with curves")

    def where(row: int) -> str:
        return f"{path}: line {lines[row]}"

    return np.array(table, np.int64).T, where


def _read_rows(path: Path, rows: Any, places: list[int], width: int) -> tuple[list[int], list[list[int]]]:
    """Line number and whole numbers of each row, in the order of the columns; a cell is worked out once."""
    readers: tuple[Callable[[str], int], ...] = (_day, _count, _hundredths, _tenths, _tenths, _group)
    known: list[dict[str, int]] = [{} for _ in readers]
    lines: list[int] = []
    table: list[list[int]] = []
    for row in rows:
        if not row:
            continue
        if len(row) != width:
            raise DataError(
                f"{len(row)} cells instead of {width}", where=f"{path}: line {rows.line_num}", do="mend the row"
            )
        numbers = []
        for place, seen, reader, name in zip(places, known, readers, CSV_COLUMNS, strict=True):
            cell = row[place]
            if cell not in seen:
                try:
                    seen[cell] = reader(cell.strip())
                except ValueError as error:
                    raise DataError(str(error), where=f"{path}: line {rows.line_num}: {name}", do="mend it") from error
            numbers.append(seen[cell])
        lines.append(rows.line_num)
        table.append(numbers)
    return lines, table


def read_text(path: Path) -> str:
    """Text of a published file, UTF-8 or CP932, plain or packed as `.xz`; raises DataError."""
    try:
        data = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the file: {error.strerror}", where=str(path), do="check the path") from error
    except lzma.LZMAError as error:
        raise DataError("not a packed file", where=str(path), do="give the file as published") from error
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError("neither UTF-8 nor CP932 text", where=str(path), do="give the CSV or the Parquet table")


def _check_header(path: Path, expected: tuple[str, ...], found: tuple[str, ...]) -> None:
    missing = [name for name in expected if name not in found]
    if missing:
        raise DataError(
            f"the header lacks {', '.join(missing)}",
            where=f"{path}: line 1",
            do=f"columns of a curve file: {', '.join(expected)}",
        )


def _check_keys(day: Int, slot: Int, group: Int, where: Callable[[int], str]) -> None:
    days = {number: _is_day(number) for number in np.unique(day).tolist()}
    for bad, what, do in (
        (~np.array([days[number] for number in day.tolist()]), "no such date", "dates are yyyymmdd or yyyy/mm/dd"),
        ((slot < 1) | (slot > HALF_HOURS.per_day), "no such slot", "slots of a day are 1 to 48"),
        ((group < NATIONAL) | (group >= MOST_GROUPS - 1), "no such group", "groups count from 0, national is blank"),
    ):
        if bad.any():
            raise DataError(what, where=where(int(bad.argmax())), do=do)


def _is_day(number: int) -> bool:
    try:
        date(number // 10_000, number // 100 % 100, number % 100)
    except ValueError:
        return False
    return True


def _day(cell: str) -> int:
    found = _DAY.fullmatch(cell)
    if not found:
        raise ValueError(f"{cell[:20]!r} is not a date")
    year, month, day = (int(part) for part in found.groups())
    return year * 10_000 + month * 100 + day


def _count(cell: str) -> int:
    return _whole(cell, 0, "a whole number")


def _group(cell: str) -> int:
    return NATIONAL if cell == "" else _whole(cell, 0, "blank or a whole number")


def _hundredths(cell: str) -> int:
    return _whole(cell, 2, "a price in steps of 0.01")


def _tenths(cell: str) -> int:
    return _whole(cell, 1, "a power in steps of 0.1 MW")


def _whole(cell: str, digits: int, what: str) -> int:
    """A decimal as a whole number of its last digit, exactly."""
    found = _NUMBER.fullmatch(cell)
    if not found or len(found[3] or "") > digits:
        raise ValueError(f"{cell[:20]!r} is not {what}")
    sign, whole, rest = found.groups()
    number = int(whole + (rest or "").ljust(digits, "0"))
    if number > MOST_WHOLE:
        raise ValueError(f"{cell[:20]!r} is too large")
    return -number if sign else number
