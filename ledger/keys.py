"""Keys: a device signs, and its key never leaves it (paper 2.2); the registry knows who may speak.

A `Signer` has no way to give its key away; hardware keys implement the same three members. The software signer hides
its key from attributes, printing, copying and pickling; against code running in the same process no Python object is
a safe, so a real device keeps its key in hardware. The registry refuses public keys of small order and keys that are
not canonical: OpenSSL accepts a forged signature under the identity point for any message (implementations
differ there, https://hdevalence.ca/blog/2020-10-04-its-25519am).
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NoReturn, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from market.errors import LedgerError

Given = TypeVar("Given")
Made = TypeVar("Made")

FEW = 4
"""Signatures that are not worth handing to another thread."""
CHAIN_ID_BYTES = 16
KEY_ID_BYTES = 16
SIMULATION_MARK = b"S"
OPERATOR = "operator"
"""Name under which the sequencer's key is derived in a simulation."""

_FIELD = 2**255 - 19
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    }
)
"""The y coordinates of the eight points whose order divides 8."""


class Signer(Protocol):
    """What can sign as one party."""

    @property
    def key_id(self) -> bytes:
        """First 16 bytes of the SHA-256 of the public key."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes others verify with."""

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""


def key_id_of(public_key: bytes) -> bytes:
    """Key id of a public key."""
    return hashlib.sha256(public_key).digest()[:KEY_ID_BYTES]


class SoftwareSigner:
    """An Ed25519 key in memory, from `generate`, `load_signer` or `simulation_signer`."""

    __slots__ = ("__sign", "key_id", "public_key")

    def __init__(self, sign: Callable[[bytes], bytes], public_key: bytes) -> None:
        self.__sign = sign
        self.public_key = public_key
        self.key_id = key_id_of(public_key)

    @classmethod
    def generate(cls) -> "SoftwareSigner":
        """A signer with a new key, lost with the process."""
        return _signer(Ed25519PrivateKey.generate())

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""
        return self.__sign(message)

    def __repr__(self) -> str:
        return f"SoftwareSigner(key_id={self.key_id.hex()})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a signer is neither copied nor pickled: its key stays where it is")


def create_key_file(path: Path) -> SoftwareSigner:
    """Write a new device key (PKCS #8, readable by its owner only) and return its signer; never overwrites."""
    private = Ed25519PrivateKey.generate()
    data = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise LedgerError(f"key not written: {error.strerror}", where=str(path), do="choose a new file") from error
    return _signer(private)


def load_signer(path: Path) -> SoftwareSigner:
    """The signer of a device key file; raises LedgerError when it holds no Ed25519 key."""
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise LedgerError("no readable key", where=str(path), do="create one for the device") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise LedgerError("not an Ed25519 key", where=str(path), do="create one for the device")
    return _signer(private)


def is_simulation(chain_id: bytes) -> bool:
    """Whether a chain id is marked as a simulation, where keys follow from the seed."""
    return chain_id[:1] == SIMULATION_MARK


def simulation_chain_id(seed: int, scenario_digest: bytes) -> bytes:
    """Chain id of a simulated run: the mark and 15 bytes of a hash of seed and scenario."""
    digest = hashlib.sha256(b"DG/chain/v1\0" + str(seed).encode() + b"\0" + scenario_digest).digest()
    return SIMULATION_MARK + digest[: CHAIN_ID_BYTES - 1]


def simulation_signer(chain_id: bytes, seed: int, party: str) -> SoftwareSigner:
    """The repeatable key of a simulated party (HKDF of seed and name); raises LedgerError on any other chain."""
    if not is_simulation(chain_id):
        raise LedgerError(
            "derived keys are for simulations only", where=f"chain {chain_id.hex()}", do="use a device key"
        )
    info = b"DG/sim/party/v1\0" + party.encode()
    secret = HKDF(hashes.SHA256(), 32, b"DG/sim/key/v1\0", info).derive(str(seed).encode())
    return _signer(Ed25519PrivateKey.from_private_bytes(secret))


def check_public_key(public_key: bytes) -> None:
    """Raise LedgerError unless the bytes are a canonical Ed25519 public key of large order."""
    if len(public_key) != 32:
        raise LedgerError(f"a public key has 32 bytes, this one {len(public_key)}")
    y = int.from_bytes(public_key, "little") & ((1 << 255) - 1)
    if y >= _FIELD:
        raise LedgerError("public key is not canonical", where=public_key.hex())
    if y in _SMALL_ORDER_Y:
        raise LedgerError("public key has small order: anyone can sign for it", where=public_key.hex())


@dataclass
class Member:
    """One registered key."""

    party: int
    public_key: bytes
    verifier: Ed25519PublicKey
    revoked: bool = False


@dataclass
class Registry:
    """Keys that may speak, by key id."""

    members: dict[bytes, Member] = field(default_factory=dict)

    def register(self, party: int, public_key: bytes) -> bytes:
        """Admit a party's key and return its id; raises LedgerError for a weak or repeated key."""
        check_public_key(public_key)
        key_id = key_id_of(public_key)
        if key_id in self.members:
            raise LedgerError(
                "public key is registered already", where=public_key.hex(), do="give each party its own key"
            )
        self.members[key_id] = Member(party, public_key, Ed25519PublicKey.from_public_bytes(public_key))
        return key_id

    def revoke(self, key_id: bytes) -> None:
        """From now on refuse what this key signs."""
        self.members[key_id].revoked = True


def sign_all(signers: Sequence[Signer], messages: Sequence[bytes]) -> list[bytes]:
    """Each signer's signature of its message, on all cores."""
    return in_parallel(lambda pair: pair[0].sign(pair[1]), list(zip(signers, messages, strict=True)))


def are_signed_by(claims: Sequence[tuple[Ed25519PublicKey, bytes, bytes]]) -> list[bool]:
    """Whether each (key, signature, message) is good, on all cores."""
    return in_parallel(lambda claim: is_signed_by(*claim), claims)


def in_parallel(work: Callable[[Given], Made], items: Sequence[Given]) -> list[Made]:
    """Results in order; the caller takes the first share itself. Ed25519 here runs outside the interpreter's lock."""
    shares = min(_cores(), len(items) // FEW)
    if shares < 2:
        return [work(item) for item in items]
    size = -(-len(items) // shares)
    others = [_pool().submit(_each, work, items[start : start + size]) for start in range(size, len(items), size)]
    made = _each(work, items[:size])
    for other in others:
        made += other.result()
    return made


def _each(work: Callable[[Given], Made], items: Sequence[Given]) -> list[Made]:
    return [work(item) for item in items]


@cache
def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(_cores() - 1, 1), "ledger-signatures")


if hasattr(os, "register_at_fork"):
    # a forked process inherits the pool without its threads and would wait for them for ever
    os.register_at_fork(after_in_child=_pool.cache_clear)


def is_signed_by(verifier: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether the signature is good."""
    try:
        verifier.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _signer(private: Ed25519PrivateKey) -> SoftwareSigner:
    return SoftwareSigner(lambda message: private.sign(message), private.public_key().public_bytes_raw())
