"""Certificates of a run: one for each exported renewable kWh of a DGC of type C, never twice (paper 1.4, item 32)."""

import json
from pathlib import Path

import numpy as np
import pytest

from agents.fleet import Role
from envs.opening import open_world
from envs.scenario import load_scenario
from envs.world import World
from experiments.metrics import measure_parties, measure_roles
from ledger.audit import verify
from ledger.executions import Executions
from ledger.journal import read
from ledger.rules import read_rules
from market.certificates import Denial, Register, issue, open_register
from market.errors import LedgerError


def run(settings: dict[str, object]) -> tuple[World, Register]:
    """A day of the reference scenario, and the register that its exports lead to slot by slot."""
    world = open_world(load_scenario("urawa-misono", settings), "dgp", 1, 4, days=2, ledger="off")
    world.reset()
    devices = np.flatnonzero(world.fleet.certified)
    register = open_register(np.arange(world.fleet.count))
    for _ in range(world.slots):
        slot = int(world.now[0])
        exported = np.maximum(-world.step().reading_wh[0, devices], 0)
        register, codes = issue(register, slot, devices, exported)
        assert not codes.any()
        again, codes = issue(register, slot, devices, exported)
        assert again.issued == register.issued
        assert (codes == Denial.SLOT_CLOSED).all()
    return world, register


@pytest.mark.parametrize("settings", [{}, {"meter.resolution_wh": 100}, {"mall.curtail_to_contract": True}])
def test_a_run_issues_what_the_register_holds(settings: dict[str, object]) -> None:
    """Party by party; homes and the plant have some, stores, units and retailers none."""
    world, register = run(settings)
    measured = measure_parties(world)
    assert [row.certified_kwh for row in measured] == [register.held_by(party) for party in range(world.fleet.count)]
    by_role = {row.role: row.certified_kwh for row in measure_roles(world)}
    assert by_role["mall"] > 100
    assert (by_role["stores"], by_role["thermal"], by_role["retailers"]) == (0, 0, 0)
    assert sum(by_role.values()) == register.issued


def test_only_a_dgc_of_type_c_issues() -> None:
    """Homes with another meter export as much and issue nothing; curtailed sun is never certified."""
    world, register = run({"homes.certified": False})
    homes, plant = world.fleet.rows(Role.HOME), int(world.fleet.rows(Role.SOLAR)[0])
    assert sum(register.held_by(int(home)) for home in homes) == 0
    curtailed = run({"mall.curtail_to_contract": True})[1]
    assert 0 < curtailed.held_by(plant) < register.held_by(plant)


def test_a_store_with_panels_sells_as_a_prosumer() -> None:
    """Its exports are certified as a home's are."""
    world = open_world(load_scenario("urawa-misono", {"stores.pv_kw": 50}), ledger="off", days=1)
    stores = world.fleet.rows(Role.STORE)
    assert world.fleet.certified[stores].all()
    assert (world.sources[stores] == 3).all()


@pytest.mark.parametrize("settings", [{}, {"homes.certified": False}, {"homes.pv_kw": 0}])
def test_the_ledger_issues_what_the_run_issues(settings: dict[str, object], tmp_path: Path) -> None:
    """Party by party, whatever meters they have; a DGC that is not of type C has none in either."""
    scenario = load_scenario("urawa-misono", settings)
    world = open_world(scenario, "dgp", 1, 4, days=1, ledger="full", folder=tmp_path / "ledger")
    world.reset()
    while not world.step().done:
        pass
    executions = Executions()
    for _, _, kind, body in read(tmp_path / "ledger" / "world-0000"):
        executions.take(kind, body)
    held = [executions.register.held_by(party) for party in range(world.fleet.count)]
    assert held == [row.certified_kwh for row in measure_parties(world)]
    assert any(held)
    assert verify(tmp_path / "ledger", world.keeper.chain_head).ok


def test_who_is_certified_stands_in_the_rules_only_where_some_source_is_not() -> None:
    """So a world without such a party keeps its bytes; each way of writing it has one spelling."""
    plain, mixed = (open_world(load_scenario("urawa-misono", more)).rules for more in ({}, {"homes.certified": False}))
    assert "certified" not in plain.text
    assert read_rules(json.loads(mixed.text)) == mixed
    with pytest.raises(LedgerError, match="one number a party"):
        read_rules(json.loads(mixed.text) | {"certified": [1, 0]})
