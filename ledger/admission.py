"""Admission: which rows and envelopes may enter; every refusal is a value.

Rows are checked on columns of all worlds at once, the same in every ledger mode, by `market.validation` and by the
clock: gate not closed, slot open in this design.

Envelopes are checked cheapest first: length, magic, version; chain; key; revocation; sequence; and the signature last.
A key speaks once a step: a second envelope finds its turn used up and is refused as an old sequence, as is a replay.
An envelope for another step than the current one is kept, but all its rows are closed and its plan and reading unheard.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass

import numpy as np

from ledger.encoding import (
    ABSENT,
    SAYS_PLAN,
    SAYS_READING,
    SIGNATURE_BYTES,
    decode_heads,
    decode_rows,
    is_well_formed,
    record_id,
    signed_message,
)
from ledger.keys import are_signed_by
from ledger.registry import Registry
from market.design import MarketDesign
from market.errors import Refusal
from market.grid import Grid
from market.opening import open_range
from market.slots import SlotCalendar
from market.tables import Table
from market.units import Int
from market.validation import PARTY_BITS, Codes, Mask, check_orders

CHAIN, KEY_ID, SEQUENCE = slice(5, 21), slice(21, 37), slice(37, 45)
"""Where an envelope's chain, key and sequence stand."""
ROW_BITS = 16
"""A party's step has fewer than 2^16 rows."""


def check_rows(design: MarketDesign, grid: Grid, orders: Table, now: Int, end: Int, calendar: SlotCalendar) -> Codes:
    """Refusal code of each order row, (n,) uint8; 0 where it may enter.

    Args:
        design: lot, tick, band, and when it takes orders.
        grid: areas.
        orders: ORDER rows of any number of worlds; `world` selects from `now` and `end`.
        now: (worlds,) current slot.
        end: (worlds,) first slot that no longer belongs to the world.
        calendar: slot length and gate.
    """
    clock = np.zeros(len(orders), np.uint8)
    if not len(orders):
        return clock
    first, stop = open_range(design, calendar, now)
    stop = np.minimum(stop, end)
    world = np.ascontiguousarray(orders["world"])
    slot = np.ascontiguousarray(orders["slot"])
    clock[slot >= stop[world]] = Refusal.BEYOND_HORIZON
    clock[slot < first[world]] = Refusal.CLOSED
    return check_orders(design, grid, orders, clock)


def close_late(codes: Codes, late: Mask) -> None:
    """Close the rows of envelopes for another step, whatever else is wrong with them; in place."""
    codes[late] = Refusal.CLOSED


def number_rows(orders: Table) -> Int:
    """Position of each row within its party's step, (n,); rows are sorted by world and party."""
    party = (orders["world"].astype(np.int64) << PARTY_BITS) | orders["party"]
    place = np.arange(len(orders))
    begins = np.concatenate([[True], party[1:] != party[:-1]])[: len(orders)]
    return place - np.maximum.accumulate(np.where(begins, place, 0))


def number_arrivals(orders: Table, arrival: Int, step: Int) -> None:
    """Write `sequence`: by step, then by the party's rank of arrival, then by the row's place in its envelope.

    `arrival` (worlds, parties) holds ranks, `step` (worlds,) slots since the world's start. In place.
    """
    world = orders["world"]
    rank = arrival[world, orders["party"]].astype(np.int64)
    orders["sequence"] = (
        (step[world].astype(np.int64) << (PARTY_BITS + ROW_BITS)) | (rank << ROW_BITS) | number_rows(orders)
    )


@dataclass(frozen=True)
class Hearing:
    """What was made of the envelopes of one world and step.

    - codes (envelopes,): Refusal of each given envelope, in the order given;
    - hashes: SHA-256 of each given envelope, signature included;
    - kept: the admitted envelopes verbatim, sorted by party, and `party` (kept,) who they are from;
    - orders: their rows, world 0, one envelope after another; `counts` (kept,) rows of each;
    - in_time (kept,): whether the envelope is for this step;
    - plan, reading (kept,) [Wh]: as declared, ABSENT when not in time or not given.
    """

    codes: Codes
    hashes: list[bytes]
    kept: list[bytes]
    party: Int
    orders: Table
    counts: Int
    in_time: Mask
    plan: Int
    reading: Int


def admit_envelopes(
    registry: Registry,
    chain_id: bytes,
    last_sequence: MutableMapping[bytes, int],
    envelopes: Sequence[bytes],
    slot: int,
) -> Hearing:
    """Hear the envelopes of one world and step; `last_sequence` by key id moves on for those admitted."""
    codes = np.array([judge(registry, chain_id, last_sequence, envelope) for envelope in envelopes], np.uint8)
    candidates = np.flatnonzero(codes == Refusal.ADMITTED).tolist()
    good = _check_signatures(registry, [envelopes[index] for index in candidates])
    heard: list[tuple[int, bytes]] = []
    turn: set[bytes] = set()
    for index, signed in zip(candidates, good, strict=True):
        envelope = envelopes[index]
        key_id = envelope[KEY_ID]
        if key_id in turn:
            codes[index] = Refusal.OLD_SEQUENCE
        elif not signed:
            codes[index] = Refusal.BAD_SIGNATURE
        else:
            turn.add(key_id)
            last_sequence[key_id] = int.from_bytes(envelope[SEQUENCE], "big")
            heard.append((registry.members[key_id].party, envelope))
    heard.sort()
    hashes = [record_id(envelope) for envelope, code in zip(envelopes, codes.tolist(), strict=True) if code]
    return _read(heard, codes, hashes, slot)


def judge(registry: Registry, chain_id: bytes, last_sequence: Mapping[bytes, int], envelope: bytes) -> Refusal:
    """An envelope's code by all rules but the signature."""
    if not is_well_formed(envelope):
        return Refusal.MALFORMED
    if envelope[CHAIN] != chain_id:
        return Refusal.WRONG_CHAIN
    key_id = envelope[KEY_ID]
    standing = registry.check(key_id)
    if standing:
        return standing
    if int.from_bytes(envelope[SEQUENCE], "big") <= last_sequence.get(key_id, 0):
        return Refusal.OLD_SEQUENCE
    return Refusal.ADMITTED


def _check_signatures(registry: Registry, envelopes: Sequence[bytes]) -> list[bool]:
    return are_signed_by(
        [
            (
                registry.members[envelope[KEY_ID]].verifier,
                envelope[-SIGNATURE_BYTES:],
                signed_message(envelope[:-SIGNATURE_BYTES]),
            )
            for envelope in envelopes
        ]
    )


def _read(heard: list[tuple[int, bytes]], codes: Codes, hashes: list[bytes], slot: int) -> Hearing:
    kept = [envelope for _, envelope in heard]
    party = np.array([number for number, _ in heard], np.int64)
    heads = decode_heads(kept)
    orders = decode_rows(kept)
    counts = heads["rows"].astype(np.int64)
    orders["party"] = np.repeat(party, counts)
    in_time = heads["slot"] == slot
    plan = np.where(in_time & (heads["says"] & SAYS_PLAN != 0), heads["plan"], ABSENT).astype(np.int64)
    reading = np.where(in_time & (heads["says"] & SAYS_READING != 0), heads["reading"], ABSENT).astype(np.int64)
    return Hearing(codes, hashes, kept, party, orders, counts, in_time, plan, reading)


def fill_unheard(plan: Int, position: Int) -> Int:
    """Plans with the contracted position where a party declared none: nobody plans in its stead."""
    return np.where(plan == ABSENT, position, plan)
