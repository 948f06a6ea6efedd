"""The zero-intelligence experiment: markets of induced values in the one engine, judged on means over sessions."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from experiments.cli import app
from experiments.gode_sunder import ZI_C, ZI_U, ZIP, ZeroIntelligenceStudy, study_zero_intelligence
from experiments.induced_values import TOP, Bidding, Played, Sessions, draw_sessions, play
from tests.reference.merit_order import best_of_all, largest_surplus

BIDDINGS: tuple[Bidding, ...] = (ZI_C, ZI_U, ZIP)
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def study() -> ZeroIntelligenceStudy:
    """A small study."""
    return study_zero_intelligence(sessions=30, seed=5, offers=3)


@given(st.integers(0, 2**32 - 1), st.integers(1, 2), st.integers(1, 2), st.integers(1, 2))
def test_the_largest_surplus_is_that_of_the_merit_order(seed: int, buyers: int, sellers: int, units: int) -> None:
    """Columns, the loop over units and the search over all choices agree."""
    sessions = draw_sessions(seed, 3, buyers, sellers, units)
    for row, found in enumerate(sessions.largest_surplus().tolist()):
        values, costs = sessions.values[row].ravel().tolist(), sessions.costs[row].ravel().tolist()
        assert found == largest_surplus(values, costs) == best_of_all(values, costs)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_at_the_equilibrium_price_as_much_is_wanted_as_offered(seed: int, side: int) -> None:
    """Units that gain strictly do not exceed, and units that lose nothing do not fall short of, the other side's."""
    sessions = draw_sessions(seed, 4, side, side, 2)
    price, volume = sessions.equilibrium_price()[:, None, None], sessions.volume()
    for row in np.flatnonzero(volume > 0):
        values, costs, at = sessions.values[row], sessions.costs[row], price[row]
        assert (values > at).sum() <= (costs <= at).sum()
        assert (costs < at).sum() <= (values >= at).sum()


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from(BIDDINGS), st.booleans())
def test_prices_and_units_account_for_every_contract(seed: int, bidding: Bidding, wipe: bool) -> None:
    """Units bought equal units sold equal contracts, nobody trades more than its units, no surplus beyond the best."""
    played = play(draw_sessions(seed, 3, 3, 4, 2), bidding, seed, offers=5, wipe=wipe, periods=2)
    bought, sold = played.traded[..., :3].sum(-1), played.traded[..., 3:].sum(-1)
    contracts = np.zeros_like(bought)
    np.add.at(contracts, (played.session, played.period), 1)
    assert (bought == sold).all()
    assert (bought == contracts).all()
    assert played.traded.max(initial=0) <= 2
    assert ((played.price >= 1) & (played.price <= TOP)).all()
    assert (played.realised <= played.sessions.largest_surplus()[:, None]).all()


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([ZI_C, ZIP]))
def test_nobody_within_its_budget_loses_money(seed: int, bidding: Bidding) -> None:
    """With one unit each, every buyer pays at most its value and every seller gets at least its cost."""
    sessions = draw_sessions(seed, 5, 3, 3, 1)
    played = play(sessions, bidding, seed, offers=10)
    for row in range(sessions.count):
        traded, prices = played.traded[row, 0] > 0, played.price[played.session == row]
        values = np.sort(sessions.values[row, traded[:3], 0])
        costs = np.sort(sessions.costs[row, traded[3:], 0])
        assert (values >= np.sort(prices)).all()
        assert (costs <= np.sort(prices)).all()


@pytest.mark.parametrize("bidding", BIDDINGS)
def test_a_session_of_a_batch_equals_the_session_alone(bidding: Bidding) -> None:
    """Session i has key seed + i, in whatever batch it is played."""
    together = play(draw_sessions(7, 4, 3, 3, 2), bidding, 7, offers=8, periods=2)
    for row in range(4):
        alone = play(draw_sessions(7 + row, 1, 3, 3, 2), bidding, 7 + row, offers=8, periods=2)
        assert alone.traded[0].tolist() == together.traded[row].tolist()
        assert alone.price.tolist() == together.price[together.session == row].tolist()


def test_a_seller_takes_the_best_bid_at_the_bid_s_price() -> None:
    """One buyer worth 200 and one seller of cost 1 always trade, and surplus does not depend on the price."""
    sessions = Sessions(np.full((20, 1, 1), 200), np.full((20, 1, 1), 1))
    played = play(sessions, ZI_C, 3)
    assert played.traded.all()
    assert (played.efficiency == 1).all()
    assert len(set(played.price.tolist())) > 1


def means(played: Played) -> float:
    """Mean of the sessions' efficiency."""
    return float(np.nanmean(played.efficiency))


def test_traders_without_aim_reach_most_of_the_surplus_and_without_a_budget_none() -> None:
    """Thresholds on means: 30 sessions of ZI-C of each market, ZI-U together at least half below."""
    several, single = draw_sessions(11, 30, 6, 6, 4), draw_sessions(11, 30, 12, 12, 1)
    bound = play(several, ZI_C, 11)
    assert means(bound) >= 0.955
    assert means(play(single, ZI_C, 11)) >= 0.90
    free = play(draw_sessions(11, 200, 12, 12, 1), ZI_U, 11)
    assert free.total_efficiency <= bound.total_efficiency - 0.5


def test_margins_that_learn_beat_chance_and_bring_prices_to_equilibrium() -> None:
    """After a few periods ZIP is more efficient than ZI-C, and Smith's alpha has fallen to less than half."""
    sessions = draw_sessions(13, 20, 12, 12, 1)
    learned, chance = (play(sessions, bidding, 13, periods=4, offers=25) for bidding in (ZIP, ZI_C))
    alpha = np.nanmean(learned.alpha(), 0)
    assert np.nanmean(learned.efficiency[:, -1]) >= np.nanmean(chance.efficiency[:, -1])
    assert alpha[-1] < alpha[0] / 2
    assert alpha[-1] < np.nanmean(chance.alpha()[:, -1]) / 2


@pytest.mark.slow
def test_all_thresholds_hold_at_full_size() -> None:
    """1,020 sessions a market: ZI-U together within a tenth of zero, every 30-session mean of ZI-C above its bound."""
    assert all(study_zero_intelligence(sessions=1_020, seed=1).checks().values())


def test_the_verb_prints_tables_and_draws_pictures(study: ZeroIntelligenceStudy, tmp_path: Path) -> None:
    """JSON holds every market and period; both pictures are PNG files."""
    asked = f"study zero-intelligence --sessions 30 --seed 5 --offers 3 --json --figures {tmp_path}"
    result = CliRunner().invoke(app, asked.split())
    found = json.loads(result.stdout)
    assert found == json.loads(json.dumps(study.rows()))
    assert result.exit_code == (0 if all(study.checks().values()) else 1)
    for name in ("zero_intelligence", "zip_periods"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(PNG)


def test_too_few_sessions_are_refused_in_one_line() -> None:
    """A mean of 30 sessions needs 30."""
    result = CliRunner().invoke(app, ["study", "zero-intelligence", "--sessions", "3"])
    assert result.exit_code == 1
    assert result.stderr == "digitalgrid: --sessions: 3 is not possible (give 30 to 20000)\n"
