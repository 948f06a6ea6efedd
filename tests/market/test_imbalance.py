"""Imbalance prices: three rules by name, each against a plain calculation in fractions."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.imbalance import (
    Imbalance,
    Situation,
    find_capped,
    imbalance_prices,
    punishment_of,
    read_imbalance,
    scarcity_steps,
)
from market.settlement import Terms
from market.slots import HALF_HOURS, SlotCalendar
from market.units import Int
from tests.reference.imbalance import capped_slots, price_of_2022, prices_of_2016

AREAS = 2
CHANGE = HALF_HOURS.first_of(date(2026, 10, 1))
"""First half hour of 2026-10-01."""
spots = st.lists(st.integers(0, 400_000), min_size=3 * AREAS, max_size=3 * AREAS).map(
    lambda values: np.array(values, np.int64).reshape(3, AREAS)
)
ratios = st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 150_000)), min_size=1, max_size=4).map(
    lambda steps: tuple(sorted(dict(steps).items()))
)


def situation(spot: Int, short: tuple[int, ...] = (0, 0, 0), slot: int = 0, capped: bool = False) -> Situation:
    """Three worlds of two areas; the retailer asks 2 JPY more than the outside price and pays 1 JPY less."""
    retail = np.stack([spot + 2_000, np.maximum(spot - 1_000, 0)], -1)
    near = np.full(spot.shape, capped)
    return Situation(spot, retail, 3_000, np.array(short)[:, None], np.full((3, 1), slot), near)


@given(spots)
def test_flat_adds_the_penalty_on_both_sides_and_never_falls_below_zero(spot: Int) -> None:
    """The retailer's price plus the penalty; feed-in less the penalty."""
    prices = imbalance_prices(Imbalance(), situation(spot))
    for price, (short, long) in zip(spot.ravel(), prices.reshape(-1, 2), strict=True):
        assert (short, long) == (price + 5_000, max(max(price - 1_000, 0) - 3_000, 0))


@given(spots, st.integers(0, 4_000_000), st.integers(-9_000, 9_000), st.integers(0, 999), st.integers(0, 999))
def test_the_rule_of_2016_is_spot_times_alpha_plus_beta_rounded_once(
    spot: Int, alpha: int, beta: int, extra: int, less: int
) -> None:
    """Against fractions: K more when short, L less when long, zero where curtailed, never below zero."""
    rule = Imbalance("jp-2016", alpha_ppm=alpha, beta=(beta, -beta), short_extra=extra, long_less=less)
    prices = imbalance_prices(rule, situation(spot))
    for world, area in np.ndindex(3, AREAS):
        assert tuple(prices[world, area]) == prices_of_2016(rule, int(spot[world, area]), area)


@given(spots, ratios, st.tuples(*[st.integers(-9, 9)] * 3), st.sampled_from([0, CHANGE - 1, CHANGE]), st.booleans())
def test_the_rule_of_2022_is_the_higher_of_balancing_energy_and_scarcity(
    spot: Int, reserve: tuple[tuple[int, int], ...], short: tuple[int, ...], slot: int, capped: bool
) -> None:
    """Against fractions, before and after 2026-10-01, with and without the cap; one price for both sides."""
    rule = Imbalance("jp-2022", up=4_250, down=5_610, reserve=reserve)
    prices = imbalance_prices(rule, situation(spot, short, slot, capped))
    assert (prices[..., 0] == prices[..., 1]).all()
    for world, area in np.ndindex(3, AREAS):
        assert prices[world, area, 0] == price_of_2022(rule, int(spot[world, area]), short[world], slot, capped)


@pytest.mark.parametrize(
    ("percent", "before", "after"),
    [(12, 0, 0), (10, 0, 0), (9, 22_500, 25_000), (8, 45_000, 50_000), (3, 200_000, 300_000), (0, 200_000, 300_000)],
)
def test_scarcity_has_the_published_corners(percent: int, before: int, after: int) -> None:
    """0 at 10 %, 45 JPY at 8 % and 200 JPY at 3 % until 2026-09-30; 50 and 300 JPY from 2026-10-01."""
    spot = np.zeros((3, AREAS), np.int64)
    for calendar in (HALF_HOURS, SlotCalendar(15)):
        rule = Imbalance("jp-2022", reserve=((0, percent * 10_000),), scarcity=scarcity_steps(calendar))
        change = calendar.first_of(date(2026, 10, 1))
        for slot, price in ((change - 1, before), (change, after)):
            assert imbalance_prices(rule, situation(spot, slot=slot))[0, 0, 0] == price


def test_only_a_long_system_gets_nothing_where_renewables_are_curtailed() -> None:
    """At the floor price a surplus earns zero, a shortage still pays for balancing energy."""
    rule = Imbalance("jp-2022", up=4_000, down=0)
    prices = imbalance_prices(rule, situation(np.full((3, AREAS), 10), (-1, 0, 1)))[:, 0, 0]
    assert prices.tolist() == [0, 10, 4_010]


@pytest.mark.parametrize("minutes", [30, 15])
@given(seed=st.integers(0, 2**32 - 1), share=st.sampled_from([0.02, 0.09, 0.3]))
def test_thirty_scarce_slots_in_seven_days_cap_the_price(minutes: int, seed: int, share: float) -> None:
    """Against counting slot by slot; the slots before the first one given count as ordinary."""
    outside = np.random.default_rng(seed).choice([200_000, 199_999], (AREAS, 900), p=[share, 1 - share])
    calendar = SlotCalendar(minutes)
    capped = find_capped(Imbalance("jp-2022"), outside, calendar)
    assert capped.tolist() == [capped_slots(row, 7 * calendar.per_day) for row in outside.tolist()]
    assert not find_capped(Imbalance("jp-2016"), outside, calendar).any()


def test_the_punishment_of_imbalance_rose_twice() -> None:
    """K and L: nothing before 2019, 0.28 and 0.68 in 2019, 0.48 and 0.71 JPY/kWh afterwards."""
    assert [punishment_of(year) for year in (2018, 2019, 2021)] == [(0, 0), (280, 680), (480, 710)]


@pytest.mark.parametrize("change", [{"rule": "none"}, {"reserve": []}, {"scarcity": [[0, 1]]}, {"beta": [1, 2, 3]}])
def test_a_rule_that_does_not_fit_is_not_read(change: dict[str, object]) -> None:
    """Unknown name, no steps, steps of a wrong form, area terms for other areas: ValueError."""
    record = {"alpha_ppm": 1, "beta": [], "short_extra": 0, "long_less": 0, "curtailed_at": 10, "up": 0, "down": 0}
    record |= {"rule": "jp-2022", "reserve": [[0, 1]], "scarcity": [[0, 1, 2]]}
    assert read_imbalance(record, AREAS).scarcity == ((0, 1, 2),)
    with pytest.raises(ValueError, match="imbalance"):
        read_imbalance({**record, **change}, AREAS)


def test_terms_price_the_areas_with_their_rule() -> None:
    """The system is short as a whole when its parties' deviations are."""
    terms = Terms(0, 0, 0, 2_000, 1_000, 0, 3_000, Imbalance("jp-2022", up=100, down=200))
    outside = np.array([[5_000, 6_000]] * 2)
    prices = terms.imbalance_prices(outside, np.array([1, -1]), np.array([0, 0]))
    assert prices[..., 0].tolist() == [[5_100, 6_100], [4_800, 5_800]]
