"""The state that follows from a ledger's records: what anyone who reads it to here agrees on.

Canonical bytes, big-endian and packed:

    next slot u32 | registry 32 | balances: accounts u32, then i64 each [uJPY]
    | positions: rows u32, then slot u32, party u16, energy i64 [Wh, + receives] for each that is not zero, by slot
    | uses: rows u32, then slot u32, line u16, way u8, energy i64 [Wh] for each that is not zero, by slot

Balances are sums of postings; positions and uses of lines are those of contracts for slots not delivered yet, less what
outages took. `registry` is a running SHA-256 over the records that say who may speak, all that the registry follows
from. The state root of a block header is the hash of these bytes under a domain tag. Writer, audit and replicas derive
it with the same pure reading of the records.
"""

import hashlib

import numpy as np

from ledger.content import fixed_dtype
from ledger.outages import read_outage
from ledger.records import RecordType, read_step
from ledger.rules import Rules, read_genesis
from market.committed import use_of
from market.contracts import CONTRACT, CONTRACT_WIRE, add_positions, no_contracts
from market.curtailment import keep_rest
from market.errors import LedgerError
from market.settlement import KINDS
from market.tables import from_wire, join_rows, pick_rows
from market.units import Int

STATE_TAG = b"DG/state/v1\0"
REGISTRY_RECORDS = frozenset({RecordType.MEMBERS, RecordType.ENROL, RecordType.ROTATE, RecordType.REVOKE})
"""Types of records that say who may speak."""
POSITION_WIRE = np.dtype([("slot", ">u4"), ("party", ">u2"), ("energy", ">i8")])
USE_WIRE = np.dtype([("slot", ">u4"), ("line", ">u2"), ("way", "u1"), ("energy", ">i8")])


class State:
    """The state of one world's ledger, moved on record by record; bodies are read when the state is asked for."""

    def __init__(self) -> None:
        self.registry = bytes(32)
        self._rules: Rules | None = None
        self._start = self._steps = self._formed = 0
        self._balances = np.zeros(0, np.int64)
        self._contracts, self._number = no_contracts(), np.zeros(0, np.int64)
        self._new: list[bytes] = []
        self._delivered: list[bytes] = []

    def take(self, kind: RecordType, body: bytes) -> None:
        """Move on by one record; raises LedgerError where it does not fit those before."""
        if kind == RecordType.GENESIS:
            self._begin(body)
        elif kind in REGISTRY_RECORDS:
            self.registry = hashlib.sha256(self.registry + bytes([kind]) + body).digest()
        elif kind == RecordType.OPENING:
            self._new.append(body)
        elif kind == RecordType.STEP:
            row = self._fixed_dtype()
            step = read_step(body, row.itemsize, CONTRACT_WIRE.itemsize)
            self._delivered.append(step.fixed)
            self._new.append(step.contracts)
        elif kind == RecordType.OUTAGE:
            self._curtail(body)

    @property
    def rules(self) -> Rules:
        """The rules the ledger begins with; raises LedgerError before the genesis record."""
        if self._rules is None:
            raise LedgerError("ledger does not begin with a genesis record")
        return self._rules

    @property
    def next_slot(self) -> int:
        """Slot of the next step."""
        return self._start + self._steps + len(self._delivered)

    def balances(self) -> Int:
        """Sum of the postings of each account (accounts,) [uJPY]."""
        self._fold()
        return self._balances.copy()

    def positions(self) -> Int:
        """Net energy of each party in each slot from `next_slot` on (parties, slots) [Wh], + receives."""
        self._fold()
        ahead = max(self._start + self.rules.slots - self.next_slot, 0)
        position = np.zeros((1, self.rules.parties, ahead), np.int64)
        add_positions(position, self._contracts, np.array([self.next_slot]))
        return np.asarray(position[0])

    def uses(self) -> Int:
        """Use of each line and way in each slot from `next_slot` on (slots, lines, 2) [Wh]."""
        self._fold()
        ahead = max(self._start + self.rules.slots - self.next_slot, 0)
        try:
            return use_of(self.rules.grid, self._contracts, self.next_slot, ahead)
        except ValueError as error:
            raise LedgerError(str(error)) from error

    def to_bytes(self) -> bytes:
        """The canonical bytes; raises LedgerError before the genesis record or where contracts do not fit the rules."""
        balances = self.balances().astype(">i8")
        position, use = self.positions(), self.uses()
        column, party = np.nonzero(position.T)
        positions = np.zeros(len(column), POSITION_WIRE)
        positions["slot"], positions["party"] = column + self.next_slot, party
        positions["energy"] = position[party, column]
        column, line, way = np.nonzero(use)
        uses = np.zeros(len(column), USE_WIRE)
        uses["slot"], uses["line"], uses["way"] = column + self.next_slot, line, way
        uses["energy"] = use[column, line, way]
        parts = [self.next_slot.to_bytes(4, "big"), self.registry]
        for table in (balances, positions, uses):
            parts += [len(table).to_bytes(4, "big"), table.tobytes()]
        return b"".join(parts)

    def root(self) -> bytes:
        """What a block header names: the hash of the canonical bytes under a domain tag."""
        return hashlib.sha256(STATE_TAG + self.to_bytes()).digest()

    def _begin(self, body: bytes) -> None:
        genesis = read_genesis(body)
        self._rules, self._start = genesis.rules, genesis.start
        self._balances = np.zeros(genesis.rules.accounts.count, np.int64)

    def _fixed_dtype(self) -> np.dtype[np.void]:
        accounts = self.rules.accounts
        return fixed_dtype(accounts.parties, accounts.count, KINDS)

    def _fold(self) -> None:
        """Read the bodies taken since the last time: all at once, as a block holds many steps."""
        if self._delivered:
            steps = np.frombuffer(b"".join(self._delivered), self._fixed_dtype())
            self._balances += steps["money"].astype(np.int64).sum(axis=(0, 2))
            self._steps += len(self._delivered)
            self._delivered = []
        if self._new:
            formed = from_wire(b"".join(self._new), CONTRACT_WIRE, CONTRACT)
            self._check(formed["slot"], np.maximum(formed["buyer"], formed["seller"]))
            self._contracts = join_rows(self._contracts, formed)
            self._number = np.concatenate([self._number, self._formed + np.arange(len(formed))])
            self._formed += len(formed)
            self._new = []
        ahead = self._contracts["slot"] >= self._start + self._steps
        if not ahead.all():
            self._contracts, self._number = pick_rows(self._contracts, ahead), self._number[ahead]

    def _check(self, slot: Int, party: Int) -> None:
        inside = (slot >= self._start) & (slot < self._start + self.rules.slots) & (party < self.rules.parties)
        if not inside.all():
            raise LedgerError("a contract names a slot or a party outside the rules")

    def _curtail(self, body: bytes) -> None:
        """Take off contracts what an outage took."""
        self._fold()
        _, curtailed = read_outage(body)
        place = np.searchsorted(self._number, curtailed["number"])
        known = place < len(self._number)
        cut = np.zeros(len(self._number), np.int64)
        if not known.all() or (self._number[place] != curtailed["number"]).any():
            raise LedgerError("an outage takes energy off a contract that is not open")
        np.add.at(cut, place, curtailed["energy"])
        if (cut > self._contracts["energy"]).any():
            raise LedgerError("an outage takes more energy off a contract than it has")
        left = self._contracts["energy"] > cut
        self._contracts, self._number = keep_rest(self._contracts, cut), self._number[left]
