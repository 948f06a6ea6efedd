"""Administrators with the stand-in program, in one place, for tests that choose every message themselves."""

from ledger.diary import encode, recall
from ledger.messages import Append, Message, TakeOver
from ledger.quorum import Administrators
from ledger.replica import Replica
from ledger.replica_state import EVERYONE, Sends, State
from ledger.sim_parts import CHAIN, Memo, SimulatedJudge, key_of, signer_of, verify


class Panel:
    """n administrators; `states` are theirs, `diaries` what each has written, `mail` what is on its way."""

    def __init__(self, n: int, quorum: int) -> None:
        self.administrators = Administrators(CHAIN, tuple(key_of(i) for i in range(n)), quorum)
        memo = Memo()
        self.judges = [SimulatedJudge(signer_of(i), memo) for i in range(n)]
        self.replicas = [Replica(i, self.administrators, signer_of(i), verify, self.judges[i], 2_000) for i in range(n)]
        self.diaries = [b""] * n
        self.states: list[State] = [replica.restore(recall(b"")) for replica in self.replicas]
        self.mail: list[tuple[int, int, Message]] = []

    def hear(self, to: int, sender: int, message: Message, now: int = 10_000) -> Sends:
        """One step of one administrator; what it says is put on its way."""
        self.states[to], sends, writes = self.replicas[to].hear(self.states[to], sender, message, now)
        if writes:
            self.diaries[to] += encode(writes)
        for target, said in sends:
            others = range(len(self.states)) if target == EVERYONE else (target,)
            self.mail += [(to, other, said) for other in others if other != to]
        return sends

    def settle(self, *without: int) -> None:
        """Deliver everything; what goes to or comes from the administrators named is lost."""
        while self.mail:
            sender, to, message = self.mail.pop(0)
            if sender not in without and to not in without:
                self.hear(to, sender, message)

    def append(self, leader: int, given: bytes = b"12345678", *without: int) -> None:
        """One more block."""
        state = self.states[leader]
        self.hear(leader, leader, Append(self.judges[leader].propose(state.log, state.promised, given)))
        self.settle(*without)

    def take_over(self, epoch: int, *without: int) -> int:
        """Begin an epoch; returns its sequencer."""
        leader = self.administrators.sequencer(epoch)
        self.hear(leader, leader, TakeOver(epoch))
        self.settle(*without)
        return leader

    def restart(self, i: int) -> None:
        """Forget everything that is not in the diary."""
        self.states[i] = self.replicas[i].restore(recall(self.diaries[i]))
