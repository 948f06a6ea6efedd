"""Reasons: the hashes in an envelope that say who decided and from what, and the file that keeps what was seen.

An exported policy is named by the SHA-256 of its network, a scripted one by a hash of its name and parameters, an
observation by a hash of its bytes (`agents.knowing`). Observations stay outside the chain: they show a household's
habits, and the hash in the signed envelope already binds them. A run keeps them in one file: magic, then one frame a
step, length u32 and zlib stream; inside, each observation as length u32 and bytes. Big-endian; the hash is the address.
"""

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ledger.encoding import canonical_json
from market.errors import DataError

POLICY_TAG = b"DG/policy/v1\0"
OBSERVATION_TAG = b"DG/observation/v1\0"
MAGIC = b"DGOBSV\0\1"
NO_REASON = bytes(32)
"""Stands in an envelope where a device does not say."""
_LENGTH = struct.Struct(">I")


def name_policy(kind: str, parameters: dict[str, object]) -> bytes:
    """Hash of a scripted policy: its kind and parameters in canonical JSON."""
    return hashlib.sha256(POLICY_TAG + canonical_json({"kind": kind, "parameters": parameters})).digest()


def name_observation(data: bytes) -> bytes:
    """Hash of an observation."""
    return hashlib.sha256(OBSERVATION_TAG + data).digest()


class ObservationLog:
    """Appends the observations of each step to a file, a new one unless `resume`; raises DataError when it cannot.

    With `resume` it goes on behind the last whole step of a file that is there, one of `kept`: what a crash left
    unfinished is cut.
    """

    def __init__(self, path: Path, resume: bool = False) -> None:
        self._path, self.kept = path, 0
        self._file: BinaryIO
        try:
            if resume and path.is_file() and path.stat().st_size:
                self._file = path.open("r+b")
                edges = _whole(self._file.read(), path.name)
                self._file.truncate(edges[-1])
                self.kept = len(edges) - 1
                self._file.seek(0, os.SEEK_END)
            else:
                self._file = path.open("wb" if resume else "xb")
                self._file.write(MAGIC)
        except OSError as error:
            raise self._failure(error) from error

    def add(self, observations: Sequence[bytes]) -> None:
        """Write the observations of one step."""
        packed = zlib.compress(b"".join(_LENGTH.pack(len(data)) + data for data in observations), 1)
        try:
            self._file.write(_LENGTH.pack(len(packed)) + packed)
        except OSError as error:
            raise self._failure(error) from error

    def flush(self) -> None:
        """Hand what was added to the operating system: a process that is killed then loses nothing."""
        try:
            self._file.flush()
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Finish the file."""
        try:
            self._file.close()
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> DataError:
        return DataError(f"cannot write: {error.strerror}", where=str(self._path), do="give another run folder")


def find_observation(path: Path, name: bytes) -> bytes | None:
    """The observation with this hash; None when the file is absent or holds no such observation.

    Raises:
        DataError: the file is there and damaged.
    """
    if not path.is_file():
        return None
    return next((data for data in read_observations(path) if name_observation(data) == name), None)


def read_observations(path: Path) -> Iterator[bytes]:
    """Every observation of a file, in the order written; raises DataError at the first byte that does not fit."""
    data = path.read_bytes()
    if data[: len(MAGIC)] != MAGIC:
        raise DataError("not a file of observations of this version", where=path.name, do="simulate the run again")
    for packed in _cut(data, len(MAGIC), path.name):
        try:
            step = zlib.decompress(packed)
        except zlib.error as error:
            raise DataError("observations are damaged", where=path.name, do="simulate the run again") from error
        yield from _cut(step, 0, path.name)


def _whole(data: bytes, where: str) -> list[int]:
    """Where each whole step of a file begins, and the last one ends; raises DataError where it is another file."""
    if data[: len(MAGIC)] != MAGIC:
        raise DataError("not a file of observations of this version", where=where, do="move it away")
    edges = [len(MAGIC)]
    while edges[-1] + _LENGTH.size <= len(data):
        end = edges[-1] + _LENGTH.size + _LENGTH.unpack_from(data, edges[-1])[0]
        if end > len(data):
            break
        edges.append(end)
    return edges


def _cut(data: bytes, at: int, where: str) -> Iterator[bytes]:
    while at < len(data):
        start = at + _LENGTH.size
        length = _LENGTH.unpack_from(data, at)[0] if start <= len(data) else 0
        if start + length > len(data):
            raise DataError("observations are cut short", where=where, do="simulate the run again")
        yield data[start : start + length]
        at = start + length
