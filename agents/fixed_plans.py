"""Bidders who fix their plans earlier than the gate asks, and trade no more afterwards.

They bid truthfully as if the gate lay where their plans are fixed: `lead` slots before delivery, or with the day-ahead
auction at 10:00 for all of tomorrow. What they are seen to be contracted for then is what they keep: orders that still
rest are withdrawn, the plan declared at the gate is the one of old, and the battery follows it. With a lead of the gate
itself they are the truthful bidder, bit for bit. The paper's claim that plans revised until one hour before delivery
leave hardly any imbalance (1.3, item 18) is measured against them.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from agents.observing import View
from agents.policies import Stream
from agents.quoting import ACTIONS, TRUTHFUL, Quote, plan_battery, quote
from agents.strategies import Memory, Strategy
from market.design import MarketDesign
from market.slots import HALF_HOURS
from market.units import Int

DAY_AHEAD = None
"""The lead of plans that are fixed with the auction of the day before."""


@dataclass
class Fixed:
    """Plans fixed so far for the slots from the gate on, (w, r, slots fixed) [Wh]."""

    plan_wh: Int


@dataclass(frozen=True)
class FixedPlans(Strategy):
    """Truthful until a plan is fixed, `lead` slots before delivery (at least the gate), or `DAY_AHEAD`.

    At the start of an episode plans are fixed at once as far as they would have been by then.
    """

    lead: int | None = DAY_AHEAD
    name: str = field(default="fixed-plans")

    def begin(self, view: View, stream: Stream) -> Memory:
        """Nothing is fixed yet."""
        return Fixed(np.zeros((*view.stored_wh.shape, 0), np.int64))

    def quote(self, view: View, stream: Stream, design: MarketDesign, memory: Memory) -> Quote:
        """Orders of slots whose plans are not fixed, and the plan that was fixed for the gate slot."""
        later, skipped = _as_if_gate_were_later(view, memory.plan_wh)
        truthful = np.broadcast_to(np.array(TRUTHFUL, np.float32), (*view.stored_wh.shape, ACTIONS))
        made = quote(later, truthful, design)
        more = self._fixed_until(view) - later.gate
        fixed = np.concatenate([memory.plan_wh, _foresee(later, more)], axis=-1)
        memory.plan_wh = fixed[..., 1:]
        closed = np.zeros((*view.stored_wh.shape, skipped), np.int64)
        wanted, price = (np.concatenate([closed, column], axis=-1) for column in (made.wanted_wh, made.price))
        return Quote(wanted, price, fixed[..., 0])

    def _fixed_until(self, view: View) -> int:
        """One past the last slot, from now, whose plan is fixed when this step is over."""
        if self.lead is not DAY_AHEAD:
            return max(self.lead, view.gate) + 1
        days = 2 if view.slot_of_day >= HALF_HOURS.auction_slot_of_day else 1
        return days * view.slots_per_day - view.slot_of_day


def _as_if_gate_were_later(view: View, fixed_wh: Int) -> tuple[View, int]:
    """The view of one whose gate follows the fixed plans, and how many open slots lie before it."""
    gate = view.gate + fixed_wh.shape[-1]
    skipped = min(max(gate - view.open_first, 0), view.position_wh.shape[-1])
    later = replace(
        view,
        gate=gate,
        plan_wh=np.concatenate([view.plan_wh, fixed_wh], axis=-1),
        open_first=view.open_first + skipped,
        position_wh=view.position_wh[..., skipped:],
        best_bid=view.best_bid[..., skipped:],
        best_ask=view.best_ask[..., skipped:],
        live=view.live[..., skipped:, :],
    )
    return later, skipped


def _foresee(view: View, slots: int) -> Int:
    """Forecast net energy with the self-use plan of the battery in `slots` slots from the gate (w, r, slots) [Wh]."""
    ahead = view.net_wh[..., view.gate : view.gate + slots]
    if not view.battery.exists or not slots:
        return ahead
    return ahead + plan_battery(view, np.zeros(view.stored_wh.shape), slots)
