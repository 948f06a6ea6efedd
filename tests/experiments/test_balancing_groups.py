"""The study of balancing groups: what it settles is what the world settles, and it runs and draws."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from experiments.balancing_groups_picture import save_pictures
from experiments.balancing_groups_study import Deliveries, judge, judge_inside, judge_sizes, play, study_groups
from experiments.cli import app
from market.settlement import PostingKind


@pytest.fixture(scope="module")
def found() -> Deliveries:
    """Two worlds of one day."""
    return play("urawa-misono", 1, 2, 7, {})


def test_settled_apart_is_what_the_world_settled(found: Deliveries) -> None:
    """Imbalance postings of the same terms without groups, account by account."""
    money, _ = found.settle(found.world.terms, ())
    assert (money == found.world.tally.money_ujpy[..., PostingKind.IMBALANCE]).all()


def test_one_price_for_both_sides_leaves_nothing_to_save(found: Deliveries) -> None:
    """Under `flat` a group saves in every world; under `jp-2022` nothing."""
    flat, single = (judge(found, "urawa-misono", rule, {}) for rule in ("flat", "jp-2022"))
    assert flat.saved.low is not None
    assert flat.saved.mean > 0
    assert flat.alone.mean - flat.group.mean == pytest.approx(flat.saved.mean)
    assert single.saved.mean == 0


def test_what_members_and_provider_pay_is_the_same_under_every_rule(found: Deliveries) -> None:
    """By role and rule, weighted by sites, the sums agree; `own` leaves members as alone."""
    rows = judge_inside(found, "urawa-misono")
    sites = np.array([5, 5, 1, 11])
    sums = [
        sum(row.paid[rule] * n for row, n in zip(rows, sites, strict=True)) for rule in ("own", "pro-rata", "causer")
    ]
    assert sums == pytest.approx([sums[0]] * 3)
    assert all(row.paid["own"] == pytest.approx(row.alone) for row in rows[:-1])


def test_larger_groups_leave_less(found: Deliveries) -> None:
    """A group of one leaves everything, and merging groups never adds."""
    left = [row.left.mean for row in judge_sizes(found, "urawa-misono", 7)]
    assert left[0] == 1
    assert left[-1] == min(left)


@pytest.mark.slow
def test_the_study_runs_and_draws(tmp_path: Path) -> None:
    """Both scenarios, from Python and from the command line."""
    study = study_groups(1, 30)
    assert [path.stat().st_size > 10_000 for path in save_pictures(study, tmp_path)] == [True]
    shown = CliRunner().invoke(app, ["study", "balancing-groups", "--size", "30", "--json"])
    assert shown.exit_code == 0
