"""Every verb that reads a ledger says in one line where there is none, and writes nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.runs import FORMAT
from tests.experiments.test_cli import assert_one_line

VERBS = (
    "ledger verify X",
    "ledger verify X --from-snapshot 0",
    "ledger snapshot X --block 0",
    "ledger show X",
    "ledger show X --records",
    "ledger prove X 3",
    "ledger prove X 3 --index made.sqlite",
    "ledger prove-growth X --since receipt.json",
    "ledger keys X --out made.json",
    "ledger compare X X",
    "ledger fsck X",
    "ledger export X --out made",
    "ledger drill X --places 1",
    "ledger administrators X made",
    "ledger certify-check X made",
    "ledger survivor X --keys keys.json",
    "ledger evidence X --out made",
    "ledger convict X",
    "ledger recover X",
    "ledger index X --out made.sqlite",
    "ledger prune X made --before-block 1",
    "ledger check-pruned X",
    "ledger to-postgres X --where host=nowhere --name made",
    "why 0/3#0 --run X",
    "bill home-1 --run X",
    "statement home-1 --run X",
    "lines X",
    "report X",
)
PLACES = ("missing", "empty", "file", "without-ledger", "with-empty-ledger", "locked", "other")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that is not a ledger; `locked` cannot be listed, whoever runs the test."""
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "without-ledger", "with-empty-ledger/ledger", "locked/world-0000", "other/photographs"):
        Path(name).mkdir(parents=True)
    for name in ("without-ledger", "with-empty-ledger"):
        (Path(name) / "config.json").write_text(json.dumps({"format": FORMAT, "design": "dgp"}))
    Path("file").write_text("not a folder")
    listed = Path.iterdir

    def listing(path: Path) -> Iterator[Path]:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", listing)
    return tmp_path


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", VERBS)
def test_where_there_is_no_ledger_one_line_says_so(places: Path, verb: str, place: str) -> None:
    """Exit code 1, nothing but that line, nothing made."""
    before = sorted(places.rglob("*"))
    assert_one_line(CliRunner().invoke(app, [place if word == "X" else word for word in verb.split()]), "")
    assert sorted(places.rglob("*")) == before
