"""The study of link and meters: pairs of the same worlds, what must grow, what the verb prints and draws."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.link_study import BASE, CASES, Case, LinkStudy, study_link


@pytest.fixture(scope="module")
def study() -> LinkStudy:
    """One day of the 13 held-out weeks."""
    return study_link(seeds=1, days=1)


def test_the_base_comes_first_and_changes_nothing_against_itself(study: LinkStudy) -> None:
    """Every loss meets every delay; coarser meters have a perfect link."""
    assert tuple(study.found) == CASES
    assert CASES[0] == BASE
    assert all((found.change.mean, found.change.low) == (0, 0) for found in study.found[BASE].values())
    assert len(CASES) == len(set(CASES)) == 4 * 3 + 2


def test_loss_delay_and_coarse_meters_each_add_imbalance_in_the_same_worlds(study: LinkStudy) -> None:
    """The whole interval of the paired difference lies above zero, and energy is traded in every case."""
    for case in (Case(0.2, 0.0, 1), Case(0.6, 0.5, 1), Case(0.0, 0.5, 1), Case(0.0, 0.0, 1_000)):
        change = study.found[case]["imbalance_kwh_day"].change
        assert change.low is not None
        assert change.low > 0
    losses = [study.found[Case(loss, 0.0, 1)]["imbalance_kwh_day"].mean.mean for loss in (0.0, 0.05, 0.2, 0.6)]
    assert losses == sorted(losses)
    assert all(by["traded_kwh_day"].mean.mean > 0 for by in study.found.values())


def test_parts_of_the_roles_add_up_and_certificates_stay(study: LinkStudy) -> None:
    """Imbalance of all is that of the roles; a coarse meter makes no certificate and loses less than one a device."""
    for by in study.found.values():
        parts = sum(by[f"imbalance_{role}_kwh_day"].mean.mean for role in study.roles)
        assert parts == pytest.approx(by["imbalance_kwh_day"].mean.mean)
    coarse = study.found[Case(0.0, 0.0, 1_000)]
    assert abs(coarse["certified_homes_kwh_day"].change.mean) < 5
    assert abs(coarse["certified_mall_kwh_day"].change.mean) < 1


@pytest.mark.slow
def test_the_verb_prints_draws_and_repeats(study: LinkStudy, tmp_path: Path) -> None:
    """JSON is that of the study; a table for people; two pictures."""
    asked = ["study", "link", "--seeds", "1", "--days", "1", "--json", "--figures", str(tmp_path)]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == json.loads(json.dumps(study.rows()))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["link_urawa_misono.png", "meters_urawa_misono.png"]
    study.print()


@pytest.mark.parametrize("wrong", ["--seeds 0", "--days 9", "--scenario nowhere", "--data nowhere"])
def test_wrong_arguments_are_refused_in_one_line(wrong: str) -> None:
    """Nothing is played."""
    result = CliRunner().invoke(app, f"study link {wrong}".split())
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
