"""The seasonal forecast against a loop in plain Python, and what it may not know."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.forecasting import FIRST_LAG_DAYS, HISTORY_DAYS, LAST_LAG_DAYS, seasonal_naive


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([4, 48]))
def test_the_forecast_is_the_mean_of_the_same_slot_two_to_eight_days_before(seed: int, count: int, day: int) -> None:
    """Slot by slot in plain Python, rounded down."""
    history = np.random.default_rng(seed).integers(-5_000, 20_000, HISTORY_DAYS * day + count)
    expected = []
    for place in range(HISTORY_DAYS * day, len(history)):
        same = [int(history[place - back * day]) for back in range(FIRST_LAG_DAYS, LAST_LAG_DAYS + 1)]
        expected.append(sum(same) // 7)
    assert seasonal_naive(history, day).tolist() == expected


@given(st.integers(0, 2**32 - 1))
def test_no_reading_of_the_last_two_days_changes_a_forecast(seed: int) -> None:
    """The forecast of the coming day stands before any reading newer than two days is known."""
    dice = np.random.default_rng(seed)
    history = dice.integers(0, 9_000, (3, (HISTORY_DAYS + 1) * 48))
    later = history.copy()
    later[:, -2 * 48 + 1 :] = dice.integers(0, 9_000, (3, 2 * 48 - 1))
    assert (seasonal_naive(history, 48)[:, 0] == seasonal_naive(later, 48)[:, 0]).all()
    assert (seasonal_naive(history, 48)[:, -1] == seasonal_naive(later, 48)[:, -1]).all()


def test_the_reading_two_days_old_does_count() -> None:
    """The newest reading used lies exactly two days back: changing it by seven changes the forecast by one."""
    history = np.zeros(HISTORY_DAYS * 48 + 1, np.int64)
    history[-1 - 2 * 48] = 7
    assert seasonal_naive(history, 48).tolist() == [1]


@pytest.mark.parametrize("shape", [(5,), (2, 3)])
def test_leading_axes_are_forecast_each_for_itself(shape: tuple[int, ...]) -> None:
    """Worlds and parties do not mix, and a world that repeats each day is forecast without error."""
    day = np.random.default_rng(1).integers(0, 500, (*shape, 48))
    assert (seasonal_naive(np.tile(day, HISTORY_DAYS + 1), 48) == day).all()


def test_a_history_without_a_slot_ahead_forecasts_nothing() -> None:
    """Eight days of readings and no slot to forecast give an empty row."""
    assert seasonal_naive(np.zeros((2, HISTORY_DAYS * 48), np.int64), 48).shape == (2, 0)
