"""The ledger of whole days of `urawa-misono`: signed, audited, spoiled."""

from pathlib import Path

import pytest

from envs.scenario import load_scenario
from envs.world import World
from ledger.audit import verify
from ledger.drill import flip_bits
from ledger.keeper import Mode
from market.design import find_design


def run(design: str, days: int, mode: Mode, folder: Path | None, worlds: int = 1) -> World:
    """Truthful bidders for some days."""
    world = World(load_scenario("urawa-misono"), find_design(design), worlds, 3, days=days, ledger=mode, folder=folder)
    world.reset()
    while not world.step().done:
        pass
    return world


@pytest.mark.parametrize(("design", "days"), [("dgp", 1), ("call", 1), ("spot", 2), ("retail", 1)])
def test_a_signed_day_is_derived_again_in_every_design(design: str, days: int, tmp_path: Path) -> None:
    """The audit's matching, last resort and postings equal the world's; signing does not change the content."""
    full = run(design, days, "full", tmp_path / "ledger")
    verdict = verify(tmp_path / "ledger", full.keeper.chain_head)
    assert verdict.ok, verdict.lines
    assert verdict.counts["steps"] == 48 * days
    assert verdict.counts["envelopes"] == 48 * days * full.fleet.count
    assert verdict.counts["readings apart from the meter"] == 0
    assert (verdict.counts["orders"] > 0) == (design != "retail")
    assert run(design, days, "digest", None).keeper.content_heads == full.keeper.content_heads


def test_a_flipped_bit_in_a_days_ledger_is_found(tmp_path: Path) -> None:
    """A few places here, a hundred in the small ledger's test, a thousand by command."""
    run("dgp", 1, "full", tmp_path / "ledger")
    assert all(flip.finding for flip in flip_bits(tmp_path / "ledger", 10))


def test_a_world_has_the_same_head_alone_and_in_a_batch() -> None:
    """World 0 of three, and of one."""
    assert (
        run("dgp", 1, "digest", None, 3).keeper.content_heads[0]
        == run("dgp", 1, "digest", None).keeper.content_heads[0]
    )
