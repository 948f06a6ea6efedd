"""Devices in the world: vehicles, fuel cells, water heaters, routers' limits and thermal units with limits."""

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.devices import keep_after_loss, stored_after
from agents.equipment import GATE
from agents.fleet import Role
from agents.thermal import co2_g
from envs.behind_meter import EquippedHomes
from envs.opening import open_world
from envs.scenario import load_scenario
from envs.scenario_schema import Scenario
from envs.tally import Cost
from envs.world import Step, World
from market.errors import ConfigError

ALL: dict[str, object] = {
    "homes.vehicle": {"feeds_home": True},
    "homes.water_heater": {},
    "homes.battery.lowest": 0.1,
    "homes.battery.self_discharge": 0.0005,
    "homes.battery.discharge": 0.9,
    "homes.battery.wear_jpy_kwh": 5.0,
    "thermal.type": "gtcc",
}
CELLS: dict[str, object] = {"homes.fuel_cell": {"type": "pefc", "exports": True}, "homes.count": 2}
UNITS = slice(-6, -2)
Slots = list[tuple[Step, dict[str, Any]]]


def play(settings: dict[str, object], design: str = "spot", worlds: int = 2, seed: int = 3) -> tuple[World, Slots]:
    """A day under these settings: each step, and what stood behind the meters before it."""
    world = open_world(load_scenario("urawa-misono", settings), design, worlds, seed, days=1)
    world.reset()
    slots: Slots = []
    while not slots or not slots[-1][0].done:
        homes = world.behind.homes
        before = {"stored": world.stored_wh, "state": homes.state if homes else None}
        slots.append((world.step(), before))
        slots[-1][1]["point"] = homes.set_point if homes else None
        slots[-1][1]["away"] = homes.charged_away_wh if homes else None
        slots[-1][1]["after"] = homes.state if homes else None
        slots[-1][1]["units"] = world.behind.units.state if world.behind.units else None
    return world, slots


@lru_cache(maxsize=8)
def played(design: str, worlds: int = 2, seed: int = 3) -> tuple[World, Slots]:
    """All devices but the fuel cell, played once."""
    return play(ALL, design, worlds, seed)


def homes_of(world: World) -> EquippedHomes:
    """The equipped homes, which are there."""
    assert world.behind.homes
    return world.behind.homes


DEVICES = st.fixed_dictionaries(
    {},
    optional={
        "homes.vehicle": st.fixed_dictionaries(
            {"charging": st.sampled_from(["cheapest", "at-once", "midnight"]), "feeds_home": st.booleans()}
        ),
        "homes.fuel_cell": st.fixed_dictionaries({"type": st.sampled_from(["sofc", "pefc"]), "exports": st.booleans()}),
        "homes.water_heater": st.fixed_dictionaries({"filling": st.sampled_from(["night", "day"])}),
        "homes.limit_delivery": st.booleans(),
        "homes.curtail_to_contract": st.booleans(),
        "homes.export_limit_kw": st.sampled_from([1.0, 7.5]),
        "homes.battery.self_discharge": st.sampled_from([0.0, 0.001]),
        "homes.battery.lowest": st.sampled_from([0.0, 0.3]),
        "thermal.type": st.sampled_from(["free", "coal", "gtcc", "oil"]),
    },
)


@given(DEVICES)
@settings(max_examples=12)
def test_energy_of_every_party_and_slot_is_balanced(given_devices: dict[str, object]) -> None:
    """Reading = load + devices' terminals - solar used; what cars and batteries hold changes by what passed them."""
    world, slots = play({**given_devices, "homes.count": 3, "stores.count": 1})
    load, solar = world.episode.load_wh, world.episode.solar_wh
    battery = world.fleet.battery
    for t, (step, seen) in enumerate(slots):
        point, homes = seen["point"], world.behind.homes
        passed = step.set_point_wh[..., 0] if t + 1 < len(slots) else world.passed_wh
        rest = np.setdiff1d(np.arange(world.fleet.count - 6), [] if homes is None else homes.equipment.rows)
        stores_and_plant = rest[world.fleet.battery.capacity_wh[rest] == 0]
        used = step.set_point_wh[:, stores_and_plant, 1]
        assert (step.reading_wh[:, stores_and_plant] == load[:, stores_and_plant, t] - used).all()
        if homes is None:
            continue
        rows = homes.equipment.rows
        flows = point["battery_wh"] + point["vehicle_wh"] + point["heater_wh"] - point["fuel_cell_wh"]
        assert (step.reading_wh[:, rows] == load[:, rows, t] + flows - point["solar_wh"]).all()
        assert ((point["solar_wh"] >= 0) & (point["solar_wh"] <= solar[:, rows, t])).all()
        assert (passed[:, rows] == point["battery_wh"]).all()
        after = slots[t + 1][1]["stored"] if t + 1 < len(slots) else world.stored_wh
        expected = stored_after(battery, seen["stored"], _spread(world, rows, point["battery_wh"]))
        assert (after[:, rows] == expected[:, rows]).all()
        _check_states(homes, t, seen)


def _spread(world: World, rows: np.ndarray, column: np.ndarray) -> np.ndarray:
    full = np.zeros((world.worlds, world.fleet.count), np.int64)
    full[:, rows] = column
    return full


def _check_states(homes: EquippedHomes, t: int, seen: dict[str, Any]) -> None:
    """Car: what it held, what passed its terminals and what was driven; tanks lose and never leave their bounds."""
    home, before, after = homes.equipment.home, seen["state"], seen["after"]
    if home.vehicle:
        stored = stored_after(home.vehicle.battery, before.vehicle_wh, seen["point"]["vehicle_wh"])
        driven = homes._draws.driving_wh[..., t] - seen["away"]
        assert (after.vehicle_wh == stored - driven).all()
        assert (after.vehicle_wh >= home.vehicle.battery.lowest_wh).all()
        assert (after.vehicle_wh <= home.vehicle.battery.capacity_wh).all()
    if home.heater and home.cell is None:
        made = after.heater_tank_wh - keep_after_loss(before.heater_tank_wh, home.heater.lost_ppm)
        heat = made + homes._draws.heat_wh[..., t]
        most = seen["point"]["heater_wh"] * homes._draws.cop[..., t] // 10**6
        assert ((heat >= seen["point"]["heater_wh"]) | (heat >= 0)).all()
        assert (heat <= most).all()
        assert ((after.heater_tank_wh >= 0) & (after.heater_tank_wh <= home.heater.tank_wh)).all()


@pytest.mark.parametrize("design", ["spot", "dgp"])
def test_a_world_of_devices_alone_equals_the_same_world_in_a_batch(design: str) -> None:
    """World 1 of two is world 0 under the next seed: heads, rewards, cars and tanks."""
    together, slots = played(design)
    alone, single = played(design, 1, 4)
    assert alone.keeper.content_heads[0] == together.keeper.content_heads[1]
    for (one, _), (both, _) in zip(single, slots, strict=True):
        assert (one.reward_ujpy[0] == both.reward_ujpy[1]).all()
        assert (one.reading_wh[0] == both.reading_wh[1]).all()
    assert (alone.behind.vehicle_wh[0] == together.behind.vehicle_wh[1]).all()
    assert (alone.behind.tank_wh[0] == together.behind.tank_wh[1]).all()
    assert together.behind.vehicle_wh[:, :5].all()


@pytest.mark.parametrize("settings", [ALL, CELLS], ids=["cars", "cells"])
def test_rewards_are_postings_less_wear_and_own_costs_plus_what_stores_gained(settings: dict[str, object]) -> None:
    """The tally's money is the sum of rewards, with starts, idling and gas in it by name."""
    world, slots = played("dgp") if settings is ALL else play(settings)
    rewards = sum(step.reward_ujpy for step, _ in slots)
    assert (rewards == world.tally.money_of_parties()).all()
    cost = world.tally.cost_ujpy.sum((0, 1))
    assert (cost[Cost.GAS] > 0) == (settings is CELLS)
    assert (cost[Cost.START] > 0) == (settings is ALL)
    assert (cost[Cost.IDLE] > 0) == (settings is ALL)


def test_plans_know_the_schedule() -> None:
    """With the load known, a home without battery whose car and heater keep their plans has no imbalance."""
    settings: dict[str, object] = {
        "homes.vehicle": {}, "homes.water_heater": {}, "homes.battery": {"kw": 0.0, "kwh": 0.0}, "forecast": "perfect",
    }  # fmt: skip
    world, slots = play(settings)
    homes = slice(0, 5)
    charged = sum(seen["point"]["vehicle_wh"] + seen["point"]["heater_wh"] for _, seen in slots)
    assert (charged > 0).all()
    away = 0
    for t, (step, _) in enumerate(slots[GATE:], GATE):
        away += np.abs(step.reading_wh[:, homes] - world.plan_wh[:, homes, t]).sum()
    # only the element, whose heat a full tank can never have been asked for, is not planned
    assert away <= charged.sum() // 100


def test_a_slot_whose_gate_is_closed_keeps_its_schedule() -> None:
    """What is planned for the gate slot is delivered two slots later, as far as the car is plugged and has room."""
    world = open_world(load_scenario("urawa-misono", {"homes.vehicle": {}}), "spot", 2, 8, days=1)
    world.reset()
    homes, planned = homes_of(world), []
    for t in range(world.slots):
        world.view(Role.HOME)
        assert homes.schedule
        planned.append(homes.schedule.vehicle_wh[..., GATE])
        if t >= GATE:
            assert (homes.schedule.vehicle_wh[..., 0] == planned[t - GATE]).all()
        world.step()
        if t >= GATE:
            assert (homes.set_point["vehicle_wh"] <= planned[t - GATE]).all()


def test_the_interchange_passes_no_more_than_its_limit() -> None:
    """With 1 kW of house-to-house interchange no home delivers more than 500 Wh; PV, then battery is cut for it."""
    bound, free = ({"homes.export_limit_kw": 1.0, "homes.limit_delivery": limit} for limit in (True, False))
    least = {}
    for name, chosen in (("bound", bound), ("free", free)):
        _, slots = play(dict(chosen))
        least[name] = min(int(step.reading_wh[:, :5].min()) for step, _ in slots)
    assert least["bound"] == -500
    assert least["free"] < -500
    assert homes_of(play(dict(bound))[0]).curtailed_wh.shape == (2, 5)


def test_what_limits_forbid_becomes_imbalance() -> None:
    """A combined-cycle unit makes what it sold, nothing, or what its minimum allows; the difference is imbalance."""
    world, slots = played("dgp")
    units = world.behind.units
    assert units
    sold = np.stack([-world.plan_wh[:, UNITS, t] for t in range(world.slots)])
    made = np.stack([-step.reading_wh[:, UNITS] for step, _ in slots])
    running = made > 0
    assert (made[running] >= np.broadcast_to(units.units.least_wh, made.shape)[running]).all()
    assert (made <= units.units.most_wh).all()
    assert (made != sold).any()
    emitted = sum(co2_g(units.units, seen["units"]) for _, seen in slots)
    assert (world.tally.co2_g[:, UNITS] == emitted).all()


def test_units_without_limits_deliver_what_free_units_deliver() -> None:
    """CO2 alone changes no reading, no money and no head beyond the scenario's own bytes."""
    bare, counted = play({}), play({"thermal.co2_g_kwh": 400})
    for (one, _), (other, _) in zip(bare[1], counted[1], strict=True):
        assert (one.reading_wh == other.reading_wh).all()
        assert (one.reward_ujpy == other.reward_ujpy).all()
    made = -sum(step.reading_wh[:, UNITS] for step, _ in bare[1])
    assert np.abs(counted[0].tally.co2_g[:, UNITS] - made * 400 // 1000).max() <= 48


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("homes.vehicle", {"charging": "later"}, "cheapest"),
        ("homes.vehicle", {"wheels": 4}, "wheels"),
        ("homes.fuel_cell", {"type": "afc"}, "sofc"),
        ("homes.vehicle", {"leaves": [9.0, 7.0]}, "leaves"),
        ("homes.battery.lowest", 1.5, "lowest"),
        ("homes", {"area": "tokyo", "weight": 3, "vehicle": {}}, "one home"),
        ("homes.vehicle", {"returns": [8.0, 20.0]}, "before it leaves"),
        ("thermal.type", "nuclear", "gtcc"),
        ("thermal.min_load", 2, "min_load"),
    ],
)
def test_a_wrong_device_is_refused_in_one_line(key: str, value: object, word: str) -> None:
    """The line names the key or what is allowed."""
    with pytest.raises(ConfigError, match=word) as refused:
        load_scenario("urawa-misono", {key: value})
    assert "\n" not in str(refused.value)


def test_a_scenario_with_devices_reads_back_from_its_own_dump() -> None:
    """Tables of devices survive the ledger's genesis; absent ones leave no trace in it."""
    from envs.scenario_schema import read_settings

    scenario: Scenario = load_scenario("urawa-misono", {**ALL, **CELLS})
    assert read_settings(scenario.model_dump(mode="json")) == scenario
    plain = load_scenario("urawa-misono").model_dump(mode="json")
    assert not {"vehicle", "fuel_cell", "water_heater", "hot_water_kwh"} & set(plain["homes"])
    assert "type" not in plain["thermal"]
