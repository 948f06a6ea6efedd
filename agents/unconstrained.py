"""Zero intelligence without a budget (ZI-U, Gode and Sunder 1993, DOI 10.1086/261868): prices that may lose money.

It wants what a truthful bidder wants, at a price drawn anew for each slot and step from one tick to twice what
consumption is worth there (assumption: the range of 1993 also reached far beyond most values). A measure of what the
individually rational band of all other bidders is worth, not a bidder to use.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from agents.draw import Purpose, draw, uniform
from agents.observing import View
from agents.policies import Stream
from agents.quoting import TRUTHFUL, Quote, quote
from agents.strategies import Memory, Strategy
from market.design import MarketDesign
from market.errors import ConfigError


@dataclass(frozen=True)
class Unconstrained(Strategy):
    """Truthful energies at random prices."""

    name: str = field(default="zero-intelligence-unconstrained")
    is_named: ClassVar[bool] = True

    def quote(self, view: View, stream: Stream, design: MarketDesign, memory: Memory) -> Quote:
        """Limits drawn to the tick inside the design's band, whatever the energy is worth."""
        action = np.broadcast_to(np.array(TRUTHFUL, np.float32), (*view.stored_wh.shape, len(TRUTHFUL)))
        made = quote(view, action, design)
        slots, tick = made.wanted_wh.shape[-1], design.tick_mjpy_kwh
        value = view.terms.consumption_value(view.outside[..., view.open_first : view.open_first + slots])
        ticks = np.maximum(2 * value // tick, 1)
        which = stream.party[:, None] + (np.arange(slots) << 20)
        bits = draw(stream.seed, stream.world[:, None, None], which, stream.slot[:, None, None], Purpose.BID)
        share = uniform(bits)
        price = np.minimum((1 + np.floor(share * ticks)) * tick, design.band_mjpy_kwh[1]).astype(np.int64)
        return Quote(made.wanted_wh, np.maximum(price, design.band_mjpy_kwh[0]), made.plan_wh)


def make_unconstrained(parameter: str) -> Unconstrained:
    """The strategy; raises ConfigError when it is given a parameter."""
    if parameter:
        what = f"zero-intelligence-unconstrained takes no parameter, not {parameter!r}"
        raise ConfigError(what, do="write zero-intelligence-unconstrained")
    return Unconstrained()
