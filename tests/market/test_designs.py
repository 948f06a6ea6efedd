"""Every registered design holds what it claims; the contract test finds what is broken on purpose."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import market.trials
from market.checking import PLAIN_GRID, check_design
from market.design import DESIGNS, MarketDesign, find_design, register_design
from market.errors import ConfigError
from market.exchange import Call, Outcome, let_lapse, trade
from market.grid import Grid, Line
from market.properties import ALWAYS
from market.slots import SlotCalendar

LOOP = Grid(("a", "b", "c"), (Line("ab", 0, 1), Line("bc", 1, 2), Line("ca", 2, 0)))
TOWN = Grid(("town",))
TRADING = sorted(set(DESIGNS) - {"retail"})


@pytest.mark.parametrize("name", sorted(DESIGNS))
@pytest.mark.parametrize("grid", [PLAIN_GRID, LOOP, TOWN], ids=["row", "loop", "town"])
@pytest.mark.parametrize("minutes", [30, 15])
def test_every_design_holds_what_it_claims(name: str, grid: Grid, minutes: int) -> None:
    """Conservation, capacity and batch-equals-alone for all, and each claimed property; at 30 and at 15 minutes."""
    design = DESIGNS[name]
    report = check_design(design, grid, seed=1, markets=60, calendar=SlotCalendar(minutes))
    assert report.failed == {}, str(report)
    assert set(report.proved) == set(ALWAYS) | design.claims


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DESIGNS))
@pytest.mark.parametrize("grid", [PLAIN_GRID, LOOP, TOWN], ids=["row", "loop", "town"])
def test_every_design_holds_what_it_claims_on_many_markets(name: str, grid: Grid) -> None:
    """The same on 10,000 markets a grid."""
    for seed in range(5):
        assert check_design(DESIGNS[name], grid, seed=seed, markets=2_000).failed == {}


@pytest.mark.parametrize("name", TRADING)
@pytest.mark.parametrize("netting", [True, False])
def test_lots_ticks_and_netting_are_the_designs_own(name: str, netting: bool) -> None:
    """The contract test follows a user's numbers."""
    design = replace(find_design(name), netting=netting, lot_wh=50_000, tick_mjpy_kwh=7, band_mjpy_kwh=(-40, 10_000))
    assert check_design(design, LOOP, seed=2, markets=60).failed == {}


NOT_CLAIMED = {
    "dgp": {"volume-maximal", "permutation-invariant", "truthful", "rational-against-retail"},
    "spot": {"truthful", "rational-against-retail"},
    "pay-as-bid": {"truthful", "rational-against-retail"},
    "k-double": {"truthful", "rational-against-retail"},
    "mcafee": {"strongly-budget-balanced", "volume-maximal", "rational-against-retail"},
    "mid-market-rate": {"individually-rational", "volume-maximal"},
    "bill-sharing": {"individually-rational", "rational-against-retail", "volume-maximal"},
}


@pytest.mark.parametrize("name", sorted(NOT_CLAIMED))
def test_a_counterexample_is_found_to_what_a_design_does_not_claim(name: str) -> None:
    """No design is praised for less than it can do, and each counterexample is readable."""
    report = check_design(find_design(name), markets=400)
    assert set(report.not_claimed) == NOT_CLAIMED[name]
    assert all("Wh at" in example for example in report.not_claimed.values())


def test_a_counterexample_to_truthfulness_says_which_price_gains() -> None:
    """The order, the other price, and the gain."""
    example = check_design(find_design("call"), markets=400).not_claimed["truthful"]
    assert "instead: gains +" in example.splitlines()[-1]


@pytest.mark.parametrize("claim", sorted(set.union(*NOT_CLAIMED.values())))
def test_a_false_claim_fails_with_a_counterexample(claim: str) -> None:
    """Whatever a design does not hold, it fails on once it claims it."""
    liar = next(name for name, claims in NOT_CLAIMED.items() if claim in claims)
    report = check_design(replace(find_design(liar), claims=frozenset({claim})), markets=400)  # type: ignore[arg-type]
    assert list(report.failed) == [claim]
    assert f"FAILED: {claim}" in str(report)


def _turn_prices_round(call: Call) -> Outcome:
    """A rule that serves the worst prices first."""
    orders = call.orders.copy()
    low, high = call.design.band_mjpy_kwh
    orders["price"] = low + high - orders["price"]
    return trade(find_design("call"), call.grid, call.resting, orders, call.capacity_wh, call.flow_wh, call.now)


def _pay_sellers_more(call: Call) -> Outcome:
    """A rule that pays each seller a tick more than its buyer pays."""
    outcome = trade(find_design("call"), call.grid, call.resting, call.orders, call.capacity_wh, call.flow_wh, call.now)
    outcome.contracts["sell_price"] += 10
    return outcome


@pytest.mark.parametrize(
    ("rule", "claim"), [(_turn_prices_round, "own-price-monotone"), (_pay_sellers_more, "weakly-budget-balanced")]
)
def test_a_users_rule_is_held_to_its_claims(
    rule: Callable[[Call], Outcome], claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registered rule function is traded like any other, and its false claim is found."""
    monkeypatch.setattr("market.design.DESIGNS", dict(DESIGNS))
    monkeypatch.setattr("market.rules.RULES", {})
    band = (10, 200)
    design = replace(
        find_design("call"), name="mine", pairs="at-once", rule="mine", band_mjpy_kwh=band, claims=frozenset({claim})
    )
    register_design(design, rule)  # type: ignore[arg-type]
    assert list(check_design(find_design("mine"), markets=400).failed) == [claim]


def test_a_rule_that_is_not_registered_gives_one_line() -> None:
    """What is missing and what there is."""
    with pytest.raises(ConfigError, match=r"needs the rule 'lottery', which is not registered"):
        check_design(replace(find_design("call"), rule="lottery"))


def test_a_design_that_pairs_by_a_rule_names_one() -> None:
    """Nothing is traded by chance."""
    with pytest.raises(ConfigError, match="names none"):
        check_design(replace(find_design("k-double"), rule=""))


def test_a_rule_is_registered_with_a_design_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function under no name, or under a name that is taken, is refused, and the design with it."""
    monkeypatch.setattr("market.design.DESIGNS", dict(DESIGNS))
    for design, message in ((find_design("call"), "names no rule"), (find_design("mcafee"), "exists already")):
        with pytest.raises(ConfigError, match=message):
            register_design(replace(design, name="mine"), lambda call: let_lapse(call.orders, call.flow_wh))
    with pytest.raises(ConfigError, match="unknown design"):
        find_design("mine")


def _leak_energy(outcome: Outcome) -> None:
    outcome.filled_wh[:] = np.maximum(outcome.filled_wh - 1, 0)


def _pay_too_little(outcome: Outcome) -> None:
    outcome.contracts["sell_price"] -= 100_000


def _forget_the_line(outcome: Outcome) -> None:
    outcome.flow_wh[:] = 0


def _lose_a_contract(outcome: Outcome) -> None:
    outcome.contracts["energy"][:1] += 1


@pytest.mark.parametrize("name", ["dgp", "call"])
@pytest.mark.parametrize(
    ("damage", "property_name"),
    [
        (_leak_energy, "conservation"),
        (_lose_a_contract, "conservation"),
        (_pay_too_little, "individually-rational"),
        (_forget_the_line, "capacity"),
        (_lose_a_contract, "batch-equals-alone"),
    ],
)
def test_a_broken_engine_is_found(
    name: str, damage: Callable[[Outcome], None], property_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each law fails when the outcome is damaged accordingly."""

    def broken(*arguments: object, **named: object) -> Outcome:
        outcome = trade(*arguments, **named)  # type: ignore[arg-type]
        damage(outcome)
        return outcome

    monkeypatch.setattr(market.trials, "trade", broken)
    assert property_name in check_design(find_design(name), markets=40).failed


def test_reports_are_repeatable() -> None:
    """Same seed, same report."""
    assert str(check_design(find_design("dgp"), seed=5)) == str(check_design(find_design("dgp"), seed=5))


def test_an_unknown_design_names_the_known_ones() -> None:
    """One clear line."""
    with pytest.raises(ConfigError, match="choose one of bill-sharing, call, dgp"):
        find_design("auction")


def test_a_users_design_is_registered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registering makes it findable; the same name again is refused."""
    monkeypatch.setattr("market.design.DESIGNS", dict(DESIGNS))
    design: MarketDesign = replace(find_design("call"), name="call-kwh", lot_wh=1_000)
    register_design(design)
    assert find_design("call-kwh").lot_wh == 1_000
    with pytest.raises(ConfigError, match="exists already"):
        register_design(design)


def test_only_a_rolling_design_takes_another_horizon() -> None:
    """`gate` and `daily` designs open what they open."""
    assert find_design("dgp").with_horizon(48).horizon == 48
    assert find_design("spot").with_horizon(4).horizon == 48
