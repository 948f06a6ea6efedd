"""Deliberate imbalance: found where it leans or follows the price, not found in honest errors."""

import numpy as np

from market.gaming import Conduct, measure_conduct
from market.units import PPM, Int

DAYS, SLOTS = 60, 48
MARKET = 10_000


def prices_of(gap: Int) -> Int:
    """One imbalance price for both sides, `gap` above the market's (slots, 1, 2)."""
    return np.repeat((MARKET + gap)[:, None, None], 2, axis=2)


def conduct_of(deviation: Int, prices: Int) -> Conduct:
    """The measures of one party."""
    column = deviation.astype(np.int64)[:, None]
    return measure_conduct(column, prices, np.full(column.shape, MARKET), SLOTS)


def errors(seed: int) -> Int:
    """Honest errors that last for hours, without a side."""
    dice = np.random.default_rng(seed)
    return np.repeat(dice.normal(0, 500, DAYS * SLOTS // 6), 6).astype(np.int64)


def gaps(seed: int) -> Int:
    """Imbalance price less market price, rarely the same for a day."""
    return np.repeat(np.random.default_rng(1_000 + seed).normal(0, 4_000, DAYS * SLOTS // 8), 8).astype(np.int64)


def test_honest_errors_are_rarely_suspect() -> None:
    """Fewer than 2 in 100 honest parties gain and lean, or follow the price, beyond three standard deviations."""
    suspects = [bool(conduct_of(errors(seed), prices_of(gaps(seed))).suspect[0]) for seed in range(100)]
    assert sum(suspects) < 2


def test_a_party_that_is_short_when_that_is_cheap_is_suspect() -> None:
    """A small part of its deviation follows the price: the days on which it gains give it away."""
    gap = gaps(7)
    conduct = conduct_of(errors(7) // 2 - gap // 10, prices_of(gap))
    assert conduct.suspect[0]
    assert conduct.follows[0]
    assert conduct.gain_ujpy[0] > 0


def test_a_party_that_is_always_long_where_the_area_term_is_known_is_suspect() -> None:
    """The constant incentive of Tokyo under the rule of 2016: a little too much every day."""
    conduct = conduct_of(errors(8) - 400, prices_of(np.full(DAYS * SLOTS, 2_630)))
    assert conduct.leans[0]
    assert conduct.suspect[0]


def test_leaning_that_costs_money_is_a_bad_forecast() -> None:
    """Two prices, both worse than the market's: nobody gains, nobody is suspect, though the lean is complete."""
    prices = np.tile([MARKET + 5_000, MARKET - 4_000], (DAYS * SLOTS, 1, 1))
    conduct = conduct_of(np.full(DAYS * SLOTS, 300), prices)
    assert (conduct.lean_ppm[0], bool(conduct.leans[0]), bool(conduct.suspect[0])) == (PPM, True, False)
    assert conduct.gain_ujpy[0] == -300 * 5_000 * DAYS * SLOTS


def test_eight_days_are_too_few_for_a_suspicion() -> None:
    """All eight days on one side happen by chance; nine are three standard deviations."""
    flat = np.full((DAYS * SLOTS, 1), 100)
    for days, leans in ((8, False), (9, True)):
        part = flat[: days * SLOTS]
        conduct = measure_conduct(part, np.full((*part.shape, 2), 1), np.full(part.shape, 2), SLOTS)
        assert bool(conduct.leans[0]) == leans
        assert conduct.days[0] == conduct.gain_days[0] == days
