"""P-256: the second kind of key, with one spelling of key and signature."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.keys import SoftwareSigner, check_public_key, is_signed_by, key_id_of, read_verifier
from ledger.p256 import ORDER, P256Verifier
from market.errors import LedgerError

SIGNER = SoftwareSigner.generate("p256")
VERIFIER = read_verifier(SIGNER.public_key)


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_a_signature_is_good_for_its_message_has_low_s_and_repeats(message: bytes) -> None:
    """Any standard library accepts it; the nonce follows from key and message (RFC 6979)."""
    signature = SIGNER.sign(message)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    assert (len(signature), s <= ORDER // 2) == (64, True)
    assert is_signed_by(VERIFIER, signature, message)
    assert not is_signed_by(VERIFIER, signature, message + b"x")
    assert SIGNER.sign(message) == signature
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), SIGNER.public_key)
    public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


def test_the_other_spelling_of_a_signature_is_refused_although_the_library_takes_it() -> None:
    """With s also n - s is valid: without the rule anyone could make a second signature from the first."""
    signature = SIGNER.sign(b"m")
    r, s = int.from_bytes(signature[:32], "big"), ORDER - int.from_bytes(signature[32:], "big")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), SIGNER.public_key)
    public.verify(encode_dss_signature(r, s), b"m", ec.ECDSA(hashes.SHA256()))
    assert not is_signed_by(VERIFIER, signature[:32] + s.to_bytes(32, "big"), b"m")


@pytest.mark.parametrize("signature", [b"", bytes(64), b"\xff" * 64, b"\1" * 63, bytes(32) + b"\1" * 32])
def test_numbers_out_of_range_are_no_signature(signature: bytes) -> None:
    """Zero, beyond the order, of another length."""
    with pytest.raises(InvalidSignature):
        VERIFIER.verify(signature, b"m")


def test_a_public_key_has_one_spelling() -> None:
    """Only a compressed point of the curve; its id is the hash of these bytes."""
    check_public_key(SIGNER.public_key)
    assert SIGNER.key_id == key_id_of(SIGNER.public_key)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), SIGNER.public_key)
    longer = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    for bad in (longer, b"\2" + b"\xff" * 32, b"\4" + SIGNER.public_key[1:], bytes(33)):
        with pytest.raises(LedgerError):
            P256Verifier(bad)


def test_kinds_of_keys_are_named() -> None:
    """Another kind is an error in one line."""
    with pytest.raises(LedgerError, match="choose one of ed25519, p256"):
        SoftwareSigner.generate("rsa")  # type: ignore[arg-type]
