"""Load files: every rule of refusal in one line, gaps filled only when asked, and the real files where they are."""

import lzma
import tarfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.half_hour_series import MISSING, SHORT_GAP, Series, fill_gaps, tell_gaps
from envs.load_files import HOME, SITE, read_building, read_home, read_loads, read_site
from market.errors import DataError
from market.slots import HALF_HOURS

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
DAYS = 14
FIRST = date(2018, 3, 23)  # a Friday: two Sundays follow, on which clocks change elsewhere

Edit = Callable[[list[str]], object]


def half_hours(days: int = DAYS) -> list[str]:
    """A well-formed file of this project with two parties, line n of the file in place n - 1."""
    rows = [
        f"{FIRST + timedelta(days=slot // 48)}T{slot % 48 // 2:02d}:{slot % 2 * 30:02d},0.2{slot % 10},9.5"
        for slot in range(48 * days)
    ]
    return ["start,home-1,store-1", *rows]


def hours() -> list[str]:
    """The same in hours."""
    return [line for line in half_hours() if ":30," not in line]


def wrote(path: Path, lines: list[str]) -> Path:
    """A file of these lines."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def refusal(read: Callable[[], object]) -> str:
    """The one line with which something is refused."""
    with pytest.raises(DataError) as caught:
        read()
    line = str(caught.value)
    assert "\n" not in line
    return line


def at(day: date, clock: str) -> int:
    """Line of the half-hour file at which a time stands, counted from 0."""
    hour, minute = clock.split(":")
    return 1 + 48 * (day - FIRST).days + 2 * int(hour) + int(minute) // 30


SUNDAY = date(2018, 3, 25)


def test_energies_are_whole_watt_hours(tmp_path: Path) -> None:
    """0.205 kWh is 205 Wh; half a Wh goes to the even side."""
    lines = half_hours()
    lines[1], lines[2] = "2018-03-23T00:00,0.205,9.5", "2018-03-23 00:30:00+09:00,0.0025,2e1"
    series = read_loads(wrote(tmp_path / "loads.csv", lines))
    assert series.names == ("home-1", "store-1")
    assert HALF_HOURS.label(series.first_slot) == "2018-03-23 00:00"
    assert series.values[:2].tolist() == [[205, 9_500], [2, 20_000]]
    assert series.values.shape == (48 * DAYS, 2)


def test_hours_are_split_so_that_nothing_is_lost(tmp_path: Path) -> None:
    """An hour of 0.205 kWh is 102 and 103 Wh."""
    lines = hours()
    lines[1] = "2018-03-23T00:00,0.205,9.5"
    series = read_loads(wrote(tmp_path / "loads.csv", lines))
    assert series.values[:2, 0].tolist() == [102, 103]
    assert len(series.values) == 48 * DAYS


def test_a_packed_file_reads_like_a_plain_one(tmp_path: Path) -> None:
    """The suffix .xz decides."""
    plain = wrote(tmp_path / "loads.csv", half_hours())
    packed = tmp_path / "loads.csv.xz"
    packed.write_bytes(lzma.compress(plain.read_bytes()))
    assert np.array_equal(read_loads(packed).values, read_loads(plain).values)


def put(number: int, line: str) -> Edit:
    """An edit that puts another line in place of one."""
    return lambda lines: lines.__setitem__(number, line)


def cut(first: int, count: int) -> Edit:
    """An edit that takes lines out."""
    return lambda lines: lines.__delitem__(slice(first, first + count))


def double(first: int, count: int) -> Edit:
    """An edit that writes lines twice, the second time after the first."""
    return lambda lines: lines.__setitem__(slice(first, first), lines[first : first + count])


@pytest.mark.parametrize(
    ("edit", "parts"),
    [
        (put(0, "time,home-1,store-1"), ("line 1", "start,NAME")),
        (put(0, "start,home-1,home-1"), ("line 1", "'home-1' stands more than once")),
        (put(0, "start,home-1,"), ("line 1", "start,NAME")),
        (put(5, "2018-03-23T02:00,0.2"), ("line 6", "2 cells under a header of 3")),
        (put(5, "23.03.2018 02:00,0.2,9"), ("line 6: start", "is not a time", "2018-04-01T00:30")),
        (put(5, "2018-02-30T02:00,0.2,9"), ("line 6: start", "no day of the calendar")),
        (put(5, "2018-03-23T02:00Z,0.2,9"), ("line 6: start", "not Japanese time", "+09:00")),
        (put(5, "2018-03-23T02:10,0.2,9"), ("line 6: start", "40 minutes after the row above")),
        (put(5, "2018-03-23T01:30,0.2,9"), ("line 6: start", "2018-03-23 01:30 stands twice")),
        (put(5, "2018-03-20T01:30,0.2,9"), ("line 6: start", "2018-03-20 01:30 comes after 2018-03-23 01:30")),
        (put(5, "2018-03-23T02:00,n/a,9"), ("line 6: home-1", "'n/a' is not a number", "empty")),
        (put(5, "2018-03-23T02:00,nan,9"), ("line 6: home-1", "'nan' is not a number")),
        (put(5, "2018-03-23T02:00,0.2,inf"), ("line 6: store-1", "'inf' is not a number")),
        (put(5, "2018-03-23T02:00,-0.2,9"), ("line 6: home-1", "negative load -0.2")),
        (put(5, "2018-03-23T02:00,2e6,9"), ("line 6: home-1", "not possible", "kWh per slot, not W")),
        (put(5, "2018-03-23T02:00,,9"), ("1 half-hour value is missing in 1 gap", "1 from 2018-03-23 02:00 in home-1")),
        (cut(5, 3), ("6 half-hour values are missing in 2 gaps", "3 from 2018-03-23 02:00 in home-1")),
        (lambda lines: lines.__delitem__(slice(2, None)), ("fewer than two rows",)),
        (lambda lines: lines.clear(), ("line 1",)),
        (cut(at(SUNDAY, "02:00"), 2), ("the hour from 2018-03-25 02:00 is left out", "daylight saving time", "Japan")),
        (cut(at(SUNDAY, "01:00"), 2), ("the hour from 2018-03-25 01:00 is left out", "daylight saving time")),
        (double(at(SUNDAY, "02:00"), 2), ("the hour from 2018-03-25 02:00 stands twice", "25 hours", "Japan")),
    ],
)
def test_a_wrong_file_is_refused_by_line(tmp_path: Path, edit: Edit, parts: tuple[str, ...]) -> None:
    """One line: file, line, column, what is wrong, what to do."""
    lines = half_hours()
    edit(lines)
    line = refusal(lambda: read_loads(wrote(tmp_path / "loads.csv", lines)))
    assert "loads.csv" in line
    for part in parts:
        assert part in line


def test_other_steps_are_named(tmp_path: Path) -> None:
    """Quarter hours and days are not taken for half hours."""
    quarters = [f"2018-03-23T{n // 4:02d}:{n % 4 * 15:02d},0.1" for n in range(96)]
    line = refusal(lambda: read_loads(wrote(tmp_path / "loads.csv", ["start,home-1", *quarters])))
    assert "15 minutes apart" in line
    shifted = [line.replace(":00,", ":10,").replace(":30,", ":40,") for line in half_hours()]
    assert "does not begin a half hour" in refusal(lambda: read_loads(wrote(tmp_path / "loads.csv", shifted)))


SECOND_HOUR = 1 + 24 * (SUNDAY - FIRST).days + 2


@pytest.mark.parametrize(
    ("edit", "word"), [(cut(SECOND_HOUR, 1), "left out"), (double(SECOND_HOUR, 1), "stands twice")]
)
def test_daylight_saving_time_shows_in_hours_too(tmp_path: Path, edit: Edit, word: str) -> None:
    """Days of 23 and 25 hours."""
    lines = hours()
    edit(lines)
    line = refusal(lambda: read_loads(wrote(tmp_path / "loads.csv", lines)))
    assert f"2018-03-25 02:00 {'is ' * (word == 'left out')}{word}" in line
    assert "daylight saving time" in line


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1000, ("not Wh, W or kVA", "a home uses")),
        (0.01, ("not MWh or MW", "a home uses")),
        (0.001, ("zero", "not MWh")),
    ],
)
def test_another_unit_shows_in_the_size(tmp_path: Path, factor: float, words: tuple[str, ...]) -> None:
    """A home in Wh or in MWh: the value found and what would be plausible are named."""
    rows = [line.split(",") for line in half_hours()]
    lines = ["start,home-1", *(f"{start},{float(cell) * factor:.9f}" for start, cell, _ in rows[1:])]
    line = refusal(lambda: read_loads(wrote(tmp_path / "loads.csv", lines), {"home-1": HOME}))
    assert "home-1" in line
    for word in words:
        assert word in line


def test_a_store_in_watts_is_refused_and_one_in_kilowatt_hours_passes(tmp_path: Path) -> None:
    """19 kW is a store, 19,000 kW is none."""
    assert read_loads(wrote(tmp_path / "a.csv", half_hours()), {"store-1": SITE}).values[:, 1].max() == 9_500
    watts = [line.replace(",9.5", ",19000") for line in half_hours()]
    assert "not Wh, W or kVA" in refusal(lambda: read_loads(wrote(tmp_path / "b.csv", watts), {"store-1": SITE}))


def test_short_gaps_lie_on_a_line_and_long_ones_look_like_the_days_around(tmp_path: Path) -> None:
    """Straight up to two hours; a missing day is the mean of the day before and the day after."""
    lines = ["start,home-1"]
    for slot in range(48 * 5):
        day, part = divmod(slot, 48)
        cell = f"{0.1 * (day + 1):.1f}" if day != 2 else ""
        cell = {1: "0.100", 2: "", 3: "", 4: "0.160"}.get(slot, cell)
        lines.append(f"{FIRST + timedelta(days=day)}T{part // 2:02d}:{part % 2 * 30:02d},{cell}")
    series = read_loads(wrote(tmp_path / "loads.csv", lines), fill=True)
    assert series.values[1:5, 0].tolist() == [100, 120, 140, 160]
    assert set(series.values[96:144, 0].tolist()) == {300}
    assert series.filled == 50
    assert not series.gaps


def test_a_gap_that_no_day_around_knows_is_refused(tmp_path: Path) -> None:
    """Eight days without a value cannot be filled."""
    lines = half_hours()
    for number in range(1, 1 + 48 * 9):
        start, _, cell = lines[number].split(",")
        lines[number] = f"{start},,{cell}"
    line = refusal(lambda: read_loads(wrote(tmp_path / "loads.csv", lines), fill=True))
    assert "cannot be filled" in line
    assert "home-1" in line


@given(
    st.lists(st.integers(0, 2_000), min_size=48 * 3, max_size=48 * 3),
    st.sets(st.integers(48, 48 * 2 - 1), max_size=40),
)
def test_filling_leaves_what_is_known_and_stays_within_it(known: list[int], holes: set[int]) -> None:
    """Values that were there stay; filled ones lie between the smallest and largest known; a whole series is left."""
    values = np.array(known)[:, None]
    values[sorted(holes)] = MISSING
    series = Series(Path("x"), 0, ("home",), values)
    filled = fill_gaps(series)
    there = values != MISSING
    assert np.array_equal(filled.values[there], values[there])
    assert filled.filled == len(holes)
    assert values[there].min() <= filled.values.min() <= filled.values.max() <= values[there].max()


def test_gaps_are_told_with_the_first_and_the_longest() -> None:
    """How many, where the first, how long the longest."""
    values = np.ones((96, 1), np.int64)
    values[[3, 40, 41, 42]] = MISSING
    first = HALF_HOURS.first_of(FIRST)
    told = tell_gaps(Series(Path("x"), first, ("home",), values).gaps)
    assert told == (
        "4 half-hour values are missing in 2 gaps: the first 1 from 2018-03-23 01:30 in home, "
        "the longest 3 from 2018-03-23 20:00 in home"
    )
    assert SHORT_GAP == 4


def site_lines() -> list[str]:
    """Two weeks of a site in the form of its source."""
    return [
        "date,slot,load_kwh,pv_kwh",
        *(f"{FIRST + timedelta(days=d):%m-%d},{s},20,{int(20 < s < 30)}" for d in range(DAYS) for s in range(1, 49)),
    ]


@pytest.mark.parametrize(
    ("edit", "part"),
    [
        (put(0, "date,slot,load,pv_kwh"), "'load_kwh' is missing"),
        (put(49, "03-24,1,x,0"), "'x' is not a number"),
        (put(49, "03-24,48,1,0"), "comes after"),
        (put(48, "03-23,49,20,0"), "has 50 half hours, a day of daylight saving time"),
        (put(48, "03-23,61,20,0"), "no slot 61"),
        (put(48, "03-23,-,20,0"), "'-' is not a slot"),
        (put(48, "02-30,48,20,0"), "no day of the calendar"),
        (cut(47, 2), "has 23 hours: daylight saving time"),
        (cut(40, 3), "half-hour values are missing"),
    ],
)
def test_a_wrong_site_file_is_refused(tmp_path: Path, edit: Edit, part: str) -> None:
    """Numbered slots: days of 46 and 50 half hours are named."""
    lines = site_lines()
    edit(lines)
    assert part in refusal(lambda: read_site(wrote(tmp_path / "site.csv", lines), 2018))


def test_kilowatts_are_energy_by_the_half_hour(tmp_path: Path) -> None:
    """0.392 kW for half an hour are 196 Wh."""
    rows = [f"2011-07-0{1 + n // 48} {n % 48 // 2:02d}:{n % 2 * 30:02d}:00,0.392,0.1" for n in range(96)]
    series = read_home(wrote(tmp_path / "home.csv", [",GC,GG", *rows]))
    assert series.values[0].tolist() == [196, 50]
    assert "'GC' is missing" in refusal(lambda: read_home(wrote(tmp_path / "home.csv", [",CL,GG", *rows])))


def building_lines() -> list[str]:
    """A month and a day of a building, hour ending, from the last hour of 30 June."""
    rows = ["6,24,1,0,1.205,0"]
    rows += [f"7,{hour},1,0,1.2,{300 if hour == 12 else 0}" for _ in range(31) for hour in range(1, 25)]
    rows += [f"8,{hour},1,0,1.2,0" for hour in range(1, 25)]
    return ["month,hour,day_type,daylight_savings_status,non_shiftable_load,solar_generation", *rows]


def test_a_building_begins_where_its_months_say(tmp_path: Path) -> None:
    """The hour before 1 July; power of one kW is energy of both half hours; the archive reads like the file."""
    path = wrote(tmp_path / "Building_1.csv", building_lines())
    series = read_building(path, 2018)
    assert HALF_HOURS.label(series.first_slot) == "2018-06-30 23:00"
    assert series.values[:2, 0].tolist() == [602, 603]
    assert series.values[2 + 22 : 2 + 24, 1].tolist() == [150, 150]
    with tarfile.open(tmp_path / "all.tar.xz", "w:xz") as archive:
        archive.add(path, "all/Building_1.csv")
    packed = read_building(tmp_path / "all.tar.xz", 2018, "Building_1")
    assert np.array_equal(packed.values, series.values)
    assert "no file Building_2.csv" in refusal(lambda: read_building(tmp_path / "all.tar.xz", 2018, "Building_2"))


@pytest.mark.parametrize(
    ("edit", "part"),
    [
        (cut(25, 1), "after 23 hours: daylight saving time"),
        (put(26, "7,25,1,0,1.2,0"), "a day of 25 hours, daylight saving time"),
        (double(25, 1), "stands twice"),
        (cut(20, 1), "month 7 hour 19 is missing"),
        (put(20, "7,19,1,0,1.2,1500"), "not possible"),
    ],
)
def test_a_wrong_building_file_is_refused(tmp_path: Path, edit: Edit, part: str) -> None:
    """Hours run through the calendar."""
    lines = building_lines()
    edit(lines)
    assert part in refusal(lambda: read_building(wrote(tmp_path / "Building_1.csv", lines), 2018))


@pytest.mark.skipif(not (REAL_DATA / "tokachi_site").is_dir(), reason=f"load files are not at {REAL_DATA}")
def test_the_real_files_have_the_energy_their_sources_state() -> None:
    """813 MWh and 287.6 MWh in Tokachi; a home of 0.676 kW in Sydney; a building of 10.6 MWh in Fontana."""
    site = read_site(REAL_DATA / "tokachi_site" / "tokachi_load_pv_30min.csv", 2018)
    assert (site.values.sum(0) // 100_000).tolist() == [8_129, 2_876]
    home = read_home(REAL_DATA / "ausgrid_c12" / "customer12_2011_2012_30min.csv.xz")
    assert home.values.shape == (17_568, 2)
    assert abs(home.values[:, 0].mean() * 2 / 1_000 - 0.676) < 0.001
    archive = REAL_DATA / "citylearn" / "citylearn_challenge_2022_phase_all.tar.xz"
    building = read_building(archive, 2018, "Building_1", size=HOME)
    assert building.values.shape == (17_520, 2)
    assert 10_500_000 < building.values[:, 0].sum() < 10_700_000
