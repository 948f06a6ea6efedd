"""The public year: plausible when drawn, exact when read, refused in one line when a file is wrong."""

import lzma
from collections.abc import Callable
from datetime import date, timedelta
from math import pi, sin
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from envs.load_shapes import is_free_day
from envs.public_year import EXTRA_DAYS, PublicYear, public_year
from envs.published_year import LONGEST_GAP, calendar_parts, in_order, read_solar_yield, read_spot_prices
from envs.scenario import load_scenario
from envs.synthetic_year import AREA_MODEL, draw_year
from market.errors import DataError
from market.slots import HALF_HOURS
from market.units import PPM, Int

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
YEAR_SLOTS = 365 * 48
SPOT = "jepx_spot/spot_summary_2018.csv"
WEATHER = "jma_hourly/jma_tokyo_hourly_2018_2019.csv"

needs_real_data = pytest.mark.skipif(
    not (REAL_DATA / "jepx_spot").is_dir(), reason=f"published JEPX and JMA files are not at {REAL_DATA}"
)


def correlation(series: Int, lag: int) -> float:
    """Autocorrelation of a series at a lag."""
    return float(np.corrcoef(series[:-lag], series[lag:])[0, 1])


def fiscal_days() -> list[str]:
    """The days of fiscal year 2018 as files write them."""
    return [(date(2018, 4, 1) + timedelta(days=offset)).isoformat() for offset in range(365)]


def spot_lines() -> list[str]:
    """A made-up year of prices in the published form, more columns than are read."""
    rows = [
        f"{day},{slot},900,5.00,{7 + slot / 100:.2f},{8 + slot / 50:.2f}"
        for day in fiscal_days()
        for slot in range(1, 49)
    ]
    return ["date,slot,sell_bid_kwh,system,tohoku,tokyo", *rows]


def weather_lines() -> list[str]:
    """A made-up year of weather: the same day over and over, blank at night."""
    rows = []
    for day in fiscal_days():
        for hour in range(1, 25):
            sun = f"{2.5 * sin(pi * (hour - 6) / 12):.2f}" if 7 <= hour <= 17 else ""
            rows.append(f"{day},{hour},{15 + hour / 10:.1f},{sun}")
    return ["date,hour,temp_c,ghi_mj_m2", *rows]


@pytest.fixture(scope="module")
def synthetic() -> PublicYear:
    """The synthetic year of the reference scenario."""
    return public_year(load_scenario("urawa-misono"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a well-formed made-up year."""
    write(tmp_path, SPOT, spot_lines())
    write(tmp_path, WEATHER, weather_lines())
    return tmp_path


def write(folder: Path, name: str, lines: list[str]) -> None:
    """Write a file of these lines below the folder."""
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def change(folder: Path, name: str, edit: Callable[[list[str]], object]) -> None:
    """Edit the lines of a file in place; line n of the file is lines[n - 1]."""
    lines = (folder / name).read_text(encoding="utf-8").splitlines()
    edit(lines)
    write(folder, name, lines)


def prices(folder: Path) -> Int:
    """Prices of Tokyo and Tohoku."""
    return read_spot_prices(folder, 2018, ("tokyo", "tohoku"))


def solar(folder: Path) -> Int:
    """Yield in Tokyo."""
    return read_solar_yield(folder, 2018, "tokyo")


def refusal(read: Callable[[Path], Int], folder: Path) -> str:
    """The one line with which a folder is refused."""
    with pytest.raises(DataError) as caught:
        read(folder)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_a_year_has_its_days_and_three_more(synthetic: PublicYear) -> None:
    """Windows that start on the last day do not run over; every series has the same slots."""
    assert synthetic.slots == YEAR_SLOTS + EXTRA_DAYS * 48
    assert synthetic.days == 365
    assert HALF_HOURS.label(synthetic.first_slot) == "2018-04-01 00:00"
    assert synthetic.outside_mjpy_kwh.shape == (synthetic.slots, 2)
    assert len(synthetic.household_ppm) == len(synthetic.store_ppm) == synthetic.slots
    for series in (synthetic.outside_mjpy_kwh, synthetic.solar_wh_per_kw, synthetic.household_ppm, synthetic.store_ppm):
        assert series.dtype == np.int64
        assert not series.flags.writeable


def test_a_leap_year_has_366_days() -> None:
    """Fiscal year 2019 holds 29 February 2020."""
    assert public_year(load_scenario("urawa-misono", {"fiscal_year": 2019})).days == 366


def test_the_same_seed_draws_the_same_year(synthetic: PublicYear) -> None:
    """Drawn again without the cache the content is the same; another seed gives another year."""
    draw_year.cache_clear()
    scenario = load_scenario("urawa-misono")
    assert public_year(scenario).content_digest == synthetic.content_digest
    assert public_year(scenario, seed=1).content_digest != synthetic.content_digest


def test_an_area_s_price_does_not_depend_on_the_areas_beside_it() -> None:
    """Each area has a stream of its own."""
    start, areas = date(2018, 4, 1), tuple(AREA_MODEL)
    together, _ = draw_year(start, 7, areas, "tokyo", 5)
    for row, area in enumerate(areas):
        alone, _ = draw_year(start, 7, (area,), "tokyo", 5)
        assert np.array_equal(alone[:, 0], together[:, row])


def test_the_digest_sees_every_series(synthetic: PublicYear) -> None:
    """Changing one value of one series changes the digest."""
    names = ("outside_mjpy_kwh", "solar_wh_per_kw", "household_ppm", "store_ppm")
    series = {name: getattr(synthetic, name) for name in names}
    for name in names:
        other = series[name].copy()
        other.reshape(-1)[100] += 1
        changed = PublicYear(source="", first_slot=synthetic.first_slot, **{**series, name: other})
        assert changed.content_digest != synthetic.content_digest
    moved = PublicYear(source="", first_slot=synthetic.first_slot + 48, **series)
    assert moved.content_digest != synthetic.content_digest


@pytest.mark.parametrize("seed", [2018, 0, 1])
def test_synthetic_prices_look_like_the_spot_market(seed: int) -> None:
    """Mean about FY2018, lag-1 about 0.95, lag-48 about 0.66, tick 0.01 JPY, evenings dear, weekends cheap."""
    outside, _ = draw_year(date(2018, 4, 1), 365, ("tokyo", "tohoku"), "tokyo", seed)
    tokyo, tohoku = outside.T
    assert 10_000 < tokyo.mean() < 11_000
    assert 0.96 * tokyo.mean() < tohoku.mean() < tokyo.mean()
    assert np.corrcoef(tokyo, tohoku)[0, 1] > 0.98
    assert 0.93 < correlation(tokyo, 1) < 0.97
    assert 0.58 < correlation(tokyo, 48) < 0.74
    assert tokyo.min() >= 10
    assert not (outside % 10).any()
    assert 25_000 < tokyo.max() < 100_000
    by_hour = tokyo.reshape(365, 48).mean(0)
    assert by_hour[34] > 1.25 * by_hour[24]
    free = np.array([is_free_day(date.fromisoformat(day)) for day in fiscal_days()])
    by_day = tokyo.reshape(365, 48).mean(1)
    assert 0.8 < by_day[free].mean() / by_day[~free].mean() < 0.96


def test_sunny_noons_are_cheaper(synthetic: PublicYear) -> None:
    """At noon price and yield of a day are negatively correlated within a season."""
    noon = slice(22, 27)
    price = synthetic.outside_mjpy_kwh[:YEAR_SLOTS, 0].reshape(365, 48)[:, noon].mean(1)
    sun = synthetic.solar_wh_per_kw[:YEAR_SLOTS].reshape(365, 48)[:, noon].mean(1)
    assert np.mean([np.corrcoef(price[d : d + 60], sun[d : d + 60])[0, 1] for d in range(0, 300, 60)]) < -0.1


@pytest.mark.parametrize("seed", [2018, 0, 1])
def test_synthetic_sun_gives_a_saitama_yield(seed: int) -> None:
    """Kanto's 1,100 to 1,200 kWh/kW a year within 5 %, dark nights, no more than 1 kW, good and bad days."""
    _, sun = draw_year(date(2018, 4, 1), 365, ("tokyo",), "tokyo", seed)
    days = sun.reshape(365, 48)
    assert 1_045_000 < sun.sum() < 1_260_000
    assert not days[:, :8].any()
    assert not days[:, 40:].any()
    assert 300 < sun.max() <= 500
    assert days.mean(0).argmax() in (22, 23, 24)
    assert 0.35 < days.sum(1).std() / days.sum(1).mean() < 0.6


def test_load_shapes_have_the_mean_one_over_the_year(synthetic: PublicYear) -> None:
    """Published annual energies are kept: the mean of the fiscal year is a million within rounding."""
    for shape in (synthetic.household_ppm, synthetic.store_ppm):
        assert abs(int(shape[:YEAR_SLOTS].sum()) - PPM * YEAR_SLOTS) <= YEAR_SLOTS // 2


def test_households_peak_in_the_evening_and_stores_hardly_at_all(synthetic: PublicYear) -> None:
    """Household: morning and dinner peaks, winter above spring; store: within 20 % of its mean, summer highest."""
    household = synthetic.household_ppm[:YEAR_SLOTS].reshape(365, 48)
    store = synthetic.store_ppm[:YEAR_SLOTS].reshape(365, 48)
    monday, january, july = 1, 290, 110
    assert 36 <= household[monday].argmax() <= 42
    assert household[monday, 14] > household[monday, 6]
    assert household[monday, 14] > household[monday, 20]
    assert household[january].mean() > 1.3 * household[monday].mean()
    assert 0.8 * PPM < store.min() < store.max() < 1.2 * PPM
    assert store[july].mean() > store[january].mean()


def test_a_holiday_has_the_shape_of_a_sunday(synthetic: PublicYear) -> None:
    """30 April 2018 was a Monday and a substitute holiday."""
    household = synthetic.household_ppm[:YEAR_SLOTS].reshape(365, 48)
    sunday, holiday, monday_before = 28, 29, 22
    assert np.array_equal(household[holiday], household[sunday])
    assert not np.array_equal(household[holiday], household[monday_before])


def test_prices_are_read_to_the_hundredth_of_a_yen(folder: Path) -> None:
    """8.02 JPY/kWh is 8,020 mJPY/kWh; columns follow the areas asked for, not the file."""
    read = prices(folder)
    assert read.shape == (YEAR_SLOTS, 2)
    assert read[:48, 0].tolist() == [8_000 + 20 * slot for slot in range(1, 49)]
    assert read[-1].tolist() == [8_960, 7_480]


@pytest.mark.parametrize(("cell", "price"), [("0.01", 10), ("7", 7_000), ("7.5", 7_500), ("999.99", 999_990)])
def test_prices_with_fewer_decimals_are_read(folder: Path, cell: str, price: int) -> None:
    """Publishers drop trailing zeros."""
    change(folder, SPOT, lambda lines: lines.__setitem__(1, f"2018-04-01,1,900,5,7,{cell}"))
    assert prices(folder)[0].tolist() == [price, 7_000]


def test_a_compressed_file_reads_like_a_plain_one(folder: Path) -> None:
    """The suffix .xz decides."""
    plain = prices(folder), solar(folder)
    for name in (SPOT, WEATHER):
        (folder / f"{name}.xz").write_bytes(lzma.compress((folder / name).read_bytes()))
        (folder / name).unlink()
    assert np.array_equal(prices(folder), plain[0])
    assert np.array_equal(solar(folder), plain[1])


def test_a_published_year_repeats_a_week_earlier_after_its_end(folder: Path) -> None:
    """1 to 3 April 2019 are Monday to Wednesday, like 25 to 27 March."""
    change(folder, SPOT, lambda lines: lines.__setitem__(-7 * 48, "2019-03-25,1,900,5,7,33.33"))
    year = public_year(load_scenario("urawa-misono"), folder)
    assert (year.slots, year.days) == (YEAR_SLOTS + EXTRA_DAYS * 48, 365)
    week = slice(YEAR_SLOTS - 7 * 48, YEAR_SLOTS - 4 * 48)
    assert year.outside_mjpy_kwh[YEAR_SLOTS, 0] == 33_330
    assert np.array_equal(year.outside_mjpy_kwh[YEAR_SLOTS:], year.outside_mjpy_kwh[week])
    assert np.array_equal(year.solar_wh_per_kw[YEAR_SLOTS:], year.solar_wh_per_kw[week])


def replace(number: int, line: str) -> Callable[[list[str]], object]:
    """An edit that puts another line in place of line `number` of the file."""
    return lambda lines: lines.__setitem__(number - 1, line)


def delete(number: int) -> Callable[[list[str]], object]:
    """An edit that takes line `number` of the file out."""
    return lambda lines: lines.pop(number - 1)


@pytest.mark.parametrize(
    ("edit", "parts"),
    [
        (replace(1, "date,slot,system,tohoku,Tokyo"), ("line 1", "'tokyo' is missing", "published header")),
        (replace(1, "date,slot,tokyo,system,tohoku,tokyo"), ("line 1", "'tokyo' stands more than once")),
        (delete(49), ("line 49", "2018-04-01 slot 48 is missing")),
        (delete(60), ("line 60", "2018-04-02 slot 11 is missing")),
        (replace(50, "2018-04-01,48,900,5,7,8"), ("line 50", "2018-04-01 slot 48 stands twice")),
        (replace(50, "2018-04-01,49,900,5,7,8"), ("line 50", "2018-04-02 slot 1 is missing")),
        (lambda lines: lines.append("2019-04-01,1,900,5,7,8"), ("line 17522", "after the year's last day")),
        (lambda lines: lines.pop(), ("ends before 2019-03-31 slot 48",)),
        (replace(9, "2018-04-01,8,900,5,7,abc"), ("line 9", "tokyo", "'abc'")),
        (replace(9, "2018-04-01,8,900,5,7,"), ("line 9", "tokyo", "''")),
        (replace(9, "2018-04-01,8,900,5,7,nan"), ("line 9", "tokyo", "'nan'")),
        (replace(9, "2018-04-01,8,900,5,7,8.123"), ("line 9", "two decimals")),
        (replace(9, "2018-04-01,8,900,5,7,-1.00"), ("line 9", "tokyo", "negative price -1.00")),
        (replace(9, "2018-04-01,8,900,5,0.00,8"), ("line 9", "tohoku", "0.01 to 999.99")),
        (replace(9, "2018-04-01,8,900,5,7,1000"), ("line 9", "out of range")),
        (replace(9, "2018-04-01,8,900"), ("line 9", "3 cells under a header of 6")),
        (lambda lines: lines.clear(), ("line 1", "'date' is missing")),
        (lambda lines: lines.__delitem__(slice(47, 49)), ("2018-04-01 has 46 half hours", "daylight saving", "Japan")),
        (lambda lines: lines.__delitem__(slice(5, 7)), ("2018-04-01 has 46 half hours", "daylight saving")),
        (lambda lines: lines.__setitem__(slice(7, 7), lines[5:7]), ("2018-04-01 has 50 half hours", "Japan")),
        (lambda lines: lines.insert(49, "2018-04-01,49,900,5,7,8"), ("2018-04-01 has 50 half hours", "Japan")),
        (delete(53), ("line 53", "2018-04-02 slot 4 is missing")),
    ],
)
def test_a_wrong_price_file_is_refused_by_line(
    folder: Path, edit: Callable[[list[str]], object], parts: tuple[str, ...]
) -> None:
    """One line: file, line, what is wrong."""
    change(folder, SPOT, edit)
    line = refusal(prices, folder)
    assert SPOT in line
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("edit", "parts"),
    [
        (replace(1, "date,hour,temp,ghi_mj_m2"), ("line 1", "'temp_c' is missing")),
        (delete(13), ("line 13", "2018-04-01 hour 12 is missing")),
        (replace(13, "2018-04-01,11,15,1"), ("line 13", "2018-04-01 hour 11 stands twice")),
        (replace(13, "2018-04-01,12,15,sunny"), ("line 13", "ghi_mj_m2", "'sunny'")),
        (replace(13, "2018-04-01,12,,1"), ("line 13", "temp_c", "''")),
        (replace(13, "2018-04-01,12,15,-1"), ("line 13", "ghi_mj_m2", "out of range")),
        (replace(13, "2018-04-01,12,99,1"), ("line 13", "temp_c", "out of range")),
        (replace(13, "2018-04-01,12,15,"), ("line 13", "ghi_mj_m2", "blank by day")),
        (lambda lines: lines.pop(), ("ends before 2019-03-31 hour 24",)),
        (delete(25), ("2018-04-01 has 23 hours", "daylight saving", "Japan")),
        (replace(26, "2018-04-01,25,15,"), ("2018-04-01 has 25 hours", "daylight saving")),
    ],
)
def test_a_wrong_weather_file_is_refused_by_line(
    folder: Path, edit: Callable[[list[str]], object], parts: tuple[str, ...]
) -> None:
    """One line: file, line, what is wrong."""
    change(folder, WEATHER, edit)
    line = refusal(solar, folder)
    assert WEATHER in line
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([*range(23), "next"], "2018-03-25 has 23 hours"),
        ([*range(25)], "2018-03-25 has 25 hours"),
        ([0, 1, 3], "2018-03-25 has 23 hours"),
        ([0, 1, 2, 2], "stands twice"),
        ([0, 1, 4], "hour 2 is missing"),
    ],
)
def test_hours_counted_from_zero_show_a_changed_clock_too(found: list[int | str], words: str) -> None:
    """The hourly demand of the areas begins at hour 0; 25 March 2018 is a Sunday."""
    days = [("2018-03-26", "0") if hour == "next" else ("2018-03-25", str(hour)) for hour in found]
    rows = ((line, [*day, "1"]) for line, day in enumerate(days, 2))
    due = ((day, part - 1) for day, part in calendar_parts(date(2018, 3, 25), date(2018, 3, 27), 24))
    with pytest.raises(DataError, match=words):
        list(in_order(Path("demand.csv"), rows, due, "hour"))


@pytest.mark.parametrize(
    ("times", "words"),
    [(100, "not hundredths of a yen or JPY/MWh"), (0.01, "not thousands of yen or JPY/Wh")],
)
def test_prices_in_another_unit_are_named(folder: Path, times: float, words: str) -> None:
    """A year in hundredths of a yen passes cell by cell: its median gives it away."""
    first, *rows = spot_lines()
    cells = (line.rsplit(",", 2) for line in rows)
    lines = [first, *(f"{head},{float(a) * times:.2f},{float(b) * times:.2f}" for head, a, b in cells)]
    write(folder, SPOT, lines)
    assert words in refusal(prices, folder)


def test_irradiation_in_kilowatt_hours_is_named(folder: Path) -> None:
    """The sunniest hour of a year has more than 1.5 MJ/m2, and no more than 1.1 kWh/m2."""
    rows = (line.rsplit(",", 1) for line in weather_lines())
    lines = [f"{head},{f'{float(sun) / 3.6:.2f}' if sun[:1].isdigit() else sun}" for head, sun in rows]
    write(folder, WEATHER, lines)
    assert "not kWh/m2" in refusal(solar, folder)


def test_a_value_marked_nearly_complete_counts_as_it_is(folder: Path) -> None:
    """JMA's `)`: 1.77 ) is 1.77."""
    change(folder, WEATHER, replace(13, "2018-04-01,12,15.0,1.77"))
    plain = solar(folder)
    change(folder, WEATHER, replace(13, "2018-04-01,12,15.0 ),1.77 )"))
    assert np.array_equal(solar(folder), plain)


@pytest.mark.parametrize("mark", ["×", "0.11 ]"])
def test_missing_and_incomplete_hours_are_filled_from_their_neighbours(folder: Path, mark: str) -> None:
    """The same sky all day: the filled hour comes within 5 % of the value taken out, the others stay."""
    whole = solar(folder)
    change(folder, WEATHER, replace(13, f"2018-04-01,12,×,{mark}"))
    filled = solar(folder)
    assert np.flatnonzero(filled != whole).tolist() in ([22, 23], [22], [23], [])
    assert np.allclose(filled[22:24], whole[22:24], rtol=0.05)


def test_a_long_gap_is_refused(folder: Path) -> None:
    """A hole longer than six hours is not filled."""

    def mark(lines: list[str]) -> None:
        for hour in range(8, 8 + LONGEST_GAP + 1):
            lines[hour] = f"2018-04-01,{hour},15.0,×"

    change(folder, WEATHER, mark)
    line = refusal(solar, folder)
    assert "more than 6 hours in a row are missing on 2018-04-01" in line
    assert "ghi_mj_m2" in line


def test_a_filled_gap_at_the_limit_passes(folder: Path) -> None:
    """Six hours are filled, so the day keeps a plausible yield."""
    whole = solar(folder)

    def mark(lines: list[str]) -> None:
        for hour in range(8, 8 + LONGEST_GAP):
            lines[hour] = f"2018-04-01,{hour},15.0,×"

    change(folder, WEATHER, mark)
    assert 0.5 * whole[:48].sum() < solar(folder)[:48].sum() < 2 * whole[:48].sum()


def test_darkness_yields_nothing(folder: Path) -> None:
    """Without irradiance no slot has a yield."""
    dark = [line.rsplit(",", 1)[0] + ",0.00" for line in weather_lines()[1:]]
    write(folder, WEATHER, [weather_lines()[0], *dark])
    assert not solar(folder).any()


def test_hours_end_at_their_number(folder: Path) -> None:
    """Sun in hour 12 only falls into the slots from 11:00 to 12:00."""
    dark = [line.rsplit(",", 1)[0] + ",0.00" for line in weather_lines()[1:]]
    dark[11] = "2018-04-01,12,15.0,2.50"
    write(folder, WEATHER, [weather_lines()[0], *dark])
    assert np.flatnonzero(solar(folder)).tolist() == [22, 23]


def test_a_missing_folder_or_file_is_named(folder: Path, tmp_path: Path) -> None:
    """The line says which folder, or which file in it."""
    assert "no such folder" in refusal(prices, tmp_path / "nowhere")
    assert "no file spot_summary_2017.csv" in refusal(lambda path: read_spot_prices(path, 2017, ("tokyo",)), folder)
    assert "no file jma_sendai_hourly_*.csv" in refusal(lambda path: read_solar_yield(path, 2018, "tohoku"), folder)
    assert "no weather station is known" in refusal(lambda path: read_solar_yield(path, 2018, "kyushu"), folder)


def test_two_files_for_one_year_are_refused(folder: Path) -> None:
    """Which one to trust is the user's choice."""
    (folder / f"{SPOT}.xz").write_bytes(lzma.compress((folder / SPOT).read_bytes()))
    assert "more than one file fits" in refusal(prices, folder)


@pytest.mark.parametrize("keep", [0, 0.5, 0.999])
def test_a_damaged_archive_is_refused(folder: Path, keep: float) -> None:
    """A file that is no archive, and archives cut short."""
    whole = lzma.compress((folder / SPOT).read_bytes())
    (folder / SPOT).unlink()
    (folder / f"{SPOT}.xz").write_bytes(whole[: int(keep * len(whole))] or b"not an archive")
    assert "cannot be read" in refusal(prices, folder)


def test_a_file_in_another_encoding_is_refused(folder: Path) -> None:
    """JEPX's own download is Shift-JIS with Japanese headers; it is named, not misread."""
    (folder / SPOT).write_bytes("受渡日,時刻コード\n".encode("shift_jis"))
    assert "cannot be read" in refusal(prices, folder)


@needs_real_data
def test_published_prices_equal_what_another_reader_reads() -> None:
    """All 17,520 Tokyo and Tohoku prices of FY2018 against pandas."""
    table = pd.read_csv(REAL_DATA / "jepx_spot" / "spot_summary_2018.csv.xz")
    expected = (table[["tokyo", "tohoku"]].to_numpy() * 1_000).round().astype(np.int64)
    assert np.array_equal(prices(REAL_DATA), expected)
    assert expected.shape == (YEAR_SLOTS, 2)


@needs_real_data
def test_the_published_year_is_plausible_and_near_the_synthetic_one(synthetic: PublicYear) -> None:
    """FY2018: Tokyo's yield about 1,200 kWh/kW; the synthetic year is within 10 % in mean price and yield."""
    published = public_year(load_scenario("urawa-misono"), REAL_DATA)
    real, drawn = published.outside_mjpy_kwh[:YEAR_SLOTS, 0], synthetic.outside_mjpy_kwh[:YEAR_SLOTS, 0]
    real_sun, drawn_sun = published.solar_wh_per_kw[:YEAR_SLOTS], synthetic.solar_wh_per_kw[:YEAR_SLOTS]
    assert 1_100_000 < real_sun.sum() < 1_300_000
    assert abs(drawn.mean() / real.mean() - 1) < 0.1
    assert abs(drawn_sun.sum() / real_sun.sum() - 1) < 0.1
    assert abs(correlation(drawn, 1) - correlation(real, 1)) < 0.03
    assert abs(correlation(drawn, 48) - correlation(real, 48)) < 0.08
    assert not real_sun.reshape(365, 48)[:, :8].any()


@needs_real_data
@pytest.mark.parametrize("year", [2016, 2017, 2019, 2020, 2021, 2022, 2023])
def test_other_published_years_read_without_complaint(year: int) -> None:
    """Prices of the years at hand, weather of Tokyo with its marks and gaps."""
    assert (read_spot_prices(REAL_DATA, year, ("tokyo",)) > 0).all()
    assert 1_100_000 < read_solar_yield(REAL_DATA, year, "tokyo").sum() < 1_350_000
