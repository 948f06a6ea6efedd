"""A ledger derived again from a snapshot on: the same roots, and on whose word."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.administrators import cosign, known_administrators
from ledger.audit import WorldAudit, verify
from ledger.freezing import freeze, thaw
from ledger.journal import read_blocks
from ledger.keeper import FullKeeper, open_keeper
from ledger.registrations import Reason
from ledger.restart import (
    Restart,
    read_restart,
    restart,
    save,
    snapshot_path,
    take_snapshot,
    verify_from,
    write_snapshots,
)
from ledger.resuming import ResumedStore
from ledger.snapshots import prune
from ledger.store import Tip
from market.design import find_design
from market.errors import ConfigError, LedgerError
from market.orders import ORDER
from tests.ledger.small_world import RULES, SmallRun

WORLD = "world-0000"


def small_run(folder: Path, seed: int = 5, design: str = "dgp", sealed: bool = False) -> Path:
    """A ledger of a block a step, orders sealed if asked for; its folder."""
    chosen = find_design(design)
    chosen = chosen.with_privacy(2, 3) if sealed else chosen
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ledger.journal.BLOCK_BYTES", 1)
        SmallRun([seed], "full", folder / "ledger", rules=replace(RULES, design=chosen)).run()
    return folder / "ledger"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder, with its ledger and a snapshot behind each block but the last."""
    folder = tmp_path_factory.mktemp("restart")
    ledger = small_run(folder)
    for height in range(count_of(ledger) - 1):
        write_snapshots(ledger, folder / "snapshots", height)
    return folder


def count_of(ledger: Path) -> int:
    """Blocks of the ledger's only world."""
    return len(list(read_blocks(ledger / WORLD)))


def audit_to(ledger: Path, height: int, audit: WorldAudit | None = None) -> WorldAudit:
    """The audit at the end of a block, from the first block or from another audit on."""
    audit = audit or WorldAudit()
    for block in read_blocks(ledger / WORLD):
        if audit.chain.height <= block.header.height <= height:
            audit.check_block(block)
    return audit


@pytest.mark.parametrize(("design", "sealed"), [("dgp", False), ("call", True), ("spot", False)])
def test_from_every_block_on_a_ledger_derives_to_the_same_roots(tmp_path: Path, design: str, sealed: bool) -> None:
    """Heads and counts are those of a verification from the first record on; also where orders come sealed."""
    ledger = small_run(tmp_path, 3, design, sealed)
    whole = verify(ledger)
    for height in range(count_of(ledger)):
        write_snapshots(ledger, tmp_path / "snapshots", height)
        again = verify_from(ledger, tmp_path / "snapshots", height, whole.head)
        assert again.ok, again.lines
        assert (again.head, again.content_heads, again.counts) == (whole.head, whole.content_heads, whole.counts)
    assert "behind a snapshot on its maker's word; nothing differs" in again.lines[0]


def test_open_orders_and_dues_are_in_a_snapshot(run: Path) -> None:
    """What rests, in its order of arrival, and what is contracted and not delivered."""
    ledger = run / "ledger"
    snapshot = read_restart(snapshot_path(run / "snapshots", WORLD, 3))
    audit, back = audit_to(ledger, 3), restart(snapshot)
    for name in ("_resting", "_contracts", "_position", "_flow"):
        mine, theirs = getattr(audit.replayed, name), getattr(back.replayed, name)
        assert mine.dtype == theirs.dtype
        assert (mine == theirs).all()
    assert len(back.replayed._resting) > 0
    assert len(back.replayed._contracts) > 0


def test_an_audit_that_went_on_from_a_snapshot_knows_what_one_from_the_start_knows(run: Path) -> None:
    """Frozen again later, both are the same bytes: so several administrators can sign one hash."""
    ledger = run / "ledger"
    went_on = audit_to(ledger, 5, restart(read_restart(snapshot_path(run / "snapshots", WORLD, 2))))
    assert take_snapshot(went_on).root == take_snapshot(audit_to(ledger, 5)).root
    assert take_snapshot(went_on).root != take_snapshot(audit_to(ledger, 4)).root


def test_administrators_sign_what_they_know_and_a_forged_snapshot_is_refused(run: Path, tmp_path: Path) -> None:
    """With an open order changed, no signature fits; without keys the maker's word is what a reader is told."""
    list(cosign(run / "ledger", tmp_path / "signed", 4, 3, snapshot_at=[2]))
    kept, keys_of = tmp_path / "signed" / "snapshots", known_administrators(tmp_path / "signed")
    good = verify_from(run / "ledger", kept, 2, keys_of=keys_of)
    assert good.ok, good.lines
    assert "behind a snapshot signed by 4 of 4 administrators" in good.lines[0]
    signed = read_restart(snapshot_path(kept, WORLD, 2))
    audit = restart(signed)
    audit.replayed._resting["price"] += 10
    save(replace(take_snapshot(audit), signatures=signed.signatures), snapshot_path(tmp_path / "forged", WORLD, 2))
    forged = verify_from(run / "ledger", tmp_path / "forged", 2, keys_of=keys_of)
    assert not forged.ok
    assert "under the snapshot is not good" in forged.lines[0]
    unsigned = verify_from(run / "ledger", run / "snapshots", 2, keys_of=keys_of)
    assert "signed by 0 of 4 administrators, 3 are needed" in unsigned.lines[0]


def test_a_snapshot_holds_the_state_that_its_blocks_header_names(run: Path, tmp_path: Path) -> None:
    """Another balance is found before anything is derived, and so is a snapshot of another ledger."""
    audit = restart(read_restart(snapshot_path(run / "snapshots", WORLD, 2)))
    audit.chain.state._balances[0] += 1
    save(take_snapshot(audit), snapshot_path(tmp_path / "false", WORLD, 2))
    verdict = verify_from(run / "ledger", tmp_path / "false", 2)
    assert "another state than the header of its block names" in verdict.lines[0]
    other = small_run(tmp_path / "other", 6)
    assert "of another ledger" in verify_from(other, run / "snapshots", 2).lines[0]


def test_a_wrong_due_shows_in_what_follows(run: Path, tmp_path: Path) -> None:
    """Without signatures too: what its contract pays is not what was posted."""
    audit = restart(read_restart(snapshot_path(run / "snapshots", WORLD, 2)))
    audit.replayed._contracts["sell_price"] -= 10
    save(take_snapshot(audit), snapshot_path(tmp_path, WORLD, 2))
    verdict = verify_from(run / "ledger", tmp_path, 2)
    assert not verdict.ok
    assert "posting" in verdict.lines[0]


def test_a_pruned_ledger_is_verified_from_its_snapshot_on(run: Path, tmp_path: Path) -> None:
    """The old envelopes are gone; from an older snapshot nothing can be derived, and that is said."""
    prune(run / "ledger" / WORLD, tmp_path / "ledger" / WORLD, 4)
    whole, slim = verify(run / "ledger"), verify_from(tmp_path / "ledger", run / "snapshots", 3)
    assert (slim.ok, slim.head, slim.content_heads) == (True, whole.head, whole.content_heads)
    early = verify_from(tmp_path / "ledger", run / "snapshots", 1)
    assert "the block was pruned" in early.lines[0]
    assert "begin at a snapshot of a later block" in early.lines[0]


def test_damage_behind_a_snapshot_is_found(run: Path, tmp_path: Path) -> None:
    """A remembered head that is not this ledger's, and a file that is no snapshot."""
    assert "the run's was" in verify_from(run / "ledger", run / "snapshots", 2, bytes(32)).lines[0]
    path = snapshot_path(tmp_path, WORLD, 2)
    path.parent.mkdir()
    whole = snapshot_path(run / "snapshots", WORLD, 2).read_bytes()
    for wrong in (b"", b"something else", whole[:-40], whole[:40] + bytes([whole[40] ^ 1]) + whole[41:]):
        path.write_bytes(wrong)
        with pytest.raises(LedgerError):
            restart(read_restart(path))
    with pytest.raises(ConfigError, match="digitalgrid ledger snapshot"):
        verify_from(run / "ledger", tmp_path, 9)
    with pytest.raises(ConfigError, match="has no block 99"):
        write_snapshots(run / "ledger", tmp_path, 99)
    with pytest.raises(ConfigError, match="stands already"):
        write_snapshots(run / "ledger", run / "snapshots", 2)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.binary(max_size=9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=3).map(tuple),
    max_leaves=12,
)


@settings(max_examples=40)
@given(PLAIN, st.dictionaries(st.text(max_size=4) | st.integers(), PLAIN, max_size=4), st.sets(st.integers()))
def test_frozen_values_come_back_and_order_of_entry_does_not_show(one: object, many: dict, some: set) -> None:
    """The same value has one spelling, whatever order a dictionary was filled in."""
    for value in (one, many, some, frozenset(some)):
        assert thaw(freeze(value, {}), {}) == value
        assert type(thaw(freeze(value, {}), {})) is type(value)
    turned = {key: many[key] for key in reversed(many)}
    assert freeze(turned, {}) == freeze(many, {})


def test_arrays_tables_enumerations_and_objects_of_the_ledger_come_back() -> None:
    """With dtype and shape; numbers of members of an enumeration stay members."""
    table = np.zeros(3, ORDER)
    table["price"], table["energy"] = [1, 2, 3], [-(2**60), 0, 2**60]
    for array in (table, table[:0], np.arange(12).reshape(3, 2, 2).swapaxes(0, 2), np.ones((1, 2), bool)):
        back = thaw(freeze(array, {}), {})
        assert (back.dtype, back.shape) == (array.dtype, array.shape)
        assert (back == array).all()
    assert thaw(freeze(Reason.LOST, {}), {}) is Reason.LOST
    assert thaw(freeze(Tip(3, b"x"), {}), {}) == Tip(3, b"x")


def test_nothing_outside_the_ledger_and_the_market_is_frozen_or_thawed() -> None:
    """Neither code nor strangers' classes; nor bytes that are cut short or have something behind them."""
    for value in (os.system, Path(), object(), 1.5, {1: len}, np.array([object()])):
        with pytest.raises(LedgerError, match="cannot be frozen"):
            freeze(value, {})
    good = freeze(Tip(3, b"x"), {})
    for wrong in (good.replace(b"ledger.store", b"pathlib.path"), good.replace(b".Tip", b".Any"), good[:-1], b"", b"?"):
        with pytest.raises(LedgerError, match="cannot be read"):
            thaw(wrong, {})
    with pytest.raises(LedgerError, match="behind them"):
        thaw(good + b"N", {})
    with pytest.raises(LedgerError, match="not of an audit"):
        restart(Restart(audit_genesis(), freeze(Tip(), {})))


def audit_genesis() -> bytes:
    """The genesis of a small world."""
    return SmallRun([1], "digest").keeper.worlds.genesis(0)[0]


def test_a_stopped_run_goes_on_behind_its_last_sealed_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run again, it writes only what is missing, and the ledger is that of a run that was never stopped."""
    monkeypatch.setattr("ledger.journal.BLOCK_BYTES", 1)
    whole = SmallRun([7], "full", tmp_path / "whole").run()
    stopped = SmallRun([7], "digest")
    stopped.keeper = open_keeper("full", stopped.keeper.worlds, tmp_path / "run", open_store=ResumedStore)
    for t in range(3):
        stopped.step(t)
    del stopped
    size = sum(path.stat().st_size for path in (tmp_path / "run").rglob("*.dgl"))
    again = SmallRun([7], "digest")
    again.keeper = FullKeeper(again.keeper.worlds, tmp_path / "run", open_store=ResumedStore)
    for t in range(3):
        again.step(t)
    assert sum(path.stat().st_size for path in (tmp_path / "run").rglob("*.dgl")) == size
    for t in range(3, 6):
        again.step(t)
    again.keeper.close()
    verdict = verify(tmp_path / "run")
    assert verdict.ok, verdict.lines
    assert verdict.head == whole.keeper.chain_head


def test_another_run_does_not_go_on_with_a_ledger(tmp_path: Path) -> None:
    """Its first block is another: nothing is written."""
    SmallRun([7], "full", tmp_path / "run").run()
    other = SmallRun([8], "digest")
    with pytest.raises(LedgerError, match="block 0 is not the one this run makes"):
        FullKeeper(other.keeper.worlds, tmp_path / "run", open_store=ResumedStore)
    assert verify(tmp_path / "run").ok
