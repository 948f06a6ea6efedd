"""Keys of a device: locked files, tokens, and what it says about a file that lies open."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agents.device import main
from agents.frames import Enrolment, Said, enrolment_message, read_frame, write_frame
from ledger.admission import admit_envelopes
from ledger.key_files import PASSPHRASE, is_locked
from ledger.keys import is_signed_by, read_verifier
from ledger.pkcs11 import PIN
from ledger.registry import Registry
from tests.agents.test_device import REAL_CHAIN, START, make_genesis, make_report, policy
from tests.ledger.test_pkcs11 import module, needs_token

__all__ = ["module", "policy"]


def speak(policy_path: Path, key: str, **settings: str) -> tuple[list[Any], str]:
    """Run a device for one step; its messages and its words."""
    incoming = io.BytesIO()
    write_frame(incoming, make_genesis().to_message())
    write_frame(incoming, make_report().to_message())
    done = subprocess.run(
        [sys.executable, "-m", "agents.device", str(policy_path), "--key", key],
        input=incoming.getvalue(),
        capture_output=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != PASSPHRASE} | settings,
    )
    out = io.BytesIO(done.stdout)
    return list(iter(lambda: read_frame(out), None)), done.stderr.decode()


def check_answers(answers: list[Any]) -> bytes:
    """The device proves its key and its envelope is admitted; its public key."""
    proof, said = Enrolment.from_message(answers[1]), Said.from_message(answers[2])
    key = proof.public_key
    assert is_signed_by(read_verifier(key), proof.proof, enrolment_message(REAL_CHAIN, key))
    registry = Registry()
    registry.register(0, key)
    assert admit_envelopes(registry, REAL_CHAIN, {}, [said.envelope], START).codes.tolist() == [0]
    return key


def test_a_locked_key_speaks_with_its_passphrase_only(
    policy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The passphrase comes from the environment; without it the device says what to do in one line."""
    path = tmp_path / "device.pem"
    monkeypatch.setenv(PASSPHRASE, "words")
    assert main(["--new-key", str(path), "--kind", "p256"]) == 0
    said = capsys.readouterr()
    assert (len(bytes.fromhex(said.out.strip())), said.err, is_locked(path)) == (33, "", True)
    answers, words = speak(policy.path, str(path), **{PASSPHRASE: "words"})
    assert (check_answers(answers).hex(), words) == (said.out.strip(), "")
    answers, words = speak(policy.path, str(path))
    assert (answers, words.count("\n")) == ([], 1)
    assert f"set {PASSPHRASE}" in words


def test_a_key_file_that_lies_open_still_speaks_and_is_warned_of(
    policy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line when it is made and when it is used."""
    monkeypatch.delenv(PASSPHRASE, raising=False)
    path = tmp_path / "device.pem"
    assert main(["--new-key", str(path)]) == 0
    assert "not locked" in capsys.readouterr().err
    answers, words = speak(policy.path, str(path))
    check_answers(answers)
    assert (words.count("\n"), "not locked" in words) == (1, True)


@needs_token
def test_a_device_speaks_with_a_key_in_a_token(policy: Any, module: str) -> None:
    """Made and used there by processes of their own; a wrong PIN is one line."""
    uri = f"pkcs11:token=home;object=device?module-path={module}"
    making = [sys.executable, "-m", "agents.device", "--new-key", uri, "--kind", "p256"]
    made = subprocess.run(making, capture_output=True, check=True, text=True, env=os.environ | {PIN: "5678"})
    answers, words = speak(policy.path, uri, **{PIN: "5678"})
    assert (check_answers(answers).hex(), words) == (made.stdout.strip(), "")
    answers, words = speak(policy.path, uri, **{PIN: "1111"})
    assert (answers, words.count("\n"), "token does not open" in words) == ([], 1, True)
