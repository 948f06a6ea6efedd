"""ECDSA over P-256: the second kind of key, for hardware that has no Ed25519 (FIPS 186-5, SEC 1).

A public key is its compressed point, 33 bytes; a signature is r and s, 32 bytes each, over the SHA-256 of the message.
Of s and n - s, which are both valid, only the lower is one here: nobody but the signer can give a second spelling.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from market.errors import LedgerError

P256_KEY_BYTES = 33
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Number of points of the curve (SEC 2, 2.4.2)."""


class P256Verifier:
    """Checks signatures of one P-256 key; raises LedgerError unless the bytes are a canonical compressed point."""

    __slots__ = ("_key",)

    def __init__(self, public_key: bytes) -> None:
        try:
            self._key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
        except ValueError as error:
            raise LedgerError("public key is not a point of P-256", where=public_key.hex()) from error
        if compress(self._key) != public_key:
            raise LedgerError("public key is not canonical", where=public_key.hex())

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raise InvalidSignature unless this is the one low-s signature form of the key over the data."""
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if len(signature) != 64 or not 0 < r < ORDER or not 0 < s <= ORDER // 2:
            raise InvalidSignature
        self._key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))


def sign(private: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Signature with low s, 64 bytes; the nonce follows from key and message (RFC 6979), not from the device's dice."""
    r, s = decode_dss_signature(private.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    return join_low(r, s)


def join_low(r: int, s: int) -> bytes:
    """64 bytes of r and the lower of s and n - s."""
    return r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")


def compress(public: ec.EllipticCurvePublicKey) -> bytes:
    """33 bytes of a public key."""
    return public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
