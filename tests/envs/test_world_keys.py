"""A key revoked while the world runs: its party's open orders leave the market, and nothing else changes hands."""

from pathlib import Path

import numpy as np

from envs.scenario import load_scenario
from envs.world import World
from ledger.audit import verify
from ledger.keeper import FullKeeper
from ledger.keys import OPERATOR, simulation_signer
from ledger.records import RecordType
from ledger.registrations import By, Reason, Revocation
from market.design import find_design

WORLD = 1


def revoke(world: World, party: int) -> None:
    """The operator of one world revokes a party's key."""
    keeper = world.keeper
    assert isinstance(keeper, FullKeeper)
    chain, seed = keeper.chain_ids[WORLD], int(keeper.worlds.keys[WORLD])
    key = simulation_signer(chain, seed, world.accounts.party_names[party])
    operator = simulation_signer(chain, seed, OPERATOR)
    said = Revocation(chain, key.key_id, 0, Reason.LOST, By.OPERATOR).signed(operator)
    keeper.register(WORLD, RecordType.REVOKE, said.to_bytes())


def open_in_both(world: World) -> int:
    """Step until a party has open orders in both worlds; its number."""
    while True:
        world.step()
        counts = np.zeros((2, world.fleet.count), np.int64)
        np.add.at(counts, (world.resting["world"], world.resting["party"]), 1)
        both = counts.min(0)
        if both.any():
            return int(both.argmax())


def test_open_orders_of_a_revoked_key_are_cancelled_in_its_world_only(tmp_path: Path) -> None:
    """They are returned with what expired, the party trades no more, and the audit derives both worlds."""
    scenario, design = load_scenario("urawa-misono"), find_design("dgp")
    world = World(scenario, design, 2, 3, days=1, ledger="full", folder=tmp_path / "ledger")
    world.reset()
    party = open_in_both(world)
    before = world.resting[world.resting["party"] == party]
    revoke(world, party)
    step = world.step()
    gone = step.expired[step.expired["party"] == party]
    assert (gone["world"] == WORLD).sum() == (before["world"] == WORLD).sum()
    for number in range(2):
        assert (party in step.given["party"][step.given["world"] == number]) == (number != WORLD)
        assert (party in world.resting["party"][world.resting["world"] == number]) == (number != WORLD)
    world.keeper.close()
    verdict = verify(tmp_path / "ledger", world.keeper.chain_head)
    assert verdict.ok, verdict.lines
    assert verdict.counts["orders cancelled with their keys"] == (before["world"] == WORLD).sum()
    assert verdict.counts["refused envelopes"] == 1
