"""Sealed orders and shares in words, and whose a void order was."""

from collections.abc import Mapping
from typing import Any

from ledger.encoding import record_id
from ledger.records import RecordType
from ledger.rules import Rules
from ledger.sealed_records import read_privacy, read_sheet
from ledger.sealing import read_sealed


class SealedReader:
    """Remembers who sent which sealed order, since a step names a void one by its hash only."""

    def __init__(self) -> None:
        self._sender: dict[bytes, str] = {}

    def describe(self, kind: RecordType, body: bytes, names: Mapping[bytes, str], rules: Rules) -> dict[str, Any]:
        """What a record of type PRIVACY, SEALED or SHARE says; raises LedgerError on bytes that are no such record."""
        if kind == RecordType.PRIVACY:
            privacy = read_privacy(body)
            pairs = zip(privacy.openers, privacy.signers, strict=True)
            keys = [{"opens": opener.hex(), "signs": signer.hex()} for opener, signer in pairs]
            return {"needed": privacy.needed, "administrators": keys}
        if kind == RecordType.SHARE:
            sheet = read_sheet(body)
            given = sum(share is not None for share in sheet.shares)
            slot = rules.calendar.label(sheet.slot)
            return {"administrator": sheet.administrator, "slot": slot, "orders": len(sheet.shares), "shares": given}
        sealed = read_sealed(body)
        self._sender[record_id(body)] = party = names.get(sealed.key_id, sealed.key_id.hex())
        return {
            "id": sealed.record_id.hex(),
            "party": party,
            "sequence": sealed.sequence,
            "slot": rules.calendar.label(sealed.slot),
            "needed": sealed.needed,
            "administrators": len(sealed.wrapped),
            "bytes": len(body),
        }

    def sender(self, digest: bytes) -> dict[str, str]:
        """Whose sealed order has this hash; nothing where none is on record."""
        return {"party": self._sender[digest]} if digest in self._sender else {}
