"""bill: what a party pays and receives for a run, line by line in whole yen (paper 4.1).

Read from the signed ledger of a run, after verifying it: contracts, metered readings and postings of every slot. Yen
are rounded once for each line, and what rounding keeps back is shown (`market.bills`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.run_ledger import describe_ledger, nobody
from experiments.runs import open_run
from experiments.statement import find_name, newest_run
from ledger.audit import KeysOf, find_worlds
from ledger.deliveries import delivered_in
from ledger.showing import contracts_in
from market.bills import TITLES, Bill, billed_energy, make_bills, print_bill
from market.contracts import add_positions
from market.groups import BalancingGroup
from market.slots import HALF_HOURS
from market.tables import pick_rows


@dataclass(frozen=True)
class Billed:
    """A party's bill, who represents it in a balancing group, if anybody does, and where it was read."""

    bill: Bill
    origin: str
    provider: BalancingGroup | None = None

    def rows(self) -> dict[str, Any]:
        """Everything in plain values, for `--json`: energies in Wh, money in JPY, what rounding keeps back in uJPY."""
        bill = self.bill
        return {
            "party": bill.party,
            "from": HALF_HOURS.label(bill.first_slot),
            "to": HALF_HOURS.label(bill.last_slot + 1),
            "service_provider": self.provider.name if self.provider else None,
            "allocation": self.provider.allocation if self.provider else None,
            "lines": [
                {
                    "kind": line.kind.name.lower(),
                    "title": TITLES[line.kind][0],
                    "title_ja": TITLES[line.kind][1],
                    "energy_wh": line.energy_wh,
                    "jpy": line.yen,
                    "rest_ujpy": line.rest_ujpy,
                }
                for line in bill.lines
            ],
            "total_jpy": bill.total_yen,
            "rest_ujpy": bill.rest_ujpy,
            "origin": self.origin,
        }

    def print(self) -> None:
        """The bill as people read it, on standard output."""
        from experiments.screen import console

        screen = console()
        lines = print_bill(self.bill, HALF_HOURS)
        if self.provider:
            shared = f"imbalance of the group shared by {self.provider.allocation!r}"
            lines.insert(1, f"Service provider 代表契約者  {self.provider.name}, {shared}")
        for line in (*lines, f"left to rounding: {self.bill.rest_ujpy} uJPY", self.origin):
            screen.print(line, soft_wrap=True)


def make_bill(party: str, run: Path | None = None, keys_of: KeysOf = nobody) -> Billed:
    """The bill of a party or service provider for all slots of world 0 of a run; raises ConfigError, LedgerError.

    `run` is a run folder whose ledger is `full`, the newest in `runs/` if None; `keys_of` the administrators whose
    epochs are followed.
    """
    folder = open_run(newest_run() if run is None else run)
    origin = describe_ledger(folder, "bill", keys_of)
    place = find_worlds(folder.ledger)[0]
    rules, first, reading, money = delivered_in(place)
    accounts = rules.accounts
    providers = tuple(group.name for group in accounts.groups)
    row = find_name(party, accounts.party_names + providers, folder)
    if row >= rules.parties:
        row = accounts.provider(row - rules.parties)
    _, contracts = contracts_in(place)
    contracts = pick_rows(contracts, contracts["slot"] < first + len(reading))
    plan = np.zeros((1, rules.parties, len(reading)), np.int64)
    add_positions(plan, contracts, np.array([first]))
    energy = billed_energy(contracts, reading, plan[0].T, first, accounts)
    bills = make_bills(money, energy, first, accounts, everyone=row >= rules.parties)
    return Billed(bills[row], origin, accounts.group_of(row))
