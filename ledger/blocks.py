"""Blocks: records under one signed header, each header naming the hash of the one before.

Header, big-endian and packed:

    magic "DGBH" | version u8 | chain 16 | height u64 | previous hash 32 | records root 32 (RFC 6962) | records u32
    | record bytes u32 | first slot u32 | last slot u32 | content head 32 | records in earlier blocks u64

Its hash is SHA-256 over a domain tag and these bytes; the sequencer signs that hash. A block is header, signature,
records. The chain head is the hash of the newest header.
"""

import hashlib
import struct
from dataclasses import dataclass

from ledger.encoding import HEADER_SIGNATURE_TAG, HEADER_TAG, SIGNATURE_BYTES
from market.errors import LedgerError

MAGIC = b"DGBH"
VERSION = 1
NO_BLOCK = bytes(32)
"""Previous hash of the first block."""

_HEADER = struct.Struct(">4sB16sQ32s32sIIII32sQ")
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True)
class Header:
    """A block header; slots are the first and last step in the block."""

    chain_id: bytes
    height: int
    previous: bytes
    records_root: bytes
    records: int
    record_bytes: int
    first_slot: int
    last_slot: int
    content_head: bytes
    log_size: int

    def to_bytes(self) -> bytes:
        """Packed header."""
        return _HEADER.pack(
            MAGIC,
            VERSION,
            self.chain_id,
            self.height,
            self.previous,
            self.records_root,
            self.records,
            self.record_bytes,
            self.first_slot,
            self.last_slot,
            self.content_head,
            self.log_size,
        )


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
    if len(payload) < HEADER_BYTES + SIGNATURE_BYTES:
        raise LedgerError("block is too short", where=place)
    magic, version, *fields = _HEADER.unpack_from(payload)
    if magic != MAGIC or version != VERSION:
        raise LedgerError("not a block of this version", where=place)
    header = Header(*fields)
    start = HEADER_BYTES + SIGNATURE_BYTES
    if len(payload) != start + header.record_bytes:
        raise LedgerError("block has a wrong length", where=place)
    return Block(payload[:HEADER_BYTES], header, payload[HEADER_BYTES:start], payload[start:], place)
