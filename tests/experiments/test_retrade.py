"""The study of re-trading: better forecasts leave less imbalance, a perfect one none; it runs and draws."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from envs.public_year import PublicYear
from experiments.cli import app
from experiments.retrade_picture import save_pictures
from experiments.retrade_play import LEADS, Case, Played, Setting, play
from experiments.retrade_study import study_retrade

HOMES, STORES, MALL = range(3)


def played(year: PublicYear, forecast: str, lead: str = "day before", *, battery: bool = True) -> Played:
    """Four worlds of two days under `retail`."""
    setting = Setting("urawa-misono", {}, year, 4, 2, 7)
    return play(setting, Case(forecast, battery, "retail", lead))


def test_a_perfect_forecast_leaves_nothing_and_a_worse_one_more(year: PublicYear) -> None:
    """Imbalance of the mall: none, some with the published weather, more with the mean of earlier days."""
    perfect, weather, naive = (played(year, name) for name in ("perfect", "weather", "naive, updated"))
    assert perfect.imbalance_kwh.sum() == 0
    assert perfect.paid_jpy.sum() == 0
    assert 0 < weather.imbalance_kwh[:, MALL].sum() < naive.imbalance_kwh[:, MALL].sum()


def test_a_forecast_that_improves_leaves_less_when_plans_are_fixed_late(year: PublicYear) -> None:
    """The mall's with updates; without updates it is the same at every lead."""
    for name, less in (("naive, updated", True), ("weather", False)):
        early, late = (played(year, name, lead).imbalance_kwh[:, MALL].sum() for lead in ("day before", "1 h"))
        assert (late < early) if less else (late == early)


def test_batteries_take_imbalance_up(year: PublicYear) -> None:
    """Homes deviate less with a battery than without; stores and mall have none and stay as they are."""
    with_one, without = (played(year, "weather", battery=battery).imbalance_kwh for battery in (True, False))
    assert with_one[:, HOMES].sum() < without[:, HOMES].sum()
    assert (with_one[:, [STORES, MALL]] == without[:, [STORES, MALL]]).all()


@pytest.mark.slow
def test_the_study_runs_and_draws(tmp_path: Path) -> None:
    """From Python and from the command line; the base of every difference differs by nothing from itself."""
    study = study_retrade(days=2)
    assert [path.stat().st_size > 10_000 for path in save_pictures(study, tmp_path)] == [True]
    assert all(row.saved["all"].mean == 0 for row in study.leads if row.lead == next(iter(LEADS)))
    shown = CliRunner().invoke(app, ["study", "retrade", "--days", "2", "--json"])
    assert shown.exit_code == 0
