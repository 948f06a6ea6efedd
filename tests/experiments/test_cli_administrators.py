"""The verbs for several administrators, as a user types them."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.administrators_picture import EPOCH, GONE, N, tell_story
from experiments.cli import app
from experiments.cli_administrators import VERBS
from experiments.sim_ledger import hunt, run_liar, run_seeds
from ledger.administrators import known_administrators
from ledger.audit import verify
from market.errors import ConfigError
from tests.experiments.test_cli import assert_one_line


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    """Help says what to type."""
    result = CliRunner().invoke(app, ["ledger", verb, "--help"])
    assert result.exit_code == 0
    assert f"Example: digitalgrid ledger {verb}" in " ".join(result.output.split())


def test_a_ledger_is_cosigned_checked_and_recovered(run, tmp_path: Path) -> None:
    """Four sign, one lags; the lagging one alone says what is lost, another one gives the ledger back whole."""
    done = run("ledger", "administrators", "run", "signed", "--down", "3@1")
    assert "1 may be down, 1 may lie" in done.stdout, done.output
    assert run("ledger", "certify-check", "run", "signed").exit_code == 0
    facts = json.loads(run("ledger", "certify-check", "run", "signed", "--json").stdout)["world-0000"]
    assert facts["certified"] == facts["blocks"]
    keys = ("--keys", "signed/world-0000/keys.json")
    others = ("--certificates", "signed/world-0000/certificates.json")
    lagging = run("ledger", "survivor", "signed/world-0000/administrator-3", *keys, *others)
    assert lagging.exit_code == 1
    assert lagging.stdout.count("lost with the others") == facts["blocks"] - 1
    whole = run("ledger", "survivor", "signed/world-0000/administrator-1", *keys, *others, "--out", "again")
    assert whole.exit_code == 0, whole.output
    assert run("ledger", "verify", "again").exit_code == 0
    assert run("ledger", "certify-check", "again", "signed", *keys).exit_code == 0
    shutil.rmtree(tmp_path / "again")
    assert_one_line(run("ledger", "administrators", "run", "signed"), "not empty")


def test_the_leader_is_lost_and_verify_follows_the_epoch(run) -> None:
    """With the keys of its administrators only; a lone survivor goes on by disaster, and that is told."""
    done = run("ledger", "administrators", "run", "signed", "--leader-lost", 1)
    assert "in epochs 0, 1" in done.stdout, done.output
    verified = run("ledger", "verify", "signed", "--keys", "signed")
    assert verified.exit_code == 0, verified.output
    assert "block 1: epoch 1 begins, ordered by administrator 1, promised by 3" in verified.stdout
    assert run("ledger", "fsck", "signed", "--keys", "signed/world-0000/keys.json").exit_code == 0
    assert run("ledger", "certify-check", "signed", "signed").exit_code == 0
    assert "give their public keys with --keys" in run("ledger", "verify", "signed").stdout
    survivor = "signed/world-0000/administrator-2", "--keys", "signed/world-0000/keys.json"
    assert run("ledger", "administrators", "run", "late", "--down", "2@1").exit_code == 0
    gone = run("ledger", "survivor", "late/world-0000/administrator-2", *survivor[1:], "--out", "on", "--bring", "run")
    assert "in epoch 2, by disaster" in gone.stdout, gone.output
    told = run("ledger", "verify", "on", "--keys", "signed")
    assert told.exit_code == 0, told.output
    assert "BY DISASTER: promised by 1 where 3 are needed" in told.stdout
    assert_one_line(run("ledger", "survivor", *survivor, "--bring", "run"), "give --out as well")
    assert_one_line(run("ledger", "administrators", "run", "far", "--leader-lost", 99), "no block 99")


def test_a_ledger_with_epochs_is_snapshotted_pruned_and_exported_with_the_keys(run) -> None:
    """Each verb follows the epoch with --keys, and verify begins at the signed or the own snapshot."""
    assert run("ledger", "administrators", "run", "signed", "--leader-lost", 1, "--snapshot", 1).exit_code == 0
    own = run("ledger", "snapshot", "signed", "--block", 1, "--keys", "signed", "--out", "own")
    assert "own/world-0000/block-00000001.dgr" in own.stdout, own.output
    mine = run("ledger", "verify", "signed", "--from-snapshot", 1, "--snapshots", "own", "--keys", "signed")
    assert mine.exit_code == 0, mine.output
    assert "signed by 0 of 4 administrators, 3 are needed" in mine.stdout
    theirs = run("ledger", "verify", "signed", "--from-snapshot", 2, "--keys", "signed")
    assert theirs.exit_code == 0, theirs.output
    assert "signed by 3 of 4 administrators" in theirs.stdout
    assert run("ledger", "prune", "signed", "slim", "--before-block", 2, "--keys", "signed").exit_code == 0
    assert run("ledger", "check-pruned", "slim", "--keys", "signed").exit_code == 0
    assert run("ledger", "show", "signed", "--keys", "signed").exit_code == 0
    assert run("ledger", "export", "signed", "--out", "plain", "--keys", "signed").exit_code == 0
    assert_one_line(run("ledger", "verify", "signed", "--from-snapshot", 7, "--keys", "signed"), "ledger snapshot")
    assert_one_line(run("ledger", "snapshot", "signed", "--block", 77, "--keys", "signed"), "has no block 77")


@pytest.mark.slow
def test_a_day_of_urawa_misono_goes_on_without_its_leader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real market records, three of four must sign, the leader lost in mid-run: epoch 1, the same content heads."""
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def call(*arguments: str) -> str:
        result = runner.invoke(app, list(arguments))
        assert result.exit_code == 0, result.output
        return result.stdout

    call("simulate", "urawa-misono", "--days", "1", "--ledger", "full", "--out", "day")
    call("ledger", "administrators", "day", "signed", "--leader-lost", "4")
    told = call("ledger", "verify", "signed", "--keys", "signed")
    assert "block 4: epoch 1 begins, ordered by administrator 1, promised by 3 (3 are needed)" in told
    assert (
        verify(tmp_path / "day" / "ledger").content_heads
        == verify(tmp_path / "signed" / "ledger", keys_of=known_administrators(tmp_path / "signed")).content_heads
    )


def test_a_receipt_holds_the_cosignatures_and_is_checked_with_the_keys_alone(run, tmp_path: Path) -> None:
    """With q = 3 a receipt without a certificate shows nothing, one with it does, also when everything else is gone."""
    assert run("ledger", "administrators", "run", "signed").exit_code == 0
    beside = tmp_path / "signed" / "world-0000"
    shutil.copy(beside / "keys.json", "keys.json")
    certificates = ("--certificate", "signed/world-0000/certificates.json")
    assert run("ledger", "prove", "run", "5", *certificates, "--out", "good.json").exit_code == 0
    assert run("ledger", "prove", "run", "5", "--out", "bare.json").exit_code == 0
    shutil.rmtree(tmp_path / "run")
    shutil.rmtree(tmp_path / "signed")
    good = run("ledger", "verify-receipt", "good.json", "--keys", "keys.json")
    assert good.exit_code == 0, good.output
    assert_one_line(run("ledger", "verify-receipt", "bare.json", "--keys", "keys.json"), "cut short")


def test_what_cannot_be_is_said_in_one_line(run) -> None:
    """A quorum that forks, a sequencer that is down, a bug nobody planted, a wrong size."""
    assert_one_line(run("ledger", "administrators", "run", "x", "--quorum", 2), "lets two blocks")
    assert_one_line(run("ledger", "administrators", "run", "x", "--down", "0@1"), "NUMBER@BLOCK")
    assert_one_line(run("ledger", "sim", "--bug", "ghost"), "unknown bug")
    assert_one_line(run("ledger", "sim", "--liar", "four"), "not n,q")
    assert_one_line(run("ledger", "sim", "--liar", "4,2"), "lets two blocks")
    assert_one_line(run("ledger", "sim", "--liar", "4,3", "--bug", "all"), "do not go together")
    assert_one_line(run("ledger", "certify-check", "run", "nowhere"), "cannot read")


def test_a_campaign_says_what_happened(run, tmp_path: Path) -> None:
    """Exit code 0 without a violation; a planted bug is named with its seed; a liar's forks convict it."""
    quiet = run("ledger", "sim", "--seeds", 20)
    assert quiet.exit_code == 0
    assert quiet.stdout.splitlines()[-1] == "no violation"
    assert "shows at seed" in run("ledger", "sim", "--seeds", 20, "--bug", "lost-fsync").stdout
    assert run("ledger", "sim", "--seeds", 3, "--bug", "longest-log").exit_code == 1
    assert "convict the liar and nobody else" in run("ledger", "sim", "--seeds", 40, "--liar", "3,2").stdout
    assert run("ledger", "sim", "--picture", "figures/change.png").exit_code == 0
    assert (tmp_path / "figures" / "change.png").stat().st_size > 10_000


def test_campaigns_count_seeds_and_stop_at_a_bug() -> None:
    """All seeds without a bug, the first that shows it with one; progress reaches what was asked."""
    told: list[tuple[int, int]] = []
    campaign = run_seeds(5, 3, lambda done, total: told.append((done, total)))
    assert (campaign.seeds, told[-1]) == (5, (5, 5))
    (found,) = hunt("stale-epoch", 50, 0, lambda done, total: None)
    assert found.seeds == found.found[0].seed + 1
    assert run_liar("4,3", 5, 0, lambda done, total: None).forks == 0
    with pytest.raises(ConfigError, match="unknown bug"):
        hunt("", 1, 0, lambda done, total: None)


def test_the_picture_tells_an_epoch_change() -> None:
    """In the end all hold the same log: two blocks of epoch 0, the start of the new epoch, everything certified."""
    story, chapters = tell_story()
    assert len({state.log for state in story.states}) == 1
    assert [(entry.epoch, entry.start is not None) for entry in story.states[GONE].log] == [
        (0, False),
        (0, False),
        (EPOCH, True),
    ]
    assert [state.floor for state in story.states] == [3] * N
    assert len(chapters) == 4
