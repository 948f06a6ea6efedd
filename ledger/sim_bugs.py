"""Planted bugs: one rule of a replica or its disk broken, to see that the simulator finds it.

Each is a mistake that was made somewhere: an old epoch heard, a sync left out, one vote too few, the longest log taken
for the newest, a block of an old epoch certified without a start block (figure 8 of the Raft paper).
"""

from collections.abc import Sequence

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


BUGS: dict[str, tuple[type[Replica], type[Administrators], type[SimulatedDisk]]] = {
    "": (Replica, Administrators, SimulatedDisk),
    "stale-epoch": (StaleEpoch, Administrators, SimulatedDisk),
    "lost-fsync": (Replica, Administrators, LostSync),
    "quorum-less-one": (Replica, QuorumLessOne, SimulatedDisk),
    "longest-log": (LongestLog, Administrators, SimulatedDisk),
    "commit-old-epoch": (CommitOldEpoch, Administrators, SimulatedDisk),
}
"""What stands in for what, by the name of the bug; none under the empty name."""
