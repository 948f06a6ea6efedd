"""Damages of every kind are found."""

from collections import Counter
from pathlib import Path

import pytest

from ledger.audit import Verdict, verify
from ledger.drill import KINDS, damage, flip_bits
from market.errors import ConfigError
from tests.ledger.small_world import SmallRun


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished ledger of two small worlds."""
    folder = tmp_path_factory.mktemp("run") / "ledger"
    SmallRun([5, 6], "full", folder).run()
    return folder


@pytest.mark.parametrize("rounds", [100, pytest.param(10_000, marks=pytest.mark.slow)])
def test_every_damage_is_found(ledger: Path, rounds: int) -> None:
    """Flipped bits, cuts, zeroed, misplaced and duplicated sectors; each occurs, the ledger itself is untouched."""
    done = damage(ledger, rounds, seed=7)
    assert [one for one in done if not one.finding] == []
    assert set(Counter(one.kind for one in done)) == set(KINDS)
    assert verify(ledger).ok


def test_the_same_seed_does_the_same_damage(ledger: Path) -> None:
    """And another seed another one."""
    assert damage(ledger, 5, 1) == damage(ledger, 5, 1) != damage(ledger, 5, 2)
    assert flip_bits(ledger, 5, 1) == damage(ledger, 5, 1, ("flip",))


def test_what_is_missed_is_said(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An audit that accepts everything is seen."""
    monkeypatch.setattr("ledger.drill.verify", lambda folder: Verdict(True, ()))
    assert [one.finding for one in damage(ledger, 3)] == ["", "", ""]


def test_a_damage_needs_a_kind_and_bytes(ledger: Path, tmp_path: Path) -> None:
    """Mistakes are one line."""
    with pytest.raises(ConfigError, match="unknown damage"):
        damage(ledger, 1, kinds=("burn",))
    with pytest.raises(ConfigError, match="no bytes"):
        damage(tmp_path, 1)
