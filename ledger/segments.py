"""Append-only segment files: the record itself, without a server.

`segment-000000.dgl` begins with magic and its number; then frames of length u32, CRC-32 u32 over length and payload,
and payload. `append` hands a frame to the disk (fdatasync) and goes on; it is on the disk, and so is a new file's
folder entry, when `wait`, the next `append` or `close` has returned. Nothing is ever cut or rewritten: whatever does
not fit is damage, and readers say where. A write that fails ends the ledger: it is never tried again.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from market.errors import LedgerError

MAGIC = b"DGSEGM\0\1"
SEGMENT_BYTES = 16 << 20
_NUMBER = struct.Struct(">I")
_FRAME = struct.Struct(">II")
START_BYTES = len(MAGIC) + _NUMBER.size


def segment_name(number: int) -> str:
    """File name of a segment."""
    return f"segment-{number:06d}.dgl"


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on the disk, without which a new file may vanish in a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class SegmentWriter:
    """Appends frames to a new folder; raises LedgerError when the folder holds anything already."""

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self._limit = segment_bytes
        self._number = -1
        self._file: BinaryIO | None = None
        self._disk = ThreadPoolExecutor(1, "ledger-disk")
        self._syncing: Future[None] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            taken = any(folder.iterdir())
        except OSError as error:
            raise LedgerError(f"cannot write: {error.strerror}", where=str(folder)) from error
        if taken:
            raise LedgerError("folder is not empty", where=str(folder), do="choose a new folder for the ledger")

    def append(self, payload: bytes) -> None:
        """Write one frame behind the last, which is on the disk by then; raises LedgerError when writing fails."""
        self.wait()
        length = _NUMBER.pack(len(payload))
        try:
            file = self._file
            if file is None or file.tell() >= self._limit:
                file = self._next()
            file.write(length + _NUMBER.pack(zlib.crc32(payload, zlib.crc32(length))) + payload)
            file.flush()
        except OSError as error:
            raise self._failure(error) from error
        self._syncing = self._disk.submit(os.fdatasync, file.fileno())

    def wait(self) -> None:
        """Return when everything appended is on the disk; raises LedgerError when it cannot be put there."""
        if self._syncing is not None:
            try:
                self._syncing.result()
            except OSError as error:
                raise self._failure(error) from error
            self._syncing = None

    def close(self) -> None:
        """Wait and close the open file."""
        self.wait()
        self._disk.shutdown()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _failure(self, error: OSError) -> LedgerError:
        return LedgerError(f"cannot write: {error.strerror}", where=str(self.folder))

    def _next(self) -> BinaryIO:
        if self._file is not None:
            self._file.close()
        self._number += 1
        self._file = (self.folder / segment_name(self._number)).open("xb")
        self._file.write(MAGIC + _NUMBER.pack(self._number))
        sync_folder(self.folder)
        return self._file


def read_frames(folder: Path) -> Iterator[tuple[bytes, str]]:
    """Payload and place of each frame; raises LedgerError at the first byte that does not fit."""
    for number, path in enumerate(find_segments(folder)):
        data = path.read_bytes()
        if data[:START_BYTES] != MAGIC + _NUMBER.pack(number):
            raise LedgerError("not a segment of this version and number", where=f"{path.name}, byte 0")
        at = START_BYTES
        if at == len(data):
            raise LedgerError("segment holds no frame", where=f"{path.name}, byte {at}")
        while at < len(data):
            place = f"{path.name}, byte {at}"
            if at + _FRAME.size > len(data):
                raise LedgerError("frame is cut short", where=place)
            length, check = _FRAME.unpack_from(data, at)
            payload = data[at + _FRAME.size : at + _FRAME.size + length]
            if len(payload) != length or zlib.crc32(payload, zlib.crc32(data[at : at + 4])) != check:
                raise LedgerError("frame is damaged: length and checksum do not agree", where=place)
            yield payload, place
            at += _FRAME.size + length


def find_segments(folder: Path) -> list[Path]:
    """Segment files in order; raises LedgerError when one is missing or anything else lies in the folder."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise LedgerError(f"cannot read: {error.strerror}", where=str(folder), do="give a ledger folder") from error
    expected = [segment_name(number) for number in range(len(names))]
    if not names:
        raise LedgerError("no segment files", where=str(folder), do="give a ledger folder")
    for name in names:
        if name not in expected:
            raise LedgerError("a file that is not part of the ledger, or a missing segment", where=name)
    return [folder / name for name in names]
