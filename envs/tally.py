"""What is counted while a world runs: energies and money of delivered slots, per party.

Everything is booked when the slot is delivered, so a table over some days holds those days only.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from market.settlement import KINDS
from market.units import WH_PER_KWH, Int


class Flow(IntEnum):
    """Energies counted per party [Wh]; prices of the traded ones are kept beside them."""

    BOUGHT = 0
    SOLD = 1
    RESORT_SUPPLY = 2
    RESORT_SURPLUS = 3
    SHORT = 4
    LONG = 5
    IMPORT = 6
    EXPORT = 7


FLOWS = len(Flow)


class Cost(IntEnum):
    """What a party pays for its own devices beside all postings [uJPY]; wear is counted apart."""

    IDLE = 0
    START = 1
    GAS = 2


COSTS = len(Cost)


@dataclass(frozen=True)
class OwnCosts:
    """What a slot cost the parties beside all postings: cost_ujpy (w, parties, COSTS) and co2_g (w, parties)."""

    cost_ujpy: Int
    co2_g: Int


@dataclass
class Tally:
    """Sums over the delivered slots counted so far.

    energy_wh (worlds, parties, FLOWS); value_ujpy (worlds, parties, 4): energy x price of the first four
    flows; money_ujpy (worlds, accounts, kinds): postings; wear_ujpy, credit_ujpy (worlds, parties);
    split (worlds,): those in which a line was full;
    refused (worlds, parties): order rows refused; cost_ujpy (worlds, parties, COSTS): idling and starts of thermal
    units, gas of fuel cells; co2_g (worlds, parties): what they emitted, where the scenario says it.
    """

    energy_wh: Int
    value_ujpy: Int
    money_ujpy: Int
    wear_ujpy: Int
    credit_ujpy: Int
    split: Int
    refused: Int
    cost_ujpy: Int
    co2_g: Int

    @classmethod
    def empty(cls, worlds: int, parties: int, accounts: int) -> "Tally":
        """A tally of nothing."""
        return cls(
            np.zeros((worlds, parties, FLOWS), np.int64),
            np.zeros((worlds, parties, 4), np.int64),
            np.zeros((worlds, accounts, KINDS), np.int64),
            np.zeros((worlds, parties), np.int64),
            np.zeros((worlds, parties), np.int64),
            np.zeros(worlds, np.int64),
            np.zeros((worlds, parties), np.int64),
            np.zeros((worlds, parties, COSTS), np.int64),
            np.zeros((worlds, parties), np.int64),
        )

    def add_slot(self, energy_wh: Int, value_ujpy: Int, reading_wh: Int, plan_wh: Int, money_ujpy: Int) -> None:
        """Count a delivered slot: what contracts made due, reading and plan (worlds, parties), all postings."""
        self.energy_wh += energy_wh
        self.value_ujpy += value_ujpy
        self.money_ujpy += money_ujpy
        for flow, energy in (
            (Flow.SHORT, reading_wh - plan_wh),
            (Flow.LONG, plan_wh - reading_wh),
            (Flow.IMPORT, reading_wh),
            (Flow.EXPORT, -reading_wh),
        ):
            self.energy_wh[..., flow] += np.maximum(energy, 0)

    def add_own(self, wear_ujpy: Int, own: OwnCosts | None) -> None:
        """Count what the devices cost their owners in a slot, and what they emitted."""
        self.wear_ujpy += wear_ujpy
        if own is not None:
            self.cost_ujpy += own.cost_ujpy
            self.co2_g += own.co2_g

    def certificates_kwh(self, certified: Int, rows: slice = slice(None)) -> Int:
        """Certificates of renewable energy issued to some parties (worlds, parties) [kWh]: one for each kWh exported.

        `certified` (parties,) is 1 where the DGC is of type C (paper 1.4, item 32). What is below 1 kWh waits for the
        next slot, so the sum over slots that `market.certificates.issue` makes is the whole part of the energy.
        """
        return np.asarray(self.energy_wh[:, rows, Flow.EXPORT] // WH_PER_KWH * certified[rows])

    def money_of_parties(self) -> Int:
        """Money of each party less wear and costs plus what its stored energy is worth (worlds, parties) [uJPY]."""
        parties = self.wear_ujpy.shape[1]
        own = self.wear_ujpy + self.cost_ujpy.sum(-1)
        return np.asarray(self.money_ujpy[:, :parties].sum(-1) - own + self.credit_ujpy)
