"""Bidders that quote every open slot by themselves, where four numbers of an action say too little.

A `Strategy` turns what its parties know into energies and limits directly, and may remember: its memory is made at the
first step of an episode, belongs to the world and is handed back at every step. `Mixed` lets parties of one role bid
differently. Policies that act through the action layout (`agents.policies`) stay what learners export; `quotes_of` is
the one way from either kind to a quote.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agents.observing import View, observe
from agents.policies import Policy, Stream
from agents.quoting import Quote, quote
from market.design import MarketDesign

Memory = Any
"""What a strategy keeps from step to step; None for one that remembers nothing."""


class Strategy(ABC):
    """Quotes energies and limits of every open slot, for any number of worlds and parties."""

    name: str

    def begin(self, view: View, stream: Stream) -> Memory:
        """Memory at the first step of an episode; nothing unless a strategy says so."""
        return None

    @abstractmethod
    def quote(self, view: View, stream: Stream, design: MarketDesign, memory: Memory) -> Quote:
        """Orders and plan of every party (`agents.quoting.Quote`); may write into the memory, once a step."""


Bidder = Policy | Strategy
"""Anything that can be told to bid for a role."""


def quotes_of(bidder: Bidder, view: View, stream: Stream, design: MarketDesign, memory: Memory) -> Quote:
    """The quote of either kind of bidder."""
    if isinstance(bidder, Strategy):
        return bidder.quote(view, stream, design, memory)
    return quote(view, bidder.act(observe(view), stream), design)


@dataclass(frozen=True)
class Mixed(Strategy):
    """Some parties of a role bid in their own way, the rest by `rest`.

    own: bidder by row, counted within the role.
    """

    rest: Bidder
    own: Mapping[int, Bidder]
    name: str = field(default="mixed")

    def begin(self, view: View, stream: Stream) -> Memory:
        """One memory for the rest and one for each bidder of its own."""
        return [b.begin(view, stream) if isinstance(b, Strategy) else None for b in (self.rest, *self.own.values())]

    def quote(self, view: View, stream: Stream, design: MarketDesign, memory: Memory) -> Quote:
        """Quotes of the rest with the rows of the others put in."""
        base = quotes_of(self.rest, view, stream, design, memory[0])
        wanted, price, plan = (np.array(column) for column in (base.wanted_wh, base.price, base.plan_wh))
        for (row, bidder), kept in zip(self.own.items(), memory[1:], strict=True):
            made = quotes_of(bidder, view, stream, design, kept)
            wanted[:, row], price[:, row], plan[:, row] = (
                made.wanted_wh[:, row],
                made.price[:, row],
                made.plan_wh[:, row],
            )
        return Quote(wanted, price, plan)
