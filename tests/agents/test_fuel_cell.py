"""Fuel cells: gas = electricity + heat + losses, the tank leads, no more electricity than wanted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.devices import pick_devices
from agents.fuel_cell import PEFC, SOFC, FuelCell, fuel_cells, gas_cost, output_limit, run_fuel_cell
from agents.hot_water import tank_heat_wh
from market.units import PPM, Int

SEEDS = st.integers(0, 2**32 - 1)
HOMES = (SOFC, PEFC, None, SOFC, PEFC)


def kept_heat(cell: FuelCell, held: Int) -> Int:
    """What the tank still holds after the standing loss."""
    return held * (PPM - cell.lost_ppm) // PPM


@given(SEEDS)
def test_gas_and_heat_are_accounted_for_to_the_wh(seed: int) -> None:
    """Gas = output + heat + losses, never negative; heat made + backup + held = drawn + let out + held after + loss."""
    dice = np.random.default_rng(seed)
    cell = fuel_cells(HOMES)
    held = dice.integers(0, cell.tank_wh + 1, (3, 5))
    for _ in range(30):
        demand, wanted = dice.integers(0, 1_500, (3, 5)), dice.integers(-50, 700, (3, 5))
        step = run_fuel_cell(cell, held, demand, wanted)
        backup_gas = -(-step.backup_wh * PPM // cell.boiler_ppm)
        assert (step.gas_wh - backup_gas >= step.output_wh + step.heat_wh).all()
        assert (kept_heat(cell, held) + step.heat_wh + step.backup_wh == demand + step.vented_wh + step.held_wh).all()
        assert ((step.held_wh >= 0) & (step.held_wh <= cell.tank_wh)).all()
        assert ((step.output_wh >= 0) & (step.output_wh <= np.minimum(np.maximum(wanted, 0), cell.most_wh))).all()
        assert ((step.backup_wh >= 0) & (step.vented_wh >= 0)).all()
        assert (step.vented_wh[:, ~cell.always_on] == 0).all()
        held = step.held_wh


@given(SEEDS)
def test_the_tank_leads_to_the_last_wh(seed: int) -> None:
    """The limit's heat finds room, the heat of one Wh more does not, unless the cell's power is what limits it."""
    dice = np.random.default_rng(seed)
    cell = fuel_cells((SOFC, PEFC))
    held, demand = dice.integers(0, cell.tank_wh + 1), dice.integers(0, 600, 2)
    limit = output_limit(cell, held, demand)
    room = cell.tank_wh + demand - kept_heat(cell, held)

    def heat(output: Int) -> Int:
        return -(-output * PPM // cell.electric_ppm) * cell.heat_ppm // PPM

    assert (heat(limit) <= room).all()
    assert ((heat(limit + 1) > room) | (limit == cell.most_wh)).all()


@pytest.mark.parametrize(("wanted", "made"), [(149, 0), (150, 150), (350, 350), (700, 350), (0, 0)])
def test_a_cell_that_can_stop_stands_still_below_its_least(wanted: int, made: int) -> None:
    """The PEFC makes 300 to 700 W or nothing."""
    step = run_fuel_cell(fuel_cells((PEFC,)), np.array([0]), np.array([0]), np.array([wanted]))
    assert step.output_wh.tolist() == [made]


def test_a_cell_that_cannot_stop_lets_heat_out_when_the_tank_is_full() -> None:
    """At its least, 25 Wh, it burns 50 Wh and makes 17 Wh of heat; what the standing loss leaves no room for goes."""
    cell = fuel_cells((SOFC,))
    step = run_fuel_cell(cell, cell.tank_wh, np.array([0]), np.array([350]))
    assert (int(step.output_wh[0]), int(step.gas_wh[0]), int(step.heat_wh[0])) == (25, 50, 17)
    assert int(step.vented_wh[0]) == 17 - (1_628 - 1_628 * 997_000 // PPM)


def test_electricity_that_nobody_wants_becomes_heat() -> None:
    """Without export a home that uses 10 Wh gets 10; the other 15 of the least output heat the tank."""
    step = run_fuel_cell(fuel_cells((SOFC,)), np.array([0]), np.array([0]), np.array([10]))
    assert (int(step.output_wh[0]), int(step.heat_wh[0])) == (10, 17 + 15)


def test_a_tank_holds_litres_times_lift() -> None:
    """28 L lifted by 50 K hold 1,628 Wh, 140 L hold 8,141."""
    assert (tank_heat_wh(28), tank_heat_wh(140)) == (1_628, 8_141)


def test_gas_costs_its_price_per_wh() -> None:
    """1 mJPY/kWh times 1 Wh is 1 uJPY."""
    assert gas_cost(np.array([686]), 12_000).tolist() == [8_232_000]


@given(SEEDS)
def test_picked_cells_run_as_they_do_in_their_table(seed: int) -> None:
    """A window on one cell gives what the column gives."""
    dice = np.random.default_rng(seed)
    cell = fuel_cells(HOMES)
    held, demand, wanted = (dice.integers(0, high, (2, 5)) for high in (1_600, 900, 500))
    held = np.minimum(held, cell.tank_wh)
    step = run_fuel_cell(cell, held, demand, wanted)
    for home in range(5):
        row = [home]
        alone = run_fuel_cell(pick_devices(cell, row), held[:, row], demand[:, row], wanted[:, row])
        assert all((getattr(alone, name) == getattr(step, name)[:, row]).all() for name in vars(step))
