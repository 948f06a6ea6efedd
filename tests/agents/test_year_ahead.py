"""Trade up to a year ahead: blocks reach positions, money and the signed ledger; nobody pays more than expected."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.bidders import find_bidder
from agents.fleet import Role
from agents.observing import DAY
from agents.policies import TRUTHFUL_POLICY
from agents.strategies import Mixed
from agents.year_ahead import PEAK, WEEK, YearAhead
from envs.opening import open_world
from envs.scenario import load_scenario
from envs.world import Step, World
from ledger.audit import verify
from ledger.keeper import Mode
from market.errors import ConfigError, Refusal
from market.orders import Kind, Side, is_block
from market.tables import Table
from market.units import PPM

ROLES = ("home", "store", "solar", "thermal")


def opened(
    share: str = "0.8", days: int = 4, worlds: int = 1, ledger: Mode = "digest", folder: Path | None = None
) -> World:
    """A world whose parties all trade ahead, as far as the episode reaches."""
    scenario = load_scenario("urawa-misono", {"horizon": 17_520})
    policies = {role: f"year-ahead:{share}" for role in ROLES}
    world = open_world(scenario, worlds=worlds, seed=5, days=days, policies=policies, ledger=ledger, folder=folder)
    world.reset()
    return world


def played(world: World, steps: int | None = None) -> list[Step]:
    """Steps of a world, to the end if not told."""
    made = [world.step()]
    while not made[-1].done and len(made) != steps:
        made.append(world.step())
    return made


def energy_of(contracts: Table, first: int) -> int:
    """Energy contracted between parties for slots from `first` on [Wh]."""
    mine = (contracts["slot"] >= first) & (contracts["last_resort"] == 0)
    return int(contracts["energy"][mine].sum())


def test_a_signed_world_with_blocks_is_derived_again_by_the_audit(tmp_path: Path) -> None:
    """Admitted blocks, contracts and postings follow from the envelopes' bytes; digest mode has the same head."""
    full = opened(days=3, ledger="full", folder=tmp_path / "ledger")
    steps = played(full, 8)
    full.keeper.close()
    heads = sum(int((step.given["kind"] == Kind.BLOCK).sum()) for step in steps)
    traded = np.concatenate([step.contracts for step in steps])
    assert heads > 0
    assert (np.maximum(traded["buy_reference"], traded["sell_reference"]) >= 1 << 31).any()
    verdict = verify(tmp_path / "ledger", full.keeper.chain_head)
    assert verdict.ok, verdict.lines
    digest = opened(days=3)
    played(digest, 8)
    assert digest.keeper.content_heads == full.keeper.content_heads


def test_a_world_that_trades_ahead_is_the_same_alone_and_in_a_batch() -> None:
    """Blocks of other worlds are not seen."""
    one, three = opened(days=3), opened(days=3, worlds=3)
    played(one), played(three)
    assert three.keeper.content_heads[0] == one.keeper.content_heads[0]


def test_energy_of_blocks_is_in_positions_and_money_sums_to_zero() -> None:
    """What a block filled is contracted like anything else, and conserved."""
    world = opened()
    for step in played(world):
        assert (world.position_wh.sum(1) == 0).all()
        assert (step.money_ujpy.sum((1, 2)) == 0).all()


def test_each_store_covers_its_share_of_base_need_before_the_day_and_pays_no_more_than_expected() -> None:
    """At the first midnight days are bought in blocks of one price; every slot has the whole of the block or none."""
    world = opened(days=9)
    stores = world.fleet.rows(Role.STORE)
    memory = YearAhead().begin(world.view(Role.STORE), world.stream(Role.STORE))
    memory.note(world.view(Role.STORE).outside[..., :DAY])
    limit = int(memory.expected(world.view(Role.STORE)).sum(-1).item()) // DAY
    need = world.view(Role.STORE).net_wh[..., : 2 * DAY].reshape(1, -1, 2, DAY).sum(2) // 2
    step = world.step()
    bought = step.contracts[np.isin(step.contracts["buyer"], stores) & (step.contracts["buy_reference"] >= 1 << 31)]
    assert len(bought)
    days = (bought["slot"] - world.episode.first_slot[0]) // DAY
    for party in np.unique(bought["buyer"]):
        for reference in np.unique(bought["buy_reference"][bought["buyer"] == party]):
            block = bought[(bought["buyer"] == party) & (bought["buy_reference"] == reference)]
            by_slot = np.bincount(block["slot"] - block["slot"].min(), block["energy"])
            assert len(by_slot) in (DAY, WEEK * DAY, PEAK.stop - PEAK.start)
            assert len(np.unique(by_slot)) == 1
            assert (block["energy"] * block["buy_price"]).sum() <= limit * block["energy"].sum()
            base = int(need[0, party - stores[0]].min()) * round(0.8 * PPM) // PPM
            assert by_slot[0] <= base
    assert days.min() >= 2


def test_a_share_of_zero_trades_half_hours_only() -> None:
    """No blocks and no offers beyond the bids of two days."""
    for step in played(opened("0", days=3), 60):
        assert not (step.given["kind"] >= Kind.BLOCK).any()


def test_a_unit_never_offers_more_than_it_makes() -> None:
    """Contracted and resting sales of a half hour stay within its output."""
    world = opened(days=5)
    thermal = world.fleet.rows(Role.THERMAL)
    for _ in played(world):
        sold = -world.position_wh[0, thermal]
        rests = world.resting[(world.resting["side"] == Side.SELL) & np.isin(world.resting["party"], thermal)]
        np.add.at(sold, (rests["party"] - thermal[0], rests["slot"] - world.episode.first_slot[0]), rests["energy"])
        assert (sold <= world.fleet.thermal_wh[thermal][:, None]).all()


def test_far_orders_stay_until_they_come_near() -> None:
    """What a unit offers for the fourth day is sent once, not in every step."""
    world = opened()
    later = [step.given for step in played(world, 40)[1:]]
    assert all((given["slot"] < world.episode.first_slot[0] + 40 + 8).all() for given in later)
    assert (world.resting["slot"] > world.episode.first_slot[0] + 3 * DAY).any()


def test_a_party_of_its_own_may_send_blocks_among_others() -> None:
    """A role in which all rows trade ahead by themselves equals the role doing so."""
    scenario = load_scenario("urawa-misono", {"horizon": 17_520})
    heads = []
    for store in (YearAhead(), Mixed(TRUTHFUL_POLICY, {row: YearAhead() for row in range(5)})):
        policies = {"thermal": YearAhead(), "home": YearAhead(), "solar": YearAhead(), "store": store}
        world = open_world(scenario, seed=5, days=3, policies=policies)
        world.reset()
        played(world, 50)
        heads.append(world.keeper.content_heads)
    assert heads[0] == heads[1]


def test_the_share_is_a_part() -> None:
    """One clear line for anything else."""
    assert find_bidder("year-ahead:0.5") == replace(YearAhead(500_000), name="year-ahead:0.5")
    for text in ("1.5", "-1", "much", "nan"):
        with pytest.raises(ConfigError, match="from 0 to 1"):
            find_bidder(f"year-ahead:{text}")


@pytest.mark.parametrize("name", ["call", "spot", "mcafee", "dgp-batch", "retail"])
def test_in_other_designs_nobody_sends_blocks(name: str) -> None:
    """A midnight and a morning: orders are truthful, none is of an unknown kind."""
    world = open_world(design=name, seed=5, days=2, policies=dict.fromkeys(ROLES, YearAhead()))
    world.reset()
    for step in played(world, 22):
        assert not (step.codes == Refusal.UNKNOWN_KIND).any()
        assert not is_block(step.given).any()
