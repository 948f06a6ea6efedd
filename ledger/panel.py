"""Administrators of a finished run in one process: the mail between them, and what they do when their leader is lost.

The first administrator passes the operator's blocks on. When it is lost, the next one in turn that can be reached
begins an epoch and seals the records of the blocks that are left again, which the market's gateway still has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ledger.blocks import NO_CERTIFICATE, Block
from ledger.continuing import hash_certificate
from ledger.epochs import Entry
from ledger.host import FolderDisk, Host
from ledger.judging import LedgerJudge, verify_signature
from ledger.keys import Signer
from ledger.messages import Append, Message, TakeOver
from ledger.quorum import Administrators, Certificate
from ledger.replica import Replica
from ledger.replica_state import EVERYONE, State, replicated
from ledger.restart import Restart
from market.errors import LedgerError

SLACK_S, SLOT_S = 2, 1800
Down = Callable[[int, int], bool]
"""Whether an administrator cannot be reached while a height of the run is signed."""


class Certified(NamedTuple):
    """A certificate, and how many administrators were known to hold the block when it was given."""

    certificate: Certificate
    replicated: int


@dataclass
class _Seat:
    """One administrator: its host, what it judges with, its disk."""

    host: Host
    judge: LedgerJudge
    disk: FolderDisk


class Panel:
    """Administrators in one process, each with its own folder, and the mail between them; administrator 0 leads."""

    def __init__(self, administrators: Administrators, signers: Sequence[Signer], folder: Path) -> None:
        self._administrators, self._seats = administrators, list[_Seat]()
        self._leader, self._lost, self.epoch = 0, set[int](), 0
        for number, signer in enumerate(signers):
            judge = LedgerJudge(administrators, signer.sign)
            disk = FolderDisk(folder / seat_name(number), create=True)
            replica = Replica(number, administrators, signer.sign, verify_signature, judge, SLACK_S)
            self._seats.append(_Seat(Host(replica, disk), judge, disk))

    @property
    def log(self) -> tuple[Entry, ...]:
        """The blocks of the administrator that leads."""
        return self._state.log

    def pass_on(self, block: Block, down: Down) -> Certified:
        """Have a block of the run signed, sealed again where its sequencer is lost.

        Raises:
            LedgerError: too few sign; says what they found.
        """
        data = block.header_bytes + block.signature + block.records
        if self.epoch:
            state, judge = self._state, self._seats[self._leader].judge
            known = NO_CERTIFICATE if state.certificate is None else hash_certificate(state.certificate)
            data = judge.seal_again(state.log, self.epoch, block, known)
        return self._deliver(Append(data), block, down)

    def lose_leader(self, block: Block, down: Down) -> Certified:
        """The leader is gone before this block of the run: the next one within reach begins an epoch.

        Raises:
            LedgerError: nobody is within reach, or too few promise or sign.
        """
        self._lost.add(self._leader)
        count, height = len(self._seats), block.header.height
        for epoch in range(self.epoch + 1, self.epoch + count + 1):
            self._leader = self._administrators.sequencer(epoch)
            if self._leader not in self._lost and not down(self._leader, height):
                self.epoch = epoch
                return self._deliver(TakeOver(epoch), block, down)
        raise LedgerError("no administrator is left within reach", where=f"block {height}")

    def sign_snapshot(self) -> Restart:
        """What is known behind the newest block, signed by all who hold it and know the same.

        Raises:
            LedgerError: fewer than must sign do.
        """
        tip, signed, known = self._state.log[-1].digest, list[tuple[int, bytes]](), None
        for number, seat in enumerate(self._seats):
            log = seat.host.state.log
            if number in self._lost or not log or log[-1].digest != tip:
                continue
            mine, signature = seat.judge.snapshot()
            if known is None or mine.root == known.root:
                known = mine
                signed.append((number, signature))
        if known is None or len(signed) < self._administrators.quorum:
            raise LedgerError(f"{len(signed)} administrators know the same behind block {len(self.log) - 1}")
        return replace(known, signatures=tuple(signed))

    def close(self) -> None:
        """Let go of the diaries."""
        for seat in self._seats:
            seat.disk.close()

    @property
    def _state(self) -> State:
        return self._seats[self._leader].host.state

    def _deliver(self, message: Message, block: Block, down: Down) -> Certified:
        """Give the leader a message, pass on what follows from it, and take the certificate of the newest block."""
        # the clock of a simulated ledger is the time of its slots
        now, height, known = block.header.last_slot * SLOT_S, block.header.height, len(self._state.log)
        mail: list[tuple[int, int, Message]] = [(self._leader, self._leader, message)]
        while mail:
            sender, to, message = mail.pop(0)
            if to in self._lost or (to != self._leader and down(to, height)):
                continue
            for target, answer in self._seats[to].host.hear(sender, message, now):
                others = range(len(self._seats)) if target == EVERYONE else (target,)
                mail += [(to, other, answer) for other in others if other != to]
        state = self._state
        last = len(state.log) - 1
        if last < known or state.certificate is None or state.certificate.height != last:
            found = sorted({seat.judge.finding for seat in self._seats} - {""})
            raise LedgerError(f"not certified: {'; '.join(found) or 'too few signed'}", where=f"block {height}")
        return Certified(state.certificate, replicated(state, last))


def seat_name(number: int) -> str:
    """Folder of one administrator."""
    return f"administrator-{number}"
