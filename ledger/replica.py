"""One administrator as a pure state machine: (state, message, time) gives state, messages and what to write first.

The rules; what happens without one is shown by a planted bug (`ledger.sim_bugs`), for the fifth by a test:

1. never two hashes for one epoch and height;
2. what is signed or answered was on the disk before: the host writes, waits for the disk, and only then sends;
3. an epoch begins on the log with the greatest (last epoch, length) among q promises, with a block of its own;
4. who promised an epoch hears no older one, and accepting a newer epoch's block is a promise;
5. nothing is cut below a block whose certificate was seen;
6. every block is executed again before it is signed.

No clock, no disk, no network here: `ledger.host` has them, and the simulator its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.blocks import HEADER_BYTES, header_message
from ledger.diary import Kind, Recalled, Write, write_cut, write_promise
from ledger.encoding import SIGNATURE_BYTES
from ledger.epochs import (
    Entry,
    EpochStart,
    Promise,
    Tip,
    check_start,
    greatest,
    is_promise_good,
    promise_message,
    tip_of,
)
from ledger.messages import (
    Ahead,
    Append,
    Certified,
    Cosigned,
    Message,
    Need,
    Prepare,
    Promised,
    Propose,
    TakeOver,
    Tick,
)
from ledger.quorum import (
    Administrators,
    Certificate,
    Verify,
    Vote,
    check_certificate,
    cosign_message,
    is_vote_good,
    make_certificate,
    read_certificate,
)
from ledger.replica_state import EVERYONE, Judge, Role, Sends, Sign, State, Step, replicated
from market.errors import LedgerError

HEADER_AND_SIGNATURE = HEADER_BYTES + SIGNATURE_BYTES


@dataclass(frozen=True)
class Replica:
    """The rules of one administrator; everything that changes is in `State`.

    Args:
        index: its place among the administrators.
        administrators: keys and quorum.
        sign, verify: signatures.
        judge: what blocks are made of.
        slack: how far the sequencer's clock may be from its own, in the unit of `now`.
    """

    index: int
    administrators: Administrators
    sign: Sign
    verify: Verify
    judge: Judge
    slack: int

    def restore(self, recalled: Recalled) -> State:
        """The state after a restart; raises LedgerError when the diary contradicts itself."""
        log = tuple(self.judge.read(data) for data in recalled.blocks)
        length, digest = recalled.said
        if length > len(log) or (length and log[length - 1].digest != digest):
            raise LedgerError("diary promises blocks it does not hold", do="restore from another copy")
        certificate = read_certificate(recalled.certificate) if recalled.certificate else None
        floor = certificate.height + 1 if certificate else 0
        evidence = None
        if recalled.evidence:
            half = len(recalled.evidence) // 2
            evidence = recalled.evidence[:half], recalled.evidence[half:]
        state = State(recalled.promised, recalled.time, log, floor, certificate, evidence)
        if self.administrators.sequencer(state.promised) != self.index:
            return state
        if tip_of(log).epoch == state.promised:
            return state._replace(role=Role.LEADING)
        mine = self._promise(state)
        return state._replace(role=Role.STANDING, promises={self.index: mine})

    def hear(self, state: State, sender: int, message: Message, now: int) -> Step:
        """One step; `sender` is the administrator a message came from, itself for commands and the clock."""
        match message:
            case Propose():
                return self._hear_propose(state, sender, message, now)
            case Cosigned():
                return self._hear_vote(state, sender, message, now)
            case Certified():
                return self._hear_certified(state, sender, message)
            case Need():
                return self._hear_need(state, sender, message, now)
            case Prepare():
                return self._hear_prepare(state, sender, message)
            case Promised():
                return self._hear_promised(state, sender, message, now)
            case Append():
                return self._append(state, message, now)
            case TakeOver():
                return self._take_over(state, message, now)
            case Tick():
                return self._tick(state, now)
            case Ahead():
                is_newer = message.epoch > state.promised
                return (state._replace(role=Role.FOLLOWING) if is_newer else state), [], []

    # what follows the sequencer

    def _hear_propose(self, state: State, sender: int, message: Propose, now: int) -> Step:
        epoch = message.epoch
        if not self._may_hear(state, epoch):
            return state, [(sender, Ahead(state.promised))], []
        if sender != self.administrators.sequencer(epoch) or abs(message.time - now) > self.slack:
            return state, [], []
        try:
            entries = [self.judge.read(data) for data in message.blocks]
        except LedgerError:
            return state, [], []
        if not entries or not self._is_of(entries[-1], epoch):
            return state, [], []
        first, log = entries[0].height, state.log
        if first > len(log) or (first and log[first - 1].digest != entries[0].previous):
            return state, [(sender, Need(epoch, state.floor))], []
        known = 0
        while known < len(entries) and first + known < len(log) and log[first + known].digest == entries[known].digest:
            known += 1
        state, writes = self._take(state, first + known, entries[known:])
        height = entries[-1].height
        if height >= len(state.log) or state.log[height].digest != entries[-1].digest:
            return state, [], writes
        state = self._promise_epoch(state, epoch)
        state, learnt = self._learn(state, message.certificate)
        state, vote, voted = self._vote(state, epoch, height, now)
        sends: Sends = [(sender, Cosigned(epoch, height, entries[-1].digest, vote))]
        return state, sends, writes + learnt + voted

    def _take(self, state: State, cut: int, fresh: Sequence[Entry]) -> tuple[State, list[Write]]:
        """Blocks from `cut` on replaced by those given, if all of them may be; otherwise the state as it was."""
        if not fresh:
            return state, []
        log = state.log
        if cut < len(log):
            if self._is_second(log[cut], fresh[0]):
                return self._keep_evidence(state, log[cut], fresh[0])
            if cut < state.floor:
                return state, []
        below = log[:cut]
        for entry in fresh:
            if self._refuse(below, entry):
                return state, []
            below = (*below, entry)
        writes = [Write(Kind.BLOCK, entry.data) for entry in fresh]
        if cut < len(log):
            writes.insert(0, write_cut(cut))
        return state._replace(log=below), writes

    def _refuse(self, below: Sequence[Entry], entry: Entry) -> str:
        """Why a block may not stand on the log below; empty if it may."""
        tip = tip_of(below)
        if (entry.height, entry.previous) != (tip.length, tip.digest):
            return "block does not continue the one before"
        if entry.epoch < tip.epoch or (entry.epoch == tip.epoch and entry.start):
            return "block is of an older epoch, or begins one twice"
        front = entry.data[:HEADER_AND_SIGNATURE]
        key = self.administrators.sequencer_key(entry.epoch)
        if not self.verify(key, front[HEADER_BYTES:], header_message(front[:HEADER_BYTES])):
            return "header is not signed by the sequencer of its epoch"
        if entry.epoch > tip.epoch:
            why = check_start(self.administrators, entry, below, self.verify, self._choose)
            if why:
                return why
        return self._execute(below, entry)

    def _keep_evidence(self, state: State, mine: Entry, other: Entry) -> tuple[State, list[Write]]:
        """Two blocks of one epoch and height: both headers, if the sequencer signed both."""
        fronts = mine.data[:HEADER_AND_SIGNATURE], other.data[:HEADER_AND_SIGNATURE]
        key = self.administrators.sequencer_key(mine.epoch)
        signed = all(self.verify(key, f[HEADER_BYTES:], header_message(f[:HEADER_BYTES])) for f in fronts)
        if state.evidence is not None or not signed:
            return state, []
        return state._replace(evidence=fronts), [Write(Kind.EVIDENCE, fronts[0] + fronts[1])]

    def _learn(self, state: State, certificate: Certificate | None) -> tuple[State, list[Write]]:
        """Raise the floor to a certificate of a block in the log."""
        if certificate is None or not state.floor <= certificate.height < len(state.log):
            return state, []
        entry = state.log[certificate.height]
        if (entry.digest, entry.epoch) != (certificate.digest, certificate.epoch):
            return state, []
        try:
            check_certificate(self.administrators, certificate, self.verify)
        except LedgerError:
            return state, []
        writes = [Write(Kind.CERTIFICATE, certificate.to_bytes())]
        return state._replace(floor=certificate.height + 1, certificate=certificate), writes

    def _vote(self, state: State, epoch: int, height: int, now: int) -> tuple[State, Vote, list[Write]]:
        time = max(now, state.time)
        digest, tip = state.log[height].digest, tip_of(state.log)
        message = cosign_message(self.administrators.chain_id, epoch, height, digest, time)
        vote = Vote(self.index, time, self.sign(message))
        return state._replace(time=time), vote, [write_promise(state.promised, tip.length, tip.digest, time)]

    def _hear_certified(self, state: State, sender: int, message: Certified) -> Step:
        certificate = message.certificate
        state, writes = self._learn(state, certificate)
        if certificate.height < state.floor or certificate.epoch < state.promised:
            return state, [], writes
        return state, [(sender, Need(certificate.epoch, state.floor))], writes

    # the sequencer

    def _append(self, state: State, message: Append, now: int) -> Step:
        if state.role is not Role.LEADING:
            return state, [], []
        entry = self.judge.read(message.data)
        if entry.epoch != state.promised or self._refuse(state.log, entry):
            return state, [], []
        return self._publish(state._replace(log=(*state.log, entry)), [Write(Kind.BLOCK, entry.data)], now)

    def _publish(self, state: State, writes: list[Write], now: int) -> Step:
        """Send the newest block, which is written first."""
        tip = tip_of(state.log)
        writes = [*writes, write_promise(state.promised, tip.length, tip.digest, state.time)]
        sends: Sends = [(EVERYONE, Propose(state.promised, (state.log[-1].data,), state.certificate, now))]
        state, certified, more = self._certify(state, tip.length - 1, now)
        return state, sends + certified, writes + more

    def _hear_vote(self, state: State, sender: int, message: Cosigned, now: int) -> Step:
        epoch, height, digest, vote = message
        leads = state.role is Role.LEADING and epoch == state.promised and vote.administrator == sender
        if not leads or height >= len(state.log) or state.log[height].digest != digest:
            return state, [], []
        if not self._is_of(state.log[height], epoch):
            return state, [], []
        if not is_vote_good(self.administrators, epoch, height, digest, vote, self.verify):
            return state, [], []
        held = {**state.held, sender: max(height + 1, state.held.get(sender, 0))}
        state = state._replace(held=held)
        if height < state.floor:
            return state, [], []
        votes = {**state.votes, height: {**state.votes.get(height, {}), sender: vote}}
        return self._certify(state._replace(votes=votes), height, now)

    def _certify(self, state: State, height: int, now: int) -> Step:
        """Certify a block when its votes and the sequencer's own are enough."""
        votes = state.votes.get(height, {})
        if len(votes) + 1 < self.administrators.quorum:
            return state, [], []
        epoch, digest = state.promised, state.log[height].digest
        state, own, writes = self._vote(state, epoch, height, now)
        certificate = make_certificate(epoch, height, digest, [*votes.values(), own])
        state = state._replace(
            floor=height + 1,
            certificate=certificate,
            votes={place: given for place, given in state.votes.items() if place > height},
        )
        writes.append(Write(Kind.CERTIFICATE, certificate.to_bytes()))
        return state, [(EVERYONE, Certified(certificate))], writes

    def _hear_need(self, state: State, sender: int, message: Need, now: int) -> Step:
        blocks = tuple(entry.data for entry in state.log[message.length :])
        if state.role is not Role.LEADING or message.epoch != state.promised or not blocks:
            return state, [], []
        return state, [(sender, Propose(state.promised, blocks, state.certificate, now))], []

    # a new epoch

    def _take_over(self, state: State, message: TakeOver, now: int) -> Step:
        epoch = message.epoch
        if epoch <= state.promised or self.administrators.sequencer(epoch) != self.index:
            return state, [], []
        state = self._promise_epoch(state, epoch)
        state = state._replace(role=Role.STANDING, promises={self.index: self._promise(state)})
        writes = [self._write_promise(state)]
        state, sends, more = self._begin(state, now)
        return state, [(EVERYONE, Prepare(epoch, state.floor)), *sends], writes + more

    def _hear_prepare(self, state: State, sender: int, message: Prepare) -> Step:
        epoch = message.epoch
        if sender != self.administrators.sequencer(epoch):
            return state, [], []
        if epoch < state.promised:
            return state, [(sender, Ahead(state.promised))], []
        state = self._promise_epoch(state, epoch)
        mine = self._promise(state, message.floor)
        return state, [(sender, mine)], [self._write_promise(state)]

    def _hear_promised(self, state: State, sender: int, message: Promised, now: int) -> Step:
        promise = message.promise
        if state.role is not Role.STANDING or promise.epoch != state.promised or promise.administrator != sender:
            return state, [], []
        if not is_promise_good(self.administrators, promise, self.verify):
            return state, [], []
        return self._begin(state._replace(promises={**state.promises, sender: message}), now)

    def _begin(self, state: State, now: int) -> Step:
        """Begin the epoch on the log that goes furthest, once enough have promised."""
        if len(state.promises) < self.administrators.quorum:
            return state, [], []
        promises = tuple(state.promises[who].promise for who in sorted(state.promises))
        base = self._choose([promise.tip for promise in promises])
        best = next(said for said in state.promises.values() if said.promise.tip == base)
        adopted, writes = self._adopt(state, best)
        if tip_of(adopted.log) != base:
            # its blocks do not make the log it claims, or contradict certified ones: go on without it
            others = {who: said for who, said in state.promises.items() if said is not best}
            seen = [write for write in writes if write.kind is Kind.EVIDENCE]
            return state._replace(promises=others, evidence=adopted.evidence), [], seen
        start = EpochStart(state.promised, base, promises)
        entry = self.judge.read(self.judge.seal(adopted.log, state.promised, start.to_record()))
        if self._refuse(adopted.log, entry):
            return state, [], []
        adopted, learnt = self._learn(adopted, best.certificate)
        log = (*adopted.log, entry)
        adopted = adopted._replace(log=log, role=Role.LEADING, promises={}, votes={}, held={})
        return self._publish(adopted, [*writes, Write(Kind.BLOCK, entry.data), *learnt], now)

    def _adopt(self, state: State, said: Promised) -> tuple[State, list[Write]]:
        """The log of a promise in place of its own."""
        tip, log = said.promise.tip, state.log
        if tip == tip_of(log):
            return state, []
        try:
            entries = [self.judge.read(data) for data in said.blocks]
        except LedgerError:
            return state, []
        first = said.first
        known = 0
        while known < len(entries) and first + known < len(log) and log[first + known].digest == entries[known].digest:
            known += 1
        if first + known > len(log):
            return state, []
        return self._take(state, first + known, entries[known:])

    def _promise_epoch(self, state: State, epoch: int) -> State:
        """Promise an epoch if it is newer; whatever was gathered for an older one is dropped."""
        if epoch <= state.promised:
            return state
        return state._replace(promised=epoch, role=Role.FOLLOWING, promises={}, votes={}, held={})

    def _promise(self, state: State, floor: int = 0) -> Promised:
        """The promise of the state's epoch, with the blocks above `floor`."""
        tip = tip_of(state.log)
        message = promise_message(self.administrators.chain_id, state.promised, self.index, tip)
        promise = Promise(state.promised, self.index, tip, self.sign(message))
        return Promised(promise, floor, tuple(entry.data for entry in state.log[floor:]), state.certificate)

    def _write_promise(self, state: State) -> Write:
        tip = tip_of(state.log)
        return write_promise(state.promised, tip.length, tip.digest, state.time)

    def _tick(self, state: State, now: int) -> Step:
        """Say again what was not answered."""
        if state.role is Role.STANDING:
            return state, [(EVERYONE, Prepare(state.promised, state.floor))], []
        behind = replicated(state, len(state.log) - 1) < len(self.administrators.keys)
        if state.role is not Role.LEADING or not state.log or not behind:
            return state, [], []
        first = min(state.floor, len(state.log) - 1)
        blocks = tuple(entry.data for entry in state.log[first:])
        return state, [(EVERYONE, Propose(state.promised, blocks, state.certificate, now))], []

    # what the rules hang on, one place each

    def _is_second(self, mine: Entry, other: Entry) -> bool:
        """Rule 1: another block of an epoch and height that it has one of."""
        return (mine.epoch, mine.height) == (other.epoch, other.height)

    def _execute(self, below: Sequence[Entry], entry: Entry) -> str:
        """Rule 6."""
        return self.judge.judge(below, entry)

    def _may_hear(self, state: State, epoch: int) -> bool:
        """Rule 4."""
        return epoch >= state.promised

    def _is_of(self, entry: Entry, epoch: int) -> bool:
        """Only blocks of the epoch itself are voted for."""
        return entry.epoch == epoch

    def _choose(self, tips: Sequence[Tip]) -> Tip:
        """Rule 3."""
        return greatest(tips)
