"""The drill of admission: envelopes that must not enter, each with the code it must get, and whether it did.

A small market of devices with keys of both kinds has spoken for some steps; then everything an outsider, a thief of
envelopes or a lying device can send is sent: forged signatures, single flipped bits, replays, statements of another
chain, used sequences, hoarded envelopes, revoked keys, keys under which anyone can sign. What each must be refused as
is worked out here from the layout and the rules in words, not by the code that admits.
"""

import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ledger.admission import NOT_AFTER, admit_envelopes
from ledger.encoding import (
    ABSENT,
    ENVELOPE_HEAD,
    ENVELOPE_VERSION,
    HEAD_BYTES,
    MAX_ROWS,
    SIGNATURE_BYTES,
    encode_bodies,
    signed_message,
)
from ledger.evidence import read_equivocation
from ledger.keys import Signer, SoftwareSigner, key_id_of
from ledger.p256 import ORDER
from ledger.registry import Registry
from ledger.remembered import KEPT, Remembered
from market.errors import LedgerError, Refusal
from market.orders import ORDER_WIRE

DEVICES, SPOKEN, STEPS_BEFORE = 8, 10, 100
"""Devices, statements of each so far, and slots before the first of them."""
CHAIN, ELSEWHERE = b"L" + bytes(15), b"M" + bytes(15)
IDENTITY = bytes([1]) + bytes(31)
"""The neutral point: under it the point itself with zeros is a signature of any message."""
BATCH = 50


@dataclass(frozen=True)
class Forgery:
    """One envelope sent, how it was made, the code it must get and the code it got."""

    kind: str
    envelope: bytes
    expected: Refusal
    code: Refusal


@dataclass
class Stage:
    """The market under attack: the last two devices' keys are revoked; every second key is P-256."""

    signers: list[SoftwareSigner]
    registry: Registry = field(default_factory=Registry)
    last: dict[bytes, int] = field(default_factory=dict)
    remembered: Remembered = field(default_factory=Remembered)
    spoken: dict[bytes, list[bytes]] = field(default_factory=dict)
    now: int = STEPS_BEFORE

    def honest(self) -> list[SoftwareSigner]:
        """Devices whose keys stand."""
        return self.signers[:-2]


def set_stage() -> Stage:
    """Devices enrolled, heard for some steps, two of them revoked; raises LedgerError if one was not heard."""
    stage = Stage([SoftwareSigner.generate("p256" if number % 2 else "ed25519") for number in range(DEVICES)])
    for party, signer in enumerate(stage.signers):
        stage.registry.register(party, signer.public_key, rows=MAX_ROWS if party else 2)
    for step in range(SPOKEN):
        said = [write_envelope(signer, 2 * step + 2, stage.now, 1 + step) for signer in stage.signers]
        heard = admit_envelopes(stage.registry, CHAIN, stage.last, said, stage.now, stage.remembered)
        if heard.codes.any():
            raise LedgerError("an honest envelope was refused")
        for signer, envelope in zip(stage.signers, said, strict=True):
            stage.spoken.setdefault(signer.key_id, []).append(envelope)
        stage.now += 1
    for signer in stage.signers[-2:]:
        stage.registry.revoke(signer.key_id)
    return stage


def write_envelope(
    signer: Signer, sequence: int, slot: int, plan_wh: int, chain_id: bytes = CHAIN, rows: int = 1
) -> bytes:
    """A signed envelope with a plan and `rows` empty rows."""
    table = np.zeros(rows, ORDER_WIRE)
    body = encode_bodies(
        chain_id,
        [signer.key_id],
        np.array([sequence]),
        slot,
        np.array([plan_wh]),
        np.array([ABSENT]),
        np.array([rows]),
        table,
    )[0]
    return body + signer.sign(signed_message(body))


def attack(count: int, seed: int = 0, progress: Callable[[int, int], None] | None = None) -> list[Forgery]:
    """Send `count` bad envelopes, kinds in turn, and note what became of each.

    Raises:
        LedgerError: something changed by them: a sequence moved on, an envelope entered, evidence does not convict, or
            honest devices are not heard afterwards.
    """
    stage, dice = set_stage(), random.Random(seed)
    before = dict(stage.last)
    turns = itertools.islice(itertools.cycle(FORGERIES.items()), count)
    made = [(kind, *forge(stage, dice)) for kind, forge in turns]
    sent: list[Forgery] = []
    for at in range(0, count, BATCH):
        batch = made[at : at + BATCH]
        envelopes = [envelope for _, envelope, _ in batch]
        heard = admit_envelopes(stage.registry, CHAIN, stage.last, envelopes, stage.now, stage.remembered)
        for body in heard.evidence:
            read_equivocation(body)
        codes = [Refusal(code) for code in heard.codes.tolist()]
        sent += [Forgery(*forgery, code) for forgery, code in zip(batch, codes, strict=True)]
        if progress:
            progress(len(sent), count)
    if stage.last != before:
        raise LedgerError("a refused envelope moved a sequence on")
    after = [write_envelope(signer, 1_000, stage.now, 1) for signer in stage.honest()]
    if admit_envelopes(stage.registry, CHAIN, stage.last, after, stage.now, stage.remembered).codes.any():
        raise LedgerError("an honest envelope is refused after the attack")
    return sent


Made = tuple[bytes, Refusal]


def _next(stage: Stage, signer: SoftwareSigner) -> bytes:
    """The envelope an honest device would send now."""
    return write_envelope(signer, 2 * SPOKEN + 2, stage.now, 7)


def _forged(stage: Stage, dice: random.Random) -> Made:
    """Another device's signature under the victim's key id."""
    victim, thief = dice.sample(stage.honest(), 2)
    body = _next(stage, victim)[:-SIGNATURE_BYTES]
    return body + thief.sign(signed_message(body)), Refusal.BAD_SIGNATURE


def _untagged(stage: Stage, dice: random.Random) -> Made:
    """The victim's own signature of the bytes, made for another purpose."""
    victim = dice.choice(stage.honest())
    body = _next(stage, victim)[:-SIGNATURE_BYTES]
    return body + victim.sign(body), Refusal.BAD_SIGNATURE


def _junk(stage: Stage, dice: random.Random) -> Made:
    """Random bytes for a signature."""
    body = _next(stage, dice.choice(stage.honest()))[:-SIGNATURE_BYTES]
    return body + dice.randbytes(SIGNATURE_BYTES), Refusal.BAD_SIGNATURE


def _other_s(stage: Stage, dice: random.Random) -> Made:
    """The second spelling of a P-256 signature, n - s."""
    victim = dice.choice([signer for signer in stage.honest() if len(signer.public_key) == 33])
    envelope = _next(stage, victim)
    s = int.from_bytes(envelope[-32:], "big")
    return envelope[:-32] + (ORDER - s).to_bytes(32, "big"), Refusal.BAD_SIGNATURE


def _flipped(stage: Stage, dice: random.Random) -> Made:
    """One bit of a good envelope."""
    envelope = _next(stage, dice.choice(stage.honest()))
    byte, bit = dice.randrange(len(envelope)), dice.randrange(8)
    flipped = envelope[:byte] + bytes([envelope[byte] ^ 1 << bit]) + envelope[byte + 1 :]
    return flipped, _code_of_flip(byte, bit, flipped, stage)


def _code_of_flip(byte: int, bit: int, flipped: bytes, stage: Stage) -> Refusal:
    """What a flip must lead to, by the field it falls in; the good envelope says a plan and no reading."""
    name = _field_at(byte)
    if name in ("magic", "version", "rows", "reading") or (name == "says" and bit != 1):
        return Refusal.MALFORMED
    if name == "chain":
        return Refusal.WRONG_CHAIN
    if name == "key":
        return Refusal.UNKNOWN_KEY
    if name == "sequence":
        sequence = int.from_bytes(flipped[37:45], "big")
        # a used sequence that is still remembered is looked into, and its signature is found bad
        recent = sequence % 2 == 0 and sequence > 2 * (SPOKEN - KEPT)
        return Refusal.BAD_SIGNATURE if recent or sequence > 2 * SPOKEN else Refusal.OLD_SEQUENCE
    if name == "slot" and int.from_bytes(flipped[45:49], "big") + NOT_AFTER < stage.now:
        return Refusal.EXPIRED
    return Refusal.BAD_SIGNATURE


def _field_at(byte: int) -> str:
    """Name of the head's field a byte belongs to, "" behind the head."""
    fields: Mapping[str, Any] = ENVELOPE_HEAD.fields or {}
    for name, (dtype, at, *_) in fields.items():
        if at <= byte < at + dtype.itemsize:
            return name
    return ""


def _replayed(stage: Stage, dice: random.Random) -> Made:
    """What a device sent before, the same bytes: the newest are answered as a resend, older ones are old."""
    said = stage.spoken[dice.choice(stage.honest()).key_id]
    number = dice.randrange(SPOKEN)
    return said[number], Refusal.RESENT if number >= SPOKEN - KEPT else Refusal.OLD_SEQUENCE


def _twice(stage: Stage, dice: random.Random) -> Made:
    """Another statement of the device itself under a sequence it used or passed over."""
    signer, sequence = dice.choice(stage.honest()), dice.randint(1, 2 * SPOKEN)
    remembered = sequence % 2 == 0 and sequence > 2 * (SPOKEN - KEPT)
    code = Refusal.EQUIVOCATION if remembered else Refusal.OLD_SEQUENCE
    return write_envelope(signer, sequence, stage.now, 1_000 + dice.randrange(1 << 30)), code


def _cross_chain(stage: Stage, dice: random.Random) -> Made:
    """A good statement for another market."""
    return write_envelope(dice.choice(stage.honest()), 1_000, stage.now, 7, ELSEWHERE), Refusal.WRONG_CHAIN


def _hoarded(stage: Stage, dice: random.Random) -> Made:
    """A good statement kept back too long."""
    slot = stage.now - NOT_AFTER - 1 - dice.randrange(50)
    return write_envelope(dice.choice(stage.honest()), 1_000, slot, 7), Refusal.EXPIRED


def _revoked(stage: Stage, dice: random.Random) -> Made:
    """A good statement of a revoked key."""
    return _next(stage, dice.choice(stage.signers[-2:])), Refusal.REVOKED_KEY


def _unknown(stage: Stage, dice: random.Random) -> Made:
    """A good statement of a key nobody enrolled."""
    return _next(stage, SoftwareSigner.generate()), Refusal.UNKNOWN_KEY


def _small_order(stage: Stage, dice: random.Random) -> Made:
    """A signature that OpenSSL accepts under the neutral point, which no registry takes."""
    body = bytearray(_next(stage, stage.signers[0])[:-SIGNATURE_BYTES])
    body[21:37] = key_id_of(IDENTITY)
    body[52:60] = dice.randbytes(8)
    return bytes(body) + IDENTITY + bytes(32), Refusal.UNKNOWN_KEY


def _crowded(stage: Stage, dice: random.Random) -> Made:
    """More rows than the key may send."""
    signer = stage.signers[0]
    return write_envelope(signer, 1_000, stage.now, 7, rows=3 + dice.randrange(40)), Refusal.TOO_MANY


def _cut(stage: Stage, dice: random.Random) -> Made:
    """A good envelope cut short or with something behind it, or of another version."""
    envelope = _next(stage, dice.choice(stage.honest()))
    other = envelope[:4] + bytes([ENVELOPE_VERSION + 1]) + envelope[5:]
    short, long = envelope[: dice.randrange(len(envelope))], envelope + dice.randbytes(1 + dice.randrange(HEAD_BYTES))
    return dice.choice([other, short, long]), Refusal.MALFORMED


FORGERIES: Mapping[str, Callable[[Stage, random.Random], Made]] = {
    "forged": _forged,
    "signed for another purpose": _untagged,
    "random signature": _junk,
    "other spelling of s": _other_s,
    "flipped bit": _flipped,
    "replayed": _replayed,
    "said twice": _twice,
    "cross-chain": _cross_chain,
    "hoarded": _hoarded,
    "revoked key": _revoked,
    "unknown key": _unknown,
    "small-order key": _small_order,
    "too many rows": _crowded,
    "cut or extended": _cut,
}
"""Every kind of envelope that must not enter."""
