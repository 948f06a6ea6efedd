"""Records between steps and members: frozen bytes, one spelling."""

import pytest

from ledger.keys import SoftwareSigner
from ledger.records import Members, RecordType, frame_record, read_members, split_records
from market.errors import LedgerError

CHAIN = b"Sixteen bytes id"


def test_bytes_of_the_members_record_are_frozen() -> None:
    """Golden layout: chain, operator's key, then party and key; a key is its kind and its bytes."""
    members = Members(CHAIN, b"o" * 32, ((0, b"a" * 32), (1, b"b" * 33)))
    expected = CHAIN + b"\x01" + b"o" * 32 + b"\0\0\x01" + b"a" * 32 + b"\0\1\x02" + b"b" * 33
    assert members.to_bytes() == expected
    assert read_members(expected) == members


def test_a_members_record_has_one_spelling() -> None:
    """Cut anywhere but between two members, extended, or with a key of unknown kind it is refused."""
    keys = tuple(enumerate(SoftwareSigner.generate(kind).public_key for kind in ("ed25519", "p256")))
    data = Members(CHAIN, keys[0][1], keys).to_bytes()
    whole = {len(Members(CHAIN, keys[0][1], keys[:count]).to_bytes()) for count in range(3)}
    for end in range(len(data)):
        if end not in whole:
            with pytest.raises(LedgerError):
                read_members(data[:end])
    for bad in (data + b"\0", data[:16] + b"\3" + data[17:]):
        with pytest.raises(LedgerError):
            read_members(bad)


def test_numbers_of_records_are_frozen() -> None:
    """A number once given means the same for ever; one that nobody knows is refused."""
    numbers = {kind.name: kind.value for kind in (RecordType.ENROL, RecordType.ROTATE, RecordType.REVOKE)}
    assert numbers | {"EVIDENCE": RecordType.EVIDENCE.value} == {"ENROL": 9, "ROTATE": 10, "REVOKE": 11, "EVIDENCE": 12}
    assert list(split_records(frame_record(RecordType.EVIDENCE, b"x"))) == [(RecordType.EVIDENCE, b"x")]
    with pytest.raises(LedgerError, match="unknown type"):
        list(split_records(b"\xff" + bytes(4)))
