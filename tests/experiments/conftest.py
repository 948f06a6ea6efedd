"""What tests of the command line share."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from experiments.cli import app
from tests.ledger.small_world import SmallRun


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command line inside a folder that holds a small run, `run/ledger`."""
    monkeypatch.chdir(tmp_path)
    SmallRun([5], "full", tmp_path / "run" / "ledger").run()
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
