"""Shares of a secret: any k give it back, fewer say nothing, and the field is the one of AES."""

from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.shares import MOST_SHARES, join_shares, split_secret
from market.errors import ConfigError
from tests.reference import shares as referee


@st.composite
def dealt(draw: st.DrawFn) -> tuple[bytes, int, int, bytes]:
    """A secret, k, n, and dice."""
    shares = draw(st.integers(1, 7))
    needed = draw(st.integers(1, shares))
    secret = draw(st.binary(min_size=1, max_size=5))
    size = (needed - 1) * len(secret)
    return secret, needed, shares, draw(st.binary(min_size=size, max_size=size))


@given(dealt())
@settings(max_examples=60, deadline=None)
def test_any_k_shares_give_the_secret_and_every_other_share(case: tuple[bytes, int, int, bytes]) -> None:
    """Whichever k they are, and in whatever order they come."""
    secret, needed, count, dice = case
    made = split_secret(secret, needed, count, dice)
    for chosen in combinations(range(1, count + 1), needed):
        shares = {place: made[place - 1] for place in reversed(chosen)}
        assert join_shares(shares) == secret
        assert [join_shares(shares, place) for place in range(1, count + 1)] == list(made)


@given(dealt())
@settings(max_examples=40, deadline=None)
def test_shares_are_those_of_the_referee(case: tuple[bytes, int, int, bytes]) -> None:
    """Byte by byte: the value of a polynomial with the secret at 0, in shift-and-add arithmetic."""
    secret, needed, count, dice = case
    made = split_secret(secret, needed, count, dice)
    for byte in range(len(secret)):
        coefficients = [secret[byte], *dice[byte :: len(secret)]]
        assert [share[byte] for share in made] == [referee.value_at(coefficients, p) for p in range(1, count + 1)]
        points = {place: made[place - 1][byte] for place in range(1, needed + 1)}
        assert referee.interpolate(points, 0) == secret[byte]


def test_k_minus_one_shares_fit_every_secret_alike() -> None:
    """Over all dice, the second of two shares takes each value once, whatever the secret is."""
    for secret in (b"\0", b"\x5a"):
        values = sorted(split_secret(secret, 2, 2, bytes([die]))[1][0] for die in range(256))
        assert values == list(range(256))


def test_shares_of_a_known_case_are_frozen() -> None:
    """Golden bytes: they change only with the version."""
    assert [share.hex() for share in split_secret(b"\x2a\x00", 2, 3, b"\x01\x80")] == ["2b80", "281b", "299b"]
    assert referee.times(0x57, 0x83) == 0xC1


@pytest.mark.parametrize(("needed", "shares"), [(0, 3), (4, 3), (1, 0), (2, MOST_SHARES + 1)])
def test_impossible_numbers_are_refused(needed: int, shares: int) -> None:
    """One line that says what is possible."""
    with pytest.raises(ConfigError, match="not possible"):
        split_secret(b"x", needed, shares, b"y" * max(needed - 1, 0))


def test_misuse_is_refused() -> None:
    """Dice of another length, no share, share 0, shares of different lengths."""
    with pytest.raises(ConfigError, match="random bytes"):
        split_secret(b"xx", 2, 3, b"y")
    for shares in ({}, {0: b"a"}, {256: b"a"}, {1: b"a", 2: b"ab"}):
        with pytest.raises(ConfigError):
            join_shares(shares)


def test_the_field_has_inverses() -> None:
    """Every element but zero divides; zero times anything is zero."""
    assert all(referee.times(one, referee.inverse(one)) == 1 for one in range(1, 256))
    assert {referee.times(one, other) for one, other in product((0,), range(256))} == {0}
