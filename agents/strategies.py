"""Bidders that quote every open slot by themselves, where four numbers of an action say too little.

A `Strategy` turns what its parties know into energies and limits directly, and may remember: its memory is made at the
first step of an episode, belongs to the world and is handed back at every step. `Mixed` lets parties of one role bid
differently. Policies that act through the action layout (`agents.policies`) stay what learners export; `quotes_of` is
the one way from either kind to a quote.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from agents.observing import View, observe
from agents.policies import Policy, Stream
from agents.quoting import Quote, quote
from market.design import MarketDesign
from market.units import Int

if TYPE_CHECKING:
    from market.blocks import Blocks

Memory = Any
"""What a strategy keeps from step to step; None for one that remembers nothing."""


class Strategy(ABC):
    """Quotes energies and limits of every open slot, for any number of worlds and parties."""

    name: str
    is_named: ClassVar[bool] = False
    """Whether a quote follows from the view, the dice and the compared fields alone, so that it can be made again from
    a recorded view: envelopes then name the strategy by those fields (`agents.knowing`)."""

    @property
    def slots_ahead(self) -> int:
        """How far from the gate slot it looks, if farther than a day and every open slot; so much is recorded."""
        return 0

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
        own = [
            quotes_of(bidder, view, stream, design, kept)
            for bidder, kept in zip(self.own.values(), memory[1:], strict=True)
        ]
        slots = view.position_wh.shape[-1]
        columns = [_columns(made, slots) for made in (base, *own)]
        mixed = [np.array(column) for column in columns[0]]
        for row, theirs in zip(self.own, columns[1:], strict=True):
            for column, their in zip(mixed, theirs, strict=True):
                column[:, row] = their[:, row]
        wanted, price, plan, other_wh, other_price, speaks = mixed
        blocks = _blocks_of(base, own, list(self.own))
        return Quote(wanted, price, plan, other_wh, other_price, blocks, speaks[0])


def _columns(made: Quote, slots: int) -> tuple[Int, ...]:
    """Every column of a quote over all open slots, zeros for a second side that is absent; speaks (1, r)."""
    short = ((0, 0), (0, 0), (0, slots - made.wanted_wh.shape[-1]))
    nothing = np.zeros_like(made.wanted_wh)
    orders = (made.wanted_wh, made.price, nothing if made.other_wh is None else made.other_wh)
    wanted, price, other_wh = (np.pad(column, short) for column in orders)
    other_price = np.pad(nothing if made.other_price is None else made.other_price, short)
    parties = made.plan_wh.shape[1]
    speaks = np.full(parties, slots) if made.speaks is None else made.speaks
    return wanted, price, made.plan_wh, other_wh, other_price, speaks[None]


def _blocks_of(base: Quote, own: Sequence[Quote], rows: Sequence[int]) -> "Blocks | None":
    """Block orders of the parties that speak for themselves and of the rest."""
    from market.blocks import join_blocks, no_blocks

    if all(made.blocks is None for made in (base, *own)):
        return None
    joined = no_blocks()
    if base.blocks is not None:
        joined = base.blocks.pick(~np.isin(base.blocks.table["party"], rows))
    for row, made in zip(rows, own, strict=True):
        if made.blocks is not None:
            joined = join_blocks(joined, made.blocks.pick(made.blocks.table["party"] == row))
    return joined
