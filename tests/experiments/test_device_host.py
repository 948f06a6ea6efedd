"""A device in the live market does, bit for bit, what its exported policy does in an evaluation run."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.fleet import Role
from agents.policies import mark_up
from agents.policy_file import PolicyFile
from envs.scenario import load_scenario
from experiments import device_host, device_process
from experiments.device_host import run_device_day
from experiments.device_process import DeviceProcess
from ledger.keys import create_key_file
from market.design import DESIGNS, find_design
from market.errors import ConfigError, LedgerError, PolicyError
from tests.reference.networks import write_network

SCENARIO = load_scenario("urawa-misono")


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> PolicyFile:
    """An exported policy for homes."""
    return write_network(tmp_path_factory.mktemp("policy") / "home.onnx", seed=4)


def test_orders_of_a_device_equal_those_of_the_evaluation_run_over_a_day(policy: PolicyFile, tmp_path: Path) -> None:
    """Every row, every plan and both content heads; the signed ledger verifies."""
    run = run_device_day(SCENARIO, find_design("dgp"), policy.path, tmp_path / "ledger")
    assert run.first_difference is None
    assert (run.envelopes, run.plans_equal) == (48, 48)
    assert run.rows_equal == run.rows > 48
    assert run.heads_equal
    assert run.verdict is not None
    assert run.verdict.ok, run.verdict.lines
    assert run.ok


def test_a_device_hears_what_outages_took_from_its_contracts(tmp_path: Path) -> None:
    """A store has contracts for half a day when the line goes down; one that missed the cuts would order otherwise."""
    outages = [
        {"line": "tohoku-tokyo", "announced_hours": told, "from_hours": told + 1, "to_hours": told + 9}
        for told in (4.5, 17)
    ]
    scenario, design = load_scenario("urawa-misono", {"outages": outages}), find_design("dgp").with_horizon(24)
    policy = write_network(tmp_path / "store.onnx", seed=4, role="store")
    run = run_device_day(scenario, design, policy.path, tmp_path / "ledger", party="store-1")
    assert run.ok, (run.first_difference, run.verdict)
    assert run.verdict is not None
    assert run.verdict.counts["curtailed contracts"] > 20


def test_a_difference_is_found_and_named(policy: PolicyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that is told another charge orders something else, and the run says where first."""
    told = device_host._Seat.report

    def lie(*args: object) -> object:
        report = told(*args)  # type: ignore[arg-type]
        return replace(report, stored_wh=report.stored_wh // 2) if report.slot % 48 == 20 else report

    monkeypatch.setattr(device_host._Seat, "report", lie)
    run = run_device_day(SCENARIO, find_design("dgp"), policy.path, tmp_path / "ledger")
    assert run.first_difference is not None
    assert not run.heads_equal
    assert not run.ok


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("role", ["home", "solar"])
def test_devices_are_equal_under_every_design_and_role(design: str, role: str, tmp_path: Path) -> None:
    """Three days, among others with fixed mark-ups."""
    policy = write_network(tmp_path / "policy.onnx", seed=9, role=role)
    party = {"home": "home-3", "solar": "mall"}[role]
    others = {Role.STORE: mark_up(0.4), Role.THERMAL: mark_up(0.2)}
    run = run_device_day(
        SCENARIO, find_design(design), policy.path, tmp_path / "ledger", party=party, days=3, seed=5, others=others
    )
    assert run.ok, (run.first_difference, run.verdict)


def test_what_a_device_cannot_serve_is_refused_before_anything_is_written(policy: PolicyFile, tmp_path: Path) -> None:
    """Unknown party, other role, perfect forecast, a horizon beyond its forecast."""
    folder = tmp_path / "ledger"
    perfect = load_scenario("urawa-misono", {"forecast": "perfect"})
    for scenario, design, party, kind in (
        (SCENARIO, find_design("dgp"), "home-9", ConfigError),
        (SCENARIO, find_design("dgp"), "store-1", PolicyError),
        (perfect, find_design("dgp"), "home-1", ConfigError),
        (SCENARIO, find_design("dgp").with_horizon(200), "home-1", ConfigError),
    ):
        with pytest.raises(kind):
            run_device_day(scenario, design, policy.path, folder, party=party)
    assert not folder.exists()


def test_a_device_that_gives_up_is_quoted(policy: PolicyFile, tmp_path: Path) -> None:
    """Its last line reaches the caller, and no process is left."""
    (tmp_path / "bad.pem").write_text("no key")
    with pytest.raises(PolicyError, match="no readable key"):
        DeviceProcess(policy.path, tmp_path / "bad.pem")


def test_a_device_must_prove_its_key(policy: PolicyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof for something else is refused."""
    create_key_file(tmp_path / "key.pem")
    monkeypatch.setattr(device_process, "enrolment_message", lambda chain_id, key: b"something else")
    with pytest.raises(LedgerError, match="prove"):
        run_device_day(SCENARIO, find_design("dgp"), policy.path, tmp_path / "ledger", key=tmp_path / "key.pem")
