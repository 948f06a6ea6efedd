"""Admission over many steps against the referee that keeps everything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.admission import CHECKS, NOT_AFTER, admit_envelopes
from ledger.evidence import read_equivocation
from ledger.flood import flood
from ledger.forgeries import CHAIN, write_envelope
from ledger.keys import SoftwareSigner, Verifier, is_signed_by
from ledger.registry import Registry
from ledger.remembered import KEPT, Remembered
from ledger.sealed_forgeries import Stage
from ledger.sealed_hearing import hear_sealed
from market.errors import Refusal
from tests.reference.admission import Ear, Said

SIGNERS = [SoftwareSigner.generate(kind) for kind in ("ed25519", "p256", "ed25519", "ed25519")]
ROWS = {0: 2, 1: 3, 2: 3}
NOW = 100
said = st.builds(
    Said,
    key=st.sampled_from([0, 0, 0, 1, 1, 2, 3]),
    sequence=st.integers(0, 9),
    slot=st.integers(NOW - NOT_AFTER - 1, NOW + 4),
    text=st.integers(1, 2),
    rows=st.integers(0, 3),
    is_signed=st.sampled_from([True, True, True, False]),
)


def write(one: Said) -> bytes:
    """The envelope's bytes."""
    envelope = write_envelope(SIGNERS[one.key], one.sequence, one.slot, one.text, rows=one.rows)
    return envelope if one.is_signed else envelope[:-64] + bytes(64)


@given(st.lists(st.lists(said, max_size=6), max_size=5))
@settings(max_examples=60, deadline=None)
def test_every_stream_of_envelopes_is_heard_as_the_referee_hears_it(steps: list[list[Said]]) -> None:
    """Keys 0 and 1 speak, 2 is revoked, 3 unknown; each offence leaves evidence once."""
    registry, last, remembered = Registry(), dict[bytes, int](), Remembered()
    for key, most in ROWS.items():
        registry.register(key, SIGNERS[key].public_key, rows=most)
    registry.revoke(SIGNERS[2].key_id)
    ear = Ear(dict(ROWS), {2}, KEPT, NOT_AFTER)
    accused = []
    for number, given_envelopes in enumerate(steps):
        now = NOW + number
        expected = ear.hear(given_envelopes, now)
        heard = admit_envelopes(registry, CHAIN, last, [write(one) for one in given_envelopes], now, remembered)
        assert [Refusal(code) for code in heard.codes.tolist()] == expected
        assert len(heard.kept) == expected.count(Refusal.ADMITTED)
        accused += [read_equivocation(body) for body in heard.evidence]
        assert bool(heard.evidence) <= (Refusal.EQUIVOCATION in expected)
    offences = [(one.key_id, one.sequence) for one in accused]
    assert len(offences) == len(set(offences))
    for key in (0, 1):
        spoken = ear.heard.get(key, [])
        assert last.get(SIGNERS[key].key_id, 0) == max((one.sequence for one in spoken), default=0)


def test_a_flood_under_one_key_costs_no_more_checks_than_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand bad signatures under one claimed key: the rest is refused unread; another key is heard as ever."""
    registry, checked = Registry(), list[bytes]()
    for key in (0, 1):
        registry.register(key, SIGNERS[key].public_key)

    def count(verifier: Verifier, signature: bytes, message: bytes) -> bool:
        checked.append(message)
        return is_signed_by(verifier, signature, message)

    monkeypatch.setattr("ledger.admission.is_signed_by", count)
    junk = [write(Said(0, number, NOW, 1, 1, False)) for number in range(1, 1_001)]
    honest = write(Said(1, 1, NOW, 1, 1, True))
    heard = admit_envelopes(registry, CHAIN, {}, [*junk, honest], NOW)
    assert len(checked) == CHECKS + 1
    assert heard.codes.tolist() == [Refusal.BAD_SIGNATURE] * CHECKS + [Refusal.FLOODED] * (1_000 - CHECKS) + [0]
    assert heard.kept == [honest]


def test_junk_below_the_cap_takes_nothing_from_a_key() -> None:
    """Its own envelope is heard behind as many bad ones as are checked, less one; the cap starts anew each step."""
    registry, last = Registry(), dict[bytes, int]()
    registry.register(0, SIGNERS[0].public_key)
    for step in (0, 1):
        junk = [write(Said(0, 50 + number, NOW + step, 1, 1, False)) for number in range(CHECKS - 1)]
        own = write(Said(0, step + 1, NOW + step, 1, 1, True))
        assert admit_envelopes(registry, CHAIN, last, [*junk, own], NOW + step).kept == [own]


def test_a_flood_of_sealed_orders_under_one_key_costs_no_more_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same cap before the gate; an order of another key is kept."""
    stage, checked = Stage(3), list[bytes]()

    def count(verifier: Verifier, signature: bytes, message: bytes) -> bool:
        checked.append(message)
        return is_signed_by(verifier, signature, message)

    monkeypatch.setattr("ledger.sealed_hearing.is_signed_by", count)
    bad = stage.seal(stage.devices[0])[:-64] + bytes(64)
    honest = stage.seal(stage.devices[1])
    arrived = hear_sealed(stage.registry, stage.privacy, CHAIN, dict(stage.last), [*[bad] * 100, honest], NOW)
    assert len(checked) == CHECKS + 1
    assert arrived.codes == [Refusal.BAD_SIGNATURE] * CHECKS + [Refusal.FLOODED] * (100 - CHECKS) + [Refusal.ADMITTED]
    assert arrived.kept == [honest]


def test_the_cost_of_a_flood_is_told() -> None:
    """By code, with and without the cap."""
    told = flood(400)
    assert told.codes == {"BAD_SIGNATURE": CHECKS, "FLOODED": 400 - CHECKS}
    assert told.line().startswith("400 bad envelopes of 48 orders under one key id: 16 BAD_SIGNATURE, 384 FLOODED; ")
    assert told.capped_s < told.unbounded_s
