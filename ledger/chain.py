"""The chain of blocks, checked from its first: links, sizes, roots over records, log and state, header signatures.

Nothing of the market is derived here; `ledger.audit` does that between `open_block` and `close_block`. The sequencer's
key is that of the members record, which the first block holds.
"""

from collections.abc import Iterator, Sequence

from ledger.blocks import NO_BLOCK, NO_CERTIFICATE, Block, header_hash, header_message
from ledger.keys import Verifier, is_signed_by, read_verifier
from ledger.merkle import Frontier, leaf_hash, merkle_root
from ledger.records import FRONT, RecordType, frame_record, read_members, split_records
from ledger.state import State
from market.errors import LedgerError

Located = tuple[RecordType, bytes, str]
"""Type, body and place of a record."""


class ChainCheck:
    """Follows one world's blocks; every method raises LedgerError naming the first bad place."""

    def __init__(self) -> None:
        self.head = NO_BLOCK
        self.height = 0
        self.log = Frontier()
        self.state = State()
        self.ended = False
        self._chain_id = b""
        self._operator: Verifier | None = None

    def open_block(self, block: Block) -> list[Located]:
        """Check how a block continues the chain and that its records are those its header names; return them."""
        self.check_link(block)
        records = list(_located(block, self.place(block)))
        self.check_leaves(block, [leaf_hash(frame_record(kind, body)) for kind, body, _ in records])
        return records

    def check_link(self, block: Block) -> None:
        """Check how the header of a block continues the chain."""
        place, header = self.place(block), block.header
        if self.ended:
            raise LedgerError("a block stands behind the end record", where=place)
        if (header.height, header.previous, header.log_size) != (self.height, self.head, self.log.size):
            raise LedgerError("header does not continue the block before", where=place)
        if header.epoch or header.certificate != NO_CERTIFICATE:
            raise LedgerError("header names an epoch or a certificate without administrators", where=place)

    def check_leaves(self, block: Block, leaves: Sequence[bytes]) -> None:
        """Check that the records of a block, by their leaf hashes, are those its header names."""
        place, header = self.place(block), block.header
        if (merkle_root(leaves), len(leaves)) != (header.records_root, header.records):
            raise LedgerError("records are not those the header names", where=place)
        for leaf in leaves:
            self.log.append(leaf)
        if self.log.root() != header.log_root:
            raise LedgerError("log root of the header is not that of all records", where=place)

    def close_block(self, block: Block, records: list[Located]) -> None:
        """Check state root, chain and signature of a block whose records were found good, and go on behind it."""
        place = self.place(block)
        for kind, body, where in records:
            self._take(kind, body, where)
        try:
            state_root = self.state.root()
        except LedgerError as error:
            raise LedgerError(str(error), where=place) from error
        if state_root != block.header.state_root:
            raise LedgerError("state root of the header is not that of the records", where=place)
        self._check_signature(block, place)
        self.head = header_hash(block.header_bytes)
        self.height += 1

    def place(self, block: Block) -> str:
        """Where a block stands, for reports."""
        return f"{block.place}, block {self.height}"

    def require_end(self) -> None:
        """Raise LedgerError unless the end record was seen."""
        if not self.ended:
            missing = "ledger was not closed: the end record is missing"
            raise LedgerError(missing, where=f"after block {self.height - 1}")

    def _take(self, kind: RecordType, body: bytes, where: str) -> None:
        if self.ended:
            raise LedgerError("a record stands behind the end record", where=where)
        try:
            self.state.take(kind, body)
            if kind == RecordType.MEMBERS:
                members = read_members(body)
                self._operator, self._chain_id = read_verifier(members.operator), members.chain_id
        except (ArithmeticError, IndexError, KeyError, TypeError, ValueError) as error:
            raise LedgerError(f"record cannot be read: {error}", where=where) from error
        except LedgerError as error:
            raise LedgerError(str(error), where=where) from error
        self.ended = kind == RecordType.END

    def _check_signature(self, block: Block, place: str) -> None:
        if self._operator is None:
            names = ", ".join(kind.name.lower() for kind in FRONT)
            raise LedgerError(f"ledger does not begin with {names}", where=place)
        if block.header.chain_id != self._chain_id:
            raise LedgerError("chain of the header is not that of the members record", where=place)
        if not is_signed_by(self._operator, block.signature, header_message(block.header_bytes)):
            raise LedgerError("signature of the header is not the sequencer's", where=place)


def _located(block: Block, place: str) -> Iterator[Located]:
    """Records of a block, each with its place."""
    try:
        for number, (kind, body) in enumerate(split_records(block.records)):
            yield kind, body, f"{place}, record {number}"
    except LedgerError as error:
        raise LedgerError(str(error), where=place) from error
