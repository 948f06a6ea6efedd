"""Append-only segment files: the record itself, without a server.

`segment-000000.dgl` begins with magic and its number; then frames of length u32, CRC-32 u32 over length and payload,
and payload. `append` hands a frame to the disk (fdatasync) and goes on; it is on the disk, and so is a new file's
folder entry, when `wait`, the next `append` or `close` has returned. So at most one frame is ever not on the disk.

Readers cut and mend nothing: whatever does not fit is damage, and they say where. One writer holds the folder; what a
crash left unfinished is taken off by the next writer alone (`ledger.torn`). A write that fails ends the writer and is
never tried again: after a failed fsync the kernel may call lost pages clean (Rebello et al., "Can Applications Recover
from fsync Failures?", USENIX ATC 2020).
"""

import errno
import fcntl
import os
import re
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from market.errors import LedgerError

MAGIC = b"DGSEGM\0\1"
SEGMENT_BYTES = 16 << 20
_NUMBER = struct.Struct(">I")
_FRAME = struct.Struct(">II")
START_BYTES = len(MAGIC) + _NUMBER.size
FRAME_BYTES = _FRAME.size
CUT_NAME = re.compile(r"segment-\d{6}\.cut-\d{8,}-\d+")
"""Names under which what a crash left unfinished is kept aside; not part of the ledger."""
_ADVICE = {
    errno.ENOSPC: "free some space, then open the ledger again: what was acknowledged is kept",
    errno.EDQUOT: "free some of your quota, then open the ledger again: what was acknowledged is kept",
    errno.EROFS: "give a folder that can be written",
    errno.EACCES: "give a folder that can be written",
    errno.EPERM: "give a folder that can be written",
    errno.EIO: "nothing was tried again; check the disk, then open the ledger again or take another copy",
}

_CRASHED = "if its writer crashed, `digitalgrid ledger recover` takes off what was not finished"


class Position(NamedTuple):
    """Where a frame begins: number of the segment, byte within it."""

    segment: int
    byte: int


def segment_name(number: int) -> str:
    """File name of a segment."""
    return f"segment-{number:06d}.dgl"


def segment_start(number: int) -> bytes:
    """First bytes of a segment."""
    return MAGIC + _NUMBER.pack(number)


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on the disk, without which a new file may vanish in a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(folder: Path, error: OSError) -> LedgerError:
    """What a user reads when the disk refuses."""
    return LedgerError(f"cannot write: {error.strerror}", where=str(folder), do=_ADVICE.get(error.errno or 0, ""))


def make_folder(folder: Path) -> None:
    """Create a folder and those above it where they are missing, each on the disk in the one above."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def lock_folder(folder: Path) -> int:
    """Hold a folder as its only writer until the handle is closed or the process ends, however it ends.

    Raises:
        LedgerError: another writer holds it, or it cannot be locked.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise LedgerError(
            "another process is writing here", where=str(folder), do="wait until it ends, or give another folder"
        ) from error
    except OSError as error:
        os.close(handle)
        raise LedgerError(f"cannot be locked: {error.strerror}", where=str(folder)) from error
    return handle


class SegmentWriter:
    """Appends frames to a folder it alone may write.

    Args:
        folder: created where missing; must be empty unless `held` is given.
        segment_bytes: a new file begins when the last has reached this size.
        held: what `lock_folder` gave: go on behind the frames that are there, all of them whole.

    Raises:
        LedgerError: the folder holds anything already, is held by another writer, or cannot be written.
    """

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES, *, held: int = -1) -> None:
        self.folder = folder
        self._limit = segment_bytes
        self._number, self._size, self._file, self._lock = -1, 0, -1, -1
        self._failure: LedgerError | None = None
        self._disk: ThreadPoolExecutor | None = None
        self._syncing: Future[None] | None = None
        try:
            make_folder(folder)
            self._lock = lock_folder(folder) if held < 0 else held
            self._begin(resume=held >= 0)
        except OSError as error:
            self._let_go()
            raise cannot_write(folder, error) from error
        except LedgerError:
            self._let_go()
            raise

    def append(self, payload: bytes) -> Position:
        """Write one frame behind the last, which is on the disk by then; where it begins.

        Raises:
            LedgerError: writing fails or failed before, or the writer is closed.
        """
        self.wait()
        if self._disk is None:
            raise LedgerError("ledger is closed", where=str(self.folder))
        length = _NUMBER.pack(len(payload))
        try:
            if self._file < 0 or self._size >= self._limit:
                self._next()
            place = Position(self._number, self._size)
            self._write(length + _NUMBER.pack(zlib.crc32(payload, zlib.crc32(length))) + payload)
        except OSError as error:
            raise self._fail(error) from error
        self._syncing = self._disk.submit(os.fdatasync, self._file)
        return place

    def wait(self) -> None:
        """Return when everything appended is on the disk; raises LedgerError when it cannot be put there."""
        if self._failure is not None:
            raise self._failure
        if self._syncing is not None:
            try:
                self._syncing.result()
            except OSError as error:
                raise self._fail(error) from error
            self._syncing = None

    def close(self) -> None:
        """Wait, close the open file and let the folder go, also when writing fails; a second call does nothing."""
        if self._disk is None:
            return
        try:
            self.wait()
        finally:
            self._disk.shutdown()
            self._disk = None
            self._let_go()

    def __del__(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        """Close the file and give up the folder; a writer that is dropped without `close` does not hold them on."""
        for handle in (self._file, self._lock):
            if handle >= 0:
                os.close(handle)
        self._file = self._lock = -1

    def _begin(self, *, resume: bool) -> None:
        if resume and (paths := find_segments(self.folder, empty=True)):
            self._number, self._size = len(paths) - 1, paths[-1].stat().st_size
            self._file = os.open(paths[-1], os.O_WRONLY | os.O_APPEND)
            # what stands here may have been written and never confirmed
            os.fsync(self._file)
            sync_folder(self.folder)
        elif not resume and any(self.folder.iterdir()):
            raise LedgerError("folder is not empty", where=str(self.folder), do="choose a new folder for the ledger")
        self._disk = ThreadPoolExecutor(1, "ledger-disk")

    def _fail(self, error: OSError) -> LedgerError:
        self._failure = cannot_write(self.folder, error)
        return self._failure

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = os.write(self._file, rest)
            self._size += written
            rest = rest[written:]

    def _next(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._number += 1
        self._file = os.open(
            self.folder / segment_name(self._number), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666
        )
        self._size = 0
        self._write(segment_start(self._number))
        sync_folder(self.folder)


def frame_at(data: bytes, at: int, place: str) -> bytes:
    """Payload of the frame that begins at a byte; raises LedgerError unless it is whole and its checksum agrees."""
    if at + _FRAME.size > len(data):
        raise LedgerError("frame is cut short", where=place, do=_CRASHED)
    length, check = _FRAME.unpack_from(data, at)
    payload = data[at + _FRAME.size : at + _FRAME.size + length]
    if len(payload) != length:
        raise LedgerError("frame is damaged: it ends behind its file", where=place, do=_CRASHED)
    if zlib.crc32(payload, zlib.crc32(data[at : at + 4])) != check:
        raise LedgerError("frame is damaged: length and checksum do not agree", where=place)
    return payload


def place_name(position: Position) -> str:
    """A position in words."""
    return f"{segment_name(position.segment)}, byte {position.byte}"


def read_at(folder: Path, position: Position) -> bytes:
    """Payload of the frame at a position; raises LedgerError unless there is a whole one."""
    place = place_name(position)
    try:
        with (folder / segment_name(position.segment)).open("rb") as file:
            file.seek(position.byte)
            head = file.read(_FRAME.size)
            length = _NUMBER.unpack_from(head)[0] if len(head) == _FRAME.size else 0
            left = os.fstat(file.fileno()).st_size - file.tell()
            return frame_at(head + file.read(min(length, left)), 0, place)
    except OSError as error:
        raise LedgerError(f"cannot read: {error.strerror}", where=place) from error


def read_frames(folder: Path) -> Iterator[tuple[bytes, str]]:
    """Payload and place of each frame; raises LedgerError at the first byte that does not fit."""
    for payload, position in locate_frames(folder):
        yield payload, place_name(position)


def locate_frames(folder: Path) -> Iterator[tuple[bytes, Position]]:
    """Payload and position of each frame; raises LedgerError at the first byte that does not fit."""
    for number, path in enumerate(find_segments(folder)):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise LedgerError(f"cannot read: {error.strerror}", where=path.name) from error
        if data[:START_BYTES] != segment_start(number):
            raise LedgerError("not a segment of this version and number", where=f"{path.name}, byte 0")
        at = START_BYTES
        if at == len(data):
            raise LedgerError("segment holds no frame", where=f"{path.name}, byte {at}")
        while at < len(data):
            position = Position(number, at)
            payload = frame_at(data, at, place_name(position))
            yield payload, position
            at += _FRAME.size + len(payload)


def find_segments(folder: Path, *, empty: bool = False) -> list[Path]:
    """Segment files in order; raises LedgerError when one is missing or anything else lies in the folder.

    What a writer kept aside (`CUT_NAME`) may lie there; no segment at all only where `empty` allows it.
    """
    try:
        names = sorted(entry.name for entry in folder.iterdir() if not CUT_NAME.fullmatch(entry.name))
    except OSError as error:
        raise LedgerError(f"cannot read: {error.strerror}", where=str(folder), do="give a ledger folder") from error
    expected = [segment_name(number) for number in range(len(names))]
    if not names and not empty:
        raise LedgerError("no segment files", where=str(folder), do="give a ledger folder")
    for name in names:
        if name not in expected:
            raise LedgerError("a file that is not part of the ledger, or a missing segment", where=name)
    return [folder / name for name in names]
