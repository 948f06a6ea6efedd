"""What a crash left unfinished at the end of the last segment, taken off by the next writer and by nobody else.

A frame is begun only when the one before is on the disk, so what may be unfinished is one frame at the very end, and it
was never acknowledged. It is cut where it is certain to be *cut short*: the file ends before the frame does. A frame
that is all there with a wrong checksum, or that has a whole frame behind it, may have been acknowledged and has rotted:
it is damage, and is left to the person who can fetch another copy. The bytes that are cut are kept in a file beside.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from ledger.blocks import HEADER_BYTES, MAGIC, read_header
from ledger.encoding import SIGNATURE_BYTES
from ledger.segments import FRAME_BYTES, START_BYTES, cannot_write, find_segments, frame_at, segment_start, sync_folder
from market.errors import LedgerError


@dataclass(frozen=True)
class Cut:
    """Bytes that were taken off the end of a segment, and the file they are kept in; one line in words."""

    file: str
    byte: int
    size: int
    kept: str

    def __str__(self) -> str:
        return (
            f"{self.file}, byte {self.byte}: a block was not finished when the writer ended; "
            f"its {self.size} bytes are cut off and kept in {self.kept}"
        )


def cut_torn_tail(folder: Path, *, damaged: bool = False) -> Cut | None:
    """Take an unfinished frame off the end of a ledger; None where the last frame is whole.

    Only for the writer that holds the folder. `damaged` also takes off what may have been acknowledged: the choice of a
    person who has no other copy.

    Raises:
        LedgerError: what stands at the end is damaged rather than unfinished, or cannot be cut.
    """
    paths = find_segments(folder, empty=True)
    if not paths:
        return None
    path = paths[-1]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LedgerError(f"cannot read: {error.strerror}", where=path.name) from error
    start = segment_start(len(paths) - 1)
    at = _end_of_frames(data) if data[:START_BYTES] == start else 0
    if at == len(data) > START_BYTES:
        return None
    torn = _is_cut_short(data[at:]) if at else start.startswith(data)
    if not torn and not damaged:
        raise LedgerError(
            "the last block is damaged, not unfinished: it may have been acknowledged, so it is not cut",
            where=f"{path.name}, byte {at}",
            do="take another copy of the ledger, or cut it knowingly",
        )
    return _keep_aside(path, data, at)


def _end_of_frames(data: bytes) -> int:
    """Byte behind the last whole frame of a segment."""
    at = START_BYTES
    while at < len(data):
        try:
            at += FRAME_BYTES + len(frame_at(data, at, ""))
        except LedgerError:
            break
    return at


def _is_cut_short(rest: bytes) -> bool:
    """Whether a frame that does not fit was still being written: it ends with the file, and nothing whole follows."""
    payload = rest[FRAME_BYTES:]
    if len(rest) >= FRAME_BYTES and int.from_bytes(rest[:4], "big") <= len(payload):
        return False
    try:
        # a block says its length a second time: the frame's own may be what has rotted
        said = HEADER_BYTES + SIGNATURE_BYTES + read_header(payload[:HEADER_BYTES]).record_bytes
    except LedgerError:
        said = len(payload) + 1
    return said > len(payload) and not _holds_a_frame(rest)


def _holds_a_frame(rest: bytes) -> bool:
    at = rest.find(MAGIC, FRAME_BYTES + 1)
    while at >= 0:
        try:
            frame_at(rest, at - FRAME_BYTES, "")
        except LedgerError:
            at = rest.find(MAGIC, at + 1)
        else:
            return True
    return False


def _keep_aside(path: Path, data: bytes, at: int) -> Cut:
    """Write the bytes from `at` to a file of their own, on the disk before the segment is shortened."""
    folder, number = path.parent, 1
    # a segment without any whole frame is no segment: all of it goes
    at = at if at > START_BYTES else 0
    while (aside := folder / f"{path.stem}.cut-{at:08d}-{number}").exists():
        number += 1
    try:
        _write_aside(aside, data[at:])
        if at:
            with path.open("r+b") as file:
                file.truncate(at)
                os.fsync(file.fileno())
        else:
            path.unlink()
        sync_folder(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return Cut(path.name, at, len(data) - at, aside.name)


def _write_aside(aside: Path, data: bytes) -> None:
    """Write a file that is on the disk, or none."""
    try:
        with aside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(aside.parent)
