"""Admission: which rows and envelopes may enter; every refusal is a value.

Rows are checked on columns of all worlds at once, the same in every ledger mode, by `market.validation` and by the
clock: gate not closed, slot open in this design. Rows of block orders are checked block by block (`market.block_rows`).

Envelopes are checked cheapest first: length, magic, version; chain; key known and not revoked; sequence; age; number of
rows; and the signature last, before anything is changed by them. Of one key id no more than `CHECKS` signatures are
checked in a step, so that junk costs no more; what comes behind is refused unread (FLOODED). Sequences only grow; they
need not be without gaps, as networks lose messages. A key speaks once a step. What it sent before and sends again gets
the answer of the first time; what it says otherwise under the same sequence is refused and kept as evidence. The other
limits count only what a key signed: up to that many checks, junk under a stranger's key id takes nothing from him.

An envelope for another step than the current one is kept, but all its rows are closed and its plan and reading unheard;
one more than `NOT_AFTER` steps old is refused, so that nobody hoards statements of a device.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

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
from ledger.evidence import accuse
from ledger.keys import in_parallel, is_signed_by
from ledger.registry import Registry
from ledger.remembered import Heard, Remembered
from market.design import MarketDesign
from market.errors import Refusal
from market.grid import Grid
from market.opening import open_range
from market.orders import is_block
from market.slots import SlotCalendar
from market.tables import Table, pick_rows
from market.units import Int
from market.validation import PARTY_BITS, Codes, Mask, check_orders

CHAIN, KEY_ID, SEQUENCE, SLOT, ROWS = slice(5, 21), slice(21, 37), slice(37, 45), slice(45, 49), slice(49, 51)
"""Where an envelope's chain, key, sequence, slot and number of rows stand."""
NOT_AFTER = 4
"""Steps after its own in which an envelope may still come in."""
CHECKS = 16
"""Signatures checked of one key id in a step: an honest device sends one, and again while it hears no answer; about a
millisecond of a core at worst (assumption)."""
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
    if not len(orders):
        return np.zeros(0, np.uint8)
    first, stop = open_range(design, calendar, now)
    stop = np.minimum(stop, end)
    blocks = is_block(orders)
    if not blocks.any():
        return _check_simple(design, grid, orders, first, stop)
    from market.block_rows import check_block_rows

    codes = np.zeros(len(orders), np.uint8)
    codes[~blocks] = _check_simple(design, grid, pick_rows(orders, ~blocks), first, stop)
    codes[blocks] = check_block_rows(design, grid, pick_rows(orders, blocks), first, stop)
    return codes


def _check_simple(design: MarketDesign, grid: Grid, orders: Table, first: Int, stop: Int) -> Codes:
    clock = np.zeros(len(orders), np.uint8)
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
    - plan, reading (kept,) [Wh]: as declared, ABSENT when not in time or not given;
    - evidence: bodies of the evidence records that are due.
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
    evidence: list[bytes] = field(default_factory=list)


def admit_envelopes(
    registry: Registry,
    chain_id: bytes,
    last_sequence: MutableMapping[bytes, int],
    envelopes: Sequence[bytes],
    slot: int,
    remembered: Remembered | None = None,
    checks: int = CHECKS,
) -> Hearing:
    """Hear the envelopes of one world and step; `last_sequence` by key id moves on for those admitted.

    What earlier calls heard is known from `remembered`; without it, sequences they used are old and nothing more.
    Of one key id at most `checks` signatures are checked.
    """
    known = Remembered() if remembered is None else remembered

    codes, due = _choose_checks(registry, chain_id, last_sequence, envelopes, slot, known, checks)
    # nothing changes before all have been looked at, so the order among threads does not show
    checked = in_parallel(lambda index: _is_signed(registry, envelopes[index]), due)
    looked: list[bool | None] = [None] * len(envelopes)
    for index, good in zip(due, checked, strict=True):
        looked[index] = good
    heard: list[tuple[int, bytes]] = []
    evidence: list[bytes] = []
    turn: set[bytes] = set()
    for index, (envelope, signed) in enumerate(zip(envelopes, looked, strict=True)):
        if signed is None:
            continue
        key_id, sequence = envelope[KEY_ID], _sequence(envelope)
        if not signed:
            codes[index] = Refusal.BAD_SIGNATURE
        elif sequence <= last_sequence.get(key_id, 0):
            before = known.find(key_id, sequence)
            codes[index] = _compare(before, envelope)
            if before and codes[index] == Refusal.EQUIVOCATION and not before.accused:
                before.accused = True
                evidence.append(accuse(registry.find(key_id).public_key, before.envelope, envelope).to_bytes())
        elif key_id in turn:
            codes[index] = Refusal.TOO_MANY
        else:
            turn.add(key_id)
            last_sequence[key_id] = sequence
            known.keep(key_id, sequence, envelope, registry.height)
            heard.append((registry.members[key_id].party, envelope))
    heard.sort()
    hashes = [record_id(envelope) for envelope, code in zip(envelopes, codes, strict=True) if code]
    return _read(heard, np.array(codes, np.uint8), hashes, slot, evidence)


def _choose_checks(
    registry: Registry,
    chain_id: bytes,
    last_sequence: Mapping[bytes, int],
    envelopes: Sequence[bytes],
    slot: int,
    known: Remembered,
    most: int,
) -> tuple[list[Refusal], list[int]]:
    """Codes by all rules but the signature, and which envelopes' signatures matter: the first few of each key id."""
    codes, due, checks = list[Refusal](), list[int](), dict[bytes, int]()
    for index, envelope in enumerate(envelopes):
        code = judge(registry, chain_id, last_sequence, envelope, slot)
        key_id = envelope[KEY_ID]
        if code == Refusal.ADMITTED or (code == Refusal.OLD_SEQUENCE and known.find(key_id, _sequence(envelope))):
            checks[key_id] = checks.get(key_id, 0) + 1
            if checks[key_id] <= most:
                due.append(index)
            else:
                code = Refusal.FLOODED
        codes.append(code)
    return codes, due


def judge(
    registry: Registry, chain_id: bytes, last_sequence: Mapping[bytes, int], envelope: bytes, slot: int
) -> Refusal:
    """An envelope's code by all rules but the signature and what follows from it."""
    if not is_well_formed(envelope):
        return Refusal.MALFORMED
    if envelope[CHAIN] != chain_id:
        return Refusal.WRONG_CHAIN
    key_id = envelope[KEY_ID]
    standing = registry.check(key_id)
    if standing:
        return standing
    if _sequence(envelope) <= last_sequence.get(key_id, 0):
        return Refusal.OLD_SEQUENCE
    if int.from_bytes(envelope[SLOT], "big") + NOT_AFTER < slot:
        return Refusal.EXPIRED
    if int.from_bytes(envelope[ROWS], "big") > registry.members[key_id].rows:
        return Refusal.TOO_MANY
    return Refusal.ADMITTED


def withdraw_silent(resting: Table, silent: Mask) -> tuple[Table, Table]:
    """Open orders that stay, and those cancelled as `silent` (worlds, parties) says: the party has no key any more."""
    gone = silent[resting["world"], resting["party"]]
    return resting[~gone], resting[gone]


def _sequence(envelope: bytes) -> int:
    return int.from_bytes(envelope[SEQUENCE], "big")


def _compare(before: Heard | None, envelope: bytes) -> Refusal:
    """What a signed envelope is whose sequence was used: the same statement, another one, or too old to say."""
    if before is None:
        return Refusal.OLD_SEQUENCE
    same = before.envelope[:-SIGNATURE_BYTES] == envelope[:-SIGNATURE_BYTES]
    return Refusal.RESENT if same else Refusal.EQUIVOCATION


def _is_signed(registry: Registry, envelope: bytes) -> bool:
    verifier = registry.members[envelope[KEY_ID]].verifier
    return is_signed_by(verifier, envelope[-SIGNATURE_BYTES:], signed_message(envelope[:-SIGNATURE_BYTES]))


def _read(
    heard: list[tuple[int, bytes]], codes: Codes, hashes: list[bytes], slot: int, evidence: list[bytes]
) -> Hearing:
    kept = [envelope for _, envelope in heard]
    party = np.array([number for number, _ in heard], np.int64)
    heads = decode_heads(kept)
    orders = decode_rows(kept)
    counts = heads["rows"].astype(np.int64)
    orders["party"] = np.repeat(party, counts)
    in_time = heads["slot"] == slot
    plan = np.where(in_time & (heads["says"] & SAYS_PLAN != 0), heads["plan"], ABSENT).astype(np.int64)
    reading = np.where(in_time & (heads["says"] & SAYS_READING != 0), heads["reading"], ABSENT).astype(np.int64)
    return Hearing(codes, hashes, kept, party, orders, counts, in_time, plan, reading, evidence)


def fill_unheard(plan: Int, position: Int) -> Int:
    """Plans with the contracted position where a party declared none: nobody plans in its stead."""
    return np.where(plan == ABSENT, position, plan)
