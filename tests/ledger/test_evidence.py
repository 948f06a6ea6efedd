"""Evidence: two statements under one sequence convict their key, and nothing less does."""

from dataclasses import replace

import pytest

from ledger.evidence import Equivocation, accuse, read_equivocation
from ledger.forgeries import ELSEWHERE, write_envelope
from ledger.keys import SoftwareSigner
from market.errors import LedgerError

SIGNER, OTHER = SoftwareSigner.generate(), SoftwareSigner.generate("p256")


@pytest.mark.parametrize("signer", [SIGNER, OTHER], ids=["ed25519", "p256"])
def test_two_statements_under_one_sequence_convict_with_nothing_else_at_hand(signer: SoftwareSigner) -> None:
    """The order in which they were met does not show; the record stands alone."""
    one, other = (write_envelope(signer, 3, 9, plan) for plan in (1, 2))
    body = accuse(signer.public_key, one, other).to_bytes()
    assert body == accuse(signer.public_key, other, one).to_bytes()
    said = read_equivocation(body)
    assert (said.key_id, said.sequence, {said.first, said.second}) == (signer.key_id, 3, {one, other})


def test_bytes_of_evidence_are_frozen() -> None:
    """Golden layout: version, kind and key, length of the first envelope, both envelopes."""
    said = Equivocation(b"k" * 32, b"one", b"other")
    assert said.to_bytes() == b"\x01\x01" + b"k" * 32 + b"\0\0\0\3" + b"one" + b"other"


def test_less_than_two_statements_convict_nobody() -> None:
    """The same twice, other sequence, other chain, another's key, a forged signature, wrong order, other bytes."""
    key = SIGNER.public_key
    one, other = (write_envelope(SIGNER, 3, 9, plan) for plan in (1, 2))
    good = accuse(key, one, other)
    bad = [
        replace(good, second=good.first),
        accuse(key, one, write_envelope(SIGNER, 4, 9, 2)),
        accuse(key, one, write_envelope(SIGNER, 3, 9, 2, ELSEWHERE)),
        accuse(key, one, write_envelope(OTHER, 3, 9, 2)),
        accuse(OTHER.public_key, one, other),
        accuse(key, one, other[:-1] + bytes([other[-1] ^ 1])),
        Equivocation(key, good.second, good.first),
    ]
    body = good.to_bytes()
    for data in (
        *(said.to_bytes() for said in bad),
        body[:-1],
        body + b"\0",
        b"\2" + body[1:],
        b"\1\3" + body[2:],
        b"",
    ):
        with pytest.raises(LedgerError):
            read_equivocation(data)


def test_the_same_statement_signed_twice_is_no_offence() -> None:
    """The record id does not depend on the signature: the same bytes signed again are the same statement."""
    envelope = write_envelope(SIGNER, 3, 9, 1)
    again = envelope[:-64] + bytes(64)
    with pytest.raises(LedgerError, match="the same"):
        read_equivocation(accuse(SIGNER.public_key, envelope, again).to_bytes())
