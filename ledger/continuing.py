"""A chain that goes on under another sequencer: the same records sealed again, behind an epoch start.

When the one who ordered the blocks is gone, the market's gateways still have what they sent: the records of the blocks
that no administrator certified. The next sequencer seals them again, in their old blocks, under its own epoch. Records
that name places in the log (end record, execution records) are moved by as many places as the log has grown.

By disaster fewer than q administrators are left (`ledger.epochs`): the epoch of the survivor begins on what it holds.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from ledger.blocks import NO_CERTIFICATE, Block, Header, header_message
from ledger.chain import ChainCheck
from ledger.executions import read_execution
from ledger.merkle import Frontier, leaf_hash, merkle_root
from ledger.quorum import Certificate
from ledger.records import RecordType, frame_record, split_records
from ledger.replica_state import Sign
from market.errors import LedgerError

CERTIFICATE_TAG = b"DG/certificate/v1\0"
_COUNT_AT = slice(4, 12)
"""Where an end record counts the records before it."""


def hash_certificate(certificate: Certificate) -> bytes:
    """What a header names the certificate of the block before by."""
    return hashlib.sha256(CERTIFICATE_TAG + certificate.to_bytes()).digest()


def seal_behind(
    chain: ChainCheck, like: Header, epoch: int, records: Sequence[bytes], certificate: bytes, sign: Sign
) -> bytes:
    """A block of framed records behind a checked chain, with the slots, content head and state root of `like`.

    Raises:
        LedgerError: the chain has ended.
    """
    if chain.ended:
        raise LedgerError("a finished ledger begins no epoch", do="continue a run before its end record")
    log, leaves = Frontier(chain.log.size, chain.log.nodes), [leaf_hash(record) for record in records]
    for leaf in leaves:
        log.append(leaf)
    header = replace(
        like,
        epoch=epoch,
        height=chain.height,
        previous=chain.head,
        records_root=merkle_root(leaves),
        records=len(records),
        record_bytes=sum(len(record) for record in records),
        log_size=chain.log.size,
        log_root=log.root(),
        certificate=certificate,
    ).to_bytes()
    return b"".join([header, sign(header_message(header)), *records])


def seal_start(chain: ChainCheck, last: Header, epoch: int, record: bytes, sign: Sign) -> bytes:
    """The block of an epoch start behind a checked chain whose last header is `last`."""
    return seal_behind(chain, replace(last, first_slot=last.last_slot), epoch, [record], NO_CERTIFICATE, sign)


def seal_again(chain: ChainCheck, block: Block, epoch: int, certificate: bytes, sign: Sign) -> bytes:
    """The records of a block of the lost sequencer under another epoch, behind a checked chain."""
    records = move_records(block, chain.log.size)
    return seal_behind(chain, block.header, epoch, records, certificate, sign)


def move_records(block: Block, log_size: int) -> list[bytes]:
    """Framed records of a block as they stand behind `log_size` records: what names places in the log is moved."""
    moved, records = log_size - block.header.log_size, list[bytes]()
    for kind, body in split_records(block.records):
        if kind == RecordType.EXEC:
            made = read_execution(body)
            body = made._replace(first=made.first + moved).to_bytes()
        elif kind == RecordType.END:
            count = int.from_bytes(body[_COUNT_AT], "big") + moved
            body = body[: _COUNT_AT.start] + count.to_bytes(8, "big") + body[_COUNT_AT.stop :]
        records.append(frame_record(kind, body))
    return records
