"""The mobile link: what is lost never arrives, what is late is judged on arrival."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.link import Fate, Link
from envs.opening import open_world
from envs.scenario import load_scenario
from envs.scenario_schema import LinkSpec
from envs.tally import Flow
from envs.world import Step, World
from ledger.audit import verify
from ledger.encoding import ABSENT
from market.errors import Refusal
from market.orders import ORDER


def run(settings: dict[str, object], design: str = "dgp", worlds: int = 2, **options: Any) -> tuple[World, list[Step]]:
    """A day of the reference scenario under these settings."""
    world = open_world(load_scenario("urawa-misono", settings), design, worlds, 4, days=1, **options)
    world.reset()
    return world, [world.step() for _ in range(world.slots)]


def imbalance(loss: float, worlds: int = 8) -> float:
    """Short and long together, mean over worlds [kWh]."""
    world, _ = run({"link.loss": loss}, worlds=worlds, ledger="off")
    return float(world.tally.energy_wh[..., (Flow.SHORT, Flow.LONG)].sum()) / worlds / 1000


def row(party: int, slot: int, energy: int) -> np.ndarray:
    """An order row of world 0."""
    order = np.zeros(1, ORDER)
    order["party"], order["slot"], order["energy"] = party, slot, energy
    return order


def test_a_perfect_link_carries_what_is_said() -> None:
    """The same objects, so that nothing changes for a scenario without a link."""
    link = Link(LinkSpec(), 0, np.zeros((1, 3), np.bool_))
    orders, plan, reading = row(1, 5, 9), np.zeros((1, 3), np.int64), np.ones((1, 3), np.int64)
    assert link.carry(orders, plan, reading, np.array([3])) == (orders, plan, reading)


def test_with_nothing_heard_nobody_trades_and_energy_is_conserved() -> None:
    """Loss 1: no contract but those of the first hour's gates; all that is metered is imbalance, none of it lost."""
    world, steps = run({"link.loss": 1.0})
    assert not any(len(step.given) or len(step.outcome.contracts) for step in steps)
    assert not any(len(step.contracts) for step in steps)
    energy = world.tally.energy_wh
    read = energy[..., Flow.IMPORT] - energy[..., Flow.EXPORT]
    last_resort = energy[..., Flow.RESORT_SUPPLY] - energy[..., Flow.RESORT_SURPLUS]
    senders = world.fleet.senders
    assert (read == last_resort + energy[..., Flow.SHORT] - energy[..., Flow.LONG])[:, senders].all()
    assert not world.tally.money_ujpy.sum(1).any()


def test_imbalance_grows_with_loss() -> None:
    """A mean over eight worlds: what nobody heard the plan of is bought as imbalance."""
    measured = [imbalance(loss) for loss in (0.0, 0.05, 0.2, 0.6)]
    assert measured == sorted(measured)
    assert measured[-1] > 2 * measured[0]


def test_resting_orders_stay_when_a_message_is_lost() -> None:
    """A loss cancels nothing: what rested before and is not traded or closed still rests."""
    world = open_world(load_scenario("urawa-misono", {"link.loss": 0.5}), "dgp", 4, 4, days=1, ledger="off")
    world.reset()
    kept = 0
    for _ in range(20):
        before, now = world.resting.copy(), world.now
        silent = world._link.fate(now).lost
        world.step()
        mine = before[silent[before["world"], before["party"]] & (before["slot"] > now[before["world"]] + 2)]
        after = {tuple(int(order[n]) for n in ("world", "party", "reference")) for order in world.resting}
        kept += sum(tuple(int(order[n]) for n in ("world", "party", "reference")) in after for order in mine)
    assert kept > 50


def test_a_late_message_is_judged_on_arrival_and_a_newer_one_takes_its_place() -> None:
    """Written out for two parties: both late, then one of them speaks in time."""
    link = Link(LinkSpec(late=0.5), 0, np.zeros((1, 3), np.bool_))
    nobody, plan = np.zeros((1, 3), np.bool_), np.full((1, 3), 7)
    fates = iter([Fate(nobody, np.array([[True, True, False]])), Fate(nobody, np.array([[False, True, False]]))])
    link.fate = lambda now: next(fates)  # type: ignore[method-assign]
    said = np.concatenate([row(0, 5, 1), row(1, 5, 2), row(2, 5, 3)])
    heard, plans, _ = link.carry(said, plan, plan, np.array([3]))
    assert (heard["energy"].tolist(), plans.tolist()) == ([3], [[ABSENT, ABSENT, 7]])
    said = np.concatenate([row(0, 6, 11), row(1, 6, 12), row(2, 6, 13)])
    heard, plans, _ = link.carry(said, plan, plan, np.array([4]))
    assert heard["energy"].tolist() == [11, 2, 13]
    assert plans.tolist() == [[7, ABSENT, 7]]


def test_late_orders_for_a_slot_that_closed_are_refused() -> None:
    """Everything a step late under `call`, which takes the gate slot only: each row is refused as closed."""
    _, steps = run({"link.late": 1.0}, "call", ledger="off")
    assert not any(len(step.outcome.contracts) for step in steps)
    codes = np.concatenate([step.codes for step in steps])
    assert len(codes)
    assert (codes == Refusal.CLOSED).all()


def test_a_late_order_trades_where_its_slot_is_still_open() -> None:
    """Under `dgp` the first of four slots has closed on arrival and is refused, the others trade."""
    world, steps = run({"link.late": 1.0}, "dgp", ledger="off")
    for t, step in enumerate(steps):
        ahead = step.given["slot"] - world.episode.first_slot[step.given["world"]] - t
        assert (step.codes[ahead == 1] == Refusal.CLOSED).all()
        assert (ahead >= 1).all()
    assert sum(len(step.outcome.contracts) for step in steps) > 100


@pytest.mark.slow
def test_a_ledger_over_a_bad_link_verifies_and_has_the_same_content(tmp_path: Path) -> None:
    """Late messages are signed on arrival; `full` and `digest` say the same."""
    settings = {"link.loss": 0.2, "link.late": 0.2}
    full, _ = run(settings, worlds=1, ledger="full", folder=tmp_path / "ledger")
    digest, _ = run(settings, worlds=1, ledger="digest")
    assert full.keeper.content_heads == digest.keeper.content_heads
    assert verify(tmp_path / "ledger", full.keeper.chain_head).ok


@pytest.mark.parametrize("design", ["dgp", "spot"])
def test_a_world_with_a_bad_link_equals_the_same_world_alone(design: str) -> None:
    """Losses and delays are drawn by world and party: content heads of a batch are those of worlds alone."""
    settings = {"link.loss": 0.1, "link.late": 0.2, "meter.resolution_wh": 100}
    together, _ = run(settings, design, worlds=3, ledger="digest")
    for world in range(3):
        alone = open_world(load_scenario("urawa-misono", settings), design, 1, 4 + world, days=1, ledger="digest")
        alone.reset(starts=together.episode.first_slot[world : world + 1])
        for _ in range(alone.slots):
            alone.step()
        assert alone.keeper.content_heads[0] == together.keeper.content_heads[world]
