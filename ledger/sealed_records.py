"""Records of sealed orders besides the orders themselves: who opens them, and the shares published for an auction.

Bodies, big-endian and packed:

    privacy  chain 16 | needed u8 | administrators u8 | of each: X25519 key 32 | signing key, its kind u8 before it
             | signature 64 of each over all that
    share    magic "DGSH" | version u8 | chain 16 | administrator u8 | slot u32 | digest of the sealed orders 32
             | orders u16 | of each order: 1 and the share 32, or 33 zeros where it is unreadable | signature 64

Every administrator signs who opens, since nothing else shows whose X25519 key is whose. Then it signs once an auction.
The digest there is over all sealed orders that stand before the shares: the set is fixed before anyone can read it, and
shares of one auction are of no use in another.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from ledger.encoding import SIGNATURE_BYTES
from ledger.keys import CHAIN_ID_BYTES, Signer, is_signed_by, read_verifier
from ledger.records import join_key, take_key
from ledger.sealing import SECRET_BYTES
from market.errors import LedgerError

PRIVACY_TAG = b"DG/sealed/privacy/v1\0"
SHEET_TAG = b"DG/sealed/sheet/v1\0"
ORDERS_TAG = b"DG/sealed/orders/v1\0"
MAGIC, VERSION = b"DGSH", 1
OPENER_BYTES = 32
_SHEET = struct.Struct(">4sB16sBI32sH")
_ENTRY = 1 + SECRET_BYTES
_NO_SHARE = bytes(_ENTRY)
_PROBE = bytes([64]) * 32
"""Any secret: with a public key of small order every secret leads to zero, which is refused."""


@dataclass(frozen=True)
class Privacy:
    """How many administrators open a sealed order; of each, from number 1, X25519 key, signing key and signature."""

    chain_id: bytes
    needed: int
    openers: tuple[bytes, ...]
    signers: tuple[bytes, ...]
    signatures: tuple[bytes, ...] = ()

    def signed(self, signers: Sequence[Signer]) -> "Privacy":
        """With the signature of every administrator."""
        return replace(self, signatures=tuple(signer.sign(self.message()) for signer in signers))

    def message(self) -> bytes:
        """What every administrator signs."""
        return PRIVACY_TAG + hashlib.sha256(self._said()).digest()

    def to_bytes(self) -> bytes:
        """Body of the privacy record."""
        return self._said() + b"".join(self.signatures)

    def _said(self) -> bytes:
        keys = (opener + join_key(signer) for opener, signer in zip(self.openers, self.signers, strict=True))
        return self.chain_id + bytes([self.needed, len(self.openers)]) + b"".join(keys)


def read_privacy(body: bytes) -> Privacy:
    """Privacy from a record body.

    Raises LedgerError unless it is exactly one, with strong keys that all differ, signed by every administrator.
    """
    needed, count, at = *body[CHAIN_ID_BYTES : CHAIN_ID_BYTES + 2].ljust(2, b"\0"), CHAIN_ID_BYTES + 2
    openers, signers = list[bytes](), list[bytes]()
    for _ in range(count):
        opener, at = body[at : at + OPENER_BYTES], at + OPENER_BYTES
        signer, at = take_key(body, at)
        _check_opener(opener)
        openers.append(opener)
        signers.append(signer)
    signatures = tuple(body[place : place + SIGNATURE_BYTES] for place in range(at, len(body), SIGNATURE_BYTES))
    if len(body) != at + count * SIGNATURE_BYTES or not 1 <= needed <= count:
        raise LedgerError("privacy record has a wrong length or number of administrators")
    if len({*openers}) + len({*signers}) != 2 * count:
        raise LedgerError("two administrators have one key")
    privacy = Privacy(body[:CHAIN_ID_BYTES], needed, tuple(openers), tuple(signers), signatures)
    message = privacy.message()
    for number, (key, signature) in enumerate(zip(signers, signatures, strict=True), 1):
        if not is_signed_by(read_verifier(key), signature, message):
            raise LedgerError(f"administrator {number} did not sign who opens sealed orders")
    return privacy


@dataclass(frozen=True)
class Sheet:
    """Shares one administrator published for one auction, by order; None where it could not read its share."""

    chain_id: bytes
    administrator: int
    slot: int
    digest: bytes
    shares: tuple[bytes | None, ...]
    signed: bytes
    signature: bytes


def write_sheet(
    chain_id: bytes, administrator: int, slot: int, digest: bytes, shares: Sequence[bytes | None], signer: Signer
) -> bytes:
    """Body of a share record; `administrator` counts from 1, `digest` names the sealed orders (`digest_orders`)."""
    head = _SHEET.pack(MAGIC, VERSION, chain_id, administrator, slot, digest, len(shares))
    signed = head + b"".join(_NO_SHARE if share is None else b"\1" + share for share in shares)
    return signed + signer.sign(sheet_message(signed))


def read_sheet(body: bytes) -> Sheet:
    """Cut a share record; raises LedgerError unless it is exactly one of this version. The signature is not checked."""
    if len(body) < _SHEET.size or body[:5] != MAGIC + bytes([VERSION]):
        raise LedgerError("not shares of this version")
    _, _, chain_id, administrator, slot, digest, count = _SHEET.unpack_from(body)
    if len(body) != _SHEET.size + count * _ENTRY + SIGNATURE_BYTES:
        raise LedgerError("share record has a wrong length")
    shares = tuple(_entries(body[_SHEET.size : -SIGNATURE_BYTES]))
    return Sheet(chain_id, administrator, slot, digest, shares, body[:-SIGNATURE_BYTES], body[-SIGNATURE_BYTES:])


def sheet_message(signed: bytes) -> bytes:
    """What an administrator signs of its shares: the domain tag and the hash of the bytes."""
    return SHEET_TAG + hashlib.sha256(signed).digest()


def digest_orders(orders: Sequence[bytes]) -> bytes:
    """What shares name the sealed orders of an auction by, verbatim bytes in order."""
    return hashlib.sha256(ORDERS_TAG + b"".join(hashlib.sha256(order).digest() for order in orders)).digest()


def _entries(data: bytes) -> Iterator[bytes | None]:
    for at in range(0, len(data), _ENTRY):
        entry = data[at : at + _ENTRY]
        if entry[0] != 1 and entry != _NO_SHARE:
            raise LedgerError("a share is neither given nor left out")
        yield entry[1:] if entry[0] else None


def _check_opener(key: bytes) -> None:
    try:
        X25519PrivateKey.from_private_bytes(_PROBE).exchange(X25519PublicKey.from_public_bytes(key))
    except ValueError as error:
        raise LedgerError("weak key of an administrator", where=key.hex()) from error
