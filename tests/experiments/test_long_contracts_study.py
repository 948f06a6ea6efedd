"""What a run and the study say of long contracts."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from envs.long_contracts import long_contracts_of
from experiments.cli import app
from experiments.long_contracts_picture import save_pictures
from experiments.long_contracts_study import course_of, play, study_long_contracts
from experiments.simulate import make_order, simulate
from market.units import WH_PER_KWH

SETTING = 'long_contracts=[{seller="thermal", buyer="stores", share=0.5, price_jpy_kwh=10.5}]'


def test_a_run_tells_long_contracts_from_the_market(tmp_path: Path) -> None:
    """Energy and mean price of both on the screen, those of long contracts in the metrics; nothing without any."""
    shown = CliRunner().invoke(
        app, ["simulate", "urawa-misono", "--days", "1", "--out", str(tmp_path / "run"), "--set", SETTING]
    )
    assert shown.exit_code == 0, shown.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["long_contracts_mean_jpy_kwh"] == 10.5
    assert f"{metrics['long_contracts_kwh']:,.1f} kWh at 10.50 by long contracts" in shown.output
    plain = simulate(make_order("urawa-misono", days=1), tmp_path / "plain")
    assert "long_contracts_kwh" not in plain.metrics()


def test_the_market_trades_what_was_not_agreed() -> None:
    """Agreed and market energy of a world together are all that was bought, and half of the load leaves less."""
    without, half = (play("dgp", "thermal", share, 2, 7, 1) for share in (0.0, 0.5))
    none, some = course_of(without), course_of(half)
    assert not none.agreed_kwh.any()
    assert (some.agreed_kwh > 0).all()
    assert (some.market_kwh < none.market_kwh).all()
    energy = long_contracts_of(half)["energy"].sum() / WH_PER_KWH
    assert some.agreed_kwh.sum() == pytest.approx(energy)


@pytest.mark.slow
def test_the_study_runs_and_draws(tmp_path: Path) -> None:
    """One day of every design, seller and share."""
    study = study_long_contracts(days=1)
    assert len(study.rows_found) == 12
    assert [path.stat().st_size > 10_000 for path in save_pictures(study, tmp_path)] == [True]
    assert {row.agreed for row in study.rows_found if row.share == 0} == {0.0}
