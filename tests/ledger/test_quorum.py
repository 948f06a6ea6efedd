"""Certificates and evidence, checked offline with the administrators' keys."""

import hashlib
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.conviction import OPERATOR, Branch, convict, evidence_of
from ledger.diary import encode, write_cut, write_promise
from ledger.epochs import Entry, EpochStart, Promise, Tip, promise_message
from ledger.judging import verify_signature
from ledger.keys import SoftwareSigner
from ledger.quorum import (
    Administrators,
    Certificate,
    Evidence,
    Vote,
    check_certificate,
    check_evidence,
    cosign_message,
    make_certificate,
    read_certificate,
)
from ledger.sim_parts import CHAIN, Memo, SimulatedJudge
from market.errors import ConfigError, LedgerError

SIGNERS = [SoftwareSigner.generate() for _ in range(4)]
KEYS = tuple(signer.public_key for signer in SIGNERS)
THREE_OF_FOUR = Administrators(CHAIN, KEYS, 3)
TWO_OF_THREE = Administrators(CHAIN, KEYS[:3], 2)
DIGEST = bytes(range(32))


def vote(number: int, epoch: int, height: int, digest: bytes, time: int = 7) -> Vote:
    """A vote signed with the administrator's real key."""
    return Vote(number, time, SIGNERS[number].sign(cosign_message(CHAIN, epoch, height, digest, time)))


def certificate(numbers: tuple[int, ...], digest: bytes = DIGEST, epoch: int = 1, height: int = 5) -> Certificate:
    """A certificate of these administrators."""
    return make_certificate(epoch, height, digest, [vote(number, epoch, height, digest) for number in numbers])


def two_stories() -> tuple[Entry, Entry]:
    """Two first blocks of epoch 0, both signed by its sequencer, administrator 0."""
    judge = SimulatedJudge(SIGNERS[0].sign, Memo())
    blocks = [judge.read(judge.propose((), 0, given)) for given in (b"11111111", b"22222222")]
    return blocks[0], blocks[1]


@pytest.mark.parametrize(("n", "quorum"), [(4, 2), (3, 1), (2, 1), (3, 4), (0, 0), (256, 200)])
def test_a_quorum_that_could_certify_two_blocks_is_refused(n: int, quorum: int) -> None:
    """Two quorums must share a member, and a certificate counts administrators in a byte."""
    with pytest.raises(ConfigError):
        Administrators(CHAIN, tuple(bytes([i % 256]) * 32 for i in range(n)), quorum)


def test_an_administrator_counts_once_whatever_keys_stand_in_the_list() -> None:
    """The same key twice would give one holder two votes."""
    with pytest.raises(ConfigError, match="same key"):
        Administrators(CHAIN, (KEYS[0], KEYS[1], KEYS[0]), 2)


@pytest.mark.parametrize(("n", "quorum", "crashes", "liars"), [(1, 1, 0, 0), (3, 2, 1, 0), (4, 3, 1, 1), (7, 5, 2, 2)])
def test_what_may_fail_follows_from_n_and_q(n: int, quorum: int, crashes: int, liars: int) -> None:
    """n - q may be down; two quorums share 2q - n, of whom one must be honest."""
    group = Administrators(CHAIN, tuple(bytes([i]) * 32 for i in range(n)), quorum)
    assert (group.crashes, group.liars) == (crashes, liars)


def test_q_good_votes_certify_and_fewer_do_not() -> None:
    """Every choice of three of four, and no choice of two."""
    for three in combinations(range(4), 3):
        check_certificate(THREE_OF_FOUR, certificate(three), verify_signature)
    for numbers in combinations(range(4), 2):
        with pytest.raises(LedgerError, match="3 are needed"):
            check_certificate(THREE_OF_FOUR, certificate(numbers), verify_signature)


def test_a_vote_counts_for_its_block_height_epoch_chain_and_time_only() -> None:
    """Whatever is changed about a certificate, its votes are no longer good."""
    good = certificate((0, 1, 3))
    first = good.votes[0]
    changed = [
        good._replace(epoch=2),
        good._replace(height=6),
        good._replace(digest=bytes(32)),
        good._replace(votes=(first._replace(time=8), *good.votes[1:])),
        good._replace(votes=(first._replace(administrator=2), *good.votes[1:])),
        good._replace(votes=(*good.votes[:2], good.votes[2]._replace(administrator=9))),
    ]
    for bad in changed:
        with pytest.raises(LedgerError):
            check_certificate(THREE_OF_FOUR, bad, verify_signature)
    other = Administrators(b"S" + bytes(14) + b"\1", KEYS, 3)
    with pytest.raises(LedgerError, match="not good"):
        check_certificate(other, good, verify_signature)


def test_one_voter_three_times_is_one_vote() -> None:
    """Repeated votes are refused when read and when checked."""
    good = certificate((0, 1, 2))
    repeated = good._replace(votes=(good.votes[0],) * 3)
    with pytest.raises(LedgerError, match="3 are needed"):
        check_certificate(THREE_OF_FOUR, repeated, verify_signature)
    with pytest.raises(LedgerError, match="each administrator once"):
        read_certificate(repeated.to_bytes())


@given(st.data())
def test_a_certificate_has_one_spelling(data: st.DataObject) -> None:
    """Bytes lead back to the same certificate; a beginning, or one byte more, is refused."""
    good = certificate((0, 2, 3)).to_bytes()
    assert read_certificate(good).to_bytes() == good
    cut = data.draw(st.integers(0, len(good) - 1))
    for bad in (good[:cut], good + b"\0"):
        with pytest.raises(LedgerError):
            read_certificate(bad)


def test_two_signed_headers_convict_their_sequencer() -> None:
    """With the public keys alone; in either order."""
    evidence = evidence_of(*two_stories())
    assert check_evidence(evidence, KEYS, verify_signature) == 0
    assert check_evidence(Evidence(*evidence[::-1]), KEYS[::-1], verify_signature) == 3


def test_headers_that_may_both_be_true_convict_nobody() -> None:
    """The same one twice, two heights, one not signed by any key given, or bytes that are no headers."""
    first, second = two_stories()
    judge = SimulatedJudge(SIGNERS[0].sign, Memo())
    judge.judge((), judge.read(first.data))
    above = judge.read(judge.propose([first], 0, b"33333333"))
    evidence = evidence_of(first, second)
    forged = Evidence(evidence.first, evidence.second[:-1] + bytes([evidence.second[-1] ^ 1]))
    for bad in (evidence_of(first, first), evidence_of(first, above), forged, Evidence(b"", b"")):
        with pytest.raises(LedgerError):
            check_evidence(bad, KEYS, verify_signature)
    with pytest.raises(LedgerError, match="no key given"):
        check_evidence(evidence, KEYS[1:], verify_signature)


def test_with_three_and_two_a_fork_convicts_the_liar_offline() -> None:
    """Administrator 0 signs two blocks and votes with 1 for one and 2 for the other: both certificates convict it."""
    first, second = two_stories()
    certificates = [certificate((0, other), entry.digest, 0, 0) for other, entry in ((1, first), (2, second))]
    for given_by in certificates:
        check_certificate(TWO_OF_THREE, given_by, verify_signature)
    one, other = Branch([first], certificates[0]), Branch([second], certificates[1])
    assert convict(TWO_OF_THREE, one, other, verify_signature) == {0}


def test_an_operator_with_a_key_of_its_own_is_convicted_by_itself() -> None:
    """Two blocks of epoch 0 under the operator's key speak against the operator, not against administrator 0."""
    operator = SoftwareSigner.generate()
    judge = SimulatedJudge(operator.sign, Memo())
    group = Administrators(CHAIN, KEYS[:3], 2, operator.public_key)
    entries = [judge.read(judge.propose((), 0, given)) for given in (b"11111111", b"22222222")]
    branches = [
        Branch([entry], certificate((number, 1), entry.digest, 0, 0))
        for entry, number in zip(entries, (0, 2), strict=True)
    ]
    assert convict(group, branches[0], branches[1], verify_signature) == {1, OPERATOR}
    assert convict(group, branches[0], branches[0], verify_signature) == frozenset()


def test_with_four_and_three_one_liar_cannot_find_the_votes_for_two_blocks() -> None:
    """However the three honest ones vote, each once, the liar's two votes certify one block at most."""
    for votes in range(2**3):
        sides = [{3} | {i for i in range(3) if votes >> i & 1 == side} for side in (0, 1)]
        assert sum(len(side) >= THREE_OF_FOUR.quorum for side in sides) <= 1


def test_bytes_of_certificates_votes_promises_and_epoch_records_are_frozen() -> None:
    """They are signed and kept for ever: another spelling would need another version."""
    tip = Tip(3, 9, DIGEST)
    signed = Vote(2, 77, bytes(range(64)))
    promise = Promise(4, 1, tip, bytes(range(64)))
    frozen = {
        Certificate(1, 5, DIGEST, (signed,)).to_bytes(): (118, "6d9f9640bc8a1ca2"),
        cosign_message(CHAIN, 1, 5, DIGEST, 77): (81, "c4d10784b5b02c95"),
        promise_message(CHAIN, 4, 1, tip): (79, "0bcc2aad11476b0f"),
        EpochStart(4, tip, (promise,)).to_record(): (163, "b7611167c8f378f9"),
        encode([write_promise(4, 9, DIGEST, 77), write_cut(3)]): (78, "5564fa5df765e25d"),
    }
    assert [(len(data), hashlib.sha256(data).hexdigest()[:16]) for data in frozen] == list(frozen.values())
