"""Key files of devices: PKCS #8, locked with a passphrase (RFC 5958; PBES2 of RFC 8018 with scrypt, RFC 7914).

`openssl pkcs8` and any other reader of the standard open them too. The passphrase comes from the environment or a
prompt, never from the command line, where every process of the machine could read it.
"""

import base64
import getpass
import hashlib
import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from market.errors import LedgerError

PASSPHRASE = "DIGITALGRID_KEY_PASSPHRASE"
"""Environment variable that holds the passphrase of key files."""
PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey

_COST, _BLOCK, _LANES = 1 << 14, 8, 5
"""What scrypt costs: 16 MiB and five rounds over them, the least OWASP's password storage page advises."""
_SCRYPT, _PBES2, _AES = (
    bytes.fromhex(code) for code in ("06092b06010401da47040b", "06092a864886f70d01050d", "060960864801650304012a")
)
_LOCKED = b"ENCRYPTED PRIVATE KEY"


def write_key_file(path: Path, private: PrivateKey, passphrase: bytes | None) -> None:
    """Write a private key, readable by its owner only; never overwrites; raises LedgerError when it cannot."""
    plain = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    label, data = (b"PRIVATE KEY", plain) if passphrase is None else (_LOCKED, lock(plain, passphrase))
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(_armour(label, data))
    except OSError as error:
        raise LedgerError(f"key not written: {error.strerror}", where=str(path), do="choose a new file") from error


def read_key_file(path: Path, passphrase: bytes | None) -> PrivateKey:
    """The private key of a file; a passphrase is used only where the file is locked.

    Raises:
        LedgerError: no file, not a key of a kind known here, or the passphrase is missing or wrong.
    """
    try:
        data = path.read_bytes()
        locked = _LOCKED in data
        if locked and not passphrase:
            raise LedgerError("key file is locked", where=str(path), do=f"set {PASSPHRASE} to its passphrase")
        private = serialization.load_pem_private_key(data, passphrase if locked else None)
    except (OSError, ValueError, TypeError) as error:
        what = "no readable key, or another passphrase" if "password" in str(error) else "no readable key"
        raise LedgerError(what, where=str(path), do="create one for the device") from error
    if isinstance(private, Ed25519PrivateKey) or (
        isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1)
    ):
        return private
    raise LedgerError("not an Ed25519 or P-256 key", where=str(path), do="create one for the device")


def is_locked(path: Path) -> bool:
    """Whether a key file needs a passphrase."""
    return path.is_file() and _LOCKED in path.read_bytes()


def ask_secret(variable: str, what: str) -> str | None:
    """A secret from the environment, else from a prompt where a person sits at the terminal, else None."""
    said = os.environ.get(variable)
    if said is None and sys.stdin.isatty():
        said = getpass.getpass(f"{what}: ")
    return said or None


def lock(plain: bytes, passphrase: bytes) -> bytes:
    """EncryptedPrivateKeyInfo of a PKCS #8 key: AES-256-CBC under a key that scrypt makes of the passphrase."""
    salt, start = os.urandom(16), os.urandom(16)
    key = hashlib.scrypt(passphrase, salt=salt, n=_COST, r=_BLOCK, p=_LANES, maxmem=1 << 26, dklen=32)
    padder = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    sealed = cipher.update(padder.update(plain) + padder.finalize()) + cipher.finalize()
    costs = [_der(2, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in (_COST, _BLOCK, _LANES)]
    derivation = _der(0x30, _SCRYPT + _der(0x30, _der(4, salt) + b"".join(costs)))
    scheme = _der(0x30, _PBES2 + _der(0x30, derivation + _der(0x30, _AES + _der(4, start))))
    return _der(0x30, scheme + _der(4, sealed))


def _der(tag: int, content: bytes) -> bytes:
    """One element of DER; nothing here reaches 2^16 bytes."""
    size = len(content)
    length = bytes([size]) if size < 128 else (bytes([0x81, size]) if size < 256 else b"\x82" + size.to_bytes(2, "big"))
    return bytes([tag]) + length + content


def _armour(label: bytes, data: bytes) -> bytes:
    """The data as PEM (RFC 7468)."""
    text = base64.b64encode(data)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN %b-----" % label, *lines, b"-----END %b-----" % label, b""])
