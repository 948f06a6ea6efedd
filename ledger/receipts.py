"""Receipts: what a participant keeps to show, offline and for ever, that a record stands in the ledger.

A receipt is canonical JSON of format `digitalgrid-receipt/1`, hexadecimal where bytes are meant:

    record       the record as stored, type and length included
    index        its leaf among all records of its world
    proof        siblings of that leaf on its way to the log root, lowest first
    header       of the block it is in; names the log root and how many records are under it
    signature    of the sequencer over that header
    certificate  cosignatures of that block (`ledger.quorum`), empty where one administrator suffices

It is checked with the administrators' public keys alone, which stand in a file of format `digitalgrid-keys/1`: chain,
keys in order, how many of them must have signed, and the operator's key where that is not the first of them. Nothing in
a receipt is believed: the leaf is hashed from the record, the root computed from the leaf, the header must name that
root and its signature be good.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.blocks import Header, header_hash, header_message, read_header
from ledger.encoding import SIGNATURE_BYTES, canonical_json, decode_heads, record_id
from ledger.keys import CHAIN_ID_BYTES, is_signed_by, read_verifier
from ledger.merkle import HASH_BYTES, is_included, leaf_hash
from ledger.proofs import Proof, places
from ledger.quorum import Administrators, check_certificate, read_certificate
from ledger.records import RecordType, read_members, split_envelope, split_records
from ledger.sealing import read_sealed
from market.errors import ConfigError, LedgerError, Refusal

RECEIPT_FORMAT, KEYS_FORMAT = "digitalgrid-receipt/1", "digitalgrid-keys/1"


@dataclass(frozen=True)
class Receipt:
    """A record, its proof, and the signed header it leads to; fields as in the file, as bytes."""

    record: bytes
    index: int
    proof: tuple[bytes, ...]
    header: bytes
    signature: bytes
    certificate: bytes = b""

    def to_bytes(self) -> bytes:
        """The file's canonical JSON."""
        return canonical_json(
            {
                "certificate": self.certificate.hex(),
                "format": RECEIPT_FORMAT,
                "header": self.header.hex(),
                "index": self.index,
                "proof": [node.hex() for node in self.proof],
                "record": self.record.hex(),
                "signature": self.signature.hex(),
            }
        )


def make_receipt(proof: Proof, certificate: bytes = b"") -> Receipt:
    """A receipt of what a ledger proves; `certificate` where several administrators must have signed."""
    place, block = proof.place, proof.block
    return Receipt(place.record, place.index, proof.nodes, block.header_bytes, block.signature, certificate)


def read_receipt(data: bytes, where: str = "") -> Receipt:
    """A receipt from its file; raises LedgerError unless it is canonical JSON of this format and nothing else."""
    content = read_json(data, RECEIPT_FORMAT, where)
    try:
        receipt = Receipt(
            bytes.fromhex(content["record"]),
            content["index"],
            tuple(bytes.fromhex(node) for node in content["proof"]),
            *(bytes.fromhex(content[name]) for name in ("header", "signature", "certificate")),
        )
        known = receipt.to_bytes() == data
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"receipt cannot be read: {error}", where=where) from error
    if not known or not isinstance(receipt.index, int) or isinstance(receipt.index, bool):
        raise LedgerError("receipt has more than one spelling", where=where, do="use the file as it was written")
    return receipt


@dataclass(frozen=True)
class Finding:
    """What a good receipt shows: the record, its leaf, how many records stood under the header, and its height."""

    kind: RecordType
    body: bytes
    index: int
    header: Header

    def describe(self) -> dict[str, Any]:
        """In plain values: where the record stands and, of an envelope, sealed or not, what it says of itself."""
        facts: dict[str, Any] = {
            "type": self.kind.name.lower(),
            "record": self.index,
            "records": self.header.tree_size,
            "block": self.header.height,
            "epoch": self.header.epoch,
            "chain": self.header.chain_id.hex(),
        }
        if self.kind == RecordType.ENVELOPE:
            envelope, codes = split_envelope(self.body)
            head = decode_heads([envelope])[0]
            facts |= {
                "id": record_id(envelope[:-SIGNATURE_BYTES]).hex(),
                "key": bytes(head["key"]).hex(),
                "sequence": int(head["sequence"]),
                "slot": int(head["slot"]),
                "orders": len(codes),
                "refused": [Refusal(code).name for code in codes if code],
            }
        elif self.kind == RecordType.SEALED:
            sealed = read_sealed(self.body)
            facts |= {
                "id": sealed.record_id.hex(),
                "key": sealed.key_id.hex(),
                "sequence": sealed.sequence,
                "slot": sealed.slot,
                "sealed": f"{sealed.needed} of {len(sealed.wrapped)} administrators open it",
            }
        return facts


def check_receipt(receipt: Receipt, administrators: Administrators) -> Finding:
    """What the receipt shows, checked with nothing but these keys.

    Raises:
        LedgerError: it shows nothing: wrong chain, proof, signature, certificate or form.
    """
    header = read_header(receipt.header, "receipt")
    records = list(split_records(receipt.record))
    if len(records) != 1:
        raise LedgerError("receipt does not hold one record", where="receipt")
    if header.chain_id != administrators.chain_id:
        raise LedgerError("receipt is of another chain than the keys", where="receipt")
    if not is_included(leaf_hash(receipt.record), receipt.index, header.tree_size, receipt.proof, header.log_root):
        raise LedgerError("proof does not lead from the record to the log root of the header", where="receipt")
    if not _is_good(administrators.sequencer_key(header.epoch), receipt.signature, header_message(receipt.header)):
        raise LedgerError("signature of the header is not the sequencer's", where="receipt")
    if administrators.quorum > 1:
        certificate = read_certificate(receipt.certificate)
        if certificate[:3] != (header.epoch, header.height, header_hash(receipt.header)):
            raise LedgerError("certificate is of another block", where="receipt")
        check_certificate(administrators, certificate, _is_good)
    elif receipt.certificate:
        raise LedgerError("receipt holds a certificate that its only administrator needs not", where="receipt")
    return Finding(*records[0], receipt.index, header)


def administrators_of(folder: Path) -> Administrators:
    """The operator of one world's ledger as its only administrator; raises LedgerError where there is none on record.

    What a ledger says of its own operator proves nothing by itself: a participant gets the keys before it needs them.
    """
    for _, kind, body in places(folder):
        if kind == RecordType.MEMBERS:
            members = read_members(body)
            return Administrators(members.chain_id, (members.operator,), 1)
    raise LedgerError("ledger names no operator", where=str(folder))


def keys_file(administrators: Administrators) -> bytes:
    """The file of public keys that a participant needs: canonical JSON of format `digitalgrid-keys/1`."""
    return canonical_json(
        {
            "chain": administrators.chain_id.hex(),
            "format": KEYS_FORMAT,
            "keys": [key.hex() for key in administrators.keys],
            "operator": administrators.operator.hex(),
            "quorum": administrators.quorum,
        }
    )


def read_keys(data: bytes, where: str = "") -> Administrators:
    """Administrators from their file; raises LedgerError unless its form is right, ConfigError on an unsafe quorum.

    Weak keys are refused here, so that no forged signature can be good under one.
    """
    content = read_json(data, KEYS_FORMAT, where)
    try:
        keys = tuple(bytes.fromhex(key) for key in content["keys"])
        chain, operator = bytes.fromhex(content["chain"]), bytes.fromhex(content["operator"])
        quorum = int(content["quorum"])
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"keys cannot be read: {error}", where=where) from error
    if len(chain) != CHAIN_ID_BYTES:
        raise LedgerError("chain has a wrong length", where=where)
    for key in (*keys, *([operator] if operator else [])):
        read_verifier(key)
    return Administrators(chain, keys, quorum, operator)


def proof_bytes(receipt: Receipt) -> int:
    """Size of the proof itself: leaf number, size of the log and siblings, as numbers of 8 and hashes of 32 bytes."""
    return 16 + HASH_BYTES * len(receipt.proof)


def load_file(path: Path) -> bytes:
    """Bytes of a receipt or keys file; raises ConfigError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read: {error.strerror}", where=str(path), do="give a file that is there") from error


def _is_good(public_key: bytes, signature: bytes, message: bytes) -> bool:
    return is_signed_by(read_verifier(public_key), signature, message)


def read_json(data: bytes, wanted: str, where: str) -> dict[str, Any]:
    """Content of a file of format `wanted`; raises LedgerError for anything else."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise LedgerError(f"not JSON: {error}", where=where, do="give the file as it was written") from error
    if not isinstance(content, dict) or content.get("format") != wanted:
        raise LedgerError("file is of another format", where=where, do=f"this version reads {wanted}")
    return content
