"""Rules within one area: trade reduction and community sharing against plain calculations."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.design import find_design
from market.errors import ConfigError, Refusal
from market.exchange import Outcome, trade
from market.grid import Grid, Line
from market.orders import ORDER, Kind, Side, no_orders
from market.tables import Table
from market.units import Int
from tests.reference.local_books import Bid, community_price, mcafee, net, share

GRID = Grid(("a", "b"), (Line("ab", 0, 1),))
SHARING = ("mid-market-rate", "supply-demand-ratio", "bill-sharing")
RETAIL = (24_000, 8_000)


def orders_of(rows: list[tuple[Side, int, int, int]], area: int = 0) -> Table:
    """Rows of side, party, price, energy in market 0; references and arrival in the order given."""
    table = np.zeros(len(rows), ORDER)
    table["side"], table["party"], table["price"], table["energy"] = np.array(rows).reshape(-1, 4).T
    table["kind"], table["time_in_force"], table["area"] = Kind.NEW, 1, area
    table["reference"] = table["sequence"] = np.arange(len(rows))
    return table


def run(name: str, orders: Table, retail: tuple[int, int] = RETAIL, markets: int = 1, lot: int = 1) -> Outcome:
    """One call with an open line, which no local rule may use."""
    use = np.zeros((markets, 1, 2), np.int64)
    prices = np.broadcast_to(np.array(retail), (markets, 2, 2))
    design = replace(find_design(name), lot_wh=lot)
    return trade(design, GRID, no_orders(), orders, use + 1_000, use, np.zeros(1, np.int64), retail=prices)


def bids_of(orders: Table, side: Side, area: int) -> list[Bid]:
    """One side of a book by party and reference."""
    rows = np.flatnonzero((orders["side"] == side) & (orders["area"] == area))
    rows = rows[np.lexsort((orders["reference"][rows], orders["party"][rows]))]
    return [Bid(int(r), int(orders["party"][r]), int(orders["price"][r]), int(orders["energy"][r])) for r in rows]


def filled_of(parts: dict[int, int], count: int) -> Int:
    """A column from a mapping."""
    return np.array([parts.get(row, 0) for row in range(count)], np.int64)


@st.composite
def books(draw: st.DrawFn, single: bool) -> tuple[Table, int]:
    """Orders of two areas and the lot; `single`: each of a party of its own."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    lot, count = int(rng.choice([1, 1, 50])), draw(st.integers(0, 14))
    sides, prices = rng.integers(1, 3, count), 10 * rng.integers(1, draw(st.sampled_from([4, 12, 200])), count)
    parties = rng.permutation(count) if single else rng.integers(0, 5, count)
    energies = lot * rng.integers(1, draw(st.sampled_from([2, 6, 10**6])), count)
    table = orders_of(list(zip(sides, parties, prices, energies, strict=True)))
    table["area"] = rng.integers(0, 2, count)
    table["sequence"] = rng.permutation(count)
    return table, lot


def check_mcafee(orders: Table, lot: int) -> None:
    """Fills and prices of both areas are the referee's."""
    outcome, low_high = run("mcafee", orders, lot=lot), find_design("mcafee").band_mjpy_kwh
    wanted: dict[int, int] = {}
    for area in (0, 1):
        sells, buys = (bids_of(orders, side, area) for side in (Side.SELL, Side.BUY))
        if sum(bid.energy for bid in sells + buys) > 4_000 * lot:
            return
        traded = mcafee(sells, buys, *low_high, lot)
        wanted |= traded.filled
        here = np.isin(outcome.contracts["seller"], [bid.party for bid in sells])
        assert (outcome.contracts["sell_price"][here] == traded.sell_price).all()
        assert (outcome.contracts["buy_price"][here] == traded.buy_price).all()
    assert (outcome.filled_wh == filled_of(wanted, len(orders))).all()


@given(books(single=True))
def test_trade_reduction_is_the_referees(given_: tuple[Table, int]) -> None:
    """Two areas, energies and prices of any size, ties, lots."""
    check_mcafee(*given_)


@pytest.mark.slow
def test_trade_reduction_is_the_referees_on_many_books() -> None:
    """10,000 books."""
    rng = np.random.default_rng(1)
    for _ in range(5_000):
        count = int(rng.integers(0, 15))
        rows = zip(
            rng.integers(1, 3, count),
            rng.permutation(count),
            10 * rng.integers(1, rng.choice([4, 12, 200]), count),
            rng.integers(1, rng.choice([2, 6, 40]), count),
            strict=True,
        )
        table = orders_of(list(rows))
        table["area"] = rng.integers(0, 2, count)
        check_mcafee(table, 1)


def test_mcafee_of_the_textbook() -> None:
    """Buyers 9, 8, 7, 4 and sellers 2, 3, 4, 5 [x 1,000], a unit each: the middle of 5 and 4 serves the first three.

    With sellers 2, 3, 4, 8 the middle, 6, is acceptable as well; with buyers 9, 8, 5, 1 and a next ask of 20 it is 10.5
    thousand, which no buyer accepts: two trade, buyers pay 5, sellers get 4, and 2 x 1 is left to the exchange.
    """
    for bids, asks, pays, gets, count in (
        ((9, 8, 7, 4), (2, 3, 4, 5), 4_500, 4_500, 3),
        ((9, 8, 7, 4), (2, 3, 4, 8), 6_000, 6_000, 3),
        ((9, 8, 5, 1), (2, 3, 4, 20), 5_000, 4_000, 2),
    ):
        rows = [(Side.BUY, party, 1_000 * price, 1) for party, price in enumerate(bids)]
        rows += [(Side.SELL, 10 + party, 1_000 * price, 1) for party, price in enumerate(asks)]
        contracts = run("mcafee", orders_of(rows)).contracts
        assert len(contracts) == count
        assert set(contracts["buy_price"]) == {pays}
        assert set(contracts["sell_price"]) == {gets}


def test_a_winners_share_does_not_follow_from_its_price() -> None:
    """Sales of 15 and 1 share 8: half a Wh is over for each, and it goes by party, whichever is cheaper."""
    for cheap, dear in ((20, 10), (10, 20)):
        rows = [(Side.SELL, 3, cheap, 1), (Side.SELL, 7, dear, 15), (Side.SELL, 1, 30, 3), (Side.BUY, 5, 50, 8)]
        rows += [(Side.BUY, 6, 50, 16)]
        assert run("mcafee", orders_of(rows)).filled_wh.tolist() == [1, 7, 0, 8, 0]


@given(books(single=False), st.sampled_from(SHARING), st.integers(-3_000, 30_000), st.integers(0, 30_000))
def test_community_sharing_is_the_referees(given_: tuple[Table, int], rule: str, pays: int, more: int) -> None:
    """Fills in proportion after netting, at the published price; none where the retailer asks no more than it pays."""
    orders, lot = given_
    outcome, wanted = run(rule, orders, (pays + more, pays), lot=lot), dict[int, int]()
    for area in (0, 1) if more else ():
        sells, buys = (bids_of(orders, side, area) for side in (Side.SELL, Side.BUY))
        sells, buys = net(sells, buys), net(buys, sells)
        supply, demand = (sum(bid.energy for bid in side) for side in (sells, buys))
        total = min(supply, demand)
        wanted |= share(sells, total, lot) | share(buys, total, lot)
        if total:
            here = outcome.contracts["sell_reference"]
            inside = np.isin(here, orders["reference"][[bid.row for bid in sells]])
            price = community_price(rule, pays + more, pays, supply, demand)
            assert set(outcome.contracts["sell_price"][inside]) == {price}
    assert (outcome.contracts["sell_price"] == outcome.contracts["buy_price"]).all()
    assert (outcome.filled_wh == filled_of(wanted, len(orders))).all()


@given(books(single=False), st.sampled_from(SHARING))
def test_nobody_shares_with_itself(given_: tuple[Table, int], rule: str) -> None:
    """A party's own sale and purchase cancel out first."""
    contracts = run(rule, given_[0], lot=given_[1]).contracts
    assert (contracts["seller"] != contracts["buyer"]).all()


def test_community_bills_are_those_of_the_papers() -> None:
    """Supply 4, demand 6, tariff 24, feed-in 8: 16 in the middle, f t / ((t - f) 2/3 + f) by ratio, 0 for bills."""
    rows = [(Side.SELL, 0, 10, 4_000), (Side.BUY, 1, 10, 4_000), (Side.BUY, 2, 10, 2_000)]
    paid = {rule: set(run(rule, orders_of(rows)).contracts["buy_price"]) for rule in SHARING}
    assert paid == {"mid-market-rate": {16_000}, "supply-demand-ratio": {10_286}, "bill-sharing": {0}}
    outcome = run("mid-market-rate", orders_of(rows))
    assert outcome.filled_wh.tolist() == [4_000, 2_667, 1_333]
    assert outcome.expired_wh.tolist() == [0, 1_333, 667]


def test_sharing_needs_the_retailers_prices() -> None:
    """Without them one line says so."""
    use = np.zeros((1, 1, 2), np.int64)
    with pytest.raises(ConfigError, match="give `retail`"):
        trade(find_design("bill-sharing"), GRID, no_orders(), no_orders(), use, use, np.zeros(1, np.int64))


@pytest.mark.parametrize("name", ["mcafee", *SHARING])
def test_areas_do_not_meet_and_a_cancel_finds_nothing(name: str) -> None:
    """A line with room stays empty; what does not fill lapses."""
    orders = np.concatenate([orders_of([(Side.SELL, 0, 10, 500)]), orders_of([(Side.BUY, 1, 90_000, 500)], area=1)])
    cancel = orders_of([(Side.BUY, 2, 0, 0)])
    cancel["kind"] = Kind.CANCEL
    outcome = run(name, np.concatenate([orders, cancel]))
    assert len(outcome.contracts) == 0
    assert outcome.expired_wh.tolist() == [500, 500, 0]
    assert outcome.codes.tolist() == [0, 0, Refusal.NOTHING_TO_CANCEL]


@pytest.mark.parametrize("name", ["mcafee", *SHARING])
def test_energies_up_to_the_bound_are_shared_exactly(name: str) -> None:
    """Products of two energies near 2^37 Wh pass 2^63, and no share is lost."""
    big = (1 << 37) - 1
    rows = [(Side.SELL, 0, 10, big), (Side.SELL, 1, 20, big - 5), (Side.SELL, 4, 30, 7)]
    rows += [(Side.BUY, 2, 90_000, big), (Side.BUY, 3, 80_000, 3)]
    outcome = run(name, orders_of(rows))
    sides = [outcome.filled_wh[:3].sum(), outcome.filled_wh[3:].sum()]
    assert sides[0] == sides[1] == outcome.contracts["energy"].sum() > 0


def test_nothing_is_shared_where_the_retailer_pays_as_much_as_it_asks() -> None:
    """Nobody would gain: one sale and one purchase of the same energy stay with the retailer."""
    rows = [(Side.SELL, 1, 5, 50), (Side.BUY, 2, 20, 50)]
    for rule in SHARING:
        assert not run(rule, orders_of(rows), (10, 10)).filled_wh.any()
        assert run(rule, orders_of(rows), (11, 10)).filled_wh.all()
