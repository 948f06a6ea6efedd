"""Blocks for drills of the store: real headers over records of random bytes; nothing of a market is in them."""

import random
from collections.abc import Iterator

from ledger.blocks import NO_BLOCK, Block, Header, header_hash, header_message, read_block
from ledger.keys import OPERATOR, Signer, simulation_chain_id, simulation_signer
from ledger.merkle import leaf_hash, merkle_root
from ledger.records import RecordType, frame_record, split_records
from ledger.store import Tip
from market.errors import LedgerError

CHAIN = simulation_chain_id(0, bytes(32))
SMALL, LARGE = 8 << 10, 1 << 20
"""Most bytes of records in a usual block and in a large one, which a kill is likelier to meet half written."""


def drill_signer(seed: int) -> Signer:
    """Who signs the headers of a drill."""
    return simulation_signer(CHAIN, seed, OPERATOR)


def draw_records(dice: random.Random, size: int) -> list[bytes]:
    """Up to eight records of random bytes, about `size` bytes together."""
    count = dice.randint(1, 8)
    return [frame_record(RecordType.ENVELOPE, dice.randbytes(max(1, size // count))) for _ in range(count)]


def draw_size(dice: random.Random) -> int:
    """Bytes of records of a block: mostly few, now and then many."""
    return dice.randint(1, LARGE if dice.random() < 0.1 else SMALL)


def make_block(tip: Tip, records: list[bytes], signer: Signer) -> bytes:
    """A block behind a tip; roots over log and state are left empty, for no store reads them."""
    header = Header(
        chain_id=CHAIN,
        epoch=0,
        height=tip.height,
        previous=tip.head,
        records_root=merkle_root(leaf_hash(record) for record in records),
        records=len(records),
        record_bytes=sum(len(record) for record in records),
        first_slot=0,
        last_slot=0,
        content_head=NO_BLOCK,
        log_size=0,
        log_root=NO_BLOCK,
        state_root=NO_BLOCK,
    ).to_bytes()
    return b"".join([header, signer.sign(header_message(header)), *records])


def check_blocks(blocks: Iterator[tuple[bytes, str]]) -> list[bytes]:
    """Hash of each header; raises LedgerError where records are not those their header names."""
    heads = []
    for data, place in blocks:
        block: Block = read_block(data, place)
        leaves = [leaf_hash(frame_record(kind, body)) for kind, body in split_records(block.records)]
        if merkle_root(leaves) != block.header.records_root:
            raise LedgerError("records are not those the header names", where=place)
        heads.append(header_hash(block.header_bytes))
    return heads
