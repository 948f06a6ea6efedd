"""The drill of sealed orders: what must not come in before the gate, must not open after it, must not count as a share.

A device has sealed one good order; then everything a rival, the device itself or an administrator can send in its place
is sent. What each must come to is worked out from the layout and the rules in words, as in `ledger.forgeries`.
"""

import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ledger.admission import NOT_AFTER, admit_envelopes
from ledger.encoding import SIGNATURE_BYTES
from ledger.forgeries import write_envelope
from ledger.keys import SoftwareSigner
from ledger.registry import Registry
from ledger.sealed_hearing import LastSealed, hear_sealed, hear_sheets, open_orders
from ledger.sealed_records import Privacy, digest_orders, write_sheet
from ledger.sealing import Opener, hash_share, read_sealed, seal_envelope, sealed_message
from market.errors import LedgerError, Refusal

CHAIN, ELSEWHERE = b"L" + bytes(15), b"M" + bytes(15)
NOW, SEQUENCE, NEEDED, ADMINISTRATORS = 100, 10, 2, 3
KEY_AT, SEQUENCE_AT, SLOT_AT, FRONT_AT = 21, 37, 45, 83
"""Where key, sequence, slot and the hashes of the shares stand in a sealed order."""


@dataclass(frozen=True)
class SealedForgery:
    """One forged order or share, the code it must get and the code it got."""

    kind: str
    expected: Refusal
    code: Refusal


class Stage:
    """Three devices, the last one's key revoked; three administrators, two of whom open an order."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.devices = [SoftwareSigner.generate() for _ in range(3)]
        self.openers = [Opener.from_secret(self.dice.randbytes(32)) for _ in range(ADMINISTRATORS)]
        self.signers = [SoftwareSigner.generate() for _ in range(ADMINISTRATORS)]
        self.privacy = Privacy(
            CHAIN,
            NEEDED,
            tuple(opener.public_key for opener in self.openers),
            tuple(signer.public_key for signer in self.signers),
        )
        self.registry = Registry()
        for party, device in enumerate(self.devices):
            self.registry.register(party, device.public_key, rows=4)
        self.registry.revoke(self.devices[2].key_id)
        self.before = self.seal(self.devices[0], SEQUENCE - 1, NOW - 1)
        self.last: LastSealed = {self.devices[0].key_id: (SEQUENCE - 1, read_sealed(self.before).record_id)}

    def seal(
        self,
        device: SoftwareSigner,
        sequence: int = SEQUENCE,
        slot: int = NOW,
        chain: bytes = CHAIN,
        needed: int = NEEDED,
        rows: int = 2,
    ) -> bytes:
        """A sealed order of a device."""
        envelope = write_envelope(device, sequence, slot, self.dice.randrange(1 << 30), chain, rows)
        return seal_envelope(envelope, device, self.privacy.openers, needed, self.dice.randbytes)

    def sheet(
        self, orders: list[bytes], number: int = 1, slot: int = NOW, chain: bytes = CHAIN, by: int | None = None
    ) -> bytes:
        """The shares of an administrator; `by` another signs them."""
        shares = [self.openers[number - 1].find_share(read_sealed(order), number) for order in orders]
        signer = self.signers[number - 1 if by is None else by]
        return write_sheet(chain, number, slot, digest_orders(orders), shares, signer)

    def publish(self, order: bytes, shares: Mapping[int, bytes | None]) -> list[bytes]:
        """Share records with these shares of an order, whatever they are, signed by their administrators."""
        digest = digest_orders([order])
        return [write_sheet(CHAIN, n, NOW, digest, [share], self.signers[n - 1]) for n, share in shares.items()]

    def come_to(self, order: bytes, sheets: list[bytes] | None = None) -> Refusal:
        """What an order comes to when the administrators publish; ADMITTED where it opens."""
        given = [order]
        arrived = hear_sealed(self.registry, self.privacy, CHAIN, dict(self.last), given, NOW)
        published = [self.sheet(arrived.kept, number) for number in (1, 2, 3)] if sheets is None else sheets
        _, counted = hear_sheets(self.privacy, CHAIN, NOW, arrived.kept, published)
        opened = open_orders(self.registry, arrived, given, counted)
        void = ((digest, code) for digest, code, _ in opened.void)
        return next((code for _, code in (*opened.refused, *void)), Refusal.ADMITTED)

    def count(self, order: bytes, sheet: bytes, *before: bytes) -> Refusal:
        """What a share record gets where `order` is the only one of its auction, behind others."""
        return hear_sheets(self.privacy, CHAIN, NOW, [order], [*before, sheet])[0][-1]


def attack_sealed(count: int, seed: int = 0, progress: Callable[[int, int], None] | None = None) -> list[SealedForgery]:
    """Send `count` forgeries, kinds in turn, and note what came of each.

    Raises:
        LedgerError: an untouched order does not open behind one of them.
    """
    stage, sent = Stage(seed), list[SealedForgery]()
    for kind, forge in itertools.islice(itertools.cycle(SEALED_FORGERIES.items()), count):
        sent.append(SealedForgery(kind, *forge(stage)))
        if stage.come_to(stage.seal(stage.devices[0])):
            raise LedgerError(f"an untouched order does not open after {kind}")
        if progress:
            progress(len(sent), count)
    return sent


Made = tuple[Refusal, Refusal]
"""The code that must come and the one that came."""


def _resigned(data: bytes, signer: SoftwareSigner) -> bytes:
    signed = data[:-SIGNATURE_BYTES]
    return signed + signer.sign(sealed_message(signed))


def _put(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _copied(stage: Stage) -> Made:
    """Another's sealed order under one's own key, and administrators who give out the victim's shares for it."""
    data, thief = stage.seal(stage.devices[0]), stage.devices[1]
    stolen = _resigned(_put(data, KEY_AT, thief.key_id), thief)
    shares = {number: stage.openers[number - 1].find_share(read_sealed(data), number) for number in (1, 2, 3)}
    return Refusal.UNREADABLE, stage.come_to(stolen, stage.publish(stolen, shares))


def _copied_openly(stage: Stage) -> Made:
    """The same, and honest administrators: their shares cannot even be read under another key."""
    stolen = _put(stage.seal(stage.devices[0]), KEY_AT, stage.devices[1].key_id)
    return Refusal.TOO_FEW_SHARES, stage.come_to(_resigned(stolen, stage.devices[1]))


def _resealed(stage: Stage) -> Made:
    """Another's envelope, read early by colluding administrators, sealed anew under one's own key."""
    victim, thief = stage.devices[:2]
    envelope = write_envelope(victim, SEQUENCE, NOW, 7)
    disguised = _put(envelope, 21, thief.key_id)
    data = seal_envelope(disguised, thief, stage.privacy.openers, NEEDED, stage.dice.randbytes)
    # it opens, as an envelope of the thief; its signature is not the thief's, which admission finds
    arrived = hear_sealed(stage.registry, stage.privacy, CHAIN, dict(stage.last), [data], NOW)
    sheets = hear_sheets(stage.privacy, CHAIN, NOW, arrived.kept, [stage.sheet([data], n) for n in (1, 2)])[1]
    opened = open_orders(stage.registry, arrived, [data], sheets)
    heard = admit_envelopes(stage.registry, CHAIN, {}, opened.envelopes, NOW)
    return Refusal.BAD_SIGNATURE, Refusal(int(heard.codes[0]))


def _later(stage: Stage) -> Made:
    """One's own sealed order again under the next sequence."""
    again = _put(stage.before, SEQUENCE_AT, SEQUENCE.to_bytes(8, "big"))
    return Refusal.TOO_FEW_SHARES, stage.come_to(_resigned(again, stage.devices[0]))


def _moved(stage: Stage) -> Made:
    """A sealed order of the step before, its slot written anew."""
    moved = _put(stage.seal(stage.devices[0], slot=NOW - 1), SLOT_AT, NOW.to_bytes(4, "big"))
    return Refusal.TOO_FEW_SHARES, stage.come_to(_resigned(moved, stage.devices[0]))


def _malleated(stage: Stage) -> Made:
    """A bit of the content, signed anew by the device itself."""
    data = stage.seal(stage.devices[0])
    at = len(data) - SIGNATURE_BYTES - 1 - stage.dice.randrange(60)
    flipped = _put(data, at, bytes([data[at] ^ 1 << stage.dice.randrange(8)]))
    return Refusal.UNREADABLE, stage.come_to(_resigned(flipped, stage.devices[0]))


def _malleated_on_the_way(stage: Stage) -> Made:
    """A bit of the content, by someone without the key."""
    data = stage.seal(stage.devices[0])
    at = len(data) - SIGNATURE_BYTES - 1
    return Refusal.BAD_SIGNATURE, stage.come_to(_put(data, at, bytes([data[at] ^ 1])))


def _other_commitment(stage: Stage) -> Made:
    """One share off the polynomial, its hash made to fit: which key comes out would depend on who publishes."""
    data = stage.seal(stage.devices[0])
    sealed = read_sealed(data)
    shares = {n: stage.openers[n - 1].find_share(sealed, n) or b"" for n in (1, 2, 3)}
    wrong = bytes([shares[3][0] ^ 1]) + shares[3][1:]
    bad = _put(data, FRONT_AT + 64, hash_share(sealed.one_time_key, 3, wrong))
    bad = _resigned(bad, stage.devices[0])
    return Refusal.DEALT_BADLY, stage.come_to(bad, stage.publish(bad, shares | {3: wrong}))


def _other_hashes(stage: Stage) -> Made:
    """Hashes that no share fits."""
    bad = _put(stage.seal(stage.devices[0]), FRONT_AT, stage.dice.randbytes(96))
    return Refusal.TOO_FEW_SHARES, stage.come_to(_resigned(bad, stage.devices[0]))


def _withheld(stage: Stage) -> Made:
    """Fewer than k administrators publish."""
    data = stage.seal(stage.devices[0])
    return Refusal.TOO_FEW_SHARES, stage.come_to(data, [stage.sheet([data], 3)])


def _foreign_chain(stage: Stage) -> Made:
    """A good sealed order of another market."""
    return Refusal.WRONG_CHAIN, stage.come_to(stage.seal(stage.devices[0], chain=ELSEWHERE))


def _sent_again(stage: Stage) -> Made:
    """The last one once more."""
    return Refusal.RESENT, stage.come_to(stage.before)


def _said_twice(stage: Stage) -> Made:
    """Another one under a used sequence."""
    return Refusal.EQUIVOCATION, stage.come_to(stage.seal(stage.devices[0], SEQUENCE - 1))


def _old(stage: Stage) -> Made:
    """One under a sequence below the last."""
    return Refusal.OLD_SEQUENCE, stage.come_to(stage.seal(stage.devices[0], SEQUENCE - 2))


def _hoarded(stage: Stage) -> Made:
    """One kept back too long."""
    return Refusal.EXPIRED, stage.come_to(stage.seal(stage.devices[0], slot=NOW - NOT_AFTER - 1))


def _early(stage: Stage) -> Made:
    """One for a later auction, which would be opened before its gate."""
    return Refusal.TOO_EARLY, stage.come_to(stage.seal(stage.devices[0], slot=NOW + 1))


def _weakly_sealed(stage: Stage) -> Made:
    """One that a single administrator could open."""
    return Refusal.MALFORMED, stage.come_to(stage.seal(stage.devices[0], needed=1))


def _open_order(stage: Stage) -> Made:
    """An envelope that is not sealed."""
    return Refusal.MALFORMED, stage.come_to(write_envelope(stage.devices[0], SEQUENCE, NOW, 7))


def _stranger(stage: Stage) -> Made:
    """One of a key nobody enrolled."""
    return Refusal.UNKNOWN_KEY, stage.come_to(stage.seal(SoftwareSigner.generate()))


def _revoked(stage: Stage) -> Made:
    """One of a revoked key."""
    return Refusal.REVOKED_KEY, stage.come_to(stage.seal(stage.devices[2]))


def _crowded(stage: Stage) -> Made:
    """More rows than the key may send, seen from the length."""
    return Refusal.TOO_MANY, stage.come_to(stage.seal(stage.devices[0], rows=5))


def _noise(stage: Stage) -> Made:
    """The content of another order of one's own, encrypted under the very same key."""
    device, openers = stage.devices[0], stage.privacy.openers
    one, other = (
        seal_envelope(write_envelope(device, sequence, NOW, 7), device, openers, NEEDED, np.random.default_rng(5).bytes)
        for sequence in (SEQUENCE, SEQUENCE + 1)
    )
    content = read_sealed(other).content
    return Refusal.UNREADABLE, stage.come_to(
        _resigned(one[: -SIGNATURE_BYTES - len(content)] + content + bytes(64), device)
    )


def _other_auction(stage: Stage) -> Made:
    """Shares an administrator signed for the gate before."""
    data = stage.seal(stage.devices[0])
    return Refusal.OTHER_AUCTION, stage.count(data, stage.sheet([data], slot=NOW - 1))


def _other_orders(stage: Stage) -> Made:
    """Shares for this gate but for other orders, so that a late one could not be slipped in behind them."""
    data = stage.seal(stage.devices[0])
    return Refusal.OTHER_AUCTION, stage.count(data, stage.sheet([stage.before]))


def _foreign_share(stage: Stage) -> Made:
    """Shares of another market."""
    data = stage.seal(stage.devices[0])
    return Refusal.WRONG_CHAIN, stage.count(data, stage.sheet([data], chain=ELSEWHERE))


def _forged_share(stage: Stage) -> Made:
    """Shares in one administrator's name, signed by another."""
    data = stage.seal(stage.devices[0])
    return Refusal.BAD_SIGNATURE, stage.count(data, stage.sheet([data], 1, by=1))


def _fourth_administrator(stage: Stage) -> Made:
    """Shares of an administrator there is none of."""
    data = stage.seal(stage.devices[0])
    body = write_sheet(CHAIN, ADMINISTRATORS + 1, NOW, digest_orders([data]), [None], stage.signers[0])
    return Refusal.UNKNOWN_KEY, stage.count(data, body)


def _second_word(stage: Stage) -> Made:
    """A second share record of one administrator."""
    data = stage.seal(stage.devices[0])
    return Refusal.TOO_MANY, stage.count(data, stage.sheet([data]), stage.sheet([data]))


def _cut_share(stage: Stage) -> Made:
    """A share record cut short."""
    data = stage.seal(stage.devices[0])
    return Refusal.MALFORMED, stage.count(data, stage.sheet([data])[: -1 - stage.dice.randrange(90)])


SEALED_FORGERIES: Mapping[str, Callable[[Stage], Made]] = {
    "another's order, its shares too": _copied,
    "another's order": _copied_openly,
    "another's envelope, sealed anew": _resealed,
    "own order, next sequence": _later,
    "own order, another gate": _moved,
    "content of another order": _noise,
    "content changed by the device": _malleated,
    "content changed on the way": _malleated_on_the_way,
    "a share off the curve": _other_commitment,
    "other hashes of shares": _other_hashes,
    "shares withheld": _withheld,
    "another chain": _foreign_chain,
    "sent again": _sent_again,
    "said twice": _said_twice,
    "old sequence": _old,
    "hoarded": _hoarded,
    "for a later gate": _early,
    "sealed to fewer": _weakly_sealed,
    "not sealed": _open_order,
    "unknown key": _stranger,
    "revoked key": _revoked,
    "too many rows": _crowded,
    "share of another gate": _other_auction,
    "share of other orders": _other_orders,
    "share of another chain": _foreign_share,
    "share in another's name": _forged_share,
    "share of nobody": _fourth_administrator,
    "second share record": _second_word,
    "share record cut": _cut_share,
}
"""Every kind of order and share that must come to nothing."""
