"""Every registered design holds what it claims; the contract test finds what is broken on purpose."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import market.checking
from market.checking import ALWAYS, check_design
from market.design import DESIGNS, MarketDesign, find_design, register_design
from market.errors import ConfigError
from market.exchange import Outcome, trade
from market.grid import Grid, Line

LOOP = Grid(("a", "b", "c"), (Line("ab", 0, 1), Line("bc", 1, 2), Line("ca", 2, 0)))


@pytest.mark.parametrize("name", sorted(DESIGNS))
@pytest.mark.parametrize("grid", [market.checking.PLAIN_GRID, LOOP, Grid(("town",))], ids=["row", "loop", "town"])
def test_every_design_holds_what_it_claims(name: str, grid: Grid) -> None:
    """Conservation, limits, capacity and batch-equals-alone for all, and each claimed property."""
    design = DESIGNS[name]
    report = check_design(design, grid, seed=1, markets=120)
    assert report.failed == {}, str(report)
    assert set(report.proved) == set(ALWAYS) | design.claims


@pytest.mark.parametrize("name", ["dgp", "call"])
@pytest.mark.parametrize("netting", [True, False])
def test_lots_ticks_and_netting_are_the_designs_own(name: str, netting: bool) -> None:
    """The contract test follows a user's numbers."""
    design = replace(find_design(name), netting=netting, lot_wh=50_000, tick_mjpy_kwh=7, band_mjpy_kwh=(-40, 10_000))
    assert check_design(design, LOOP, seed=2, markets=120).failed == {}


def test_a_continuous_book_is_not_volume_maximal_and_depends_on_arrival() -> None:
    """Both are unclaimed, and a readable counterexample to each is printed."""
    report = check_design(find_design("dgp"))
    assert set(report.not_claimed) == {"volume-maximal", "permutation-invariant"}
    assert "sells" in report.not_claimed["permutation-invariant"]
    assert "not claimed, and not so: volume-maximal" in str(report)


def test_a_false_claim_fails_with_a_counterexample() -> None:
    """A continuous design that claims to be permutation-invariant is caught."""
    report = check_design(replace(find_design("dgp"), claims=frozenset({"permutation-invariant"})))
    assert list(report.failed) == ["permutation-invariant"]


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
        (_pay_too_little, "limits"),
        (_forget_the_line, "capacity"),
        (_lose_a_contract, "batch-equals-alone"),
    ],
)
def test_a_broken_engine_is_found(
    name: str, damage: Callable[[Outcome], None], property_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the four laws fails when the outcome is damaged accordingly."""

    def broken(*arguments: object) -> Outcome:
        outcome = trade(*arguments)  # type: ignore[arg-type]
        damage(outcome)
        return outcome

    monkeypatch.setattr(market.checking, "trade", broken)
    assert property_name in check_design(find_design(name), markets=40).failed


def test_reports_are_repeatable() -> None:
    """Same seed, same report."""
    assert str(check_design(find_design("dgp"), seed=5)) == str(check_design(find_design("dgp"), seed=5))


def test_an_unknown_design_names_the_known_ones() -> None:
    """One clear line."""
    with pytest.raises(ConfigError, match="choose one of call, dgp"):
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
