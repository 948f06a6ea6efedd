"""Evidence: two envelopes of one key with one sequence and different bytes, both signed (record type 12).

    version u8 | kind u8 and key | length u32 | envelope | envelope

A device speaks once under a sequence; two statements show a lying device or a copied key. The record stands alone: the
key is in it, its id is in both envelopes, so anyone convicts with nothing else at hand. The envelope with the smaller
record id comes first, so that one offence has one spelling.
"""

import struct
from dataclasses import dataclass

from ledger.encoding import SIGNATURE_BYTES, is_well_formed, record_id, signed_message
from ledger.keys import is_signed_by, key_id_of, read_verifier
from ledger.records import join_key, take_key
from market.errors import LedgerError

VERSION = 1
WHO = slice(5, 45)
"""Where an envelope's chain, key and sequence stand."""
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True)
class Equivocation:
    """Two statements of one key under one sequence; `chain_id`, `key_id` and `sequence` are those of both."""

    public_key: bytes
    first: bytes
    second: bytes

    @property
    def chain_id(self) -> bytes:
        """The chain both envelopes name."""
        return self.first[5:21]

    @property
    def key_id(self) -> bytes:
        """The key both envelopes name."""
        return self.first[21:37]

    @property
    def sequence(self) -> int:
        """The sequence both envelopes name."""
        return int.from_bytes(self.first[37:45], "big")

    def to_bytes(self) -> bytes:
        """Body of the record."""
        return bytes([VERSION]) + join_key(self.public_key) + _LENGTH.pack(len(self.first)) + self.first + self.second


def accuse(public_key: bytes, one: bytes, other: bytes) -> Equivocation:
    """Evidence from two envelopes in any order."""
    first, second = sorted((one, other), key=lambda envelope: record_id(envelope[:-SIGNATURE_BYTES]))
    return Equivocation(public_key, first, second)


def read_equivocation(body: bytes) -> Equivocation:
    """Evidence from its bytes, checked in full; needs nothing but them.

    Raises:
        LedgerError: not exactly one record of this version, or it does not convict: envelopes not well formed, of
            different keys, chains or sequences, equal but for their signatures, out of order, or not signed.
    """
    public_key, at = take_key(body, 1)
    if body[0] != VERSION or len(body) < at + _LENGTH.size:
        raise LedgerError("evidence is too short or not of this version")
    split = at + _LENGTH.size + _LENGTH.unpack_from(body, at)[0]
    said = Equivocation(public_key, body[at + _LENGTH.size : split], body[split:])
    _check(said)
    return said


def _check(said: Equivocation) -> None:
    if not (is_well_formed(said.first) and is_well_formed(said.second)):
        raise LedgerError("evidence does not hold two envelopes")
    if said.first[WHO] != said.second[WHO] or said.key_id != key_id_of(said.public_key):
        raise LedgerError("envelopes of the evidence are of different chains, keys or sequences")
    bodies = [envelope[:-SIGNATURE_BYTES] for envelope in (said.first, said.second)]
    if record_id(bodies[0]) >= record_id(bodies[1]):
        raise LedgerError("envelopes of the evidence are the same or out of order")
    verifier = read_verifier(said.public_key)
    for envelope, body in zip((said.first, said.second), bodies, strict=True):
        if not is_signed_by(verifier, envelope[-SIGNATURE_BYTES:], signed_message(body)):
            raise LedgerError("an envelope of the evidence is not signed by the key")
