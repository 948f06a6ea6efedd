"""Keys in hardware: a signer over PKCS #11, the interface of smart cards, TPM bridges and security modules.

The key is made inside the token, marked sensitive and not extractable, and never leaves it; the PIN comes from the
environment or a prompt. A key is named by a URI (RFC 7512): `pkcs11:token=home;object=dgc?module-path=FILE`. The
library (python-pkcs11) is an optional part of the installation. SoftHSM proves the interface in tests; whoever copies
its folder copies the key, so a device needs a real token.
"""

import hashlib
import os
from dataclasses import dataclass
from threading import Lock
from typing import Any, NoReturn
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric import ec

from ledger import p256
from ledger.keys import KeyKind, key_id_of
from market.errors import ConfigError, LedgerError

PIN = "DIGITALGRID_TOKEN_PIN"
"""Environment variable that holds the PIN of the token."""
SCHEME = "pkcs11:"
_CURVES: dict[KeyKind, bytes] = {
    "ed25519": b"\x13\x0cedwards25519",  # PKCS #11 3.0, 6.3.5: a curve name as PrintableString
    "p256": bytes.fromhex("06082a8648ce3d030107"),
}


@dataclass(frozen=True)
class TokenKey:
    """Where a key lies: the driver's file, the token's and the key's label."""

    module: str
    token: str
    label: str

    def __str__(self) -> str:
        return f"{SCHEME}token={self.token};object={self.label}"


def read_uri(text: str) -> TokenKey:
    """A `pkcs11:` URI; raises ConfigError unless it names token, object and module-path and nothing secret."""
    path, _, query = text.removeprefix(SCHEME).partition("?")
    given = dict(part.partition("=")[::2] for part in [*path.split(";"), *query.split("&")] if part)
    example = "write pkcs11:token=LABEL;object=LABEL?module-path=FILE"
    if "pin-value" in given:
        raise ConfigError("a PIN on the command line is no secret", do=f"set {PIN} or type it when asked")
    if not text.startswith(SCHEME) or set(given) != {"token", "object", "module-path"}:
        raise ConfigError("not the URI of a key in a token", where=text, do=example)
    return TokenKey(*(unquote(given[name]) for name in ("module-path", "token", "object")))


class TokenSigner:
    """A key inside a token; from `open_token_signer` or `create_token_key`."""

    __slots__ = ("__key", "__lock", "__mechanism", "key_id", "public_key")

    def __init__(self, private: Any, mechanism: Any, public_key: bytes) -> None:
        # a session of PKCS #11 does one thing at a time
        self.__key, self.__mechanism, self.__lock = private, mechanism, Lock()
        self.public_key = public_key
        self.key_id = key_id_of(public_key)

    def sign(self, message: bytes) -> bytes:
        """Signature made inside the token, 64 bytes; ECDSA with low s."""
        is_p256 = len(self.public_key) == p256.P256_KEY_BYTES
        data = hashlib.sha256(message).digest() if is_p256 else message
        with self.__lock:
            signature: bytes = self.__key.sign(data, mechanism=self.__mechanism)
        if not is_p256:
            return signature
        return p256.join_low(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))

    def __repr__(self) -> str:
        return f"TokenSigner(key_id={self.key_id.hex()})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a signer is neither copied nor pickled: its key stays where it is")


def open_token_signer(where: TokenKey, pin: str) -> TokenSigner:
    """The signer of a key that lies in a token; raises LedgerError where library, token or key is missing."""
    pkcs11, session = _open(where, pin)
    try:
        private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=where.label)
        public = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, label=where.label)
        return _signer(pkcs11, private, public, where)
    except pkcs11.PKCS11Error as error:
        raise LedgerError(f"no such key in the token ({_words(error)})", where=str(where), do="make one") from error


def create_token_key(where: TokenKey, pin: str, kind: KeyKind) -> TokenSigner:
    """Make a key inside the token and return its signer; raises LedgerError where the label is taken or it cannot."""
    pkcs11, session = _open(where, pin)
    attribute = pkcs11.Attribute
    if next(iter(session.get_objects({attribute.LABEL: where.label})), None) is not None:
        raise LedgerError("the token has a key of that label", where=str(where), do="choose another label")
    family, maker = (
        (pkcs11.KeyType.EC_EDWARDS, pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN)
        if kind == "ed25519"
        else (pkcs11.KeyType.EC, pkcs11.Mechanism.EC_KEY_PAIR_GEN)
    )
    kept = {attribute.SENSITIVE: True, attribute.EXTRACTABLE: False, attribute.PRIVATE: True}
    try:
        curve = session.create_domain_parameters(family, {attribute.EC_PARAMS: _CURVES[kind]}, local=True)
        public, private = curve.generate_keypair(store=True, label=where.label, mechanism=maker, private_template=kept)
        return _signer(pkcs11, private, public, where)
    except pkcs11.PKCS11Error as error:
        raise LedgerError(f"the token makes no {kind} key ({_words(error)})", where=str(where)) from error


def _open(where: TokenKey, pin: str) -> tuple[Any, Any]:
    """The library and a session of the token, logged in."""
    try:
        import pkcs11
    except ImportError as error:
        raise LedgerError("keys in tokens need python-pkcs11", do="pip install digitalgrid[pkcs11]") from error
    if not os.path.isfile(where.module):
        raise LedgerError("no driver of a token there", where=where.module, do="give its file as module-path")
    try:
        token = pkcs11.lib(where.module).get_token(token_label=where.token)
        try:
            return pkcs11, token.open(user_pin=pin, rw=True)
        except pkcs11.UserAlreadyLoggedIn:
            # a process logs in once for all its sessions of a token
            return pkcs11, token.open(rw=True)
    except pkcs11.PKCS11Error as error:
        do = f"check its label and {PIN}"
        raise LedgerError(f"token does not open ({_words(error)})", where=str(where), do=do) from error


def _signer(pkcs11: Any, private: Any, public: Any, where: TokenKey) -> TokenSigner:
    """A signer of a key pair; raises LedgerError where the key could be taken out of the token."""
    attribute = pkcs11.Attribute
    if private[attribute.EXTRACTABLE] or not private[attribute.SENSITIVE]:
        raise LedgerError("the token would give the key away", where=str(where), do="make one that is not extractable")
    # EC_POINT is an OCTET STRING of the point; both kinds are shorter than 128 bytes
    point = public[attribute.EC_POINT][2:]
    if private.key_type == pkcs11.KeyType.EC_EDWARDS:
        return TokenSigner(private, pkcs11.Mechanism.EDDSA, point)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    return TokenSigner(private, pkcs11.Mechanism.ECDSA, p256.compress(key))


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
