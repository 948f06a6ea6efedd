"""The crash drill of the many-node store: the primary is killed under load, the standby is promoted, writing goes on.

Each round starts a primary whose commits wait for a standby. Three chains are written at once, one of them by two
writers that know nothing of each other. At a random moment every process of the primary is ended with SIGKILL and the
standby is promoted. Then each block that was acknowledged must be there, chains must be whole, and the writers go on
from the tip they find. At last the old primary comes back and is written to as if nothing had happened: it waits for a
standby that follows it no more, so nothing it is given is ever acknowledged.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread
from time import perf_counter, sleep

from experiments.crash_blocks import SMALL, check_blocks, draw_records, drill_signer, make_block
from experiments.postgres_server import Server, own_servers, start_pair
from ledger.postgres_store import PostgresStore
from market.errors import LedgerError

WRITERS = ("first", "second", "third", "first")
"""Chains that are written, each by a thread of its own; two want the same."""
LOAD_S, RETURN_S = (0.5, 2.5), 0.5


@dataclass
class FailoverReport:
    """What the rounds gave; `lost` names what was acknowledged and is missing, `forks` what the old primary took."""

    rounds: int = 0
    blocks: int = 0
    records: int = 0
    after: int = 0
    refused: int = 0
    in_doubt: int = 0
    in_doubt_stored: int = 0
    promoted_s: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    forks: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing that was acknowledged is missing, and no fork was acknowledged."""
        return not self.lost and not self.forks

    def lines(self) -> list[str]:
        """The report in words."""
        slowest = max(self.promoted_s, default=0.0)
        return [
            f"{self.rounds} rounds in {self.seconds:.0f} s: primary killed under load, standby promoted in at most "
            f"{slowest:.1f} s",
            f"{self.blocks:,} blocks with {self.records:,} records acknowledged before the kill, {self.after:,} blocks "
            f"after, {len(self.lost)} lost",
            f"{self.in_doubt} blocks in doubt at the kill, {self.in_doubt_stored} of them found stored; "
            f"{self.refused:,} blocks of rival writers refused",
            f"{len(self.forks)} blocks acknowledged by the old primary when it came back",
            *self.lost,
            *self.forks,
        ]


def crash_postgres(rounds: int, seed: int, progress: Callable[[int, int], None] | None = None) -> FailoverReport:
    """Kill primaries and promote standbys for so many rounds.

    Raises:
        ConfigError: PostgreSQL is not installed or does not start.
    """
    report, dice, began = FailoverReport(), random.Random(seed), perf_counter()
    for number in range(rounds):
        with own_servers("primary", "standby") as (primary, standby):
            start_pair(primary, standby)
            _one_round(primary, standby, dice, report)
        report.rounds = number + 1
        if progress:
            progress(report.rounds, rounds)
    report.seconds = perf_counter() - began
    return report


class _Writer(Thread):
    """Appends to one chain until told to stop or the server is gone."""

    def __init__(self, where: str, chain: str, seed: int, *, standby: bool) -> None:
        super().__init__()
        self.chain, self.ending = chain, Event()
        self.stopped = ""
        self.acknowledged: list[tuple[int, bytes]] = []
        self.in_doubt: list[tuple[int, bytes]] = []
        self.records = self.refused = 0
        self._where, self._standby, self._dice = where, standby, random.Random(seed)

    def run(self) -> None:
        """Append until told to stop; `stopped` says why it ended before that."""
        try:
            while not self.ending.is_set() and not self.in_doubt:
                store = PostgresStore(self._where, self.chain, standby=self._standby)
                self._append_to(store)
                store.close()
        except LedgerError as error:
            self.stopped = str(error)

    def _append_to(self, store: PostgresStore) -> None:
        """Append until a rival was faster, the server is gone, or told to stop."""
        signer = drill_signer(0)
        while not self.ending.is_set():
            tip, records = store.tip, draw_records(self._dice, self._dice.randint(1, SMALL))
            block = make_block(tip, records, signer)
            try:
                store.append(tip.height, tip.head, block)
            except LedgerError:
                if _is_in_doubt(store):
                    self.in_doubt.append((tip.height, block))
                else:
                    self.refused += 1
                return
            self.acknowledged.append((tip.height, store.tip.head))
            self.records += len(records)


def _is_in_doubt(store: PostgresStore) -> bool:
    try:
        store.wait()
    except LedgerError:
        return True
    return False


def _one_round(primary: Server, standby: Server, dice: random.Random, report: FailoverReport) -> None:
    PostgresStore(primary.where, "none").close()
    writers = _start_writers(primary, dice, standby=True)
    sleep(dice.uniform(*LOAD_S))
    primary.kill()
    for writer in writers:
        writer.join()
    began = perf_counter()
    standby.promote()
    report.promoted_s.append(perf_counter() - began)
    heads = _check(standby, writers, report)
    for writer in writers:
        report.blocks += len(writer.acknowledged)
        report.records += writer.records
        report.in_doubt += len(writer.in_doubt)
        report.in_doubt_stored += sum(
            _head(block) in heads[writer.chain][height : height + 1] for height, block in writer.in_doubt
        )
    later = _start_writers(standby, dice, standby=False)
    sleep(dice.uniform(*LOAD_S))
    for writer in later:
        writer.ending.set()
        writer.join()
        if writer.stopped or writer.in_doubt:
            report.lost.append(f"round {report.rounds}: writing to the promoted standby ended: {writer.stopped}")
    report.after += sum(len(writer.acknowledged) for writer in later)
    report.refused += sum(writer.refused for writer in [*writers, *later])
    _check(standby, [*writers, *later], report)
    _come_back(primary, report)


def _start_writers(server: Server, dice: random.Random, *, standby: bool) -> list[_Writer]:
    writers = [_Writer(server.where, chain, dice.getrandbits(32), standby=standby) for chain in WRITERS]
    for writer in writers:
        writer.start()
    return writers


def _check(server: Server, writers: list[_Writer], report: FailoverReport) -> dict[str, list[bytes]]:
    """Hashes of each chain's blocks, all of them read; notes what was acknowledged and is not among them."""
    heads = {}
    for chain in sorted(set(WRITERS)):
        store = PostgresStore(server.where, chain, standby=False)
        heads[chain] = check_blocks(store.blocks())
        store.close()
    for writer in writers:
        report.lost += [
            f"round {report.rounds}: block {height} of chain {writer.chain} was acknowledged and is lost"
            for height, head in writer.acknowledged
            if heads[writer.chain][height : height + 1] != [head]
        ]
    return heads


def _come_back(primary: Server, report: FailoverReport) -> None:
    """Start the old primary again and write to it as if it had never been replaced."""
    primary.start(synchronous_standby_names="*")
    for chain in sorted(set(WRITERS)):
        store = PostgresStore(primary.where, chain, patience_s=RETURN_S)
        tip, records = store.tip, draw_records(random.Random(0), SMALL)
        try:
            store.append(tip.height, tip.head, make_block(tip, records, drill_signer(0)))
        except LedgerError:
            continue
        else:
            report.forks.append(f"round {report.rounds}: the old primary acknowledged block {tip.height} of {chain}")
        finally:
            store.close()


def _head(block: bytes) -> bytes:
    return check_blocks(iter([(block, "block in doubt")]))[0]
