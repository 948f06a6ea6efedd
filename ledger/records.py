"""Records: what a block holds, each as type u8 | length u32 | body, big-endian.

1 genesis   canonical JSON of `ledger.rules`
2 members   chain 16 | operator key | then party u16 and key for each party; a key is its kind u8 and 32 or 33 bytes
3 calendar  line capacities and outside prices of the world
4 opening   long contracts, then those of last resort of the slots whose gates closed before the first step
5 envelope  the verbatim bytes, then one refusal code u8 per row
6 step      fixed part of `ledger.content` | contracts | refused envelopes (hash 32, code u8) | content head 32
7 end       steps u32 | records before this one u64 | content head 32; only a ledger that was closed has it
8 outage    capacities announced in a step and the contracts curtailed for them (`ledger.outages`); before its envelopes
9 enrol     a party's key, from a block on (`ledger.registrations`); 9 to 12 stand between steps
10 rotate   a key that takes the place of an old one
11 revoke   a key that may no longer speak
12 evidence two envelopes of one key under one sequence (`ledger.evidence`)
13 program  hashes of the programs the ledger runs by (`ledger.programs`); ends the front
14 exec     what a program made of the steps of a block (`ledger.executions`); behind the block's last step
15 sealed   a sealed order verbatim (`ledger.sealing`); before the envelopes of its step
16 share    the shares an administrator published when the gate had closed (`ledger.sealed_records`); behind those
17 snapshot the state at the end of a block; begins a pruned ledger, in no block (`ledger.snapshots`)
18 epoch    who orders blocks from here on, on what, promised by whom (`ledger.epochs`); alone in its block
19 privacy  who opens sealed orders (`ledger.sealed_records`); before the first step
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from ledger.encoding import ENVELOPE_HEAD, ROW_BYTES, SHORTEST
from ledger.keys import CHAIN_ID_BYTES
from ledger.p256 import P256_KEY_BYTES
from market.errors import LedgerError

_FRONT = struct.Struct(">BI")
_PARTY = struct.Struct(">H")
_REFUSED = struct.Struct(">32sB")
_END = struct.Struct(">IQ32s")
_KEY_BYTES = {1: 32, 2: P256_KEY_BYTES}
_KIND_OF = {size: kind for kind, size in _KEY_BYTES.items()}
_ROWS_AT = ENVELOPE_HEAD.fields["rows"][1] if ENVELOPE_HEAD.fields else 0


class RecordType(IntEnum):
    """What a record is."""

    GENESIS = 1
    MEMBERS = 2
    CALENDAR = 3
    OPENING = 4
    ENVELOPE = 5
    STEP = 6
    END = 7
    OUTAGE = 8
    ENROL = 9
    ROTATE = 10
    REVOKE = 11
    EVIDENCE = 12
    PROGRAM = 13
    EXEC = 14
    SEALED = 15
    SHARE = 16
    SNAPSHOT = 17
    EPOCH = 18
    PRIVACY = 19


FRONT = (RecordType.GENESIS, RecordType.MEMBERS, RecordType.CALENDAR, RecordType.OPENING, RecordType.PROGRAM)
"""What every ledger begins with, in this order."""


BETWEEN = frozenset({RecordType.ENROL, RecordType.ROTATE, RecordType.REVOKE, RecordType.EVIDENCE})
"""What stands between steps, before the outage and the envelopes of the next one."""


SEALING = frozenset({RecordType.PRIVACY, RecordType.SEALED, RecordType.SHARE})
"""What only a ledger of sealed orders has, all before the outage and the envelopes of a step."""


def frame_record(kind: RecordType, body: bytes) -> bytes:
    """One record as stored; its Merkle leaf is over these bytes."""
    return _FRONT.pack(kind, len(body)) + body


def split_records(data: bytes) -> Iterator[tuple[RecordType, bytes]]:
    """Type and body of each record in a block; raises LedgerError on anything left over or unknown."""
    at = 0
    while at < len(data):
        if at + _FRONT.size > len(data):
            raise LedgerError("a record is cut short")
        kind, length = _FRONT.unpack_from(data, at)
        at += _FRONT.size
        if kind not in RecordType.__members__.values() or at + length > len(data):
            raise LedgerError(f"record of unknown type {kind} or impossible length {length}")
        yield RecordType(kind), data[at : at + length]
        at += length


@dataclass(frozen=True)
class Members:
    """Chain id, the sequencer's public key and each party's public key."""

    chain_id: bytes
    operator: bytes
    keys: tuple[tuple[int, bytes], ...]

    def to_bytes(self) -> bytes:
        """Body of the members record."""
        parties = (_PARTY.pack(party) + join_key(key) for party, key in self.keys)
        return b"".join([self.chain_id, join_key(self.operator), *parties])


def read_members(body: bytes) -> Members:
    """Members from a record body; raises LedgerError unless it is exactly one."""
    chain_id, at = body[:CHAIN_ID_BYTES], CHAIN_ID_BYTES
    operator, at = take_key(body, at)
    keys = []
    while at < len(body):
        if at + _PARTY.size > len(body):
            raise LedgerError("members record has a wrong length")
        key, after = take_key(body, at + _PARTY.size)
        keys.append((_PARTY.unpack_from(body, at)[0], key))
        at = after
    return Members(chain_id, operator, tuple(keys))


def join_key(public_key: bytes) -> bytes:
    """A public key as records write it: its kind u8 (1 Ed25519, 2 P-256), then its bytes."""
    return bytes([_KIND_OF[len(public_key)]]) + public_key


def take_key(data: bytes, at: int) -> tuple[bytes, int]:
    """The public key written at a place, and the place behind it; raises LedgerError where there is none."""
    size = _KEY_BYTES.get(data[at]) if at < len(data) else None
    if size is None or at + 1 + size > len(data):
        raise LedgerError("a key of unknown kind, or cut short")
    return data[at + 1 : at + 1 + size], at + 1 + size


def split_envelope(body: bytes) -> tuple[bytes, bytes]:
    """Verbatim envelope and row codes of an envelope record; raises LedgerError on a wrong length."""
    rows = int.from_bytes(body[_ROWS_AT : _ROWS_AT + 2], "big")
    size = SHORTEST + rows * ROW_BYTES
    if len(body) != size + rows:
        raise LedgerError("envelope record has a wrong length")
    return body[:size], body[size:]


@dataclass(frozen=True)
class StepBody:
    """A step record, cut into its parts: fixed part, contracts, refused envelopes, content head."""

    fixed: bytes
    contracts: bytes
    refused: tuple[tuple[bytes, int], ...]
    head: bytes

    def to_bytes(self) -> bytes:
        """Body of the step record."""
        return self.fixed + self.contracts + b"".join(_REFUSED.pack(*entry) for entry in self.refused) + self.head


def read_step(body: bytes, fixed_size: int, contract_size: int) -> StepBody:
    """Cut a step record; the number of contracts is the last field of the fixed part."""
    fixed = body[:fixed_size]
    contracts_end = fixed_size + int.from_bytes(fixed[-4:], "big") * contract_size
    rest = len(body) - 32 - contracts_end
    if len(fixed) != fixed_size or rest < 0 or rest % _REFUSED.size:
        raise LedgerError("step record has a wrong length")
    refused = tuple(_REFUSED.iter_unpack(body[contracts_end:-32]))
    return StepBody(fixed, body[fixed_size:contracts_end], refused, body[-32:])


def end_body(steps: int, records: int, head: bytes) -> bytes:
    """Body of the end record."""
    return _END.pack(steps, records, head)
