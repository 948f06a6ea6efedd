"""Whether half-hour contracts add up to long-term ones (paper 1.3): runs of the seller, cover of the buyer.

A bundle of short contracts whose counterparty differs every half hour equals a long-term contract if the generator
can run continuously, and if the consumer's procurement is promised for long. So a seller is measured by the lengths of
the runs of slots in which it delivers without a gap, a buyer by the share of its demand that was contracted more than a
month before delivery. Both are read from the contract table; contracts of the last resort count unless the caller
leaves them out.
"""

from dataclasses import dataclass

import numpy as np

from market.slots import HALF_HOURS, SlotCalendar
from market.statements import AHEAD_DAYS
from market.tables import Table
from market.units import Int


@dataclass(frozen=True)
class Runs:
    """Runs of slots that follow one another in which a seller delivers, one row each.

    world, seller, first (runs,): where a run begins [slot]; slots (runs,): its length; energy_wh (runs,): what is sold
    in it [Wh].
    """

    world: Int
    seller: Int
    first: Int
    slots: Int
    energy_wh: Int

    @property
    def longest(self) -> int:
        """Slots of the longest run, 0 without a run."""
        return int(self.slots.max(initial=0))

    @property
    def mean(self) -> float | None:
        """Mean slots of a run, None without one."""
        return float(self.slots.mean()) if len(self.slots) else None

    def share_in(self, slots: int) -> float | None:
        """Share of the energy sold in runs of at least so many slots, None without energy."""
        total = sum(self.energy_wh.tolist())
        return sum(self.energy_wh[self.slots >= slots].tolist()) / total if total else None

    def of_seller(self, seller: int) -> "Runs":
        """The runs of one seller, in every world."""
        mine = self.seller == seller
        columns = (self.world, self.seller, self.first, self.slots, self.energy_wh)
        return Runs(*(column[mine] for column in columns))


@dataclass(frozen=True)
class Cover:
    """How much of a demand was contracted early; sums of energy are Python integers [Wh]."""

    demand_wh: int
    ahead_wh: int

    @property
    def share(self) -> float | None:
        """Part of the demand covered ahead, None without demand."""
        return self.ahead_wh / self.demand_wh if self.demand_wh else None


def find_runs(contracts: Table) -> Runs:
    """Runs of every seller, by world, seller and slot.

    Source: paper 1.3, the generator that must run continuously.
    """
    columns = [contracts[name].astype(np.int64) for name in ("world", "seller", "slot")]
    order = np.lexsort(columns[::-1])
    world, seller, slot = (column[order] for column in columns)
    same = (np.diff(world) == 0) & (np.diff(seller) == 0)
    begins = np.ones(len(order), np.bool_)
    begins[1:] = ~(same & (np.diff(slot) <= 1))
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(order)) - 1
    energy = np.add.reduceat(contracts["energy"][order], first) if len(order) else np.zeros(0, np.int64)
    return Runs(world[first], seller[first], slot[first], slot[last] - slot[first] + 1 if len(order) else first, energy)


def cover_ahead(
    contracts: Table,
    buyer: int | None = None,
    demand_wh: int | None = None,
    calendar: SlotCalendar = HALF_HOURS,
    ahead_days: int = AHEAD_DAYS,
) -> Cover:
    """Demand of a buyer, or of all, covered by contracts formed more than `ahead_days` before delivery.

    Args:
        contracts: rows of any time and world.
        buyer: row of the party register; all buyers if None.
        demand_wh: what the contracts are held against, e.g. metered demand [Wh]; all that was contracted if None.
        calendar: slots of a day.
        ahead_days: a contract formed exactly so many days ahead is not more than that.

    Source: paper 1.3, the consumer to whom long-term procurement is promised.
    """
    mine = contracts if buyer is None else contracts[contracts["buyer"] == buyer]
    lead = mine["slot"].astype(np.int64) - mine["formed"]
    early = mine["energy"][lead > ahead_days * calendar.per_day]
    demand = sum(mine["energy"].tolist()) if demand_wh is None else demand_wh
    return Cover(demand, sum(early.tolist()))
