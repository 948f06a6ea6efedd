"""Growth: proof that a later log is an earlier one with more records behind it, for who keeps only headers.

The file is canonical JSON of format `digitalgrid-growth/1`, hexadecimal where bytes are meant: two signed headers of
one chain (`first`, `second`: header and signature, as at the front of a block) and the nodes of the consistency proof
between their log roots. A participant gives the header of an old receipt and gets a proof under the newest one: what it
was shown then still stands, in the same place. Where an operator has forked there is no such proof.

Source: RFC 6962, section 2.1.2; checked as in RFC 9162, section 2.1.4.2.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.blocks import HEADER_BYTES, Header, header_message, read_header
from ledger.encoding import SIGNATURE_BYTES, canonical_json
from ledger.journal import read_blocks
from ledger.keys import is_signed_by, read_verifier
from ledger.merkle import Tree, is_prefix, leaf_hash
from ledger.quorum import Administrators
from ledger.receipts import Receipt, read_json
from ledger.records import frame_record, split_records
from market.errors import LedgerError

GROWTH_FORMAT = "digitalgrid-growth/1"
SIGNED_BYTES = HEADER_BYTES + SIGNATURE_BYTES


@dataclass(frozen=True)
class Growth:
    """Two signed headers, older first, and the nodes between their log roots."""

    first: bytes
    second: bytes
    proof: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """The file's canonical JSON."""
        nodes = [node.hex() for node in self.proof]
        return canonical_json(
            {"first": self.first.hex(), "format": GROWTH_FORMAT, "proof": nodes, "second": self.second.hex()}
        )


def prove_growth(folder: Path, since: Receipt) -> Growth:
    """From the header of a receipt to the newest one of a world's ledger.

    Raises:
        LedgerError: the ledger does not hold that header, or bytes do not fit.
    """
    tree, size, newest = Tree(), 0, b""
    for block in read_blocks(folder):
        for kind, body in split_records(block.records):
            tree.append(leaf_hash(frame_record(kind, body)))
        newest = block.header_bytes + block.signature
        if block.header_bytes == since.header:
            size = len(tree)
    if not size:
        raise LedgerError("ledger does not hold the header of the receipt", where=str(folder), do="compare copies")
    return Growth(since.header + since.signature, newest, tuple(tree.consistency_proof(size)))


def read_growth(data: bytes, where: str = "") -> Growth:
    """A growth proof from its file; raises LedgerError unless it is canonical JSON of this format and nothing else."""
    content = read_json(data, GROWTH_FORMAT, where)
    try:
        first, second = (bytes.fromhex(content[name]) for name in ("first", "second"))
        growth = Growth(first, second, tuple(bytes.fromhex(node) for node in content["proof"]))
        known = growth.to_bytes() == data
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"growth proof cannot be read: {error}", where=where) from error
    if not known:
        raise LedgerError("growth proof has more than one spelling", where=where, do="use the file as it was written")
    return growth


def check_growth(growth: Growth, administrators: Administrators) -> tuple[Header, Header]:
    """Both headers, the older first, checked with nothing but these keys.

    Raises:
        LedgerError: wrong chain, signatures or form, or the later log is not the earlier one with more behind it.
    """
    first, second = (_read_signed(side, administrators) for side in (growth.first, growth.second))
    sizes, roots = (first.tree_size, second.tree_size), (first.log_root, second.log_root)
    if not is_prefix(*sizes, *roots, growth.proof):
        raise LedgerError("the later log does not begin with the earlier one", where="growth proof")
    return first, second


def describe_growth(headers: tuple[Header, Header]) -> dict[str, Any]:
    """What a good growth proof shows, in plain values."""
    first, second = headers
    return {
        "chain": first.chain_id.hex(),
        "blocks": [first.height, second.height],
        "records": [first.tree_size, second.tree_size],
        "log_roots": [first.log_root.hex(), second.log_root.hex()],
    }


def _read_signed(side: bytes, administrators: Administrators) -> Header:
    if len(side) != SIGNED_BYTES:
        raise LedgerError("growth proof does not hold two signed headers")
    header = read_header(side[:HEADER_BYTES], "growth proof")
    if header.chain_id != administrators.chain_id:
        raise LedgerError("growth proof is of another chain than the keys")
    verifier = read_verifier(administrators.sequencer_key(header.epoch))
    if not is_signed_by(verifier, side[HEADER_BYTES:], header_message(side[:HEADER_BYTES])):
        raise LedgerError("signature of a header is not the sequencer's", where="growth proof")
    return header
