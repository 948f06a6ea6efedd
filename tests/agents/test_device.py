"""The device runtime: what it loads, whom it obeys, what it signs, and the frames it speaks."""

import io
import json
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from agents.device import Device, main, serve
from agents.draw import Purpose, below, draw
from agents.fleet import NO_COST, Role
from agents.forecasting import FIRST_LAG_DAYS, HISTORY_DAYS, READING_LAG
from agents.frames import (
    Enrolment,
    Genesis,
    Hello,
    Installation,
    Report,
    Said,
    enrolment_message,
    read_frame,
    write_frame,
)
from agents.policies import TRUTHFUL_POLICY
from agents.policy_file import PolicyFile
from ledger.admission import admit_envelopes
from ledger.encoding import ABSENT, SAYS_READING, decode_heads, decode_rows
from ledger.keys import SoftwareSigner, is_signed_by
from ledger.registry import Registry
from ledger.rules import Rules
from market.design import find_design
from market.errors import ConfigError, DataError, PolicyError, Refusal
from market.grid import Grid, Line
from market.orders import Kind, Side
from market.settlement import Accounts, Terms
from market.slots import HALF_HOURS
from tests.reference.networks import write_network

DAY = HALF_HOURS.per_day
AHEAD = FIRST_LAG_DAYS * DAY
START = 6_700 * DAY
REAL_CHAIN, SIMULATED_CHAIN = b"R" + bytes(15), b"S" + bytes(15)
HEAVY = ("torch", "numba", "scipy", "pandas", "mesa", "gymnasium", "pydantic", "typer", "rich", "onnx", "matplotlib")
GRID = Grid(("tokyo", "tohoku"), (Line("tohoku-tokyo", 1, 0),))
RULES = Rules(
    find_design("dgp"),
    Accounts(GRID, ("home", "other", "retail-tokyo", "retail-tohoku"), (0, 0, 0, 1), (2, 3)),
    Terms(9_440, 2_900, 660, 10_660, 1_000, 500, 3_000),
    (0, 0, 0, 0),
    (1, 1, 0, 0),
    2 * DAY,
)
HOME = Installation(int(Role.HOME), 5_000, 0, NO_COST, 3_750, 2_500, 10_000, 921_954, 0, 2_500, 1, READING_LAG)


def make_genesis(chain_id: bytes = REAL_CHAIN, **changes: Any) -> Genesis:
    """A home in a market of two days."""
    history = below(draw(1, np.arange(HISTORY_DAYS * DAY), 0, 0, Purpose.LOAD), 500)
    return replace(Genesis(chain_id, 0, START, RULES, HOME, history), **changes)


def make_report(step: int = 0, **changes: Any) -> Report:
    """A quiet step: a noon sun, a flat price, an empty book."""
    told = Report(
        slot=START + step,
        stored_wh=4_000,
        load_wh=None if step == 0 else 300,
        reading_wh=None if step == 0 else 120,
        solar_wh_kw=np.full(AHEAD, 40),
        outside=np.full(AHEAD, 9_000),
        traded_ppm=np.full(DAY, 500_000),
        best_bid=(None,) * 4,
        best_ask=(None,) * 4,
        contracts=(),
        live=(),
    )
    return replace(told, **changes)


def talk(policy: PolicyFile, signer: SoftwareSigner, *messages: dict[str, Any], simulation: bool = False) -> list[Any]:
    """Everything a device answers to these messages."""
    incoming, outgoing = io.BytesIO(), io.BytesIO()
    for message in messages:
        write_frame(incoming, message)
    incoming.seek(0)
    serve(policy, signer, incoming, outgoing, simulation)
    outgoing.seek(0)
    return list(iter(lambda: read_frame(outgoing), None))


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> PolicyFile:
    """An exported policy for homes."""
    return write_network(tmp_path_factory.mktemp("policy") / "home.onnx")


@pytest.fixture(scope="module")
def signer() -> SoftwareSigner:
    """A device's key."""
    return SoftwareSigner.generate()


def test_a_device_process_loads_no_heavy_library(policy: PolicyFile, tmp_path: Path) -> None:
    """Answering reports needs numpy, cryptography, onnxruntime, and market, ledger and agents code only."""
    key = tmp_path / "device.pem"
    assert main(["--new-key", str(key)]) == 0
    incoming = io.BytesIO()
    write_frame(incoming, make_genesis().to_message())
    write_frame(incoming, make_report().to_message())
    code = (
        "import sys; from agents.device import main; code = main(sys.argv[1:]);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(policy.path), "--key", str(key)],
        input=incoming.getvalue(),
        capture_output=True,
        check=True,
    )
    loaded = set(done.stderr.decode().split())
    assert {"numpy", "cryptography", "onnxruntime", "agents", "ledger", "market"} <= loaded
    assert not loaded & {*HEAVY, "envs", "experiments"}
    out = io.BytesIO(done.stdout)
    assert [message["type"] for message in iter(lambda: read_frame(out), None)] == ["hello", "enrolment", "envelope"]


def test_help_and_bad_arguments_end_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The command says how it is used; without a key it exits with 2."""
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "example: digitalgrid device" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        main(["home.onnx"])
    assert caught.value.code == 2


def test_a_new_key_is_private_and_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The key file is its owner's alone; asking twice is an error of one line."""
    path = tmp_path / "device.pem"
    assert main(["--new-key", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(bytes.fromhex(capsys.readouterr().out.strip())) == 32
    before = path.read_bytes()
    assert main(["--new-key", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize("missing", ["policy", "key"])
def test_a_missing_policy_or_key_is_one_line_and_exit_code_2(
    policy: PolicyFile, tmp_path: Path, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What, where, and what to do."""
    key = tmp_path / "device.pem"
    if missing == "policy":
        main(["--new-key", str(key)])
        capsys.readouterr()
    network = str(tmp_path / "none.onnx") if missing == "policy" else str(policy.path)
    assert main([network, "--key", str(key)]) == 2
    words = capsys.readouterr().err
    assert words.startswith("digitalgrid device: ")
    assert words.count("\n") == 1


def test_a_device_refuses_a_simulation_unless_asked(policy: PolicyFile, signer: SoftwareSigner) -> None:
    """A real key does not speak on a chain whose keys anyone can derive."""
    genesis = make_genesis(SIMULATED_CHAIN).to_message()
    with pytest.raises(ConfigError, match="--simulation"):
        talk(policy, signer, genesis)
    assert [message["type"] for message in talk(policy, signer, genesis, simulation=True)] == ["hello", "enrolment"]


def test_a_device_refuses_a_party_of_another_role(policy: PolicyFile, signer: SoftwareSigner) -> None:
    """A policy for homes does not bid for a store."""
    genesis = make_genesis(installation=replace(HOME, role=int(Role.STORE)))
    with pytest.raises(PolicyError, match="home, the party is store"):
        talk(policy, signer, genesis.to_message())


def test_enrolment_proves_the_key_for_one_chain_only(policy: PolicyFile, signer: SoftwareSigner) -> None:
    """The proof is a signature over a domain tag, the chain id and the key."""
    hello, enrolment = talk(policy, signer, make_genesis().to_message())
    assert Hello.from_message(hello) == Hello(signer.public_key, bytes.fromhex(policy.sha256))
    proof = Enrolment.from_message(enrolment)
    verifier = Ed25519PublicKey.from_public_bytes(proof.public_key)
    assert is_signed_by(verifier, proof.proof, enrolment_message(REAL_CHAIN, signer.public_key))
    assert not is_signed_by(verifier, proof.proof, enrolment_message(SIMULATED_CHAIN, signer.public_key))


def test_envelopes_of_a_device_are_admitted_one_a_step(policy: PolicyFile, signer: SoftwareSigner) -> None:
    """Chain, key, sequence and signature are right; what was said arrives."""
    registry, heard = Registry(), dict[bytes, int]()
    registry.register(0, signer.public_key)
    reports = [make_report(step).to_message() for step in range(5)]
    answers = talk(policy, signer, make_genesis().to_message(), *reports)[2:]
    for step, answer in enumerate(answers):
        said = Said.from_message(answer)
        hearing = admit_envelopes(registry, REAL_CHAIN, heard, [said.envelope, said.envelope], START + step)
        assert hearing.codes.tolist() == [Refusal.ADMITTED, Refusal.RESENT]
        assert hearing.in_time.all()
        assert hearing.plan[0] != ABSENT
        assert hearing.reading[0] == (ABSENT if step == 0 else 120)
    assert len(answers) == 5


def test_a_truthful_device_offers_its_forecast_at_its_reservation_price(signer: SoftwareSigner) -> None:
    """A surplus of sun with a full battery is offered at feed-in; nothing is bought."""
    genesis = make_genesis(load_history_wh=np.full(HISTORY_DAYS * DAY, 100), installation=replace(HOME, solar_w=10_000))
    envelope = Device(genesis, TRUTHFUL_POLICY, signer).answer(make_report(stored_wh=10_000))
    rows = decode_rows([envelope])
    assert rows["slot"].tolist() == [START + 2, START + 3, START + 4, START + 5]
    assert (rows["side"] == Side.SELL).all()
    assert (rows["energy"] == 300).all(), "40 Wh/kW x 10 kW less a load of 100 Wh"
    assert (rows["price"] == 8_000).all(), "outside price less the feed-in discount"
    assert decode_heads([envelope])["plan"][0] == -300
    assert not decode_heads([envelope])["says"][0] & SAYS_READING


def test_a_device_orders_what_its_contracts_leave_and_cancels_what_it_no_longer_wants(signer: SoftwareSigner) -> None:
    """Positions reduce orders; a live order without a wish behind it is withdrawn."""
    genesis = make_genesis(load_history_wh=np.full(HISTORY_DAYS * DAY, 100), installation=replace(HOME, solar_w=10_000))
    report = make_report(
        stored_wh=10_000,
        contracts=((START + 3, -120), (START + 3, -80), (START + 4, -300)),
        live=((START + 4, int(Side.SELL)), (START + 5, int(Side.BUY))),
    )
    rows = decode_rows([Device(genesis, TRUTHFUL_POLICY, signer).answer(report)])
    wanted = [
        (START + 2, Side.SELL, Kind.REPLACE, 300),
        (START + 3, Side.SELL, Kind.REPLACE, 100),
        (START + 4, Side.SELL, Kind.CANCEL, 0),
        (START + 5, Side.BUY, Kind.CANCEL, 0),
        (START + 5, Side.SELL, Kind.REPLACE, 300),
    ]
    assert [tuple(row) for row in rows[["slot", "side", "kind", "energy"]].tolist()] == wanted


def test_a_load_moves_the_forecast_of_its_half_hour_two_days_later_only(signer: SoftwareSigner) -> None:
    """Seasonal naive: the mean of two to eight days before; the window ends where a load would be missing."""
    views = []
    for load in (300, 1_000_300):
        device = Device(make_genesis(), TRUTHFUL_POLICY, signer)
        device.answer(make_report(0))
        device.answer(make_report(1, load_wh=load))
        views.append(device.view(make_report(2)).net_wh[0, 0])
    assert len(views[0]) == AHEAD
    changed = np.flatnonzero(views[0] != views[1])
    assert (changed + 2).tolist() == [2 * DAY], "the load of slot 0, seen from slot 2"
    assert (views[1] - views[0])[changed] in (1_000_000 // 7, 1_000_000 // 7 + 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"slot": START + 1},
        {"slot": START - 1},
        {"load_wh": 5},
        {"contracts": ((START - 1, 5),)},
        {"contracts": ((START + 2 * DAY, 5),)},
        {"live": ((START + 1, 1),)},
        {"live": ((START + 3, 3),)},
        {"best_bid": (None,) * 3},
    ],
)
def test_a_report_that_cannot_be_is_refused(signer: SoftwareSigner, changes: dict[str, Any]) -> None:
    """Steps come in order; contracts and live orders lie where they can."""
    with pytest.raises(DataError):
        Device(make_genesis(), TRUTHFUL_POLICY, signer).answer(make_report(**changes))


def test_messages_come_back_as_sent() -> None:
    """Genesis and report survive the wire."""
    genesis = make_genesis()
    again = Genesis.from_message(json.loads(json.dumps(genesis.to_message())))
    assert again.rules == genesis.rules
    assert (again.load_history_wh == genesis.load_history_wh).all()
    assert replace(again, load_history_wh=genesis.load_history_wh).__dict__ == genesis.__dict__
    report = make_report(3, contracts=((START, -5),), live=((START + 5, 2),), best_bid=(None, 5, None, 6))
    message = json.loads(json.dumps(report.to_message()))
    assert Report.from_message(message, DAY).to_message() == report.to_message()


@pytest.mark.parametrize("value", [None, "7", 1.0, True, 1 << 38, [], {}])
@pytest.mark.parametrize("name", ["slot", "stored_wh", "solar_wh_kw", "contracts", "live"])
def test_a_report_with_a_wrong_value_is_refused_naming_the_part(name: str, value: Any) -> None:
    """Only integers within bounds, and lists of the right length, are read."""
    message = json.loads(json.dumps(make_report(1).to_message()))
    if value == [] and name in ("contracts", "live"):
        value = [[1]]
    with pytest.raises(DataError, match=name):
        Report.from_message(message | {name: value}, DAY)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("solar_wh_kw", [-1] * AHEAD),
        ("solar_wh_kw", [1 << 17] * AHEAD),
        ("outside", [1 << 24] * AHEAD),
        ("outside", [9_000] * (AHEAD - 1)),
        ("traded_ppm", [1_000_001] * DAY),
        ("best_bid", [1 << 24] * 4),
        ("best_ask", [-(1 << 24)] * 4),
    ],
)
def test_weather_prices_and_quotes_stay_within_what_can_be(name: str, value: list[int]) -> None:
    """No number that a market sends can overflow a device's sums."""
    with pytest.raises(DataError, match=name):
        Report.from_message(json.loads(json.dumps(make_report(1).to_message())) | {name: value}, DAY)


def test_unknown_and_missing_parts_are_refused() -> None:
    """A message has exactly its parts."""
    message = make_report(1).to_message()
    with pytest.raises(DataError, match="extra"):
        Report.from_message(message | {"extra": 1}, DAY)
    del message["outside"]
    with pytest.raises(DataError, match="outside"):
        Report.from_message(message, DAY)
    with pytest.raises(DataError, match="digitalgrid-frames/2"):
        Genesis.from_message(make_genesis().to_message() | {"format": "digitalgrid-frames/1"})


@pytest.mark.parametrize("name", ["chain", "party", "rules", "installation", "load_history_wh"])
def test_a_genesis_with_a_wrong_part_is_refused_naming_it(name: str) -> None:
    """Chain id, party, rules, devices and history are each checked."""
    message = json.loads(json.dumps(make_genesis().to_message()))
    with pytest.raises(DataError, match=name):
        Genesis.from_message(message | {name: 9 if name == "party" else {"a": 1}})


@pytest.mark.parametrize("wrong", [{"meter_wh": 0}, {"lag": 0}, {"lag": DAY + 1}, {"solar_limit_wh": -1}])
def test_an_installation_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    """A register has steps, a reading is official after a slot or more and within a day, a router takes no power."""
    message = make_genesis(installation=replace(HOME, **wrong)).to_message()
    with pytest.raises(DataError, match="installation"):
        Genesis.from_message(json.loads(json.dumps(message)))


def test_a_device_knows_the_step_of_its_meter(signer: SoftwareSigner) -> None:
    """A register that counts in 100 Wh never moves by 120 Wh: neither load nor meter may say so."""
    coarse = make_genesis(installation=replace(HOME, meter_wh=100))
    for told in ({"load_wh": 300, "reading_wh": 120}, {"load_wh": 310, "reading_wh": -100}):
        device = Device(coarse, TRUTHFUL_POLICY, signer)
        device.answer(make_report(0))
        with pytest.raises(DataError, match="no whole step of a meter that counts in 100 Wh"):
            device.answer(make_report(1, **told))


def test_a_device_offers_no_more_sun_than_its_routers_pass(signer: SoftwareSigner) -> None:
    """5 kW of PV in full sun behind a router of 1 kW: what is forecast is the load less 500 Wh."""
    bright = make_report(0, solar_wh_kw=np.full(AHEAD, 400))
    nets = [
        Device(make_genesis(installation=replace(HOME, solar_limit_wh=limit)), TRUTHFUL_POLICY, signer)
        .view(bright)
        .net_wh
        for limit in (500, 2_500)
    ]
    assert np.unique(nets[0] - nets[1]).tolist() == [1_500]


def test_a_device_with_a_slow_meter_repeats_the_day_before(signer: SoftwareSigner) -> None:
    """Readings official after ten slots: the last seven half hours of two days ahead are those of the day before."""
    nets = [
        Device(make_genesis(installation=replace(HOME, lag=lag)), TRUTHFUL_POLICY, signer).view(make_report(0)).net_wh
        for lag in (READING_LAG, 10)
    ]
    assert (nets[0][..., : AHEAD - 7] == nets[1][..., : AHEAD - 7]).all()
    assert (nets[1][..., AHEAD - 7 :] == nets[0][..., AHEAD - 7 - DAY : AHEAD - DAY]).all()
    assert (nets[1][..., AHEAD - 7 :] != nets[0][..., AHEAD - 7 :]).any()


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(st.text(max_size=10), plain, max_size=5), max_size=4))
def test_frames_come_back_as_written_and_any_break_is_seen(messages: list[dict[str, Any]]) -> None:
    """Whole frames read back in order; a stream cut inside one, or with a byte changed, never reads as the same."""
    stream = io.BytesIO()
    for message in messages:
        write_frame(stream, message)
    data = stream.getvalue()
    stream.seek(0)
    assert list(iter(lambda: read_frame(stream), None)) == messages
    if messages:
        cut = io.BytesIO(data[:-1])
        with pytest.raises(DataError):
            list(iter(lambda: read_frame(cut), None))


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"1", b'{"a": 1}', b'{"b":1,"a":1}', b'{"a":1,"a":1}', b'{"a":NaN}']
)
def test_a_frame_has_one_spelling(body: bytes) -> None:
    """Anything but one object in canonical JSON is refused."""
    with pytest.raises(DataError):
        read_frame(io.BytesIO(len(body).to_bytes(4, "big") + body))


def test_a_frame_that_is_too_long_is_refused_before_it_is_read() -> None:
    """A length of gigabytes does not make the reader wait for them."""
    with pytest.raises(DataError, match="no frame"):
        read_frame(io.BytesIO(b"\xff\xff\xff\xff"))
