"""The state that follows from the records is the market's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ledger.journal import read, read_blocks
from ledger.records import RecordType
from ledger.state import STATE_TAG, State
from market.contracts import add_positions
from market.design import DESIGNS, find_design
from market.errors import LedgerError
from tests.ledger.small_world import RULES, SLOTS, START, SmallRun

REGISTRY_AT, BALANCES_AT = 4, 36


@pytest.mark.parametrize("design", sorted(DESIGNS))
def test_balances_positions_and_uses_are_those_of_the_market(tmp_path: Path, design: str) -> None:
    """After every step: sums of postings, positions and use of lines of the slots ahead."""
    run = SmallRun([3], "full", tmp_path, rules=replace(RULES, design=find_design(design)))
    state, steps, uses = State(), 0, []
    for t in range(SLOTS):
        run.step(t)
        uses.append(run.flow.copy())
    run.keeper.close()
    for _, _, kind, body in read(tmp_path / "world-0000"):
        state.take(kind, body)
        if kind != RecordType.STEP:
            continue
        steps += 1
        assert state.next_slot == START + steps
        told = np.concatenate([step.contracts for step in run.steps[:steps]])
        position = np.zeros((1, RULES.parties, SLOTS), np.int64)
        add_positions(position, np.concatenate([opening_of(run), told]), run.start)
        assert (state.positions() == position[0, :, steps:]).all()
        assert (state.balances() == sum(step.money[0].sum(-1) for step in run.steps[:steps])).all()
        assert (state.uses() == uses[steps - 1][steps:]).all()


def opening_of(run: SmallRun) -> np.ndarray:
    """Contracts the world began with."""
    return run.keeper.worlds.opening


def test_each_header_names_the_state_of_its_last_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether bodies are read step by step or block by block."""
    monkeypatch.setattr("ledger.journal.BLOCK_BYTES", 1)
    SmallRun([4], "full", tmp_path).run()
    roots = {block.header.tree_size: block.header.state_root for block in read_blocks(tmp_path / "world-0000")}
    whole = State()
    for number, (_, _, kind, body) in enumerate(read(tmp_path / "world-0000"), 1):
        whole.take(kind, body)
        if number in roots:
            assert whole.root() == roots[number]
    assert len(set(roots.values())) == len(roots) - 1, "the end record changes nothing"


def test_the_canonical_bytes_are_as_described(tmp_path: Path) -> None:
    """Slot, registry, then balances, positions and uses with their counts; nothing behind them."""
    SmallRun([3], "full", tmp_path).run()
    state = State()
    for _, _, kind, body in read(tmp_path / "world-0000"):
        state.take(kind, body)
    data, accounts = state.to_bytes(), RULES.accounts.count
    assert STATE_TAG.endswith(b"\0")
    assert int.from_bytes(data[:REGISTRY_AT], "big") == START + SLOTS
    assert data[REGISTRY_AT:BALANCES_AT] == state.registry != bytes(32)
    assert int.from_bytes(data[BALANCES_AT : BALANCES_AT + 4], "big") == accounts
    balances = np.frombuffer(data, ">i8", accounts, BALANCES_AT + 4)
    assert (balances == state.balances()).all()
    assert balances.sum() == 0
    assert data[BALANCES_AT + 4 + 8 * accounts :] == bytes(8), "after the last slot nothing is ahead"


def test_a_state_needs_the_genesis_first() -> None:
    """And contracts within its rules."""
    with pytest.raises(LedgerError, match="genesis"):
        State().root()
    with pytest.raises(LedgerError, match="genesis"):
        State().take(RecordType.STEP, b"")
