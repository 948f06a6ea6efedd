"""The judge of an administrator at work on a market's ledger: the audit block by block, and its key to seal with."""

from collections.abc import Sequence

from ledger.audit import WorldAudit
from ledger.blocks import NO_CERTIFICATE, Block, read_block
from ledger.continuing import seal_again, seal_start
from ledger.epochs import Entry, open_entry, tip_of
from ledger.keys import is_signed_by, read_verifier
from ledger.quorum import Administrators
from ledger.replica_state import Sign
from ledger.restart import Restart, take_snapshot
from market.errors import LedgerError


class LedgerJudge:
    """Judges one world's blocks by the audit; `finding` is what it last refused, and why.

    Args:
        administrators: whose epochs may follow epoch 0; none where only epoch 0 is judged.
        sign: the administrator's own key, with which it seals blocks as a sequencer.
    """

    def __init__(self, administrators: Administrators | None = None, sign: Sign | None = None) -> None:
        self.finding = ""
        self._administrators, self._sign = administrators, sign
        self._audit, self._tip = WorldAudit(administrators=administrators), tip_of(()).digest

    def read(self, data: bytes) -> Entry:
        """Cut a block; raises LedgerError where bytes do not fit."""
        return open_entry(data)

    def judge(self, below: Sequence[Entry], entry: Entry) -> str:
        """Derive everything the block records; where the log below is not the one judged last, from the beginning."""
        self._catch_up(below)
        try:
            self._audit.check_block(read_block(entry.data, "block"))
        except LedgerError as error:
            self._tip, self.finding = b"", str(error)
            return self.finding
        self._tip = entry.digest
        return ""

    def seal(self, below: Sequence[Entry], epoch: int, record: bytes) -> bytes:
        """The block of an epoch start; raises LedgerError behind the end record, or without a key to seal with."""
        self._catch_up(below)
        last = read_block(below[-1].data, "log").header
        return seal_start(self._audit.chain, last, epoch, record, self._require_key())

    def seal_again(
        self, below: Sequence[Entry], epoch: int, block: Block, certificate: bytes = NO_CERTIFICATE
    ) -> bytes:
        """The records of a lost sequencer's block under another epoch; raises LedgerError as `seal` does."""
        self._catch_up(below)
        return seal_again(self._audit.chain, block, epoch, certificate, self._require_key())

    def snapshot(self) -> tuple[Restart, bytes]:
        """What it knows behind the block judged last, and its signature for that; raises LedgerError without a key."""
        chain, known = self._audit.chain, take_snapshot(self._audit)
        message = known.message(self._audit.replayed.members.chain_id, chain.height - 1, chain.head)
        return known, self._require_key()(message)

    def _catch_up(self, below: Sequence[Entry]) -> None:
        if tip_of(below).digest != self._tip:
            self._audit = WorldAudit(administrators=self._administrators)
            for known in below:
                self._audit.check_block(read_block(known.data, "log"))
            self._tip = tip_of(below).digest

    def _require_key(self) -> Sign:
        if self._sign is None:
            raise LedgerError("no key to seal a block with", do="give the administrator's key")
        return self._sign


def verify_signature(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature is good; weak keys raise LedgerError."""
    return is_signed_by(read_verifier(public_key), signature, message)
