"""Continuous trade against a plain Python book of heaps: the same events, rules and contracts on both sides.

The reference is what one would write without this engine: for each market, area and side a heap of (price, arrival),
orders found by name in a dict, cancelled ones left in the heap until they surface. It gets its events as tuples of
Python integers and its paths as tuples; turning the table into them is not counted, nor is collecting garbage. Ours
starts from the order table and ends with the contract table, the live orders, a code for each row and the use of lines.
"""

from collections.abc import Sequence
from functools import partial
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from experiments.bench_auctions import AREAS, capacities, japan
from experiments.bench_rows import BenchRow, alternate
from market.design import find_design
from market.exchange import Outcome, trade
from market.grid import Grid
from market.orders import ORDER, Kind, Side, TimeInForce, no_orders
from market.tables import Table
from market.units import Int

DGP = find_design("dgp")
ONE_AREA = Grid((AREAS[2],))
EVENTS, DAYS_SLOTS = 200_000, 96
YEAR_SLOTS, YEAR_EVENTS = 17_520, 350_400
PARTIES, OWNED = 2_000, 2
"""Parties of a flow, and how many in a row have one owner, who never trades with itself."""
KINDS, SHARES = (Kind.NEW, Kind.CANCEL, Kind.REPLACE), (0.7, 0.2, 0.1)
IMMEDIATE_SHARE = 0.1
BACK = 30
"""A cancel or replace names an order of the same market about so many events back, on average."""
PRICES_MJPY_KWH, MOST_WH = (10_000, 14_000), 20_000
LINE_SHARE = 2_000
"""Capacities of the bench's lines are those of Japan divided by this: so that some fill up."""
ROUNDS = 3
TARGET = 10.0

Event = tuple[int, int, int, int, int, int, int, int, int]
"""Market, kind, side, area, price, energy, party, reference, immediate (0 or 1)."""
Deal = tuple[int, int, int, int, int, int, int, int]
"""Market, seller, buyer, the seller's reference, the buyer's, energy [Wh], price [mJPY/kWh], path."""
CONTRACT_OF_DEAL = ["market", "seller", "buyer", "sell_reference", "buy_reference", "energy", "buy_price", "path"]


class Flow(NamedTuple):
    """Events of one call: the order table, where it is traded, and who owns each party."""

    grid: Grid
    orders: Table
    capacity_wh: Int
    owner: Int


def random_flow(grid: Grid, markets: int, events: int, seed: int) -> Flow:
    """New orders around one price, cancels and replaces of recent ones, a tenth immediate, in random markets."""
    dice = np.random.default_rng(seed)
    table = np.zeros(events, ORDER)
    table["market"] = table["slot"] = dice.integers(0, markets, events)
    table["kind"] = dice.choice([int(kind) for kind in KINDS], events, p=SHARES)
    table["side"] = dice.integers(Side.BUY, Side.SELL + 1, events)
    table["area"] = dice.integers(0, len(grid.areas), events)
    table["price"] = dice.integers(*PRICES_MJPY_KWH, events) // 10 * 10
    table["energy"] = dice.integers(1, MOST_WH, events)
    immediate = dice.random(events) < IMMEDIATE_SHARE
    table["time_in_force"] = np.where(immediate, int(TimeInForce.IMMEDIATE), int(TimeInForce.UNTIL_GATE))
    table["party"] = dice.integers(0, PARTIES, events)
    table["reference"] = table["sequence"] = np.arange(events)
    _name_earlier(table, dice.geometric(1 / BACK, events))
    table["energy"][table["kind"] == Kind.CANCEL] = 0
    room = capacities(markets) // LINE_SHARE if grid.lines else np.zeros((markets, 0, 2), np.int64)
    return Flow(grid, table, room, np.arange(PARTIES) // OWNED)


def _name_earlier(table: Table, back: Int) -> None:
    """Let each cancel and replace name the order so many events of its market back; a new one where there is none."""
    rows = np.argsort(table["market"], kind="stable")
    first = np.searchsorted(table["market"][rows], table["market"][rows])
    for at in np.flatnonzero(table["kind"][rows] != Kind.NEW):
        named, row = at - back[at], rows[at]
        if named < first[at]:
            table["kind"][row] = Kind.NEW
        else:
            for column in ("party", "reference", "side", "area"):
                table[column][row] = table[column][rows[named]]


def events_of(orders: Table) -> list[Event]:
    """Rows of an order table, in order of arrival, as the heap book takes them."""
    rows = orders[np.argsort(orders["sequence"], kind="stable")]
    columns = [rows[name].tolist() for name in ("market", "kind", "side", "area", "price", "energy", "party")]
    immediate = (rows["time_in_force"] == TimeInForce.IMMEDIATE).astype(np.int64).tolist()
    return list(zip(*columns, rows["reference"].tolist(), immediate, strict=True))


class Waiting:
    """An order of the heap book: what is left of it, and what it filled."""

    __slots__ = ("filled", "left", "owner", "party", "reference")

    def __init__(self, party: int, reference: int, owner: int) -> None:
        self.party, self.reference, self.owner = party, reference, owner
        self.left = self.filled = 0


Heap = list[tuple[int, int, Waiting]]
Way = tuple[int, tuple[tuple[int, int], ...]]
"""Number of a path, and its lines with the direction taken (0 forward, 1 backward)."""
NO_WAY: Way = (0, ())
UNBOUNDED = 1 << 60
BUY, CANCEL, REPLACE = int(Side.BUY), int(Kind.CANCEL), int(Kind.REPLACE)


class HeapBook:
    """One market with `netting`: heaps of (price, arrival, order) by area, best first; buys count from below zero."""

    def __init__(self, market: int, ways: list[list[list[Way]]], room: list[list[int]]) -> None:
        self.market, self.ways, self.room = market, ways, room
        self.buys: list[Heap] = [[] for _ in ways]
        self.sells: list[Heap] = [[] for _ in ways]
        self.named: dict[tuple[int, int], Waiting] = {}

    def arrive(self, number: int, event: Event, owner: int, deals: list[Deal]) -> None:
        """Let one event arrive: cancel, replace or enter, trade, and rest with what is left."""
        _, kind, side, area, price, energy, party, reference, immediate = event
        name = (party, reference)
        old = self.named.get(name)
        if kind == CANCEL:
            if old is not None:
                old.left = 0
            return
        if old is not None:
            if kind == REPLACE:
                energy -= min(old.filled, energy)
                old.left = 0
            elif old.left > 0:
                return
        order = Waiting(party, reference, owner)
        left = self.trade(order, side, area, price, energy, deals)
        if left > 0 and not immediate:
            order.left, order.filled = left, energy - left
            self.named[name] = order
            mine = self.buys if side == BUY else self.sells
            heappush(mine[area], (-price if side == BUY else price, number, order))

    def trade(self, order: Waiting, side: int, area: int, price: int, energy: int, deals: list[Deal]) -> int:
        """Meet the best order in reach, again and again; returns the energy left."""
        others, limit = (self.sells, price) if side == BUY else (self.buys, -price)
        while energy > 0:
            best = None
            for there, heap in enumerate(others):
                if not heap or heap[0][0] > limit:
                    continue
                head = self.first_of(heap, limit, order.owner)
                if head is None or (best is not None and head > best):
                    continue
                path, most = NO_WAY, UNBOUNDED
                if there != area:
                    path, most = self.path_between(*((there, area) if side == BUY else (area, there)))
                if most > 0:
                    best, best_path, best_room = head, path, most
            if best is None:
                break
            other = best[2]
            part = min(energy, other.left, best_room)
            if best_path is not NO_WAY:
                self.take(best_path, part)
            energy -= part
            other.left -= part
            other.filled += part
            seller, buyer = (other, order) if side == BUY else (order, other)
            paid = best[0] if side == BUY else -best[0]
            names = (seller.party, buyer.party, seller.reference, buyer.reference)
            deals.append((self.market, *names, part, paid, best_path[0]))
        return energy

    def first_of(self, heap: Heap, limit: int, owner: int) -> tuple[int, int, Waiting] | None:
        """The best live order of a heap within the limit that another owns; dead ones are dropped on the way."""
        passed: Heap = []
        found = None
        while heap and heap[0][0] <= limit:
            head = heap[0]
            if head[2].left == 0:
                heappop(heap)
            elif head[2].owner == owner:
                passed.append(heappop(heap))
            else:
                found = head
                break
        for own in passed:
            heappush(heap, own)
        return found

    def path_between(self, source: int, target: int) -> tuple[Way, int]:
        """The first path with room on every line, and the room."""
        room = self.room
        for way in self.ways[source][target]:
            most = min([room[line][to] for line, to in way[1]])
            if most > 0:
                return way, most
        return NO_WAY, 0

    def take(self, way: Way, energy: int) -> None:
        """Use room on a path; the other direction gains it."""
        for line, to in way[1]:
            self.room[line][to] -= energy
            self.room[line][1 - to] += energy


def ways_of(grid: Grid) -> list[list[list[Way]]]:
    """Paths from each area to each other, in the order in which they are tried."""
    steps = [tuple((abs(step) - 1, int(step < 0)) for step in path) for path in grid.paths]
    return [[[(row, steps[row]) for row in range(*pair)] for pair in line] for line in grid.path_ranges.tolist()]


def trade_in_heaps(flow: Flow, events: Sequence[Event]) -> list[Deal]:
    """All deals of the heap books, in the order in which they form; `events` are the flow's own (`events_of`)."""
    ways, room, owner = ways_of(flow.grid), flow.capacity_wh.tolist(), flow.owner.tolist()
    books: dict[int, HeapBook] = {}
    deals: list[Deal] = []
    for number, event in enumerate(events):
        market = event[0]
        book = books.get(market)
        if book is None:
            book = books[market] = HeapBook(market, ways, room[market])
        book.arrive(number, event, owner[event[6]], deals)
    return deals


def trade_flow(flow: Flow) -> Outcome:
    """The same events through the one engine."""
    use, now = np.zeros_like(flow.capacity_wh), np.zeros(1, np.int64)
    return trade(DGP, flow.grid, no_orders(), flow.orders, flow.capacity_wh, use, now, owner=flow.owner)


def same_deals(outcome: Outcome, deals: Sequence[Deal]) -> bool:
    """Whether the contracts are the deals, market by market and in the order in which they formed."""
    by_market = sorted(deals, key=lambda deal: deal[0])
    return bool(outcome.contracts[CONTRACT_OF_DEAL].tolist() == by_market)


def bench_continuous(seed: int) -> list[BenchRow]:
    """Two days of slots in nine areas, one hot book, and a year of open slots in nine areas."""
    flows = (
        (f"{DAYS_SLOTS} slots x 9 areas", japan(), DAYS_SLOTS, EVENTS),
        ("one hot book", ONE_AREA, 1, EVENTS),
        (f"{YEAR_SLOTS:,} slots x 9 areas", japan(), YEAR_SLOTS, YEAR_EVENTS),
    )
    rows = []
    for where, grid, markets, events in flows:
        flow = random_flow(grid, markets, events, seed)
        theirs = partial(trade_in_heaps, flow, events_of(flow.orders))
        ours_s, theirs_s, outcome, deals = alternate(partial(trade_flow, flow), theirs, ROUNDS)
        what = f"continuous, {len(flow.orders):,} events, {where}, {len(deals):,} contracts"
        rows.append(BenchRow(what, "Python heaps and dicts", ours_s, theirs_s, TARGET, same_deals(outcome, deals)))
    return rows
