"""The study of load memory: it finds a memory that was drawn, and reads the published files."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from envs.load_noise import Noise, draw_noise
from experiments.cli import app
from experiments.load_memory_picture import save_pictures
from experiments.load_memory_study import LoadMemory, Memory, correlation_of, fit_memory, rest_of, study_load_memory
from market.slots import HALF_HOURS

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
DAY = HALF_HOURS.per_day


def test_a_memory_that_was_drawn_is_found_again() -> None:
    """A year of noise on a load that differs by half hour and by kind of day: hours and part within a tenth or so."""
    slot = np.arange(364 * DAY)
    noise = draw_noise(Noise(300_000, 180, 700_000), 1, np.zeros(1, np.int64), np.array([4]), slot[None])[0, 0]
    usual = 1_000 + 500 * np.sin(slot * 2 * np.pi / DAY)
    rest = rest_of((usual * noise / 1_000).astype(np.int64), HALF_HOURS.year * 12, DAY)
    lags = range(1, 25)
    found = fit_memory(np.array(lags) / 2, correlation_of(rest, lags))
    assert found.hours == pytest.approx(3.0, rel=0.15)
    assert found.part == pytest.approx(0.7, abs=0.07)
    assert found.miss < 0.03


def test_half_hours_without_load_are_left_out() -> None:
    """They have no log; the rest of the others is zero where every day is like the one before."""
    load = np.tile(np.arange(DAY) * 10, 20)
    rest = rest_of(load, 0, DAY)
    assert np.isnan(rest.reshape(20, DAY)[:, 0]).all()
    assert np.abs(rest.reshape(20, DAY)[:, 1:]).max() < 1e-12


def test_a_folder_without_the_files_is_refused_in_one_line(tmp_path: Path) -> None:
    """It says which names are looked for."""
    shown = CliRunner().invoke(app, ["study", "load-memory", "--data", str(tmp_path)])
    assert shown.exit_code != 0
    assert "there are no load files" in shown.stderr


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    """One panel for each file."""
    row = Memory("home", 1, [0.5, 1.0, 24.0], [0.6, 0.4, 0.1], 0.4, 1.5, 0.8, 0.02)
    assert [path.stat().st_size > 10_000 for path in save_pictures(LoadMemory((row, row)), tmp_path)] == [True]


@pytest.mark.slow
@pytest.mark.skipif(not (REAL_DATA / "ausgrid_c12").is_dir(), reason=f"load files are not at {REAL_DATA}")
def test_the_published_files_give_the_figures_of_the_town() -> None:
    """1.7 hours and 0.78 for homes, 15.9 hours and 0.20 for stores, to the digits that are written there."""
    home, _, site = study_load_memory(REAL_DATA).files
    assert (round(home.hours, 1), round(home.part, 2)) == (1.7, 0.78)
    assert (round(site.hours, 1), round(site.part, 2)) == (15.9, 0.2)
