"""Heat-pump water heaters: heat is conserved, the tank never negative, filled by night or in the sunniest slots."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.devices import pick_devices
from agents.heat_pump import COP_CELSIUS, COP_PPM, Filling, common_heat_pump, cop_ppm, plan_heating, run_heat_pump
from market.slots import HALF_HOURS
from market.units import PPM

DAY = HALF_HOURS.per_day
SEEDS = st.integers(0, 2**32 - 1)
BOTH = np.array([Filling.NIGHT, Filling.DAY], np.int64)


@given(SEEDS)
def test_heat_is_accounted_for_to_the_wh(seed: int) -> None:
    """Heat made + backup + held = drawn + held after + standing loss; heat made is input times COP, rounded down."""
    dice = np.random.default_rng(seed)
    pump = common_heat_pump(BOTH >= 0, BOTH)
    held = dice.integers(0, pump.tank_wh + 1, (3, 2))
    for _ in range(30):
        demand, wanted = dice.integers(0, 4_000, (3, 2)), dice.integers(-50, 700, (3, 2))
        cop = cop_ppm(dice.integers(-150, 400, (3, 1)))
        step = run_heat_pump(pump, held, demand, wanted, cop)
        kept = held * (PPM - pump.lost_ppm) // PPM
        assert (kept + step.heat_wh + step.backup_wh == demand + step.held_wh).all()
        assert (step.heat_wh == step.input_wh * cop // PPM).all()
        assert ((step.held_wh >= 0) & (step.held_wh <= pump.tank_wh)).all()
        assert ((step.input_wh >= 0) & (step.input_wh <= 500) & (step.backup_wh >= 0)).all()
        assert (step.input_wh <= np.maximum(wanted, 0)).all()
        held = step.held_wh


def test_the_cop_follows_its_table_and_straight_lines_between() -> None:
    """At the table's temperatures it is the table's; halfway it is the middle; beyond the ends it stays."""
    at = np.array(COP_CELSIUS) * 10
    assert cop_ppm(at).tolist() == list(COP_PPM)
    assert cop_ppm(np.array([-300, 45, 400])).tolist() == [2_200_000, 2_950_000, 4_900_000]


def day_of(filling: Filling, hours: int = 96) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two days of one heater run by its rolling plan: inputs, backups, tank; draws are largest in the evening."""
    pump = common_heat_pump(np.array([True]), np.array([filling], np.int64))
    slots = np.arange(hours + DAY)
    demand = np.where((slots % DAY >= 36) & (slots % DAY < 44), 1_200, 60)
    surplus = np.maximum(1_500 - 150 * np.abs(slots % DAY - 24), 0)
    cop, held, rows = cop_ppm(np.array([100])), np.array([6_000]), []
    for slot in range(hours):
        ahead = slice(slot, slot + DAY)
        plan = plan_heating(pump, held, demand[None, ahead], cop, slots[ahead], surplus[None, ahead])
        step = run_heat_pump(pump, held, demand[slot : slot + 1], plan[:, 0], cop)
        held = step.held_wh
        rows.append((int(step.input_wh[0]), int(step.backup_wh[0]), int(held[0])))
    inputs, backups, tank = np.array(rows).T
    return inputs, backups, tank


@pytest.mark.parametrize(
    ("filling", "first", "end"), [(Filling.NIGHT, 46, 14), (Filling.DAY, 18, 32)], ids=["night", "day"]
)
def test_a_tank_is_filled_in_its_hours_and_needs_hardly_any_backup(filling: Filling, first: int, end: int) -> None:
    """No electricity outside the hours of the filling; the element makes nothing."""
    inputs, backups, _ = day_of(filling)
    of_day = np.arange(len(inputs)) % DAY
    inside = (of_day >= first) & (of_day < end) if first < end else (of_day >= first) | (of_day < end)
    assert (inputs[~inside] == 0).all()
    assert inputs[DAY:].sum() > 2_000
    assert backups.sum() == 0


def test_by_day_the_sunniest_slots_come_first() -> None:
    """Surplus is largest at noon: nine tenths of the day's electricity lie within two hours of it."""
    inputs, _, _ = day_of(Filling.DAY)
    assert inputs[DAY + 20 : DAY + 29].sum() >= 0.9 * inputs[DAY:].sum()


def test_by_night_the_filling_ends_at_seven() -> None:
    """The last slot before 07:00 is used, and what is used before it is in a row."""
    inputs, _, _ = day_of(Filling.NIGHT)
    used = np.flatnonzero(inputs[30:78]) + 30
    assert used[-1] == DAY + 13
    assert (np.diff(used) == 1).all()


@given(SEEDS)
def test_picked_heaters_run_as_they_do_in_their_table(seed: int) -> None:
    """A window on one heater plans and runs as the column does."""
    dice = np.random.default_rng(seed)
    pump = common_heat_pump(BOTH >= 0, BOTH)
    held, demand = dice.integers(0, 20_000, (3, 2)), dice.integers(0, 900, (3, 2, DAY))
    surplus, slots = dice.integers(0, 2_000, (3, 2, DAY)), np.arange(DAY) + int(dice.integers(0, DAY))
    cop = cop_ppm(dice.integers(-100, 300, (3, 1, DAY)))
    plan = plan_heating(pump, held, demand, cop, slots, surplus)
    for home in range(2):
        row = [home]
        alone = plan_heating(pick_devices(pump, row), held[:, row], demand[:, row], cop, slots, surplus[:, row])
        assert (alone == plan[:, row]).all()
