"""Balancing groups: what the operator is paid, who bears it inside, and that nothing is lost between."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.grid import Grid
from market.groups import ALLOCATIONS, NARROW_WH, AllocationRule, BalancingGroup, settle_group, share_by_size
from market.settlement import KINDS, Accounts, PostingKind, Terms, post_delivery
from market.units import Int, share_largest_remainder
from tests.reference.settlement import settle_delivery

GRID = Grid(("a",), ())
NAMES = ("p0", "p1", "p2", "p3", "retailer")
TERMS = Terms(7_000, 3_000, 500, 2_000, 1_000, 100, 50)
MEMBERS = (0, 1, 2)
seeds = st.integers(0, 2**32 - 1)
rules = pytest.mark.parametrize("rule", ALLOCATIONS)


def accounts_with(rule: AllocationRule | None, members: tuple[int, ...] = MEMBERS) -> Accounts:
    """Four parties of one area, three of them a group; all alone without a rule."""
    groups = () if rule is None else (BalancingGroup("sp", 0, members, rule),)
    return Accounts(GRID, NAMES, (0,) * 5, (4,), groups)


def settle(rule: AllocationRule | None, reading: Int, plan: Int, outside: Int) -> tuple[Int, Accounts]:
    """Imbalance postings (w, accounts)."""
    accounts = accounts_with(rule)
    money = np.zeros((len(reading), accounts.count, KINDS), np.int64)
    slot = np.zeros(len(reading), np.int64)
    post_delivery(money, reading, plan, outside, np.zeros(5, np.int64), TERMS, accounts, slot=slot)
    assert not money.sum(1).any()
    return money[..., PostingKind.IMBALANCE], accounts


def draw(seed: int) -> tuple[Int, Int, Int]:
    """Readings, plans (4, 5) and outside prices (4, 1) of four worlds; some deviate not at all."""
    dice = np.random.default_rng(seed)
    reading, plan = dice.integers(-3_000, 3_000, (2, 4, 5))
    return reading, np.where(dice.random((4, 5)) < 0.2, reading, plan), dice.integers(0, 60_000, (4, 1))


@rules
@given(seed=seeds)
def test_members_and_provider_together_pay_what_the_group_owes(rule: AllocationRule, seed: int) -> None:
    """Together: the price of the group's side times its net deviation; who is alone pays as before."""
    reading, plan, outside = draw(seed)
    money, accounts = settle(rule, reading, plan, outside)
    net = (reading - plan)[:, MEMBERS].sum(1)
    prices = TERMS.imbalance_prices(outside, net, net * 0)[:, 0]
    due = -net * np.where(net > 0, prices[:, 0], prices[:, 1])
    assert (money[:, MEMBERS].sum(1) + money[:, accounts.provider(0)] == due).all()
    alone, _ = settle(None, reading, plan, outside)
    assert (money[:, 3] == alone[:, 3]).all()


@given(seed=seeds)
def test_under_own_members_pay_as_alone_and_the_provider_keeps_the_gain(seed: int) -> None:
    """Members' postings are equal to the integer; what netting saves is never a loss."""
    given = draw(seed)
    money, accounts = settle("own", *given)
    alone, _ = settle(None, *given)
    assert (money[:, :5] == alone[:, :5]).all()
    assert (money[:, accounts.provider(0)] >= 0).all()


@given(seed=seeds)
def test_under_causer_nobody_is_worse_off_than_alone(seed: int) -> None:
    """A missing kWh costs at least what a left-over one earns, so the price of the group's side harms no member."""
    given = draw(seed)
    money, accounts = settle("causer", *given)
    alone, _ = settle(None, *given)
    assert (money[:, MEMBERS] >= alone[:, MEMBERS]).all()
    assert not money[:, accounts.provider(0)].any()


@given(seed=seeds)
def test_under_pro_rata_a_share_never_exceeds_what_the_group_owes(seed: int) -> None:
    """All shares have the group's sign and lie within one unit of their part; the provider is left with nothing."""
    reading, plan, outside = draw(seed)
    money, accounts = settle("pro-rata", reading, plan, outside)
    shares, size = money[:, MEMBERS], np.abs(reading - plan)[:, MEMBERS]
    due = shares.sum(1)
    assert (np.abs(shares) <= np.abs(due)[:, None]).all()
    assert (np.abs(shares * size.sum(1)[:, None] - due[:, None] * size) <= size.sum(1)[:, None]).all()
    assert not money[:, accounts.provider(0)].any()


@rules
@given(seed=seeds)
def test_the_order_of_members_does_not_matter(rule: AllocationRule, seed: int) -> None:
    """Members in another order receive the same; only units of a tie in the remainder may change hands."""
    dice = np.random.default_rng(seed)
    deviation, order = dice.integers(-2_000, 2_000, (3, 6)), dice.permutation(6)
    prices = np.sort(dice.integers(0, 60_000, (3, 2)))[:, ::-1]
    shared, due = settle_group(rule, deviation, prices)
    again, due_again = settle_group(rule, deviation[:, order], prices)
    assert (due == due_again).all()
    assert (np.abs(shared[:, order] - again) <= (rule == "pro-rata")).all()
    assert (shared.sum(1) == again.sum(1)).all()


@given(seed=seeds, scale=st.sampled_from([1, 10, NARROW_WH]))
def test_shares_by_size_are_those_of_the_largest_remainder(seed: int, scale: int) -> None:
    """Three rows at once against one total at a time in Python integers, sizes beyond 32 bits too."""
    dice = np.random.default_rng(seed)
    size = dice.integers(0, 20, (3, 5)) * scale
    total = np.where(size.any(1), dice.integers(0, 2**40, 3), 0)
    shared = share_by_size(total, size)
    for row in range(3):
        assert shared[row].tolist() == share_largest_remainder(int(total[row]), size[row]).tolist()


@rules
@given(seed=seeds)
def test_every_posting_is_that_of_a_plain_calculation(rule: AllocationRule, seed: int) -> None:
    """The referee settles one member at a time."""
    reading, plan, outside = draw(seed)
    money, accounts = settle(rule, reading, plan, outside)
    fuel = np.zeros(5, np.int64)
    for w in range(4):
        plain = settle_delivery(reading[w], plan[w], outside[w], fuel, TERMS, accounts, 0, np.zeros(1, np.bool_))
        for row, name in enumerate(accounts.names):
            assert money[w, row] == plain[name, PostingKind.IMBALANCE]


def test_a_group_in_balance_owes_nothing() -> None:
    """One member 600 Wh short, one 600 Wh over, at 20 and 5 JPY/kWh; `causer` lets one pay the other 5 JPY/kWh."""
    deviation, prices = np.array([[600, -600]]), np.array([[20_000, 5_000]])
    found = {rule: settle_group(rule, deviation, prices)[0].tolist() for rule in ALLOCATIONS}
    assert found == {
        "own": [[-12_000_000, 3_000_000]],
        "pro-rata": [[0, 0]],
        "causer": [[-3_000_000, 3_000_000]],
    }


def test_a_group_must_fit_the_accounts() -> None:
    """Members of another area or of two groups, retailers, and unknown rules are misuse."""
    accounts = accounts_with("own")
    for groups in (
        (BalancingGroup("sp", 1, (0,), "own"),),
        (BalancingGroup("sp", 1, (), "own"),),
        (BalancingGroup("sp", 0, (0, 4), "own"),),
        (BalancingGroup("sp", 0, (0, 1), "own"), BalancingGroup("other", 0, (1,), "own")),
    ):
        with pytest.raises(ValueError, match="has a member of"):
            replace(accounts, groups=groups)
    with pytest.raises(ValueError, match="unknown rule or members out of order"):
        BalancingGroup("sp", 0, (1, 0), "own")
    with pytest.raises(ValueError, match="members out of order"):
        BalancingGroup("sp", 0, (-1, 2), "own")


def test_a_party_finds_its_group() -> None:
    """The group of a member, None for who stands alone; the provider's account stands last."""
    accounts = accounts_with("causer")
    assert accounts.group_of(1) == accounts.groups[0]
    assert accounts.group_of(3) is None
    assert accounts.names[accounts.provider(0)] == "provider:sp"
