"""One rule of the administrators at a time, every message chosen by the test."""

from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.diary import Kind, Write, encode, recall, write_cut, write_promise
from ledger.epochs import EMPTY, Entry, EpochStart, Promise, Tip, check_start, promise_message, read_epoch_start
from ledger.messages import Append, Certified, Cosigned, Prepare, Promised, Propose, TakeOver, Tick
from ledger.replica_state import Role, State, replicated
from ledger.sim_parts import CHAIN, signer_of, verify
from market.errors import LedgerError
from tests.ledger.panel import Panel


def heights(panel: Panel) -> list[int]:
    """How many blocks each administrator holds."""
    return [len(state.log) for state in panel.states]


def floors(panel: Panel) -> list[int]:
    """How many blocks each administrator knows to be certified."""
    return [state.floor for state in panel.states]


def propose(panel: Panel, entry: Entry, epoch: int = 0, time: int = 10_000) -> Propose:
    """A block as its sequencer sends it."""
    return Propose(epoch, (entry.data,), None, time)


def sealed(panel: Panel, given_to: bytes, by: int = 0, below: tuple[Entry, ...] = (), epoch: int = 0) -> Entry:
    """A block of the stand-in program."""
    judge = panel.judges[by]
    entry = judge.read(judge.propose(below, epoch, given_to))
    judge.judge(below, entry)
    return entry


def test_a_block_is_certified_at_q_votes_and_held_by_all() -> None:
    """Four administrators, three must sign: all do, and the sequencer knows that all hold it."""
    panel = Panel(4, 3)
    panel.append(0)
    assert floors(panel) == [1, 1, 1, 1]
    assert replicated(panel.states[0], 0) == 4


def test_one_down_is_survived_and_two_are_not() -> None:
    """With q = 3 of 4; the block stays where it is, uncertified, until somebody comes back."""
    panel = Panel(4, 3)
    panel.append(0, b"11111111", 3)
    assert floors(panel) == [1, 1, 1, 0]
    assert replicated(panel.states[0], 0) == 3
    panel.append(0, b"22222222", 2, 3)
    assert floors(panel) == [1, 1, 1, 0]
    panel.hear(0, 0, Tick())
    panel.settle()
    assert floors(panel) == [2, 2, 2, 2]


def test_nothing_is_said_that_was_not_written_first() -> None:
    """Every step that votes, promises or proposes hands over a promise of the same epoch and log to be written."""
    panel = Panel(4, 3)
    panel.append(0)
    entry = sealed(panel, b"22222222", 0, panel.states[0].log)
    for message, sender in ((propose(panel, entry), 0), (Prepare(6, 1), 2)):
        state, sends, writes = panel.replicas[1].hear(panel.states[1], sender, message, 10_000)
        assert sends
        assert writes[-1].kind is Kind.PROMISE
        recalled = recall(panel.diaries[1] + encode(writes))
        assert (recalled.promised, len(recalled.blocks)) == (state.promised, len(state.log))
        panel.states[1] = state
        panel.diaries[1] += encode(writes)


def test_a_state_machine_changes_nothing_but_what_it_returns() -> None:
    """The same state and message give the same answer twice."""
    panel = Panel(3, 2)
    message = propose(panel, sealed(panel, b"11111111"))
    before = panel.states[1]
    assert panel.replicas[1].hear(before, 0, message, 10_000) == panel.replicas[1].hear(before, 0, message, 10_000)
    assert before == State()


def test_a_second_block_of_one_epoch_and_height_gets_no_vote_and_leaves_evidence() -> None:
    """Rule 1; also after a restart, and the evidence with it."""
    panel = Panel(4, 3)
    first, second = sealed(panel, b"11111111"), sealed(panel, b"22222222")
    assert panel.hear(1, 0, propose(panel, first))
    for _ in range(2):
        assert panel.hear(1, 0, propose(panel, second)) == []
        panel.restart(1)
        assert panel.states[1].log == (first,)
        assert panel.states[1].evidence is not None


def test_a_block_that_does_not_follow_from_its_input_is_not_signed() -> None:
    """Every administrator executes before it signs: a wrong result gets no vote, a right one does."""
    panel = Panel(4, 3)
    judge = panel.judges[0]
    wrong = judge.read(judge.propose((), 0, b"11111111", wrong=True))
    assert all(panel.hear(i, 0, propose(panel, wrong)) == [] for i in (1, 2, 3))
    assert heights(panel) == [0, 0, 0, 0]
    assert panel.hear(1, 0, propose(panel, sealed(panel, b"11111111")))


@pytest.mark.parametrize("flip", range(0, 440, 7))
def test_a_block_changed_on_its_way_is_not_signed(flip: int) -> None:
    """Wherever a bit of header, signature or record is flipped."""
    panel = Panel(4, 3)
    data = bytearray(sealed(panel, b"11111111").data)
    data[flip % len(data)] ^= 1
    answers = panel.hear(1, 0, Propose(0, (bytes(data),), None, 10_000))
    assert not any(isinstance(answer, Cosigned) for _, answer in answers)
    assert panel.states[1].log == ()


def test_only_the_sequencer_of_the_epoch_is_heard() -> None:
    """Administrator 2 orders epoch 2, not epoch 0."""
    panel = Panel(4, 3)
    assert panel.hear(1, 2, propose(panel, sealed(panel, b"11111111"))) == []
    assert panel.hear(1, 2, propose(panel, sealed(panel, b"11111111", by=2))) == []


@pytest.mark.parametrize(("apart", "heard"), [(0, True), (2_000, True), (-2_000, True), (2_001, False)])
def test_a_sequencer_whose_clock_is_off_is_not_heard(apart: int, heard: bool) -> None:
    """Beyond the slack of two seconds."""
    panel = Panel(3, 2)
    assert bool(panel.hear(1, 0, propose(panel, sealed(panel, b"11111111"), time=10_000 + apart))) is heard


def test_times_signed_never_go_back() -> None:
    """A clock that jumps back is not signed, also after a restart."""
    panel = Panel(3, 2)
    first = sealed(panel, b"11111111")
    panel.hear(1, 0, propose(panel, first, time=50_000), 50_000)
    panel.restart(1)
    (answer,) = panel.hear(1, 0, propose(panel, first, time=20_000), 20_000)
    assert isinstance(answer[1], Cosigned)
    assert answer[1].vote.time == 50_000


def test_who_promised_an_epoch_hears_no_older_one() -> None:
    """Rule 4: after promising epoch 2 the block of epoch 0 gets no vote, also after a restart."""
    panel = Panel(3, 2)
    assert panel.hear(1, 2, Prepare(2, 0))
    panel.restart(1)
    (answer,) = panel.hear(1, 0, propose(panel, sealed(panel, b"11111111")))
    assert not isinstance(answer[1], Cosigned)
    assert panel.states[1].log == ()


def test_a_new_epoch_goes_on_from_what_was_certified() -> None:
    """Administrator 0 is lost behind a certified block; 1 takes over and the block is still there."""
    panel = Panel(3, 2)
    panel.append(0)
    leader = panel.take_over(4, 0)
    assert leader == 1
    panel.append(leader, b"22222222", 0)
    assert [entry.epoch for entry in panel.states[1].log] == [0, 4, 4]
    assert panel.states[1].log[1].start is not None
    assert floors(panel)[1:] == [3, 3]


def test_an_uncertified_end_may_be_replaced_and_its_writer_follows() -> None:
    """What only administrator 0 holds goes when a new epoch began without it."""
    panel = Panel(3, 2)
    panel.append(0)
    panel.append(0, b"22222222", 1, 2)
    panel.take_over(4, 0)
    panel.hear(1, 1, Tick())
    panel.settle()
    assert len({state.log for state in panel.states}) == 1
    assert [entry.epoch for entry in panel.states[0].log] == [0, 4]


def test_an_epoch_begins_on_the_newest_epoch_not_on_the_longest_log() -> None:
    """Rule 3: two blocks of epoch 0 lose against one start of epoch 4."""
    panel = Panel(3, 2)
    panel.append(0, b"11111111", 1, 2)
    panel.append(0, b"22222222", 1, 2)
    panel.take_over(4, 0)
    assert heights(panel) == [2, 1, 1]
    panel.take_over(6, 2)
    assert panel.states[0].promised == 6
    assert [entry.epoch for entry in panel.states[0].log] == [4, 6]


def test_nothing_below_a_seen_certificate_is_cut() -> None:
    """Rule 5: even if a later epoch's sequencer proposes another history with good promises of q liars."""
    panel = Panel(3, 2)
    panel.append(0)
    kept = panel.states[1].log
    promises = tuple(Promise(5, i, EMPTY, signer_of(i)(promise_message(CHAIN, 5, i, EMPTY))) for i in (0, 2))
    start = EpochStart(5, EMPTY, promises).to_record()
    entry = panel.judges[2].read(panel.judges[2].seal((), 5, start))
    assert check_start(panel.administrators, entry, (), verify) == ""
    panel.hear(1, 2, propose(panel, entry, 5))
    assert panel.states[1].log == kept


@pytest.mark.parametrize(
    ("tips", "message"),
    [
        ([(0, 0), (0, 0)], ""),
        ([(0, 0)], "1 promises"),
        ([(0, 0), (0, 1)], "furthest"),
        ([(3, 1), (0, 0)], "furthest"),
    ],
)
def test_an_epoch_start_is_checked_against_its_promises(tips: list[tuple[int, int]], message: str) -> None:
    """Promises enough, and no log among them that goes further than the one below."""
    panel = Panel(3, 2)
    promises = []
    for i, (epoch, length) in enumerate(tips):
        tip = Tip(epoch, length, bytes(32))
        promises.append(Promise(4, i, tip, signer_of(i)(promise_message(CHAIN, 4, i, tip))))
    start = EpochStart(4, EMPTY, tuple(promises))
    entry = panel.judges[1].read(panel.judges[1].seal((), 4, start.to_record()))
    why = check_start(panel.administrators, entry, (), verify)
    assert message in why
    assert bool(message) is bool(why)
    forged = start._replace(promises=tuple(p._replace(signature=bytes(64)) for p in promises))
    entry = panel.judges[1].read(panel.judges[1].seal((), 4, forged.to_record()))
    assert check_start(panel.administrators, entry, (), verify) != ""


def test_an_epoch_change_stops_at_two_stories_of_one_epoch() -> None:
    """Promises that name two blocks of one epoch and height: no start is made, and the headers are kept."""
    panel = Panel(4, 3)
    first, second = sealed(panel, b"11111111"), sealed(panel, b"22222222")
    panel.hear(1, 0, propose(panel, first))
    panel.hear(2, 0, propose(panel, first))
    panel.hear(3, 0, propose(panel, second))
    panel.mail.clear()
    panel.take_over(7, 0)
    assert panel.states[3].role is Role.STANDING
    assert panel.states[3].evidence is not None
    assert [state.log for state in panel.states[1:]] == [(first,), (first,), (second,)]


def test_with_four_and_three_a_lying_sequencer_never_gets_two_certificates() -> None:
    """Every way to tell two stories to three honest administrators, in every order, with its own vote for both."""
    for stories in product((0, 1), repeat=6):
        panel = Panel(4, 3)
        blocks = [sealed(panel, b"11111111"), sealed(panel, b"22222222")]
        votes: list[set[int]] = [{0}, {0}]
        for honest, (one, two) in zip((1, 2, 3), zip(stories[::2], stories[1::2], strict=True), strict=True):
            for story in (one, two):
                for _, answer in panel.hear(honest, 0, propose(panel, blocks[story])):
                    if isinstance(answer, Cosigned):
                        votes[story].add(honest)
        assert sum(len(side) >= 3 for side in votes) <= 1


def test_messages_may_come_twice_and_in_any_order() -> None:
    """All orders of three proposals, each twice, lead to the same log once the sequencer repeats what is missing."""
    source = Panel(3, 2)
    for given_to in (b"11111111", b"22222222", b"33333333"):
        source.append(0, given_to)
    log = source.states[0].log
    for order in permutations(range(3)):
        panel = Panel(3, 2)
        for place in (*order, *order):
            panel.hear(1, 0, propose(panel, log[place]))
        panel.mail.clear()
        panel.states[0] = source.states[0]
        panel.hear(1, 0, Propose(0, tuple(entry.data for entry in log), source.states[0].certificate, 10_000))
        assert (panel.states[1].log, panel.states[1].floor) == (log, 3)


def test_a_forged_vote_promise_or_certificate_is_not_heard() -> None:
    """Each with one bit of its signature flipped, or given in another's name."""
    panel = Panel(3, 2)
    panel.append(0, b"11111111", 1, 2)
    entry = panel.states[0].log[0]
    (answer,) = panel.hear(1, 0, propose(panel, entry))
    panel.mail.clear()
    vote = answer[1]
    assert isinstance(vote, Cosigned)
    forged = vote._replace(vote=vote.vote._replace(signature=bytes(64)))
    for bad, sender in ((forged, 1), (vote, 2)):
        panel.hear(0, sender, bad)
        assert panel.states[0].floor == 0
    panel.hear(0, 1, vote)
    certificate = panel.states[0].certificate
    assert certificate is not None
    panel.hear(1, 0, Certified(certificate._replace(votes=certificate.votes[:1])))
    assert panel.states[1].floor == 0
    panel.hear(2, 2, TakeOver(5))
    panel.mail.clear()
    (promised,) = panel.hear(1, 2, Prepare(5, 0))
    assert isinstance(promised[1], Promised)
    bad_promise = promised[1].promise._replace(signature=bytes(64))
    panel.hear(2, 1, promised[1]._replace(promise=bad_promise))
    assert panel.states[2].role is Role.STANDING


def test_a_restart_remembers_everything_that_binds() -> None:
    """Promise, log, certificate and time come back from the diary; a sequencer goes on leading its epoch."""
    panel = Panel(3, 2)
    panel.append(0)
    panel.take_over(4, 0)
    panel.append(1, b"22222222", 0)
    for i in range(3):
        before = panel.states[i]
        panel.restart(i)
        after = panel.states[i]
        assert (after.promised, after.log, after.floor, after.time) == (
            before.promised,
            before.log,
            before.floor,
            before.time,
        )
    assert [state.role for state in panel.states] == [Role.LEADING, Role.LEADING, Role.FOLLOWING]
    panel.append(1, b"33333333")
    assert floors(panel) == [4, 4, 4]
    assert panel.states[0].role is Role.FOLLOWING


@given(st.integers(0, 400), st.integers(0, 40))
def test_a_torn_last_frame_is_left_out_whole(cut: int, zeros: int) -> None:
    """Of what one message made it write, everything is there or nothing."""
    old = [write_promise(1, 0, bytes(32), 5)]
    new = [write_cut(0), Write(Kind.BLOCK, bytes(range(200))), write_promise(2, 1, bytes(32), 6)]
    whole, frame = encode(old), encode(new)
    cut = min(cut, len(frame) - 1)
    recalled = recall(whole + frame[:cut] + bytes(zeros))
    assert (recalled.promised, recalled.blocks, recalled.whole) == (1, (), len(whole))
    assert recall(whole + frame).blocks == (bytes(range(200)),)


@given(st.data())
def test_damage_in_the_middle_of_a_diary_is_not_taken_for_a_torn_end(data: st.DataObject) -> None:
    """A flipped bit before a whole frame raises: an administrator that forgot a promise may not sign."""
    frames = [encode([write_promise(epoch, 0, bytes(32), epoch)]) for epoch in range(4)]
    whole = b"".join(frames)
    bit = data.draw(st.integers(0, 8 * (len(whole) - len(frames[-1])) - 1))
    spoilt = bytearray(whole)
    spoilt[bit // 8] ^= 1 << bit % 8
    with pytest.raises(LedgerError, match="damaged"):
        recall(bytes(spoilt))


def test_a_diary_that_promises_blocks_it_does_not_hold_is_refused() -> None:
    """It was cut by somebody, or is another's."""
    panel = Panel(3, 2)
    with pytest.raises(LedgerError, match="does not hold"):
        panel.replicas[1].restore(recall(encode([write_promise(0, 2, bytes(32), 5)])))


def test_an_epoch_record_has_one_spelling() -> None:
    """Strict lengths, promises in order."""
    promises = tuple(Promise(4, i, EMPTY, bytes(64)) for i in range(3))
    body = EpochStart(4, EMPTY, promises).to_bytes()
    assert read_epoch_start(body).to_bytes() == body
    for bad in (body[:-1], body + b"\0", b"", EpochStart(4, EMPTY, promises[::-1]).to_bytes()):
        with pytest.raises(LedgerError):
            read_epoch_start(bad)


def test_only_a_leading_administrator_appends() -> None:
    """A command to another one does nothing, nor does a block of another epoch."""
    panel = Panel(3, 2)
    assert panel.hear(1, 1, Append(sealed(panel, b"11111111", by=1).data)) == []
    assert panel.hear(0, 0, Append(sealed(panel, b"11111111", epoch=3).data)) == []
    assert heights(panel) == [0, 0, 0]
