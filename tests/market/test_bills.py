"""Bills: yen by kind, rounded once, and bills + rounding = postings."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from market.bills import TITLES, billed_energy, make_bills, print_bill, round_to_yen, rounding_of
from market.contracts import CONTRACT
from market.grid import Grid, Line
from market.settlement import KINDS, Accounts, PostingKind, Terms, post_contracts, post_delivery
from market.slots import HALF_HOURS
from market.units import Int

ACCOUNTS = Accounts(Grid(("a", "b"), (Line("ab", 0, 1),)), ("home", "plant", "ra", "rb"), (0, 1, 0, 1), (2, 3))
TERMS = Terms(9_440, 2_900, 660, 4_660, 1_000, 500, 3_000)
SLOTS, FIRST = 48, 6_000 * 48
HOME, PLANT, RETAILER = 0, 1, 2


@given(st.integers(-(10**24), 10**24))
def test_yen_are_rounded_half_to_even_and_the_rest_is_kept(amount: int) -> None:
    """Against `round` of a fraction; yen and rest together are the amount."""
    yen, rest = round_to_yen(amount)
    assert yen == round(Fraction(amount, 10**6))
    assert yen * 10**6 + rest == amount


@given(st.integers(0, 2**32 - 1), st.sampled_from([10, 10**7, 2**62]))
def test_bills_and_rounding_together_are_the_postings(seed: int, size: int) -> None:
    """For any postings that sum to zero, also beyond 64 bits: by line, by bill and over all accounts."""
    dice = np.random.default_rng(seed)
    money = dice.integers(-size, size, (3, ACCOUNTS.count, KINDS))
    money[:, ::2] = -money[:, 1::2]
    bills = make_bills(money, np.zeros((3, 4, KINDS), np.int64), FIRST, ACCOUNTS, everyone=True)
    exact = money.astype(object).sum(0)
    for account, bill in zip(exact, bills, strict=True):
        billed = {line.kind: line.yen * 10**6 + line.rest_ujpy for line in bill.lines}
        assert billed == {kind: account[kind] for kind in PostingKind if account[kind]}
        assert bill.total_yen * 10**6 + bill.rest_ujpy == account.sum()
        assert all(abs(line.rest_ujpy) * 2 <= 10**6 for line in bill.lines)
    assert sum(bill.total_yen for bill in bills) * 10**6 + rounding_of(bills) == 0


def a_day() -> tuple[Int, Int]:
    """Postings (slots, accounts, kinds) and energies of one day: each slot the home buys 800 Wh of the plant.

    300 Wh more come from its retailer; it takes 50 Wh more than planned. The home pays 21, the plant gets 20 JPY/kWh.
    """
    contracts = np.zeros(2 * SLOTS, CONTRACT)
    contracts["slot"] = FIRST + np.tile(np.arange(SLOTS), 2)
    contracts["buyer"], contracts["seller"] = HOME, np.repeat([PLANT, RETAILER], SLOTS)
    contracts["energy"] = np.repeat([800, 300], SLOTS)
    contracts["sell_price"] = np.repeat([20_000, 14_660], SLOTS)
    contracts["buy_price"] = np.repeat([21_000, 14_660], SLOTS)
    contracts["path"], contracts["last_resort"] = np.repeat([1, 0], SLOTS), np.repeat([0, 1], SLOTS)
    plan = np.tile([1_100, -800, -300, 0], (SLOTS, 1))
    reading = plan + np.array([50, 0, 0, 0])
    money = np.zeros((SLOTS, ACCOUNTS.count, KINDS), np.int64)
    post_contracts(money, contracts["slot"] - FIRST, contracts, TERMS, ACCOUNTS)
    outside, fuel = np.full((SLOTS, 2), 10_000), np.array([0, 8_000, 0, 0])
    post_delivery(money, reading, plan, outside, fuel, TERMS, ACCOUNTS, slot=FIRST + np.arange(SLOTS))
    return money, billed_energy(contracts, reading, plan, FIRST, ACCOUNTS)


def test_a_day_is_billed_by_kind_with_its_energy() -> None:
    """800 Wh at 21 JPY in 48 slots are 38.4 kWh and 806 JPY; fee, last resort, imbalance, wheeling, surcharge too."""
    home, plant, retailer, _ = make_bills(*a_day(), FIRST, ACCOUNTS)
    assert {line.kind: (line.energy_wh, line.yen) for line in home.lines} == {
        PostingKind.PURCHASE: (38_400, -806),
        PostingKind.LAST_RESORT_SUPPLY: (14_400, -211),
        PostingKind.FEE: (38_400, -25),
        PostingKind.IMBALANCE: (2_400, -42),
        PostingKind.WHEELING: (55_200, -521),
        PostingKind.SURCHARGE: (55_200, -160),
    }
    assert home.total_yen == -1_765
    assert {line.kind: (line.energy_wh, line.yen) for line in plant.lines} == {
        PostingKind.SALE: (38_400, 768),
        PostingKind.FUEL: (38_400, -307),
    }
    assert {line.kind: (line.energy_wh, line.yen) for line in retailer.lines} == {
        PostingKind.LAST_RESORT_SUPPLY: (14_400, 211),
        PostingKind.PROCUREMENT: (14_400, -144),
    }


def test_a_bill_prints_period_energy_mean_price_and_total() -> None:
    """One line a kind, in English and Japanese."""
    home = make_bills(*a_day(), FIRST, ACCOUNTS)[HOME]
    lines = print_bill(home, HALF_HOURS)
    assert lines[0] == "Bill 請求書  home"
    assert lines[1] == "Period 期間  2016-06-05 00:00 to 2016-06-06 00:00"
    assert lines[3].split() == ["energy", "bought", "38.4", "21.00", "-806", "購入電力料"]
    assert lines[6].split() == ["imbalance", "2.4", "-42", "インバランス料金"]
    assert lines[-1].split() == ["Total", "to", "pay", "1,765", "支払合計"]
    assert len(lines) == 3 + len(home.lines) + 1


def test_every_kind_has_a_title_in_both_languages() -> None:
    """No posting is without a name on the bill."""
    assert list(TITLES) == list(PostingKind)
    assert all(english and japanese for english, japanese in TITLES.values())
