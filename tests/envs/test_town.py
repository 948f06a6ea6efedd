"""The town: a mixed place of any size, from a hundred sites to a hundred thousand."""

import numpy as np
import pytest

from agents.fleet import Role
from envs.opening import open_world
from envs.population import fleet_of, rows_of_groups
from envs.scenario import load_scenario
from envs.world import World
from experiments import trace
from experiments.trace import TraceRecorder
from market.errors import ConfigError


def played(size: int, design: str = "dgp") -> tuple[World, TraceRecorder]:
    """A day of a town, and its trace."""
    world = open_world(load_scenario("town", {"size": size}), design, seed=2, days=1, ledger="off")
    world.reset()
    recorder = TraceRecorder(world)
    while world.t < world.slots:
        recorder.record(world.step())
    return world, recorder


@pytest.mark.parametrize("size", [1, 137, 1_000, 100_000])
def test_a_town_has_as_many_sites_as_it_says(size: int) -> None:
    """Homes, stores and plants together; ten thermal units and two retailers come on top."""
    scenario = load_scenario("town", {"size": size})
    assert fleet_of(scenario).count == size + 12
    assert sum(group.count for group in (*scenario.homes, *scenario.stores, *scenario.mall)) == size
    assert scenario.lines[0].forward_kw == pytest.approx(0.6 * size)


def test_a_thousand_sites_are_shared_out_as_written() -> None:
    """940 homes, 12 of them with a car, 9 with a fuel cell, 150 with a heater; 50 shops, 6 stores and 4 plants."""
    rows = rows_of_groups(load_scenario("town"))
    counts = {name: place.stop - place.start for name, place in rows.items()}
    homes = {"flat": 621, "pv-home": 108, "home": 40, "ev-home": 12, "cell-home": 9, "heater-home": 150}
    assert counts == homes | {"shop": 50, "store": 6, "plant": 4, "thermal": 10}


def test_devices_of_a_town_live() -> None:
    """Cars drive and are charged, cells burn gas, heaters fill tanks, units and cells emit."""
    world, recorder = played(400)
    trace = recorder.finish()
    assert {name.split("-")[0] for name in trace.of_devices("vehicle_wh")} == {"ev"}
    assert any(column.any() for column in trace.of_devices("vehicle_set_wh").values())
    assert all(column.any() for column in trace.of_devices("fuel_cell_set_wh").values())
    assert sum(column.any() for column in trace.of_devices("heater_set_wh").values()) > 20
    assert world.tally.co2_g[:, world.fleet.rows(Role.THERMAL)].any()


@pytest.mark.parametrize("design", ["call", "dgp"])
def test_every_kind_of_party_trades_and_money_sums_to_zero(design: str) -> None:
    """Homes and stores buy, homes, plants and units sell; each kind of posting sums to zero."""
    world, _ = played(200, design)
    bought, sold = world.tally.energy_wh[0, :, 0], world.tally.energy_wh[0, :, 1]
    assert all(bought[world.fleet.rows(role)].sum() > 0 for role in (Role.HOME, Role.STORE))
    assert all(sold[world.fleet.rows(role)].sum() > 0 for role in (Role.HOME, Role.SOLAR, Role.THERMAL))
    assert not world.tally.money_ujpy.sum(1).any()


def test_a_ledger_refuses_more_parties_than_it_can_number() -> None:
    """65,536 is the most; without a ledger there is no such bound."""
    with pytest.raises(ConfigError, match="100,012 parties are more than the 65,536"):
        open_world(load_scenario("town", {"size": 100_000}), ledger="digest")


def test_the_trace_of_a_large_town_is_by_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """What roles trade is the sum over their parties, and no more devices are shown than said."""
    world, recorder = played(300)
    whole = recorder.finish()
    monkeypatch.setattr(trace, "PARTIES_SHOWN", 10)
    monkeypatch.setattr(trace, "DEVICES_SHOWN", 7)
    _, recorder = played(300)
    small = recorder.finish()
    assert small.parties == ("home", "store", "solar", "thermal", "retailer")
    assert len(small.of_devices("load_wh")) == 7
    seller, buyer = np.meshgrid(world.fleet.role, world.fleet.role, indexing="ij")
    for row, column in np.ndindex(5, 5):
        assert small.trades_wh[row, column] == whole.trades_wh[(seller == row) & (buyer == column)].sum()
