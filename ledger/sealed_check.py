"""The audit of sealed orders: each step's are judged and opened again from the record, by the functions of the writer.

Who opens them stands once, before the first step. In a step come the sealed orders by party, then the shares by number
of administrator. Every recorded one must be one that a writer takes; what they open to must be the envelopes recorded,
and the void ones must be the refused ones recorded, with their codes.
"""

from collections import Counter
from collections.abc import Sequence

from ledger.records import RecordType
from ledger.replay import Replay
from ledger.sealed_hearing import LastSealed, Opened, hear_sealed, hear_sheets, open_orders
from ledger.sealed_records import Privacy, read_privacy, read_sheet
from market.errors import LedgerError, Refusal


class SealedCheck:
    """Follows the sealed orders of one world; every method raises LedgerError saying what differs."""

    def __init__(self) -> None:
        self.orders = 0
        self.void: Counter[tuple[int, Refusal]] = Counter()
        self._privacy: Privacy | None = None
        self._given, self._shares = list[bytes](), list[bytes]()
        self._last: LastSealed = {}

    @property
    def waits(self) -> bool:
        """Whether sealed orders wait for their step."""
        return bool(self._given or self._shares)

    def take(self, kind: RecordType, body: bytes, replay: Replay) -> None:
        """Take one record of a sealed ledger."""
        if kind == RecordType.PRIVACY:
            self._begin(body, replay)
        elif self._privacy is None:
            raise LedgerError(f"a record of type {kind.name} stands in a ledger that does not say who opens it")
        elif kind == RecordType.SHARE:
            self._shares.append(body)
        elif self._shares:
            raise LedgerError("a sealed order stands behind the shares of its step")
        else:
            self._given.append(body)

    def open(self, replay: Replay) -> Opened | None:
        """What the sealed orders of the step came to; None in a ledger of open orders."""
        if self._privacy is None:
            return None
        given, shares = self._given, self._shares
        self._given, self._shares = [], []
        chain_id, slot = replay.members.chain_id, replay.slot
        arrived = hear_sealed(replay.registry, self._privacy, chain_id, self._last, given, slot)
        _require("sealed order", arrived.codes)
        if arrived.kept != given:
            raise LedgerError("sealed orders are not in the order of parties")
        codes, sheets = hear_sheets(self._privacy, chain_id, slot, given, shares)
        _require("share record", codes)
        if [read_sheet(body).administrator for body in shares] != list(sheets) or (shares and not given):
            raise LedgerError("shares are not in the order of administrators, or for no order")
        opened = open_orders(replay.registry, arrived, given, sheets)
        self.orders += len(given)
        self.void += Counter((party, code) for _, code, party in opened.void)
        return opened

    def _begin(self, body: bytes, replay: Replay) -> None:
        if self._privacy is not None or replay.steps:
            raise LedgerError("who opens sealed orders is said once, before the first step")
        if replay.rules.design.book != "sealed":
            raise LedgerError(f"design {replay.rules.design.name} has an open book, its orders cannot be sealed")
        privacy = read_privacy(body)
        if privacy.chain_id != replay.members.chain_id:
            raise LedgerError("who opens sealed orders is said of another chain")
        self._privacy = privacy


def name_void(void: Counter[tuple[int, Refusal]], names: Sequence[str]) -> str:
    """Void orders in words: whose, why, how many."""
    return ", ".join(f"{names[party]} {code.name} {count}" for (party, code), count in sorted(void.items()))


def _require(what: str, codes: Sequence[Refusal]) -> None:
    for number, code in enumerate(codes):
        if code:
            raise LedgerError(f"{what} {number} of the step is refused: {code.name}")
