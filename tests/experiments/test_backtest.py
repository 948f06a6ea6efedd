"""The backtest: prices by hand, levels that look back only, scores by hand, and the verb on made-up files."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from envs.japan_nine import AREAS, LINES, Floats, fleet_mw, line_capacity_mw
from experiments.backtest import BOTH, LAST_WEEK, MOVED, YESTERDAY, backtest, make_forecasts, plain_ratio
from experiments.cli import app
from experiments.japan_calibration import FIRST_GUESS, calibrate, shake
from experiments.japan_inputs import Inputs, calibration_days, read_inputs
from experiments.japan_model import FITTED, MOVE, Fit, Nation, simulate_prices
from experiments.japan_regression import regress_prices
from experiments.japan_scores import (
    balanced_accuracy,
    daily_shape,
    days_before,
    duration_gap,
    error_parts,
    month_interval,
    move_yesterday,
    past_level,
    score,
    splits,
)
from market.errors import ConfigError, DataError
from tests.japan_files import LAST, write_files

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
needs_real_data = pytest.mark.skipif(
    not (REAL_DATA / "area_demand").is_dir(), reason=f"published demand and prices are not at {REAL_DATA}"
)
FLAT = Fit((4.0, 8.0, 12.0, 10.0), (0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0), 0.0, 0.0)
WINTER = date(2019, 1, 10)
TOKYO, CHUBU, KYUSHU = (AREAS.index(area) for area in ("tokyo", "chubu", "kyushu"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up files of an autumn."""
    return write_files(tmp_path_factory.mktemp("japan"))


@pytest.fixture(autouse=True)
def short_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibration ends where the made-up files do."""
    for module in ("japan_inputs", "japan_calibration", "backtest"):
        monkeypatch.setattr(f"experiments.{module}.CALIBRATE_UNTIL", LAST)


@pytest.fixture(scope="module")
def inputs(folder: Path) -> Inputs:
    """What is read from them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.japan_inputs.CALIBRATE_UNTIL", LAST)
        return read_inputs(folder, LAST, fill=False)


def nation_of(net_mw: Floats) -> Nation:
    """One winter day on which every half hour has the net demand (areas,)."""
    net = np.broadcast_to(net_mw, (1, 48, len(AREAS))).astype(np.float64)
    nothing = np.zeros(len(AREAS))
    return Nation([WINTER], net, nothing[None], line_capacity_mw([WINTER]), fleet_mw(), nothing)


def prices_of(nation: Nation) -> list[float]:
    """The area prices of its first half hour with flat costs."""
    return simulate_prices(nation, FLAT, np.array([0]))[0, 0].tolist()


def random_prices(seed: int, days: int = 60) -> Floats:
    """Prices (days, 48, areas) between 5 and 15."""
    return np.random.default_rng(seed).uniform(5, 15, (days, 48, len(AREAS)))


def run(*arguments: object) -> Result:
    """The command line."""
    return CliRunner().invoke(app, ["backtest", *(str(argument) for argument in arguments)])


def test_an_area_that_coal_serves_has_the_cost_of_coal() -> None:
    """With little demand everywhere coal is at the margin; with a little more than all coal, gas is."""
    coal = fleet_mw()[:, 0]
    assert prices_of(nation_of(0.5 * coal)) == [4.0] * 9
    assert prices_of(nation_of(coal + 50)) == [8.0] * 9


def test_demand_beyond_all_plant_costs_what_is_unserved() -> None:
    """60 JPY/kWh, where lines bring no more."""
    assert prices_of(nation_of(1.5 * fleet_mw().sum(1))) == [60.0] * 9


def test_surplus_of_all_areas_is_worth_the_floor() -> None:
    """More sun than demand everywhere: 0.01 JPY/kWh, never less."""
    assert prices_of(nation_of(np.full(9, -100.0))) == [0.01] * 9


def test_a_full_line_parts_two_areas_and_twice_its_room_joins_them() -> None:
    """Kyushu has surplus coal, the others need gas; Kanmon decides whether Kyushu stays cheap."""
    net = fleet_mw()[:, 0] + 2_000
    net[KYUSHU] = fleet_mw()[KYUSHU, 0] - 4_000
    nation = nation_of(net)
    assert prices_of(nation)[KYUSHU] == 4.0
    assert prices_of(nation.with_line_doubled("kanmon"))[KYUSHU] == 8.0
    assert min(prices_of(nation)[:KYUSHU]) == 8.0


def test_without_limits_all_areas_share_one_price() -> None:
    """Where one line was full, none is."""
    net = fleet_mw()[:, 0] + 2_000
    net[KYUSHU] = 0
    nation = nation_of(net)
    assert len(set(prices_of(nation))) > 1
    assert len(set(prices_of(nation.without_limits()))) == 1


def test_a_fleet_that_is_gone_is_not_offered() -> None:
    """Without Kyushu's coal its price is no longer that of coal; other areas' fleets stay."""
    net = np.zeros(9)
    net[KYUSHU] = 4_000.0
    nation = nation_of(net)
    cut = nation.without_fleet("kyushu:coal")
    assert cut.fleet_mw[KYUSHU, 0] == 0
    assert (cut.fleet_mw != nation.fleet_mw).sum() == 1
    assert prices_of(nation)[KYUSHU] == 4.0 < prices_of(cut)[KYUSHU]


def test_planned_outages_take_plant_away_in_spring_and_autumn_only() -> None:
    """The same demand is served by coal in January and needs gas in April."""
    january = nation_of(0.95 * fleet_mw()[:, 0])
    april = replace(january, days=[date(2019, 4, 10)])
    fit = FLAT._replace(maintained=0.1)
    found = [simulate_prices(nation, fit, np.array([0]))[0, 0, 0] for nation in (january, april)]
    assert found == [4.0, 8.0]


def test_a_day_with_missing_demand_is_not_simulated() -> None:
    """Its prices are missing; others are there."""
    nation = nation_of(np.full(9, 500.0))
    net = np.concatenate([nation.net_mw, nation.net_mw])
    net[0, 3, 2] = np.nan
    two = replace(nation, days=[WINTER, WINTER], net_mw=net, nuclear_mw=np.zeros((2, 9)),
                  capacity_mw=line_capacity_mw([WINTER, WINTER]))  # fmt: skip
    assert np.isnan(simulate_prices(two, FLAT)).all((1, 2)).tolist() == [True, False]


def test_the_shares_of_the_fit_are_possible() -> None:
    """No more than all plant is offered, and no step below the floor."""
    assert max(FITTED.available) <= 1
    assert max(FITTED.spread) < 1
    assert 0 <= FITTED.maintained < 1
    assert 0 < MOVE <= 1


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 20), st.integers(28, 59))
def test_a_level_knows_nothing_of_its_own_day(seed: int, day: int) -> None:
    """Changing prices of a day and later leaves its level as it was; changing all days before moves it."""
    published, simulated = random_prices(seed), random_prices(seed + 100)
    level = past_level(published, simulated, 28)
    later = published.copy()
    later[day:] *= 7
    assert (past_level(later, simulated, 28)[day] == level[day]).all()
    earlier = published.copy()
    earlier[:day] *= 7
    assert past_level(earlier, simulated, 28)[day] == pytest.approx(7 * level[day])


def test_a_level_is_the_median_of_published_over_simulated() -> None:
    """One mad day among 28 does not move it; the first days have none."""
    simulated = random_prices(1)
    published = 1.5 * simulated
    published[20] *= 20
    level = past_level(published, simulated, 28)
    assert level[28:] == pytest.approx(1.5)
    assert np.isnan(level[:28]).all()


def test_yesterday_moved_by_no_change_is_yesterday() -> None:
    """The same simulated prices every day leave yesterday's."""
    published = random_prices(2)
    moved = move_yesterday(published, np.full_like(published, 9.0), np.ones((60, 9)), 0.8)
    assert (moved[1:] == published[:-1]).all()


def test_forecasts_of_a_day_do_not_know_its_prices(inputs: Inputs) -> None:
    """Other published prices of the last day change no forecast of it."""
    # the last day is outside calibration here, as a reported day is
    own = calibration_days(inputs.days)
    rows = np.arange(len(own))
    published = inputs.published.copy()
    published[-1] *= 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.japan_inputs.CALIBRATE_UNTIL", LAST - timedelta(days=5))
        simulated = simulate_prices(inputs.nation)
        first, second = (
            make_forecasts(given, rows, simulated) for given in (inputs, replace(inputs, published=published))
        )
    for name, prices in first.items():
        assert (prices[-1] == second[name][-1]).all(), name


def test_yesterday_has_ratio_one_and_a_perfect_forecast_zero() -> None:
    """By month, by year and in the interval."""
    published, days = random_prices(3, 300), [date(2020, 1, 1) + timedelta(days=d) for d in range(300)]
    usable = np.ones_like(published, bool)
    usable[0] = False
    same = score(days, published, days_before(published, 1), usable)
    assert (same.ratio, same.low, same.high, same.better) == (1, 1, 1, 0)
    perfect = score(days, published, published, usable)
    assert (perfect.mae, perfect.ratio, perfect.better, perfect.months) == (0, 0, 10, 10)
    assert perfect.by_year == {2019: 0, 2020: 0}
    assert perfect.shape == pytest.approx(1)
    assert perfect.duration == 0


def test_a_forecast_with_half_the_error_has_ratio_one_half() -> None:
    """The ratio is of sums over the same half hours."""
    published = random_prices(4)
    yesterday = days_before(published, 1)
    usable = ~np.isnan(yesterday)
    assert plain_ratio(published, (published + yesterday) / 2, usable) == pytest.approx(0.5)


def test_few_months_have_no_interval() -> None:
    """Five months are too few, twelve give an interval around the ratio."""
    both = np.stack([np.linspace(1, 2, 12), np.full(12, 2.0)], 1)
    assert np.isnan(month_interval(both[:5])).all()
    low, high = month_interval(both)
    assert low < 0.75 < high


def test_shape_and_duration_look_past_the_level_and_the_order() -> None:
    """A scaled profile has the same shape; shuffled half hours have the same duration curve."""
    published = random_prices(5, 4)
    usable = np.ones_like(published, bool)
    assert daily_shape(published, 3 * published + 1, usable) == pytest.approx(1)
    assert duration_gap(published, published[:, ::-1], usable) == 0
    assert duration_gap(published, published + 2, usable) == pytest.approx(2)


def test_error_is_parted_into_level_and_shape() -> None:
    """A level too high errs in the daily mean only; a profile turned round errs within the day only."""
    published = random_prices(6, 3)
    usable = np.ones_like(published, bool)
    assert error_parts(published, published + 2, usable) == pytest.approx((2, 0))
    daily, within = error_parts(published, published[:, ::-1], usable)
    assert daily == pytest.approx(0, abs=1e-9)
    assert within > 1


def test_always_saying_split_has_balanced_accuracy_one_half() -> None:
    """Whatever the share of splits; one kind only has none."""
    truth = np.array([True] * 9 + [False])
    assert balanced_accuracy(truth, np.ones(10, bool)) == 0.5
    assert balanced_accuracy(truth, truth) == 1
    assert np.isnan(balanced_accuracy(np.ones(3, bool), np.ones(3, bool)))


def test_splits_are_counted_by_border() -> None:
    """Tokyo apart from Chubu in half of the half hours, foretold always; the west stays together."""
    published = np.full((2, 48, 9), 10.0)
    published[:, ::2, : TOKYO + 1] = 12.0
    found = {split.border: split for split in splits(published, published, np.ones_like(published, bool))}
    apart, joined = found["tokyo", "chubu"], found["chugoku", "kyushu"]
    assert (apart.published, apart.simulated, apart.accuracy) == (0.5, 0.5, 1)
    assert joined.published == 0
    assert np.isnan(joined.accuracy)


def test_the_regression_finds_prices_that_are_linear_in_demand(inputs: Inputs) -> None:
    """Prices made of local and national demand and a constant for each half hour come back."""
    net = inputs.nation.net_mw / 1_000
    made = 20 + 0.3 * net + 0.05 * net.sum(2, keepdims=True) + np.arange(48)[None, :, None] / 48
    found = regress_prices(replace(inputs, published=made))
    assert found == pytest.approx(made, abs=1e-5)


def test_shaken_fits_stay_possible_and_repeat() -> None:
    """The same try of the same seed is the same; bounds hold after many."""
    fit = FIRST_GUESS
    assert shake(fit, 0, 5) == shake(fit, 0, 5) != shake(fit, 1, 5)
    for number in range(300):
        fit = shake(fit, 0, number)
    assert max(fit.available) <= 1
    assert max(fit.spread) <= 0.95


def test_a_search_goes_on_where_it_was_kept(folder: Path, tmp_path: Path) -> None:
    """One try and then another give what two at once give; another seed is refused."""
    keep = tmp_path / "search.json"
    calibrate(folder, 1, 0, keep)
    assert calibrate(folder, 2, 0, keep) == calibrate(folder, 2, 0)
    with pytest.raises(ConfigError, match="kept with seed 0"):
        calibrate(folder, 3, 1, keep)
    keep.write_text("{}")
    with pytest.raises(ConfigError, match="not a kept search"):
        calibrate(folder, 3, 0, keep)


def test_the_verb_prints_tables_writes_pictures_and_says_what_it_assumes(folder: Path, tmp_path: Path) -> None:
    """A fortnight of made-up data through the command line, with a line doubled and a fleet gone."""
    period = ("--from", "2018-12-01", "--to", "2018-12-14")
    what = ("--double", "kanmon", "--without", "kyushu:nuclear", "--no-limits", "--figures", tmp_path)
    result = run("japan-nine", "--data", folder, *period, *what)
    assert result.exit_code == 0, result.output
    assert YESTERDAY in result.output
    assert "kanmon doubled" in result.output
    assert "perfect weather" in result.output
    assert "no test" in result.output
    pictures = {path.name: path.read_bytes()[:4] for path in tmp_path.iterdir()}
    assert pictures == {f"backtest_{n}.png": b"\x89PNG" for n in ("error", "duration", "splits", "weeks", "whatif")}


def test_the_verb_prints_json_without_nan(folder: Path) -> None:
    """One row for each forecast, border and what-if; what is not known is null."""
    result = run("japan-nine", "--data", folder, "--from", "2018-11-20", "--to", "2018-11-21", "--no-limits", "--json")
    rows = json.loads(result.output, parse_constant=lambda name: pytest.fail(name))
    assert {row["kind"] for row in rows} == {"forecast", "split", "what-if"}
    by_name = {row.get("name"): row for row in rows}
    assert by_name[YESTERDAY]["ratio"] == 1
    assert {LAST_WEEK, MOVED, BOTH} < set(by_name)
    assert by_name[MOVED]["low"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "2018-12-02", "--to", "2018-12-01"), "earlier day first"),
        (("--from", "2017-01-01"), "give days from 2018-10-29"),
        (("--from", "yesterday"), "yyyy-mm-dd"),
        (("--from", "2018-12-01", "--to", "2018-12-02", "--double", "tsushima"), "known: kita-hon"),
        (("--from", "2018-12-01", "--to", "2018-12-02", "--without", "kyushu:wind"), "AREA:FUEL"),
    ],
)
def test_mistakes_end_with_one_line(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    """A period or change that is not possible is named with what is."""
    result = run("japan-nine", "--data", folder, *arguments)
    assert result.exit_code == 1
    assert said in result.output
    assert result.output.count("\n") == 1


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Nothing is simulated without data."""
    with pytest.raises(DataError, match="no such folder"):
        backtest(tmp_path / "nowhere", date(2018, 12, 1), date(2018, 12, 2))
    assert run("calibrate", "--data", tmp_path / "nowhere", "--tries", "1").exit_code == 1


def test_every_line_can_be_doubled() -> None:
    """By its name; nothing else changes."""
    nation = nation_of(np.zeros(9))
    for row, (name, _, _) in enumerate(LINES):
        doubled = nation.with_line_doubled(name).capacity_mw / nation.capacity_mw
        assert (doubled[0] == 1 + (np.arange(len(LINES)) == row)[:, None]).all()


@needs_real_data
@pytest.mark.slow
def test_a_published_year_is_simulated_as_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fiscal year 2022: the shape beats yesterday's, the level keeps the error within a tenth, the change lowers it."""
    monkeypatch.undo()
    found = backtest(REAL_DATA, date(2022, 4, 1), date(2023, 3, 31))
    assert found.scores["simulation"].shape > 0.75 > found.scores[YESTERDAY].shape
    assert found.scores["simulation, 28-day level"].ratio < 1.10
    assert found.scores[MOVED].high < 0.95
