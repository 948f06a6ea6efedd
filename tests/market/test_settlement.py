"""Postings: each against a plain calculation, and each kind sums to zero under every imbalance rule."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.contracts import CONTRACT
from market.grid import Grid, Line
from market.imbalance import Imbalance
from market.settlement import KINDS, Accounts, PostingKind, Terms, post_contracts, post_delivery, post_outage
from market.tables import Table
from market.units import Int
from tests.reference.settlement import Postings, settle_contracts, settle_delivery

GRID = Grid(("a", "b", "c"), (Line("ab", 0, 1), Line("bc", 1, 2), Line("ca", 2, 0)))
ACCOUNTS = Accounts(GRID, ("p0", "p1", "p2", "r0", "r1", "r2"), (0, 1, 2, 0, 1, 2), (3, 4, 5))
RULES = (
    Imbalance(),
    Imbalance("jp-2016", 973_511, (2_630, -3_900, 0), 480, 710),
    Imbalance("jp-2022", up=4_250, down=5_610, reserve=((0, 120_000), (20_000, 91_003), (40_000, 27_000))),
)
FUEL = np.array([0, 8_100, 0, 0, 0, 0])
seeds = st.integers(0, 2**32 - 1)


def terms_with(rule: Imbalance) -> Terms:
    """Terms under a rule."""
    return Terms(7_000, 3_000, 500, 2_000, 1_000, 100, 50, rule)


def draw_contracts(dice: np.random.Generator) -> Table:
    """Contracts of one world and slot: last resort with retailers, others on any path, with or without a difference."""
    contracts = np.zeros(int(dice.integers(0, 20)), CONTRACT)
    count = len(contracts)
    contracts["seller"] = dice.integers(0, 6, count)
    contracts["buyer"] = (contracts["seller"] + dice.integers(1, 6, count)) % 6
    contracts["energy"] = dice.integers(1, 5_000, count)
    contracts["sell_price"] = dice.integers(-900, 90_000, count)
    contracts["path"] = dice.integers(0, len(GRID.paths), count)
    contracts["last_resort"] = dice.integers(0, 2, count)
    rent = dice.integers(0, 2, count) * dice.integers(0, 5_000, count)
    contracts["buy_price"] = contracts["sell_price"] + rent
    return contracts


def as_table(postings: Postings) -> Int:
    """The dense table of one world."""
    out = np.zeros((ACCOUNTS.count, KINDS), np.int64)
    for (name, kind), amount in postings.items():
        out[ACCOUNTS.row(name), kind] = amount
    return out


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule)
@given(seed=seeds)
def test_postings_are_those_of_a_plain_calculation_and_each_kind_sums_to_zero(rule: Imbalance, seed: int) -> None:
    """Contracts and readings of three worlds, one at a time by the referee; conservation of design law 6."""
    dice, terms = np.random.default_rng(seed), terms_with(rule)
    tables = [draw_contracts(dice) for _ in range(3)]
    money = np.zeros((3, ACCOUNTS.count, KINDS), np.int64)
    at = np.repeat(np.arange(3), [len(table) for table in tables])
    post_contracts(money, at, np.concatenate(tables), terms, ACCOUNTS)
    reading, plan = dice.integers(-3_000, 3_000, (2, 3, 6))
    outside, capped = dice.integers(0, 60_000, (3, 3)), dice.integers(0, 2, (3, 3)) == 1
    outside[0, 0] = 5
    slot = dice.choice([0, 500_000], 3)
    parts = [as_table(settle_contracts(table, terms, ACCOUNTS)) for table in tables]
    received = post_delivery(money, reading, plan, outside, FUEL, terms, ACCOUNTS, slot=slot, capped=capped)
    for w, contracts in enumerate(parts):
        delivery = as_table(
            settle_delivery(reading[w], plan[w], outside[w], FUEL, terms, ACCOUNTS, int(slot[w]), capped[w])
        )
        assert (money[w] == contracts + delivery).all()
        assert (received[w] == delivery[:6].sum(1)).all()
    assert not money.sum(axis=1).any()
    assert not money[:, ACCOUNTS.row("collection")].sum(-1).any()


def test_a_trade_reduction_within_an_area_pays_the_exchange() -> None:
    """Buyer pays 13, seller gets 10, no line lies between: 3 go to the exchange, nothing to a line."""
    contract = np.zeros(1, CONTRACT)
    contract[["seller", "buyer", "energy", "sell_price", "buy_price"]] = (0, 3, 7, 10, 13)
    money = np.zeros((1, ACCOUNTS.count, KINDS), np.int64)
    post_contracts(money, np.zeros(1, np.int64), contract, terms_with(RULES[0]), ACCOUNTS)
    assert money[0, ACCOUNTS.row("exchange"), PostingKind.TRADE_REDUCTION] == 21
    assert not money[..., PostingKind.RENT].any()


@given(seed=seeds)
def test_a_curtailed_party_is_made_whole_by_the_account_of_line_outages(seed: int) -> None:
    """Every amount once, the same party several times too; the kind sums to zero."""
    dice = np.random.default_rng(seed)
    at, party = dice.integers(0, 3, 9), dice.integers(0, 6, 9)
    amount = dice.integers(0, 10**9, 9)
    money = np.zeros((3, ACCOUNTS.count, KINDS), np.int64)
    post_outage(money, at, party, amount, ACCOUNTS)
    expected: Counter[tuple[int, int]] = Counter()
    for world, who, paid in zip(at.tolist(), party.tolist(), amount.tolist(), strict=True):
        expected[world, who] += paid
    for (world, who), paid in expected.items():
        assert money[world, who, PostingKind.OUTAGE] == paid
    assert money[:, ACCOUNTS.row("line_outage"), PostingKind.OUTAGE].sum() == -amount.sum()
    assert not money.sum(axis=1).any()
