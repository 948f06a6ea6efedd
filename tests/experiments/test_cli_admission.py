"""The verbs about who may speak, as a user types them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.cli_admission import VERBS
from tests.ledger.small_world import SLOTS, SmallRun
from tests.ledger.test_keys_in_chain import SEED, write


def run(*words: str) -> tuple[int, list[str]]:
    """Exit code and lines."""
    result = CliRunner().invoke(app, ["ledger", *words])
    return result.exit_code, result.output.splitlines()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    """One sentence and one example each."""
    result = CliRunner().invoke(app, ["ledger", verb, "--help"])
    assert result.exit_code == 0
    assert f"Example: digitalgrid ledger {verb}" in " ".join(result.output.split())


def test_an_attack_is_told_by_kind_and_code() -> None:
    """Every envelope refused as it must be."""
    code, lines = run("attack", "--envelopes", "140")
    assert (code, lines[-1]) == (0, "140 of 140 bad envelopes refused with the right code, none entered")
    assert any(line.split() == ["10", "revoked", "key", "REVOKED_KEY"] for line in lines)


def test_an_attack_on_sealed_orders_is_told_too() -> None:
    """Orders and shares, each with its code."""
    code, lines = run("attack", "--sealed", "--envelopes", "58")
    assert (code, lines[-1]) == (
        0,
        "58 of 58 forgeries of sealed orders and shares refused with the right code, none entered",
    )
    assert any(line.split() == ["2", "for", "a", "later", "gate", "TOO_EARLY"] for line in lines)


def test_evidence_is_written_and_convicts_by_itself(tmp_path: Path) -> None:
    """A file for each offence; changed by one byte it convicts nobody."""
    world = SmallRun([SEED], "full", tmp_path / "run" / "ledger")
    world.step(0)
    world.noise = {(0, 0): write(world.keeper, 1, 123)}
    world.step(1)
    world.noise = None
    for t in range(2, SLOTS):
        world.step(t)
    world.keeper.close()
    code, lines = run("evidence", str(tmp_path / "run"), "--out", str(tmp_path / "out"))
    assert (code, lines[-1]) == (0, "1 device spoke twice")
    (file,) = (tmp_path / "out").iterdir()
    code, lines = run("convict", str(file))
    assert (code, lines[2], lines[-1][:9]) == (0, "sequence  1", "convicted")
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    assert run("convict", str(file))[0] == 1
    assert run("convict", str(tmp_path / "nothing"))[0] == 1
