"""Service providers in a scenario: who belongs to whom, what is refused, and that the ledger settles by groups."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.dgc import ServiceProvider
from envs.opening import open_world
from envs.population import accounts_of, fleet_of
from envs.scenario import load_scenario
from envs.society import Society
from envs.world import World
from ledger.audit import verify
from ledger.rules import FORMAT, FORMAT_OF_AGREED, read_genesis
from market.errors import ConfigError
from market.groups import ALLOCATIONS, BalancingGroup
from market.settlement import PostingKind


def provider(**keys: Any) -> dict[str, object]:
    """Settings with one service provider of homes and stores."""
    return {"service_providers": [{"name": "misono", "area": "tokyo", "members": ["homes", "store"], **keys}]}


def play(settings: dict[str, object], worlds: int = 1, seed: int = 3, **options: Any) -> World:
    """A day of `urawa-misono`."""
    world = open_world(load_scenario("urawa-misono", settings), worlds=worlds, seed=seed, days=1, **options)
    world.reset()
    while not world.step().done:
        pass
    return world


def test_members_are_named_by_key_or_by_group() -> None:
    """`homes` is a key, `store` the name of a group; the mall stands alone."""
    scenario = load_scenario("urawa-misono", provider(allocation="causer"))
    fleet = fleet_of(scenario)
    assert fleet.group.tolist() == [0] * 10 + [-1] * 7
    assert accounts_of(scenario, fleet).groups == (BalancingGroup("misono", 0, tuple(range(10)), "causer"),)


def test_a_scenario_without_providers_keeps_its_bytes() -> None:
    """No party is in a group, no account is added, the genesis keeps its format and the dump has no new key."""
    scenario = load_scenario("urawa-misono")
    world = open_world(scenario)
    assert (world.fleet.group == -1).all()
    assert not any(name.startswith("provider") for name in world.accounts.names)
    assert "service_providers" not in scenario.model_dump()
    assert world.rules.format == FORMAT


@pytest.mark.parametrize(
    ("providers", "said"),
    [
        ([{"name": "a", "area": "tokyo", "members": ["hoems"]}], r"members: no group 'hoems' .*did you mean 'homes'"),
        ([{"name": "a", "area": "tokyo", "members": ["thermal"]}], "'thermal' has no parties in 'tokyo'"),
        ([{"name": "a", "area": "kansai", "members": ["homes"]}], r"service_providers.0.area: unknown area 'kansai'"),
        ([{"name": "a", "area": "tokyo", "members": ["homes"]}] * 2, "'a' stands more than once"),
        ([{"name": n, "area": "tokyo", "members": ["home"]} for n in "ab"], "'home' is a member of 'a' too"),
        ([{"name": "a", "area": "tokyo", "members": []}], "is not possible"),
        ([{"name": "a", "area": "tokyo", "members": ["homes"], "allocation": "even"}], "it should be 'own'"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(providers: list[dict[str, object]], said: str) -> None:
    """File, key, what is wrong and what is allowed."""
    with pytest.raises(ConfigError, match=said):
        load_scenario("urawa-misono", {"service_providers": providers})


@pytest.mark.parametrize("rule", ALLOCATIONS)
def test_a_ledger_of_groups_verifies(rule: str, tmp_path: Path) -> None:
    """The audit derives the shared postings from the rules in the genesis; its format is the newer one."""
    world = play(provider(allocation=rule), ledger="full", folder=tmp_path / "ledger")
    verdict = verify(tmp_path / "ledger", world.keeper.chain_head)
    assert verdict.ok, verdict.lines
    genesis = read_genesis(world.keeper.worlds.genesis(0)[0])
    assert genesis.rules.accounts.groups == world.accounts.groups
    assert genesis.rules.format == FORMAT_OF_AGREED


def test_a_group_pays_its_operator_less_than_its_members_alone() -> None:
    """Under `flat` prices a kWh missing here and left over there costs nothing; trade and readings stay the same."""
    alone, group = play({}), play(provider(allocation="pro-rata"))
    assert (alone.tally.energy_wh == group.tally.energy_wh).all()
    paid = [w.tally.money_ujpy[0, w.accounts.operator(0), PostingKind.IMBALANCE] for w in (alone, group)]
    assert paid[1] < paid[0]


def test_rewards_and_postings_of_a_member_agree() -> None:
    """World 1 of two equals the same world alone, its shared imbalance too."""
    both, one = play(provider(allocation="pro-rata"), 2), play(provider(allocation="pro-rata"), seed=4)
    assert (both.tally.money_ujpy[1] == one.tally.money_ujpy[0]).all()
    assert both.keeper.content_heads[1] == one.keeper.content_heads[0]


def test_the_society_has_one_provider_for_each_group() -> None:
    """It bears the name of the scenario and its members are those of the group."""
    society = Society(3, days=1, scenario=load_scenario("urawa-misono", provider()))
    (found,) = society.agents.select(agent_type=ServiceProvider)
    assert (found.name, found.rows.tolist()) == ("misono", np.arange(10).tolist())
