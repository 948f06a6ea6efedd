"""Records that change the registry: enrolment, rotation, revocation; big-endian and packed, chain id in each.

     9 enrol   version u8 | chain 16 | party u16 | height u64 | rows u16 | key | proof by the key 64 | operator 64
    10 rotate  version u8 | chain 16 | old key id 16 | height u64 | key | old key 64 | new key 64
    11 revoke  version u8 | chain 16 | key id 16 | height u64 | reason u8 | by u8 | signature 64

A key is its kind u8 (1 Ed25519, 2 P-256) and its 32 or 33 bytes. Every signature is over the record's domain tag and
the SHA-256 of all bytes before the first signature. A record holds from block `height` on, at the earliest from where
it stands. Enrolment carries a proof of possession, so that nobody enrols a key he does not hold; rotation is signed by
the old and the new key; revocation by the key itself or by the operator. None can be used twice: a known key is never
registered again, and a revoked one never revoked later.
"""

import hashlib
import struct
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from ledger.encoding import SIGNATURE_BYTES
from ledger.keys import CHAIN_ID_BYTES, Signer, Verifier, check_public_key, is_signed_by, key_id_of, read_verifier
from ledger.records import RecordType, join_key, take_key
from ledger.registry import Registry
from market.errors import LedgerError

VERSION = 1
ENROL_TAG, ROTATE_TAG, REVOKE_TAG = b"DG/rec/enrol/v1\0", b"DG/rec/rotate/v1\0", b"DG/rec/revoke/v1\0"
NO_SIGNATURE = bytes(SIGNATURE_BYTES)
_ENROL, _ROTATE, _REVOKE = struct.Struct(">B16sHQH"), struct.Struct(">B16s16sQ"), struct.Struct(">B16s16sQBB")


class Reason(IntEnum):
    """Why a key is revoked."""

    RETIRED = 1
    LOST = 2
    COMPROMISED = 3
    EQUIVOCATED = 4


class By(IntEnum):
    """Who revokes a key."""

    OWNER = 1
    OPERATOR = 2


@dataclass(frozen=True)
class Enrolment:
    """A party's key that may speak from a block on, with at most `rows` orders in an envelope."""

    chain_id: bytes
    party: int
    height: int
    rows: int
    public_key: bytes
    proof: bytes = NO_SIGNATURE
    operator: bytes = NO_SIGNATURE

    def message(self) -> bytes:
        """What the new key and the operator sign."""
        return _message(ENROL_TAG, self._front())

    def signed(self, signer: Signer, operator: Signer) -> "Enrolment":
        """The enrolment with both signatures."""
        message = self.message()
        return replace(self, proof=signer.sign(message), operator=operator.sign(message))

    def to_bytes(self) -> bytes:
        """Body of the record."""
        return self._front() + self.proof + self.operator

    def _front(self) -> bytes:
        head = _ENROL.pack(VERSION, self.chain_id, self.party, self.height, self.rows)
        return head + join_key(self.public_key)


@dataclass(frozen=True)
class Rotation:
    """A key that takes the place of an old one of the same party."""

    chain_id: bytes
    key_id: bytes
    height: int
    public_key: bytes
    old: bytes = NO_SIGNATURE
    new: bytes = NO_SIGNATURE

    def message(self) -> bytes:
        """What the old and the new key sign."""
        return _message(ROTATE_TAG, self._front())

    def signed(self, old: Signer, new: Signer) -> "Rotation":
        """The rotation with both signatures."""
        message = self.message()
        return replace(self, old=old.sign(message), new=new.sign(message))

    def to_bytes(self) -> bytes:
        """Body of the record."""
        return self._front() + self.old + self.new

    def _front(self) -> bytes:
        return _ROTATE.pack(VERSION, self.chain_id, self.key_id, self.height) + join_key(self.public_key)


@dataclass(frozen=True)
class Revocation:
    """A key that may no longer speak."""

    chain_id: bytes
    key_id: bytes
    height: int
    reason: Reason
    by: By
    signature: bytes = NO_SIGNATURE

    def message(self) -> bytes:
        """What the owner's key or the operator signs."""
        return _message(REVOKE_TAG, self._front())

    def signed(self, signer: Signer) -> "Revocation":
        """The revocation, signed."""
        return replace(self, signature=signer.sign(self.message()))

    def to_bytes(self) -> bytes:
        """Body of the record."""
        return self._front() + self.signature

    def _front(self) -> bytes:
        return _REVOKE.pack(VERSION, self.chain_id, self.key_id, self.height, self.reason, self.by)


def read_enrolment(body: bytes) -> Enrolment:
    """An enrolment from its bytes; raises LedgerError unless they are exactly one of this version."""
    (_, chain_id, party, height, rows), rest = _unpack(_ENROL, body)
    key, proof, operator = _split_key(rest)
    return Enrolment(chain_id, party, height, rows, key, proof, operator)


def read_rotation(body: bytes) -> Rotation:
    """A rotation from its bytes; raises LedgerError unless they are exactly one of this version."""
    (_, chain_id, key_id, height), rest = _unpack(_ROTATE, body)
    key, old, new = _split_key(rest)
    return Rotation(chain_id, key_id, height, key, old, new)


def read_revocation(body: bytes) -> Revocation:
    """A revocation from its bytes; raises LedgerError unless they are exactly one of this version."""
    (_, chain_id, key_id, height, reason, by), signature = _unpack(_REVOKE, body)
    if len(signature) != SIGNATURE_BYTES:
        raise LedgerError("revocation has a wrong length")
    if reason not in Reason.__members__.values() or by not in By.__members__.values():
        raise LedgerError(f"revocation of unknown reason {reason} or by nobody known ({by})")
    return Revocation(chain_id, key_id, height, Reason(reason), By(by), signature)


@dataclass(frozen=True)
class Authority:
    """What a chain's registrations are held against: its id, its operator's key, the number of its parties."""

    chain_id: bytes
    operator: bytes
    parties: int


def register(registry: Registry, authority: Authority, kind: RecordType, body: bytes) -> None:
    """Apply one record of type ENROL, ROTATE or REVOKE to the registry, at its height or now.

    Raises:
        LedgerError: it is not well formed, of another chain, not signed by whom it must be, or of no effect.
    """
    if body[1 : 1 + CHAIN_ID_BYTES] != authority.chain_id:
        raise LedgerError("registration is of another chain")
    {RecordType.ENROL: _enrol, RecordType.ROTATE: _rotate, RecordType.REVOKE: _revoke}[kind](registry, authority, body)


def _enrol(registry: Registry, authority: Authority, body: bytes) -> None:
    said = read_enrolment(body)
    if said.party >= authority.parties:
        raise LedgerError(f"enrolment is for party {said.party}, there are {authority.parties}")
    message = said.message()
    _require(read_verifier(said.public_key), said.proof, message, "its own key")
    _require(read_verifier(authority.operator), said.operator, message, "the operator")
    registry.register(said.party, said.public_key, said.height, said.rows)


def _rotate(registry: Registry, authority: Authority, body: bytes) -> None:
    said = read_rotation(body)
    old, message = registry.find(said.key_id), said.message()
    if registry.check(said.key_id):
        raise LedgerError("a key that may not speak cannot name its successor", where=said.key_id.hex())
    _require(old.verifier, said.old, message, "the old key")
    _require(read_verifier(said.public_key), said.new, message, "the new key")
    if key_id_of(said.public_key) in registry.members:
        raise LedgerError("public key is registered already", where=said.public_key.hex())
    registry.register(old.party, said.public_key, registry.revoke(said.key_id, said.height), old.rows)


def _revoke(registry: Registry, authority: Authority, body: bytes) -> None:
    said = read_revocation(body)
    verifier = registry.find(said.key_id).verifier if said.by == By.OWNER else read_verifier(authority.operator)
    _require(verifier, said.signature, said.message(), f"the {said.by.name.lower()}")
    registry.revoke(said.key_id, said.height)


def _require(verifier: Verifier, signature: bytes, message: bytes, who: str) -> None:
    if not is_signed_by(verifier, signature, message):
        raise LedgerError(f"registration is not signed by {who}")


def _message(tag: bytes, front: bytes) -> bytes:
    return tag + hashlib.sha256(front).digest()


def _unpack(layout: struct.Struct, body: bytes) -> tuple[tuple[Any, ...], bytes]:
    if len(body) < layout.size or body[0] != VERSION:
        raise LedgerError("registration is too short or not of this version")
    return layout.unpack_from(body), body[layout.size :]


def _split_key(rest: bytes) -> tuple[bytes, bytes, bytes]:
    """Public key and two signatures; raises LedgerError on an unknown kind, a weak key or any other length."""
    key, at = take_key(rest, 0)
    middle = at + SIGNATURE_BYTES
    if len(rest) != middle + SIGNATURE_BYTES:
        raise LedgerError("registration has a wrong length")
    check_public_key(key)
    return key, rest[at:middle], rest[middle:]
