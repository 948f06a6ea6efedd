"""The verbs of `digitalgrid ledger` about stores: recover, index, prune, check-pruned, crash."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from experiments.cli import app
from experiments.cli_store import VERBS
from ledger.segments import find_segments
from tests.ledger.small_world import SmallRun


def ledger(*words: object) -> Result:
    """Run a verb of `digitalgrid ledger`."""
    return CliRunner().invoke(app, ["ledger", *map(str, words)], catch_exceptions=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a finished ledger of two worlds."""
    folder = tmp_path_factory.mktemp("run")
    SmallRun([5, 6], "full", folder / "ledger").run()
    return folder


def test_recover_takes_off_an_unfinished_block_and_says_so(run: Path, tmp_path: Path) -> None:
    """Once; then nothing is unfinished, and the audit says that the end is missing."""
    shutil.copytree(run, tmp_path / "run")
    path = find_segments(tmp_path / "run" / "ledger" / "world-0001")[-1]
    path.write_bytes(path.read_bytes()[:-10])
    first, second = (ledger("recover", tmp_path / "run").output.splitlines() for _ in range(2))
    assert "world-0000: nothing unfinished" in first[0]
    assert "world-0001: segment-000000.dgl, byte" in first[1]
    assert "a block was not finished when the writer ended" in first[1]
    assert "world-0001: nothing unfinished" in second[1]
    verified = ledger("verify", tmp_path / "run")
    assert verified.exit_code == 1
    assert "ledger was not closed" in verified.output


def test_recover_leaves_damage_until_a_person_says_so(run: Path, tmp_path: Path) -> None:
    """A whole last block with a wrong checksum may have been acknowledged."""
    shutil.copytree(run, tmp_path / "run")
    path = find_segments(tmp_path / "run" / "ledger" / "world-0000")[-1]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    refused = ledger("recover", tmp_path / "run")
    assert refused.exit_code == 1
    assert "so it is not cut" in refused.output
    assert "are cut off and kept in" in ledger("recover", tmp_path / "run", "--cut-damaged").output


def test_a_record_is_proved_by_the_index_as_without(run: Path, tmp_path: Path) -> None:
    """The receipts are the same bytes."""
    said = ledger("index", run, "--world", 1, "--out", tmp_path / "index")
    assert "records in" in said.output
    receipts = [
        ledger("prove", run, "--party", "shop", "--slot", slot, "--world", 1, *more).output
        for slot in ("288047",)
        for more in ((), ("--index", tmp_path / "index"))
    ]
    assert receipts[0] == receipts[1]
    assert "there is no world 2" in ledger("index", run, "--world", 2, "--out", tmp_path / "index").output


def test_a_pruned_ledger_upholds_a_receipt_given_before(run: Path, tmp_path: Path) -> None:
    """Old envelopes are gone, their receipts are not."""
    ledger("prove", run, "--party", "shop", "--slot", "288045", "--out", tmp_path / "receipt.json")
    pruned = ledger("prune", run, tmp_path / "pruned", "--before-block", 2)
    assert pruned.output.count("envelopes of") == 2
    checked = ledger("check-pruned", tmp_path / "pruned", "--receipt", tmp_path / "receipt.json")
    assert checked.output.splitlines()[-1].endswith("is upheld")
    other = tmp_path / "other"
    SmallRun([7], "full", other).run()
    ledger("prove", other, "0/3", "--out", tmp_path / "other.json")
    refused = ledger("check-pruned", tmp_path / "pruned", "--receipt", tmp_path / "other.json")
    assert refused.exit_code == 1
    assert "the receipt is not of this ledger" in refused.output


def test_what_is_old_must_be_said_and_be_there(run: Path, tmp_path: Path) -> None:
    """One clear line, and nothing is written."""
    assert "give --keep-days or --before-block" in ledger("prune", run, tmp_path / "pruned").output
    # the run is shorter than a day
    assert "nothing to prune" in ledger("prune", run, tmp_path / "pruned", "--keep-days", 1).output
    assert not (tmp_path / "pruned").exists()


def test_crash_prints_its_report_for_people_and_programs() -> None:
    """One round each."""
    assert "acknowledged, 0 lost" in ledger("crash", "--rounds", 1).output
    report = json.loads(ledger("crash", "--rounds", 1, "--json").output)
    assert report["rounds"] == 1
    assert report["lost"] == []


def test_the_page_on_stores_names_verbs_and_options_that_exist() -> None:
    """Every command of the page is one of the program, with its options."""
    page = (Path(__file__).parents[2] / "docs" / "stores.md").read_text("utf-8")
    lines = [line.split() for line in page.splitlines() if line.startswith("digitalgrid ledger ")]
    assert {words[2] for words in lines} == set(VERBS) | {"prove", "verify", "snapshot", "administrators"}
    for words in lines:
        told = ledger(words[2], "--help")
        assert told.exit_code == 0
        assert [word for word in words if word.startswith("--") and word not in told.output] == []
