"""Two copies of one ledger side by side: equal, one a beginning of the other, or a fork with its evidence.

Only bytes are compared, block by block; each copy is verified by `ledger.audit`. A fork is two different headers at one
height; where one key signed both, the two of them convict it (`ledger.quorum.check_evidence`). Where headers agree and
records do not, one copy is damaged: the header tells which.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ledger.audit import find_worlds
from ledger.blocks import Block, header_message
from ledger.journal import read_blocks
from ledger.keys import is_signed_by, read_verifier
from ledger.merkle import leaf_hash, merkle_root
from ledger.quorum import Evidence, check_evidence
from ledger.records import RecordType, frame_record, read_members, split_records
from market.errors import LedgerError


class Relation(Enum):
    """How the first copy stands to the second."""

    EQUAL = "equal"
    BEGINNING = "the first is a beginning of the second"
    LONGER = "the second is a beginning of the first"
    FORK = "they fork"
    OTHER = "they are of different chains"
    FIRST_DAMAGED = "the first is damaged"
    SECOND_DAMAGED = "the second is damaged"


@dataclass(frozen=True)
class Comparison:
    """What was found: blocks both have, and of a fork the two signed headers and the key that signed both, if one did.

    `blocks` counts those that are equal; the fork or damage is in the block of that height.
    """

    relation: Relation
    blocks: int
    evidence: Evidence | None = None
    convicted: bytes | None = None

    @property
    def agree(self) -> bool:
        """Whether both may be copies of one ledger."""
        return self.relation in (Relation.EQUAL, Relation.BEGINNING, Relation.LONGER)

    def __str__(self) -> str:
        """What was found, in one line."""
        text = f"{self.relation.value}, {self.blocks} equal blocks"
        if self.relation is Relation.FORK:
            text = f"{self.relation.value} at block {self.blocks}"
            text += "; one key signed both: " + self.convicted.hex() if self.convicted else "; no key signed both"
        return text

    def describe(self) -> dict[str, Any]:
        """In plain values, headers and signatures in hexadecimal."""
        facts: dict[str, Any] = {"relation": self.relation.value, "equal_blocks": self.blocks}
        if self.evidence is not None:
            facts |= {"height": self.blocks, "headers": [side.hex() for side in self.evidence]}
            facts["convicted"] = None if self.convicted is None else self.convicted.hex()
        return facts


def compare_runs(first: Path, second: Path) -> dict[str, Comparison]:
    """Compare two copies of a run's ledger, world by world; raises LedgerError where they hold other worlds."""
    worlds = find_worlds(first), find_worlds(second)
    if len(worlds[0]) != len(worlds[1]):
        raise LedgerError(f"the copies hold {len(worlds[0])} and {len(worlds[1])} worlds")
    return {one.name: compare(one, other) for one, other in zip(*worlds, strict=True)}


def compare(first: Path, second: Path) -> Comparison:
    """Compare two copies of one world's ledger; raises LedgerError where bytes of either do not fit."""
    keys: list[bytes] = []
    blocks = 0
    for one, other in zip_longest(read_blocks(first), read_blocks(second)):
        if one is None or other is None:
            return Comparison(Relation.BEGINNING if one is None else Relation.LONGER, blocks)
        if one.header.chain_id != other.header.chain_id:
            return Comparison(Relation.OTHER, blocks)
        keys += _operators(one) if not blocks else []
        if one.header_bytes != other.header_bytes:
            return _fork(one, other, blocks, keys)
        if one.records != other.records or one.signature != other.signature:
            sound = _is_sound(one, keys)
            return Comparison(Relation.SECOND_DAMAGED if sound else Relation.FIRST_DAMAGED, blocks)
        blocks += 1
    return Comparison(Relation.EQUAL, blocks)


def _fork(one: Block, other: Block, blocks: int, keys: list[bytes]) -> Comparison:
    evidence = Evidence(one.header_bytes + one.signature, other.header_bytes + other.signature)
    try:
        convicted = keys[check_evidence(evidence, keys, _is_good)]
    except LedgerError:
        # a header that nobody signed, or another epoch's: a fork without a culprit among these keys
        convicted = None
    return Comparison(Relation.FORK, blocks, evidence, convicted)


def _operators(block: Block) -> Iterator[bytes]:
    return (read_members(body).operator for kind, body in split_records(block.records) if kind == RecordType.MEMBERS)


def _is_sound(block: Block, keys: list[bytes]) -> bool:
    """Whether records and signature are those of the header."""
    try:
        leaves = [leaf_hash(frame_record(kind, body)) for kind, body in split_records(block.records)]
    except LedgerError:
        return False
    signed = any(_is_good(key, block.signature, header_message(block.header_bytes)) for key in keys)
    return signed and merkle_root(leaves) == block.header.records_root


def _is_good(public_key: bytes, signature: bytes, message: bytes) -> bool:
    return is_signed_by(read_verifier(public_key), signature, message)
