"""What an administrator knows, and what it is given: its state, how it signs, and the judge of its blocks."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

from ledger.diary import Write
from ledger.epochs import Entry
from ledger.messages import Message, Promised
from ledger.quorum import Certificate, Vote

EVERYONE = -1
"""Stands for all other administrators."""


class Sign(Protocol):
    """How an administrator signs."""

    def __call__(self, message: bytes) -> bytes:
        """64 bytes."""


class Judge(Protocol):
    """What blocks are made of, and whether what they record is what follows from the records before."""

    def read(self, data: bytes) -> Entry:
        """Cut a block; raises LedgerError where bytes do not fit."""

    def judge(self, below: Sequence[Entry], entry: Entry) -> str:
        """Execute a block again on the log below it: what differs, empty if nothing does."""

    def seal(self, below: Sequence[Entry], epoch: int, record: bytes) -> bytes:
        """A block of one record on the log below, signed as the sequencer of the epoch."""


class Role(IntEnum):
    """What an administrator does in the epoch it promised."""

    FOLLOWING = 0
    STANDING = 1
    LEADING = 2


class State(NamedTuple):
    """What an administrator knows.

    - promised, time: newest epoch promised, newest time signed; both durable;
    - log: its blocks; floor: how many of them are known to be certified; certificate: the newest one; durable;
    - evidence: two signed headers that contradict each other, if any were seen; durable;
    - role; promises: those gathered for an epoch, with their blocks, by administrator;
    - votes: those gathered by height; held: blocks each administrator is known to hold in this epoch.
    """

    promised: int = 0
    time: int = 0
    log: tuple[Entry, ...] = ()
    floor: int = 0
    certificate: Certificate | None = None
    evidence: tuple[bytes, bytes] | None = None
    role: Role = Role.FOLLOWING
    promises: Mapping[int, Promised] = {}
    votes: Mapping[int, Mapping[int, Vote]] = {}
    held: Mapping[int, int] = {}


Sends = list[tuple[int, Message]]
Step = tuple[State, Sends, list[Write]]


def replicated(state: State, height: int) -> int:
    """How many administrators a sequencer knows to hold a block, itself included."""
    return 1 + sum(length > height for length in state.held.values())
