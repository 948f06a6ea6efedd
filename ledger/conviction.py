"""Conviction: whom two certified histories prove to have lied, offline, with nothing but the administrators' keys.

Three things an honest administrator never does, each seen in what it signed:

- order two blocks of one epoch and height (two signed headers);
- vote for two blocks of one epoch and height (two cosignatures);
- promise a new epoch with a log that does not reach what it had voted for (a cosignature and a promise).

Two quorums share 2q - n administrators, so a fork convicts at least that many.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ledger.blocks import HEADER_BYTES
from ledger.encoding import SIGNATURE_BYTES
from ledger.epochs import Entry, EpochStart, is_promise_good
from ledger.quorum import (
    Administrators,
    Certificate,
    Evidence,
    Verify,
    check_double_vote,
    check_evidence,
    is_vote_good,
)

OPERATOR = -1
"""Stands for the operator where its key, and not an administrator's, signs the headers of epoch 0."""


class Branch(NamedTuple):
    """A history from the first block on, and the certificate of its last."""

    log: Sequence[Entry]
    certificate: Certificate


def convict(administrators: Administrators, first: Branch, second: Branch, verify: Verify) -> frozenset[int]:
    """Administrators, or OPERATOR, that two certified histories prove to have lied; empty where one continues another.

    Raises:
        LedgerError: a block of a history is not signed by its sequencer.
    """
    pairs = zip(first.log, second.log, strict=False)
    fork = next((height for height, (a, b) in enumerate(pairs) if a.digest != b.digest), None)
    if fork is None:
        return frozenset()
    found = set(check_double_vote(administrators, first.certificate, second.certificate, verify))
    for a, b in zip(first.log[fork:], second.log[fork:], strict=False):
        if a.epoch == b.epoch:
            key, sequencer = administrators.sequencer_key(a.epoch), administrators.sequencer(a.epoch)
            check_evidence(evidence_of(a, b), [key], verify)
            found.add(sequencer if key == administrators.keys[sequencer] else OPERATOR)
    for branch, other in ((first, second), (second, first)):
        for entry in other.log[fork:]:
            if entry.start:
                found.update(find_hidden(administrators, branch.certificate, entry.start, verify))
    return frozenset(found)


def evidence_of(first: Entry, second: Entry) -> Evidence:
    """The signed headers of two blocks."""
    size = HEADER_BYTES + SIGNATURE_BYTES
    return Evidence(first.data[:size], second.data[:size])


def find_hidden(
    administrators: Administrators, certificate: Certificate, start: EpochStart, verify: Verify
) -> Iterator[int]:
    """Administrators whose promise of a later epoch names a shorter log than the one they had voted for."""
    epoch, height, digest, votes = certificate
    voters = {vote.administrator: vote for vote in votes}
    for promise in start.promises:
        vote = voters.get(promise.administrator)
        if vote is None or promise.epoch <= epoch or promise.tip[:2] >= (epoch, height + 1):
            continue
        if is_promise_good(administrators, promise, verify) and is_vote_good(
            administrators, epoch, height, digest, vote, verify
        ):
            yield promise.administrator
