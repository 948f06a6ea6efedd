"""The books: one kernel enters what the tables of `market` and a plain Python count say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from envs.books import Books
from market.contracts import CONTRACT, add_positions
from market.grid import Grid, Line
from market.settlement import KINDS, Accounts, PostingKind, Terms, post_contracts
from market.tables import Table
from market.units import Int
from tests.reference.booking import count_flows, count_money

GRID = Grid(("a", "b", "c"), (Line("ab", 0, 1), Line("bc", 1, 2), Line("ca", 2, 0)))
ACCOUNTS = Accounts(GRID, ("p0", "p1", "p2", "r0", "r1", "r2"), (0, 1, 2, 0, 1, 2), (3, 4, 5))
TERMS = Terms(7_000, 3_000, 500, 2_000, 1_000, 100, 50)
WORLDS, SLOTS, RING = 3, 9, 4
FIRST = np.array([100, 40, 77])


@st.composite
def contract_tables(draw: st.DrawFn) -> Table:
    """Contracts of any worlds whose slots fit into one turn of the ring, with rent on paths of any length."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    contracts = np.zeros(draw(st.integers(0, 40)), CONTRACT)
    count, turn = len(contracts), int(rng.integers(0, SLOTS - RING + 1))
    contracts["world"] = rng.integers(0, WORLDS, count)
    contracts["slot"] = FIRST[contracts["world"]] + turn + rng.integers(0, RING, count)
    contracts["seller"] = rng.integers(0, 6, count)
    contracts["buyer"] = (contracts["seller"] + rng.integers(1, 6, count)) % 6
    contracts["energy"] = rng.integers(1, 5_000, count)
    contracts["sell_price"] = rng.integers(10, 90_000, count)
    contracts["path"] = rng.integers(0, len(GRID.paths), count)
    contracts["last_resort"] = rng.integers(0, 2, count)
    rent = rng.integers(0, 2, count) * rng.integers(0, 5_000, count)
    contracts["buy_price"] = contracts["sell_price"] + np.where(contracts["last_resort"], 0, rent)
    return contracts


def entered(contracts: Table) -> tuple[Books, Int]:
    """Books after the contracts, and what the parties accrued."""
    books = Books(FIRST, SLOTS, RING, TERMS, ACCOUNTS)
    accrued = np.zeros((WORLDS, ACCOUNTS.parties), np.int64)
    books.enter(contracts, accrued)
    return books, accrued


@given(contract_tables())
def test_books_hold_the_positions_and_postings_that_the_verifier_derives(contracts: Table) -> None:
    """Against `add_positions` and `post_contracts`, which replay a ledger."""
    books, _ = entered(contracts)
    position = np.zeros((WORLDS, ACCOUNTS.parties, SLOTS), np.int64)
    add_positions(position, contracts, FIRST)
    assert (books.position_wh == position).all()
    world = contracts["world"].astype(np.int64)
    money = np.zeros((RING * WORLDS, ACCOUNTS.count, KINDS), np.int64)
    post_contracts(money, (contracts["slot"] - FIRST[world]) % RING * WORLDS + world, contracts, TERMS, ACCOUNTS)
    assert (books.money_ujpy.reshape(money.shape) == money).all()
    assert not books.money_ujpy.sum(axis=2).any()


@given(contract_tables())
def test_energies_values_and_accruals_are_those_of_a_plain_count(contracts: Table) -> None:
    """Against one contract at a time."""
    books, accrued = entered(contracts)
    energy, value = count_flows(contracts, ACCOUNTS.is_retailer)
    for counted, column in ((energy, books.energy_wh), (value, books.value_ujpy)):
        expected = np.zeros_like(column)
        for (world, slot, party, flow), amount in counted.items():
            expected[(slot - FIRST[world]) % RING, world, party, flow] = amount
        assert (column == expected).all()
    money, traded = count_money(contracts, TERMS.fee)
    assert accrued.tolist() == [[money[world, party] for party in range(6)] for world in range(WORLDS)]
    for (world, slot, what), amount in traded.items():
        assert books.traded[(slot - FIRST[world]) % RING, world, int(what == "money")] == amount


@given(contract_tables())
def test_a_cleared_slot_leaves_the_others_alone(contracts: Table) -> None:
    """Only the place of the slot in the ring becomes empty; positions stay."""
    books, _ = entered(contracts)
    before, position = books.money_ujpy.copy(), books.position_wh.copy()
    books.clear(6)
    assert not any(column.any() for column in books.due(6))
    before[6 % RING] = 0
    assert (books.money_ujpy == before).all()
    assert (books.position_wh == position).all()


def test_a_difference_within_an_area_goes_to_the_exchange() -> None:
    """No line earns it: the surplus of a trade reduction is posted, not left with the collection agent."""
    contract = np.zeros(1, CONTRACT)
    contract[["slot", "seller", "buyer"]] = (100, 0, 1)
    contract[["energy", "sell_price", "buy_price"]] = (5, 10, 13)
    books, _ = entered(contract)
    surplus = books.money_ujpy[0, 0, :, PostingKind.TRADE_REDUCTION]
    assert (surplus[ACCOUNTS.row("exchange")], surplus[ACCOUNTS.row("collection")]) == (15, -15)
    assert not books.money_ujpy[0, 0, ACCOUNTS.row("collection")].sum()


def test_rent_that_cannot_be_split_evenly_goes_to_the_first_line() -> None:
    """Two lines share a rent of 5 as 3 and 2."""
    contract = np.zeros(1, CONTRACT)
    two_lines = next(row for row, path in enumerate(GRID.paths) if len(path) == 2)
    contract[["slot", "seller", "buyer"]] = (100, 0, 1)
    contract[["energy", "sell_price", "buy_price", "path"]] = (5, 10, 11, two_lines)
    books, _ = entered(contract)
    first, second = (abs(line) - 1 for line in GRID.paths[two_lines])
    rent = books.money_ujpy[0, 0, :, PostingKind.RENT]
    assert (rent[ACCOUNTS.line(first)], rent[ACCOUNTS.line(second)]) == (3, 2)
    assert rent[ACCOUNTS.row("collection")] == -5
