"""Keys in a token: made there, used there, never given away. SoftHSM 2 plays the token."""

import copy
import importlib.util
import pickle
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ledger.keys import KeyKind, is_signed_by, read_verifier, sign_all
from ledger.pkcs11 import TokenKey, create_token_key, open_token_signer, read_uri
from market.errors import ConfigError, LedgerError

MODULES = [Path("/") / "usr" / "lib" / place / "libsofthsm2.so" for place in ("softhsm", "x86_64-linux-gnu/softhsm")]
MODULE = next((path for path in MODULES if path.is_file()), None)
needs_token = pytest.mark.skipif(
    MODULE is None or shutil.which("softhsm2-util") is None or importlib.util.find_spec("pkcs11") is None,
    reason="needs softhsm2 (apt-get install softhsm2) and python-pkcs11",
)


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The driver of a fresh token `home` with PIN 5678."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n", "ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "conf"))
        command = ["softhsm2-util", "--init-token", "--free", "--label", "home", "--so-pin", "1234", "--pin", "5678"]
        subprocess.run(command, check=True, capture_output=True)
        yield str(MODULE)


@needs_token
@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_a_key_is_made_in_the_token_and_signs_there(module: str, kind: KeyKind) -> None:
    """Its signatures are good outside, also when threads share it; opened again it is the same key."""
    where = TokenKey(module, "home", kind)
    signer = create_token_key(where, "5678", kind)
    verifier = read_verifier(signer.public_key)
    messages = [bytes([number]) for number in range(20)]
    signatures = sign_all([signer] * 20, messages)
    assert all(is_signed_by(verifier, *pair) for pair in zip(signatures, messages, strict=True))
    assert open_token_signer(where, "5678").public_key == signer.public_key
    with pytest.raises(LedgerError, match="of that label"):
        create_token_key(where, "5678", kind)


@needs_token
def test_the_token_does_not_give_the_key_away(module: str) -> None:
    """Neither the value nor a weaker setting can be had; the signer is neither copied nor pickled."""
    import pkcs11

    signer = create_token_key(TokenKey(module, "home", "kept"), "5678", "p256")
    assert {name for name in dir(signer) if not name.startswith("_")} == {"key_id", "public_key", "sign"}
    private = signer._TokenSigner__key  # type: ignore[attr-defined]
    with pytest.raises(pkcs11.AttributeSensitive):
        private[pkcs11.Attribute.VALUE]
    with pytest.raises(pkcs11.PKCS11Error):
        private[pkcs11.Attribute.EXTRACTABLE] = True
    for way in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            way(signer)
    assert signer.key_id.hex() in repr(signer)


@needs_token
def test_what_is_missing_is_one_clear_line(module: str) -> None:
    """Driver, token, key."""
    with pytest.raises(LedgerError, match="no such key"):
        open_token_signer(TokenKey(module, "home", "nothing"), "5678")
    with pytest.raises(LedgerError, match="token does not open"):
        open_token_signer(TokenKey(module, "elsewhere", "ed25519"), "5678")
    with pytest.raises(LedgerError, match="no driver"):
        open_token_signer(TokenKey("nowhere.so", "home", "ed25519"), "5678")


def test_a_key_in_a_token_has_a_uri() -> None:
    """RFC 7512 with escapes; a PIN in it is refused, and so is anything incomplete."""
    where = read_uri("pkcs11:token=my%20home;object=dgc?module-path=lib.so")
    assert where == TokenKey("lib.so", "my home", "dgc")
    assert str(where) == "pkcs11:token=my home;object=dgc"
    with pytest.raises(ConfigError, match="no secret"):
        read_uri("pkcs11:token=home;object=dgc?module-path=lib.so&pin-value=1")
    for bad in ("pkcs11:token=home", "file:x", "pkcs11:token=a;object=b;serial=1?module-path=c"):
        with pytest.raises(ConfigError, match="write pkcs11:"):
            read_uri(bad)
