"""One source of randomness: repeatable, the same alone and in a batch, and spread as it should be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.draw import Purpose, below, between, draw, lognormal_ppm, uniform
from market.units import PPM

NUMBERS = st.integers(0, 2**31)


@given(st.integers(-(2**62), 2**62), NUMBERS, NUMBERS, NUMBERS, st.sampled_from(Purpose))
def test_the_same_arguments_give_the_same_bits(seed: int, world: int, party: int, slot: int, purpose: Purpose) -> None:
    """No state is kept between two draws, and any seed is good."""
    assert draw(seed, world, party, slot, purpose) == draw(seed, world, party, slot, purpose)


@given(st.integers(0, 2**40), st.lists(NUMBERS, min_size=1, max_size=20), NUMBERS, st.sampled_from(Purpose))
def test_a_batch_draws_what_each_element_draws_alone(
    seed: int, parties: list[int], slot: int, purpose: Purpose
) -> None:
    """The shape of the question does not change the answer."""
    together = draw(seed, 3, np.array(parties), slot, purpose)
    assert together.tolist() == [int(draw(seed, 3, party, slot, purpose)) for party in parties]


@given(st.integers(0, 2**40), st.integers(0, 4_096), NUMBERS, NUMBERS)
def test_a_world_has_the_key_seed_plus_its_number(seed: int, world: int, party: int, slot: int) -> None:
    """World i of a batch is world 0 of a batch whose seed is i higher."""
    assert draw(seed, world, party, slot, Purpose.LOAD) == draw(seed + world, 0, party, slot, Purpose.LOAD)


def test_purposes_parties_slots_and_worlds_do_not_collide() -> None:
    """172,800 values of nine purposes, 20 worlds, 20 parties and 48 slots are all different."""
    assert len(Purpose) == len(Purpose.__members__), "two names for one purpose"
    worlds, parties, slots = np.arange(20)[:, None, None], np.arange(20)[None, :, None], np.arange(48)
    bits = [draw(7, worlds, parties, slots, purpose) for purpose in Purpose]
    assert len(np.unique(np.stack(bits))) == len(Purpose) * 20 * 20 * 48


@pytest.mark.parametrize("bound", [2, 7, 48, 100])
def test_numbers_below_a_bound_are_uniform(bound: int) -> None:
    """100,000 draws: chi-square within five standard deviations of its mean, bound - 1."""
    numbers = below(draw(1, 0, np.arange(100_000), 5, Purpose.ARRIVAL), bound)
    counts = np.bincount(numbers, minlength=bound)
    assert len(counts) == bound
    chi_square = float(((counts - 100_000 / bound) ** 2).sum() / (100_000 / bound))
    assert abs(chi_square - (bound - 1)) < 5 * np.sqrt(2 * (bound - 1))


def test_both_ends_of_a_range_are_drawn() -> None:
    """`between` includes low and high and nothing beyond; a range of one number gives that number."""
    bits = draw(2, 0, np.arange(1_000), 0, Purpose.SIZE)
    assert np.unique(between(bits, -3, 4)).tolist() == list(range(-3, 5))
    assert np.unique(between(bits, 9, 9)).tolist() == [9]


def test_uniform_floats_lie_in_the_half_open_unit_interval() -> None:
    """The largest bits stay below one, the smallest give zero; mean and spread are those of the uniform law."""
    assert uniform(np.array([0, 2**64 - 1], np.uint64)).tolist() == [0.0, 1 - 2.0**-53]
    numbers = uniform(draw(3, 0, np.arange(100_000), 0, Purpose.BID))
    assert abs(numbers.mean() - 0.5) < 5 * np.sqrt(1 / 12 / 100_000)
    assert abs(numbers.var() - 1 / 12) < 0.002


def test_neighbouring_parties_and_slots_are_not_correlated() -> None:
    """Correlation of 50,000 pairs stays within five standard deviations of zero, in each direction."""
    grid = uniform(draw(4, 0, np.arange(224)[:, None], np.arange(224)[None, :], Purpose.LOAD))
    for left, right in ((grid[:-1], grid[1:]), (grid[:, :-1], grid[:, 1:])):
        assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 5 / np.sqrt(left.size)


@pytest.mark.parametrize("sigma", [0.0, 0.1, 0.4, 1.0])
def test_lognormal_factors_have_mean_one_and_the_stated_spread(sigma: float) -> None:
    """200,000 draws: mean within five standard errors of 1,000,000 ppm, log deviation within 2 %."""
    factors = lognormal_ppm(draw(5, 0, np.arange(200_000), 0, Purpose.WEATHER), sigma) / PPM
    assert abs(factors.mean() - 1) <= 5 * np.sqrt(np.expm1(sigma * sigma) / 200_000) + 1e-6
    assert np.log(factors).std() == pytest.approx(sigma, rel=0.02, abs=1e-9)
