"""The drill: flip single bits all over a copy of a ledger and see whether the audit finds each of them."""

import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ledger.audit import verify


@dataclass(frozen=True)
class Flip:
    """One flipped bit and what the audit said: `finding` is empty when it was missed."""

    file: str
    byte: int
    bit: int
    finding: str


def flip_bits(
    folder: Path, places: int, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> list[Flip]:
    """Flip one bit at a time in `places` places of all files of a ledger; the folder itself is only read.

    A place is drawn from all bytes of all files alike.
    """
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "ledger"
        shutil.copytree(folder, copy)
        files = sorted(path for path in copy.rglob("*") if path.is_file())
        sizes = [path.stat().st_size for path in files]
        flips = []
        for path in dice.choices(files, sizes, k=places):
            flips.append(_flip(copy, path, dice))
            if progress:
                progress(len(flips), places)
        return flips


def _flip(folder: Path, path: Path, dice: random.Random) -> Flip:
    data = path.read_bytes()
    byte, bit = dice.randrange(len(data)), dice.randrange(8)
    path.write_bytes(data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :])
    verdict = verify(folder)
    path.write_bytes(data)
    finding = "" if verdict.ok else verdict.lines[0]
    return Flip(path.relative_to(folder).as_posix(), byte, bit, finding)
