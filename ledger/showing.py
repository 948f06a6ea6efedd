"""A ledger in plain data, record by record, for people and programs that read it; nothing is checked here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ledger.content import fixed_dtype
from ledger.encoding import SAYS_PLAN, SAYS_READING, SIGNATURE_BYTES, decode_heads, record_id
from ledger.executions import describe_execution
from ledger.journal import read
from ledger.keys import key_id_of
from ledger.outages import read_outage
from ledger.programs import describe_programs
from ledger.reasons import NO_REASON
from ledger.records import BETWEEN, SEALING, RecordType, StepBody, read_members, read_step, split_envelope
from ledger.rules import Genesis, Rules, read_genesis
from ledger.showing_keys import describe_between
from ledger.showing_sealed import SealedReader
from market.contracts import CONTRACT, CONTRACT_WIRE
from market.errors import LedgerError, Refusal
from market.outages import leave_curtailed, no_curtailed
from market.settlement import KINDS
from market.tables import Table, from_wire, join_rows


def show(folder: Path) -> Iterator[dict[str, Any]]:
    """Every record of one world's ledger as a dictionary of plain values: block, record, type, and what it says.

    Raises:
        LedgerError: where bytes do not fit.
    """
    reader = _Reader()
    for block, record, kind, body in read(folder):
        yield {"block": block, "record": record, "type": kind.name.lower(), **reader.describe(kind, body)}


def contracts_in(folder: Path) -> tuple[Rules, Table]:
    """Rules and every contract of one world's ledger: the opening's, then in order of formation; verify it first.

    Energy is what outages left; contracts curtailed wholly are left out.

    Raises:
        LedgerError: where bytes do not fit.
    """
    reader, bodies, curtailed = _Reader(), [], no_curtailed()
    for _, _, kind, body in read(folder):
        if kind == RecordType.GENESIS:
            reader.describe(kind, body)
        elif kind == RecordType.OPENING:
            bodies.append(body)
        elif kind == RecordType.STEP:
            bodies.append(reader.step(body).contracts)
        elif kind == RecordType.OUTAGE:
            curtailed = join_rows(curtailed, read_outage(body)[1])
    contracts = from_wire(b"".join(bodies), CONTRACT_WIRE, CONTRACT)
    return reader.genesis.rules, leave_curtailed(contracts, curtailed)


def _hash_or_none(said: Any) -> str | None:
    """A hash of an envelope's head in hexadecimal, None where the device does not say."""
    return None if bytes(said) == NO_REASON else bytes(said).hex()


class _Reader:
    """Keeps what later records need from the first ones: rules and keys."""

    def __init__(self) -> None:
        self._genesis: Genesis | None = None
        self._names: dict[bytes, str] = {}
        self._sealed = SealedReader()

    @property
    def genesis(self) -> Genesis:
        """The genesis record; raises LedgerError when a ledger does not begin with one."""
        if self._genesis is None:
            raise LedgerError("ledger does not begin with a genesis record")
        return self._genesis

    def describe(self, kind: RecordType, body: bytes) -> dict[str, Any]:
        """What one record says."""
        if kind == RecordType.GENESIS:
            return self._describe_genesis(body)
        if kind == RecordType.MEMBERS:
            return self._describe_members(body)
        if kind == RecordType.OPENING:
            return {"contracts": self._contracts(body)}
        if kind == RecordType.ENVELOPE:
            return self._describe_envelope(body)
        if kind == RecordType.STEP:
            return self._describe_step(body)
        if kind == RecordType.OUTAGE:
            return self._describe_outage(body)
        if kind in SEALING:
            return self._sealed.describe(kind, body, self._names, self.genesis.rules)
        if kind in BETWEEN:
            return describe_between(kind, body, self._names, self.genesis.rules.accounts.party_names)
        if kind == RecordType.PROGRAM:
            return describe_programs(body)
        if kind == RecordType.EXEC:
            return describe_execution(body)
        return {"bytes": len(body)}

    def _describe_genesis(self, body: bytes) -> dict[str, Any]:
        self._genesis = genesis = read_genesis(body)
        rules = genesis.rules
        return {
            "design": rules.design.name,
            "parties": list(rules.accounts.party_names),
            "areas": list(rules.grid.areas),
            "start": self._label(genesis.start),
            "slots": rules.slots,
            "key": genesis.key,
        }

    def _describe_members(self, body: bytes) -> dict[str, Any]:
        members = read_members(body)
        names = self.genesis.rules.accounts.party_names
        self._names = {key_id_of(key): names[party] for party, key in members.keys if party < len(names)}
        keys = {self._names[key_id_of(key)]: key.hex() for party, key in members.keys if party < len(names)}
        return {"chain": members.chain_id.hex(), "operator": members.operator.hex(), "keys": keys}

    def _describe_envelope(self, body: bytes) -> dict[str, Any]:
        envelope, codes = split_envelope(body)
        head = decode_heads([envelope])[0]
        return {
            "id": record_id(envelope[:-SIGNATURE_BYTES]).hex(),
            "party": self._names.get(bytes(head["key"]), bytes(head["key"]).hex()),
            "sequence": int(head["sequence"]),
            "slot": self._label(int(head["slot"])),
            "policy": _hash_or_none(head["policy"]),
            "observation": _hash_or_none(head["observation"]),
            "plan_wh": int(head["plan"]) if head["says"] & SAYS_PLAN else None,
            "reading_wh": int(head["reading"]) if head["says"] & SAYS_READING else None,
            "orders": len(codes),
            "refused": [Refusal(code).name for code in codes if code],
        }

    def step(self, body: bytes) -> StepBody:
        """A step record, cut into its parts."""
        return read_step(body, self._fixed_dtype().itemsize, CONTRACT_WIRE.itemsize)

    def _fixed_dtype(self) -> np.dtype[Any]:
        accounts = self.genesis.rules.accounts
        return fixed_dtype(accounts.parties, accounts.count, KINDS)

    def _describe_step(self, body: bytes) -> dict[str, Any]:
        accounts, step = self.genesis.rules.accounts, self.step(body)
        fixed = np.frombuffer(step.fixed, self._fixed_dtype())[0]
        sums = fixed["money"].sum(-1)
        return {
            "slot": self._label(int(fixed["slot"])),
            "orders": int(fixed["orders"]),
            "contracts": self._contracts(step.contracts),
            "reading_wh": dict(zip(accounts.party_names, fixed["reading"].tolist(), strict=True)),
            "money_ujpy": dict(zip(accounts.names, sums.tolist(), strict=True)),
            "refused_envelopes": [
                {"hash": h.hex(), "code": Refusal(code).name, **self._sealed.sender(h)} for h, code in step.refused
            ],
            "content_head": step.head.hex(),
        }

    def _describe_outage(self, body: bytes) -> dict[str, Any]:
        notices, curtailed = read_outage(body)
        lines = self.genesis.rules.grid.lines
        return {
            "capacity": [
                {
                    "line": lines[row["line"]].name,
                    "slot": self._label(int(row["slot"])),
                    "forward_wh": int(row["forward"]),
                    "backward_wh": int(row["backward"]),
                }
                for row in notices
            ],
            "curtailed": [
                {
                    "contract": int(row["number"]),
                    "energy_wh": int(row["energy"]),
                    "buyer_ujpy": int(row["buyer_ujpy"]),
                    "seller_ujpy": int(row["seller_ujpy"]),
                }
                for row in curtailed
            ],
        }

    def _contracts(self, data: bytes) -> list[dict[str, Any]]:
        names = self.genesis.rules.accounts.party_names
        return [
            {
                "slot": self._label(int(row["slot"])),
                "seller": names[row["seller"]],
                "buyer": names[row["buyer"]],
                "energy_wh": int(row["energy"]),
                "sell_price_mjpy_kwh": int(row["sell_price"]),
                "buy_price_mjpy_kwh": int(row["buy_price"]),
                "last_resort": bool(row["last_resort"]),
            }
            for row in from_wire(data, CONTRACT_WIRE, CONTRACT)
        ]

    def _label(self, slot: int) -> str:
        return self.genesis.rules.calendar.label(slot)
