"""Key files: locked with a passphrase in the standard form, and never readable without it."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ledger.key_files import ask_secret, is_locked, lock
from ledger.keys import KeyKind, create_key_file, load_signer
from market.errors import LedgerError

WORDS = "correct horse 電池".encode()


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_a_locked_key_opens_with_its_passphrase_only(tmp_path: Path, kind: KeyKind) -> None:
    """Missing and wrong passphrases are one clear line each."""
    path = tmp_path / "device.pem"
    signer = create_key_file(path, WORDS, kind)
    assert is_locked(path)
    assert load_signer(path, WORDS).public_key == signer.public_key
    with pytest.raises(LedgerError, match="locked"):
        load_signer(path)
    with pytest.raises(LedgerError, match="another passphrase"):
        load_signer(path, b"wrong")


def test_an_open_key_file_still_loads_whether_or_not_a_passphrase_is_set(tmp_path: Path) -> None:
    """Files made before locks existed go on working."""
    path = tmp_path / "device.pem"
    signer = create_key_file(path)
    assert not is_locked(path)
    assert load_signer(path).public_key == load_signer(path, WORDS).public_key == signer.public_key


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command here")
def test_a_locked_key_is_in_the_standard_form(tmp_path: Path) -> None:
    """The openssl command reads it and says scrypt and AES-256."""
    path = tmp_path / "device.pem"
    signer = create_key_file(path, b"words")
    command = ["openssl", "pkey", "-in", str(path), "-passin", "pass:words", "-pubout", "-outform", "DER"]
    assert subprocess.run(command, capture_output=True, check=True).stdout[-32:] == signer.public_key
    parsed = subprocess.run(["openssl", "asn1parse", "-in", str(path)], capture_output=True, text=True, check=True)
    assert ":PBES2" in parsed.stdout
    assert ":scrypt" in parsed.stdout
    assert ":aes-256-cbc" in parsed.stdout


def test_the_same_key_is_locked_otherwise_each_time() -> None:
    """Salt and start vector are drawn; what is long gets a long length."""
    assert lock(b"key", WORDS) != lock(b"key", WORDS)
    assert lock(bytes(1_000), WORDS)[:2] == b"\x30\x82"


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """RSA is no kind of device key."""
    path = tmp_path / "rsa.pem"
    key = rsa.generate_private_key(65537, 1024)
    plain = serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    with pytest.raises(LedgerError, match="not an Ed25519 or P-256 key"):
        load_signer(path)


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set, empty, and absent where nobody can be asked."""
    for value, expected in (("words", "words"), ("", None)):
        monkeypatch.setenv("DIGITALGRID_KEY_PASSPHRASE", value)
        assert ask_secret("DIGITALGRID_KEY_PASSPHRASE", "passphrase") == expected
    monkeypatch.delenv("DIGITALGRID_KEY_PASSPHRASE")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert ask_secret("DIGITALGRID_KEY_PASSPHRASE", "passphrase") is None
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _: "typed")
    assert ask_secret("DIGITALGRID_KEY_PASSPHRASE", "passphrase") == "typed"
