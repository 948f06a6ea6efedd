"""The study of the optimiser: its ratio, its unit costs, and that it runs and draws."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agents.thermal import GTCC, units_of
from experiments import oracle_study
from experiments.cli import app
from experiments.commitment_study import running_cost
from experiments.evaluate import t_interval
from experiments.oracle_pictures import save_pictures
from experiments.oracle_study import ratio_interval, study_optimiser


def test_a_ratio_of_sums_has_the_interval_of_a_mean_where_the_whole_is_one() -> None:
    """With a denominator that never varies the jackknife is the t interval of the mean; one world has no interval."""
    part = np.array([0.2, 0.9, 0.4, 0.7])
    found, mean = ratio_interval(part, np.ones(4)), t_interval(part)
    assert found.mean == pytest.approx(mean.mean)
    assert (found.low, found.high) == (pytest.approx(mean.low), pytest.approx(mean.high))
    assert ratio_interval(part[:1], np.ones(1)).low is None


def test_running_costs_are_starts_idling_and_minimum_load_not_sold() -> None:
    """Two runs, three running slots, one of them 1,000 Wh below minimum load."""
    units = units_of((GTCC,), np.array([10_000]))
    cost, starts = running_cost(units, np.array([[[0, 10_000, 3_000, 0, 5_000, 0]]]))
    assert starts.tolist() == [[2]]
    idle = 3 * 10_000 * GTCC.idle_mjpy_kwh
    assert cost[0, 0] == 2 * units.start_ujpy[0] + idle + 1_000 * GTCC.cost_mjpy_kwh


@pytest.mark.slow
def test_the_study_runs_and_draws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One setting, one forecast, two worlds of three days: the optimiser saves most of what the oracle saves."""
    name = "outside price"
    for key, value in {"FORECASTS": ("perfect",), "HELD_OUT_WEEKS": 2, "DAYS": 3}.items():
        monkeypatch.setattr(oracle_study, key, value)
    monkeypatch.setattr(oracle_study, "SETTINGS", {name: oracle_study.SETTINGS[name]})
    study = study_optimiser(1)
    (saving,) = study.savings
    assert 0.8 < saving.share.mean <= 1
    assert saving.share.mean * saving.oracle.mean == pytest.approx(saving.optimiser.mean)
    assert {gain.forecast for gain in study.gains} == {"perfect"}
    profits = {(unit.design, unit.bidder): unit.profit.mean for unit in study.units}
    assert profits["dgp", "commitment:gtcc"] > profits["dgp", "truthful"]
    monkeypatch.setattr("experiments.oracle_pictures.SETTINGS", oracle_study.SETTINGS)
    monkeypatch.setattr("experiments.oracle_pictures.FORECASTS", ("perfect",))
    assert [path.name for path in save_pictures(study, tmp_path)] == ["optimiser_day.png", "optimiser_share.png"]


def test_the_command_says_what_it_does_and_refuses_no_seeds() -> None:
    """`digitalgrid study optimiser`."""
    runner = CliRunner()
    assert "could save" in runner.invoke(app, ["study", "optimiser", "--help"]).output
    assert runner.invoke(app, ["study", "optimiser", "--seeds", "0"]).exit_code == 2
