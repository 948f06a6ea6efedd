"""Enrolment, rotation and revocation: who must sign what, from which block on, and what is found to be void."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.keys import SoftwareSigner, simulation_chain_id, simulation_signer
from ledger.limits import ALL_AREAS, Limits, Role, limit_rows
from ledger.quorum import Administrators
from ledger.records import RecordType
from ledger.registrations import (
    Authority,
    By,
    Enrolment,
    Reason,
    Revocation,
    Rotation,
    read_enrolment,
    read_revocation,
    read_rotation,
    register,
)
from ledger.registry import Registry
from market.errors import LedgerError, Refusal
from market.orders import ORDER, Kind, Side

CHAIN = simulation_chain_id(1, b"")
OPERATOR, OLD, NEW = (simulation_signer(CHAIN, 1, name) for name in ("operator", "old", "new"))
OTHER_KIND = SoftwareSigner.generate("p256")
AUTHORITY = Authority(CHAIN, OPERATOR.public_key, 3)
ENROLMENT = Enrolment(CHAIN, 1, 5, 40, OLD.public_key).signed(OLD, OPERATOR)
ROTATION = Rotation(CHAIN, OLD.key_id, 7, NEW.public_key).signed(OLD, NEW)
REVOCATION = Revocation(CHAIN, OLD.key_id, 9, Reason.LOST, By.OPERATOR).signed(OPERATOR)
READERS = {
    RecordType.ENROL: (ENROLMENT, read_enrolment),
    RecordType.ROTATE: (ROTATION, read_rotation),
    RecordType.REVOKE: (REVOCATION, read_revocation),
}


def enrolled(height: int = 0) -> Registry:
    """A registry with party 1's key from block 5 on, at a height."""
    registry = Registry()
    register(registry, AUTHORITY, RecordType.ENROL, ENROLMENT.to_bytes())
    registry.height = height
    return registry


def test_bytes_of_registrations_are_frozen() -> None:
    """Golden bytes of the parts before the signatures: they change only with the version."""
    chain, key_id = CHAIN.hex(), OLD.key_id.hex()
    old, new = OLD.public_key.hex(), NEW.public_key.hex()
    assert ENROLMENT.to_bytes()[:-128].hex() == f"01{chain}000100000000000000050028" + "01" + old
    assert ROTATION.to_bytes()[:-128].hex() == f"01{chain}{key_id}0000000000000007" + "01" + new
    assert REVOCATION.to_bytes()[:-64].hex() == f"01{chain}{key_id}0000000000000009" + "0202"
    other = Enrolment(CHAIN, 2, 0, 0xFFFF, OTHER_KIND.public_key).to_bytes()
    assert other[:-128].hex() == f"01{chain}00020000000000000000ffff02" + OTHER_KIND.public_key.hex()
    assert [len(said.to_bytes()) for said, _ in READERS.values()] == [190, 202, 107]


@pytest.mark.parametrize("kind", list(READERS))
def test_a_registration_has_one_spelling(kind: RecordType) -> None:
    """What is written is read back; anything cut, added or of another version is refused."""
    said, read = READERS[kind]
    data = said.to_bytes()
    assert read(data) == said
    for bad in (*(data[:end] for end in range(len(data))), data + b"\0", bytes([2]) + data[1:]):
        with pytest.raises(LedgerError):
            read(bad)


@given(st.integers(0, 189), st.integers(0, 7))
@settings(max_examples=60)
def test_no_flipped_bit_of_an_enrolment_holds(byte: int, bit: int) -> None:
    """Whatever is changed, a signature or a rule does not fit any more."""
    data = bytearray(ENROLMENT.to_bytes())
    data[byte] ^= 1 << bit
    with pytest.raises(LedgerError):
        register(Registry(), AUTHORITY, RecordType.ENROL, bytes(data))


def test_a_key_speaks_from_its_height_on() -> None:
    """Enrolled for block 5: unknown in block 4."""
    registry = enrolled()
    for height, code in ((4, Refusal.UNKNOWN_KEY), (5, Refusal.ADMITTED)):
        registry.height = height
        assert registry.check(OLD.key_id) == code
    assert registry.find(OLD.key_id).rows == 40


def test_an_enrolment_needs_the_key_and_the_operator() -> None:
    """Proof of possession and the operator's word; a party that is there, without another key, of this chain."""
    for proof, operator in ((NEW, OPERATOR), (OLD, NEW)):
        with pytest.raises(LedgerError, match="not signed by"):
            register(Registry(), AUTHORITY, RecordType.ENROL, ENROLMENT.signed(proof, operator).to_bytes())
    for change in ({"party": 3}, {"chain_id": bytes(16)}):
        said = replace(ENROLMENT, **change).signed(OLD, OPERATOR)
        with pytest.raises(LedgerError):
            register(Registry(), AUTHORITY, RecordType.ENROL, said.to_bytes())
    second = replace(ENROLMENT, public_key=NEW.public_key).signed(NEW, OPERATOR).to_bytes()
    with pytest.raises(LedgerError, match="party 1 has a key"):
        register(enrolled(), AUTHORITY, RecordType.ENROL, second)


def test_a_weak_key_is_not_enrolled_although_anyone_can_prove_it() -> None:
    """Under the neutral point the proof of possession is forged by everybody; the key itself is refused."""
    identity = bytes([1]) + bytes(31)
    said = replace(ENROLMENT, public_key=identity)
    forged = replace(said, proof=identity + bytes(32), operator=OPERATOR.sign(said.message()))
    with pytest.raises(LedgerError, match="small order"):
        register(Registry(), AUTHORITY, RecordType.ENROL, forged.to_bytes())


def test_a_rotation_needs_both_keys_and_hands_over_at_its_height() -> None:
    """Before it the old key speaks, from it on the new one, with the same party and limit; a kind may change."""
    for old, new in ((NEW, NEW), (OLD, OLD)):
        with pytest.raises(LedgerError, match="not signed by"):
            register(enrolled(5), AUTHORITY, RecordType.ROTATE, ROTATION.signed(old, new).to_bytes())
    registry = enrolled(5)
    said = replace(ROTATION, public_key=OTHER_KIND.public_key).signed(OLD, OTHER_KIND)
    register(registry, AUTHORITY, RecordType.ROTATE, said.to_bytes())
    codes = []
    for registry.height in (6, 7):
        codes.append((registry.check(OLD.key_id), registry.check(OTHER_KIND.key_id)))
        assert registry.silent() == frozenset()
    assert codes == [(Refusal.ADMITTED, Refusal.UNKNOWN_KEY), (Refusal.REVOKED_KEY, Refusal.ADMITTED)]
    assert (registry.find(OTHER_KIND.key_id).party, registry.find(OTHER_KIND.key_id).rows) == (1, 40)
    with pytest.raises(LedgerError, match="may not speak"):
        register(registry, AUTHORITY, RecordType.ROTATE, ROTATION.to_bytes())


def test_a_failed_rotation_leaves_the_old_key_as_it_was() -> None:
    """The new key must not be registered already."""
    registry = enrolled(5)
    registry.register(2, NEW.public_key)
    with pytest.raises(LedgerError, match="already"):
        register(registry, AUTHORITY, RecordType.ROTATE, ROTATION.to_bytes())
    registry.height = 99
    assert registry.check(OLD.key_id) == Refusal.ADMITTED


@pytest.mark.parametrize("by", [By.OWNER, By.OPERATOR])
def test_a_revocation_is_the_owners_or_the_operators_and_holds_from_its_height(by: By) -> None:
    """Nobody else's counts; a height in the past means now; twice is an error; the party falls silent."""
    said = replace(REVOCATION, by=by)
    with pytest.raises(LedgerError, match="not signed by"):
        register(enrolled(5), AUTHORITY, RecordType.REVOKE, said.signed(NEW).to_bytes())
    for at, void in ((5, 9), (12, 12)):
        registry = enrolled(at)
        body = said.signed(OLD if by == By.OWNER else OPERATOR).to_bytes()
        register(registry, AUTHORITY, RecordType.REVOKE, body)
        for height in (void - 1, void):
            registry.height = height
            is_void = height == void
            assert registry.check(OLD.key_id) == (Refusal.REVOKED_KEY if is_void else Refusal.ADMITTED)
            assert registry.silent() == (frozenset({1}) if is_void else frozenset())
        with pytest.raises(LedgerError, match="already"):
            register(registry, AUTHORITY, RecordType.REVOKE, body)
    register(
        registry,
        AUTHORITY,
        RecordType.ENROL,
        replace(ENROLMENT, public_key=NEW.public_key).signed(NEW, OPERATOR).to_bytes(),
    )
    assert registry.silent() == frozenset()


ADMINISTRATORS = {who: simulation_signer(CHAIN, 1, f"operator {who}") for who in range(4)}
GROUP = Administrators(CHAIN, tuple(signer.public_key for signer in ADMINISTRATORS.values()), 3)
LIMITS = Limits(Role.CONSUMER, 0b101)
TAKEN = replace(REVOCATION, by=By.ADMINISTRATORS, signature=bytes(64))


def test_an_enrolment_with_limits_is_a_version_of_its_own() -> None:
    """Role and areas stand behind the number of orders; unknown roles and no area at all are refused."""
    said = replace(ENROLMENT, limits=LIMITS).signed(OLD, OPERATOR)
    body, key = said.to_bytes(), "01" + OLD.public_key.hex()
    assert body[:-128].hex() == f"02{CHAIN.hex()}000100000000000000050028" + "01" + "0000000000000005" + key
    assert read_enrolment(body) == said
    for wrong in (b"\0", b"\6"):
        with pytest.raises(LedgerError, match="unknown role"):
            read_enrolment(body[:29] + wrong + body[30:])
    with pytest.raises(LedgerError, match="no area"):
        read_enrolment(body[:30] + bytes(8) + body[38:])


def test_limits_hold_while_the_key_may_speak_and_pass_to_its_successor() -> None:
    """From the height of the enrolment on; a rotated key has them too; a revoked one limits nobody."""
    registry = Registry()
    register(registry, AUTHORITY, RecordType.ENROL, replace(ENROLMENT, limits=LIMITS).signed(OLD, OPERATOR).to_bytes())
    assert registry.limits() == {}
    registry.height = 5
    assert registry.limits() == {1: LIMITS}
    register(registry, AUTHORITY, RecordType.ROTATE, ROTATION.to_bytes())
    for registry.height in (6, 7):
        assert registry.limits() == {1: LIMITS}
    registry.revoke(NEW.key_id, 9)
    registry.height = 9
    assert registry.limits() == {}


def test_q_administrators_revoke_a_key_from_a_height_on() -> None:
    """Three of four; with two, with one that is none, or unknown to the reader, the key goes on speaking."""
    known, registry = replace(AUTHORITY, administrators=GROUP), enrolled(8)
    three = TAKEN.cosigned_by({who: ADMINISTRATORS[who] for who in (0, 2, 3)})
    two = replace(three, cosigned=three.cosigned[:2])
    stranger = replace(three, cosigned=(*three.cosigned[:2], (9, three.cosigned[2][1])))
    wrong = replace(three, cosigned=(*three.cosigned[:2], (3, three.cosigned[1][1])))
    for said, why in (
        (two, "2 administrators revoke, 3 are needed"),
        (stranger, "there is no administrator 9"),
        (wrong, "not signed by administrator 3"),
    ):
        with pytest.raises(LedgerError, match=why):
            register(registry, known, RecordType.REVOKE, said.to_bytes())
    with pytest.raises(LedgerError, match="administrators who are not known"):
        register(registry, AUTHORITY, RecordType.REVOKE, three.to_bytes())
    assert registry.check(OLD.key_id) == Refusal.ADMITTED
    register(registry, known, RecordType.REVOKE, three.to_bytes())
    codes = []
    for registry.height in (8, 9):
        codes.append(registry.check(OLD.key_id))
    assert codes == [Refusal.ADMITTED, Refusal.REVOKED_KEY]


def test_a_revocation_by_administrators_has_one_spelling() -> None:
    """Signers in order, each once, in the version of such revocations."""
    said = TAKEN.cosigned_by({who: ADMINISTRATORS[who] for who in (1, 2, 3)})
    body = said.to_bytes()
    assert read_revocation(body) == said
    turned = replace(said, cosigned=said.cosigned[::-1]).to_bytes()
    twice = replace(said, cosigned=(said.cosigned[0], *said.cosigned[:2])).to_bytes()
    for wrong in (turned, twice, body[:-1], b"\1" + body[1:], b"\2" + REVOCATION.to_bytes()[1:]):
        with pytest.raises(LedgerError):
            read_revocation(wrong)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 2), st.integers(0, 70), st.integers(1, 3), st.integers(0, 1))),
    st.dictionaries(st.integers(0, 3), st.builds(Limits, st.sampled_from(Role), st.integers(1, ALL_AREAS))),
)
@settings(max_examples=100)
def test_rows_beyond_a_role_or_an_area_are_refused_one_by_one(
    rows: list[tuple[int, int, int, int, int]], limits: dict[int, Limits]
) -> None:
    """Against the rule said row by row; a cancel and what is refused already stay as they are."""
    table, codes = np.zeros(len(rows), ORDER), np.array([row[4] for row in rows], np.uint8)
    for name, column in zip(("party", "side", "area", "kind"), range(4), strict=True):
        table[name] = [row[column] for row in rows]
    expected = []
    for party, side, area, kind, code in rows:
        mine = limits.get(party)
        if mine is not None and kind != Kind.CANCEL and not code:
            buys, sells = mine.role != Role.GENERATOR, mine.role != Role.CONSUMER
            if not (buys if side == Side.BUY else sells):
                code = Refusal.OTHER_SIDE
            elif not mine.areas >> area & 1:
                code = Refusal.OTHER_AREA
        expected.append(code)
    assert limit_rows(codes, table, limits).tolist() == expected
