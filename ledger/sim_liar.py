"""A lying administrator for the simulator: two blocks at one height, wrong results, votes for all, and a hidden log.

It runs the same code as the honest ones and then changes what that says. It never breaks its own disk: what it lies
about is only what others hear.
"""

from random import Random

from ledger.epochs import EMPTY, Promise, promise_message
from ledger.host import Host
from ledger.messages import Certified, Cosigned, Message, Promised, Propose
from ledger.quorum import Vote, cosign_message, is_vote_good, make_certificate
from ledger.replica import Replica
from ledger.replica_state import EVERYONE, Role, Sends
from ledger.sim_parts import SimulatedDisk, SimulatedJudge

LIE_RATE = 0.5


class Liar(Host):
    """One administrator that lies; what it has said is not remembered after a restart."""

    def __init__(self, replica: Replica, disk: SimulatedDisk, judge: SimulatedJudge, dice: Random) -> None:
        super().__init__(replica, disk)
        self._judge, self._dice = judge, dice
        self._votes: dict[tuple[int, int, bytes], dict[int, Vote]] = {}

    def hear(self, sender: int, message: Message, now: int) -> Sends:
        """What the honest code says, and what a liar makes of it."""
        sends: Sends = []
        for to, said in super().hear(sender, message, now):
            if isinstance(said, Propose) and to == EVERYONE and self._dice.random() < LIE_RATE:
                sends += self._tell_two_stories(said)
            elif isinstance(said, Promised) and self._dice.random() < LIE_RATE:
                sends.append((to, self._hide(said.promise.epoch)))
            else:
                sends.append((to, said))
        if isinstance(message, Propose):
            sends += self._vote_for_anything(sender, message, now)
        elif isinstance(message, Cosigned):
            sends += self._certify_anything(sender, message, now)
        return sends

    def _tell_two_stories(self, said: Propose) -> Sends:
        """The newest block to some, another one of the same height, sometimes a wrong one, to the others."""
        entry = self._judge.read(said.blocks[-1])
        below = self.state.log[: entry.height]
        if entry.start or self.state.role is not Role.LEADING:
            return [(EVERYONE, said)]
        other = self._judge.propose(below, entry.epoch, self._dice.randbytes(8), wrong=self._dice.random() < LIE_RATE)
        twin = said._replace(blocks=(*said.blocks[:-1], other))
        self._judge.judge(below, self._judge.read(other))
        count = len(self.replica.administrators.keys)
        others = [name for name in range(count) if name != self.replica.index]
        return [(name, self._dice.choice((said, twin))) for name in others]

    def _hide(self, epoch: int) -> Promised:
        """A promise that claims to hold nothing."""
        index, administrators = self.replica.index, self.replica.administrators
        message = promise_message(administrators.chain_id, epoch, index, EMPTY)
        return Promised(Promise(epoch, index, EMPTY, self.replica.sign(message)), 0, (), None)

    def _vote_for_anything(self, sender: int, message: Propose, now: int) -> Sends:
        entry = self._judge.read(message.blocks[-1])
        vote = self._sign(entry.epoch, entry.height, entry.digest, now)
        return [(sender, Cosigned(entry.epoch, entry.height, entry.digest, vote))]

    def _certify_anything(self, sender: int, message: Cosigned, now: int) -> Sends:
        """A certificate for whatever got votes enough, whether its own or not."""
        epoch, height, digest, vote = message
        administrators = self.replica.administrators
        if not is_vote_good(administrators, epoch, height, digest, vote, self.replica.verify):
            return []
        votes = self._votes.setdefault((epoch, height, digest), {})
        votes[sender] = vote
        votes[self.replica.index] = self._sign(epoch, height, digest, now)
        if len(votes) < administrators.quorum:
            return []
        return [(EVERYONE, Certified(make_certificate(epoch, height, digest, list(votes.values()))))]

    def _sign(self, epoch: int, height: int, digest: bytes, now: int) -> Vote:
        message = cosign_message(self.replica.administrators.chain_id, epoch, height, digest, now)
        return Vote(self.replica.index, now, self.replica.sign(message))
