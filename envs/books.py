"""The books of parallel worlds: positions of the open slots, and what falls due when a slot is delivered.

Contracts are entered once, when they form: energy into the position of buyer and seller, money into what is due,
energies and values into what the tally will count. What is due lies in rings over the slots that can have contracts,
so that memory does not grow with the episode. `market.settlement.post_contracts` and `market.contracts.add_positions`
say the same rules table by table; the ledger's verifier settles with them.
"""

import numpy as np

from envs.tally import FLOWS
from market.outages import Response
from market.settlement import KINDS, Accounts, Terms, post_outage
from market.tables import Table
from market.units import Int


class Books:
    """Positions and dues of w worlds; + is received.

    position_wh (w, parties, slots); money_ujpy (ring, w, accounts, kinds); energy_wh (ring, w, parties, FLOWS);
    value_ujpy (ring, w, parties, 4): energy x price of the first four flows; traded (ring, w, 2): energy and
    money of contracts between parties.

    Args:
        first_slot: (w,) slot of column 0 in each world.
        slots: length of the episode.
        ring: slots that can have contracts at one time.
        terms: prices outside the market.
        accounts: rows of the money table.
    """

    def __init__(self, first_slot: Int, slots: int, ring: int, terms: Terms, accounts: Accounts) -> None:
        worlds, parties = len(first_slot), accounts.parties
        self.ring = ring
        self.position_wh = np.zeros((worlds, parties, slots), np.int64)
        self.money_ujpy = np.zeros((ring, worlds, accounts.count, KINDS), np.int64)
        self.energy_wh = np.zeros((ring, worlds, parties, FLOWS), np.int64)
        self.value_ujpy = np.zeros((ring, worlds, parties, 4), np.int64)
        self.traded = np.zeros((ring, worlds, 2), np.int64)
        self._first_slot, self._fee, self._accounts = first_slot, terms.fee, accounts
        self._is_retailer = accounts.is_retailer
        self._collection, self._platform, self._exchange = map(accounts.row, ("collection", "platform", "exchange"))
        self._paths = accounts.grid.path_table

    def enter(self, contracts: Table, accrued: Int) -> None:
        """Book contracts; the money of the parties is added to `accrued` (w, parties) [uJPY] at once."""
        if not len(contracts):
            return
        from envs.booking_kernels import book

        book(
            contracts,
            self._first_slot,
            self._is_retailer,
            self._paths,
            self._fee,
            self._collection,
            self._platform,
            self._exchange,
            self.position_wh,
            self.money_ujpy,
            self.energy_wh,
            self.value_ujpy,
            self.traded,
            accrued,
        )

    def curtail(self, response: Response, accrued: Int) -> None:
        """Take curtailed contracts back and make their parties whole; money is added to `accrued` as well."""
        self.enter(response.taken_back, accrued)
        row, party, amount = response.payments()
        world = response.taken_back["world"][row].astype(np.int64)
        at = (response.taken_back["slot"][row] - self._first_slot[world]) % self.ring * len(self._first_slot) + world
        post_outage(self.money_ujpy, at, party, amount, self._accounts)
        np.add.at(accrued, (world, party), amount)

    def due(self, t: int) -> tuple[Int, Int, Int]:
        """Money (w, accounts, kinds), energies (w, parties, FLOWS) and values (w, parties, 4) of slot column t."""
        at = t % self.ring
        return self.money_ujpy[at], self.energy_wh[at], self.value_ujpy[at]

    def clear(self, t: int) -> None:
        """Make room for the slot that comes round to the place of slot column t."""
        for column in self.due(t):
            column[:] = 0

    def take_traded(self, t: int) -> tuple[Int, Int]:
        """Energy [Wh] and money [uJPY] of contracts between parties for slot column t (w,), forgotten afterwards."""
        at = self.traded[t % self.ring]
        energy, paid = at.T.copy()
        at[:] = 0
        return energy, paid
