"""Execution records: what the writer says, a verifier derives; certificates follow from the readings."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from ledger.audit import verify
from ledger.executions import NAMES, Execution, ExecutionCheck, Executions, describe_execution, read_execution
from ledger.journal import read
from ledger.programs import installed_programs
from ledger.records import RecordType
from market.errors import LedgerError
from market.units import WH_PER_KWH
from tests.ledger.small_world import SLOTS, START, SmallRun
from tests.ledger.test_audit import rewrite

BODY = Execution(2, b"p" * 32, b"q" * 32, 7, 40, 3, b"i" * 32, b"o" * 32)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallRun, Path]:
    """A finished small world and its ledger."""
    folder = tmp_path_factory.mktemp("run") / "ledger"
    return SmallRun([5], "full", folder).run(), folder


def executions_in(folder: Path) -> list[Execution]:
    """Every execution record of the only world."""
    records = read(folder / "world-0000")
    return [read_execution(body) for _, _, kind, body in records if kind == RecordType.EXEC]


def test_execution_records_are_frozen() -> None:
    """Golden bytes: they change only with the version."""
    data = BODY.to_bytes()
    assert len(data) == 145
    assert hashlib.sha256(data).hexdigest() == "053a73f1dea4e8c2df216bb5537a877a9b3407c6693b9d4b38d90f8fa730cad2"
    assert read_execution(data) == BODY
    assert describe_execution(data)["records"] == [7, 46]


def test_other_lengths_and_unknown_programs_are_refused() -> None:
    """Strict: nothing is left over, nothing is guessed."""
    data = BODY.to_bytes()
    for spoiled in (data[:-1], data + b"\0", b"", b"\4" + data[1:]):
        with pytest.raises(LedgerError):
            read_execution(spoiled)


def test_every_block_with_steps_ends_with_each_programs_record(run: tuple[SmallRun, Path]) -> None:
    """All steps are covered once, in order, by the programs that the ledger registers."""
    made = executions_in(run[1])
    for row, name in enumerate(NAMES):
        mine = [execution for execution in made if execution.program == row]
        assert sum(execution.steps for execution in mine) == SLOTS
        assert {execution.program_hash for execution in mine} == {installed_programs().hashes[name]}
        ends = [execution.first + execution.records for execution in mine]
        assert all(end <= after.first for end, after in zip(ends, mine[1:], strict=False))
    assert verify(run[1]).counts["executions"] == len(made)


def test_the_same_run_has_the_same_roots_and_another_has_others(run: tuple[SmallRun, Path], tmp_path: Path) -> None:
    """Roots follow from what was said and nothing else."""
    SmallRun([5], "full", tmp_path / "again").run()
    SmallRun([6], "full", tmp_path / "other").run()
    assert executions_in(tmp_path / "again") == executions_in(run[1])
    ours, theirs = executions_in(run[1])[0], executions_in(tmp_path / "other")[0]
    assert (ours.inputs, ours.outputs) != (theirs.inputs, theirs.outputs)


@pytest.mark.parametrize(
    ("at", "field"),
    [(1, "program_hash"), (40, "parameters"), (70, "first"), (76, "records"), (80, "steps"), (90, "inputs")],
)
def test_a_changed_execution_record_is_named(run: tuple[SmallRun, Path], tmp_path: Path, at: int, field: str) -> None:
    """Which program and which part of it."""

    def change(kind: RecordType, body: bytes) -> bytes:
        spoils = kind == RecordType.EXEC and body[0] == NAMES.index("settlement")
        return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] if spoils else body

    (line,) = verify(rewrite(run[1], tmp_path / "forged", change)).lines
    assert f"execution of settlement: {field} is recorded as" in line


def test_a_block_without_its_execution_records_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving them out is no way around them."""
    monkeypatch.setattr("ledger.journal.Journal._add_executions", lambda journal: None)
    SmallRun([5], "full", tmp_path / "ledger").run()
    assert "block lacks the execution records" in verify(tmp_path / "ledger").lines[0]


def test_execution_records_stand_at_the_end_of_their_block_only(run: tuple[SmallRun, Path]) -> None:
    """Not before a step, not twice."""
    records = [(kind, body) for _, _, kind, body in read(run[1] / "world-0000")]
    first = next(place for place, (kind, _) in enumerate(records) if kind == RecordType.EXEC)
    check = ExecutionCheck()
    for record in records[: first + len(NAMES)]:
        check.take(*record)
    with pytest.raises(LedgerError, match="does not belong here"):
        check.take(*records[first])
    with pytest.raises(LedgerError, match="behind the execution records"):
        check.take(RecordType.STEP, b"")
    early = ExecutionCheck()
    for record in records[:first]:
        early.take(*record)
    with pytest.raises(LedgerError, match="lacks"):
        early.close_block()


def test_each_exported_renewable_kwh_is_certified_once(run: tuple[SmallRun, Path]) -> None:
    """Whole kWh of each device over all slots, owned by who exported them; consumers and plants have none."""
    executions = Executions()
    for _, _, kind, body in read(run[1] / "world-0000"):
        executions.take(kind, body)
    register, small = executions.register, run[0]
    readings = np.stack([step.reading[0] for step in small.steps])
    exported = np.maximum(-readings, 0).sum(axis=0)
    for party, is_renewable in enumerate((True, False, False, False, False)):
        assert register.held_by(party) == (exported[party] // WH_PER_KWH if is_renewable else 0)
    assert register.reported.max() == START + SLOTS - 1


def test_an_execution_needs_registered_programs(run: tuple[SmallRun, Path]) -> None:
    """Without a program record there is nothing to name."""
    executions = Executions()
    for _, _, kind, body in read(run[1] / "world-0000"):
        if kind != RecordType.PROGRAM:
            executions.take(kind, body)
    with pytest.raises(LedgerError, match="does not register its programs"):
        executions.finish()
    with pytest.raises(LedgerError, match="genesis"):
        Executions().take(RecordType.STEP, b"")
