"""Wire bytes of the envelope: round trips, strictness, and bytes that never change."""

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.encoding import (
    ABSENT,
    HEAD_BYTES,
    SIGNATURE_BYTES,
    canonical_json,
    decode_heads,
    decode_rows,
    encode_bodies,
    is_well_formed,
    signed_message,
)
from ledger.keys import simulation_chain_id, simulation_signer
from market.orders import ORDER, ORDER_WIRE
from market.tables import Table, to_wire

CHAIN = simulation_chain_id(7, b"golden")


def table(rows: list[tuple[int, ...]]) -> Table:
    """Orders from (side, kind, area, tif, slot, energy, price, reference)."""
    out = np.zeros(len(rows), ORDER)
    for name, column in zip(ORDER_WIRE.names or (), zip(*rows, strict=True), strict=False):
        out[name] = column
    return out


numbers = st.integers(-(2**63) + 1, 2**63 - 1)
orders = st.tuples(
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**63 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(0, 2**32 - 1),
)
devices = st.lists(
    st.tuples(
        st.binary(min_size=16, max_size=16),
        st.integers(1, 2**63 - 1),
        st.one_of(st.just(ABSENT), numbers),
        st.one_of(st.just(ABSENT), numbers),
        st.lists(orders, max_size=4),
    ),
    min_size=1,
    max_size=5,
)


@given(devices, st.binary(min_size=16, max_size=16), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_what_devices_say_comes_back_as_said(
    said: list[tuple[bytes, int, int, int, list[tuple[int, ...]]]], chain: bytes, slot: int
) -> None:
    """decode(encode(x)) = x for any number of devices and rows, zero bytes in ids included."""
    keys, sequence, plan, reading, rows = zip(*said, strict=True)
    given_rows = table([row for part in rows for row in part])
    counts = np.array([len(part) for part in rows])
    bodies = encode_bodies(
        chain,
        keys,
        np.array(sequence),
        slot,
        np.array(plan),
        np.array(reading),
        counts,
        to_wire(given_rows, ORDER_WIRE),
    )
    envelopes = [body + bytes(SIGNATURE_BYTES) for body in bodies]
    assert all(is_well_formed(envelope) for envelope in envelopes)
    heads = decode_heads(envelopes)
    assert [bytes(key) for key in heads["key"]] == list(keys)
    assert {bytes(c) for c in heads["chain"]} == {chain}
    assert heads["sequence"].tolist() == list(sequence)
    assert [p if s & 1 else ABSENT for p, s in zip(heads["plan"].tolist(), heads["says"], strict=True)] == list(plan)
    assert [r if s & 2 else ABSENT for r, s in zip(heads["reading"].tolist(), heads["says"], strict=True)] == list(
        reading
    )
    assert (decode_rows(envelopes) == given_rows).all()


def example() -> bytes:
    """One envelope of two orders, signed."""
    signer = simulation_signer(CHAIN, 7, "home-1")
    rows = table([(1, 1, 0, 1, 288_002, 1_500, 12_340, 1), (2, 3, 1, 2, 288_003, 700, 9_990, 2)])
    body = encode_bodies(
        CHAIN,
        [signer.key_id],
        np.array([1]),
        288_000,
        np.array([-250]),
        np.array([ABSENT]),
        np.array([2]),
        to_wire(rows, ORDER_WIRE),
        np.repeat(np.array([7, 9], np.uint8), 32).reshape(1, 2, 32),
    )[0]
    return body + signer.sign(signed_message(body))


def test_every_prefix_and_every_extra_byte_is_malformed() -> None:
    """Lengths are exact."""
    envelope = example()
    assert is_well_formed(envelope)
    assert not any(is_well_formed(envelope[:length]) for length in range(len(envelope)))
    assert not is_well_formed(envelope + b"\0")


def test_unknown_versions_and_second_spellings_are_malformed() -> None:
    """One meaning has one spelling: what is not said is zero, what is said is not the sentinel."""
    envelope = example()

    def at(place: int, data: bytes) -> bytes:
        return envelope[:place] + data + envelope[place + len(data) :]

    assert not is_well_formed(at(0, b"DGEM"))
    assert not is_well_formed(at(4, b"\1"))
    assert not is_well_formed(at(51, b"\4"))
    assert not is_well_formed(at(67, b"\1"))
    assert not is_well_formed(at(52, b"\x80" + bytes(7)))
    assert is_well_formed(at(51, b"\3"))
    assert HEAD_BYTES == 132


def test_envelope_bytes_are_frozen() -> None:
    """Golden bytes: they change only with the version."""
    assert hashlib.sha256(example()).hexdigest() == "a58af018fe17b119d73dad41afa08676a53b8612458fe8b50a605a13e7294167"
    assert example()[:136].hex() == (
        "4447454e025327e9a4f4d60da60a51995dd5286bba40dd4b23e8d2de74f02a915124c18def"
        "000000000000000100046500000201ffffffffffffff060000000000000000" + "07" * 32 + "09" * 32 + "01010001"
    )
    assert is_well_formed(example())


def test_json_has_one_spelling() -> None:
    """Key order and blanks of the source do not matter."""
    assert canonical_json({"b": [1, 2], "a": "é"}) == b'{"a":"\\u00e9","b":[1,2]}'
