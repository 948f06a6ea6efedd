"""The host of an administrator: one replica over one disk, writing before it speaks.

`Disk` is all a host asks of the machine. `FolderDisk` keeps the diary in a folder of its own: one file, whose folder
entry is on the disk before the first byte counts; a promise that a power cut may take back is none (an entry missing
after a rename let validators sign twice: https://github.com/cometbft/cometbft/issues/6031).
"""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO, Protocol

from ledger.diary import encode, recall
from ledger.messages import Message
from ledger.replica import Replica
from ledger.replica_state import Sends, State
from ledger.segments import sync_folder
from market.errors import LedgerError

DIARY = "diary.dga"
MAGIC = b"DGDIARY\1"


class Disk(Protocol):
    """An append-only file that survives crashes up to the last `sync`."""

    def read(self) -> bytes:
        """Everything that is there."""

    def cut(self, size: int) -> None:
        """Drop a torn end."""

    def append(self, data: bytes) -> None:
        """Write behind the end; on the disk after `sync`."""

    def sync(self) -> None:
        """Return when everything appended is on the disk."""


class Host:
    """Runs a replica; a new one on the same disk goes on where it stopped.

    `torn` is how many bytes of an unfinished write were found and left out.
    """

    def __init__(self, replica: Replica, disk: Disk) -> None:
        self.replica, self._disk = replica, disk
        data = disk.read()
        recalled = recall(data)
        self.torn = len(data) - recalled.whole
        if self.torn:
            disk.cut(recalled.whole)
        self.state: State = replica.restore(recalled)

    def hear(self, sender: int, message: Message, now: int) -> Sends:
        """Take a message; what it makes the replica say may be sent once this returns."""
        state, sends, writes = self.replica.hear(self.state, sender, message, now)
        if writes:
            self._disk.append(encode(writes))
            self._disk.sync()
        self.state = state
        return sends


class FolderDisk:
    """The diary of one administrator in its folder, locked against a second process.

    Args:
        folder: where it is or will be.
        create: begin a new diary; without it a missing diary is an error, as starting again without memory would break
            promises.

    Raises:
        LedgerError: missing, there already, locked, or not writable.
    """

    def __init__(self, folder: Path, create: bool = False) -> None:
        self._path, self._failure = folder / DIARY, ""
        try:
            if create:
                folder.mkdir(parents=True, exist_ok=True)
                with self._path.open("xb") as file:
                    file.write(MAGIC)
                    file.flush()
                    os.fsync(file.fileno())
                sync_folder(folder)
                sync_folder(folder.parent)
            self._file: BinaryIO = self._path.open("r+b")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileExistsError as error:
            raise LedgerError("a diary is here already", where=str(self._path), do="choose a new folder") from error
        except FileNotFoundError as error:
            raise LedgerError(
                "no diary here: an administrator without memory may not sign", where=str(folder), do="give its folder"
            ) from error
        except OSError as error:
            raise LedgerError(f"cannot open: {error.strerror}", where=str(self._path)) from error
        self._file.seek(0, os.SEEK_END)

    def read(self) -> bytes:
        """Everything behind the magic; raises LedgerError when it is not a diary."""
        return read_diary(self._path)

    def cut(self, size: int) -> None:
        """Drop a torn end."""
        self._file.truncate(len(MAGIC) + size)
        self._file.seek(0, os.SEEK_END)
        os.fsync(self._file.fileno())

    def append(self, data: bytes) -> None:
        """Write behind the end; raises LedgerError when the disk does not take it, then and ever after."""
        self._require_whole()
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise self._fail(error) from error

    def sync(self) -> None:
        """Return when it is on the disk; a failure is final: what a later success would cover is not known."""
        self._require_whole()
        try:
            os.fdatasync(self._file.fileno())
        except OSError as error:
            raise self._fail(error) from error

    def close(self) -> None:
        """Let another process have it."""
        self._file.close()

    def _require_whole(self) -> None:
        if self._failure:
            raise LedgerError(self._failure, where=str(self._path), do="stop; start again when the disk is well")

    def _fail(self, error: OSError) -> LedgerError:
        self._failure = f"cannot write: {error.strerror}"
        return LedgerError(self._failure, where=str(self._path), do="stop; start again when the disk is well")


def read_diary(path: Path) -> bytes:
    """Bytes of a diary file behind the magic; raises LedgerError when it is not one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LedgerError(f"cannot read: {error.strerror}", where=str(path)) from error
    if not data.startswith(MAGIC):
        raise LedgerError("not a diary of this version", where=str(path))
    return data[len(MAGIC) :]
