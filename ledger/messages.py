"""What administrators say to each other, and what is said to one by its operator and its clock.

Messages may be lost, doubled, reordered and late: each of them means the same however often and whenever it comes.
Blocks travel as verbatim bytes. Only what must be shown to others later is signed: headers, votes, promises.
"""

from typing import NamedTuple

from ledger.epochs import Promise
from ledger.quorum import Certificate, Vote


class Propose(NamedTuple):
    """The sequencer of an epoch gives blocks that follow each other, and the newest certificate it knows."""

    epoch: int
    blocks: tuple[bytes, ...]
    certificate: Certificate | None
    time: int


class Need(NamedTuple):
    """An administrator asks the sequencer of an epoch for its blocks from `length` on."""

    epoch: int
    length: int


class Cosigned(NamedTuple):
    """An administrator's vote for a block."""

    epoch: int
    height: int
    digest: bytes
    vote: Vote


class Certified(NamedTuple):
    """A block has q votes."""

    certificate: Certificate


class Prepare(NamedTuple):
    """The sequencer of a new epoch asks for promises; it knows of `floor` certified blocks."""

    epoch: int
    floor: int


class Promised(NamedTuple):
    """A promise, with the log's blocks from `first` on and the newest certificate."""

    promise: Promise
    first: int
    blocks: tuple[bytes, ...]
    certificate: Certificate | None


class Ahead(NamedTuple):
    """An administrator has promised a newer epoch."""

    epoch: int


class TakeOver(NamedTuple):
    """The operators tell the sequencer of an epoch to begin it."""

    epoch: int


class Append(NamedTuple):
    """A block sealed on top of the sequencer's log, to be recorded and proposed."""

    data: bytes


class Tick(NamedTuple):
    """Time has passed: what was not answered is said again."""


Message = Propose | Need | Cosigned | Certified | Prepare | Promised | Ahead | TakeOver | Append | Tick
