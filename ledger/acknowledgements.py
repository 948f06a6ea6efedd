"""Acknowledgements: what a gateway answers a device at once, the same bytes however often the device asks.

    chain 16 | id of the envelope 32 | height of its block u64 | rows u16 | code u8 of each | signature 64

The operator signs all before the signature, under a domain tag. It is a promise: the envelope stands at that height
with those codes, or the operator is convicted by it together with the block. A receipt (`ledger.receipts`) proves it
once the block is sealed. Ed25519 signs alike each time (RFC 8032), so nothing but the first hearing has to be kept
(`ledger.remembered`) to give a resent envelope its first answer again.
"""

import hashlib
import struct
from typing import NamedTuple

from ledger.encoding import SIGNATURE_BYTES, record_id
from ledger.keys import Signer, is_signed_by, read_verifier
from ledger.remembered import Heard
from market.errors import LedgerError, Refusal

TAG = b"DG/acknowledged/v1\0"
_HEAD = struct.Struct(">16s32sQH")


class Acknowledgement(NamedTuple):
    """What the operator promises of an envelope."""

    chain_id: bytes
    record_id: bytes
    height: int
    codes: bytes


def acknowledge(chain_id: bytes, heard: Heard, operator: Signer) -> bytes | None:
    """The answer to an envelope that was heard; None while its step is under way and its codes are not known."""
    if heard.codes is None:
        return None
    name = record_id(heard.envelope[:-SIGNATURE_BYTES])
    front = _HEAD.pack(chain_id, name, heard.height, len(heard.codes)) + heard.codes
    return front + operator.sign(_message(front))


def read_acknowledgement(data: bytes, operator: bytes) -> Acknowledgement:
    """What an answer promises; raises LedgerError unless it is exactly one and signed by this operator's key."""
    if len(data) < _HEAD.size:
        raise LedgerError("acknowledgement is cut short")
    chain_id, name, height, rows = _HEAD.unpack_from(data)
    end = _HEAD.size + rows
    codes = data[_HEAD.size : end]
    if len(data) != end + SIGNATURE_BYTES or not set(codes) <= {int(code) for code in Refusal}:
        raise LedgerError("acknowledgement has a wrong length or an unknown code")
    if not is_signed_by(read_verifier(operator), data[end:], _message(data[:end])):
        raise LedgerError("acknowledgement is not signed by the operator")
    return Acknowledgement(chain_id, name, height, codes)


def _message(front: bytes) -> bytes:
    return TAG + hashlib.sha256(front).digest()
