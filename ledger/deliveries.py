"""What was metered and posted in each slot, read from one world's ledger; nothing is checked here."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ledger.content import fixed_dtype
from ledger.journal import read
from ledger.records import RecordType, read_step
from ledger.rules import Rules, read_genesis
from market.contracts import CONTRACT_WIRE
from market.errors import LedgerError
from market.settlement import KINDS
from market.units import Int


class Delivered(NamedTuple):
    """Slots of one world from `first_slot` on: reading_wh (slots, parties), money_ujpy (slots, accounts, kinds)."""

    rules: Rules
    first_slot: int
    reading_wh: Int
    money_ujpy: Int


def delivered_in(folder: Path) -> Delivered:
    """Readings and postings of every delivered slot; verify the ledger first.

    Raises:
        LedgerError: where bytes do not fit, or no slot was delivered.
    """
    genesis, steps = None, []
    for _, _, kind, body in read(folder):
        if kind == RecordType.GENESIS:
            genesis = read_genesis(body)
        elif kind == RecordType.STEP and genesis is not None:
            accounts = genesis.rules.accounts
            row = fixed_dtype(accounts.parties, accounts.count, KINDS)
            steps.append(np.frombuffer(read_step(body, row.itemsize, CONTRACT_WIRE.itemsize).fixed, row))
    if genesis is None or not steps:
        raise LedgerError("no slot was delivered in this ledger", where=str(folder), do="simulate longer")
    fixed = np.concatenate(steps)
    reading, money = fixed["reading"].astype(np.int64), fixed["money"].astype(np.int64)
    return Delivered(genesis.rules, int(fixed["slot"][0]), reading, money)
