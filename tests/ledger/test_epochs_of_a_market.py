"""A market's ledger whose leader is lost in mid-run: epochs, who may begin them, and what a reader is told."""

from pathlib import Path

import pytest

from ledger.administrators import (
    CERTIFICATES,
    certificates_file,
    check_cosigned,
    cosign,
    known_administrators,
    read_certificates,
    simulation_administrators,
    simulation_signers,
    write_log,
)
from ledger.audit import Verdict, verify
from ledger.blocks import NO_CERTIFICATE, Block
from ledger.epochs import (
    EpochStart,
    Promise,
    check_start,
    disaster_message,
    promise_message,
    read_epoch_start,
    tip_of,
)
from ledger.fsck import fsck
from ledger.journal import read_blocks
from ledger.judging import LedgerJudge, verify_signature
from ledger.keys import Signer
from ledger.panel import seat_name
from ledger.quorum import Administrators, cosign_message
from ledger.records import RecordType, split_records
from ledger.recovery import go_on_by_disaster, recover
from ledger.snapshots import check_pruned, prune
from market.errors import ConfigError, LedgerError
from tests.ledger.small_world import SmallRun

LOST = 3
"""The block of the run before which administrator 0 is lost."""


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a block a step, and what four administrators made of it when their first was lost at block 3."""
    folder = tmp_path_factory.mktemp("epochs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ledger.journal.BLOCK_BYTES", 1)
        SmallRun([5], "full", folder / "ledger").run()
    list(cosign(folder / "ledger", folder / "signed", 4, 3, leader_lost=[LOST]))
    return folder


class Forger:
    """Holds all keys, and the log up to where the leader was lost."""

    def __init__(self, signed: Path) -> None:
        world = signed / "ledger" / "world-0000"
        self.run = list(read_blocks(world))
        self.administrators, self.signers = simulation_administrators(world, 4, 3)
        _, self.operator = simulation_signers(self.run[0], 4)
        judge = LedgerJudge()
        self.log = tuple(judge.read(bytes_of(block)) for block in self.run[:LOST])

    def judge_of(self, who: int) -> LedgerJudge:
        """The judge of one administrator."""
        return LedgerJudge(self.administrators, self.signers[who].sign)

    def promise(self, who: int, epoch: int = 1, length: int = LOST) -> Promise:
        """A good promise, on the log or a beginning of it."""
        tip = tip_of(self.log[:length])
        said = promise_message(self.administrators.chain_id, epoch, who, tip)
        return Promise(epoch, who, tip, self.signers[who].sign(said))

    def start(self, promises: list[Promise], epoch: int = 1, operator: Signer | None = None) -> EpochStart:
        """An epoch start of these promises, by disaster where someone signs as operator."""
        start = EpochStart(epoch, tip_of(self.log), tuple(promises))
        if operator is None:
            return start
        return start._replace(operator=operator.sign(disaster_message(self.administrators.chain_id, start)))

    def sealed(self, start: EpochStart, who: int = 1) -> list[bytes]:
        """The log, the start, and the rest of the run behind it, as `who` seals them."""
        judge = self.judge_of(who)
        return [*(entry.data for entry in self.log), judge.seal(self.log, start.epoch, start.to_record())]


def bytes_of(block: Block) -> bytes:
    """A block as stored."""
    return block.header_bytes + block.signature + block.records


def verdict_on(data: list[bytes], folder: Path, administrators: Administrators) -> Verdict:
    """What verify says of blocks written as a ledger."""
    judge = LedgerJudge()
    write_log([judge.read(block) for block in data], folder / "world-0000")
    return verify(folder, keys_of=lambda world: administrators)


def test_a_run_whose_leader_is_lost_goes_on_in_epoch_1_and_verifies(signed: Path) -> None:
    """The market is the same, block by block; only who ordered it is another, and that is told in one line."""
    keys_of = known_administrators(signed / "signed")
    verdict = verify(signed / "signed" / "ledger", keys_of=keys_of)
    assert verdict.ok, verdict.lines
    told = "world-0000: block 3: epoch 1 begins, ordered by administrator 1, promised by 3 (3 are needed)"
    assert verdict.lines[1] == told
    assert fsck(signed / "signed" / "ledger", signatures=True, keys_of=keys_of).lines[1] == told
    whole = verify(signed / "ledger")
    assert verdict.content_heads == whole.content_heads
    assert verdict.head != whole.head
    blocks = list(read_blocks(signed / "signed" / "ledger" / "world-0000"))
    assert [block.header.epoch for block in blocks] == [0] * LOST + [1] * (len(blocks) - LOST)


def test_every_block_of_both_epochs_is_certified_and_names_the_certificate_before(signed: Path, tmp_path: Path) -> None:
    """With the public keys alone; headers of epoch 1 name certificates, and another one is refused."""
    world, beside = signed / "signed" / "ledger" / "world-0000", signed / "signed" / "world-0000"
    covered = check_cosigned(world, beside)
    assert covered.certified == covered.blocks == len(list(read_blocks(world)))
    assert covered.copies == {4: LOST, 3: covered.blocks - LOST}
    named = [block.header.certificate != NO_CERTIFICATE for block in read_blocks(world)]
    assert named == [False] * (LOST + 1) + [True] * (covered.blocks - LOST - 1)
    rows = read_certificates(beside / CERTIFICATES)
    at = rows[LOST + 1].certificate
    forger = Forger(signed)
    vote = at.votes[0]._replace(time=at.votes[0].time + 1)
    message = cosign_message(forger.administrators.chain_id, *at[:3], vote.time)
    other = at._replace(
        votes=(vote._replace(signature=forger.signers[vote.administrator].sign(message)), *at.votes[1:])
    )
    rows[LOST + 1] = rows[LOST + 1]._replace(certificate=other)
    (tmp_path / CERTIFICATES).write_bytes(certificates_file(rows))
    with pytest.raises(LedgerError, match=f"block {LOST + 2}: header names another certificate"):
        check_cosigned(world, tmp_path, forger.administrators)


def test_an_epoch_without_its_administrators_keys_is_refused(signed: Path) -> None:
    """Nobody follows an epoch on the word of the ledger itself; nor with the keys of another chain."""
    verdict = verify(signed / "signed" / "ledger")
    assert not verdict.ok
    assert "administrators who are not known (give their public keys with --keys)" in verdict.lines[0]
    mine = known_administrators(signed / "signed")("world-0000")
    assert mine is not None
    foreign = Administrators(b"S" * 16, mine.keys, 3, mine.operator)
    assert "of another chain" in verify(signed / "ledger", keys_of=lambda world: foreign).lines[0]


def test_a_start_needs_q_promises_its_own_sequencer_and_the_log_that_goes_furthest(
    signed: Path, tmp_path: Path
) -> None:
    """Each missing part is named."""
    forger = Forger(signed)
    promises = [forger.promise(who) for who in (1, 2, 3)]
    ahead = promises[0]._replace(tip=promises[0].tip._replace(length=LOST + 1))
    wrong = {
        "2 promises, 3 are needed": forger.sealed(forger.start(promises[:2])),
        "signature of the header is not the sequencer's": forger.sealed(forger.start(promises), who=2),
        "a promise is not good": forger.sealed(forger.start([ahead, *promises[1:]])),
        "not for this epoch and log": forger.sealed(forger.start(promises)._replace(base=tip_of(forger.log[:2]))),
        "epoch begins without an epoch start": [
            *(entry.data for entry in forger.log),
            forger.judge_of(1).seal_again(forger.log, 1, forger.run[LOST]),
        ],
    }
    for number, (said, data) in enumerate(wrong.items()):
        verdict = verdict_on(data, tmp_path / str(number), forger.administrators)
        assert not verdict.ok
        assert said in verdict.lines[0]
    good = verdict_on(forger.sealed(forger.start(promises)), tmp_path / "good", forger.administrators)
    assert "ledger was not closed" in good.lines[0], "nothing but the end record is missing"


def test_a_stale_sequencer_is_refused_behind_a_newer_epoch(signed: Path, tmp_path: Path) -> None:
    """What the old leader seals behind the start of epoch 1, and a second start in one epoch."""
    forger = Forger(signed)
    data = forger.sealed(forger.start([forger.promise(who) for who in (1, 2, 3)]))
    judge = forger.judge_of(0)
    entries = [judge.read(block) for block in data]
    stale = LedgerJudge(forger.administrators, forger.operator.sign).seal_again(entries, 0, forger.run[LOST])
    verdict = verdict_on([*data, stale], tmp_path / "stale", forger.administrators)
    assert "block is of epoch 0, which epoch 1 has ended: a stale sequencer wrote it" in verdict.lines[0]
    again = forger.start([forger.promise(who) for who in (1, 2, 3)])
    second = forger.judge_of(1).seal(entries, 1, again.to_record())
    verdict = verdict_on([*data, second], tmp_path / "twice", forger.administrators)
    assert "an epoch start stands in an epoch under way" in verdict.lines[0]


def test_a_survivor_goes_on_by_disaster_and_every_reader_is_told(signed: Path, tmp_path: Path) -> None:
    """It lagged: what it lost is brought again from the gateways, in its own epoch, and the line says DISASTER."""
    forger = Forger(signed)
    late = tmp_path / "signed"
    list(cosign(signed / "ledger", late, 4, 3, lambda who, height: who == 3 and height >= 2))
    held = recover(late / "world-0000" / seat_name(3), forger.administrators).log
    log = go_on_by_disaster(held, forger.administrators, forger.signers[3], forger.operator, forger.run)
    verdict = verdict_on([entry.data for entry in log], tmp_path / "on", forger.administrators)
    assert verdict.ok, verdict.lines
    assert verdict.lines[1] == (
        "world-0000: block 2: epoch 3 begins, ordered by administrator 3, BY DISASTER: promised by 1 where 3 are "
        "needed; the operator answers for what others held above"
    )
    assert verdict.content_heads == verify(signed / "ledger").content_heads
    with pytest.raises(LedgerError, match="not one of the administrators"):
        go_on_by_disaster(held, forger.administrators, forger.operator, forger.operator, forger.run)


def test_a_disaster_needs_the_operator_and_fewer_than_q(signed: Path, tmp_path: Path) -> None:
    """Another's signature is not enough, and with q promises there is no disaster."""
    forger = Forger(signed)
    few = [forger.promise(1)]
    by_other = verdict_on(
        forger.sealed(forger.start(few, operator=forger.signers[2])), tmp_path / "a", forger.administrators
    )
    assert "without the operator's signature" in by_other.lines[0]
    enough = forger.start([forger.promise(who) for who in (1, 2, 3)], operator=forger.operator)
    assert (
        "by disaster where it may not"
        in verdict_on(forger.sealed(enough), tmp_path / "b", forger.administrators).lines[0]
    )


def test_administrators_at_work_do_not_follow_a_disaster(signed: Path) -> None:
    """It may stand on less than they have signed: only a reader takes it, knowingly."""
    forger = Forger(signed)
    start = forger.start([forger.promise(1)], operator=forger.operator)
    entry = forger.judge_of(1).read(forger.sealed(start)[-1])
    assert "where it may not" in check_start(forger.administrators, entry, forger.log, verify_signature)
    assert check_start(forger.administrators, entry, forger.log, verify_signature, disaster=True) == ""


def test_a_start_by_disaster_has_one_spelling(signed: Path) -> None:
    """It reads back as written, and nothing between the two lengths is one."""
    forger = Forger(signed)
    start = forger.start([forger.promise(1)], operator=forger.operator)
    body = start.to_bytes()
    assert read_epoch_start(body) == start
    for wrong in (body[:-1], body + b"\0"):
        with pytest.raises(LedgerError, match="wrong length"):
            read_epoch_start(wrong)


def test_leaders_are_lost_one_after_another_as_far_as_a_quorum_is_left(signed: Path, tmp_path: Path) -> None:
    """Three of five must sign: two leaders may go; the third loss stops the chain, and says so."""
    list(cosign(signed / "ledger", tmp_path / "five", 5, 3, leader_lost=[2, 4]))
    verdict = verify(tmp_path / "five" / "ledger", keys_of=known_administrators(tmp_path / "five"))
    assert verdict.ok, verdict.lines
    assert [line.split(",")[0] for line in verdict.lines[1:]] == [
        "world-0000: block 2: epoch 1 begins",
        "world-0000: block 5: epoch 2 begins",
    ]
    with pytest.raises(LedgerError, match="block 5: not certified: too few signed"):
        list(cosign(signed / "ledger", tmp_path / "none", 5, 3, leader_lost=[2, 4, 5]))
    with pytest.raises(ConfigError, match="no block 99"):
        list(cosign(signed / "ledger", tmp_path / "far", 5, 3, leader_lost=[99]))


def test_an_administrator_that_lagged_leads_on_the_log_of_another(signed: Path, tmp_path: Path) -> None:
    """Administrator 1 missed a block: its epoch begins on the log of those that have it."""
    list(cosign(signed / "ledger", tmp_path / "late", 4, 3, lambda who, at: (who, at) == (1, 2), leader_lost=[LOST]))
    verdict = verify(tmp_path / "late" / "ledger", keys_of=known_administrators(tmp_path / "late"))
    assert verdict.ok, verdict.lines
    assert "block 3: epoch 1 begins, ordered by administrator 1" in verdict.lines[1]


def test_a_pruned_ledger_keeps_its_epochs(signed: Path, tmp_path: Path) -> None:
    """Their starts are never left out, and are checked with the same keys."""
    world, mine = signed / "signed" / "ledger" / "world-0000", known_administrators(signed / "signed")("world-0000")
    prune(world, tmp_path / "pruned", LOST + 2, mine)
    check = check_pruned(tmp_path / "pruned", mine)
    assert [change.epoch for change in check.changes] == [1]
    with pytest.raises(LedgerError, match="administrators who are not known"):
        check_pruned(tmp_path / "pruned")
    starts = [kind for block in read_blocks(world) for kind, _ in split_records(block.records)]
    assert starts.count(RecordType.EPOCH) == 1
