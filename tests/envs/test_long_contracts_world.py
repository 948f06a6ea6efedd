"""Long contracts in a world: expected loads, positions, money, ledger, outages, and what a file may not say."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.long_contracts import agree_long_contracts, long_contracts_of, mean_by_month
from envs.opening import open_world
from envs.population import fleet_of
from envs.public_year import public_year
from envs.scenario import load_scenario
from envs.world import World
from ledger.audit import verify
from ledger.encoding import canonical_json
from ledger.keys import simulation_chain_id, simulation_signer
from ledger.records import Members
from ledger.replay import Replay
from ledger.rules import FORMAT_OF_AGREED, genesis_bytes, read_genesis, read_rules
from market.contracts import CONTRACT_WIRE
from market.errors import ConfigError, LedgerError
from market.slots import HALF_HOURS

SHARE = 0.9


def agreed(**keys: Any) -> dict[str, object]:
    """Settings in which the stores buy 90 % of their expected load ahead."""
    said = {"seller": "thermal", "buyer": "stores", "share": SHARE, "price_jpy_kwh": 10.0} | keys
    return {"long_contracts": [{key: value for key, value in said.items() if value is not None}]}


def begin(settings: dict[str, object], design: str = "dgp", worlds: int = 1, seed: int = 3, **options: Any) -> World:
    """A day of `urawa-misono`, not stepped yet."""
    world = open_world(load_scenario("urawa-misono", settings), design, worlds, seed, days=1, **options)
    world.reset()
    return world


def finish(world: World) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Step to the end; rewards summed (worlds, parties)."""
    total, done = np.zeros((world.worlds, world.fleet.count), np.int64), False
    while not done:
        step = world.step()
        total += step.reward_ujpy
        done = step.done
    return total


def test_a_share_follows_the_expected_load_of_month_and_half_hour() -> None:
    """Drawn loads of many worlds scatter around it; a flat profile has the same energy everywhere."""
    scenario = load_scenario("urawa-misono", agreed())
    fleet, year = fleet_of(scenario), public_year(scenario)
    (one,) = agree_long_contracts(scenario, fleet, year)
    assert one.buyers == tuple(range(5, 10))
    assert one.sellers == tuple((row, 10_000) for row in range(11, 15))
    wanted = np.array(one.wanted_wh)
    assert wanted.sum() / wanted.size == pytest.approx(SHARE * fleet.load_wh[5], rel=0.01)
    world = begin({}, worlds=60)
    month = np.array([world.calendar.day_of(int(slot)).month - 1 for slot in world.episode.first_slot])
    drawn = world.episode.load_wh[:, 5:10, :48].mean()
    assert drawn == pytest.approx(wanted[month].mean() / SHARE, rel=0.03)
    (flat,) = agree_long_contracts(load_scenario("urawa-misono", agreed(profile="flat")), fleet, year)
    assert len({energy for row in flat.wanted_wh for energy in row}) == 1


def test_power_on_average_is_that_power() -> None:
    """2 kW for each buyer: 1,000 Wh in every slot of a flat profile, and on average of the other."""
    for profile in ("flat", "load"):
        scenario = load_scenario("urawa-misono", agreed(share=None, kw=2.0, profile=profile))
        (one,) = agree_long_contracts(scenario, fleet_of(scenario), public_year(scenario))
        assert np.array(one.wanted_wh).mean() == pytest.approx(1_000, abs=1)


def test_means_by_month_are_those_of_the_half_hours() -> None:
    """A series that counts the month gives the month back."""
    year = public_year(load_scenario("urawa-misono"))
    months = [HALF_HOURS.day_of(year.first_slot + slot).month for slot in range(year.slots)]
    assert (mean_by_month(np.array(months), year) == np.arange(1, 13)[:, None]).all()


@pytest.mark.parametrize("design", ["dgp", "spot", "retail"])
def test_positions_start_from_long_contracts_and_lines_have_room_for_no_more(design: str) -> None:
    """Every slot has its contract before the first step; lines are never used beyond capacity, then or at the end."""
    world = begin(agreed(), design)
    energy = np.zeros_like(world.position_wh)
    for row in long_contracts_of(world):
        column = row["slot"] - world.episode.first_slot[0]
        energy[0, row["buyer"], column] += row["energy"]
        energy[0, row["seller"], column] -= row["energy"]
    assert (world.position_wh[:, :, 2:] == energy[:, :, 2:]).all()
    assert (energy[0, 5:10].sum(0) > 0).all()
    assert world.flow_wh.sum() == long_contracts_of(world)["energy"].sum()
    finish(world)
    net = world.flow_wh[..., 0] - world.flow_wh[..., 1]
    assert (net <= world.capacity_wh[..., 0]).all()
    assert (-net <= world.capacity_wh[..., 1]).all()


def test_rewards_of_an_episode_are_the_postings_with_wear_and_credit() -> None:
    """Money of long contracts accrues at the first step and is posted at delivery."""
    world = begin(agreed(), worlds=2)
    total = finish(world)
    assert (total == world.tally.money_of_parties()).all()
    assert not world.tally.money_ujpy.sum(1).any()


def test_a_world_of_a_batch_is_that_world_alone() -> None:
    """World 1 of two and the same world alone: content heads."""
    heads = []
    for world in (begin(agreed(), worlds=2), begin(agreed(), seed=4)):
        finish(world)
        heads.append(world.keeper.content_heads[-1])
    assert heads[0] == heads[1]


@pytest.mark.parametrize("seller", ["thermal", "retailer-tokyo"])
def test_a_ledger_with_long_contracts_verifies(seller: str, tmp_path: Path) -> None:
    """With an outage too, which takes from them what the line no longer carries."""
    outage = {"line": "tohoku-tokyo", "announced_hours": 6.0, "from_hours": 12.0, "to_hours": 14.0}
    settings = agreed(seller=seller) | {"outages": [outage]}
    world = begin(settings, ledger="full", folder=tmp_path / "ledger")
    finish(world)
    verdict = verify(tmp_path / "ledger", world.keeper.chain_head)
    assert verdict.ok, verdict.lines
    assert ("curtailed contracts" in verdict.counts) == (seller == "thermal")
    genesis = read_genesis(world.keeper.worlds.genesis(0)[0])
    assert (genesis.rules.agreed, genesis.rules.format) == (world.rules.agreed, FORMAT_OF_AGREED)


def test_an_opening_that_the_rules_do_not_form_is_found() -> None:
    """A genesis that names an opening with one Wh more in a long contract, or without the last one, does not replay."""
    world = begin(agreed(), ledger="digest")
    worlds = world.keeper.worlds
    _, calendar, opening = worlds.genesis(0)
    rows = np.frombuffer(opening, CONTRACT_WIRE).copy()
    more, last = rows.copy(), len(long_contracts_of(world)) - 1
    more["energy"][3] += 1
    for forged, said in ((more, "contract 3: energy is recorded as"), (np.delete(rows, last), "contract")):
        data = genesis_bytes(worlds.rules, "{}", 3, int(worlds.start[0]), calendar, forged.tobytes())
        with pytest.raises(LedgerError, match=said):
            Replay(data, members_of(world), calendar, forged.tobytes())
    honest = genesis_bytes(worlds.rules, "{}", 3, int(worlds.start[0]), calendar, opening)
    assert Replay(honest, members_of(world), calendar, opening).contract_count == len(rows)


def members_of(world: World) -> bytes:
    """Some keys, one for each party."""
    chain = simulation_chain_id(3, bytes(32))
    keys = [simulation_signer(chain, 3, name).public_key for name in world.accounts.party_names]
    return Members(chain, keys[0], tuple(enumerate(keys))).to_bytes()


def test_a_scenario_without_long_contracts_keeps_its_bytes() -> None:
    """Neither the dump nor the rules name them."""
    world = begin({})
    assert "long_contracts" not in world.scenario.model_dump()
    assert "agreed" not in world.rules.text
    assert not len(long_contracts_of(world))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"seller": "mall"}, "'mall' cannot sell ahead .*name thermal units or one of retailer-tokyo"),
        ({"seller": "retailer-tokio"}, "no group 'retailer-tokio' .*did you mean 'retailer-tokyo'"),
        ({"buyer": "mall"}, "'mall' has no load"),
        ({"kw": 1.0}, "a share or kw, one of them"),
        ({"share": None}, "a share or kw, one of them"),
        ({"share": 0.0}, "share.*is not possible"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(keys: dict[str, object], said: str) -> None:
    """File, key, what is wrong and what to do."""
    with pytest.raises(ConfigError, match=said):
        load_scenario("urawa-misono", agreed(**keys))


def test_rules_with_another_order_of_long_contracts_are_other_rules() -> None:
    """What takes room first is part of the rules."""
    world = begin(agreed())
    twice = replace(world.rules, agreed=(*world.rules.agreed, replace(world.rules.agreed[0], price=1)))
    turned = replace(twice, agreed=twice.agreed[::-1])
    assert twice.text != turned.text


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("groups", [["sp", 0, [99], "own"]]),
        ("groups", [["sp", 0, [-1], "own"]]),
        ("groups", [["sp", 0, [0], "even"]]),
        ("agreed", [{"buyers": [99], "price": 1, "sellers": [[11, 5]], "wanted_wh": [[1]] * 12}]),
        ("agreed", [{"buyers": [-1], "price": 1, "sellers": [[11, 5]], "wanted_wh": [[1]] * 12}]),
        ("agreed", [{"buyers": [5], "price": 1, "sellers": [[11, 5]]}]),
    ],
)
def test_rules_that_do_not_hold_together_are_refused(part: str, wrong: object) -> None:
    """Unknown parties, unknown rules and missing parts in a genesis are one line, not a wrong settlement."""
    record = json.loads(begin({}).rules.text)
    assert read_rules(record).text == canonical_json(record).decode()
    with pytest.raises(LedgerError, match="rules cannot be read"):
        read_rules(record | {part: wrong})
