"""What is counted while a world runs: energies and money of delivered slots, per party.

Everything is booked when the slot is delivered, so a table over some days holds those days only.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from market.settlement import KINDS
from market.tables import Table
from market.units import Int


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


@dataclass
class Tally:
    """Sums over the delivered slots counted so far.

    energy_wh (worlds, parties, FLOWS); value_ujpy (worlds, parties, 4): energy x price of the first four
    flows; money_ujpy (worlds, accounts, kinds): postings; wear_ujpy, credit_ujpy (worlds, parties);
    split (worlds,): those in which a line was full;
    refused (worlds, parties): order rows refused.
    """

    energy_wh: Int
    value_ujpy: Int
    money_ujpy: Int
    wear_ujpy: Int
    credit_ujpy: Int
    split: Int
    refused: Int

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
        )

    def money_of_parties(self) -> Int:
        """Money of each party less wear plus what its stored energy is worth (worlds, parties) [uJPY]."""
        parties = self.wear_ujpy.shape[1]
        return self.money_ujpy[:, :parties].sum(-1) - self.wear_ujpy + self.credit_ujpy


def book_contracts(energy: Int, value: Int, at: Int, contracts: Table, is_retailer: Int) -> None:
    """Add contracts to the energies (rows, parties, FLOWS) and values (rows, parties, 4) due, in place.

    `at` (contracts,) is the row of the world and slot. Last-resort energy counts as supply for the
    buyer who needed it and as surplus for the seller who had it; the retailer's side counts alike.
    """
    if not len(contracts):
        return
    last = contracts["last_resort"] == 1
    surplus = is_retailer[contracts["buyer"]] == 1
    resort = np.where(surplus, Flow.RESORT_SURPLUS, Flow.RESORT_SUPPLY)
    size = contracts["energy"]
    row = at.astype(np.int64) * energy.shape[1]
    for who, flow, price in (
        (contracts["buyer"], np.where(last, resort, Flow.BOUGHT), contracts["buy_price"]),
        (contracts["seller"], np.where(last, resort, Flow.SOLD), contracts["sell_price"]),
    ):
        np.add.at(energy.reshape(-1), (row + who) * energy.shape[2] + flow, size)
        np.add.at(value.reshape(-1), (row + who) * value.shape[2] + flow, size * price)
