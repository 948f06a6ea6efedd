"""Admission: every refusal code of rows and envelopes, and who wins when several apply."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.admission import ROW_BITS, Hearing, admit_envelopes, check_rows, fill_unheard, number_arrivals
from ledger.encoding import ABSENT, encode_bodies, signed_message
from ledger.keys import Signer, SoftwareSigner
from ledger.registry import Registry
from market.design import DESIGNS, MarketDesign
from market.errors import Refusal
from market.grid import Grid
from market.opening import open_range
from market.orders import ORDER, ORDER_WIRE
from market.slots import HALF_HOURS, SlotCalendar
from market.tables import Table, to_wire
from market.validation import PARTY_BITS

GRID = Grid(("tokyo",))
DGP = replace(DESIGNS["dgp"], lot_wh=50, tick_mjpy_kwh=10, horizon=4)
MIDNIGHT = 6_000 * 48
GOOD = {"side": 1, "kind": 1, "area": 0, "time_in_force": 1, "slot": MIDNIGHT + 2, "energy": 100, "price": 500}


def rows(*changes: dict[str, int]) -> Table:
    """Good orders with changes, each with its own reference."""
    out = np.zeros(len(changes), ORDER)
    for number, change in enumerate(changes):
        for name, value in ({"reference": number} | GOOD | change).items():
            out[name][number] = value
    return out


def codes(design: MarketDesign, orders: Table, now: int = MIDNIGHT, end: int = MIDNIGHT + 48) -> list[int]:
    """Codes in one world."""
    found = check_rows(design, GRID, orders, np.array([now]), np.array([end]), HALF_HOURS)
    assert found.dtype == np.uint8
    return [int(code) for code in found]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, Refusal.ADMITTED),
        ({"energy": 0}, Refusal.NOT_POSITIVE),
        ({"energy": -50}, Refusal.NOT_POSITIVE),
        ({"energy": 75}, Refusal.OFF_LOT),
        ({"price": 505}, Refusal.OFF_TICK),
        ({"price": 0}, Refusal.OUT_OF_BAND),
        ({"price": 1_000_000}, Refusal.OUT_OF_BAND),
        ({"energy": 1 << 38}, Refusal.TOO_LARGE),
        ({"price": 1 << 24}, Refusal.TOO_LARGE),
        ({"price": -(1 << 24)}, Refusal.TOO_LARGE),
        ({"area": 1}, Refusal.UNKNOWN_AREA),
        ({"side": 0}, Refusal.UNKNOWN_KIND),
        ({"side": 3}, Refusal.UNKNOWN_KIND),
        ({"kind": 0}, Refusal.UNKNOWN_KIND),
        ({"kind": 6}, Refusal.UNKNOWN_KIND),
        ({"kind": 5}, Refusal.BLOCK_GAP),
        ({"time_in_force": 3}, Refusal.UNKNOWN_KIND),
        ({"slot": MIDNIGHT + 1}, Refusal.CLOSED),
        ({"slot": 0}, Refusal.CLOSED),
        ({"slot": MIDNIGHT + 5}, Refusal.ADMITTED),
        ({"slot": MIDNIGHT + 6}, Refusal.BEYOND_HORIZON),
        ({"reference": 0}, Refusal.DUPLICATE_REFERENCE),
        ({"kind": 2, "energy": 0, "price": 0}, Refusal.ADMITTED),
        ({"kind": 2, "energy": 1, "price": 3}, Refusal.ADMITTED),
        ({"kind": 2, "slot": MIDNIGHT + 1}, Refusal.CLOSED),
        ({"side": 9, "area": 9, "energy": -1, "slot": 0}, Refusal.UNKNOWN_KIND),
        ({"energy": 75, "price": 505, "slot": 0}, Refusal.OFF_LOT),
    ],
)
def test_each_broken_rule_has_its_code(change: dict[str, int], code: Refusal) -> None:
    """One row breaks a rule, its neighbours stay admitted."""
    assert codes(DGP, rows({}, change, {})) == [0, code, 0]


def test_a_world_takes_no_orders_beyond_its_end() -> None:
    """The last slot of an episode closes the horizon."""
    assert codes(DGP, rows({}, {"slot": MIDNIGHT + 3}), end=MIDNIGHT + 3) == [0, Refusal.BEYOND_HORIZON]


@pytest.mark.parametrize(
    ("name", "now", "first", "stop"),
    [
        ("dgp", MIDNIGHT, MIDNIGHT + 2, MIDNIGHT + 6),
        ("call", MIDNIGHT, MIDNIGHT + 2, MIDNIGHT + 3),
        ("spot", MIDNIGHT + 20, MIDNIGHT + 48, MIDNIGHT + 96),
        ("spot", MIDNIGHT + 19, MIDNIGHT + 21, MIDNIGHT + 21),
        ("spot+intraday", MIDNIGHT + 19, MIDNIGHT + 21, MIDNIGHT + 48),
        ("spot+intraday", MIDNIGHT + 20, MIDNIGHT + 22, MIDNIGHT + 96),
        ("spot+intraday", MIDNIGHT + 21, MIDNIGHT + 23, MIDNIGHT + 48),
        ("spot+intraday", MIDNIGHT + 33, MIDNIGHT + 35, MIDNIGHT + 48),
        ("spot+intraday", MIDNIGHT + 34, MIDNIGHT + 36, MIDNIGHT + 96),
        ("spot+intraday", MIDNIGHT + 47, MIDNIGHT + 49, MIDNIGHT + 96),
        ("mcafee", MIDNIGHT, MIDNIGHT + 2, MIDNIGHT + 3),
        ("retail", MIDNIGHT, MIDNIGHT + 2, MIDNIGHT + 2),
    ],
)
def test_designs_open_their_slots(name: str, now: int, first: int, stop: int) -> None:
    """Rolling from the gate, the gate slot only, tomorrow at ten, today and from 17:00 tomorrow, never."""
    assert [int(edge[0]) for edge in open_range(DESIGNS[name], HALF_HOURS, np.array([now]))] == [first, stop]


def test_quarter_hours_close_four_slots_ahead() -> None:
    """The gate is an hour, whatever the slot length (paper 3.1)."""
    assert int(open_range(DESIGNS["dgp"], SlotCalendar(15), np.array([100]))[0][0]) == 104


def test_an_auction_for_tomorrow_refuses_today() -> None:
    """At ten only tomorrow's slots are open, at any other time none."""
    days = {"slot": MIDNIGHT + 47}, {"slot": MIDNIGHT + 48}, {"slot": MIDNIGHT + 95}, {"slot": MIDNIGHT + 96}
    spot, end = replace(DESIGNS["spot"], lot_wh=50), MIDNIGHT + 500
    closed, beyond = Refusal.CLOSED, Refusal.BEYOND_HORIZON
    assert codes(spot, rows(*days), MIDNIGHT + 20, end) == [closed, 0, 0, beyond]
    assert codes(spot, rows(*days), MIDNIGHT + 21, end) == [beyond] * 4
    assert codes(DESIGNS["retail"], rows(*days), MIDNIGHT, end) == [beyond] * 4


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=40), st.integers(0, 99), st.randoms())
def test_sequence_orders_by_step_then_rank_then_row(keys: list[tuple[int, int]], step: int, dice: Random) -> None:
    """Against sorting by the three parts."""
    keys.sort()
    table = np.zeros(len(keys), ORDER)
    table["world"], table["party"] = [k[0] for k in keys], [k[1] for k in keys]
    arrival = np.array([dice.sample(range(5), 5) for _ in range(4)])
    number_arrivals(table, arrival, np.full(4, step))
    seen: dict[tuple[int, int], int] = {}
    for key, sequence in zip(keys, table["sequence"].tolist(), strict=True):
        row = seen[key] = seen.get(key, -1) + 1
        assert sequence == (step << PARTY_BITS + ROW_BITS) + (int(arrival[key]) << 16) + row


def test_a_batch_is_checked_as_each_world_alone() -> None:
    """World decides which clock and which end a row is held against."""
    dice = np.random.default_rng(0)
    table = rows(*[{} for _ in range(60)])
    table["world"], table["slot"] = np.repeat(np.arange(3), 20), MIDNIGHT + dice.integers(0, 60, 60)
    now, end = MIDNIGHT + np.array([0, 10, 40]), MIDNIGHT + np.array([20, 13, 96])
    together = check_rows(DGP, GRID, table, now, end, HALF_HOURS)
    for world in range(3):
        alone = table[table["world"] == world]
        alone["world"] = 0
        expected = check_rows(DGP, GRID, alone, now[[world]], end[[world]], HALF_HOURS)
        assert (together[table["world"] == world] == expected).all()


def test_no_rows_have_no_codes() -> None:
    """An empty table is fine."""
    assert codes(DGP, rows()) == []


SIGNERS = [SoftwareSigner.generate() for _ in range(3)]
CHAIN = b"Sixteen bytes id"


def envelope(
    signer: Signer, sequence: int = 1, chain: bytes = CHAIN, slot: int = 9, orders: Table | None = None
) -> bytes:
    """An envelope with one good order and a plan."""
    table = rows({}) if orders is None else orders
    wire = to_wire(table, ORDER_WIRE)
    body = encode_bodies(
        chain,
        [signer.key_id],
        np.array([sequence]),
        slot,
        np.array([70]),
        np.array([ABSENT]),
        np.array([len(wire)]),
        wire,
    )[0]
    return body + signer.sign(signed_message(body))


def hear(*given_envelopes: bytes, last: dict[bytes, int] | None = None, revoked: int | None = None) -> Hearing:
    """Admit envelopes where the first two signers are registered as parties 0 and 1."""
    registry = Registry()
    ids = [registry.register(party, SIGNERS[party].public_key) for party in range(2)]
    if revoked is not None:
        registry.revoke(ids[revoked])
    return admit_envelopes(registry, CHAIN, {} if last is None else last, given_envelopes, 9)


def spoil(data: bytes, place: int) -> bytes:
    """Flip a bit."""
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_each_bad_envelope_has_its_code() -> None:
    """Malformed, other chain, unknown key, revoked key, replay, forged signature."""
    good = envelope(SIGNERS[0])
    assert hear(good).codes.tolist() == [0]
    assert hear(good[:-1], b"", good + b"\0").codes.tolist() == [Refusal.MALFORMED] * 3
    assert hear(envelope(SIGNERS[0], chain=b"L" * 16)).codes.tolist() == [Refusal.WRONG_CHAIN]
    assert hear(envelope(SIGNERS[2])).codes.tolist() == [Refusal.UNKNOWN_KEY]
    assert hear(good, revoked=0).codes.tolist() == [Refusal.REVOKED_KEY]
    assert hear(good, last={SIGNERS[0].key_id: 1}).codes.tolist() == [Refusal.OLD_SEQUENCE]
    forged = [spoil(good, place) for place in (40, 48, 59, 70, 100, len(good) - 1, len(good) - 40)]
    assert hear(*forged).codes.tolist() == [Refusal.BAD_SIGNATURE] * len(forged)


def test_a_signature_for_another_purpose_does_not_count() -> None:
    """The domain tag is part of what is signed."""
    body = envelope(SIGNERS[0])[:-64]
    assert hear(body + SIGNERS[0].sign(body)).codes.tolist() == [Refusal.BAD_SIGNATURE]


def test_a_key_speaks_once_a_step() -> None:
    """The first good envelope counts; one with a higher sequence is too many, the same again is a resend."""
    first, second = envelope(SIGNERS[0], 5), envelope(SIGNERS[0], 6)
    last: dict[bytes, int] = {}
    heard = hear(spoil(first, 60), first, second, first, last=last)
    assert heard.codes.tolist()[1:] == [0, Refusal.TOO_MANY, Refusal.RESENT]
    assert last == {SIGNERS[0].key_id: 5}
    assert heard.kept == [first]
    assert len(heard.hashes) == 3


def test_envelopes_are_read_in_order_of_parties() -> None:
    """The order in which they come in does not show in the columns."""
    a, b = envelope(SIGNERS[0], orders=rows({}, {})), envelope(SIGNERS[1])
    heard = hear(b, a)
    assert heard.kept == [a, b]
    assert heard.party.tolist() == [0, 1]
    assert heard.orders["party"].tolist() == [0, 0, 1]
    assert heard.plan.tolist() == [70, 70]
    assert heard.reading.tolist() == [ABSENT, ABSENT]


def test_an_envelope_for_another_step_is_kept_but_not_heard() -> None:
    """Its sequence is used, its plan is not."""
    last: dict[bytes, int] = {}
    heard = hear(envelope(SIGNERS[0], slot=8), last=last)
    assert heard.codes.tolist() == [0]
    assert heard.in_time.tolist() == [False]
    assert heard.plan.tolist() == [ABSENT]
    assert last == {SIGNERS[0].key_id: 1}


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_any_bytes_get_a_code(data: bytes) -> None:
    """Admission never raises."""
    assert hear(data, b"DGEN\1" + data).codes.all()


def test_an_unheard_party_keeps_what_it_contracted() -> None:
    """Nobody plans in its stead."""
    assert fill_unheard(np.array([[5, ABSENT]]), np.array([[1, 2]])).tolist() == [[5, 2]]


def test_one_side_of_a_slot_stays_below_the_bound_of_sums() -> None:
    """Rows that would carry a book's side to 2^38 Wh are too large, in their order; other books are not touched."""
    big = {"energy": (1 << 38) - 100, "slot": MIDNIGHT + 3}
    orders = rows(
        big, {**big, "side": 2}, {"slot": MIDNIGHT + 3, "energy": 50}, big, {"slot": MIDNIGHT + 3, "energy": 50}
    )
    lot = replace(DGP, lot_wh=1)
    assert codes(lot, orders) == [0, 0, 0, Refusal.TOO_LARGE, Refusal.TOO_LARGE]
    cancel = {"kind": 2, "energy": (1 << 38) - 1}
    assert codes(lot, rows(cancel, cancel, {})) == [0, 0, 0]
