"""Referee for continuous trade: one market, one order at a time, in plain Python."""

from dataclasses import dataclass, field

from market.errors import Refusal
from market.grid import Grid, Limit
from market.orders import Kind, Side, TimeInForce
from market.tables import Table
from market.units import Int


@dataclass
class Live:
    """An order that waits in the book."""

    row: int
    side: int
    area: int
    price: int
    party: int
    reference: int
    left: int
    filled: int = 0


@dataclass
class Book:
    """One market: live orders by arrival, use of lines [forward, backward], and what happened.

    `bounds` are those of the grid's joint limits; `owner` says by party who owns it.
    """

    grid: Grid
    capacity: list[list[int]]
    use: list[list[int]]
    netting: bool
    bounds: list[int]
    owner: list[int]
    live: list[Live] = field(default_factory=list)
    rested: list[Live] = field(default_factory=list)
    fills: list[tuple[int, int, int, int]] = field(default_factory=list)
    codes: dict[int, int] = field(default_factory=dict)
    lapsed: dict[int, int] = field(default_factory=dict)
    withdrawn: int = 0

    def room(self, path: tuple[int, ...]) -> int:
        """Energy that fits on a path now."""
        rooms = [1 << 60]
        for step in path:
            line, way = abs(step) - 1, 0 if step > 0 else 1
            rooms.append(
                self.capacity[line][way] - self.use[line][way] + (self.use[line][1 - way] if self.netting else 0)
            )
        for limit, bound in zip(self.grid.limits, self.bounds, strict=True):
            takes = self.taken_of(limit, path)
            if takes > 0:
                rooms.append((bound - self.sum_of(limit)) // takes)
        return min(rooms)

    def sum_of(self, limit: Limit) -> int:
        """Use of a joint limit: what flows its way, less what flows against it where opposite flows net."""
        total = 0
        for sign, (forward, backward) in zip(limit.signs, self.use, strict=True):
            with_it, against = (forward, backward) if sign > 0 else (backward, forward)
            total += abs(sign) * (with_it - (against if self.netting else 0))
        return total

    def taken_of(self, limit: Limit, path: tuple[int, ...]) -> int:
        """What one Wh on a path adds to the use of a joint limit."""
        ways = [limit.signs[abs(step) - 1] * (1 if step > 0 else -1) for step in path]
        return sum(way for way in ways if way > 0 or self.netting)

    def way_between(self, source: int, target: int) -> int | None:
        """The first path with room, fewest lines first."""
        first, stop = self.grid.path_ranges[source, target]
        return next((p for p in range(first, stop) if self.room(self.grid.paths[p]) > 0), None)

    def way_to(self, order: Live, other: Live) -> int | None:
        """The path from the seller's to the buyer's area."""
        if order.side == Side.SELL:
            return self.way_between(order.area, other.area)
        return self.way_between(other.area, order.area)

    def best_for(self, order: Live) -> Live | None:
        """Best price first, then earliest, among what the order can reach; never an order of the same owner."""
        sign = 1 if order.side == Side.BUY else -1
        met = [
            other
            for other in self.live
            if other.side != order.side
            and self.owner[other.party] != self.owner[order.party]
            and sign * other.price <= sign * order.price
            and self.way_to(order, other) is not None
        ]
        return min(met, key=lambda other: sign * other.price, default=None)

    def match(self, order: Live) -> None:
        """Trade with the best reachable order until nothing is left or reachable."""
        while order.left and (other := self.best_for(order)):
            path = self.way_to(order, other)
            assert path is not None
            steps = self.grid.paths[path]
            energy = min(order.left, other.left, self.room(steps))
            for step in steps:
                self.use[abs(step) - 1][0 if step > 0 else 1] += energy
            order.left -= energy
            other.left -= energy
            order.filled += energy
            other.filled += energy
            self.fills.append((other.row, order.row, energy, path))
            self.live = [waiting for waiting in self.live if waiting.left]

    def arrive(self, number: int, row: Table) -> None:
        """Let one row arrive."""
        order = Live(number, *(int(row[name]) for name in ("side", "area", "price", "party", "reference", "energy")))
        same = [o for o in self.live if (o.party, o.reference) == (order.party, order.reference)]
        self.codes[number] = Refusal.ADMITTED
        if row["kind"] == Kind.NEW and same:
            self.codes[number] = Refusal.DUPLICATE_REFERENCE
            return
        named = [o for o in self.rested if (o.party, o.reference) == (order.party, order.reference)]
        if row["kind"] == Kind.REPLACE and named:
            less = min(named[-1].filled, order.left)
            order.left -= less
            self.withdrawn += less
        if row["kind"] in (Kind.CANCEL, Kind.REPLACE) and same:
            self.withdrawn += same[0].left
            self.live.remove(same[0])
        if row["kind"] == Kind.CANCEL:
            self.codes[number] = Refusal.ADMITTED if same else Refusal.NOTHING_TO_CANCEL
            return
        self.match(order)
        if order.left and row["time_in_force"] == TimeInForce.IMMEDIATE:
            self.lapsed[number] = order.left
        elif order.left:
            self.live.append(order)
            self.rested.append(order)


def trade_one_market(
    grid: Grid,
    resting: Table,
    orders: Table,
    capacity_wh: Int,
    use_wh: Int,
    netting: bool,
    limit_wh: Int | None = None,
    owner: Int | None = None,
) -> Book:
    """The book of one market after all `orders`; rows count from 0 over resting, then orders.

    `limit_wh` (limits,) stands in for the grid's own bounds; everybody owns itself without `owner` (parties,).
    """
    bounds = [limit.most_wh for limit in grid.limits] if limit_wh is None else limit_wh.tolist()
    parties = max([int(table["party"].max(initial=0)) for table in (resting, orders)]) + 1
    owners = list(range(parties)) if owner is None else owner.tolist()
    book = Book(grid, capacity_wh.tolist(), use_wh.tolist(), netting, bounds, owners)
    names = ("side", "area", "price", "party", "reference", "energy")
    for number in sorted(range(len(resting)), key=lambda n: int(resting[n]["sequence"])):
        book.live.append(Live(number, *(int(resting[number][name]) for name in names)))
    book.rested = list(book.live)
    for number in sorted(range(len(orders)), key=lambda n: int(orders[n]["sequence"])):
        book.arrive(len(resting) + number, orders[number])
    return book
