"""The keeper: the same admission and content head in every mode, alone or in a batch; devices outside."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ledger.audit import verify
from ledger.blocks import Header, header_hash
from ledger.content import StepBytes, StepRecord, advance_heads, step_bytes
from ledger.encoding import ABSENT, CONTENT_TAG, canonical_json, encode_bodies, signed_message
from ledger.journal import read
from ledger.keeper import FullKeeper, Worlds, open_keeper
from ledger.keys import SoftwareSigner
from ledger.records import RecordType
from ledger.rules import calendar_bytes, genesis_bytes, read_calendar, read_genesis
from market.contracts import CONTRACT_WIRE
from market.errors import ConfigError, LedgerError, Refusal
from market.orders import ORDER_WIRE, no_orders
from market.tables import to_wire
from tests.ledger.small_world import RULES, SLOTS, START, SmallRun


def test_every_mode_gives_the_same_codes_and_heads(tmp_path: Path) -> None:
    """Signing changes neither what is admitted nor the content head."""
    off, digest = SmallRun([5, 6], "off").run(), SmallRun([5, 6], "digest").run()
    full = SmallRun([5, 6], "full", tmp_path / "ledger").run()
    assert digest.keeper.content_heads == full.keeper.content_heads
    assert off.keeper.content_heads == []
    assert (off.keeper.chain_head, digest.keeper.chain_head) == (None, None)
    assert full.keeper.chain_head is not None
    for a, b, c in zip(off.steps, digest.steps, full.steps, strict=True):
        assert (a.codes == b.codes).all()
        assert (a.codes == c.codes).all()
        assert (a.contracts == c.contracts).all()
        assert (a.money == c.money).all()
    assert any(step.codes.any() for step in off.steps)
    assert any((step.contracts["last_resort"] == 0).any() for step in off.steps)


def test_a_world_has_the_same_head_alone_and_in_a_batch() -> None:
    """Batch row and neighbours do not show."""
    together = SmallRun([5, 6, 7, 8], "digest").run().keeper.content_heads
    assert together == [SmallRun([key], "digest").run().keeper.content_heads[0] for key in (5, 6, 7, 8)]
    assert len(set(together)) == 4


def test_the_same_run_twice_gives_the_same_files(tmp_path: Path) -> None:
    """Nothing in the ledger depends on the machine's clock or dice."""
    for name in "ab":
        SmallRun([5], "full", tmp_path / name).run()
    a, b = (next((tmp_path / name).rglob("*.dgl")).read_bytes() for name in "ab")
    assert a == b


def spelled_out(step: StepRecord) -> bytes:
    """Canonical bytes of a step of one world, number by number."""
    parts = [int(step.slot[0]).to_bytes(4, "big")]
    parts += [int(rank).to_bytes(2, "big") for rank in step.arrival[0]]
    for column in (step.plan, step.reading_sent, step.reading, step.money):
        parts += [int(value).to_bytes(8, "big", signed=True) for value in column[0].reshape(-1)]
    parts += [len(step.orders).to_bytes(4, "big"), len(step.contracts).to_bytes(4, "big")]
    for row, wire, code in zip(step.orders, to_wire(step.orders, ORDER_WIRE), step.codes, strict=True):
        parts += [int(row["party"]).to_bytes(2, "big"), bytes([code]), wire.tobytes()]
    return b"".join(parts) + to_wire(step.contracts, CONTRACT_WIRE).tobytes()


def test_the_content_head_is_the_hash_of_the_bytes_written_out() -> None:
    """Against a slow reading of the format."""
    for step in SmallRun([5], "digest").run().steps:
        expected = hashlib.sha256(CONTENT_TAG + bytes(32) + spelled_out(step)).digest()
        assert advance_heads([bytes(32)], step_bytes(step)) == [expected]


@pytest.mark.parametrize(
    "name", ["slot", "arrival", "orders", "codes", "plan", "reading_sent", "contracts", "reading", "money"]
)
def test_every_column_is_in_the_content_head(name: str) -> None:
    """One changed value anywhere changes the head."""
    step = next(s for s in SmallRun([5], "digest").run().steps if len(s.contracts))
    column = getattr(step, name).copy()
    if column.dtype.names:
        column["energy"][0] += 1
    else:
        column.reshape(-1)[0] += 1
    changed: StepBytes = step_bytes(replace(step, **{name: column}))
    assert advance_heads([bytes(32)], changed) != advance_heads([bytes(32)], step_bytes(step))


def test_the_genesis_is_canonical_and_reads_back() -> None:
    """Rules rebuilt from the ledger are the rules that ran."""
    calendar = calendar_bytes(np.arange(SLOTS * 2).reshape(SLOTS, 1, 2), np.arange(SLOTS * 2).reshape(SLOTS, 2))
    data = genesis_bytes(RULES, '{"a":1}', 5, START, calendar, b"")
    assert canonical_json(json.loads(data)) == data
    genesis = read_genesis(data)
    assert genesis.rules == RULES
    assert (genesis.config, genesis.key, genesis.start) == ({"a": 1}, 5, START)
    capacity, outside = read_calendar(calendar)
    assert capacity[3, 0, 1] == 7
    assert outside[5, 1] == 11
    for bad in (
        data + b" ",
        data[:-1],
        b"{}",
        data.replace(b"ledger/2", b"ledger/3"),
        data.replace(b'"fuel"', b'"fuek"'),
        data.replace(b'"format"', b'"extra":1,"format"'),
        data.replace(b'"fuel"', b'"extra":1,"fuel"'),
        data.replace(b'"slots":6', b'"slots":6.0'),
    ):
        with pytest.raises(LedgerError):
            read_genesis(bad)


def test_header_bytes_are_frozen() -> None:
    """Golden bytes: they change only with the version."""
    header = Header(
        b"S" * 16, 2, 3, b"p" * 32, b"r" * 32, 7, 99, 1_000, 1_047, b"c" * 32, 55, b"l" * 32, b"s" * 32, b"q" * 32
    ).to_bytes()
    assert header_hash(header).hex() == "35ba25f0da82e1783683e48bae2cc95b5b89fbc87c7ee84e6629e89e372d2206"
    assert header[:33].hex() == "4447424802535353535353535353535353535353530000000200000000000000" + "03"


def test_midnight_seals_a_block(tmp_path: Path) -> None:
    """Genesis, the four steps before midnight (the run starts at 22:00), the two behind it."""
    SmallRun([5], "full", tmp_path).run()
    blocks = [height for height, _, kind, _ in read(tmp_path / "world-0000") if kind == RecordType.STEP]
    assert blocks == [1, 1, 1, 1, 2, 2]


def outside_run(tmp_path: Path) -> tuple[FullKeeper, SoftwareSigner]:
    """A ledger in which party 1 is a device outside this process."""
    small = SmallRun([5], "off")
    worlds = Worlds(RULES, "{}", np.array([5]), small.start, small.capacity, small.outside)
    signer = SoftwareSigner.generate()
    keeper = open_keeper("full", worlds, tmp_path / "ledger", {(0, 1): signer.public_key})
    assert isinstance(keeper, FullKeeper)
    return keeper, signer


def test_a_device_outside_speaks_for_itself(tmp_path: Path) -> None:
    """Its envelope counts; what the world would have said for it does not."""
    keeper, signer = outside_run(tmp_path)
    given = SmallRun([5], "off").write_orders(0)
    wire = to_wire(given[:3], ORDER_WIRE)
    numbers = np.array([1]), np.array([123]), np.array([-7])
    body = encode_bodies(
        keeper.chain_ids[0], [signer.key_id], numbers[0], START, numbers[1], numbers[2], np.array([3]), wire
    )[0]
    now, plan, reading = np.array([START]), np.zeros((1, 5), np.int64), np.full((1, 5), ABSENT)
    external = {(0, 1): body + signer.sign(signed_message(body))}
    said = keeper.admit(now, given, plan, reading, np.arange(5)[None], external)
    assert said.plan.tolist() == [[0, 123, 0, 0, 0]]
    assert said.reading.tolist() == [[ABSENT, -7, ABSENT, ABSENT, ABSENT]]
    assert np.bincount(said.orders["party"]).tolist() == [2, 3, 2, 2, 2]
    mine = said.orders[said.orders["party"] == 1]
    assert (mine["energy"] == given["energy"][:3]).all()


def test_a_device_that_is_silent_late_or_forged_is_unheard(tmp_path: Path) -> None:
    """Late rows are closed, forged envelopes leave nothing behind."""
    keeper, signer = outside_run(tmp_path)
    now, plan, reading = np.array([START]), np.zeros((1, 5), np.int64), np.full((1, 5), ABSENT)
    wire = to_wire(SmallRun([5], "off").write_orders(0)[:2], ORDER_WIRE)
    late = encode_bodies(
        keeper.chain_ids[0],
        [signer.key_id],
        np.array([1]),
        START - 1,
        np.array([9]),
        np.array([9]),
        np.array([2]),
        wire,
    )[0]
    said = keeper.admit(now, no_orders(), plan, reading, np.arange(5)[None])
    assert said.plan[0, 1] == ABSENT
    for data, rows in ((late + bytes(64), 0), (late + signer.sign(signed_message(late)), 2)):
        said = keeper.admit(now + 1, no_orders(), plan, reading, np.arange(5)[None], {(0, 1): data})
        assert said.plan[0, 1] == ABSENT
        assert said.codes.tolist() == [Refusal.CLOSED] * rows
        now = now + 1


def test_misuse_gets_one_clear_line(tmp_path: Path) -> None:
    """Unknown mode, full without folder, outside envelopes without signatures, a step that nobody said."""
    small = SmallRun([5], "digest")
    worlds = small.keeper.worlds
    with pytest.raises(ConfigError, match="choose one of"):
        open_keeper("signed", worlds)
    with pytest.raises(ConfigError, match="folder"):
        open_keeper("full", worlds)
    orders, plan = no_orders(), np.zeros((1, 5), np.int64)
    with pytest.raises(LedgerError, match="full mode"):
        small.keeper.admit(small.start, orders, plan, plan, plan, {(0, 1): b""})
    full = SmallRun([5], "full", tmp_path / "ledger").run()
    with pytest.raises(LedgerError, match="not admitted"):
        full.keeper.record(full.steps[-1])


def test_refused_envelopes_are_counted_in_the_ledger(tmp_path: Path) -> None:
    """The step record keeps hash and code of what was refused, and the audit reads it."""
    run = SmallRun([5], "full", tmp_path, noise={(0, 0): b"noise", (0, 1): b"DGEN"}).run()
    verdict = verify(tmp_path, run.keeper.chain_head)
    assert verdict.ok, verdict.lines
    assert verdict.counts["refused envelopes"] == 2 * SLOTS
    assert run.keeper.content_heads == SmallRun([5], "digest").run().keeper.content_heads
