"""The verbs of `digitalgrid ledger` as a user types them."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.cli_ledger import VERBS
from tests.experiments.test_cli import assert_one_line
from tests.ledger.small_world import SLOTS, START, SmallRun


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    """Help says what to type."""
    result = CliRunner().invoke(app, ["ledger", verb, "--help"])
    assert result.exit_code == 0
    assert f"Example: digitalgrid ledger {verb}" in " ".join(result.output.split())


def test_a_receipt_is_written_and_checked_without_the_ledger(run, tmp_path: Path) -> None:
    """With the ledger gone, file and keys are enough; a changed receipt shows nothing."""
    assert run("ledger", "keys", "run", "--out", "keys.json").exit_code == 0
    slot = START + 1
    assert run("ledger", "prove", "run", "--party", "shop", "--slot", slot, "--out", "mine.json").exit_code == 0
    assert_one_line(run("ledger", "prove", "run", "3", "--out", "mine.json"), "cannot write")
    assert run("ledger", "prove-growth", "run", "--since", "mine.json", "--out", "growth.json").exit_code == 0
    shutil.rmtree(tmp_path / "run")
    grown = run("ledger", "verify-growth", "growth.json", "--keys", "keys.json")
    assert grown.stdout.startswith("block 1 with "), grown.output
    good = run("ledger", "verify-receipt", "mine.json", "--keys", "keys.json")
    assert good.exit_code == 0, good.output
    assert "in the ledger" in good.stdout
    facts = json.loads(run("ledger", "verify-receipt", "mine.json", "--keys", "keys.json", "--json").stdout)
    assert (facts["type"], facts["sequence"]) == ("envelope", 2)
    text = (tmp_path / "mine.json").read_text()
    (tmp_path / "forged.json").write_text(text.replace('"index":', '"index":1'))
    assert_one_line(run("ledger", "verify-receipt", "forged.json", "--keys", "keys.json"), "proof does not lead")
    assert_one_line(run("ledger", "verify-receipt", "nowhere.json", "--keys", "keys.json"), "cannot read")


def test_a_record_must_be_named_once(run) -> None:
    """By RECORD, or by party and slot."""
    for typed in ((), ("--party", "shop"), ("3", "--party", "shop", "--slot", "1")):
        assert_one_line(run("ledger", "prove", "run", *typed), "no record is named")
    assert_one_line(run("ledger", "prove", "run", "3", "--world", "4"), "no world 4")


def test_copies_are_compared(run, tmp_path: Path) -> None:
    """Exit code 0 for the same, 1 for a fork or another chain."""
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    same = run("ledger", "compare", "run", "copy")
    assert (same.exit_code, same.stdout.split(",")[0]) == (0, "world-0000: equal")
    SmallRun([6], "full", tmp_path / "other").run()
    other = run("ledger", "compare", "run", "other", "--json")
    assert other.exit_code == 1
    assert json.loads(other.stdout)["world-0000"]["relation"] == "they are of different chains"


def test_structure_is_checked_and_damage_named(run, tmp_path: Path) -> None:
    """`fsck` says whole or DAMAGED."""
    assert run("ledger", "fsck", "run").stdout.endswith("whole\n")
    assert json.loads(run("ledger", "fsck", "run", "--signatures", "--json").stdout)["counts"]["orders"] == SLOTS * 10
    (segment,) = (tmp_path / "run").rglob("segment-*.dgl")
    segment.write_bytes(segment.read_bytes()[:-1])
    damaged = run("ledger", "fsck", "run")
    assert damaged.exit_code == 1
    assert damaged.stdout.endswith("DAMAGED\n")


@pytest.mark.parametrize("form", ["csv", "json"])
def test_records_are_exported_as_plain_files(run, tmp_path: Path, form: str) -> None:
    """One file a table; a ledger that does not verify is not exported, and an existing folder is left alone."""
    made = run("ledger", "export", "run", "--out", "plain", "--format", form)
    assert made.exit_code == 0, made.output
    files = {path.stem: path for path in (tmp_path / "plain").iterdir()}
    assert set(files) == {"orders", "contracts", "postings", "readings", "sealed"}
    with files["orders"].open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file)) if form == "csv" else [json.loads(line) for line in file]
    assert len(rows) == SLOTS * 10
    assert_one_line(run("ledger", "export", "run", "--out", "plain"), "cannot write")
    assert_one_line(run("ledger", "export", "run", "--out", "new", "--format", "xml"), "csv, json")
    (segment,) = (tmp_path / "run").rglob("segment-*.dgl")
    segment.write_bytes(segment.read_bytes()[:-1])
    assert_one_line(run("ledger", "export", "run", "--out", "new"), "export a ledger that verifies")
    assert not (tmp_path / "new").exists()


def test_the_drill_damages_in_the_ways_asked_for(run) -> None:
    """And counts what was found."""
    done = run("ledger", "drill", "run", "--places", 8, "--kind", "cut", "--kind", "zero")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "8 of 8 damages found"
    assert run("ledger", "drill", "run", "--places", 3).stdout.splitlines()[-1] == "3 of 3 flipped bits found"
    assert_one_line(run("ledger", "drill", "run", "--kind", "burn"), "choose among")
