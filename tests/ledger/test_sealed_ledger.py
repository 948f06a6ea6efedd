"""A ledger of sealed orders: the same market, and every change of what was sealed or published is found."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import drill
from ledger.audit import verify
from ledger.exporting import export_rows
from ledger.fsck import fsck
from ledger.index import Index
from ledger.journal import read, read_blocks
from ledger.keeper import FullKeeper
from ledger.keys import OPERATOR, Signer, simulation_signer
from ledger.proofs import find_record, prove
from ledger.receipts import administrators_of, check_receipt, make_receipt, read_receipt
from ledger.records import RecordType, read_step, split_records
from ledger.sealed_desk import Desk, simulation_dice, simulation_opener
from ledger.sealed_forgeries import SEALED_FORGERIES, attack_sealed
from ledger.sealing import read_sealed, sealed_message
from ledger.showing import show
from ledger.snapshots import prune, upholds
from market.contracts import CONTRACT_WIRE
from market.design import DESIGNS, find_design
from market.errors import ConfigError, LedgerError, Refusal
from tests.ledger.small_world import RULES, SLOTS, SmallRun

AUCTIONS = sorted(name for name, design in DESIGNS.items() if design.book == "sealed")
SHOP = 1
Spoil = Callable[[RecordType, bytes], bytes]


def run_of(folder: Path | None, design: str, privacy: tuple[int, int] | None, seed: int = 5) -> SmallRun:
    """A small world, not stepped yet."""
    chosen = find_design(design)
    chosen = chosen.with_privacy(*privacy) if privacy else chosen
    return SmallRun([seed], "full" if folder else "digest", folder, replace(RULES, design=chosen))


def keeper_of(run: SmallRun) -> FullKeeper:
    """Its signed ledger."""
    assert isinstance(run.keeper, FullKeeper)
    return run.keeper


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A finished ledger of sealed orders, and its chain head."""
    folder = tmp_path_factory.mktemp("sealed") / "ledger"
    run = run_of(folder, "call", (2, 3)).run()
    assert run.keeper.chain_head is not None
    return folder, run.keeper.chain_head


@given(st.sampled_from(AUCTIONS), st.integers(1, 4), st.integers(0, 3), st.integers(0, 2**31))
@settings(max_examples=6, deadline=None)
def test_privacy_changes_the_records_and_nothing_else(design: str, needed: int, more: int, seed: int) -> None:
    """Orders, codes, contracts, plans, readings, postings and content heads are those of the open run, bit for bit."""
    with TemporaryDirectory() as scratch:
        plain = run_of(Path(scratch) / "open", design, None, seed).run()
        sealed = run_of(Path(scratch) / "sealed", design, (needed, needed + more), seed).run()
        assert sealed.keeper.content_heads == plain.keeper.content_heads
        for one, other in zip(sealed.steps, plain.steps, strict=True):
            assert all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))
        assert sealed.keeper.chain_head != plain.keeper.chain_head
        verdict = verify(Path(scratch) / "sealed", sealed.keeper.chain_head)
        assert verdict.ok, verdict.lines
        assert verdict.counts["sealed orders"] == verdict.counts["envelopes"] == SLOTS * 5


def test_other_modes_do_not_seal(tmp_path: Path) -> None:
    """Digest and full runs with and without privacy have one content head; only the full one counts sealed orders."""
    full = run_of(tmp_path, "call", (2, 3)).run()
    digest = run_of(None, "call", (2, 3)).run()
    assert digest.keeper.content_heads == full.keeper.content_heads
    assert digest.keeper.sealed is None
    assert full.keeper.sealed is not None
    assert (full.keeper.sealed.orders, full.keeper.sealed.void) == (SLOTS * 5, {})


def test_a_world_seals_alike_alone_and_in_a_batch(tmp_path: Path) -> None:
    """Each world has its own desk; content heads are those of each world alone, and the batch verifies."""
    private = replace(RULES, design=find_design("call").with_privacy(2, 3))
    batch = SmallRun([5, 6], "full", tmp_path / "batch", private).run()
    alone = [SmallRun([key], "full", tmp_path / str(key), private).run() for key in (5, 6)]
    assert batch.keeper.content_heads == [run.keeper.content_heads[0] for run in alone]
    for number, key in enumerate((5, 6)):
        worlds = tmp_path / "batch" / f"world-000{number}", tmp_path / str(key) / "world-0000"
        assert list(read(worlds[0])) == list(read(worlds[1]))
    assert batch.keeper.sealed is not None
    assert batch.keeper.sealed.orders == 2 * SLOTS * 5
    assert verify(tmp_path / "batch", batch.keeper.chain_head).ok


def test_the_same_run_seals_the_same_bytes(ledger: tuple[Path, bytes], tmp_path: Path) -> None:
    """Dice and administrators' keys follow from the seed; other envelopes are sealed under other keys."""
    assert run_of(tmp_path, "call", (2, 3)).run().keeper.chain_head == ledger[1]
    orders = [read_sealed(body) for *_, kind, body in read(ledger[0] / "world-0000") if kind == RecordType.SEALED]
    assert len({order.one_time_key for order in orders}) == len(orders)
    with pytest.raises(LedgerError, match="simulations only"):
        simulation_opener(b"L" + bytes(15), 5, "administrator 1")
    with pytest.raises(LedgerError, match="simulations only"):
        simulation_dice(b"L" + bytes(15), 5, b"")(32)


def test_no_order_can_be_read_before_the_shares(ledger: tuple[Path, bytes]) -> None:
    """In the record every sealed order stands before the shares, these before the envelopes, whose rows it hides."""
    kinds, sealed, step = list[RecordType](), list[bytes](), 0
    for *_, kind, body in read(ledger[0] / "world-0000"):
        if kind == RecordType.STEP:
            cut = kinds.index(RecordType.SHARE)
            assert kinds[:cut] == [RecordType.SEALED] * 5
            assert kinds[cut : cut + 3] == [RecordType.SHARE] * 3
            assert set(kinds[cut + 3 :]) == {RecordType.ENVELOPE}
            kinds, sealed, step = [], [], step + 1
        elif kind == RecordType.ENVELOPE:
            rows = body[132:-64]
            assert rows not in b"".join(sealed)
            kinds.append(kind)
        elif kind in (RecordType.SEALED, RecordType.SHARE):
            kinds.append(kind)
            sealed += [body] if kind == RecordType.SEALED else []
    assert step == SLOTS


def test_open_books_and_impossible_numbers_are_refused() -> None:
    """One line says what, and what to do; a design that is private keeps its other choices."""
    for design in ("dgp", "dgp-batch", "spot+intraday"):
        with pytest.raises(ConfigError, match="open book"):
            find_design(design).with_privacy(2, 3)
    for needed, administrators in ((0, 3), (4, 3), (1, 256), (0, 0)):
        with pytest.raises(ConfigError, match="not possible"):
            find_design("call").with_privacy(needed, administrators)
    assert replace(find_design("call").with_privacy(2, 3), privacy=None) == find_design("call")
    assert "privacy" not in replace(RULES, design=find_design("call").with_privacy(2, 3)).text


def spoil_one(monkeypatch: pytest.MonkeyPatch, party: int, at: int) -> None:
    """One device's sealed orders are changed in one byte and signed anew by it."""
    seal = Desk.seal

    def spoiled(self: Desk, envelopes: Sequence[bytes], signers: dict[int, Signer]) -> list[bytes]:
        orders, place = seal(self, envelopes, signers), list(signers).index(party)
        data = bytearray(orders[place][:-64])
        data[at] ^= 1
        orders[place] = bytes(data) + signers[party].sign(sealed_message(bytes(data)))
        return orders

    monkeypatch.setattr(Desk, "seal", spoiled)


@pytest.mark.parametrize(("at", "code"), [(-1, Refusal.UNREADABLE), (90, Refusal.TOO_FEW_SHARES)])
def test_an_order_that_does_not_open_is_void_and_its_sender_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, code: Refusal
) -> None:
    """The others trade as if it had sent nothing; record, count, audit, export and `show` say whose and why."""
    spoil_one(monkeypatch, SHOP, at)
    run = run_of(tmp_path / "void", "call", (2, 3)).run()
    assert run.keeper.sealed is not None
    assert run.keeper.sealed.void == {(SHOP, code): SLOTS}
    assert all(SHOP not in step.orders["party"] for step in run.steps)
    verdict = verify(tmp_path / "void", run.keeper.chain_head)
    assert verdict.ok, verdict.lines
    assert verdict.counts["void orders"] == verdict.counts["refused envelopes"] == SLOTS
    assert verdict.lines[-1] == f"world-0000: void orders of shop {code.name} {SLOTS}"
    rows = [row for name, row in export_rows(tmp_path / "void" / "world-0000") if name == "sealed"]
    assert {row["party"] for row in rows if row["void"] == code.name.lower()} == {"shop"}
    assert sum(row["void"] == "" for row in rows) == SLOTS * 4
    refused = [one for record in show(tmp_path / "void" / "world-0000") for one in record.get("refused_envelopes", ())]
    assert {(one["party"], one["code"]) for one in refused} == {("shop", code.name)}


def test_an_envelope_refused_behind_its_seal_is_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that signs badly and seals well: the code of the envelope, derived again by the audit."""
    monkeypatch.setattr("ledger.keeper.sign_all", lambda signers, messages: [bytes(64)] * len(signers))
    run = run_of(tmp_path, "call", (2, 3)).run()
    verdict = verify(tmp_path, run.keeper.chain_head)
    assert verdict.ok, verdict.lines
    assert verdict.counts["refused envelopes"] == SLOTS * 5
    assert "void orders" not in verdict.counts
    assert not any(len(step.orders) for step in run.steps)


def test_with_too_few_shares_every_order_is_void(tmp_path: Path) -> None:
    """k administrators are enough, whichever they are; with one less nothing opens, and the record says why."""
    heads = set()
    for number, silent in enumerate(((), (0,), (1, 3))):
        run = run_of(tmp_path / str(number), "call", (2, 4))
        there = keeper_of(run).desk(0).administrators
        keeper_of(run).desk(0).administrators = [one for at, one in enumerate(there) if at not in silent]
        heads.add(run.run().keeper.content_heads[0])
        assert verify(tmp_path / str(number), run.keeper.chain_head).ok
    assert len(heads) == 1
    run = run_of(tmp_path / "silence", "call", (2, 4))
    del keeper_of(run).desk(0).administrators[1:]
    run.run()
    assert run.keeper.sealed is not None
    assert run.keeper.sealed.void == {(party, Refusal.TOO_FEW_SHARES): SLOTS for party in range(5)}
    assert not any(len(step.orders) for step in run.steps)
    assert verify(tmp_path / "silence", run.keeper.chain_head).ok
    with pytest.raises(LedgerError, match="not sealed"):
        keeper_of(run_of(tmp_path / "open", "call", None)).desk(0)


def rewritten(
    folder: Path,
    target: Path,
    spoil: Spoil = lambda _, body: body,
    keep: Callable[[list[tuple[RecordType, bytes]]], list[tuple[RecordType, bytes]]] = lambda records: records,
) -> str:
    """What the audit says of a ledger that an insider with the sequencer's key wrote anew."""
    block = next(read_blocks(folder / "world-0000"))
    operator = simulation_signer(block.header.chain_id, 5, OPERATOR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drill, "split_records", lambda data: keep(list(split_records(data))))
        drill.rewrite(folder / "world-0000", target / "world-0000", operator, spoil)
    verdict = verify(target)
    return "" if verdict.ok else verdict.lines[0]


def change(kind: RecordType, at: int, occurrence: int = 2) -> Spoil:
    """Change one bit at byte `at` of one record of a kind."""
    seen = 0

    def spoil(found: RecordType, body: bytes) -> bytes:
        nonlocal seen
        seen += found == kind
        if found != kind or seen != occurrence:
            return body
        place = at % len(body)
        return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]

    return spoil


@pytest.mark.parametrize(
    ("kind", "at", "what"),
    [
        (RecordType.SEALED, 0, "sealed order 1 of the step is refused: MALFORMED"),
        (RecordType.SEALED, 10, "sealed order 1 of the step is refused: WRONG_CHAIN"),
        (RecordType.SEALED, 30, "sealed order 1 of the step is refused: UNKNOWN_KEY"),
        (RecordType.SEALED, 49, "sealed order 1 of the step is refused: MALFORMED"),
        (RecordType.SEALED, 60, "sealed order 1 of the step is refused: BAD_SIGNATURE"),
        (RecordType.SEALED, 100, "sealed order 1 of the step is refused: BAD_SIGNATURE"),
        (RecordType.SEALED, -70, "sealed order 1 of the step is refused: BAD_SIGNATURE"),
        (RecordType.SEALED, -1, "sealed order 1 of the step is refused: BAD_SIGNATURE"),
        (RecordType.SHARE, 0, "share record 1 of the step is refused: MALFORMED"),
        (RecordType.SHARE, 10, "share record 1 of the step is refused: WRONG_CHAIN"),
        (RecordType.SHARE, 21, "share record 1 of the step is refused: BAD_SIGNATURE"),
        (RecordType.SHARE, 25, "share record 1 of the step is refused: OTHER_AUCTION"),
        (RecordType.SHARE, 40, "share record 1 of the step is refused: OTHER_AUCTION"),
        (RecordType.SHARE, 80, "share record 1 of the step is refused: BAD_SIGNATURE"),
        (RecordType.SHARE, -1, "share record 1 of the step is refused: BAD_SIGNATURE"),
        (RecordType.ENVELOPE, 57, "envelopes are not those that opened"),
    ],
)
def test_an_insiders_change_of_what_was_sealed_is_named(
    ledger: tuple[Path, bytes], tmp_path: Path, kind: RecordType, at: int, what: str
) -> None:
    """Hashes, roots and header signatures made to fit; what does not follow is found, with its slot and place."""
    finding = rewritten(ledger[0], tmp_path / "forged", change(kind, at))
    assert what in finding
    assert "slot " in finding
    assert "block 1, record" in finding


def test_a_changed_list_of_administrators_is_found(ledger: tuple[Path, bytes], tmp_path: Path) -> None:
    """Chain, how many are needed, how many there are, keys and signatures."""
    for number, at in enumerate((0, 16, 17, 20, 40, 51, 60, 100, -1)):
        assert rewritten(ledger[0], tmp_path / str(number), change(RecordType.PRIVACY, at, 1))


Records = list[tuple[RecordType, bytes]]


def without(kind: RecordType, number: int) -> Callable[[Records], Records]:
    """Leave one record of a kind out."""
    seen = 0

    def keep(records: Records) -> Records:
        nonlocal seen
        kept = []
        for record in records:
            seen += record[0] == kind
            if record[0] != kind or seen != number:
                kept.append(record)
        return kept

    return keep


def swapped(first: RecordType, second: RecordType) -> Callable[[Records], Records]:
    """Exchange the first neighbours of these kinds."""

    def keep(records: Records) -> Records:
        for at in range(len(records) - 1):
            if (records[at][0], records[at + 1][0]) == (first, second):
                return [*records[:at], records[at + 1], records[at], *records[at + 2 :]]
        return records

    return keep


@pytest.mark.parametrize(
    ("keep", "what"),
    [
        (without(RecordType.PRIVACY, 1), "does not say who opens it"),
        (without(RecordType.SEALED, 2), "share record 0 of the step is refused: OTHER_AUCTION"),
        (without(RecordType.ENVELOPE, 2), "envelopes are not those that opened"),
        (swapped(RecordType.SEALED, RecordType.SEALED), "not in the order of parties"),
        (swapped(RecordType.SHARE, RecordType.SHARE), "not in the order of administrators"),
        (swapped(RecordType.SEALED, RecordType.SHARE), "behind the shares of its step"),
        (swapped(RecordType.SHARE, RecordType.ENVELOPE), "does not belong here"),
    ],
)
def test_records_left_out_or_moved_are_named(
    ledger: tuple[Path, bytes], tmp_path: Path, keep: Callable[[Records], Records], what: str
) -> None:
    """A seal, a share or an envelope less, or in another order."""
    assert what in rewritten(ledger[0], tmp_path / "forged", keep=keep)


def test_shares_left_out_are_found(ledger: tuple[Path, bytes], tmp_path: Path) -> None:
    """One that was not needed by the executions, which count records; two by the orders that no longer open."""
    finding = rewritten(ledger[0], tmp_path / "one", keep=without(RecordType.SHARE, 1))
    assert "execution of matching" in finding

    def two_gone(records: Records) -> Records:
        places = [at for at, (kind, _) in enumerate(records) if kind == RecordType.SHARE][:2]
        return [record for at, record in enumerate(records) if at not in places]

    finding = rewritten(ledger[0], tmp_path / "two", keep=two_gone)
    assert "envelopes are not those that opened" in finding


def test_a_false_word_about_a_void_order_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another code, no word, or an order called void that opens."""
    spoil_one(monkeypatch, SHOP, -1)
    run_of(tmp_path / "void", "call", (2, 3)).run()
    size = steps_fixed(tmp_path / "void")

    def other_code(kind: RecordType, body: bytes) -> bytes:
        step = read_step(body, size, CONTRACT_WIRE.itemsize) if kind == RecordType.STEP else None
        return replace(step, refused=((step.refused[0][0], Refusal.DEALT_BADLY),)).to_bytes() if step else body

    def no_word(kind: RecordType, body: bytes) -> bytes:
        step = read_step(body, size, CONTRACT_WIRE.itemsize) if kind == RecordType.STEP else None
        return replace(step, refused=()).to_bytes() if step else body

    def one_more(kind: RecordType, body: bytes) -> bytes:
        step = read_step(body, size, CONTRACT_WIRE.itemsize) if kind == RecordType.STEP else None
        more = (bytes(32), int(Refusal.UNREADABLE))
        return replace(step, refused=(more, *step.refused)).to_bytes() if step else body

    assert "comes to UNREADABLE, which is not on record" in rewritten(tmp_path / "void", tmp_path / "1", other_code)
    assert "comes to UNREADABLE, which is not on record" in rewritten(tmp_path / "void", tmp_path / "2", no_word)
    assert "recorded as void that opens" in rewritten(tmp_path / "void", tmp_path / "3", one_more)


def steps_fixed(folder: Path) -> int:
    """Bytes of the fixed part of a step record of the small world."""
    from tests.ledger.test_audit import FIXED

    assert any(kind == RecordType.STEP for *_, kind, _ in read(folder / "world-0000"))
    return FIXED


def test_a_ledger_of_open_orders_has_no_seals(ledger: tuple[Path, bytes], tmp_path: Path) -> None:
    """Neither a void code nor who opens orders in a design with an open book."""
    privacy = next(body for *_, kind, body in read(ledger[0] / "world-0000") if kind == RecordType.PRIVACY)
    SmallRun([5], "full", tmp_path / "open").run()

    def add(records: Records) -> Records:
        is_second = records[0][0] != RecordType.GENESIS and records[0][0] == RecordType.ENVELOPE
        return [(RecordType.PRIVACY, privacy), *records] if is_second else records

    assert "open book" in rewritten(tmp_path / "open", tmp_path / "forged", keep=add)


def test_a_sealed_record_is_proved_and_outlives_pruning(tmp_path: Path) -> None:
    """By leaf and by id, in words; a pruned copy has no seal, no share and no envelope, and upholds old receipts."""
    long = replace(RULES, design=find_design("call").with_privacy(2, 3))
    folder = tmp_path / "ledger"
    SmallRun([5], "full", folder, long).run()
    world = folder / "world-0000"
    order = next(read_sealed(body) for *_, kind, body in read(world) if kind == RecordType.SEALED)
    place = find_record(world, order.record_id.hex()[:10])
    assert place == Index(world, tmp_path / "index.sqlite").find(order.record_id.hex()[:10])
    receipt = make_receipt(prove(world, place))
    found = check_receipt(read_receipt(receipt.to_bytes()), administrators_of(world)).describe()
    assert (found["type"], found["id"]) == ("sealed", order.record_id.hex())
    assert found["sealed"] == "2 of 3 administrators open it"
    height = max(block.header.height for block in read_blocks(world))
    pruning = prune(world, tmp_path / "pruned", height)
    gone = sum(
        kind in (RecordType.SEALED, RecordType.SHARE, RecordType.ENVELOPE)
        for block, _, kind, _ in read(world)
        if block < height
    )
    assert pruning.records == gone > 0
    assert upholds(tmp_path / "pruned", receipt)
    assert fsck(folder, signatures=True).ok


def test_show_prints_seals_shares_and_who_opens(ledger: tuple[Path, bytes]) -> None:
    """In plain values, parties by name."""
    records = list(show(ledger[0] / "world-0000"))
    (privacy,) = (record for record in records if record["type"] == "privacy")
    assert (privacy["needed"], len(privacy["administrators"])) == (2, 3)
    seals = [record for record in records if record["type"] == "sealed"]
    assert {seal["party"] for seal in seals} == {"home", "shop", "plant", "retail-tokyo", "retail-tohoku"}
    assert {(seal["needed"], seal["administrators"]) for seal in seals} == {(2, 3)}
    shares = [record for record in records if record["type"] == "share"]
    assert [share["administrator"] for share in shares] == [1, 2, 3] * SLOTS
    assert {(share["orders"], share["shares"]) for share in shares} == {(5, 5)}


def test_forged_orders_and_shares_come_to_their_code() -> None:
    """Every kind three times; an untouched order opens after each."""
    assert len(SEALED_FORGERIES) >= 25
    sent = attack_sealed(3 * len(SEALED_FORGERIES), seed=1)
    assert [one for one in sent if one.code != one.expected] == []
    assert {one.code for one in sent} >= {code for code in Refusal if code >= Refusal.TOO_FEW_SHARES} - {
        Refusal.NOT_ITS_ENVELOPE,
        Refusal.FLOODED,
    }
