"""Hearing sealed orders: what comes in before the gate, whose shares count after it, and what opens.

Before the gate a sealed order is judged by what is seen from outside, cheapest first: form, chain, key, sequence, age,
size, and the signature last, of a few orders under one key id (`ledger.admission.CHECKS`). One order a key and step;
its sequence is used up whatever comes out of it, so that a void order cannot be sent again. One for a later step is
refused: it would be opened before its gate.

After the gate the shares of each administrator are judged: form, chain, number, auction and orders they are for,
signature. What the orders then open to is `ledger.sealing`'s rule. An order that does not open is void, with a code of
its own; one that opens is heard like any envelope (`ledger.admission`). Writer and audit run the same functions.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ledger.admission import CHECKS, NOT_AFTER, Hearing
from ledger.encoding import ROW_BYTES, SHORTEST, record_id
from ledger.keys import in_parallel, is_signed_by, read_verifier
from ledger.registry import Registry
from ledger.sealed_records import Privacy, Sheet, digest_orders, read_sheet, sheet_message
from ledger.sealing import TAG_BYTES, Opening, Sealed, open_sealed, read_sealed, sealed_message
from market.errors import LedgerError, Refusal
from market.validation import Codes

VOID = {
    Opening.TOO_FEW_SHARES: Refusal.TOO_FEW_SHARES,
    Opening.DEALT_BADLY: Refusal.DEALT_BADLY,
    Opening.UNREADABLE: Refusal.UNREADABLE,
    Opening.NOT_ITS_ENVELOPE: Refusal.NOT_ITS_ENVELOPE,
}
"""The code of a void order by what came of opening it."""
VOID_CODES = frozenset(VOID.values())
LastSealed = MutableMapping[bytes, tuple[int, bytes]]
"""By key id: sequence and record id of its last sealed order."""


class Arrived(NamedTuple):
    """Sealed orders of a step: the code of each given one; those kept, by party, verbatim and cut into parts."""

    codes: list[Refusal]
    kept: list[bytes]
    orders: list[Sealed]


@dataclass(frozen=True)
class Opened:
    """What a step's sealed orders came to.

    - envelopes: of those that opened, in order of party;
    - void: hash of the sealed order, code and party of those that did not;
    - refused: hash and code of those refused on arrival, which leave no other trace.
    """

    envelopes: list[bytes]
    void: list[tuple[bytes, Refusal, int]]
    refused: list[tuple[bytes, Refusal]]

    def join(self, heard: Hearing) -> Hearing:
        """The hearing of the envelopes with the codes and hashes of what never became one in front."""
        before = [*self.refused, *((digest, code) for digest, code, _ in self.void)]
        codes: Codes = np.array([code for _, code in before], np.uint8)
        hashes = [digest for digest, _ in before]
        return replace(heard, codes=np.concatenate([codes, heard.codes]), hashes=hashes + heard.hashes)


def hear_sealed(
    registry: Registry, privacy: Privacy, chain_id: bytes, last: LastSealed, given: Sequence[bytes], slot: int
) -> Arrived:
    """Judge the sealed orders of one world and step; `last` moves on for those kept."""
    codes, orders, due = _choose_checks(registry, privacy, chain_id, last, given, slot)
    for index, is_good in zip(due, in_parallel(lambda index: _is_signed(registry, orders[index]), due), strict=True):
        if not is_good:
            codes[index] = Refusal.BAD_SIGNATURE
        elif codes[index] == Refusal.OLD_SEQUENCE:
            same = last[orders[index].key_id][1] == orders[index].record_id
            codes[index] = Refusal.RESENT if same else Refusal.EQUIVOCATION
    kept, turn = list[tuple[int, bytes, Sealed]](), set[bytes]()
    for index in due:
        sealed = orders[index]
        if codes[index]:
            continue
        if sealed.key_id in turn:
            codes[index] = Refusal.TOO_MANY
            continue
        turn.add(sealed.key_id)
        last[sealed.key_id] = sealed.sequence, sealed.record_id
        kept.append((registry.members[sealed.key_id].party, given[index], sealed))
    kept.sort(key=lambda one: one[0])
    return Arrived(codes, [data for _, data, _ in kept], [sealed for *_, sealed in kept])


def _choose_checks(
    registry: Registry,
    privacy: Privacy,
    chain_id: bytes,
    last: Mapping[bytes, tuple[int, bytes]],
    given: Sequence[bytes],
    slot: int,
) -> tuple[list[Refusal], dict[int, Sealed], list[int]]:
    """Codes by all rules but the signature, and by place the orders whose signatures matter: a few of each key id."""
    codes, orders, checks = list[Refusal](), dict[int, Sealed](), dict[bytes, int]()
    for index, data in enumerate(given):
        try:
            sealed = read_sealed(data)
        except LedgerError:
            codes.append(Refusal.MALFORMED)
            continue
        code = judge_sealed(registry, privacy, chain_id, last, sealed, slot)
        recalled = code == Refusal.OLD_SEQUENCE and last[sealed.key_id][0] == sealed.sequence
        if code == Refusal.ADMITTED or recalled:
            checks[sealed.key_id] = checks.get(sealed.key_id, 0) + 1
            if checks[sealed.key_id] <= CHECKS:
                orders[index] = sealed
            else:
                code = Refusal.FLOODED
        codes.append(code)
    return codes, orders, list(orders)


def judge_sealed(
    registry: Registry,
    privacy: Privacy,
    chain_id: bytes,
    last: Mapping[bytes, tuple[int, bytes]],
    sealed: Sealed,
    slot: int,
) -> Refusal:
    """A sealed order's code by all rules but the signature and what follows from it."""
    if (sealed.needed, len(sealed.wrapped)) != (privacy.needed, len(privacy.openers)):
        return Refusal.MALFORMED
    if sealed.chain_id != chain_id:
        return Refusal.WRONG_CHAIN
    standing = registry.check(sealed.key_id)
    if standing:
        return standing
    if sealed.sequence <= last.get(sealed.key_id, (0, b""))[0]:
        return Refusal.OLD_SEQUENCE
    if sealed.slot + NOT_AFTER < slot:
        return Refusal.EXPIRED
    if sealed.slot > slot:
        return Refusal.TOO_EARLY
    if len(sealed.content) > TAG_BYTES + SHORTEST + ROW_BYTES * registry.members[sealed.key_id].rows:
        return Refusal.TOO_MANY
    return Refusal.ADMITTED


def hear_sheets(
    privacy: Privacy, chain_id: bytes, slot: int, orders: Sequence[bytes], given: Sequence[bytes]
) -> tuple[list[Refusal], dict[int, Sheet]]:
    """Judge what administrators publish for the sealed orders of a step: the code of each, and those that count."""
    digest = digest_orders(orders)
    codes, sheets = list[Refusal](), dict[int, Sheet]()
    for body in given:
        try:
            sheet = read_sheet(body)
        except LedgerError:
            codes.append(Refusal.MALFORMED)
            continue
        code = _judge_sheet(privacy, chain_id, (slot, digest, len(orders)), sheet)
        if not code and sheet.administrator in sheets:
            code = Refusal.TOO_MANY
        if not code:
            sheets[sheet.administrator] = sheet
        codes.append(code)
    return codes, dict(sorted(sheets.items()))


def open_orders(registry: Registry, arrived: Arrived, given: Sequence[bytes], sheets: Mapping[int, Sheet]) -> Opened:
    """Open the kept orders with the shares that count; `given` are all orders that came in."""

    def look(place: int) -> tuple[bytes, Opening]:
        shares = {number: sheet.shares[place] for number, sheet in sheets.items()}
        return open_sealed(arrived.orders[place], {n: share for n, share in shares.items() if share is not None})

    envelopes, void = list[bytes](), list[tuple[bytes, Refusal, int]]()
    looked = in_parallel(look, range(len(arrived.orders)))
    for data, sealed, (envelope, opening) in zip(arrived.kept, arrived.orders, looked, strict=True):
        if opening is Opening.OPENED:
            envelopes.append(envelope)
        else:
            void.append((record_id(data), VOID[opening], registry.find(sealed.key_id).party))
    refused = [(record_id(data), code) for data, code in zip(given, arrived.codes, strict=True) if code]
    return Opened(envelopes, void, refused)


def check_refused(said: Sequence[tuple[bytes, int]], hearing: Hearing, opened: Opened | None) -> None:
    """Raise LedgerError unless void orders, and envelopes refused behind their seal, end the refused ones on record.

    `hearing` is that of the envelopes that opened; `opened` is None in a ledger of open orders, which has no void ones.
    """
    derived = list[tuple[bytes, int]]()
    if opened is not None:
        heard = zip(hearing.hashes, (int(code) for code in hearing.codes if code), strict=True)
        derived = [*((digest, int(code)) for digest, code, _ in opened.void), *heard]
    before = max(len(said) - len(derived), 0)
    for number, (digest, code) in enumerate(derived, before):
        if said[number : number + 1] != ((digest, code),):
            what = f"{digest.hex()[:12]} comes to {Refusal(code).name}"
            raise LedgerError(f"of the sealed orders {what}, which is not on record")
    if any(code in VOID_CODES for _, code in said[:before]):
        raise LedgerError("an order is recorded as void that opens, or was never sealed")


def _judge_sheet(privacy: Privacy, chain_id: bytes, auction: tuple[int, bytes, int], sheet: Sheet) -> Refusal:
    if sheet.chain_id != chain_id:
        return Refusal.WRONG_CHAIN
    if not 1 <= sheet.administrator <= len(privacy.signers):
        return Refusal.UNKNOWN_KEY
    if (sheet.slot, sheet.digest, len(sheet.shares)) != auction:
        return Refusal.OTHER_AUCTION
    verifier = read_verifier(privacy.signers[sheet.administrator - 1])
    if not is_signed_by(verifier, sheet.signature, sheet_message(sheet.signed)):
        return Refusal.BAD_SIGNATURE
    return Refusal.ADMITTED


def _is_signed(registry: Registry, sealed: Sealed) -> bool:
    verifier = registry.members[sealed.key_id].verifier
    return is_signed_by(verifier, sealed.signature, sealed_message(sealed.signed))
