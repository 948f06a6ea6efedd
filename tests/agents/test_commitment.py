"""When units run: against every path, and in the world."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.bidders import find_bidder
from agents.commitment import commit, make_commitment, start_share
from agents.fleet import Role
from agents.thermal import FREE, GTCC, ThermalUnits, units_of
from envs.opening import open_world
from market.errors import ConfigError
from tests.reference.commitment import best_gain, gain_of

SLOTS = 9


@st.composite
def units_of_one(draw: st.DrawFn) -> ThermalUnits:
    """One unit with limits that matter within nine slots."""
    most = draw(st.integers(0, 5_000))
    least = most * draw(st.integers(0, 100)) // 100
    values = {
        "most_wh": most,
        "least_wh": least,
        "ramp_wh": draw(st.integers(0, most)),
        "up_slots": draw(st.integers(0, 4)),
        "down_slots": draw(st.integers(0, 4)),
        "cost_mjpy_kwh": draw(st.integers(0, 20_000)),
        "idle_mjpy_kwh": draw(st.integers(0, 3_000)),
        "start_ujpy": draw(st.integers(0, 30_000_000)),
        "co2_g_kwh": 0,
        "idle_g_kwh": 0,
    }
    return ThermalUnits(**{name: np.array([value], np.int64) for name, value in values.items()})


PRICES = st.lists(st.integers(0, 40_000), min_size=SLOTS, max_size=SLOTS)


@given(units_of_one(), st.integers(-5, 5), PRICES)
def test_the_schedule_earns_as_much_as_the_best_of_all_paths(units: ThermalUnits, state: int, price: list[int]) -> None:
    """It is a path the unit may take, and no other earns more."""
    found = commit(units, np.array([[state]]), np.array([[price]], np.int64))
    path = tuple(bool(on) for on in found.running[0, 0])
    assert gain_of(units, state, price, path) == best_gain(units, state, price)
    output = found.output_wh[0, 0]
    assert ((output == 0) | (output >= units.least_wh[0]))[found.running[0, 0]].all()
    assert (output[~found.running[0, 0]] == 0).all()


@given(st.lists(units_of_one(), min_size=2, max_size=4), st.data())
def test_many_units_are_scheduled_as_each_alone(alone: list[ThermalUnits], data: st.DataObject) -> None:
    """Different run lengths beside one another change nothing."""
    names = list(ThermalUnits.__dataclass_fields__)
    units = ThermalUnits(**{name: np.concatenate([getattr(one, name) for one in alone]) for name in names})
    price = np.array([[data.draw(PRICES) for _ in alone]], np.int64)
    state = np.array([[data.draw(st.integers(-5, 5)) for _ in alone]])
    together = commit(units, state, price)
    shares = start_share(units, together)
    for row, one in enumerate(alone):
        own = commit(one, state[:, row : row + 1], price[:, row : row + 1])
        assert (own.running[0, 0] == together.running[0, row]).all()
        assert (start_share(one, own)[0, 0] == shares[0, row]).all()


def test_a_start_is_paid_by_the_run_it_begins() -> None:
    """The share of each slot times the run's energy covers the start; a run that goes on bears none."""
    units = units_of((GTCC,), np.array([10_000]))
    price = np.full((1, 1, 8), 30_000)
    fresh, going = (commit(units, np.array([[state]]), price) for state in (-20, 4))
    share = start_share(units, fresh)
    assert units.start_ujpy[0] <= (share * fresh.output_wh).sum() <= units.start_ujpy[0] + fresh.output_wh.sum()
    assert (start_share(units, going) == 0).all()


def test_a_unit_stays_on_through_a_short_dip_and_off_through_a_long_one() -> None:
    """Running at a loss for a slot is cheaper than a new start; for many slots it is not."""
    units = replace(units_of((GTCC,), np.array([10_000])), down_slots=np.array([2]))
    good, bad = [30_000] * 4, [9_000]
    short, long = (commit(units, np.array([[8]]), np.array([[good + bad * n + good]])) for n in (1, 40))
    assert short.running.all()
    assert not long.running.all()


def test_units_without_limits_offer_as_the_truth() -> None:
    """The kind `free` at its cost sells in the world what a truthful unit sells where the price is above it."""
    sold = {}
    for bidder in ("truthful", "commitment:free", "commitment:gtcc"):
        world = open_world("urawa-misono", "dgp", 1, 2, policies={"thermal": bidder}, days=1, ledger="off")
        world.reset()
        while not world.step().done:
            pass
        rows = world.fleet.role == Role.THERMAL
        sold[bidder] = int(world.tally.energy_wh[0, rows, 1].sum())
    assert 0 < sold["commitment:gtcc"] <= sold["truthful"]
    assert 0 < sold["commitment:free"] <= sold["truthful"]


def test_the_kind_of_unit_is_read_or_refused() -> None:
    """`gtcc` unless said; an unknown one in one line."""
    assert find_bidder("commitment") == make_commitment("gtcc")
    assert make_commitment("free").kind is FREE
    with pytest.raises(ConfigError, match="unknown kind of unit 'steam'"):
        make_commitment("steam")
