"""Long contracts: what forms is what fits, by the rules and capacities alone."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.committed import use_of
from market.contracts import Source
from market.grid import Grid, Line
from market.long_contracts import MONTHS, LongContract, form_long_contracts
from market.settlement import Accounts
from market.slots import HALF_HOURS
from market.tables import Table
from market.units import Int

GRID = Grid(("near", "far"), (Line("far-near", 1, 0),))
ACCOUNTS = Accounts(GRID, ("shop-1", "shop-2", "unit-1", "unit-2", "r-near", "r-far"), (0, 0, 1, 1, 0, 1), (4, 5))
SOURCES = np.array([Source.GRID, Source.GRID, Source.THERMAL, Source.THERMAL, Source.GRID, Source.GRID])
SLOTS = 5
seeds = st.integers(0, 2**32 - 1)


def draw(dice: np.random.Generator, sellers: tuple[int, ...] = (2, 3)) -> LongContract:
    """Two sellers with limits, two buyers, energies by month and half hour."""
    wanted = dice.integers(0, 900, (MONTHS, HALF_HOURS.per_day))
    limits = tuple((row, int(dice.integers(0, 900))) for row in sellers)
    return LongContract(limits, (0, 1), int(dice.integers(1, 20_000)), tuple(map(tuple, wanted.tolist())))


def form(agreed: list[LongContract], first: Int, capacity: Int) -> tuple[Table, Int]:
    """Contracts and use of lines."""
    return form_long_contracts(agreed, ACCOUNTS, SOURCES, first, capacity, HALF_HOURS)


@given(seed=seeds)
def test_energy_is_the_least_of_what_is_wanted_sold_and_carried(seed: int) -> None:
    """One line, one contract: no more and no less in any slot, sellers and buyers served in the order of their rows."""
    dice = np.random.default_rng(seed)
    one, first = draw(dice), int(dice.integers(300_000, 340_000))
    capacity = dice.integers(0, 2_000, (SLOTS, 1, 2))
    contracts, flow = form([one], np.array([first]), capacity)
    for t in range(SLOTS):
        slot = first + t
        mine = contracts[contracts["slot"] == slot]
        wanted = one.wanted_wh[HALF_HOURS.day_of(slot).month - 1][slot % HALF_HOURS.per_day]
        most = [limit for _, limit in one.sellers]
        total = min(2 * wanted, sum(most), int(capacity[t, 0, 0]))
        sold = [int(mine["energy"][mine["seller"] == row].sum()) for row in (2, 3)]
        bought = [int(mine["energy"][mine["buyer"] == row].sum()) for row in (0, 1)]
        assert sold == [min(total, most[0]), total - min(total, most[0])]
        assert bought == [min(total, wanted), total - min(total, wanted)]
        assert flow[t].tolist() == [[total, 0]]
    assert (contracts["sell_price"] == one.price).all()
    assert (contracts["buy_price"] == one.price).all()
    assert (contracts["formed"] == first - 1).all()
    assert (contracts["source"] == Source.THERMAL).all()
    assert (use_of(GRID, contracts, first, SLOTS) == flow).all()


@given(seed=seeds)
def test_later_contracts_take_what_earlier_ones_left(seed: int) -> None:
    """Together two contracts keep within sellers' limits and the line; the first is as if it were alone."""
    dice = np.random.default_rng(seed)
    one = draw(dice)
    other = replace(draw(dice), sellers=one.sellers, buyers=(0,))
    first, capacity = np.array([320_000]), dice.integers(0, 2_000, (SLOTS, 1, 2))
    both, flow = form([one, other], first, capacity)
    alone, _ = form([one], first, capacity)
    assert (flow <= capacity).all()
    for t in range(SLOTS):
        mine = both[both["slot"] == 320_000 + t]
        assert (mine[: (alone["slot"] == 320_000 + t).sum()] == alone[alone["slot"] == 320_000 + t]).all()
        for row, limit in one.sellers:
            assert mine["energy"][mine["seller"] == row].sum() <= limit


@given(seed=seeds)
def test_a_world_in_a_batch_forms_what_it_forms_alone(seed: int) -> None:
    """Three worlds of other days: contracts row by row, and use of lines; sorted by world and slot."""
    dice = np.random.default_rng(seed)
    agreed = [draw(dice), draw(dice, (4,))]
    first, capacity = dice.integers(300_000, 340_000, 3), dice.integers(0, 2_000, (3 * SLOTS, 1, 2))
    together, flow = form(agreed, first, capacity)
    assert all(a <= b for a, b in pairwise(together["market"].tolist()))
    for world in range(3):
        room = capacity[world * SLOTS : (world + 1) * SLOTS]
        alone, used = form(agreed, first[world : world + 1], room)
        mine = together[together["world"] == world].copy()
        mine["market"] -= world * SLOTS
        mine["world"] = 0
        assert (mine == alone).all()
        assert (flow[world * SLOTS : (world + 1) * SLOTS] == used).all()


def test_what_cannot_be_a_long_contract_is_misuse() -> None:
    """Eleven months, negative energy, nobody to buy, a price beyond the bound."""
    one = draw(np.random.default_rng(0))
    for wrong in ({"wanted_wh": one.wanted_wh[1:]}, {"wanted_wh": ((-1,),) * 12}, {"price": 1 << 24}):
        with pytest.raises(ValueError, match="twelve months"):
            replace(one, **wrong)
    for nobody in ({"buyers": ()}, {"sellers": ()}):
        with pytest.raises(ValueError, match="has sellers, buyers"):
            replace(one, **nobody)  # type: ignore[arg-type]
