"""Structure of a ledger, without the market: frames, checksums, headers, roots and header signatures.

It tells a damaged copy from a whole one in a fraction of the time of `ledger.audit.verify`, and needs no rule of the
market. What follows from the rules (refusals, contracts, postings, content heads) is not looked at; on request the
signatures, chain and sequence of envelopes are.
"""

from collections.abc import Sequence
from pathlib import Path

from ledger.admission import CHAIN, KEY_ID, SEQUENCE
from ledger.audit import KeysOf, Verdict, find_worlds
from ledger.chain import ChainCheck, Located
from ledger.encoding import SIGNATURE_BYTES, is_well_formed, signed_message
from ledger.journal import read_blocks
from ledger.keys import Verifier, are_signed_by, key_id_of, read_verifier
from ledger.quorum import Administrators
from ledger.records import RecordType, read_members, split_envelope
from ledger.registrations import read_enrolment, read_rotation
from market.errors import LedgerError


def fsck(folder: Path, *, signatures: bool = False, keys_of: KeysOf = lambda world: None) -> Verdict:
    """Check the structure of every world under a run's ledger; the first damage is named.

    Args:
        folder: the ledger folder of a run, with `world-0000` and so on in it.
        signatures: also check each envelope's form, chain, key, sequence and signature.
        keys_of: the administrators whose epochs may follow epoch 0.
    """
    changes: list[str] = []
    counts = {"blocks": 0, "records": 0} | ({"envelopes": 0, "orders": 0} if signatures else {})
    where = str(folder)
    try:
        for path in find_worlds(folder):
            where = path.name
            voices = Voices() if signatures else None
            chain = check_structure(path, voices, keys_of(path.name))
            changes += [f"{path.name}: {change}" for change in chain.changes]
            counts["blocks"] += chain.height
            counts["records"] += chain.log.size
            if voices is not None:
                counts["envelopes"] += voices.envelopes
                counts["orders"] += voices.orders
    except LedgerError as error:
        return Verdict(False, (f"{where}: {error}",), counts)
    said = ", ".join(f"{count} {name}" for name, count in counts.items())
    return Verdict(True, (f"{said}: structure is whole", *changes), counts)


def check_structure(
    folder: Path, voices: "Voices | None" = None, administrators: Administrators | None = None
) -> ChainCheck:
    """The chain of one world's ledger as checked to its end record; raises LedgerError naming the first damage."""
    chain = ChainCheck(administrators)
    for block in read_blocks(folder):
        records = chain.open_block(block)
        if voices is not None:
            voices.hear(records)
        chain.close_block(block, records)
    chain.require_end()
    return chain


class Voices:
    """Checks that envelopes are well-formed, of this chain, in sequence and signed by keys on record."""

    def __init__(self) -> None:
        self.envelopes = self.orders = 0
        self._chain_id = b""
        self._keys: dict[bytes, Verifier] = {}
        self._sequence: dict[bytes, int] = {}

    def hear(self, records: Sequence[Located]) -> None:
        """Take the records of one block; raises LedgerError naming the first envelope that is not good."""
        claims, where = [], []
        for kind, body, place in records:
            if kind == RecordType.ENVELOPE:
                claims.append(self._claim(body, place))
                where.append(place)
            else:
                self._learn(kind, body)
        for place, good in zip(where, are_signed_by(claims), strict=True):
            if not good:
                raise LedgerError("signature of the envelope is not its key's", where=place)
        self.envelopes += len(claims)

    def _claim(self, body: bytes, place: str) -> tuple[Verifier, bytes, bytes]:
        envelope, codes = split_envelope(body)
        if not is_well_formed(envelope) or envelope[CHAIN] != self._chain_id:
            raise LedgerError("envelope is malformed or of another chain", where=place)
        key_id, sequence = envelope[KEY_ID], int.from_bytes(envelope[SEQUENCE], "big")
        verifier = self._keys.get(key_id)
        if verifier is None or sequence <= self._sequence.get(key_id, 0):
            raise LedgerError("envelope of an unknown key or out of sequence", where=place)
        self._sequence[key_id] = sequence
        self.orders += len(codes)
        return verifier, envelope[-SIGNATURE_BYTES:], signed_message(envelope[:-SIGNATURE_BYTES])

    def _learn(self, kind: RecordType, body: bytes) -> None:
        if kind == RecordType.MEMBERS:
            members = read_members(body)
            self._chain_id = members.chain_id
            keys = [key for _, key in members.keys]
        elif kind == RecordType.ENROL:
            keys = [read_enrolment(body).public_key]
        elif kind == RecordType.ROTATE:
            keys = [read_rotation(body).public_key]
        else:
            return
        self._keys |= {key_id_of(key): read_verifier(key) for key in keys}
