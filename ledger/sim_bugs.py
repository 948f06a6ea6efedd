"""Planted bugs: one rule of a replica or its disk broken, to see that the simulator finds it.

Each is a mistake that was made somewhere: an old epoch heard, a sync left out, one vote too few, the longest log taken
for the newest, a block of an old epoch certified without a start block (figure 8 of the Raft paper), a vote forgotten
when a second block comes, a result signed unseen.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ledger.epochs import Entry, Tip
from ledger.messages import Propose
from ledger.quorum import Administrators
from ledger.replica import Replica
from ledger.replica_state import Role, State, Step
from ledger.sim_parts import SimulatedDisk


class StaleEpoch(Replica):
    """Hears epochs older than the one it promised."""

    def _may_hear(self, state: State, epoch: int) -> bool:
        return True


class LongestLog(Replica):
    """Begins an epoch on the longest log, whatever its last epoch."""

    def _choose(self, tips: Sequence[Tip]) -> Tip:
        return max(tips, key=lambda tip: (tip.length, tip.epoch))


class CommitOldEpoch(Replica):
    """Proposes what it adopted from older epochs first, and votes for it under the new epoch's number."""

    def _is_of(self, entry: Entry, epoch: int) -> bool:
        return entry.epoch <= epoch

    def _begin(self, state: State, now: int) -> Step:
        after, sends, writes = super()._begin(state, now)
        if after.role is not Role.LEADING or len(after.log) < 2:
            return after, sends, writes
        old = Propose(after.promised, (after.log[-2].data,), after.certificate, now)
        return after, [(to, old if isinstance(message, Propose) else message) for to, message in sends], writes


class QuorumLessOne(Administrators):
    """Counts one vote too few."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "quorum", self.quorum - 1)


class LostSync(SimulatedDisk):
    """Says that bytes are on the disk while they are in its cache."""

    def sync(self) -> None:
        """Do nothing."""


class TwoBlocks(Replica):
    """Takes another block of an epoch and height it has voted in, as if the first had not been."""

    def _is_second(self, mine: Entry, other: Entry) -> bool:
        return False


class Unjudged(Replica):
    """Signs without executing."""

    def _execute(self, below: Sequence[Entry], entry: Entry) -> str:
        return ""


class Plant(NamedTuple):
    """What stands in for the code as it is; `liar` where the bug shows only when another administrator lies."""

    replica: type[Replica] = Replica
    administrators: type[Administrators] = Administrators
    disk: type[SimulatedDisk] = SimulatedDisk
    liar: bool = False


BUGS = {
    "stale-epoch": Plant(replica=StaleEpoch),
    "lost-fsync": Plant(disk=LostSync),
    "quorum-less-one": Plant(administrators=QuorumLessOne),
    "longest-log": Plant(replica=LongestLog),
    "commit-old-epoch": Plant(replica=CommitOldEpoch),
    "two-blocks": Plant(replica=TwoBlocks, liar=True),
    "unjudged": Plant(replica=Unjudged, liar=True),
}
"""Planted bugs by name."""
