"""The content head: one hash per world that is equal in every ledger mode, batch and view.

Per step and world the canonical bytes are, packed and big-endian:

    fixed part  slot u32 | arrival u16 per party | plan i64, reading sent i64, reading i64 per party [Wh]
                | money i64 per account and posting kind [uJPY] | orders u32 | contracts u32
    orders      party u16 | code u8 | row of ORDER_WIRE, for every given row
    contracts   rows of CONTRACT_WIRE in order of formation
    outage      body of the outage record, if any (`ledger.outages`)

and head' = SHA-256(CONTENT_TAG, head, those bytes). Signatures are not in it. Slices of all worlds are converted at
once; only the hash itself runs world by world.
"""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ledger.encoding import CONTENT_TAG
from ledger.outages import outage_bodies
from market.contracts import CONTRACT_WIRE
from market.orders import ORDER_WIRE
from market.outages import no_curtailed, no_notices
from market.tables import Table
from market.units import Int
from market.validation import Codes

GIVEN_WIRE = np.dtype([("party", ">u2"), ("code", "u1"), *((n, ORDER_WIRE[n]) for n in ORDER_WIRE.names or ())])


@dataclass(frozen=True)
class StepRecord:
    """What happened in one step of all B worlds.

    - slot (B,): the current slot;
    - arrival (B, P): rank of each party in the order of arrival;
    - orders: ORDER table of every given row, sorted by world and party, as sent; codes (n,) uint8;
    - plan (B, P) [Wh]: declared net energy of the slot whose gate closes, ABSENT where unheard;
    - reading_sent (B, P) [Wh]: the device's reading of the slot before, ABSENT where there is none;
    - contracts: CONTRACT table sorted by world, then in order of formation, last resort included;
    - reading (B, P) [Wh]: metered net energy of the delivered (current) slot;
    - money (B, accounts, kinds) [uJPY]: postings of the delivered slot;
    - notices, curtailed: what was announced before the step and what was curtailed for it (`market.outages`), sorted
      by world.
    """

    slot: Int
    arrival: Int
    orders: Table
    codes: Codes
    plan: Int
    reading_sent: Int
    contracts: Table
    reading: Int
    money: Int
    notices: Table = field(default_factory=no_notices)
    curtailed: Table = field(default_factory=no_curtailed)


@lru_cache(maxsize=16)
def fixed_dtype(parties: int, accounts: int, kinds: int) -> np.dtype[Any]:
    """Packed dtype of the fixed part."""
    return np.dtype(
        [
            ("slot", ">u4"),
            ("arrival", ">u2", (parties,)),
            ("plan", ">i8", (parties,)),
            ("reading_sent", ">i8", (parties,)),
            ("reading", ">i8", (parties,)),
            ("money", ">i8", (accounts, kinds)),
            ("orders", ">u4"),
            ("contracts", ">u4"),
        ]
    )


@dataclass(frozen=True)
class StepBytes:
    """Canonical bytes of one step: one buffer per part, and where each world's slice begins and ends."""

    fixed: memoryview
    fixed_size: int
    orders: memoryview
    order_bounds: list[int]
    contracts: memoryview
    contract_bounds: list[int]
    outages: list[bytes]

    def parts(self, world: int) -> tuple[memoryview, memoryview, memoryview]:
        """Fixed part, orders and contracts of one world."""
        at = world * self.fixed_size
        return (
            self.fixed[at : at + self.fixed_size],
            self.orders[self.order_bounds[world] : self.order_bounds[world + 1]],
            self.contracts[self.contract_bounds[world] : self.contract_bounds[world + 1]],
        )


def step_bytes(record: StepRecord) -> StepBytes:
    """Convert a step of all worlds to canonical bytes."""
    worlds, parties = record.plan.shape
    edges = np.arange(worlds + 1)
    order_edges = np.searchsorted(record.orders["world"], edges)
    contract_edges = np.searchsorted(record.contracts["world"], edges)
    dtype = fixed_dtype(parties, *record.money.shape[1:])
    counts = {"orders": np.diff(order_edges), "contracts": np.diff(contract_edges)}
    fixed = np.empty((worlds, dtype.itemsize), np.uint8)
    for name, (kind, at, *_) in (dtype.fields or {}).items():
        column = counts[name] if name in counts else getattr(record, name)
        # one row of numbers a world: into a field of arrays numpy would convert array by array, and slower
        shape, base = (worlds, column.size // max(worlds, 1)), kind.base
        rows = np.ndarray(shape, base, fixed.data, at, (dtype.itemsize, base.itemsize))
        rows[...] = column.reshape(worlds, -1)
    return StepBytes(
        _bytes_of(fixed),
        dtype.itemsize,
        _bytes_of(given_rows(record.orders, record.codes)),
        (order_edges * GIVEN_WIRE.itemsize).tolist(),
        _bytes_of(_copy_columns(record.contracts, CONTRACT_WIRE)),
        (contract_edges * CONTRACT_WIRE.itemsize).tolist(),
        outage_bodies(record.notices, record.curtailed, worlds),
    )


def given_rows(orders: Table, codes: Codes) -> Table:
    """Orders with party and code, as hashed."""
    rows = _copy_columns(orders, GIVEN_WIRE, skip="code")
    rows["code"] = codes
    return rows


def advance_heads(heads: list[bytes], data: StepBytes) -> list[bytes]:
    """Content heads (one per world) after one more step."""
    fixed, orders, contracts, size = data.fixed, data.orders, data.contracts, data.fixed_size
    after = []
    # one loop without calls but the hash's own: with hundreds of worlds they cost as much as hashing
    for head, at, (first, stop), (begin, end), outage in zip(
        heads,
        range(0, len(fixed), size),
        pairwise(data.order_bounds),
        pairwise(data.contract_bounds),
        data.outages,
        strict=True,
    ):
        state = hashlib.sha256(CONTENT_TAG + head)
        state.update(fixed[at : at + size])
        state.update(orders[first:stop])
        state.update(contracts[begin:end])
        if outage:
            state.update(outage)
        after.append(state.digest())
    return after


def _copy_columns(table: Table, wire: np.dtype[Any], skip: str = "") -> npt.NDArray[Any]:
    out = np.empty(len(table), wire)
    for name in wire.names or ():
        if name != skip:
            out[name] = table[name]
    return out


def _bytes_of(array: npt.NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).view(np.uint8).reshape(-1).data
