"""The rolling optimiser: each step it plans the battery over the next days and bids what the plan is worth.

- *Prices of the plan*: what is missing is bought at the tariff, what is left over is sold at feed-in. Where a market is
  open later than the gate slot, a sale is expected at the usual traded price, or at the best bid where that is higher,
  and a purchase at the best ask where that is cheaper. In the gate slot only contracts that exist already count, for
  what is not sold there falls to the retailer; in an auction of the gate slot alone it is the only chance and counts.
- *Orders*: target = forecast net energy + plan, order = target less position. The limit of a purchase starts at the
  tariff less what a contract bears, that of a sale at what the energy is worth kept (`worth_keeping`) and not below
  feed-in; `share` of the band away from there, as a fixed mark-up is.
- The end of the horizon values stored energy at the middle of the mean band, as an episode does (decision 015).

The battery may charge from the grid where the plan says so. Thermal units bid their cost with the same mark-up. A DGC
is not told its contracts of slots that its design has closed to trade before the gate, so after a day-ahead auction it
plans as if it had none.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from agents.battery_plan import BatteryPlan, Outlook, best_plan, worth_keeping
from agents.devices import within
from agents.observing import NO_QUOTE, View, stored_at_gate
from agents.policies import Stream, mark_up
from agents.quoting import ACTIONS, THERMAL, Quote, quote
from agents.strategies import Memory, Strategy
from market.design import MarketDesign
from market.errors import ConfigError
from market.units import PPM, Int

HOURS = 47.0
"""Default horizon: as far as forecasts reach."""
SHARE = 0.9
"""Default share of the band, near the best fixed mark-up of homes in `dgp` (README)."""


@dataclass(frozen=True)
class Optimising(Strategy):
    """Plans `hours` ahead at every step; limits are `share` of the band away from the value of the plan."""

    hours: float = HOURS
    share: float = SHARE
    name: str = field(default="optimising", compare=False)
    is_named: ClassVar[bool] = True

    @property
    def slots_ahead(self) -> int:
        """The horizon of the plan."""
        return round(self.hours * 2)

    def quote(self, view: View, stream: Stream, design: MarketDesign, memory: Memory) -> Quote:
        """Orders of the open slots by the plan, and the plan of the gate slot."""
        if view.role == THERMAL:
            action = np.array(mark_up(self.share).action, np.float32)
            return quote(view, np.broadcast_to(action, (*view.stored_wh.shape, ACTIONS)), design)
        ahead = look_ahead(view, design, self.slots_ahead, round(self.share * PPM))
        plan = best_plan(view.battery, stored_at_gate(view), ahead)
        target = ahead.net_wh + plan.passed_wh
        first = view.open_first - view.gate
        open_slots = slice(first, first + view.position_wh.shape[-1])
        wanted = np.maximum(target[..., open_slots], -view.export_limit_wh[:, None]) - view.position_wh
        if design.lot_wh > 1:
            wanted = np.sign(wanted) * (np.abs(wanted) // design.lot_wh * design.lot_wh)
        return Quote(wanted, self._limits(view, plan, wanted, open_slots, design), target[..., 0])

    def _limits(self, view: View, plan: BatteryPlan, wanted: Int, open_slots: slice, design: MarketDesign) -> Int:
        """Limit price of each order (w, r, h), rounded half to even to the tick, inside the band."""
        outside = view.outside[..., view.gate :][..., open_slots]
        feed_in, value = view.terms.feed_in_price(outside), view.terms.consumption_value(outside)
        worth = worth_keeping(view.battery, plan)[..., open_slots]
        floor = np.maximum(feed_in, np.minimum(worth, value))
        step = self.share * (value - floor)
        limit = np.where(wanted > 0, value - self.share * (value - feed_in), floor + step)
        ticks = np.rint(limit / design.tick_mjpy_kwh).astype(np.int64)
        return within(ticks * design.tick_mjpy_kwh, *design.band_mjpy_kwh)


def look_ahead(view: View, design: MarketDesign, slots: int, share_ppm: int) -> Outlook:
    """What a plan over `slots` from the gate reckons with, (w, r, T); at least the open slots."""
    first, count = view.open_first - view.gate, view.position_wh.shape[-1]
    slots = min(max(slots, first + count, 1), view.net_wh.shape[-1] - view.gate)
    window = slice(view.gate, view.gate + slots)
    outside, terms = view.outside[..., window], view.terms
    net = view.net_wh[..., window]
    position = np.zeros(net.shape, np.int64)
    position[..., first : first + count] = view.position_wh
    feed_in, supply = terms.feed_in_price(outside), terms.supply_price(outside)
    sell, buy = (np.array(np.broadcast_to(price, net.shape)) for price in (feed_in, supply))
    if design.accepts != "never":
        # a slot that is open once only is decided without knowing what will trade
        sure = 1 if first + count > 1 else 0
        usual = _usual_price(view, slots, share_ppm, feed_in, terms.consumption_value(outside))
        sell[..., sure:] = np.broadcast_to(usual, net.shape)[..., sure:]
        _see_book(view, sell, buy, slice(max(first, sure), first + count))
    # with a tariff below feed-in there would be no end to buying and selling
    np.minimum(sell, buy, out=sell)
    middle = (feed_in + terms.consumption_value(outside)).sum(-1) // (2 * slots)
    end = np.broadcast_to(middle, view.stored_wh.shape) * view.battery.given_ppm // PPM
    return Outlook(net, position, sell, buy, terms.wheeling + terms.surcharge, view.export_limit_wh, end)


def _usual_price(view: View, slots: int, share_ppm: int, feed_in: Int, value: Int) -> Int:
    """What a sale `share` of the way from the usual traded price to the top of the band would bring."""
    at = (view.slot_of_day + view.gate + np.arange(slots)) % view.slots_per_day
    traded = view.traded_ppm[..., at]
    expected = traded + (PPM - traded) * share_ppm // PPM
    return np.asarray(feed_in + np.maximum(value - feed_in, 0) * expected // PPM)


def _see_book(view: View, sell: Int, buy: Int, slots: slice) -> None:
    """Put the best bid and ask of others in where they beat what is reckoned with, in place."""
    first = view.open_first - view.gate
    seen = slice(slots.start - first, max(slots.stop - first, 0))
    bid, ask = view.best_bid[..., seen], view.best_ask[..., seen]
    mine = view.live[..., seen, :]
    bid = np.where((bid == NO_QUOTE) | mine[..., 0], 0, bid)
    np.maximum(sell[..., slots], bid, out=sell[..., slots])
    costly = (ask == NO_QUOTE) | mine[..., 1]
    np.minimum(buy[..., slots], ask + view.terms.fee, out=buy[..., slots], where=~costly)


def make_optimising(text: str) -> Optimising:
    """The strategy from `HOURS,SHARE`, either of which may be left out; raises ConfigError for anything else."""
    hours, _, share = text.partition(",")
    try:
        made = Optimising(float(hours or HOURS), float(share or SHARE), f"optimising:{text}".rstrip(":"))
    except ValueError as error:
        raise ConfigError(f"{text!r} is not HOURS,SHARE", do="write optimising:24,0.9") from error
    if not 0.5 <= made.hours <= 24 * 365 or not 0 <= made.share <= 1:
        raise ConfigError(f"{text!r} is out of range", do="give hours from 0.5 and a share of the band 0 .. 1")
    return made
