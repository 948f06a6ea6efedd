"""The diary of an administrator: what it has put on its disk before it signs or answers anything.

One file is only ever appended to. All that one message makes the administrator write is one frame

    length u32 | items | CRC-32 u32 over all before        and an item is  kind u8 | length u32 | body

1 promise      epoch promised u32 | blocks u64 | hash of the last 32 | newest time signed u64
2 block        verbatim bytes, behind the last
3 cut          blocks u64: those from there on are replaced, they were never certified
4 certificate  of a block in the log
5 evidence     two signed headers, 2 times the same size

Appending alone keeps it whole: a crash leaves a beginning of what was written, so a last frame that is not whole was
never acted upon. It is left out on restart, and told. Anything else that does not fit is damage, and raises.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from ledger.blocks import NO_BLOCK
from market.errors import LedgerError

_FRONT = struct.Struct(">BI")
_LENGTH = struct.Struct(">I")
_PROMISE = struct.Struct(">IQ32sQ")
_CUT = struct.Struct(">Q")


class Kind(IntEnum):
    """What an item says."""

    PROMISE = 1
    BLOCK = 2
    CUT = 3
    CERTIFICATE = 4
    EVIDENCE = 5


_KINDS = frozenset(int(kind) for kind in Kind)


class Write(NamedTuple):
    """One item to be appended."""

    kind: Kind
    body: bytes


class Recalled(NamedTuple):
    """What a diary says in the end.

    - promised, said, time: newest epoch promised, with how many blocks and which last one, and newest time signed;
    - blocks: verbatim bytes of the log; certificate, evidence: the newest, empty if none;
    - whole: bytes of the file that are whole frames, behind which the next one goes.
    """

    promised: int
    said: tuple[int, bytes]
    time: int
    blocks: tuple[bytes, ...]
    certificate: bytes
    evidence: bytes
    whole: int


def write_promise(epoch: int, length: int, digest: bytes, time: int) -> Write:
    """The item that must be on the disk before anything of this epoch is signed."""
    return Write(Kind.PROMISE, _PROMISE.pack(epoch, length, digest, time))


def write_cut(length: int) -> Write:
    """The item that drops all blocks from `length` on."""
    return Write(Kind.CUT, _CUT.pack(length))


def encode(writes: Sequence[Write]) -> bytes:
    """One frame to append, which is there as a whole or not at all."""
    items = b"".join([_FRONT.pack(kind, len(body)) + body for kind, body in writes])
    frame = _LENGTH.pack(len(items)) + items
    return frame + _LENGTH.pack(zlib.crc32(frame))


def recall(data: bytes) -> Recalled:
    """Read a diary from its first byte; raises LedgerError on damage that is not a torn end."""
    promised, said, time, certificate, evidence, at = 0, (0, NO_BLOCK), 0, b"", b"", 0
    blocks: list[bytes] = []
    while (end := _frame_end(data, at)) > at:
        for kind, body in _items(data[at + _LENGTH.size : end - _LENGTH.size]):
            if kind == Kind.PROMISE:
                promised, length, digest, time = _PROMISE.unpack(body)
                said = length, digest
            elif kind == Kind.BLOCK:
                blocks.append(body)
            elif kind == Kind.CUT:
                del blocks[_CUT.unpack(body)[0] :]
            elif kind == Kind.CERTIFICATE:
                certificate = body
            else:
                evidence = body
        at = end
    _require_torn_end(data, at)
    return Recalled(promised, said, time, tuple(blocks), certificate, evidence, at)


def _frame_end(data: bytes, at: int) -> int:
    """Where the whole frame beginning at `at` ends; `at` itself when none does."""
    if at + 2 * _LENGTH.size >= len(data):
        return at
    stop = at + _LENGTH.size + _LENGTH.unpack_from(data, at)[0]
    if stop == at + _LENGTH.size or stop + _LENGTH.size > len(data):
        return at
    whole = zlib.crc32(data[at:stop]) == _LENGTH.unpack_from(data, stop)[0]
    return stop + _LENGTH.size if whole else at


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, length = _FRONT.unpack_from(data, at)
        at += _FRONT.size + length
        if kind not in _KINDS or at > len(data):
            raise LedgerError(f"diary holds an item of unknown kind {kind} or impossible length {length}")
        yield kind, data[at - length : at]


def _require_torn_end(data: bytes, at: int) -> None:
    """Raise LedgerError when whole frames stand behind one that is not: that is damage, not a crash while writing."""
    for place in range(at + 1, len(data) - 2 * _LENGTH.size):
        if _frame_end(data, place) > place:
            raise LedgerError("a frame of the diary is damaged", where=f"byte {at}", do="restore from another copy")
