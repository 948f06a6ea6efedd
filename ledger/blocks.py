"""Blocks: records under one signed header, each header naming the hash of the one before.

Header, big-endian and packed:

    magic "DGBH" | version u8 | chain 16 | epoch u32 | height u64 | previous hash 32 | records root 32 (RFC 6962)
    | records u32 | record bytes u32 | first slot u32 | last slot u32 | content head 32 | records in earlier blocks u64
    | log root 32 | state root 32 | previous certificate 32

The log root is the RFC 6962 root over all records from the first to the last of this block; the state root is the hash
of what follows from them (`ledger.state`); epoch and previous certificate are zero where there is one administrator.

Its hash is SHA-256 over a domain tag and these bytes; the sequencer signs that hash. A block is header, signature,
records. The chain head is the hash of the newest header.
"""

import hashlib
import struct
from dataclasses import dataclass

from ledger.encoding import HEADER_SIGNATURE_TAG, HEADER_TAG, SIGNATURE_BYTES
from market.errors import LedgerError

MAGIC = b"DGBH"
VERSION = 2
NO_BLOCK = bytes(32)
"""Previous hash of the first block."""
NO_CERTIFICATE = bytes(32)
"""Previous certificate where no administrators cosign."""

_HEADER = struct.Struct(">4sB16sIQ32s32sIIII32sQ32s32s32s")
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True)
class Header:
    """A block header; slots are the first and last step in the block, `log_size` counts records of earlier blocks."""

    chain_id: bytes
    epoch: int
    height: int
    previous: bytes
    records_root: bytes
    records: int
    record_bytes: int
    first_slot: int
    last_slot: int
    content_head: bytes
    log_size: int
    log_root: bytes
    state_root: bytes
    certificate: bytes = NO_CERTIFICATE

    @property
    def tree_size(self) -> int:
        """Leaves under the log root: records from the first to the last of this block."""
        return self.log_size + self.records

    def to_bytes(self) -> bytes:
        """Packed header."""
        return _HEADER.pack(
            MAGIC,
            VERSION,
            self.chain_id,
            self.epoch,
            self.height,
            self.previous,
            self.records_root,
            self.records,
            self.record_bytes,
            self.first_slot,
            self.last_slot,
            self.content_head,
            self.log_size,
            self.log_root,
            self.state_root,
            self.certificate,
        )


def read_header(data: bytes, place: str = "") -> Header:
    """A header from its bytes; raises LedgerError unless they are exactly one header of this version."""
    if len(data) != HEADER_BYTES:
        raise LedgerError("header has a wrong length", where=place)
    magic, version, *fields = _HEADER.unpack(data)
    if magic != MAGIC or version != VERSION:
        raise LedgerError("not a block of this version", where=place)
    header = Header(*fields)
    if not header.records or header.first_slot > header.last_slot:
        raise LedgerError("header of an empty block or of slots out of order", where=place)
    return header


def header_hash(header: bytes) -> bytes:
    """Hash that the next header names."""
    return hashlib.sha256(HEADER_TAG + header).digest()


def header_message(header: bytes) -> bytes:
    """What the sequencer signs."""
    return HEADER_SIGNATURE_TAG + header_hash(header)


@dataclass(frozen=True)
class Block:
    """A block as read: header bytes and fields, signature, record bytes, and where it stands."""

    header_bytes: bytes
    header: Header
    signature: bytes
    records: bytes
    place: str


def read_block(payload: bytes, place: str) -> Block:
    """Cut a frame into a block; raises LedgerError unless it is exactly one block of this version."""
    start = HEADER_BYTES + SIGNATURE_BYTES
    if len(payload) < start:
        raise LedgerError("block is too short", where=place)
    header = read_header(payload[:HEADER_BYTES], place)
    if len(payload) != start + header.record_bytes:
        raise LedgerError("block has a wrong length", where=place)
    return Block(payload[:HEADER_BYTES], header, payload[HEADER_BYTES:start], payload[start:], place)
