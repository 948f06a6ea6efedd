"""Cosigning: who the administrators are, what q of n of them sign, and what convicts one that signs two things.

    cosign message  tag | chain 16 | epoch u32 | height u64 | block hash 32 | time u64
    certificate     epoch u32 | height u64 | block hash 32 | count u8 | count times (administrator u8, time u64,
                    signature 64)
    evidence        two signed headers (header, signature 64) of one key, one chain, one epoch and one height

A block is certified at q cosignatures; as it names the block before, all below it are. A certificate is checked offline
with nothing but the administrators' keys. The time in a cosignature is the signer's own statement. Evidence is checked
offline too: an honest sequencer never signs two blocks of one epoch and height.

Source: witness cosigning of Sigsum and C2SP (https://c2sp.org/tlog-cosignature), with a full copy and re-execution at
each witness; quorums that intersect in more than f replicas (Malkhi and Reiter 1998, doi:10.1007/s004460050050).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol

from ledger.blocks import HEADER_BYTES, header_hash, header_message, read_header
from ledger.encoding import SIGNATURE_BYTES
from market.errors import ConfigError, LedgerError

COSIGN_TAG = b"DG/cosign/v1\0"
MAX_ADMINISTRATORS = 255
_MESSAGE = struct.Struct(">16sIQ32sQ")
_HEAD = struct.Struct(">IQ32sB")
_VOTE = struct.Struct(">BQ64s")


class Verify(Protocol):
    """How signatures are checked: Ed25519 in production, a keyed hash in the simulator."""

    def __call__(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Whether the signature is good under the key."""


@dataclass(frozen=True)
class Administrators:
    """The administrators of a chain: public keys in order, and how many must cosign.

    `operator` is the key that signs the headers of epoch 0 where that is not the first administrator.

    Raises:
        ConfigError: two quorums need not share a member, a key stands twice, or there are too many.
    """

    chain_id: bytes
    keys: tuple[bytes, ...]
    quorum: int
    operator: bytes = b""

    def __post_init__(self) -> None:
        n, q = len(self.keys), self.quorum
        if not 1 <= q <= n <= MAX_ADMINISTRATORS or 2 * q <= n:
            raise ConfigError(
                f"a quorum of {q} of {n} lets two blocks of one height be certified",
                do=f"ask for {n // 2 + 1} to {n} of {n}",
            )
        if len(set(self.keys)) != n:
            raise ConfigError("two administrators have the same key")

    @property
    def crashes(self) -> int:
        """Administrators that may be down while blocks are certified, n - q."""
        return len(self.keys) - self.quorum

    @property
    def liars(self) -> int:
        """Administrators that may lie without a fork being certified: two quorums share 2q - n, one of them honest."""
        return 2 * self.quorum - len(self.keys) - 1

    def sequencer(self, epoch: int) -> int:
        """Administrator who orders the blocks of an epoch."""
        return epoch % len(self.keys)

    def sequencer_key(self, epoch: int) -> bytes:
        """Key that signs the headers of an epoch."""
        return self.operator if self.operator and not epoch else self.keys[self.sequencer(epoch)]


class Vote(NamedTuple):
    """One administrator's cosignature of a block."""

    administrator: int
    time: int
    signature: bytes


class Certificate(NamedTuple):
    """At least q votes for one block; sorted by administrator."""

    epoch: int
    height: int
    digest: bytes
    votes: tuple[Vote, ...]

    def to_bytes(self) -> bytes:
        """Canonical bytes."""
        return _HEAD.pack(self.epoch, self.height, self.digest, len(self.votes)) + b"".join(
            _VOTE.pack(*vote) for vote in self.votes
        )


def read_certificate(data: bytes) -> Certificate:
    """A certificate from its bytes; raises LedgerError on a wrong length or votes out of order."""
    if len(data) < _HEAD.size:
        raise LedgerError("certificate is cut short")
    epoch, height, digest, count = _HEAD.unpack_from(data)
    if len(data) != _HEAD.size + count * _VOTE.size:
        raise LedgerError("certificate has a wrong length")
    votes = tuple(Vote(*fields) for fields in _VOTE.iter_unpack(data[_HEAD.size :]))
    if any(vote.administrator >= after.administrator for vote, after in pairwise(votes)):
        raise LedgerError("votes of a certificate are not in order, each administrator once")
    return Certificate(epoch, height, digest, votes)


def cosign_message(chain_id: bytes, epoch: int, height: int, digest: bytes, time: int) -> bytes:
    """What an administrator signs for a block."""
    return COSIGN_TAG + _MESSAGE.pack(chain_id, epoch, height, digest, time)


def is_vote_good(
    administrators: Administrators, epoch: int, height: int, digest: bytes, vote: Vote, verify: Verify
) -> bool:
    """Whether the vote is the named administrator's for this block."""
    if vote.administrator >= len(administrators.keys):
        return False
    message = cosign_message(administrators.chain_id, epoch, height, digest, vote.time)
    return verify(administrators.keys[vote.administrator], vote.signature, message)


def check_certificate(administrators: Administrators, certificate: Certificate, verify: Verify) -> None:
    """Raise LedgerError unless q different administrators signed this block."""
    epoch, height, digest, votes = certificate
    place = f"certificate of block {height}"
    if len({vote.administrator for vote in votes}) < max(administrators.quorum, len(votes)):
        raise LedgerError(f"{len(votes)} cosignatures, {administrators.quorum} are needed", where=place)
    for vote in votes:
        if not is_vote_good(administrators, epoch, height, digest, vote, verify):
            raise LedgerError(f"cosignature of administrator {vote.administrator} is not good", where=place)


def make_certificate(epoch: int, height: int, digest: bytes, votes: Sequence[Vote]) -> Certificate:
    """A certificate of votes that were checked."""
    return Certificate(epoch, height, digest, tuple(sorted(votes)))


class Evidence(NamedTuple):
    """Two signed headers (header bytes and signature, as they stand at the front of a block)."""

    first: bytes
    second: bytes


def check_evidence(evidence: Evidence, keys: Sequence[bytes], verify: Verify) -> int:
    """Which of the keys is convicted of having signed two blocks of one epoch and height.

    Raises:
        LedgerError: the headers do not contradict each other, or no key signed both.
    """
    size = HEADER_BYTES + SIGNATURE_BYTES
    if {len(evidence.first), len(evidence.second)} != {size}:
        raise LedgerError("evidence is not two signed headers")
    first, second = (read_header(side[:HEADER_BYTES]) for side in evidence)
    if (first.chain_id, first.epoch, first.height) != (second.chain_id, second.epoch, second.height):
        raise LedgerError("headers are not of one chain, epoch and height: they may both be true")
    if header_hash(evidence.first[:HEADER_BYTES]) == header_hash(evidence.second[:HEADER_BYTES]):
        raise LedgerError("both headers are the same")
    for index, key in enumerate(keys):
        if all(verify(key, side[HEADER_BYTES:], header_message(side[:HEADER_BYTES])) for side in evidence):
            return index
    raise LedgerError("no key given signed both headers")


def check_double_vote(
    administrators: Administrators, first: Certificate, second: Certificate, verify: Verify
) -> tuple[int, ...]:
    """Administrators whose good votes stand under two blocks of one epoch and height: each is convicted."""
    if first[:2] != second[:2] or first.digest == second.digest:
        return ()
    good = [
        {vote.administrator for vote in side.votes if is_vote_good(administrators, *side[:3], vote, verify)}
        for side in (first, second)
    ]
    return tuple(sorted(good[0] & good[1]))
