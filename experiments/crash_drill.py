"""The crash drill: a writer is killed again and again at random moments; what it acknowledged must be there.

Each round starts a writer in a process of its own on the folder the last one left, lets it append blocks, and ends it
with SIGKILL at a random moment: while it opens and mends the folder, while it writes, or while it waits for the disk.
A block is acknowledged when `wait` returned and the writer said so. Then the folder is opened again, and every
acknowledged block must be there, byte for byte by its hash, with nothing half written among the others.

A kill leaves to the disk what the kernel had taken. In every other round the drill therefore also does what a power cut
may: of what was *not* acknowledged it takes off the end, from a random byte on. Disks that lie about fsync are not met.
"""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from experiments.crash_blocks import check_blocks, draw_records, draw_size, drill_signer, make_block
from ledger.segment_store import SegmentStore
from ledger.segments import FRAME_BYTES, find_segments, locate_frames
from ledger.store import LogStore
from ledger.torn import Cut
from market.errors import LedgerError

ROUNDS_A_FOLDER = 25
SEGMENT_BYTES = 1 << 20
LONGEST_LIFE_S = 0.15
"""A writer lives at most this long after it began to open the folder."""


@dataclass
class CrashReport:
    """What the rounds gave; `lost` names what was acknowledged and is missing or altered."""

    rounds: int = 0
    silent: int = 0
    blocks: int = 0
    records: int = 0
    unfinished: int = 0
    unfinished_by_kill: int = 0
    beyond: int = 0
    lost: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing that was acknowledged is missing."""
        return not self.lost

    def lines(self) -> list[str]:
        """The report in words."""
        return [
            f"{self.rounds} rounds in {self.seconds:.0f} s, {self.silent} killed before anything was acknowledged",
            f"{self.blocks:,} blocks with {self.records:,} records acknowledged, {len(self.lost)} lost",
            f"{self.unfinished} unfinished ends cut and kept aside ({self.unfinished_by_kill} left by the kill alone), "
            f"{self.beyond} whole blocks found that were not acknowledged yet",
            *self.lost,
        ]


def crash_segments(rounds: int, seed: int, progress: Callable[[int, int], None] | None = None) -> CrashReport:
    """Kill writers of a segment store for so many rounds.

    Raises:
        LedgerError: a folder cannot be opened again, which is a loss as well.
    """
    report, dice, began = CrashReport(), random.Random(seed), perf_counter()
    while report.rounds < rounds:
        with TemporaryDirectory() as scratch:
            folder, acknowledged = Path(scratch) / "chain", list[bytes]()
            SegmentStore(folder, SEGMENT_BYTES).close()
            for _ in range(min(ROUNDS_A_FOLDER, rounds - report.rounds)):
                _one_round(folder, acknowledged, dice, report)
                if progress:
                    progress(report.rounds, rounds)
    report.seconds = perf_counter() - began
    return report


def _one_round(folder: Path, acknowledged: list[bytes], dice: random.Random, report: CrashReport) -> None:
    said = _run_writer(folder, dice.getrandbits(32), dice.uniform(0, LONGEST_LIFE_S))
    for height, head, records in said:
        if int(height) != len(acknowledged):
            report.lost.append(f"round {report.rounds}: block {height} acknowledged out of order")
        else:
            acknowledged.append(bytes.fromhex(head))
            report.blocks += 1
            report.records += int(records)
    report.silent += not said
    imitated = report.rounds % 2 == 1 and _cut_power(folder, len(acknowledged), dice)
    found, cut = read_back(folder)
    report.unfinished += cut is not None
    report.unfinished_by_kill += cut is not None and not imitated
    report.lost += [
        f"round {report.rounds}: block {height} was acknowledged and is lost"
        for height, head in enumerate(acknowledged)
        if found[height : height + 1] != [head]
    ]
    report.beyond += max(0, len(found) - len(acknowledged))
    # what is found is on the disk now, and the next writer has to find it as well
    acknowledged[:] = found
    report.rounds += 1


def read_back(folder: Path) -> tuple[list[bytes], Cut | None]:
    """Open a folder as the next writer does; hash of every block there, and what was cut."""
    store, cut = SegmentStore.reopen(folder, SEGMENT_BYTES)
    heads = check_blocks(store.blocks())
    store.close()
    return heads, cut


def _run_writer(folder: Path, seed: int, life_s: float) -> list[list[str]]:
    """Start a writer, end it after a while, and return what it acknowledged."""
    code = f"from experiments.crash_drill import write_until_killed; write_until_killed({str(folder)!r}, {seed})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        ready = writer.stdout.readline()
        timer = threading.Timer(life_s, writer.kill)
        timer.start()
        said, wrong = writer.stdout.read().decode(), writer.stderr.read().decode()
        timer.cancel()
    if not ready or writer.returncode != -signal.SIGKILL:
        raise LedgerError(f"the writer ended by itself: {(wrong.strip() or 'without a word').splitlines()[-1]}")
    # a line without its end was being written when the kill came
    return [line.split() for line in said.split("\n")[:-1]]


def write_until_killed(folder: str, seed: int) -> None:
    """Append blocks and acknowledge them on standard output; meant for a process that will be killed."""
    print("ready", flush=True)
    store, _ = SegmentStore.reopen(Path(folder), SEGMENT_BYTES)
    keep_writing(store, random.Random(seed), acknowledge=lambda *words: print(*words, flush=True))


def keep_writing(store: LogStore, dice: random.Random, acknowledge: Callable[[int, str, int], None]) -> None:
    """Append one to three blocks, wait, acknowledge them, and so on without end."""
    signer = drill_signer(0)
    while True:
        written: list[tuple[int, str, int]] = []
        for _ in range(dice.randint(1, 3)):
            tip, records = store.tip, draw_records(dice, draw_size(dice))
            store.append(tip.height, tip.head, make_block(tip, records, signer))
            written.append((tip.height, store.tip.head.hex(), len(records)))
        store.wait()
        for block in written:
            acknowledge(*block)


def _cut_power(folder: Path, acknowledged: int, dice: random.Random) -> bool:
    """Take a random part off the end of the last segment, but nothing that was acknowledged; whether there was any."""
    path = find_segments(folder, empty=True)[-1:]
    if not path:
        return False
    size, begin, seen = path[0].stat().st_size, 0, 0
    try:
        for payload, position in locate_frames(folder):
            seen += 1
            if seen <= acknowledged and path[0].name.endswith(f"{position.segment:06d}.dgl"):
                begin = position.byte + FRAME_BYTES + len(payload)
    except LedgerError:
        # the kill itself left an unfinished end
        pass
    if begin == size:
        return False
    with path[0].open("r+b") as file:
        file.truncate(dice.randint(begin, size - 1))
    return True
