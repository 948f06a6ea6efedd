"""The study of year-ahead trade: what it counts, and what it prints and draws."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agents.fleet import Role
from experiments.cli import app
from experiments.year_ahead_picture import save_pictures
from experiments.year_ahead_study import DAY, Play, YearAheadStudy, coverage_of, play, price_of, study_year_ahead


@cache
def study() -> YearAheadStudy:
    """Six days, two shares, one world."""
    return study_year_ahead(6, (0.0, 0.8), seeds=1)


@cache
def one_play() -> Play:
    """A world of six days with a share."""
    return play(0.8, 6, 3)


def test_coverage_falls_with_the_days_before_delivery_and_counts_each_contract_once() -> None:
    """All that was contracted between parties at lead zero; a loop over contracts says the same a day ahead."""
    one = one_play()
    stores = set(one.world.fleet.rows(Role.STORE).tolist())
    ahead = everything = 0
    for row in one.contracts:
        if int(row["buyer"]) in stores and not row["last_resort"]:
            everything += int(row["energy"])
            ahead += int(row["energy"]) if row["slot"] - row["formed"] >= DAY else 0
    need = int(one.reading_wh[:, sorted(stores)].sum())
    assert coverage_of(one, (0, 1)) == [everything / need, ahead / need]
    found = coverage_of(one, (0, 1, 2, 3))
    assert (np.diff(found) <= 0).all()


def test_only_the_second_half_is_judged() -> None:
    """Contracts and readings of the first three of six days are left out."""
    one = one_play()
    assert one.contracts["slot"].min() >= one.world.episode.first_slot[0] + 3 * DAY
    assert len(one.reading_wh) == len(one.plan_wh) == 3 * DAY


def test_a_share_of_zero_has_nothing_a_day_ahead_and_a_share_has() -> None:
    """The first is the half-hour trade that the others are held against."""
    nothing, some = study().results
    assert nothing.coverage[1].mean == 0 < some.coverage[1].mean
    assert nothing.saved.mean == 0
    assert some.saved.mean == pytest.approx(nothing.price.mean - some.price.mean)


def test_plays_of_one_seed_have_the_same_loads_whatever_is_traded() -> None:
    """So differences are what trade does."""
    one, other = one_play(), play(0.0, 6, 3)
    assert (one.world.episode.load_wh == other.world.episode.load_wh).all()
    assert price_of(one, parties_only=False) != price_of(other, parties_only=False)


def test_the_command_prints_json_and_the_picture_is_a_file(tmp_path: Path) -> None:
    """One share is enough; a picture from a study of two."""
    shown = CliRunner().invoke(app, ["study", "year-ahead", "--days", "6", "--seeds", "1", "--share", "0", "--json"])
    assert shown.exit_code == 0, shown.output
    assert len(json.loads(shown.stdout)["results"]) == 1
    (path,) = save_pictures(study(), tmp_path)
    assert path.stat().st_size > 10_000
