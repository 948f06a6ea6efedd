"""Bid privacy of sealed auctions: orders readable by nobody before the gate closes, by everybody afterwards.

A device seals its signed envelope: content under a fresh key (ChaCha20-Poly1305, RFC 8439), the key in shares of which
k of n open it (`ledger.shares`), each share to one administrator (X25519, RFC 7748, and HKDF-SHA-256, RFC 5869), with
the hash of every share beside them. When the gate has closed, administrators publish their shares. No dealer is needed,
and the bidder need not be there. Layout, big-endian and packed:

    magic "DGSO" | version u8 | chain 16 | key 16 | sequence u64 | slot u32 | needed u8 | administrators u8
    | one-time public key 32 | hash of each share 32 n | each share for its administrator 48 n
    | content bytes u32 | content and tag | signature 64

What opens it is fixed: of the shares published, those that fit their hash, the first k in order of administrators, give
the key; all n shares are computed from them again, and unless every one fits its hash the order was dealt badly and is
void. So the outcome does not depend on whose shares came: another choice of k gives the same key or the same refusal.
The content must be an envelope of the same chain, key, sequence and slot; it is then admitted like any other.

The hashes of the shares are the commitment: they fix the shares, those fix the key, and the key and the signed content
fix the envelope. A hash of the envelope itself would add nothing. The bytes up to the hashes are bound into every
encryption, so a copy under another key, chain, sequence or slot does not open.

Limits. k administrators together can read early, and nobody would notice. A device that deals unreadable shares to more
than n - k administrators can choose afterwards, with an administrator's help, whether its order opens; an administrator
can look at its share on arrival (`Opener.find_share`) and warn. Who bids, when, and how many orders at most, is seen by
all. Shares name the gate and the orders they are for (`ledger.sealed_records`): published before, they convict.
"""

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledger.encoding import SIGNATURE_BYTES, decode_heads, is_well_formed
from ledger.keys import Signer
from ledger.shares import join_shares, split_secret
from market.errors import ConfigError, LedgerError

SEALED_TAG = b"DG/sealed/v1\0"
SHARE_TAG = b"DG/sealed/share/v1\0"
WRAP_TAG = b"DG/sealed/wrap/v1\0"
MAGIC, VERSION = b"DGSO", 1
SECRET_BYTES = 32
TAG_BYTES = 16
"""What ChaCha20-Poly1305 adds to a text."""
_HEAD = struct.Struct(">4sB16s16sQIBB32s")
_LENGTH = struct.Struct(">I")
_WRAPPED = SECRET_BYTES + TAG_BYTES
_NONCE = bytes(12)
"""Every key here encrypts one message only, so that its nonce may be fixed."""


class Opening(IntEnum):
    """What came of opening a sealed order; all but OPENED leave it void, on record."""

    OPENED = 0
    TOO_FEW_SHARES = 1
    DEALT_BADLY = 2
    UNREADABLE = 3
    NOT_ITS_ENVELOPE = 4


@dataclass(frozen=True)
class Sealed:
    """A sealed order, cut into its parts; `front` are the bytes that all encryption is bound to."""

    chain_id: bytes
    key_id: bytes
    sequence: int
    slot: int
    needed: int
    one_time_key: bytes
    share_hashes: tuple[bytes, ...]
    wrapped: tuple[bytes, ...]
    content: bytes
    front: bytes
    signed: bytes
    signature: bytes

    @property
    def record_id(self) -> bytes:
        """SHA-256 of the bytes without the signature."""
        return hashlib.sha256(self.signed).digest()


class Opener:
    """An administrator's key for sealed orders, apart from the one it signs with; it has no way to give it away."""

    __slots__ = ("__exchange", "public_key")

    def __init__(self, exchange: Callable[[X25519PublicKey], bytes], public_key: bytes) -> None:
        self.__exchange = exchange
        self.public_key = public_key

    @classmethod
    def from_secret(cls, secret: bytes) -> "Opener":
        """The opener of a 32-byte secret."""
        private = X25519PrivateKey.from_private_bytes(secret)
        return cls(lambda other: private.exchange(other), private.public_key().public_bytes_raw())

    def find_share(self, sealed: Sealed, number: int) -> bytes | None:
        """The share of administrator `number` (from 1); None where it cannot be read or does not fit its hash."""
        try:
            common = self.__exchange(X25519PublicKey.from_public_bytes(sealed.one_time_key))
            cipher = _wrap_cipher(common, sealed.front, number, self.public_key)
            share = cipher.decrypt(_NONCE, sealed.wrapped[number - 1], sealed.front)
        except (InvalidTag, ValueError, IndexError):
            # a one-time key of small order gives ValueError
            return None
        return share if hash_share(sealed.one_time_key, number, share) == sealed.share_hashes[number - 1] else None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an opener is neither copied nor pickled: its key stays where it is")


def hash_share(one_time_key: bytes, number: int, share: bytes) -> bytes:
    """What a sealed order names a share by."""
    return hashlib.sha256(SHARE_TAG + one_time_key + bytes([number]) + share).digest()


def seal_envelope(
    envelope: bytes, signer: Signer, administrators: Sequence[bytes], needed: int, dice: Callable[[int], bytes]
) -> bytes:
    """Seal a signed envelope until `needed` of the administrators open it.

    Args:
        envelope: verbatim bytes, signature included.
        signer: the device's own key, which signs the sealed order as well.
        administrators: X25519 public keys, in order.
        needed: how many shares open it.
        dice: gives that many bytes nobody can guess (`os.urandom`).

    Raises:
        ConfigError: `needed` and the number of administrators do not fit, or a key of theirs is weak.
        LedgerError: not an envelope of this signer.
    """
    if not is_well_formed(envelope):
        raise LedgerError("not an envelope")
    head = decode_heads([envelope])[0]
    if bytes(head["key"]) != signer.key_id:
        raise LedgerError("the envelope is of another key")
    secret = dice(SECRET_BYTES)
    shares = split_secret(secret, needed, len(administrators), dice(SECRET_BYTES * (needed - 1)))
    once = X25519PrivateKey.from_private_bytes(dice(SECRET_BYTES))
    one_time_key = once.public_key().public_bytes_raw()
    number = int(head["sequence"]), int(head["slot"])
    front = _HEAD.pack(
        MAGIC, VERSION, bytes(head["chain"]), signer.key_id, *number, needed, len(administrators), one_time_key
    )
    front += b"".join(hash_share(one_time_key, place, share) for place, share in enumerate(shares, 1))
    wrapped = [_wrap(once, front, place, administrators[place - 1], share) for place, share in enumerate(shares, 1)]
    content = ChaCha20Poly1305(secret).encrypt(_NONCE, envelope, front)
    signed = b"".join([front, *wrapped, _LENGTH.pack(len(content)), content])
    return signed + signer.sign(sealed_message(signed))


def sealed_message(signed: bytes) -> bytes:
    """What a device signs of a sealed order: the domain tag and the hash of the bytes."""
    return SEALED_TAG + hashlib.sha256(signed).digest()


def read_sealed(data: bytes) -> Sealed:
    """Cut a sealed order; raises LedgerError unless it is exactly one of this version. The signature is not checked."""
    if len(data) < _HEAD.size or data[:5] != MAGIC + bytes([VERSION]):
        raise LedgerError("not a sealed order of this version")
    _, _, chain_id, key_id, sequence, slot, needed, count, one_time_key = _HEAD.unpack_from(data)
    hashes_end = _HEAD.size + 32 * count
    shares_end = hashes_end + _WRAPPED * count
    content_at = shares_end + _LENGTH.size
    length = _LENGTH.unpack_from(data, shares_end)[0] if content_at <= len(data) else 0
    if not 1 <= needed <= count or len(data) != content_at + length + SIGNATURE_BYTES:
        raise LedgerError("sealed order has a wrong length or number of shares")
    return Sealed(
        chain_id,
        key_id,
        sequence,
        slot,
        needed,
        one_time_key,
        tuple(data[at : at + 32] for at in range(_HEAD.size, hashes_end, 32)),
        tuple(data[at : at + _WRAPPED] for at in range(hashes_end, shares_end, _WRAPPED)),
        data[content_at:-SIGNATURE_BYTES],
        data[:hashes_end],
        data[:-SIGNATURE_BYTES],
        data[-SIGNATURE_BYTES:],
    )


def open_sealed(sealed: Sealed, published: Mapping[int, bytes]) -> tuple[bytes, Opening]:
    """The envelope of a sealed order from the shares published after the gate, by administrator from 1; b"" if void."""
    fitting = {
        number: published[number]
        for number in sorted(published)
        if 1 <= number <= len(sealed.share_hashes)
        and hash_share(sealed.one_time_key, number, published[number]) == sealed.share_hashes[number - 1]
    }
    if len(fitting) < sealed.needed:
        return b"", Opening.TOO_FEW_SHARES
    first = dict(list(fitting.items())[: sealed.needed])
    if any(len(share) != SECRET_BYTES for share in first.values()) or not _is_dealt_well(sealed, first):
        return b"", Opening.DEALT_BADLY
    try:
        envelope = ChaCha20Poly1305(join_shares(first)).decrypt(_NONCE, sealed.content, sealed.front)
    except InvalidTag:
        return b"", Opening.UNREADABLE
    if not is_well_formed(envelope):
        return b"", Opening.NOT_ITS_ENVELOPE
    head = decode_heads([envelope])[0]
    inside = bytes(head["chain"]), bytes(head["key"]), int(head["sequence"]), int(head["slot"])
    if inside != (sealed.chain_id, sealed.key_id, sealed.sequence, sealed.slot):
        return b"", Opening.NOT_ITS_ENVELOPE
    return envelope, Opening.OPENED


def _is_dealt_well(sealed: Sealed, first: Mapping[int, bytes]) -> bool:
    """Whether the shares that k of them determine are all those the order named."""
    return all(
        hash_share(sealed.one_time_key, number, join_shares(first, number)) == said
        for number, said in enumerate(sealed.share_hashes, 1)
    )


def _wrap(once: X25519PrivateKey, front: bytes, number: int, administrator: bytes, share: bytes) -> bytes:
    try:
        common = once.exchange(X25519PublicKey.from_public_bytes(administrator))
    except ValueError as error:
        raise ConfigError("weak key of an administrator", where=administrator.hex(), do="give another") from error
    return _wrap_cipher(common, front, number, administrator).encrypt(_NONCE, share, front)


def _wrap_cipher(common: bytes, front: bytes, number: int, administrator: bytes) -> ChaCha20Poly1305:
    """The cipher of one share: its key depends on everything that tells it from any other."""
    info = WRAP_TAG + hashlib.sha256(front).digest() + bytes([number]) + administrator
    return ChaCha20Poly1305(HKDF(hashes.SHA256(), 32, None, info).derive(common))
