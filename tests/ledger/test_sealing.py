"""Sealed orders: readable by nobody before k shares are out, by everybody after, and one outcome whoever publishes."""

import hashlib
from collections.abc import Callable
from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.encoding import ABSENT, encode_bodies, signed_message
from ledger.keys import Signer, is_signed_by, read_verifier, simulation_chain_id, simulation_signer
from ledger.sealing import (
    Opener,
    Opening,
    Sealed,
    hash_share,
    open_sealed,
    read_sealed,
    seal_envelope,
    sealed_message,
)
from market.errors import ConfigError, LedgerError
from market.orders import ORDER, ORDER_WIRE
from market.tables import to_wire

CHAIN = simulation_chain_id(7, b"sealed")
SIGNER = simulation_signer(CHAIN, 7, "home-1")
OPENERS = [Opener.from_secret(bytes([number]) * 32) for number in range(1, 5)]
PUBLIC = [opener.public_key for opener in OPENERS]
GATE = 288_000


def dice_of(seed: int) -> Callable[[int], bytes]:
    """Repeatable dice."""
    rng = np.random.default_rng(seed)
    return rng.bytes


def envelope_of(signer: Signer = SIGNER, sequence: int = 3, rows: int = 2, slot: int = GATE) -> bytes:
    """A signed envelope."""
    table = np.zeros(rows, ORDER)
    table["price"], table["energy"] = 12_340, np.arange(rows) + 1
    (body,) = encode_bodies(
        CHAIN,
        [signer.key_id],
        np.array([sequence]),
        slot,
        np.array([ABSENT]),
        np.array([ABSENT]),
        np.array([rows]),
        to_wire(table, ORDER_WIRE),
    )
    return body + signer.sign(signed_message(body))


def shares_of(sealed: Sealed) -> dict[int, bytes]:
    """What honest administrators publish."""
    found = {number: opener.find_share(sealed, number) for number, opener in enumerate(OPENERS, 1)}
    return {number: share for number, share in found.items() if share is not None}


def resigned(data: bytes) -> bytes:
    """Changed bytes signed anew, as the device itself could."""
    return data[:-64] + SIGNER.sign(sealed_message(data[:-64]))


@given(st.integers(1, 4), st.integers(0, 40), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_any_k_administrators_open_what_was_sealed_and_fewer_do_not(needed: int, rows: int, seed: int) -> None:
    """Every subset of the four, and the envelope comes out byte for byte."""
    envelope = envelope_of(rows=rows)
    sealed = read_sealed(seal_envelope(envelope, SIGNER, PUBLIC, needed, dice_of(seed)))
    shares = shares_of(sealed)
    assert len(shares) == 4
    for chosen in chain.from_iterable(combinations(shares, size) for size in range(5)):
        opened = open_sealed(sealed, {number: shares[number] for number in chosen})
        enough = len(chosen) >= needed
        assert opened == ((envelope, Opening.OPENED) if enough else (b"", Opening.TOO_FEW_SHARES))


def test_the_sealed_bytes_hold_nothing_readable() -> None:
    """No row of the envelope stands in them, and two sealings have nothing in common."""
    envelope = envelope_of(rows=30)
    one, two = (seal_envelope(envelope, SIGNER, PUBLIC, 2, dice_of(seed)) for seed in (1, 2))
    rows = envelope[132:-64]
    assert not any(rows[at : at + 24] in one for at in range(0, len(rows), 24))
    assert read_sealed(one).content != read_sealed(two).content
    assert not set(read_sealed(one).share_hashes) & set(read_sealed(two).share_hashes)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_false_shares_change_nothing(data: st.DataObject) -> None:
    """Whatever some administrators publish, the good shares decide: the first k that fit their hash."""
    envelope = envelope_of()
    sealed = read_sealed(seal_envelope(envelope, SIGNER, PUBLIC, 2, dice_of(5)))
    shares = shares_of(sealed)
    false = data.draw(st.sets(st.sampled_from([1, 2, 3, 4]), max_size=3))
    published = shares | {number: data.draw(st.binary(max_size=40)) for number in false} | {9: b"x" * 32, 0: b"y" * 32}
    code = Opening.OPENED if len(false) <= 2 else Opening.TOO_FEW_SHARES
    assert open_sealed(sealed, published)[1] == code


@given(st.integers(1, 4), st.integers(0, 31), st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_a_badly_dealt_order_is_void_whoever_publishes(place: int, byte: int, change: int) -> None:
    """One share off the polynomial, with a hash that fits it: every choice of administrators refuses alike."""
    good = read_sealed(seal_envelope(envelope_of(), SIGNER, PUBLIC, 2, dice_of(6)))
    shares = shares_of(good)
    wrong = bytearray(shares[place])
    wrong[byte] ^= change
    shares[place] = bytes(wrong)
    said = list(good.share_hashes)
    said[place - 1] = hash_share(good.one_time_key, place, shares[place])
    front = good.front[: -32 * 4] + b"".join(said)
    bad = Sealed(**{**vars(good), "share_hashes": tuple(said), "front": front})
    codes = {open_sealed(bad, {n: shares[n] for n in chosen})[1] for chosen in combinations(shares, 2)}
    assert codes == {Opening.DEALT_BADLY}


def test_an_administrator_sees_on_arrival_that_its_share_is_no_good() -> None:
    """Garbage in its place, another's share, a one-time key of small order."""
    data = seal_envelope(envelope_of(), SIGNER, PUBLIC, 2, dice_of(7))
    sealed = read_sealed(data)
    start = len(sealed.front)
    garbage = read_sealed(resigned(data[:start] + bytes(48) + data[start + 48 :]))
    assert OPENERS[0].find_share(garbage, 1) is None
    assert OPENERS[1].find_share(garbage, 2) is not None
    assert OPENERS[0].find_share(sealed, 2) is None
    assert OPENERS[0].find_share(sealed, 5) is None
    assert OPENERS[0].find_share(Sealed(**{**vars(sealed), "one_time_key": bytes(32)}), 1) is None


def test_another_devices_order_cannot_be_passed_off_as_ones_own() -> None:
    """The head is bound into the encryption, and the content must be of the same chain, key, sequence and slot."""
    data = seal_envelope(envelope_of(), SIGNER, PUBLIC, 2, dice_of(8))
    thief = simulation_signer(CHAIN, 7, "home-2")
    stolen = data[:21] + thief.key_id + data[37:-64]
    copied = read_sealed(stolen + thief.sign(sealed_message(stolen)))
    assert open_sealed(copied, shares_of(read_sealed(data)))[1] == Opening.UNREADABLE
    later = data[:37] + (9).to_bytes(8, "big") + data[45:-64]
    again = read_sealed(later + SIGNER.sign(sealed_message(later)))
    assert open_sealed(again, shares_of(read_sealed(data)))[1] == Opening.UNREADABLE


def test_content_that_is_no_such_envelope_is_void(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that seals something else has said nothing."""
    monkeypatch.setattr("ledger.sealing.is_well_formed", lambda data: True)
    other = simulation_signer(CHAIN, 7, "home-2")
    foreign = envelope_of(other)
    with pytest.raises(LedgerError, match="another key"):
        seal_envelope(foreign, SIGNER, PUBLIC, 2, dice_of(9))
    noise = envelope_of()[:-1]
    sealed = read_sealed(seal_envelope(noise, SIGNER, PUBLIC, 2, dice_of(9)))
    monkeypatch.undo()
    assert open_sealed(sealed, shares_of(sealed)) == (b"", Opening.NOT_ITS_ENVELOPE)


def test_every_prefix_and_every_extra_byte_is_refused() -> None:
    """Lengths are exact."""
    data = seal_envelope(envelope_of(rows=0), SIGNER, PUBLIC[:2], 1, dice_of(10))
    read_sealed(data)
    for spoiled in (*(data[:length] for length in range(len(data))), data + b"\0", b"DGSX" + data[4:]):
        with pytest.raises(LedgerError):
            read_sealed(spoiled)
    for place, value in ((4, 2), (49, 0), (49, 3), (50, 3)):
        with pytest.raises(LedgerError):
            read_sealed(data[:place] + bytes([value]) + data[place + 1 :])


def test_sealed_bytes_are_frozen() -> None:
    """Golden bytes: they change only with the version."""
    data = seal_envelope(envelope_of(), SIGNER, PUBLIC, 3, dice_of(11))
    sealed = read_sealed(data)
    assert hashlib.sha256(data).hexdigest() == "0a80ff80eee3b7fdd9bf218ddb26d301ed9b5871a99d99624db4f867c324ca02"
    assert (sealed.sequence, sealed.slot, sealed.needed, len(sealed.wrapped)) == (3, GATE, 3, 4)
    assert sealed.record_id == hashlib.sha256(data[:-64]).digest()
    assert is_signed_by(read_verifier(SIGNER.public_key), sealed.signature, sealed_message(sealed.signed))
    assert len(data) - len(envelope_of()) == 83 + 80 * 4 + 4 + 16 + 64


def test_misuse_is_told() -> None:
    """No envelope, an administrator's key of small order, more shares needed than there are administrators."""
    with pytest.raises(LedgerError, match="not an envelope"):
        seal_envelope(b"", SIGNER, PUBLIC, 2, dice_of(1))
    with pytest.raises(ConfigError, match="weak key"):
        seal_envelope(envelope_of(), SIGNER, [*PUBLIC, bytes(32)], 2, dice_of(1))
    with pytest.raises(ConfigError, match="not possible"):
        seal_envelope(envelope_of(), SIGNER, PUBLIC, 5, dice_of(1))
    with pytest.raises(TypeError, match="neither copied nor pickled"):
        __import__("copy").copy(OPENERS[0])
