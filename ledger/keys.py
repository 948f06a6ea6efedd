"""Keys: a device signs, and its key never leaves it (paper 2.2).

A `Signer` has no way to give its key away; hardware keys (`ledger.pkcs11`) implement the same three members. The
software signer hides its key from attributes, printing, copying and pickling; against code running in the same process
no Python object is a safe, so a real device keeps its key in hardware. Keys are Ed25519 (RFC 8032) or P-256
(`ledger.p256`), told apart by the length of the public key. Public keys of small order and keys that are not canonical
are refused: OpenSSL accepts a forged signature under the identity point for any message (implementations differ there,
https://hdevalence.ca/blog/2020-10-04-its-25519am).
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Literal, NoReturn, Protocol, TypeVar, get_args

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledger import p256
from ledger.key_files import PrivateKey, read_key_file, write_key_file
from ledger.p256 import P256_KEY_BYTES, P256Verifier
from market.errors import LedgerError

KeyKind = Literal["ed25519", "p256"]
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
        """What others verify with: 32 bytes of Ed25519 or 33 of P-256."""

    def sign(self, message: bytes) -> bytes:
        """Signature, 64 bytes."""


class Verifier(Protocol):
    """What checks signatures of one public key."""

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raise InvalidSignature unless the signature is the key's over the data."""


def key_id_of(public_key: bytes) -> bytes:
    """Key id of a public key."""
    return hashlib.sha256(public_key).digest()[:KEY_ID_BYTES]


class SoftwareSigner:
    """A key in memory, from `generate`, `load_signer` or `simulation_signer`."""

    __slots__ = ("__sign", "key_id", "public_key")

    def __init__(self, sign: Callable[[bytes], bytes], public_key: bytes) -> None:
        self.__sign = sign
        self.public_key = public_key
        self.key_id = key_id_of(public_key)

    @classmethod
    def generate(cls, kind: KeyKind = "ed25519") -> "SoftwareSigner":
        """A signer with a new key, lost with the process."""
        return _signer(_new_key(kind))

    def sign(self, message: bytes) -> bytes:
        """Signature, 64 bytes."""
        return self.__sign(message)

    def __repr__(self) -> str:
        return f"SoftwareSigner(key_id={self.key_id.hex()})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a signer is neither copied nor pickled: its key stays where it is")


def create_key_file(path: Path, passphrase: bytes | None = None, kind: KeyKind = "ed25519") -> SoftwareSigner:
    """Write a new device key (PKCS #8, readable by its owner only) and return its signer; never overwrites.

    Args:
        path: a file that does not exist.
        passphrase: locks the file (`ledger.key_files`); None leaves it open to whoever can read it.
        kind: `ed25519` or `p256`.
    """
    private = _new_key(kind)
    write_key_file(path, private, passphrase)
    return _signer(private)


def load_signer(path: Path, passphrase: bytes | None = None) -> SoftwareSigner:
    """The signer of a device key file, locked or not; raises LedgerError when it holds no key of a kind known here."""
    return _signer(read_key_file(path, passphrase))


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
    """Raise LedgerError unless the bytes are a canonical public key, of large order where it is Ed25519."""
    if len(public_key) == P256_KEY_BYTES:
        P256Verifier(public_key)
        return
    if len(public_key) != 32:
        raise LedgerError(f"a public key has 32 bytes (Ed25519) or 33 (P-256), this one {len(public_key)}")
    y = int.from_bytes(public_key, "little") & ((1 << 255) - 1)
    if y >= _FIELD:
        raise LedgerError("public key is not canonical", where=public_key.hex())
    if y in _SMALL_ORDER_Y:
        raise LedgerError("public key has small order: anyone can sign for it", where=public_key.hex())


def read_verifier(public_key: bytes) -> Verifier:
    """What checks signatures of a public key; raises LedgerError for a weak one (`check_public_key`)."""
    check_public_key(public_key)
    if len(public_key) == P256_KEY_BYTES:
        return P256Verifier(public_key)
    try:
        return Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError as error:
        raise LedgerError("public key is not a point of the curve", where=public_key.hex()) from error


def sign_all(signers: Sequence[Signer], messages: Sequence[bytes]) -> list[bytes]:
    """Each signer's signature of its message, on all cores."""
    return in_parallel(lambda pair: pair[0].sign(pair[1]), list(zip(signers, messages, strict=True)))


def are_signed_by(claims: Sequence[tuple[Verifier, bytes, bytes]]) -> list[bool]:
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


def is_signed_by(verifier: Verifier, signature: bytes, message: bytes) -> bool:
    """Whether the signature is good."""
    try:
        verifier.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _new_key(kind: KeyKind) -> PrivateKey:
    if kind == "ed25519":
        return Ed25519PrivateKey.generate()
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    raise LedgerError(f"unknown kind of key {kind!r}", do=f"choose one of {', '.join(get_args(KeyKind))}")


def _signer(private: PrivateKey) -> SoftwareSigner:
    if isinstance(private, Ed25519PrivateKey):
        return SoftwareSigner(lambda message: private.sign(message), private.public_key().public_bytes_raw())
    return SoftwareSigner(lambda message: p256.sign(private, message), p256.compress(private.public_key()))
