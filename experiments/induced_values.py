"""Markets of induced values: traders who are told what each unit is worth to them, in the one engine's continuous book.

Each *session* is a market of its own in one order table: buyers with a value and sellers with a cost for every unit,
best unit first. Offers come one at a time: at each step one trader of each session, drawn by chance, names a price for
its next unit, which replaces the quote it had. It meets the best resting quote at that quote's price, or rests.

- `zero-intelligence` (ZI-C, Gode and Sunder 1993, DOI 10.1086/261868): a price drawn uniformly among those that do not
  lose money on the unit.
- `zero-intelligence-unconstrained` (ZI-U, the same): a price drawn among all prices.
- `zip` (Cliff and Bruten 1997, HPL-97-91): a margin that moves with every offer (`agents.adaptive`).

*Efficiency* is the surplus realised over the largest possible, which serves the highest values from the lowest costs.
Values and costs are whole prices 1 .. 200 of the design's tick. World i of a batch equals session i alone.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from agents.adaptive import Adaptation, draw_adaptation, draw_steps, move_prices
from agents.draw import Purpose, below, between, draw
from market.design import find_design
from market.exchange import trade
from market.grid import Grid
from market.orders import ORDER, Kind, Side, TimeInForce, no_orders
from market.tables import Table, pick_rows
from market.units import Int

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Bidding = Literal["zero-intelligence", "zero-intelligence-unconstrained", "zip"]

DGP = find_design("dgp")
ONE_AREA = Grid(("floor",))
TOP = 200
"""Highest value, cost and price, in ticks; the lowest is 1 (Gode and Sunder's traders bid 1 .. 200)."""
UNIT_WH = 1_000
"""One unit is one kWh."""
SHIFT_TICKS = 5.0
"""Absolute part of ZIP's targets: up to 0.05 where prices are about 1 to 2, here 100 to 200 ticks (HPL-97-91)."""


@dataclass(frozen=True)
class Sessions:
    """Induced values of s sessions: values (s, buyers, units) falling, costs (s, sellers, units) rising [ticks]."""

    values: Int
    costs: Int

    @property
    def count(self) -> int:
        """Number of sessions."""
        return len(self.values)

    @property
    def units(self) -> int:
        """Units of each trader."""
        return int(self.values.shape[-1])

    @property
    def buyers(self) -> int:
        """Buyers of a session; they are its first traders."""
        return int(self.values.shape[1])

    @property
    def traders(self) -> int:
        """Traders of a session."""
        return self.buyers + int(self.costs.shape[1])

    def surplus(self, traded: Int) -> Int:
        """Value of the units bought less cost of the units sold (s,) [ticks]; `traded` (s, traders) units of each."""
        unit = np.arange(self.units)
        bought = unit < traded[:, : self.buyers, None]
        sold = unit < traded[:, self.buyers :, None]
        return np.asarray((self.values * bought).sum((1, 2)) - (self.costs * sold).sum((1, 2)))

    def largest_surplus(self) -> Int:
        """Surplus of the best allocation (s,) [ticks]: highest values meet lowest costs while they gain."""
        values, costs = self._merit_order()
        return np.asarray(np.maximum(values - costs, 0).sum(-1))

    def volume(self) -> Int:
        """Units of the best allocation (s,)."""
        values, costs = self._merit_order()
        return np.asarray((values > costs).sum(-1))

    def equilibrium_price(self) -> Floats:
        """Middle of the prices at which the marginal units balance (s,) [ticks]; NaN where nothing should trade."""
        values, costs = self._merit_order()
        volume = (values >= costs).sum(-1)
        rows, last = np.arange(self.count), np.maximum(volume - 1, 0)
        low = np.maximum(costs[rows, last], _next(values, volume, 0))
        high = np.minimum(values[rows, last], _next(costs, volume, TOP))
        return np.where(volume > 0, (low + high) / 2, np.nan)

    def _merit_order(self) -> tuple[Int, Int]:
        """As many values, highest first, and costs, lowest first, as can pair."""
        pairs = min(self.values[0].size, self.costs[0].size)
        values = -np.sort(-self.values.reshape(self.count, -1), -1)
        return values[:, :pairs], np.sort(self.costs.reshape(self.count, -1), -1)[:, :pairs]


def _next(ordered: Int, volume: Int, otherwise: int) -> Int:
    """The first element beyond `volume` of each row, `otherwise` where there is none."""
    padded = np.concatenate([ordered, np.full((len(ordered), 1), otherwise)], -1)
    return np.asarray(padded[np.arange(len(ordered)), volume])


def draw_sessions(seed: int, count: int, buyers: int, sellers: int, units: int) -> Sessions:
    """Values and costs uniform over 1 .. 200, drawn anew for each session."""
    trader, unit = np.arange(buyers + sellers)[:, None], np.arange(units)
    bits = draw(seed, np.arange(count)[:, None, None], trader, unit, Purpose.INDUCED_VALUE)
    worth = between(bits, 1, TOP)
    return Sessions(-np.sort(-worth[:, :buyers], -1), np.sort(worth[:, buyers:], -1))


@dataclass(frozen=True)
class Played:
    """What the sessions came to: s sessions, p periods.

    traded (s, p, traders) units; deals: price [ticks], session, period and step of every contract, in order.
    """

    sessions: Sessions
    traded: Int
    price: Int
    session: Int
    period: Int
    step: Int

    @property
    def realised(self) -> Int:
        """Surplus of each session and period (s, p) [ticks]."""
        return np.stack([self.sessions.surplus(self.traded[:, p]) for p in range(self.traded.shape[1])], -1)

    @property
    def efficiency(self) -> Floats:
        """Realised over possible surplus (s, p), NaN where nothing is possible."""
        possible = self.sessions.largest_surplus()[:, None]
        return np.where(possible > 0, self.realised / np.maximum(possible, 1), np.nan)

    @property
    def total_efficiency(self) -> float:
        """Surplus of all sessions together over what was possible: a mean of ratios has tiny denominators."""
        periods = self.traded.shape[1]
        return float(self.realised.sum() / (periods * self.sessions.largest_surplus().sum()))

    def alpha(self) -> Floats:
        """Smith's alpha (s, p): root mean square distance of prices from equilibrium, part of it; NaN without trade.

        Smith 1962 (DOI 10.1086/258609).
        """
        aim = self.sessions.equilibrium_price()
        shape = self.traded.shape[:2]
        cell = self.session * shape[1] + self.period
        count = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
        square = np.bincount(cell, (self.price - aim[self.session]) ** 2, shape[0] * shape[1]).reshape(shape)
        return np.where(count > 0, np.sqrt(square / np.maximum(count, 1)) / aim[:, None], np.nan)


@dataclass
class Floor:
    """The trading floor while it is open: live quotes, units traded, ZIP's prices."""

    sessions: Sessions
    bidding: Bidding
    seed: int
    resting: Table = field(default_factory=no_orders)
    traded: Int = field(init=False)
    adaptation: Adaptation | None = None
    margin: Floats | None = None

    def __post_init__(self) -> None:
        """Nobody has traded; ZIP's traders draw how they learn and where they start."""
        shape = (self.sessions.count, self.sessions.traders)
        self.traded = np.zeros(shape, np.int64)
        if self.bidding == "zip":
            self.adaptation = draw_adaptation(self.seed, np.arange(shape[0]), np.arange(shape[1]))
            sign = np.where(np.arange(shape[1]) < self.sessions.buyers, -1, 1)
            self.margin = sign * self.adaptation.first_margin

    def limits(self) -> Int:
        """Value or cost of each trader's next unit (s, traders) [ticks]; of its last one when it has none left."""
        unit = np.minimum(self.traded, self.sessions.units - 1)[..., None]
        worth = np.concatenate([self.sessions.values, self.sessions.costs], 1)
        return np.take_along_axis(worth, unit, -1)[..., 0]

    def active(self) -> Mask:
        """Who has units left (s, traders)."""
        return np.asarray(self.traded < self.sessions.units)

    def named(self, limit: Int) -> Int:
        """Whole price at which each ZIP trader would offer its next unit (s, traders) [ticks]."""
        assert self.margin is not None
        buyer = np.arange(self.sessions.traders) < self.sessions.buyers
        price = np.rint(limit * (1 + self.margin)).astype(np.int64)
        return np.minimum(np.maximum(price, np.where(buyer, 1, limit)), np.where(buyer, limit, TOP))

    def offers(self, who: Int, limit: Int, step: int) -> Int:
        """Price (s,) that the drawn trader of each session names [ticks]."""
        rows = np.arange(self.sessions.count)
        worth, buys = limit[rows, who], who < self.sessions.buyers
        if self.margin is not None:
            return self.named(limit)[rows, who]
        low, high = np.ones_like(worth), np.full_like(worth, TOP)
        if self.bidding == "zero-intelligence":
            low, high = np.where(buys, 1, worth), np.where(buys, worth, TOP)
        share = draw(self.seed, rows, who, step, Purpose.INDUCED_OFFER) >> np.uint64(33)
        return low + (share.astype(np.int64) * (high - low + 1) >> 31)


def play(
    sessions: Sessions,
    bidding: Bidding,
    seed: int,
    *,
    offers: int = 50,
    wipe: bool = False,
    periods: int = 1,
) -> Played:
    """Play sessions to their end.

    Args:
        sessions: what units are worth.
        bidding: how every trader bids.
        seed: key of session 0; session i has key seed + i.
        offers: steps per period for each unit of each trader.
        wipe: take all quotes of a session off the book after a trade there, else they stay.
        periods: times that everybody gets its units anew; ZIP keeps its margins, the book starts empty.
    """
    floor = Floor(sessions, bidding, seed)
    steps = sessions.traders * sessions.units * offers
    traded, deals = [], []
    for period in range(periods):
        floor.traded[:], floor.resting = 0, no_orders()
        for step in range(period * steps, (period + 1) * steps):
            contracts = _take_step(floor, step, wipe)
            if len(contracts):
                price = contracts["buy_price"].astype(np.int64) // DGP.tick_mjpy_kwh
                number = np.full(len(price), step)
                deals.append(np.stack([price, contracts["market"].astype(np.int64), number * 0 + period, number]))
        traded.append(floor.traded.copy())
    columns = np.concatenate(deals, 1) if deals else np.zeros((4, 0), np.int64)
    return Played(sessions, np.stack(traded, 1), *columns)


def _take_step(floor: Floor, step: int, wipe: bool) -> Table:
    """One offer in every session whose drawn trader has a unit left; returns the contracts."""
    sessions, rows = floor.sessions, np.arange(floor.sessions.count)
    who = below(draw(floor.seed, rows, 0, step, Purpose.INDUCED_TURN), sessions.traders)
    active, limit = floor.active(), floor.limits()
    price = floor.offers(who, limit, step)
    speaks = np.flatnonzero(active[rows, who])
    orders = _write_offers(who[speaks], price[speaks], speaks, sessions.buyers, step)
    no_lines = np.zeros((sessions.count, 0, 2), np.int64)
    outcome = trade(DGP, ONE_AREA, floor.resting, orders, no_lines, no_lines, rows * 0 + step)
    floor.resting, made = outcome.resting, outcome.contracts
    for column in ("buyer", "seller"):
        np.add.at(floor.traded, (made["market"], made[column]), 1)
    if wipe and len(made):
        floor.resting = pick_rows(floor.resting, ~np.isin(floor.resting["market"], made["market"]))
    if floor.margin is not None:
        _learn(floor, step, who, price, speaks, made, limit, active)
    return made


def _write_offers(who: Int, price: Int, session: Int, buyers: int, step: int) -> Table:
    """Order rows: one unit each, in place of the quote the trader had."""
    orders = np.zeros(len(who), ORDER)
    orders["side"] = np.where(who < buyers, int(Side.BUY), int(Side.SELL))
    orders["kind"], orders["time_in_force"] = Kind.REPLACE, TimeInForce.UNTIL_GATE
    orders["energy"], orders["price"] = UNIT_WH, price * DGP.tick_mjpy_kwh
    orders["world"] = orders["market"] = session
    orders["party"], orders["sequence"] = who, step
    return orders


def _learn(floor: Floor, step: int, who: Int, price: Int, speaks: Int, made: Table, limit: Int, active: Mask) -> None:
    """Every ZIP trader moves by the last offer of its session: what it was, and whether it was taken."""
    assert floor.margin is not None
    assert floor.adaptation is not None
    count = floor.sessions.count
    spoken, taken, seen = np.zeros(count, np.bool_), np.zeros(count, np.bool_), price.copy()
    spoken[speaks] = True
    taken[made["market"]] = True
    seen[made["market"]] = made["buy_price"] // DGP.tick_mjpy_kwh
    is_bid, buyer = who < floor.sessions.buyers, np.arange(floor.sessions.traders) < floor.sessions.buyers
    own, q = floor.named(limit), seen[:, None]
    # a trader whose quote would have been met, or better, at this price asks for more; one that still has units and
    # would have been passed over gives way: to any rival's offer, and to an offer of the other side that was taken
    better = np.where(buyer, own >= q, own <= q)
    worse = np.where(buyer, own <= q, own >= q)
    rival = buyer == is_bid[:, None]
    greedier = spoken[:, None] & taken[:, None] & better
    humbler = spoken[:, None] & active & worse & ~greedier & np.where(taken[:, None], ~rival, rival)
    dice = draw_steps(floor.seed, np.arange(count), np.arange(floor.sessions.traders), step)
    upward = np.where(buyer, humbler, greedier)
    downward = np.where(buyer, greedier, humbler)
    price_now, target = limit * (1 + floor.margin), q.astype(np.float64)
    moved = move_prices(price_now, target, upward, downward, floor.adaptation, dice, SHIFT_TICKS)
    margin = moved / limit - 1
    floor.margin = np.where(buyer, np.clip(margin, -1, 0), np.maximum(margin, 0))
