"""Records that change the registry: enrolment, rotation, revocation; big-endian and packed, chain id in each.

     9 enrol   version u8 | chain 16 | party u16 | height u64 | rows u16 | key | proof by the key 64 | operator 64
               version 2, with limits: behind rows role u8 | areas u64, the lowest bit for row 0 of the grid
    10 rotate  version u8 | chain 16 | old key id 16 | height u64 | key | old key 64 | new key 64
    11 revoke  version u8 | chain 16 | key id 16 | height u64 | reason u8 | by u8 | signature 64
               version 2, by administrators: behind by count u8 | count times (administrator u8, signature 64)

A key is its kind u8 (1 Ed25519, 2 P-256) and its 32 or 33 bytes. Every signature is over the record's domain tag and
the SHA-256 of all bytes before the first signature. A record holds from block `height` on, at the earliest from where
it stands. Enrolment carries a proof of possession, so that nobody enrols a key he does not hold; rotation is signed by
the old and the new key, and the new one has the old one's limits (`ledger.limits`); revocation by the key itself, by
the operator, or by q administrators, who need neither. None can be used twice: a known key is never registered again,
and a revoked one never revoked later.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise
from typing import Any

from ledger.encoding import SIGNATURE_BYTES
from ledger.keys import CHAIN_ID_BYTES, Signer, Verifier, check_public_key, is_signed_by, key_id_of, read_verifier
from ledger.limits import Limits, Role
from ledger.quorum import Administrators
from ledger.records import RecordType, join_key, take_key
from ledger.registry import Registry
from market.errors import LedgerError

VERSION, LIMITED, BY_QUORUM = 1, 2, 2
"""Versions of all registrations; of enrolments with limits; of revocations by administrators."""
ENROL_TAG, ROTATE_TAG, REVOKE_TAG = b"DG/rec/enrol/v1\0", b"DG/rec/rotate/v1\0", b"DG/rec/revoke/v1\0"
NO_SIGNATURE = bytes(SIGNATURE_BYTES)
_ENROL, _ROTATE, _REVOKE = struct.Struct(">B16sHQH"), struct.Struct(">B16s16sQ"), struct.Struct(">B16s16sQBB")
_LIMITS, _COSIGNED = struct.Struct(">BQ"), struct.Struct(f">B{SIGNATURE_BYTES}s")


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
    ADMINISTRATORS = 3


@dataclass(frozen=True)
class Enrolment:
    """A party's key that may speak from a block on, with at most `rows` orders in an envelope, within `limits`."""

    chain_id: bytes
    party: int
    height: int
    rows: int
    public_key: bytes
    proof: bytes = NO_SIGNATURE
    operator: bytes = NO_SIGNATURE
    limits: Limits | None = None

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
        limits = self.limits
        version = VERSION if limits is None else LIMITED
        head = _ENROL.pack(version, self.chain_id, self.party, self.height, self.rows)
        bounds = b"" if limits is None else _LIMITS.pack(limits.role, limits.areas)
        return head + bounds + join_key(self.public_key)


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
    """A key that may no longer speak; `cosigned` by number of administrator, where those revoke it."""

    chain_id: bytes
    key_id: bytes
    height: int
    reason: Reason
    by: By
    signature: bytes = NO_SIGNATURE
    cosigned: tuple[tuple[int, bytes], ...] = ()

    def message(self) -> bytes:
        """What the owner's key, the operator, or each administrator signs."""
        return _message(REVOKE_TAG, self._front())

    def signed(self, signer: Signer) -> "Revocation":
        """The revocation, signed."""
        return replace(self, signature=signer.sign(self.message()))

    def cosigned_by(self, signers: Mapping[int, Signer]) -> "Revocation":
        """The revocation, signed by administrators."""
        return replace(self, cosigned=tuple((who, signers[who].sign(self.message())) for who in sorted(signers)))

    def to_bytes(self) -> bytes:
        """Body of the record."""
        if self.by != By.ADMINISTRATORS:
            return self._front() + self.signature
        return self._front() + bytes([len(self.cosigned)]) + b"".join(_COSIGNED.pack(*one) for one in self.cosigned)

    def _front(self) -> bytes:
        version = BY_QUORUM if self.by == By.ADMINISTRATORS else VERSION
        return _REVOKE.pack(version, self.chain_id, self.key_id, self.height, self.reason, self.by)


def read_enrolment(body: bytes) -> Enrolment:
    """An enrolment from its bytes; raises LedgerError unless they are exactly one of this version."""
    (version, chain_id, party, height, rows), rest = _unpack(_ENROL, body, (VERSION, LIMITED))
    limits, at = (None, 0) if version == VERSION else (_read_limits(rest), _LIMITS.size)
    key, proof, operator = _split_key(rest[at:])
    return Enrolment(chain_id, party, height, rows, key, proof, operator, limits)


def read_rotation(body: bytes) -> Rotation:
    """A rotation from its bytes; raises LedgerError unless they are exactly one of this version."""
    (_, chain_id, key_id, height), rest = _unpack(_ROTATE, body)
    key, old, new = _split_key(rest)
    return Rotation(chain_id, key_id, height, key, old, new)


def read_revocation(body: bytes) -> Revocation:
    """A revocation from its bytes; raises LedgerError unless they are exactly one of this version."""
    (version, chain_id, key_id, height, reason, by), rest = _unpack(_REVOKE, body, (VERSION, BY_QUORUM))
    if reason not in Reason.__members__.values() or by not in By.__members__.values():
        raise LedgerError(f"revocation of unknown reason {reason} or by nobody known ({by})")
    if (version == BY_QUORUM) != (by == By.ADMINISTRATORS):
        raise LedgerError("revocation is of another version than who revokes")
    if by == By.ADMINISTRATORS:
        return Revocation(chain_id, key_id, height, Reason(reason), By(by), cosigned=_read_cosigned(rest))
    if len(rest) != SIGNATURE_BYTES:
        raise LedgerError("revocation has a wrong length")
    return Revocation(chain_id, key_id, height, Reason(reason), By(by), rest)


def _read_limits(rest: bytes) -> Limits:
    if len(rest) < _LIMITS.size:
        raise LedgerError("enrolment is cut short")
    role, areas = _LIMITS.unpack_from(rest)
    if role not in Role.__members__.values() or not areas:
        raise LedgerError(f"enrolment for an unknown role {role} or for no area")
    return Limits(Role(role), areas)


def _read_cosigned(rest: bytes) -> tuple[tuple[int, bytes], ...]:
    if not rest or len(rest) != 1 + rest[0] * _COSIGNED.size:
        raise LedgerError("revocation has a wrong length")
    cosigned = tuple(_COSIGNED.iter_unpack(rest[1:]))
    if any(one[0] >= other[0] for one, other in pairwise(cosigned)):
        raise LedgerError("signatures are not in order, each administrator once")
    return cosigned


@dataclass(frozen=True)
class Authority:
    """What a chain's registrations are held against: its id, its operator's key, the number of its parties.

    `administrators`: who may revoke by quorum, as the reader knows them; None where it does not.
    """

    chain_id: bytes
    operator: bytes
    parties: int
    administrators: Administrators | None = None


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
    registry.register(said.party, said.public_key, said.height, said.rows, said.limits)


def _rotate(registry: Registry, authority: Authority, body: bytes) -> None:
    said = read_rotation(body)
    old, message = registry.find(said.key_id), said.message()
    if registry.check(said.key_id):
        raise LedgerError("a key that may not speak cannot name its successor", where=said.key_id.hex())
    _require(old.verifier, said.old, message, "the old key")
    _require(read_verifier(said.public_key), said.new, message, "the new key")
    if key_id_of(said.public_key) in registry.members:
        raise LedgerError("public key is registered already", where=said.public_key.hex())
    registry.register(old.party, said.public_key, registry.revoke(said.key_id, said.height), old.rows, old.limits)


def _revoke(registry: Registry, authority: Authority, body: bytes) -> None:
    said = read_revocation(body)
    if said.by == By.ADMINISTRATORS:
        _require_quorum(authority.administrators, said)
        registry.revoke(said.key_id, said.height)
        return
    verifier = registry.find(said.key_id).verifier if said.by == By.OWNER else read_verifier(authority.operator)
    _require(verifier, said.signature, said.message(), f"the {said.by.name.lower()}")
    registry.revoke(said.key_id, said.height)


def _require(verifier: Verifier, signature: bytes, message: bytes, who: str) -> None:
    if not is_signed_by(verifier, signature, message):
        raise LedgerError(f"registration is not signed by {who}")


def _require_quorum(administrators: Administrators | None, said: Revocation) -> None:
    """q different administrators must have signed; whether they are in order was checked when it was read."""
    if administrators is None:
        do = "give their public keys with --keys"
        raise LedgerError("key is revoked by administrators who are not known", do=do)
    if len(said.cosigned) < administrators.quorum:
        raise LedgerError(f"{len(said.cosigned)} administrators revoke, {administrators.quorum} are needed")
    for who, signature in said.cosigned:
        if who >= len(administrators.keys):
            raise LedgerError(f"there is no administrator {who}")
        _require(read_verifier(administrators.keys[who]), signature, said.message(), f"administrator {who}")


def _message(tag: bytes, front: bytes) -> bytes:
    return tag + hashlib.sha256(front).digest()


def _unpack(
    layout: struct.Struct, body: bytes, versions: tuple[int, ...] = (VERSION,)
) -> tuple[tuple[Any, ...], bytes]:
    if len(body) < layout.size or body[0] not in versions:
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
