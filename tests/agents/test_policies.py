"""Strategies behind one interface: fixed ones, dice that repeat, and what people may type."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.observing import WIDTH
from agents.policies import TRUTHFUL_POLICY, NetworkPolicy, Stream, ZeroIntelligence, find_policy, mark_up
from agents.quoting import ACTIONS
from market.errors import ConfigError, PolicyError

BLANK = np.zeros((3, 2, WIDTH), np.float32)


def stream(
    seed: int = 1, slot: int = 100, worlds: tuple[int, ...] = (0, 1, 2), parties: tuple[int, ...] = (4, 5)
) -> Stream:
    """Dice of some parties of some worlds."""
    return Stream(seed, np.array(worlds), np.array(parties), np.full(len(worlds), slot))


def test_no_mark_up_is_truthful() -> None:
    """A mark-up of zero acts as the truthful policy does."""
    assert (mark_up(0).act(BLANK, stream()) == TRUTHFUL_POLICY.act(BLANK, stream())).all()


@given(st.floats(0, 1))
def test_a_mark_up_moves_both_fractions_and_nothing_else(fraction: float) -> None:
    """Sell and buy at 2f - 1; no patience, the self-use battery."""
    action = mark_up(fraction).act(BLANK, stream())
    assert action.shape == (3, 2, ACTIONS)
    assert (action[..., :2] == np.float32(2 * fraction - 1)).all()
    assert (action[..., 2:] == TRUTHFUL_POLICY.act(BLANK, stream())[..., 2:]).all()


def test_zero_intelligence_repeats_by_stream() -> None:
    """Seed, world, party and slot decide; the observation does not."""
    first = ZeroIntelligence().act(BLANK, stream())
    assert (ZeroIntelligence().act(BLANK + 1, stream()) == first).all()
    for other in (stream(seed=2), stream(slot=101), stream(worlds=(3, 4, 5)), stream(parties=(6, 7))):
        assert (ZeroIntelligence().act(BLANK, other)[..., :2] != first[..., :2]).all()


def test_zero_intelligence_acts_alone_as_in_a_batch() -> None:
    """World 2 and party 5 by themselves."""
    together = ZeroIntelligence().act(BLANK, stream())
    alone = ZeroIntelligence().act(BLANK[:1, :1], stream(worlds=(2,), parties=(5,)))
    assert alone[0, 0].tobytes() == together[2, 1].tobytes()


def test_zero_intelligence_covers_the_band() -> None:
    """Over 5,000 slots sell and buy fractions spread over [-1, 1], each for itself."""
    dice = Stream(1, np.zeros(5_000, np.int64), np.array([4]), np.arange(5_000))
    action = ZeroIntelligence().act(np.zeros((5_000, 1, WIDTH), np.float32), dice)[:, 0]
    assert (np.abs(action) <= 1).all()
    assert np.abs(action[:, :2].mean(0)).max() < 0.05
    assert (np.histogram(action[:, 0], 10, (-1, 1))[0] > 400).all()
    assert abs(np.corrcoef(action[:, 0], action[:, 1])[0, 1]) < 0.07
    assert (action[:, 2] == -1).all()
    assert (action[:, 3] == 0).all()


@pytest.mark.parametrize(
    ("text", "name"),
    [("truthful", "truthful"), ("zero-intelligence", "zero-intelligence"), ("markup:0.25", "markup:0.25")],
)
def test_a_policy_is_found_by_what_people_type(text: str, name: str) -> None:
    """The name found is the name given."""
    assert find_policy(text).name == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "truthfull",
        "markup",
        "markup:",
        "markup:half",
        "markup:-0.1",
        "markup:1.01",
        "markup:nan",
    ],
)
def test_a_policy_nobody_knows_is_refused_in_one_line(text: str) -> None:
    """ConfigError says what is wrong and what to type."""
    with pytest.raises(ConfigError) as caught:
        find_policy(text)
    assert caught.value.do
    assert "\n" not in str(caught.value)


def test_a_missing_policy_file_is_named(tmp_path: Path) -> None:
    """A path that ends in .onnx is a file to be read."""
    with pytest.raises(PolicyError) as caught:
        find_policy(str(tmp_path / "none.onnx"))
    assert str(tmp_path / "none") in str(caught.value)


def test_bytes_that_are_no_model_are_refused_when_they_should_act() -> None:
    """ONNX Runtime's complaint becomes one line."""
    with pytest.raises(PolicyError) as caught:
        NetworkPolicy("broken", b"not a model").act(BLANK, stream())
    assert "broken" in str(caught.value)
