"""The crash drill: a few rounds here, hundreds by command."""

from pathlib import Path

import pytest

from experiments import crash_drill
from market.errors import LedgerError


@pytest.mark.parametrize("rounds", [2, pytest.param(300, marks=pytest.mark.slow)])
def test_no_acknowledged_block_is_lost_when_writers_are_killed(rounds: int) -> None:
    """`digitalgrid ledger crash`: SIGKILL at random moments, and what a power cut may take in every other round."""
    report = crash_drill.crash_segments(rounds, 5)
    assert report.ok, report.lost
    assert report.rounds == rounds
    assert report.blocks > 0


def test_the_drill_names_what_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that was acknowledged and is not in the folder is found out."""
    said = [["0", "ab" * 32, "3"]]
    monkeypatch.setattr(crash_drill, "_run_writer", lambda folder, seed, life_s: said)
    report = crash_drill.crash_segments(1, 0)
    assert not report.ok
    assert report.lines()[-1] == "round 0: block 0 was acknowledged and is lost"


def test_a_writer_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    """What it said last is the reason."""
    with pytest.raises(LedgerError, match=r"the writer ended by itself.*no ledger here"):
        crash_drill._run_writer(tmp_path / "nothing", 0, 5.0)
