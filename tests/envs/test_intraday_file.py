"""Intraday results: read as whole numbers, refused by line, and the real file where it is."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from envs.intraday_file import read_intraday
from market.errors import DataError
from market.exchange import NO_PRICE

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
DAY = date(2018, 4, 1)
HEADER = "date,slot,open,high,low,close,avg,contract_kwh,n_contracts"


def lines() -> list[str]:
    """A day with a trade in every half hour but the second."""
    rows = [f"2018-04-01,{slot},7.5,8.25,7,7.25,7.6,350.0,3" for slot in range(1, 49)]
    rows[1] = "2018-04-01,2,,,,,,,0"
    return [HEADER, *rows, "2018-04-02,1,1,1,1,1,1,50,1"]


def write(folder: Path, rows: list[str]) -> Path:
    """A data folder with this file."""
    (folder / "jepx_spot").mkdir(exist_ok=True)
    (folder / "jepx_spot" / "intraday_2018.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def test_results_are_whole_numbers_and_no_trade_is_no_price(tmp_path: Path) -> None:
    """8.25 JPY/kWh is 8,250 mJPY/kWh; other days are left out."""
    found = read_intraday(write(tmp_path, lines()), DAY, DAY)
    assert found.price[0].tolist() == [7_500, 8_250, 7_000, 7_250, 7_600]
    assert found.price[1].tolist() == [NO_PRICE] * 5
    assert (found.energy_wh[0], found.energy_wh[1]) == (350_000, 0)
    assert found.trades.tolist() == [3, 0, *[3] * 46]
    assert found.filled == 0


Edit = Callable[[list[str]], object]


def put(number: int, line: str) -> Edit:
    """An edit that puts another line in place of one."""
    return lambda rows: rows.__setitem__(number, line)


@pytest.mark.parametrize(
    ("edit", "parts"),
    [
        (put(0, HEADER.replace("avg", "mean")), ("line 1", "'avg' is missing")),
        (put(9, "2018-04-01,9,7,8,7,7,7.5,350,x"), ("line 10: n_contracts", "'x'")),
        (put(9, "2018-04-01,9,7,8,7,7,nan,350,1"), ("line 10: avg", "'nan'")),
        (put(9, "2018-04-01,9,,8,7,7,7.5,350,1"), ("line 10: open", "''")),
        (put(9, "2018-04-01,9,-7,8,7,7,7.5,350,1"), ("line 10: open", "negative price")),
        (put(9, "2018-04-01,9,700,800,700,700,1750,350,1"), ("line 10: avg", "out of range")),
        (put(9, "2018-04-01,9,9,8,7,7,7.5,350,1"), ("line 10", "outside low and high")),
        (put(9, "2018-04-01,9,7,8,7,7,7.5,350,0"), ("line 10", "without a trade")),
        (put(9, "2018-04-01,9,7,8,7,7,7.5,-350,1"), ("line 10: contract_kwh", "negative energy")),
        (put(9, "2018-04-01,9,7,8,7,7,7.5,0.35,1"), ("line 10: contract_kwh", "not whole kWh")),
        (put(9, "2018-04-01,9,7,8,7,7,7.5,351,1"), ("line 10: contract_kwh", "lots of 50 kWh", "not MWh")),
        (put(9, "2018-04-01,9,7,8,7,7,7.5,350000000,1"), ("line 10: contract_kwh", "not possible", "not Wh")),
        (put(9, "2018-04-01,8,7,8,7,7,7.5,350,1"), ("line 10", "slot 8 stands twice")),
        (put(9, "2018-04-01,3,7,8,7,7,7.5,350,1"), ("line 10", "slot 3 comes too late")),
        (put(48, "2018-04-01,49,7,8,7,7,7.5,350,1"), ("50 half hours, a day of daylight saving time", "Japan")),
        (lambda rows: rows.__delitem__(slice(47, 49)), ("46 half hours, a day of daylight saving time", "Japan")),
        (put(9, "2018-04-01,77,7,8,7,7,7.5,350,1"), ("there is no 2018-04-01 slot 77",)),
        (lambda rows: rows.__delitem__(slice(9, 12)), ("3 half-hour values are missing", "2018-04-01 04:00")),
    ],
)
def test_a_wrong_file_is_refused_by_line(tmp_path: Path, edit: Edit, parts: tuple[str, ...]) -> None:
    """One line: file, line, column, what, what to do."""
    rows = lines()
    edit(rows)
    with pytest.raises(DataError) as caught:
        read_intraday(write(tmp_path, rows), DAY, DAY)
    text = str(caught.value)
    assert "intraday_2018.csv" in text
    assert "\n" not in text
    for part in parts:
        assert part in text


def test_missing_half_hours_are_filled_only_when_asked(tmp_path: Path) -> None:
    """They count as without a trade, and are counted."""
    rows = lines()
    del rows[9:12]
    found = read_intraday(write(tmp_path, rows), DAY, DAY, fill=True)
    assert found.filled == 3
    assert found.trades[8:11].tolist() == [0, 0, 0]


@pytest.mark.skipif(not (REAL_DATA / "jepx_spot").is_dir(), reason=f"JEPX files are not at {REAL_DATA}")
def test_a_published_year_is_whole() -> None:
    """Fiscal year 2018: every half hour traded, 1,747 GWh, prices inside their bounds."""
    found = read_intraday(REAL_DATA, DAY, date(2019, 3, 31))
    assert found.trades.all()
    assert found.energy_wh.sum() // 10**9 == 1_747
    assert found.price.min() > 0
