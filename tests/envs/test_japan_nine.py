"""The nine areas: dated lines, sources, and readers that refuse what was not published so."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.japan_nine import AREAS, CAPACITY_MW, LINES, japan_grid, line_capacity_mw, nuclear_mw
from envs.japan_nine_data import (
    Hours,
    fill_demand,
    half_hours,
    model_solar,
    read_hours,
    read_prices,
    read_stations,
)
from market.errors import DataError
from tests.japan_files import DEMAND, FIRST, LAST, days_of, demand_lines, write_files

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
needs_real_data = pytest.mark.skipif(
    not (REAL_DATA / "area_demand").is_dir(), reason=f"published demand and prices are not at {REAL_DATA}"
)
Change = Callable[[list[str]], list[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up files of an autumn."""
    return write_files(tmp_path_factory.mktemp("japan"))


def altered(tmp_path: Path, change: Change) -> Path:
    """A folder with demand only, every row put through `change`."""
    path = tmp_path / DEMAND
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(demand_lines(change)) + "\n", "utf-8")
    return tmp_path


def at_noon(change: Change) -> Change:
    """A change of one row only, 2018-10-05 12:00."""
    return lambda row: change(row) if row[:2] == ["2018-10-05", "12"] else row


def test_every_line_has_a_capacity_with_a_source_and_dates_in_order() -> None:
    """Each capacity says where it is from; dates of a line rise."""
    assert set(CAPACITY_MW) == {name for name, _, _ in LINES}
    for steps in CAPACITY_MW.values():
        assert all(step.source for step in steps)
        assert [s.since for s in steps] == sorted({s.since for s in steps})


def test_a_capacity_holds_from_its_day_on() -> None:
    """The frequency converters have 1,200 MW until March 2021 and 2,100 MW from April."""
    line = [name for name, _, _ in LINES].index("frequency-converters")
    days = [date(2015, 1, 1), date(2021, 3, 31), date(2021, 4, 1)]
    assert line_capacity_mw(days)[:, line].tolist() == [[1_200, 1_200], [1_200, 1_200], [2_100, 2_100]]


def test_all_areas_hang_together() -> None:
    """The lines join the nine areas of the market."""
    grid = japan_grid()
    assert all(low < high for low, high in grid.path_ranges.reshape(-1, 2)[1:])


def test_nuclear_output_is_that_of_the_calendar_year() -> None:
    """Kansai stood nearly still in 2020; years after the table have its last."""
    found = nuclear_mw([date(2020, 6, 1), date(2030, 1, 1)])
    assert found[:, AREAS.index("kansai")].tolist() == [1_210, 4_640]


def test_demand_and_solar_are_read_in_the_order_of_the_areas(folder: Path) -> None:
    """Every hour is there; areas that publish no solar have none."""
    hours = read_hours(folder, FIRST, LAST)
    assert hours.demand_mw.shape == (len(hours.days) * 24, 9)
    assert hours.gaps == {}
    assert hours.demand_mw[17].argmax() == AREAS.index("tokyo")
    assert np.isnan(hours.solar_mw).all(0).tolist() == [a in ("tohoku", "chugoku", "shikoku") for a in AREAS]


@pytest.mark.parametrize(
    ("change", "said"),
    {
        "negative": (at_noon(lambda row: [*row[:4], "-5.0", *row[5:]]), "negative power"),
        "none": (at_noon(lambda row: [*row[:4], "0", *row[5:]]), "without demand"),
        "text": (at_noon(lambda row: [*row[:4], "nan", *row[5:]]), "'nan' is not a power"),
        "doubled hour": (at_noon(lambda row: [row[0], "11", *row[2:]]), "2018-10-05 hour 11 stands twice"),
        "summer time": (at_noon(lambda row: [row[0], "13", *row[2:]]), "hour 12 is missing"),
        "short row": (at_noon(lambda row: row[:-1]), "16 cells under a header of 17"),
        "kWh": (lambda row: [*row[:2], *(f"{500 * float(v):.0f}" for v in row[2:])], "give megawatts"),
        "GW": (lambda row: [*row[:2], *(f"{float(v) / 1000:.4f}" for v in row[2:])], "give megawatts"),
    }.values(),
    ids=["negative", "none", "text", "doubled hour", "summer time", "short row", "kWh", "GW"],
)
def test_wrong_demand_is_refused_in_one_line(tmp_path: Path, change: Change, said: str) -> None:
    """Gaps, doubles, text, signs and other units are named with their place."""
    with pytest.raises(DataError, match=said):
        read_hours(altered(tmp_path, change), FIRST, LAST)


def test_another_header_is_refused(tmp_path: Path) -> None:
    """A column that is not there is named."""
    path = altered(tmp_path, lambda row: row) / DEMAND
    path.write_text(path.read_text("utf-8").replace("tok_demand", "tokyo"), "utf-8")
    with pytest.raises(DataError, match="column 'tok_demand' is missing"):
        read_hours(tmp_path, FIRST, LAST)


def test_gaps_are_reported_and_filled_only_when_asked(tmp_path: Path, folder: Path) -> None:
    """A missing hour stays missing until `fill_demand` takes the mean of a week before and after."""
    hours = read_hours(altered(tmp_path, at_noon(lambda row: [*row[:8], "", *row[9:]])), FIRST, LAST)
    place, row = AREAS.index("hokuriku") + 2, 8 * 24 + 12
    assert hours.gaps == {AREAS[place]: 1}
    filled = fill_demand(hours, read_stations(folder, FIRST, LAST))
    around = (hours.demand_mw[row - 168, place] + hours.demand_mw[row + 168, place]) / 2
    assert filled.demand_mw[row, place] == pytest.approx(around)
    assert filled.gaps == {}


def test_a_long_gap_of_tokyo_is_filled_from_its_neighbours(folder: Path) -> None:
    """Where Tokyo follows Tohoku and Chubu, a missing week comes back nearly as it was."""
    hours, weather = read_hours(folder, FIRST, LAST), read_stations(folder, FIRST, LAST)
    tokyo, demand = AREAS.index("tokyo"), hours.demand_mw.copy()
    demand[-168:, tokyo] = np.nan
    filled = fill_demand(Hours(FIRST, demand, hours.solar_mw), weather)
    assert np.abs(filled.demand_mw[-168:, tokyo] / hours.demand_mw[-168:, tokyo] - 1).max() < 0.01
    demand[-168:, 0] = np.nan
    with pytest.raises(DataError, match="hokkaido"):
        fill_demand(Hours(FIRST, demand, hours.solar_mw), weather)


def tepco_lines(unit: str = "単位[万kWh]") -> list[str]:
    """Fiscal year 2019 of Tokyo as TEPCO writes it: 120 units of 10 MWh of solar at noon."""
    lines = [unit, "DATE,TIME,東京エリア需要,供給力", ",,,原子力,太陽光発電実績,太陽光出力制御量"]
    for day in days_of(date(2019, 4, 1), date(2020, 3, 31)):
        lines += [f"{day.year}/{day.month}/{day.day},{h}:00,2581,0,{120 * (h == 12)},0" for h in range(24)]
    return lines


def in_april_2019(row: list[str]) -> list[str]:
    """The same row 187 days later."""
    return [(date.fromisoformat(row[0]) + timedelta(days=187)).isoformat(), *row[1:]]


def test_solar_of_tokyo_in_fiscal_year_2019_is_that_of_tepco(tmp_path: Path) -> None:
    """It comes in units of 10 MWh; the other areas keep theirs."""
    folder = altered(tmp_path, in_april_2019)
    tepco = folder / "area_demand" / "tepco_area_supply_demand_FY2019.csv"
    tepco.write_text("\n".join(tepco_lines()) + "\n", "utf-8")
    hours = read_hours(folder, date(2019, 4, 2), date(2019, 4, 4))
    assert hours.solar_mw[:, AREAS.index("tokyo")].tolist() == [1_200.0 * (h == 12) for h in range(24)] * 3
    assert hours.solar_mw[12, 0] == pytest.approx(520)
    for lines, said in ((tepco_lines("単位[kWh]"), "not TEPCO's table"), (tepco_lines()[:-1], "ends before")):
        tepco.write_text("\n".join(lines) + "\n", "utf-8")
        with pytest.raises(DataError, match=said):
            read_hours(folder, date(2019, 4, 2), date(2019, 4, 4))
    tepco.rename(tepco.with_suffix(".csv.xz"))
    with pytest.raises(DataError, match="cannot be read"):
        read_hours(folder, date(2019, 4, 2), date(2019, 4, 4))


def test_solar_is_what_was_published_else_made_from_irradiance(folder: Path) -> None:
    """Published hours stay; areas without any follow the sun, none by night."""
    hours, weather = read_hours(folder, FIRST, LAST), read_stations(folder, FIRST, LAST)
    solar = model_solar(hours, weather)
    published = ~np.isnan(hours.solar_mw)
    assert (solar[published] == hours.solar_mw[published]).all()
    assert (solar[::24] == 0).all()
    assert solar[12, AREAS.index("tohoku")] > 0


def test_empty_prices_of_hokkaido_are_missing_not_zero(folder: Path) -> None:
    """The days without a market have no price, the others are in JPY/kWh."""
    prices = read_prices(folder, date(2018, 9, 26), date(2018, 9, 27))
    assert np.isnan(prices[0, :, 0]).all()
    assert not np.isnan(prices[1]).any()
    assert 1 < prices[1].min() < prices[1].max() < 30


@given(st.floats(0, 1e5), st.floats(-100, 100), st.integers(2, 50))
def test_half_hours_of_a_straight_line_lie_on_it(start: float, slope: float, count: int) -> None:
    """Inside the period hours on a line give half hours on the same line, a quarter of an hour off the middle."""
    hours = np.arange(count)
    found = half_hours((start + slope * hours)[:, None])[:, 0]
    expected = start + slope * (np.repeat(hours, 2) + np.tile([-0.25, 0.25], count))
    assert found[1:-1] == pytest.approx(expected[1:-1], abs=1e-6)


@needs_real_data
@pytest.mark.slow
def test_published_files_read_without_complaint() -> None:
    """Two fiscal years of demand, solar and prices; the known gap of Tokyo is reported."""
    hours = read_hours(REAL_DATA, date(2019, 4, 1), date(2022, 3, 31))
    assert hours.gaps["tokyo"] == 2_160
    assert not np.isnan(hours.solar_mw[:8784, AREAS.index("tokyo")]).any()
    prices = read_prices(REAL_DATA, date(2018, 9, 27), date(2022, 3, 31))
    assert not np.isnan(prices).any()
