"""The study of forecasts: its errors are those of the series, updates help near delivery, and it runs and draws."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agents.fleet import Role
from envs.public_year import PublicYear
from envs.scenario import load_scenario
from envs.world import World
from experiments.cli import app
from experiments.forecast_picture import save_pictures
from experiments.forecast_study import FIRST_COUNTED, LEADS, SITES, Misses, measure, study_forecasts
from market.design import find_design


def measured(year: PublicYear, forecast: str, *, updates: bool = False) -> tuple[World, dict[Role, Misses]]:
    """Three held-out worlds of three days."""
    scenario = load_scenario("urawa-misono", {"forecast": forecast, "forecast_updates": updates})
    world = World(scenario, find_design("retail"), 3, 7, year=year, days=3, held_out=True, ledger="off")
    return world, measure(world)


def test_errors_are_those_of_the_series(year: PublicYear) -> None:
    """Without updates a forecast is the same at every lead: mean |miss|, miss and miss^2 of the last day."""
    world, found = measured(year, "weather")
    truth = world.episode.load_wh - world.episode.solar_wh
    miss = (world.episode.net_forecast_wh - truth)[..., FIRST_COUNTED : world.slots].astype(np.float64)
    for role in SITES:
        own, wanted = found[role], miss[:, world.seats[role].rows]
        for values, mean in ((own.absolute, np.abs(wanted)), (own.bias, wanted), (own.square, wanted**2)):
            assert np.allclose(values, mean.mean((1, 2))[:, None].repeat(len(LEADS), 1))


def test_a_perfect_forecast_misses_nothing(year: PublicYear) -> None:
    """Zero in every world, role and lead."""
    _, found = measured(year, "perfect")
    assert not any(misses.absolute.any() for misses in found.values())


def test_updates_help_near_delivery_only(year: PublicYear) -> None:
    """The mall's naive forecast: less error one hour ahead than a day ahead, where it is nearly what it was."""
    updated, plain = (measured(year, "naive", updates=by)[1][Role.SOLAR].absolute.mean(0) for by in (True, False))
    assert updated[0] < 0.9 * plain[0]
    assert abs(updated[-1] - plain[-1]) < 0.1 * plain[-1]


@pytest.mark.slow
def test_the_study_runs_and_draws(tmp_path: Path) -> None:
    """From Python and from the command line; the naive forecast has no skill against itself."""
    study = study_forecasts(days=3)
    assert [path.stat().st_size > 10_000 for path in save_pictures(study, tmp_path)] == [True]
    assert all(row.skill.mean == 0 for row in study.errors if row.model == "naive")
    shown = CliRunner().invoke(app, ["study", "forecasts", "--days", "3"])
    assert shown.exit_code == 0
