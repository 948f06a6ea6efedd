"""Plans in four stages: when they are due, both sides agreeing, revisions until the gate."""

from collections import Counter
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.contracts import CONTRACT, add_positions
from market.errors import Refusal
from market.planning import (
    NOBODY,
    PLAN,
    Entry,
    Stage,
    build_plans,
    check_balance,
    check_plans,
    due_slots,
    leave_out_mismatches,
    no_plans,
    submit_plans,
)
from market.slots import HALF_HOURS, SlotCalendar
from market.tables import Table, join_rows
from market.units import ENERGY_BOUND

MONDAY = HALF_HOURS.first_of(date(2018, 7, 9))
PARTIES, WORLDS = 4, 2
seeds = st.integers(0, 2**32 - 1)


def draw_contracts(dice: np.random.Generator) -> Table:
    """Contracts of two worlds for three days, formed up to half a year before."""
    contracts = np.zeros(int(dice.integers(0, 30)), CONTRACT)
    count = len(contracts)
    contracts["world"] = dice.integers(0, WORLDS, count)
    contracts["slot"] = MONDAY + dice.integers(0, 3, count) * 48 + dice.integers(0, 2, count)
    contracts["seller"] = dice.integers(0, PARTIES, count)
    contracts["buyer"] = (contracts["seller"] + dice.integers(1, PARTIES, count)) % PARTIES
    contracts["energy"] = dice.integers(1, 5_000, count)
    contracts["formed"] = contracts["slot"] - dice.choice([2, 30, 60, 500, 3_000, 9_000], count)
    return contracts


def rows_of(*rows: tuple[int, ...]) -> Table:
    """Plan rows (stage, entry, slot, party, counterparty, energy) of world 0."""
    return np.array([(*row, 0) for row in rows], PLAN)


def half(plans: Table, *entries: Entry) -> Table:
    """The rows of some entries."""
    return plans[np.isin(plans["entry"], entries)]


@pytest.mark.parametrize("minutes", [30, 15])
@pytest.mark.parametrize(
    ("stage", "due"),
    [
        (Stage.FINAL, "2018-07-13 08:30"),
        (Stage.DAILY, "2018-07-12 12:00"),
        (Stage.WEEKLY, "2018-07-03 23:30"),
        (Stage.MONTHLY, "2018-06-01 23:30"),
    ],
)
def test_each_stage_has_its_due_time(stage: Stage, due: str, minutes: int) -> None:
    """For Friday 2018-07-13 09:30: the gate, noon before, Tuesday before the week from Saturday, the first of June."""
    calendar = SlotCalendar(minutes)
    slot = calendar.first_of(date(2018, 7, 13)) + 19 * 30 // minutes
    last = int(due_slots(stage, np.array([slot]), calendar)[0])
    label = calendar.label(last)
    assert label[:13] == due[:13]
    assert label == due or (minutes == 15 and due.endswith("23:30") and label.endswith("23:45"))


def test_stages_are_due_one_after_the_other() -> None:
    """Monthly before weekly before daily before final, for every slot of a year."""
    slots = MONDAY + np.arange(365 * 48)
    month, week, day, final = (due_slots(stage, slots, HALF_HOURS) for stage in Stage)
    assert ((month < week) & (week < day) & (day < final)).all()
    assert (final == slots - 2).all()


@given(seeds)
def test_plans_of_both_sides_come_from_the_same_contracts_and_agree(seed: int) -> None:
    """In every stage nothing is missing on either side and every plan balances; later stages only add."""
    contracts = draw_contracts(np.random.default_rng(seed))
    energies = []
    for stage in Stage:
        plans = build_plans(contracts, stage, HALF_HOURS)
        assert not len(check_plans(plans))
        assert not len(check_balance(plans)[0])
        energies.append(int(half(plans, Entry.SALES)["energy"].sum()))
    assert energies == sorted(energies)
    assert energies[-1] == contracts["energy"].sum()


@given(seeds)
def test_the_final_plan_is_the_position(seed: int) -> None:
    """Demand less generation of the last stage is what the contracts add up to."""
    contracts = draw_contracts(np.random.default_rng(seed))
    plans = build_plans(contracts, Stage.FINAL, HALF_HOURS)
    own = half(plans, Entry.DEMAND, Entry.GENERATION)
    planned = np.zeros((WORLDS, PARTIES, 3 * 48), np.int64)
    signed = np.where(own["entry"] == Entry.DEMAND, own["energy"], -own["energy"])
    planned[own["world"], own["party"], own["slot"] - MONDAY] = signed
    position = np.zeros_like(planned)
    add_positions(position, contracts, np.full(WORLDS, MONDAY))
    assert (planned == position).all()


@given(seeds)
def test_only_contracts_known_at_the_due_time_are_planned(seed: int) -> None:
    """Sales by pair, counted contract by contract."""
    contracts = draw_contracts(np.random.default_rng(seed))
    for stage in Stage:
        known: Counter[tuple[int, ...]] = Counter()
        for row in contracts:
            if row["formed"] <= due_slots(stage, row["slot"], HALF_HOURS):
                known[row["world"], row["slot"], row["seller"], row["buyer"]] += int(row["energy"])
        plans = build_plans(contracts, stage, HALF_HOURS)
        sales = half(plans, Entry.SALES)
        keys = zip(*(sales[name].tolist() for name in ("world", "slot", "party", "counterparty")), strict=True)
        assert dict(zip(keys, sales["energy"].tolist(), strict=True)) == dict(known)
        assert (plans["stage"] == stage).all()


@given(seeds)
def test_plans_agree_exactly_where_the_contracts_of_both_sides_agree(seed: int) -> None:
    """Sellers and buyers plan from their own records; a mismatch is found where those differ and nowhere else."""
    dice = np.random.default_rng(seed)
    sellers = draw_contracts(dice)
    buyers = sellers[dice.random(len(sellers)) < 0.8]
    buyers["energy"] += dice.integers(0, 2, len(buyers))
    sold, bought = (build_plans(side, Stage.FINAL, HALF_HOURS) for side in (sellers, buyers))
    found = check_plans(join_rows(half(sold, Entry.SALES), half(bought, Entry.PROCUREMENT)))
    sums: list[Counter[tuple[int, ...]]] = [Counter(), Counter()]
    for counter, side in zip(sums, (sellers, buyers), strict=True):
        for row in side:
            counter[row["world"], row["slot"], row["seller"], row["buyer"]] += int(row["energy"])
    expected = {key: (sums[0][key], sums[1][key]) for key in sums[0] | sums[1] if sums[0][key] != sums[1][key]}
    columns = (found[name].tolist() for name in ("world", "slot", "seller", "buyer"))
    pairs = zip(found["sold"].tolist(), found["bought"].tolist(), strict=True)
    assert dict(zip(zip(*columns, strict=True), pairs, strict=True)) == expected


@given(seeds)
def test_what_does_not_agree_becomes_imbalance_of_the_side_that_planned_more(seed: int) -> None:
    """After it is left out the plans are those of contracts with the smaller energy on both sides."""
    dice = np.random.default_rng(seed)
    sellers = draw_contracts(dice)
    sellers = sellers[np.unique(sellers[["world", "slot", "seller", "buyer"]], return_index=True)[1]]
    buyers = sellers.copy()
    buyers["energy"] = np.maximum(buyers["energy"] + dice.integers(-3, 4, len(buyers)), 1)
    sold, bought = (build_plans(side, Stage.FINAL, HALF_HOURS) for side in (sellers, buyers))
    found = check_plans(join_rows(half(sold, Entry.SALES), half(bought, Entry.PROCUREMENT)))
    first, shape = np.full(WORLDS, MONDAY), (WORLDS, PARTIES, 3 * 48)
    planned, agreed = np.zeros((2, *shape), np.int64)
    for table, party, sign in ((sellers, "seller", -1), (buyers, "buyer", 1)):
        where = table["world"], table[party], table["slot"] - MONDAY
        np.add.at(planned, where, sign * table["energy"])
    leave_out_mismatches(planned, found, first)
    both = sellers.copy()
    both["energy"] = np.minimum(sellers["energy"], buyers["energy"])
    add_positions(agreed, both, first)
    assert (planned == agreed).all()


def test_a_plan_is_revised_until_its_stage_is_due_and_refused_afterwards() -> None:
    """Final plans in the slot of the gate still, one slot later no more; what was held stays."""
    gate = np.array([MONDAY - 2])
    held, codes = submit_plans(no_plans(), rows_of((4, 2, MONDAY, 0, 1, 500)), gate - 5, HALF_HOURS)
    assert codes.tolist() == [0]
    held, codes = submit_plans(held, rows_of((4, 2, MONDAY, 0, 1, 700)), gate, HALF_HOURS)
    assert (codes.tolist(), held["energy"].tolist()) == ([0], [700])
    held, codes = submit_plans(held, rows_of((4, 2, MONDAY, 0, 1, 900)), gate + 1, HALF_HOURS)
    assert (codes.tolist(), held["energy"].tolist()) == ([Refusal.CLOSED], [700])


def test_a_plan_of_nothing_withdraws_the_row() -> None:
    """Energy 0 takes the row out; other rows stay."""
    now = np.array([MONDAY - 9])
    held, _ = submit_plans(
        no_plans(), rows_of((4, 2, MONDAY, 0, 1, 500), (4, 1, MONDAY, 0, NOBODY, 500)), now, HALF_HOURS
    )
    held, codes = submit_plans(held, rows_of((4, 2, MONDAY, 0, 1, 0)), now, HALF_HOURS)
    assert (codes.tolist(), held["entry"].tolist()) == ([0], [Entry.DEMAND])
    unbalanced, gap = check_balance(held)
    assert (unbalanced["party"].tolist(), gap.tolist()) == ([0], [500])


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ((5, 2, MONDAY, 0, 1, 5), Refusal.UNKNOWN_KIND),
        ((4, 0, MONDAY, 0, 1, 5), Refusal.UNKNOWN_KIND),
        ((4, 2, MONDAY, 0, NOBODY, 5), Refusal.UNKNOWN_KIND),
        ((4, 1, MONDAY, 0, 1, 5), Refusal.UNKNOWN_KIND),
        ((4, 2, MONDAY, 0, 1, -1), Refusal.NOT_POSITIVE),
        ((4, 2, MONDAY, 0, 1, ENERGY_BOUND), Refusal.TOO_LARGE),
        ((3, 2, MONDAY, 0, 1, 5), Refusal.CLOSED),
        ((4, 2, MONDAY, 0, 2, 6), Refusal.DUPLICATE_REFERENCE),
    ],
)
def test_a_bad_row_is_refused_with_a_code_and_the_rest_enters(row: tuple[int, ...], code: Refusal) -> None:
    """Unknown stage or entry, a counterparty too few or too many, bad energy, late, named twice."""
    good = (4, 2, MONDAY, 0, 2, 5)
    held, codes = submit_plans(no_plans(), rows_of(good, row), np.array([MONDAY - 4]), HALF_HOURS)
    assert codes.tolist() == [0, code]
    assert held["energy"].tolist() == [5]


@given(seeds)
def test_rows_given_are_rows_admitted_and_refused_and_the_last_word_counts(seed: int) -> None:
    """Against a dictionary by key, over several calls with repeated keys."""
    dice = np.random.default_rng(seed)
    held = no_plans()
    book: dict[tuple[int, ...], int] = {}
    for _ in range(4):
        drawn = dice.integers((0, 0, -1), (2, 3, 4), (dice.integers(0, 8), 3)).tolist()
        rows = rows_of(*((4, 2, MONDAY + later, party, 3, energy) for later, party, energy in drawn))
        held, codes = submit_plans(held, rows, np.array([MONDAY - 2]), HALF_HOURS)
        seen = set()
        for row, code in zip(rows.tolist(), codes.tolist(), strict=True):
            key, energy = row[:5], row[5]
            assert (code == 0) == (energy >= 0 and key not in seen)
            if code == 0:
                book[key] = energy
            seen.add(key)
    said = {tuple(row[:5]): row[5] for row in held.tolist()}
    assert said == {key: energy for key, energy in book.items() if energy}


def test_a_reseller_plans_both_deals_and_the_rest_as_its_own() -> None:
    """Party 1 buys 700 Wh and sells 500 Wh of it on: procurement 700, sales 500, demand 200."""
    contracts = np.zeros(2, CONTRACT)
    contracts["slot"], contracts["formed"] = MONDAY, MONDAY - 9
    contracts["seller"], contracts["buyer"], contracts["energy"] = (0, 1), (1, 2), (700, 500)
    plans = build_plans(contracts, Stage.FINAL, HALF_HOURS)
    mine = plans[plans["party"] == 1]
    said = dict(zip(mine["entry"].tolist(), mine["energy"].tolist(), strict=True))
    assert said == {Entry.PROCUREMENT: 700, Entry.SALES: 500, Entry.DEMAND: 200}
