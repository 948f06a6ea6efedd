"""A ledger as plain rows: orders, sealed orders, contracts, postings and readings, for spreadsheets and other programs.

Times are labels in JST, energies Wh, prices mJPY/kWh, amounts uJPY, all integers as recorded. Nothing is checked here;
verify the ledger first. Contracts stand as formed, the opening's first; what outages took is in `taken_wh`.
"""

from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from ledger.content import fixed_dtype
from ledger.encoding import decode_heads, decode_rows, record_id
from ledger.outages import read_outage
from ledger.proofs import Holders, places
from ledger.records import RecordType, read_step, split_envelope
from ledger.sealing import read_sealed
from market.contracts import CONTRACT, CONTRACT_WIRE, Source
from market.errors import Refusal
from market.orders import Kind, Side, TimeInForce
from market.settlement import KINDS, PostingKind
from market.statements import name_paths
from market.tables import from_wire

Row = dict[str, Any]
COLUMNS = {
    "orders": (
        *("record", "party", "sent", "kind", "side", "area", "slot", "energy_wh", "price_mjpy_kwh"),
        *("time_in_force", "reference", "refused"),
    ),
    "sealed": ("record", "party", "sent", "sequence", "bytes", "void"),
    "contracts": (
        *("number", "formed", "slot", "seller", "buyer", "energy_wh", "taken_wh", "sell_price_mjpy_kwh"),
        *("buy_price_mjpy_kwh", "path", "source", "last_resort", "sell_reference", "buy_reference"),
    ),
    "postings": ("slot", "account", "kind", "amount_ujpy"),
    "readings": ("slot", "party", "metered_wh"),
}
"""Tables and their columns; `record` is the leaf that a receipt proves."""


def export_rows(folder: Path) -> Iterator[tuple[str, Row]]:
    """Name of the table and row, for everything in one world's ledger; raises LedgerError where bytes do not fit."""
    reader = _Reader()
    for place, kind, body in places(folder):
        yield from reader.read(place.index, kind, body)
    yield from (("contracts", row) for row in reader.contracts())


class _Reader:
    """Keeps what later records need: rules, keys, contracts and what was taken off them."""

    def __init__(self) -> None:
        self._holders = Holders()
        self._formed: list[bytes] = []
        self._taken: dict[int, int] = {}
        self._sealed: dict[bytes, Row] = {}

    def read(self, index: int, kind: RecordType, body: bytes) -> Iterator[tuple[str, Row]]:
        """Rows of one record; those of contracts come at the end."""
        self._holders.take(kind, body)
        if kind == RecordType.OPENING:
            self._formed.append(body)
        elif kind == RecordType.ENVELOPE:
            yield from (("orders", row) for row in self._orders(index, body))
        elif kind == RecordType.STEP:
            yield from self._step(body)
        elif kind == RecordType.SEALED:
            self._sealed[record_id(body)] = self._describe_sealed(index, body)
        elif kind == RecordType.OUTAGE:
            for row in read_outage(body)[1]:
                number = int(row["number"])
                self._taken[number] = self._taken.get(number, 0) + int(row["energy"])

    def contracts(self) -> Iterator[Row]:
        """Every contract, in order of formation."""
        rules = self._holders.rules
        names, paths, label = rules.accounts.party_names, name_paths(rules.grid), rules.calendar.label
        for number, row in enumerate(from_wire(b"".join(self._formed), CONTRACT_WIRE, CONTRACT)):
            yield {
                "number": number,
                "formed": label(int(row["formed"])),
                "slot": label(int(row["slot"])),
                "seller": names[row["seller"]],
                "buyer": names[row["buyer"]],
                "energy_wh": int(row["energy"]),
                "taken_wh": self._taken.get(number, 0),
                "sell_price_mjpy_kwh": int(row["sell_price"]),
                "buy_price_mjpy_kwh": int(row["buy_price"]),
                "path": paths[row["path"]],
                "source": Source(row["source"]).name.lower(),
                "last_resort": int(row["last_resort"]),
                "sell_reference": int(row["sell_reference"]),
                "buy_reference": int(row["buy_reference"]),
            }

    def _orders(self, index: int, body: bytes) -> Iterator[Row]:
        rules = self._holders.rules
        envelope, codes = split_envelope(body)
        head = decode_heads([envelope])[0]
        label, areas = rules.calendar.label, rules.grid.areas
        for row, code in zip(decode_rows([envelope]), codes, strict=True):
            yield {
                "record": index,
                "party": self._holders.names.get(bytes(head["key"]), bytes(head["key"]).hex()),
                "sent": label(int(head["slot"])),
                "kind": _name(Kind, row["kind"]),
                "side": _name(Side, row["side"]),
                "area": areas[row["area"]] if row["area"] < len(areas) else str(row["area"]),
                "slot": label(int(row["slot"])),
                "energy_wh": int(row["energy"]),
                "price_mjpy_kwh": int(row["price"]),
                "time_in_force": _name(TimeInForce, row["time_in_force"]),
                "reference": int(row["reference"]),
                "refused": Refusal(code).name.lower() if code else "",
            }

    def _describe_sealed(self, index: int, body: bytes) -> Row:
        sealed, label = read_sealed(body), self._holders.rules.calendar.label
        return {
            "record": index,
            "party": self._holders.names.get(sealed.key_id, sealed.key_id.hex()),
            "sent": label(sealed.slot),
            "sequence": sealed.sequence,
            "bytes": len(body),
        }

    def _step(self, body: bytes) -> Iterator[tuple[str, Row]]:
        rules = self._holders.rules
        accounts = rules.accounts
        dtype = fixed_dtype(accounts.parties, accounts.count, KINDS)
        step = read_step(body, dtype.itemsize, CONTRACT_WIRE.itemsize)
        fixed = np.frombuffer(step.fixed, dtype)[0]
        slot = rules.calendar.label(int(fixed["slot"]))
        self._formed.append(step.contracts)
        void = {digest: Refusal(code).name.lower() for digest, code in step.refused}
        for digest, row in self._sealed.items():
            yield "sealed", {**row, "void": void.get(digest, "")}
        self._sealed = {}
        for party, metered in zip(accounts.party_names, fixed["reading"].tolist(), strict=True):
            yield "readings", {"slot": slot, "party": party, "metered_wh": metered}
        for account, kind in np.argwhere(fixed["money"]).tolist():
            amount = int(fixed["money"][account, kind])
            name = PostingKind(kind).name.lower()
            yield "postings", {"slot": slot, "account": accounts.names[account], "kind": name, "amount_ujpy": amount}


def _name(names: type[IntEnum], value: int) -> str:
    """Name of a value in lower case; the number itself where a refused row holds one that has none."""
    return names(value).name.lower() if value in names.__members__.values() else str(value)
