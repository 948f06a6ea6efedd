"""The lead-time study: both designs on the same orders, what was known when, and what the verb prints and draws."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.lead_time import (
    CASES,
    LEADS,
    Case,
    Played,
    cut_to_capacity,
    play_case,
    play_dgp,
    play_spot,
    study_lead_time,
)
from experiments.lead_time_picture import COLOURS
from experiments.lead_time_skill import LineUse, full_directions, measure_skills, net_flow
from experiments.lead_time_tables import spread
from experiments.order_flow import Flow, japan_grid, line_capacity_wh, make_flow
from market.contracts import CONTRACT
from market.design import DESIGNS
from market.grid import Grid, Line
from market.orders import Side
from market.splitting import cancelled_by_splitting_wh
from market.units import Int

GRID = japan_grid()
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def flow() -> Flow:
    """Two days of the base case."""
    return make_flow(1, 2)


@pytest.fixture(scope="module")
def capacity(flow: Flow) -> Int:
    """Capacities of all lines."""
    return line_capacity_wh(flow.markets)


@pytest.fixture(scope="module", params=["dgp", "dgp without netting", "spot"])
def played(request: pytest.FixtureRequest, flow: Flow, capacity: Int) -> Played:
    """The flow under each design."""
    if request.param == "spot":
        return play_spot(GRID, flow, flow.orders, capacity)[0]
    return play_dgp(GRID, flow, flow.orders, capacity, netting=request.param == "dgp")


def test_what_is_sold_is_bought_and_no_order_gets_more_than_it_wants(flow: Flow, played: Played) -> None:
    """Conservation in each market, and between orders and contracts."""
    orders, filled = flow.orders, played.filled_wh
    sold, bought = (np.bincount(orders["market"], filled * (orders["side"] == side)) for side in Side)
    assert np.array_equal(sold, bought)
    assert (filled <= orders["energy"]).all()
    assert (filled >= 0).all()
    assert played.contracts["energy"].sum() == bought.sum()


def test_what_an_area_lacks_comes_over_its_lines(flow: Flow, played: Played) -> None:
    """Bought less sold of each area and market is what flows in less what flows out."""
    orders, net = flow.orders, net_flow(played.use.final_wh)
    balance = np.zeros((flow.markets, len(GRID.areas)), np.int64)
    signed = np.where(orders["side"] == Side.BUY, played.filled_wh, -played.filled_wh)
    np.add.at(balance, (orders["market"], orders["area"]), signed)
    for row, line in enumerate(GRID.lines):
        balance[:, line.target] -= net[:, row]
        balance[:, line.source] += net[:, row]
    assert not balance.any()


def test_no_line_is_ever_over_its_capacity(played: Played, capacity: Int) -> None:
    """At no lead and not at the end, in either direction; without netting each direction alone."""
    for use in (*played.use.known_wh, played.use.final_wh):
        taken = use if not played.use.netting else use - use[..., ::-1]
        assert (taken <= capacity).all()


@pytest.mark.parametrize("netting", [True, False])
def test_commitments_only_grow(flow: Flow, capacity: Int, netting: bool) -> None:
    """What is committed at a lead is never less than earlier, nor more than in the end."""
    use = play_dgp(GRID, flow, flow.orders, capacity, netting).use
    assert (np.diff([*use.known_wh, use.final_wh], axis=0) >= 0).all()
    assert use.known_wh.any(axis=(1, 2, 3)).all()


def test_without_netting_a_full_line_stays_full(flow: Flow, capacity: Int) -> None:
    """Nothing frees room, so every direction known full ends full; with netting some do not."""
    for netting in (True, False):
        use = play_dgp(GRID, flow, flow.orders, capacity, netting).use
        precision = measure_skills([use], capacity)[0].precision
        assert (precision[-1] == 1) == (not netting)


def test_nothing_is_known_before_the_first_order(flow: Flow, capacity: Int) -> None:
    """Where nobody comes more than 100 days ahead, the leads down to 100 show no contract."""
    late = flow._replace(lead=np.minimum(flow.lead, 100))
    known = play_dgp(GRID, late, late.orders, capacity).use.known_wh
    assert [bool(at_lead.any()) for at_lead in known] == [lead < 100 for lead in LEADS]


def test_shares_are_those_of_the_market(flow: Flow, capacity: Int) -> None:
    """What splitting cancels is the market's own figure; shares add up and lie between nothing and all."""
    shares, _ = play_case(Case(), GRID, flow)
    cancelled = cancelled_by_splitting_wh(DESIGNS["spot"], GRID, flow.orders, capacity, np.zeros_like(capacity))
    assert shares["spot_cancelled"] == pytest.approx(cancelled.sum() / flow.wanted_wh)
    assert shares["spot_welfare"] == 1
    assert shares["dgp_welfare"] < 1
    assert shares["dgp_cross_area_net"] <= shares["dgp_cross_area"] <= shares["dgp_traded"]
    never_negative = set(shares) - {"spot_cancelled", "dgp_never_formed", "correlation_of_designs"}
    assert all(0 <= shares[name] <= 1 for name in never_negative)


def two_markets(*net_wh: tuple[int, int]) -> LineUse:
    """One line over two markets: net flow known at one lead after another, the last is final."""
    use = np.array([[[[max(net, 0), max(-net, 0)]] for net in nets] for nets in net_wh])
    return LineUse(use[:-1], use[-1])


ROOM = np.array([[[10, 20]], [[10, 20]]])


def test_skill_of_two_markets_by_hand() -> None:
    """10 of 10 forward and 5 of 20 backward in the end; known first half of the one, then both full forward."""
    (skill,) = measure_skills([two_markets((5, -5), (10, 10), (10, -5))], ROOM)
    assert skill.error == pytest.approx([(5 / 10 + 0 / 20) / 2, (0 / 10 + 15 / 20) / 2])
    assert skill.correlation == pytest.approx([1, np.nan], nan_ok=True)
    assert skill.precision == pytest.approx([np.nan, 1 / 2], nan_ok=True)
    assert skill.recall == pytest.approx([0, 1])
    assert np.isnan([skill.usual_error, skill.usual_precision, *skill.joined_error]).all()


def test_a_line_full_the_other_way_was_not_foretold() -> None:
    """Known full forward, ended full backward: neither what was known nor what ended full is a hit."""
    (skill,) = measure_skills([two_markets((10, 0), (-20, 0))], ROOM)
    assert (skill.precision[0], skill.recall[0]) == (0, 0)


def test_other_years_are_the_forecast_without_contracts() -> None:
    """The mean of the others' final flows, and full where at least half of them were."""
    years = [two_markets((0, 0), final) for final in ((10, -5), (10, -5), (4, -5))]
    first = measure_skills(years, ROOM)[0]
    assert first.usual_error == pytest.approx((3 / 10 + 0 / 20) / 2)
    assert (first.usual_precision, first.usual_recall) == (1, 1)


def test_contracts_correct_other_years_as_far_as_they_told_there() -> None:
    """Where final is twice what is known, the joined forecast doubles it; contracts that say nothing count nothing."""
    years = [two_markets((known, 0), (known, 0), (2 * known, -known)) for known in (1, 2, 5)]
    assert measure_skills(years, ROOM)[0].joined_error[0] == pytest.approx((0 / 10 + 2.5 / 20) / 2)
    dumb = [two_markets((0, 0), (final, -5)) for final in (3, 4, 8)]
    skill = measure_skills(dumb, ROOM)[0]
    assert skill.joined_error[0] == skill.usual_error


def test_without_netting_opposite_uses_free_no_room() -> None:
    """10 forward against 4 backward fill a line of 10 only where nothing nets."""
    use, room = np.array([[[10, 4]]]), np.array([[[10, 20]]])
    assert not full_directions(use, room).any()
    assert full_directions(use, room, netting=False).tolist() == [[[True, False]]]


def test_contracts_blind_to_lines_are_cut_last_first() -> None:
    """6, 6 and 3 forward over a line of 10, 4 backward between: the second loses 2 less what the opposite one frees."""
    grid = Grid(("a", "b"), (Line("ab", 0, 1),))
    forward, backward = (int(grid.path_ranges[pair][0]) for pair in ((0, 1), (1, 0)))
    contracts = np.zeros(4, CONTRACT)
    contracts["energy"], contracts["path"] = (6, 6, 4, 5), (forward, forward, backward, forward)
    room = np.array([[[10, 10]]])
    assert cut_to_capacity(grid, contracts[:1], room) == 0
    assert cut_to_capacity(grid, contracts[:2], room) == 2
    assert cut_to_capacity(grid, contracts, room) == 2 + 1


@pytest.fixture
def short() -> Iterator[list[str]]:
    """Two cases only; their names."""
    all_cases = dict(CASES)
    for name in set(CASES) - {"base", "no netting"}:
        del CASES[name]
    yield list(CASES)
    CASES.clear()
    CASES.update(all_cases)


def test_the_study_repeats_and_says_where_there_is_no_value(short: list[str]) -> None:
    """Equal rows twice; a single seed has no other years, which JSON says as null and tables as '-'."""
    first, again = (study_lead_time(days=2, seeds=1, seed=5).rows() for _ in range(2))
    assert first == again
    assert [row["case"] for row in first] == short
    assert first[0]["usual_error"] is None
    assert json.loads(json.dumps(first, allow_nan=False)) == first


def test_a_spread_is_the_mean_with_its_ends() -> None:
    """One value stands alone, none is a dash, and no zero has a sign."""
    assert spread([0.1, 0.3]) == "20.0 % (10.0 to 30.0)"
    assert spread([-0.00001]) == "0.0 %"
    assert spread([float("nan")]) == "-"
    assert spread([0.25, float("nan")], percent=False) == "0.25"


MISTAKES = {"--days": ("1", "121"), "--seeds": ("0", "21"), "--seed": ("-1",)}


@pytest.mark.parametrize(("option", "value"), [(option, value) for option in MISTAKES for value in MISTAKES[option]])
def test_an_impossible_number_is_one_line(option: str, value: str) -> None:
    """The option is named, with what it may be."""
    result = CliRunner().invoke(app, ["study", "lead-time", option, value])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert option in result.stderr
    assert "give " in result.stderr


def test_every_case_has_a_colour_of_its_own() -> None:
    """No two cases look alike."""
    assert list(COLOURS) == list(CASES)
    assert len(set(COLOURS.values())) == len(CASES)


def test_the_verb_prints_json_and_draws_pictures(short: list[str], tmp_path: Path) -> None:
    """A row for each case and seed, and three PNG files."""
    result = CliRunner().invoke(
        app, ["study", "lead-time", "--days", "2", "--seeds", "3", "--figures", str(tmp_path / "made"), "--json"]
    )
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["case"] for row in rows] == [case for case in short for _ in range(3)]
    assert all(len(row["joined_error"]) == len(LEADS) for row in rows)
    names = sorted(path.name for path in (tmp_path / "made").iterdir())
    assert names == ["lead_time.png", "lead_time_day.png", "lead_time_lines.png"]
    assert all((tmp_path / "made" / name).read_bytes().startswith(PNG) for name in names)


def test_the_verb_prints_tables(short: list[str]) -> None:
    """Shares of every case, and the skill at every lead."""
    result = CliRunner().invoke(app, ["study", "lead-time", "--days", "2", "--seeds", "1"])
    assert result.exit_code == 0, result.output
    for text in (*short, *(f"{lead} day" for lead in LEADS), "cancelled the day before", "no contracts"):
        assert text in result.stdout


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """Pictures under a file are refused before the work begins."""
    (tmp_path / "file").write_text("")
    figures = str(tmp_path / "file" / "made")
    result = CliRunner().invoke(app, ["study", "lead-time", "--days", "120", "--seeds", "20", "--figures", figures])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "--figures" in result.stderr
