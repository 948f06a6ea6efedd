"""A device in the live market does, bit for bit, what its exported policy does in an evaluation run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.fleet import Role
from agents.frames import Report
from agents.policies import mark_up
from agents.policy_file import PolicyFile
from envs.scenario import load_scenario
from experiments import device_host, device_process
from experiments.device_host import DeviceRun, keep_device_day, run_device_day
from experiments.device_process import DeviceProcess
from experiments.runs import RunFolder
from experiments.why import explain
from ledger.acknowledgements import read_acknowledgement
from ledger.content import fixed_dtype
from ledger.encoding import record_id
from ledger.journal import read
from ledger.keys import create_key_file
from ledger.proofs import places
from ledger.reasons import ObservationLog, name_observation, read_observations
from ledger.receipts import administrators_of
from ledger.records import RecordType, read_step, split_envelope
from ledger.rules import read_genesis
from market.contracts import CONTRACT, CONTRACT_WIRE
from market.design import DESIGNS, find_design
from market.errors import ConfigError, DataError, LedgerError, PolicyError
from market.settlement import KINDS
from market.tables import from_wire
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


Day = tuple[RunFolder, DeviceRun, Path]


@pytest.fixture(scope="module")
def day(policy: PolicyFile, tmp_path_factory: pytest.TempPathFactory) -> Day:
    """A kept day of a device: run folder, what was found, the device's key file."""
    folder = tmp_path_factory.mktemp("device")
    create_key_file(folder / "home.pem")
    return *keep_device_day(
        folder / "day", SCENARIO, find_design("dgp"), policy.path, key=folder / "home.pem"
    ), folder / "home.pem"


def test_a_resent_envelope_gets_its_first_answer(day: Day) -> None:
    """Answers are the operator's, name block and codes as they stand in the ledger, and are the same bytes again."""
    kept, run, _ = day
    assert (len(run.receipts), run.resent_alike) == (48, 48)
    world = kept.ledger / "world-0000"
    (operator,) = administrators_of(world).keys
    stands = {
        record_id(body[: len(body) - len(codes) - 64]): (place.height, codes)
        for place, kind, body in places(world)
        if kind == RecordType.ENVELOPE and (codes := split_envelope(body)[1]) is not None
    }
    for receipt in run.receipts:
        said = read_acknowledgement(receipt, operator)
        assert stands[said.record_id] == (said.height, said.codes)
    with pytest.raises(LedgerError, match="not signed by the operator"):
        read_acknowledgement(receipt[:-1] + bytes([receipt[-1] ^ 1]), operator)
    for wrong in (receipt[:-1], receipt + b"\0", receipt[:20]):
        with pytest.raises(LedgerError, match=r"cut short|wrong length"):
            read_acknowledgement(wrong, operator)


def test_a_device_that_sends_its_old_envelope_again_is_not_heard_twice(
    policy: PolicyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one step it says what it said in the step before: it gets the first answer, and nothing enters."""
    ask, said = DeviceProcess.ask, list[bytes]()

    def stutter(device: DeviceProcess, report: Report) -> bytes:
        fresh = ask(device, report)
        said.append(said[-1] if len(said) == 7 else fresh)
        return said[-1]

    monkeypatch.setattr(DeviceProcess, "ask", stutter)
    run = run_device_day(SCENARIO, find_design("dgp"), policy.path, tmp_path / "ledger")
    assert run.receipts[6] == run.receipts[7]
    assert run.verdict is not None
    assert run.verdict.ok, run.verdict.lines
    assert run.verdict.counts["refused envelopes"] == 0


def contract_of(world: Path, party: str) -> str:
    """The name of a contract that a party's order made."""
    rules = None
    for height, number, kind, body in read(world):
        if kind == RecordType.GENESIS:
            rules = read_genesis(body).rules
        if kind != RecordType.STEP or rules is None:
            continue
        accounts = rules.accounts
        size = fixed_dtype(accounts.parties, accounts.count, KINDS).itemsize
        formed = from_wire(read_step(body, size, CONTRACT_WIRE.itemsize).contracts, CONTRACT_WIRE, CONTRACT)
        row = accounts.party_names.index(party)
        mine = ((formed["buyer"] == row) | (formed["seller"] == row)) & (formed["last_resort"] == 0)
        if mine.any():
            return f"{height}/{number}#{np.flatnonzero(mine)[0]}"
    raise AssertionError("the party made no contract")


def test_a_day_of_a_device_is_explained_by_why(day: Day) -> None:
    """A contract of its party: policy and observation are at hand, and the decision comes out the same."""
    kept, made, _ = day
    told = explain(contract_of(kept.ledger / "world-0000", made.party), kept.path)
    side = next(one for one in told.sides.values() if one.party == made.party)
    assert side.again.same is True


def test_a_device_keeps_what_it_saw_beside_its_key(day: Day) -> None:
    """One observation a step, those its envelopes name."""
    kept, _, key = day
    seen = {name_observation(data) for data in read_observations(key.with_suffix(".observations.dgo"))}
    named = {body[100:132] for _, kind, body in places(kept.ledger / "world-0000") if kind == RecordType.ENVELOPE}
    assert len(seen) == 48
    assert seen <= named


def test_observations_go_on_behind_the_last_whole_step(tmp_path: Path) -> None:
    """What a crash left unfinished is cut; another file is not written to."""
    path = tmp_path / "seen.dgo"
    for data in (b"one", b"two"):
        log = ObservationLog(path, resume=True)
        log.add([data])
        log.close()
        with path.open("ab") as file:
            file.write(b"\0\0\1\0 the power went")
    ObservationLog(path, resume=True).close()
    assert list(read_observations(path)) == [b"one", b"two"]
    path.write_bytes(b"something else")
    with pytest.raises(DataError, match="move it away"):
        ObservationLog(path, resume=True)
    assert path.read_bytes() == b"something else"


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


@pytest.mark.parametrize(
    ("settings", "role", "party"),
    [
        ({"meter.resolution_wh": 100, "meter.lag_slots": 40}, "home", "home-2"),
        ({"meter.resolution_wh": 1_000, "mall.routers": 1, "mall.curtail_to_contract": True}, "solar", "mall"),
    ],
)
def test_a_device_knows_its_meter_and_its_routers(
    settings: dict[str, object], role: str, party: str, tmp_path: Path
) -> None:
    """Coarse registers, late readings, one router of 20 kW for 60 kW of PV: orders equal the evaluation run's."""
    scenario, design = load_scenario("urawa-misono", settings), find_design("dgp").with_horizon(90)
    policy = write_network(tmp_path / "policy.onnx", seed=4, role=role)
    run = run_device_day(scenario, design, policy.path, tmp_path / "ledger", party=party, days=2)
    assert run.ok, (run.first_difference, run.verdict)
    assert run.rows > 40


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


def test_a_device_knows_the_extras_of_its_battery(policy: PolicyFile, tmp_path: Path) -> None:
    """Lowest charge, self-discharge and a discharge of its own: the same orders and heads as in the world."""
    extras = {"lowest": 0.2, "self_discharge": 0.001, "discharge": 0.8, "discharge_kw": 3.0}
    scenario = load_scenario("urawa-misono", {f"homes.battery.{key}": value for key, value in extras.items()})
    run = run_device_day(scenario, find_design("dgp"), policy.path, tmp_path / "ledger", party="home-2", days=1, seed=5)
    assert run.ok, (run.first_difference, run.verdict)


def test_what_a_device_cannot_serve_is_refused_before_anything_is_written(policy: PolicyFile, tmp_path: Path) -> None:
    """Unknown party, other role, perfect or corrected forecast, a lossy link, a car, a horizon beyond its forecast."""
    folder = tmp_path / "ledger"
    perfect, corrected, lossy, driving = (
        load_scenario("urawa-misono", settings)
        for settings in ({"forecast": "perfect"}, {"forecast_updates": True}, {"link.loss": 0.1}, {"homes.vehicle": {}})
    )
    for scenario, design, party, kind in (
        (SCENARIO, find_design("dgp"), "home-9", ConfigError),
        (SCENARIO, find_design("dgp"), "store-1", PolicyError),
        (perfect, find_design("dgp"), "home-1", ConfigError),
        (corrected, find_design("dgp"), "home-1", ConfigError),
        (lossy, find_design("dgp"), "home-1", ConfigError),
        (driving, find_design("dgp"), "home-1", ConfigError),
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
