"""Trade up to a year ahead: blocks for what is needed all the time, half-hour orders near the gate for the rest.

Every midnight, of the days that are open as a whole (paper 1.4: contracts for any slot of the coming year):

- who consumes buys *base*, the least expected need of a day, in blocks of seven days once a week and of one day in the
  last week, and *peak*, 08 to 20 h, what these hours need at least beyond base, in the last week; together at most
  `share` of the expected need, less what is contracted. A block names as limit the price expected for its half hours;
- a thermal unit offers `share` of its output in every half hour from the day after tomorrow on, at what it expects less
  DISCOUNT and not below cost; such offers rest, and blocks take them. What it has not offered so it asks for tomorrow
  in one block at cost: it runs through or not (paper 1.3, a bundle of short contracts is a long one for a generator
  that runs continuously);
- who consumes bids the expected price for what the forecast of two days still needs.

In the last GATE_SLOTS open slots all orders are truthful. *Expected price* of a half hour of the day: its mean outside
price over the last SEASON_DAYS days known, and the usual traded price within that band: nobody knows more.
*Expected need*: the mean of the next two days' forecasts. With a share of zero there are no blocks and no far offers;
in designs that are not continuous all orders are truthful.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from agents.devices import within
from agents.observing import DAY, View
from agents.policies import Stream
from agents.quoting import THERMAL, TRUTHFUL, Quote, floor_price, quote
from agents.strategies import Memory, Strategy
from market.blocks import BLOCK, Blocks, join_blocks
from market.design import MarketDesign
from market.errors import ConfigError
from market.orders import Side
from market.units import PPM, Int

SHARE = 0.8
"""Share of the expected need bought ahead, if none is given (assumption)."""
SEASON_DAYS = 28
"""Days whose prices stand for the season: four weeks (assumption)."""
GATE_SLOTS = 4
"""Open slots before the gate in which orders are truthful: the scenario's usual horizon."""
NEAR_SLOTS = 2 * DAY
"""Slots of half-hour bids: as far as the forecast of loads reaches."""
DISCOUNT_PPM = 50_000
"""What a unit gives off the expected price to be sold early: 5 % (assumption)."""
LEAST_FILL_PPM = 100_000
"""A unit's block for tomorrow may be filled down to a tenth (assumption)."""
FIRST_DAY, WEEK = 2, 7
"""Blocks are bought from the day after tomorrow on; from the seventh day on by the week."""
PEAK = slice(16, 40)
"""Half hours of peak load: 08 to 20 h (JEPX forward market, daytime product)."""


@dataclass
class Season:
    """Prices of the days seen: outside (w, areas or r, SEASON_DAYS, 48) [mJPY/kWh], `seen` days in all."""

    outside: Int
    seen: int = 0

    def note(self, today: Int) -> None:
        """Take in the published prices of the day that begins (w, areas or r, 48)."""
        self.outside[:, :, self.seen % SEASON_DAYS] = today
        self.seen += 1

    def expected(self, view: View) -> Int:
        """Expected traded price of each half hour of the day (w, areas or r, 48) [mJPY/kWh], rounded down."""
        outside = self.outside[:, :, : min(self.seen, SEASON_DAYS)].sum(2) // min(self.seen, SEASON_DAYS)
        low, high = view.terms.feed_in_price(outside), view.terms.consumption_value(outside)
        return np.asarray(low + np.maximum(high - low, 0) * view.traded_ppm // PPM)


@dataclass(frozen=True)
class YearAhead(Strategy):
    """Buys `share_ppm` of the expected need ahead, or offers that part of a unit's output."""

    share_ppm: int = round(SHARE * PPM)
    name: str = field(default="year-ahead")

    def begin(self, view: View, stream: Stream) -> Memory:
        """A season without days."""
        return Season(np.zeros((*view.outside.shape[:2], SEASON_DAYS, DAY), np.int64))

    def quote(self, view: View, stream: Stream, design: MarketDesign, memory: Memory) -> Quote:
        """Truthful orders at the gate; at midnight also what is traded ahead."""
        action = np.broadcast_to(np.array(TRUTHFUL, np.float32), (*view.stored_wh.shape, len(TRUTHFUL)))
        # elsewhere nothing rests until a block takes it
        can_rest = design.pairs == "continuous" and not design.rule
        midnight = can_rest and view.slot_of_day == 0 and view.slots_per_day == DAY
        made = quote(_near(view, NEAR_SLOTS if midnight else GATE_SLOTS), action, design)
        speaks = np.full(view.stored_wh.shape[1], made.wanted_wh.shape[-1])
        if not midnight:
            return replace(made, speaks=speaks)
        memory.note(view.outside[..., :DAY])
        expected = np.broadcast_to(memory.expected(view), (*view.stored_wh.shape, DAY))
        if view.role == THERMAL:
            return self._sell(view, made, expected, design)
        wanted, price = made.wanted_wh.copy(), made.price.copy()
        # beyond the gate nobody offers a surplus that is only forecast
        ahead = slice(GATE_SLOTS, None)
        wanted[..., ahead] = np.maximum(wanted[..., ahead], 0)
        bids = _whole_ticks(expected[..., _half_hours(view, wanted.shape[-1])], design)
        price[..., ahead] = bids[..., ahead]
        blocks = self._buy(view, expected, memory.seen % WEEK == 1, design) if self.share_ppm else None
        return replace(made, wanted_wh=wanted, price=price, blocks=blocks, speaks=speaks)

    def _buy(self, view: View, expected: Int, week_begins: bool, design: MarketDesign) -> Blocks:
        """Base and peak blocks of the parties whose need is not covered yet; by the week where one begins."""
        days = _whole_days(view)
        held = _by_day(view.position_wh, view, days)
        need = np.maximum(view.net_wh[..., : 2 * DAY].reshape(*view.stored_wh.shape, 2, DAY).sum(2) // 2, 0)
        base = need.min(-1) * self.share_ppm // PPM
        peak = np.maximum(need[..., PEAK].min(-1) * self.share_ppm // PPM - base, 0)
        lot = design.lot_wh
        base_gap = np.maximum(base[..., None] - held.min(-1), 0) // lot * lot
        peak_gap = np.maximum((base + peak)[..., None] - held[..., PEAK].min(-1), 0) // lot * lot
        peak_gap = np.where(base_gap > 0, 0, peak_gap)
        near = slice(FIRST_DAY - 1, WEEK - 1)
        limit = _whole_ticks(expected.sum(-1) // DAY, design)
        high = _whole_ticks(expected[..., PEAK].sum(-1) // (PEAK.stop - PEAK.start), design)
        of_days = _blocks_of(Side.BUY, base_gap[..., near], limit, _start(view, FIRST_DAY), DAY, DAY)
        start = _start(view, FIRST_DAY) + PEAK.start
        of_peaks = _blocks_of(Side.BUY, peak_gap[..., near], high, start, DAY, PEAK.stop - PEAK.start)
        found = join_blocks(of_days, of_peaks)
        weeks = (days - WEEK + 1) // WEEK
        if not week_begins or weeks < 1:
            return found
        gaps = base_gap[..., WEEK - 1 : WEEK - 1 + weeks * WEEK].reshape(*base.shape, weeks, WEEK).min(-1)
        return join_blocks(found, _blocks_of(Side.BUY, gaps, limit, _start(view, WEEK), WEEK * DAY, WEEK * DAY))

    def _sell(self, view: View, made: Quote, expected: Int, design: MarketDesign) -> Quote:
        """Far half-hour offers of a part of each unit, and a block for tomorrow of the rest."""
        slots, share = (
            view.position_wh.shape[-1],
            view.thermal_wh * self.share_ppm // PPM // design.lot_wh * design.lot_wh,
        )
        wanted, price = (np.zeros((*view.stored_wh.shape, slots), np.int64) for _ in range(2))
        gate = slice(min(GATE_SLOTS, slots))
        wanted[..., gate], price[..., gate] = made.wanted_wh[..., gate], made.price[..., gate]
        speaks = np.full(view.stored_wh.shape[1], GATE_SLOTS)
        if not self.share_ppm:
            return Quote(wanted[..., gate], price[..., gate], made.plan_wh, speaks=speaks)
        far = slice(_start(view, FIRST_DAY), None)
        free = np.where(view.live[..., 1], 0, np.maximum(share[:, None] + np.minimum(view.position_wh, 0), 0))
        wanted[..., far] = -free[..., far]
        asks = np.maximum(expected * (PPM - DISCOUNT_PPM) // PPM, view.cost[:, None])
        price[..., far] = _whole_ticks(asks[..., _half_hours(view, slots)], design, up=True)[..., far]
        rest = np.zeros((*view.stored_wh.shape, 1), np.int64)
        if _whole_days(view):
            sold = -_by_day(view.position_wh, view, 1).min(-1)
            rest = np.maximum(view.thermal_wh[:, None] - np.maximum(sold, share[:, None]), 0)
            rest = rest // design.lot_wh * design.lot_wh
        cost = np.broadcast_to(_whole_ticks(floor_price(view, expected).max(-1), design, up=True), rest.shape[:-1])
        blocks = _blocks_of(Side.SELL, rest, cost, _start(view, 1), DAY, DAY, LEAST_FILL_PPM)
        return Quote(wanted, price, made.plan_wh, blocks=blocks, speaks=speaks)


def _near(view: View, slots: int) -> View:
    """The view as if only the first open slots were open."""
    part = slice(min(slots, view.position_wh.shape[-1]))
    return replace(
        view,
        position_wh=view.position_wh[..., part],
        best_bid=view.best_bid[..., part],
        best_ask=view.best_ask[..., part],
        live=view.live[:, :, part],
    )


def _start(view: View, day: int) -> int:
    """Open slot in which a day begins, counted from the first open one; today is day 0."""
    return day * DAY - view.open_first


def _whole_days(view: View) -> int:
    """Days after today that are open as a whole."""
    return int(max(view.position_wh.shape[-1] + view.open_first, DAY)) // DAY - 1


def _by_day(column: Int, view: View, days: int) -> Int:
    """Open slots of whole days (w, r, days, 48), from tomorrow on."""
    first = _start(view, 1)
    return column[..., first : first + days * DAY].reshape(*column.shape[:-1], days, DAY)


def _half_hours(view: View, slots: int) -> Int:
    """Half hour of the day of each open slot (slots,)."""
    return np.asarray((view.slot_of_day + view.open_first + np.arange(slots)) % DAY)


def _whole_ticks(price: Int, design: MarketDesign, up: bool = False) -> Int:
    """Prices in the band, bids down and asks up to the tick."""
    tick = design.tick_mjpy_kwh
    return within(-(-price // tick) * tick if up else price // tick * tick, *design.band_mjpy_kwh)


def _blocks_of(side: Side, energy: Int, price: Int, first: int, every: int, slots: int, least_ppm: int = PPM) -> Blocks:
    """Flat blocks where an energy (w, r, runs) [Wh] is above zero, of so many slots, one run `every` slots."""
    world, party, run = np.nonzero(energy)
    table = np.zeros(len(world), BLOCK)
    table["side"], table["world"], table["party"] = int(side), world, party
    table["slot"], table["slots"] = first + run * every, slots
    table["price"], table["min_fill_ppm"] = price[world, party], least_ppm
    return Blocks(table, np.repeat(energy[world, party, run][:, None], slots, 1))


def make_year_ahead(parameter: str) -> YearAhead:
    """`year-ahead` or `year-ahead:SHARE`, a part from 0 to 1; raises ConfigError."""
    if not parameter:
        return YearAhead()
    try:
        share = float(parameter)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ConfigError(f"share {parameter!r} is no number from 0 to 1", where="year-ahead", do="say year-ahead:0.8")
    return YearAhead(round(share * PPM), f"year-ahead:{parameter}")
