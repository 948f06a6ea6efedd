"""What must hold in every run of the simulator; checked on what administrators say, and on what they hold in the end.

- at one height one block is certified, whatever certificates appear;
- a certified block is never lost while q diaries remain: at the end it stands in every log;
- nothing is certified that does not follow from what it was made of;
- promises are kept: nobody votes in an epoch older than one it promised, nor for two blocks of one epoch and height;
- after the quiet begins, blocks are certified again and reach everyone.
"""

from collections.abc import Sequence

from ledger.blocks import NO_BLOCK
from ledger.epochs import Entry
from ledger.messages import Certified, Cosigned, Promised
from ledger.quorum import Certificate
from ledger.replica_state import Sends
from ledger.sim_parts import Memo


class ViolationError(Exception):
    """Something that must hold did not; `fork` holds the two certificates where two histories are certified."""

    def __init__(self, what: str, fork: tuple[Certificate, Certificate] | None = None) -> None:
        super().__init__(what)
        self.fork = fork


class Checks:
    """Watches one run."""

    def __init__(self, memo: Memo, liars: frozenset[int] = frozenset()) -> None:
        self._memo, self._liars = memo, liars
        self._promised: dict[int, int] = {}
        self._votes: dict[tuple[int, int, int], bytes] = {}
        self.certified: list[bytes] = []
        self._newest: Certificate | None = None

    def watch(self, sender: int, sends: Sends) -> None:
        """Look at what an administrator says; raises ViolationError."""
        for _, message in sends:
            if isinstance(message, Cosigned):
                self._check_vote(sender, message.epoch, message.height, message.digest)
                self._check_promise(sender, message.epoch)
            elif isinstance(message, Promised):
                self._check_promise(sender, message.promise.epoch)
                self._promised[sender] = message.promise.epoch
            elif isinstance(message, Certified):
                self._check_certificate(message.certificate)

    def require_kept(self, name: int, log: Sequence[Entry]) -> None:
        """Raise ViolationError unless a log holds every certified block."""
        held = [entry.digest for entry in log[: len(self.certified)]]
        if held != self.certified:
            lost = next((h for h, pair in enumerate(zip(held, self.certified, strict=False)) if pair[0] != pair[1]), 0)
            raise ViolationError(f"administrator {name} has lost certified block {lost if held else 0}")

    def _check_promise(self, sender: int, epoch: int) -> None:
        if epoch < self._promised.get(sender, 0) and sender not in self._liars:
            raise ViolationError(
                f"administrator {sender} signs in epoch {epoch} after promising {self._promised[sender]}"
            )

    def _check_vote(self, voter: int, epoch: int, height: int, digest: bytes) -> None:
        if self._votes.setdefault((voter, epoch, height), digest) != digest and voter not in self._liars:
            raise ViolationError(f"administrator {voter} votes for two blocks of epoch {epoch} and height {height}")

    def _check_certificate(self, certificate: Certificate) -> None:
        """A certificate holds for its block and all below."""
        for vote in certificate.votes:
            self._check_vote(vote.administrator, certificate.epoch, certificate.height, certificate.digest)
        chain, digest = [], certificate.digest
        while digest != NO_BLOCK and not self._is_certified(digest):
            chain.append(digest)
            digest = self._memo.by_digest[digest].previous
        known = self._memo.by_digest[digest].height + 1 if digest != NO_BLOCK else 0
        if chain and known < len(self.certified):
            fork = (self._newest, certificate) if self._newest else None
            raise ViolationError(f"two blocks of height {known} are certified", fork)
        if chain:
            self._newest = certificate
        if any(digest not in self._memo.results for digest in chain):
            raise ViolationError(f"a wrong result of height {certificate.height} or below is certified")
        self.certified += reversed(chain)

    def _is_certified(self, digest: bytes) -> bool:
        height = self._memo.by_digest[digest].height
        return height < len(self.certified) and self.certified[height] == digest
