"""Wire bytes of the envelope: what one device says in one step, signed once.

An envelope carries a party's orders, its plan and its newest reading of one step (paper 2.2: every trade is signed
by its device). Layout, big-endian and packed:

    magic "DGEN" | version u8 | chain 16 | key 16 | sequence u64 | slot u32 | rows u16 | says u8
    | plan i64 [Wh] | reading i64 [Wh] | policy 32 | observation 32 | rows of market.orders.ORDER_WIRE | signature 64

`says` is 1 when there is a plan, plus 2 when there is a reading; the number of what is not said is zero. `policy` and
`observation` are the hashes of what decided and of what it saw (`ledger.reasons`), zero where the device does not say.

The signature is Ed25519 over `ENVELOPE_TAG` and the SHA-256 of every byte before it; that hash is the record id.
Signed bytes are kept verbatim and never encoded again. Decoding is strict: a wrong length, an unknown version
or a value with two spellings is malformed.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from market.orders import ORDER, ORDER_WIRE
from market.tables import Table, from_wire
from market.units import Int

ENVELOPE_TAG = b"DG/env/v2\0"
HEADER_TAG = b"DG/hdr/v1\0"
HEADER_SIGNATURE_TAG = b"DG/hdr/sig/v1\0"
CONTENT_TAG = b"DG/content/v1\0"
GENESIS_TAG = b"DG/genesis/v1\0"
CALENDAR_TAG = b"DG/calendar/v1\0"
OPENING_TAG = b"DG/opening/v1\0"

ENVELOPE_MAGIC = b"DGEN"
ENVELOPE_VERSION = 2
SIGNATURE_BYTES = 64
MAX_ROWS = 0xFFFF
SAYS_PLAN, SAYS_READING = 1, 2

ENVELOPE_HEAD = np.dtype(
    [
        ("magic", "V4"),
        ("version", "u1"),
        ("chain", "V16"),
        ("key", "V16"),
        ("sequence", ">u8"),
        ("slot", ">u4"),
        ("rows", ">u2"),
        ("says", "u1"),
        ("plan", ">i8"),
        ("reading", ">i8"),
        ("policy", "V32"),
        ("observation", "V32"),
    ]
)
HEAD_BYTES = ENVELOPE_HEAD.itemsize
ROW_BYTES = ORDER_WIRE.itemsize
SHORTEST = HEAD_BYTES + SIGNATURE_BYTES

ABSENT = int(np.iinfo(np.int64).min)
"""Stands in plan and reading columns where a party said nothing."""
_LEAST, _ZERO = ABSENT.to_bytes(8, "big", signed=True), bytes(8)


def canonical_json(value: object) -> bytes:
    """The one JSON spelling of plain data: keys sorted, no blanks, ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def encode_bodies(
    chain_id: bytes,
    key_ids: Sequence[bytes],
    sequence: Int,
    slot: int,
    plan: Int,
    reading: Int,
    counts: Int,
    rows: Table,
    reasons: npt.NDArray[np.uint8] | None = None,
) -> list[bytes]:
    """Envelope bytes without signature for n devices at once.

    Args:
        chain_id: 16 bytes.
        key_ids: n times 16 bytes.
        sequence: (n,) each above the device's last.
        slot: the step.
        plan: (n,) [Wh] declared net energy of the slot whose gate closes, + is import, ABSENT for none.
        reading: (n,) [Wh] metered net energy of the slot before, ABSENT where there is none.
        counts: (n,) rows of each device.
        rows: the devices' rows one after another, in ORDER_WIRE.
        reasons: (n, 2, 32) hashes of policy and of observation, zero for none; all none if not given.
    """
    heads = np.zeros(len(key_ids), ENVELOPE_HEAD)
    heads["magic"] = np.void(ENVELOPE_MAGIC)
    heads["version"] = ENVELOPE_VERSION
    heads["chain"] = np.void(chain_id)
    heads["key"] = np.frombuffer(b"".join(key_ids), "V16")
    heads["sequence"], heads["slot"], heads["rows"] = sequence, slot, counts
    has_plan, has_reading = plan != ABSENT, reading != ABSENT
    heads["says"] = has_plan * SAYS_PLAN + has_reading * SAYS_READING
    heads["plan"], heads["reading"] = np.where(has_plan, plan, 0), np.where(has_reading, reading, 0)
    if reasons is not None:
        heads["policy"], heads["observation"] = reasons.view("V32")[..., 0].T
    head_bytes, row_bytes = heads.tobytes(), rows.tobytes()
    stops = (np.cumsum(counts) * ROW_BYTES).tolist()
    starts = [0, *stops[:-1]]
    return [
        head_bytes[at : at + HEAD_BYTES] + row_bytes[start:stop]
        for at, start, stop in zip(range(0, len(head_bytes), HEAD_BYTES), starts, stops, strict=True)
    ]


def record_id(body: bytes) -> bytes:
    """SHA-256 of an envelope without its signature."""
    return hashlib.sha256(body).digest()


def signed_message(body: bytes) -> bytes:
    """What a device signs: the domain tag and the hash of the bytes."""
    return ENVELOPE_TAG + hashlib.sha256(body).digest()


def is_well_formed(envelope: bytes) -> bool:
    """Whether the bytes are one envelope of this version and nothing else."""
    if len(envelope) < SHORTEST or envelope[:4] != ENVELOPE_MAGIC or envelope[4] != ENVELOPE_VERSION:
        return False
    if len(envelope) != SHORTEST + ROW_BYTES * int.from_bytes(envelope[49:51], "big"):
        return False
    says, plan, reading = envelope[51], envelope[52:60], envelope[60:68]
    return (
        says <= SAYS_PLAN + SAYS_READING
        and (plan != _LEAST if says & SAYS_PLAN else plan == _ZERO)
        and (reading != _LEAST if says & SAYS_READING else reading == _ZERO)
    )


def decode_heads(envelopes: Sequence[bytes]) -> npt.NDArray[Any]:
    """Heads of well-formed envelopes as a structured array (n,) of ENVELOPE_HEAD."""
    return np.frombuffer(b"".join([envelope[:HEAD_BYTES] for envelope in envelopes]), ENVELOPE_HEAD)


def decode_rows(envelopes: Sequence[bytes]) -> Table:
    """All order rows of well-formed envelopes, one after another, as an ORDER table."""
    data = b"".join([envelope[HEAD_BYTES:-SIGNATURE_BYTES] for envelope in envelopes])
    return from_wire(data, ORDER_WIRE, ORDER)
