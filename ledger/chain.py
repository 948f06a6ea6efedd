"""The chain of blocks, checked from its first: links, sizes, roots over records, log and state, header signatures.

Nothing of the market is derived here; `ledger.audit` does that between `open_block` and `close_block`. The sequencer's
key of epoch 0 is that of the members record, which the first block holds. Later epochs are followed with the keys of
the administrators, which come from outside: each must begin with a good epoch start (`ledger.epochs`).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ledger.blocks import NO_BLOCK, NO_CERTIFICATE, Block, header_hash, header_message
from ledger.epochs import Entry, Link, check_start, read_epoch_start
from ledger.keys import is_signed_by, read_verifier
from ledger.merkle import Frontier, leaf_hash, merkle_root
from ledger.quorum import Administrators
from ledger.records import FRONT, RecordType, frame_record, read_members, split_records
from ledger.state import State
from market.errors import LedgerError

Located = tuple[RecordType, bytes, str]
"""Type, body and place of a record."""


class EpochChange(NamedTuple):
    """An epoch that begins in a chain: at which block, ordered by whom, promised by how many of how many needed."""

    epoch: int
    height: int
    sequencer: int
    promises: int
    needed: int

    def __str__(self) -> str:
        """In one line; what began by disaster is called so."""
        text = f"block {self.height}: epoch {self.epoch} begins, ordered by administrator {self.sequencer}"
        if self.promises >= self.needed:
            return f"{text}, promised by {self.promises} ({self.needed} are needed)"
        few = f"promised by {self.promises} where {self.needed} are needed"
        return f"{text}, BY DISASTER: {few}; the operator answers for what others held above"


class ChainCheck:
    """Follows one world's blocks; every method raises LedgerError naming the first bad place.

    `administrators`: whose epochs may follow epoch 0; without them a later epoch is refused. `changes` are those seen.
    """

    def __init__(self, administrators: Administrators | None = None) -> None:
        self.head = NO_BLOCK
        self.height = 0
        self.log = Frontier()
        self.state = State()
        self.ended = False
        self.changes: list[EpochChange] = []
        self.administrators, self._links = administrators, list[Link]()
        self._chain_id = self._operator = b""

    @property
    def epoch(self) -> int:
        """Epoch of the newest block."""
        return self._links[-1].epoch if self._links else 0

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
        if header.epoch < self.epoch:
            what = f"block is of epoch {header.epoch}, which epoch {self.epoch} has ended: a stale sequencer wrote it"
            raise LedgerError(what, where=place)
        if self.administrators is None and (header.epoch or header.certificate != NO_CERTIFICATE):
            what = "header names an epoch or a certificate of administrators who are not known"
            raise LedgerError(what, where=place, do="give their public keys with --keys")

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
        self._check_epoch(block, records, place)
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
        self._links.append(Link(block.header.epoch, self.head))
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
                self._check_administrators(members.chain_id, members.operator)
                self._operator, self._chain_id = members.operator, members.chain_id
        except (ArithmeticError, IndexError, KeyError, TypeError, ValueError) as error:
            raise LedgerError(f"record cannot be read: {error}", where=where) from error
        except LedgerError as error:
            raise LedgerError(str(error), where=where) from error
        self.ended = kind == RecordType.END

    def _check_epoch(self, block: Block, records: list[Located], place: str) -> None:
        """A newer epoch begins with a good start that stands alone; an epoch under way has none."""
        header = block.header
        starts = [body for kind, body, _ in records if kind == RecordType.EPOCH]
        if header.epoch == self.epoch:
            if starts:
                raise LedgerError("an epoch start stands in an epoch under way", where=place)
            return
        assert self.administrators is not None, "check_link lets no later epoch pass without administrators"
        if not starts or header.records != 1:
            raise LedgerError("epoch begins without an epoch start alone in its block", where=place)
        start = read_epoch_start(starts[0])
        entry = Entry(header.epoch, header.height, header.previous, header_hash(block.header_bytes), b"", start)
        why = check_start(self.administrators, entry, self._links, _is_good, disaster=True)
        if why:
            raise LedgerError(why, where=place)
        who, needed = self.administrators.sequencer(header.epoch), self.administrators.quorum
        self.changes.append(EpochChange(header.epoch, header.height, who, len(start.promises), needed))

    def _check_administrators(self, chain_id: bytes, operator: bytes) -> None:
        known = self.administrators
        if known is not None and (known.chain_id, known.sequencer_key(0)) != (chain_id, operator):
            raise LedgerError("the administrators given are of another chain", do="give the keys of this ledger")

    def _sequencer_key(self, epoch: int) -> bytes:
        return self.administrators.sequencer_key(epoch) if self.administrators and epoch else self._operator

    def _check_signature(self, block: Block, place: str) -> None:
        if not self._operator:
            names = ", ".join(kind.name.lower() for kind in FRONT)
            raise LedgerError(f"ledger does not begin with {names}", where=place)
        if block.header.chain_id != self._chain_id:
            raise LedgerError("chain of the header is not that of the members record", where=place)
        key, message = self._sequencer_key(block.header.epoch), header_message(block.header_bytes)
        if not _is_good(key, block.signature, message):
            raise LedgerError("signature of the header is not the sequencer's", where=place)


def _is_good(public_key: bytes, signature: bytes, message: bytes) -> bool:
    return is_signed_by(read_verifier(public_key), signature, message)


def _located(block: Block, place: str) -> Iterator[Located]:
    """Records of a block, each with its place."""
    try:
        for number, (kind, body) in enumerate(split_records(block.records)):
            yield kind, body, f"{place}, record {number}"
    except LedgerError as error:
        raise LedgerError(str(error), where=place) from error
