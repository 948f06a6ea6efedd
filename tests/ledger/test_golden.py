"""Bytes of every record type and header are frozen: they change only with a version, and decoders are strict.

`python -m tests.ledger.test_golden` writes `golden.json` anew: do that only where a version was raised.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.blocks import Header, read_header
from ledger.encoding import ABSENT, encode_bodies, signed_message
from ledger.epochs import EpochStart, Promise, Tip, promise_message, read_epoch_start
from ledger.evidence import accuse, read_equivocation
from ledger.executions import Execution, read_execution
from ledger.growth import Growth, read_growth
from ledger.keys import Signer, simulation_signer
from ledger.limits import Limits, Role
from ledger.outages import outage_bodies, read_outage
from ledger.programs import FORMAT, Programs, program_hash, read_programs
from ledger.quorum import Administrators, Vote, cosign_message, make_certificate, read_certificate
from ledger.receipts import Receipt, keys_file, read_keys, read_receipt
from ledger.records import Members, RecordType, StepBody, end_body, read_members, read_step, split_envelope
from ledger.registrations import (
    By,
    Enrolment,
    Revocation,
    Rotation,
    read_enrolment,
    read_revocation,
    read_rotation,
)
from ledger.registrations import Reason as Why
from ledger.rules import calendar_bytes, genesis_bytes, read_calendar, read_genesis
from ledger.sealed_records import Privacy, digest_orders, read_privacy, read_sheet, write_sheet
from ledger.sealing import Opener, read_sealed, seal_envelope
from ledger.snapshots import Snapshot, read_snapshot
from ledger.state import State
from market.contracts import CONTRACT, CONTRACT_WIRE
from market.errors import ConfigError, LedgerError
from market.orders import ORDER, ORDER_WIRE
from market.outages import CURTAILED, NOTICE
from market.tables import to_wire
from tests.ledger.small_world import RULES, SLOTS, START

GOLDEN = Path(__file__).with_name("golden.json")
CHAIN = b"S" + bytes(range(15))
OPERATOR, DEVICE, NEXT = (simulation_signer(CHAIN, 1, name) for name in ("operator", "device", "next"))
HASHES = [bytes([number]) * 32 for number in range(1, 8)]
FIXED_BYTES = 40
OPENERS = [Opener.from_secret(bytes([number]) * 32) for number in range(1, 4)]
SIGNERS = (OPERATOR, DEVICE, NEXT)
PRIVACY = Privacy(
    CHAIN,
    2,
    tuple(opener.public_key for opener in OPENERS),
    tuple(signer.public_key for signer in SIGNERS),
).signed(SIGNERS)


def envelope(plan: int, signer: Signer = DEVICE) -> bytes:
    """A device's envelope with two orders."""
    rows = np.zeros(2, ORDER)
    rows["side"], rows["kind"], rows["time_in_force"], rows["slot"] = (1, 2), 1, (1, 2), START + 5
    rows["energy"], rows["price"], rows["reference"] = (1_000, 250), (9_000, -10), (1, 2)
    one = np.array
    (body,) = encode_bodies(
        CHAIN, [signer.key_id], one([7]), START, one([plan]), one([ABSENT]), one([2]), to_wire(rows, ORDER_WIRE)
    )
    return body + signer.sign(signed_message(body))


def contracts() -> bytes:
    """Two contracts as recorded."""
    rows = np.zeros(2, CONTRACT)
    rows["slot"], rows["seller"], rows["buyer"], rows["energy"] = START + 5, (1, 2), 0, (500, 1_500)
    rows["sell_price"], rows["buy_price"], rows["path"], rows["source"] = (8_000, -20), (8_500, 0), (0, 1), (1, 2)
    rows["last_resort"], rows["sell_reference"], rows["buy_reference"], rows["formed"] = (0, 1), 3, 4, START
    return to_wire(rows, CONTRACT_WIRE).tobytes()


def outage() -> bytes:
    """One announced capacity and one curtailed contract."""
    notices, curtailed = np.zeros(1, NOTICE), np.zeros(1, CURTAILED)
    notices["slot"], notices["forward"], notices["backward"] = START + 5, 100, 50
    curtailed["number"], curtailed["energy"], curtailed["buyer_ujpy"], curtailed["seller_ujpy"] = 3, 40, 10, -2
    return outage_bodies(notices, curtailed, 1)[0]


def genesis() -> bytes:
    """A genesis of the small world."""
    return genesis_bytes(RULES, '{"name":"small"}', 5, START, calendar(), contracts())


def calendar() -> bytes:
    """Capacities and outside prices that count up."""
    return calendar_bytes(np.arange(SLOTS * 2).reshape(SLOTS, 1, 2), np.arange(SLOTS * 2).reshape(SLOTS, 2) - 3)


def programs() -> bytes:
    """A program of two modules."""
    sources = {"market.a": HASHES[0], "market.b": HASHES[1]}
    names = ("market.a", "market.b")
    return Programs(
        {"matching": program_hash(names, sources)}, {"matching": names}, sources, {"numpy": "1", "python": "3"}
    ).to_bytes()


def epoch() -> bytes:
    """A change of epoch that one administrator promised."""
    tip = Tip(0, 4, HASHES[2])
    signature = OPERATOR.sign(promise_message(CHAIN, 1, 0, tip))
    return EpochStart(1, tip, (Promise(1, 0, tip, signature),)).to_bytes()


def snapshot() -> bytes:
    """The state behind a genesis, its members and its opening."""
    state = State()
    for kind, body in ((RecordType.GENESIS, genesis()), (RecordType.MEMBERS, CHAIN), (RecordType.OPENING, contracts())):
        state.take(kind, body)
    return Snapshot(0, state.root(), state.to_bytes()).to_bytes()


def header() -> bytes:
    """A header with every field set."""
    return Header(
        CHAIN, 2, 3, HASHES[0], HASHES[1], 7, 99, START, START + 47, HASHES[2], 55, HASHES[3], HASHES[4], HASHES[5]
    ).to_bytes()


def certificate() -> bytes:
    """Two cosignatures."""
    message = cosign_message(CHAIN, 2, 3, HASHES[6], 9)
    votes = [Vote(who, 9, signer.sign(message)) for who, signer in enumerate((NEXT, DEVICE))]
    return make_certificate(2, 3, HASHES[6], votes).to_bytes()


def sealed() -> bytes:
    """A device's order sealed to two of three administrators, with dice anyone knows."""
    return seal_envelope(envelope(5), DEVICE, PRIVACY.openers, 2, np.random.default_rng(3).bytes)


def shares() -> bytes:
    """What the second administrator publishes of it; another order it cannot read."""
    order = sealed()
    share = OPENERS[1].find_share(read_sealed(order), 2)
    return write_sheet(CHAIN, 2, START, digest_orders([order, b"other"]), [share, None], DEVICE)


FROZEN: dict[str, tuple[Callable[[], bytes], Callable[[bytes], object]]] = {
    "genesis": (genesis, read_genesis),
    "members": (
        lambda: Members(CHAIN, OPERATOR.public_key, ((0, DEVICE.public_key), (1, NEXT.public_key))).to_bytes(),
        read_members,
    ),
    "calendar": (calendar, read_calendar),
    "opening": (contracts, lambda data: whole(data, CONTRACT_WIRE.itemsize)),
    "envelope": (lambda: envelope(5) + bytes([0, 2]), split_envelope),
    "step": (
        lambda: StepBody(
            bytes(FIXED_BYTES - 4) + (2).to_bytes(4, "big"), contracts(), ((HASHES[0], 33),), HASHES[1]
        ).to_bytes(),
        lambda data: read_step(data, FIXED_BYTES, CONTRACT_WIRE.itemsize),
    ),
    "end": (lambda: end_body(6, 99, HASHES[0]), lambda data: whole(data, 44)),
    "outage": (outage, read_outage),
    "enrol": (
        lambda: Enrolment(CHAIN, 3, 17, 48, DEVICE.public_key).signed(DEVICE, OPERATOR).to_bytes(),
        read_enrolment,
    ),
    "rotate": (
        lambda: Rotation(CHAIN, DEVICE.key_id, 17, NEXT.public_key).signed(DEVICE, NEXT).to_bytes(),
        read_rotation,
    ),
    "revoke": (
        lambda: Revocation(CHAIN, DEVICE.key_id, 17, Why.LOST, By.OPERATOR).signed(OPERATOR).to_bytes(),
        read_revocation,
    ),
    "enrol-limited": (
        lambda: (
            Enrolment(CHAIN, 3, 17, 48, DEVICE.public_key, limits=Limits(Role.STORE, 5))
            .signed(DEVICE, OPERATOR)
            .to_bytes()
        ),
        read_enrolment,
    ),
    "revoke-by-quorum": (
        lambda: (
            Revocation(CHAIN, DEVICE.key_id, 17, Why.LOST, By.ADMINISTRATORS)
            .cosigned_by({0: OPERATOR, 2: NEXT})
            .to_bytes()
        ),
        read_revocation,
    ),
    "epoch-by-disaster": (
        lambda: read_epoch_start(epoch())._replace(operator=OPERATOR.sign(b"disaster")).to_bytes(),
        read_epoch_start,
    ),
    "evidence": (lambda: accuse(DEVICE.public_key, envelope(5), envelope(6)).to_bytes(), read_equivocation),
    "program": (programs, read_programs),
    "exec": (lambda: Execution(2, HASHES[0], HASHES[1], 5, 18, 1, HASHES[2], HASHES[3]).to_bytes(), read_execution),
    "sealed": (sealed, read_sealed),
    "share": (shares, read_sheet),
    "privacy": (PRIVACY.to_bytes, read_privacy),
    "snapshot": (snapshot, read_snapshot),
    "epoch": (epoch, read_epoch_start),
    "header": (header, read_header),
    "certificate": (certificate, read_certificate),
    "receipt": (
        lambda: Receipt(b"record", 4, (HASHES[0], HASHES[1]), header(), bytes(64), b"certificate").to_bytes(),
        read_receipt,
    ),
    "growth": (lambda: Growth(header() + bytes(64), header() + bytes(64), (HASHES[0],)).to_bytes(), read_growth),
    "keys": (lambda: keys_file(Administrators(CHAIN, (NEXT.public_key, DEVICE.public_key), 2)), read_keys),
}
"""Each form by name: what makes it and what reads it."""


def whole(data: bytes, size: int) -> bytes:
    """What has no reader of its own is compared with what is derived; its length is a multiple of a size."""
    if len(data) % size:
        raise LedgerError("wrong length")
    return data


@pytest.mark.parametrize("name", FROZEN)
def test_bytes_are_frozen(name: str) -> None:
    """The bytes of the golden file, and they read back."""
    make, read = FROZEN[name]
    assert make().hex() == json.loads(GOLDEN.read_text())[name], "raise the version of this form"
    read(make())


@pytest.mark.parametrize("name", [name for name in FROZEN if name != "keys"])
def test_nothing_more_and_nothing_less_is_read(name: str) -> None:
    """A byte less or more, at either end: a LedgerError, nothing else; only the file of keys is written by people."""
    make, read = FROZEN[name]
    data = make()
    for bad in (data[:-1], data + b"\0", data + b" ", data[1:]):
        with pytest.raises(LedgerError):
            read(bad)


@pytest.mark.parametrize(
    "name",
    [
        "enrol",
        "enrol-limited",
        "rotate",
        "revoke",
        "revoke-by-quorum",
        "evidence",
        "header",
        "genesis",
        "program",
        "sealed",
        "share",
    ],
)
def test_another_version_is_not_read(name: str) -> None:
    """Versions stand where the form says; JSON forms name their format."""
    make, read = FROZEN[name]
    data = make()
    at = {"header": 4, "sealed": 4, "share": 4}.get(name, 0)
    other = data.replace(b"/1", b"/9").replace(b"/2", b"/9") if data[:1] == b"{" else None
    other = other or data[:at] + bytes([data[at] + 1]) + data[at + 1 :]
    assert other != data
    with pytest.raises(LedgerError):
        read(other)


@given(st.sampled_from(sorted(FROZEN)), st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_bytes_are_read_or_refused(name: str, data: st.DataObject) -> None:
    """Bytes replaced, left out or put in between: a decoder answers or refuses, and raises nothing unknown."""
    make, read = FROZEN[name]
    good = make()
    start = data.draw(st.integers(0, len(good)))
    stop = data.draw(st.integers(start, min(start + 8, len(good))))
    with suppress(LedgerError, ConfigError):
        read(good[:start] + data.draw(st.binary(max_size=8)) + good[stop:])


def test_every_record_type_is_frozen() -> None:
    """Whoever adds one adds its bytes."""
    assert {kind.name.lower() for kind in RecordType} <= set(FROZEN)
    assert FORMAT.endswith("/1")
    assert set(json.loads(GOLDEN.read_text())) == set(FROZEN)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({name: make().hex() for name, (make, _) in FROZEN.items()}, indent=1) + "\n")
