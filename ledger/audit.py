"""The audit: everything in a ledger derived again; the first thing that differs is named.

`verify` checks per world: segment files, lengths and checksums; headers: height, link, chain, sizes,
records root, sequencer's signature; records: order, by `ledger.sealed_check` sealed orders, shares and what they open
to, and by `ledger.replay` envelopes (form, chain, key, sequence, signature), row codes, matching, last resort, outages
and what is curtailed for them, postings and their sums, content heads; and that the ledger was closed. It repairs
nothing and cuts nothing. Someone who holds the keys can write another consistent ledger: that is found by comparing the
chain head with one remembered from the run.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ledger.blocks import Block
from ledger.chain import ChainCheck
from ledger.executions import ExecutionCheck
from ledger.journal import read_blocks
from ledger.keeper import join_heads, world_name
from ledger.programs import check_programs, read_programs
from ledger.quorum import Administrators
from ledger.records import BETWEEN, FRONT, SEALING, RecordType, end_body, split_envelope
from ledger.replay import Replay
from ledger.sealed_check import SealedCheck, name_void
from market.errors import LedgerError

KeysOf = Callable[[str], Administrators | None]
"""The administrators of a world's ledger by its folder name, as the reader knows them; None where it does not."""


@dataclass(frozen=True)
class Verdict:
    """What `verify` found: whether all is well, in words, counted, the heads it derived, epochs that began."""

    ok: bool
    lines: tuple[str, ...]
    counts: dict[str, int] = field(default_factory=dict)
    head: bytes | None = None
    content_heads: tuple[bytes, ...] = ()
    changes: tuple[str, ...] = ()


def verify(
    folder: Path,
    expected_head: bytes | None = None,
    trust_source: bool = False,
    keys_of: KeysOf = lambda world: None,
) -> Verdict:
    """Check the ledger of a run (its folders `world-0000`, ...), against a remembered chain head if given.

    `trust_source`: execute with the installed programs where the ledger registers others. `keys_of`: the administrators
    whose epochs and words count.
    """
    counts: dict[str, int] = {}
    changes: list[str] = []
    heads, contents, stand_ins, void = [], [], dict[str, None](), list[str]()
    where = str(folder)
    try:
        for path in find_worlds(folder):
            where = path.name
            audit = WorldAudit(trust_source, keys_of(path.name))
            audit.run(path)
            heads.append(audit.chain.head)
            contents.append(audit.replayed.head)
            stand_ins |= dict.fromkeys(audit.stand_ins)
            changes += [f"{path.name}: {change}" for change in audit.chain.changes]
            void += [f"{path.name}: void orders of {names}"] if (names := audit.void()) else []
            for name, count in audit.counts().items():
                counts[name] = counts.get(name, 0) + count
        where, head = str(folder), join_heads(heads)
        if expected_head is not None and head != expected_head:
            raise LedgerError(f"chain head is {head.hex()}, the run's was {expected_head.hex()}")
    except LedgerError as error:
        return Verdict(False, (f"{where}: {error}",), counts)
    said = ", ".join(f"{count} {name}" for name, count in counts.items())
    lines = [f"{said}: all derived again, nothing differs", *changes, *void]
    if stand_ins:
        lines.append(f"executed with the installed {', '.join(stand_ins)}, not with what the ledger registers")
    return Verdict(True, tuple(lines), counts, head, tuple(contents), tuple(changes))


def find_worlds(folder: Path) -> list[Path]:
    """The world folders of a run's ledger in order; raises LedgerError on gaps and on anything else there."""
    try:
        names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise LedgerError(f"cannot be read: {error.strerror}", where=str(folder)) from error
    if not names:
        raise LedgerError("no ledger here", do="give the ledger folder of a run")
    expected = [world_name(number) for number in range(len(names))]
    for name in names:
        if name not in expected or not (folder / name).is_dir():
            raise LedgerError("not part of the ledger, or a world is missing", where=name)
    return [folder / name for name in names]


class WorldAudit:
    """Checks one world's ledger from its first byte to its end record.

    `trust_source`: execute with the installed programs where the ledger registers others (`ledger.programs`);
    `stand_ins` then names them. `administrators`: whose epochs may follow epoch 0.
    """

    def __init__(self, trust_source: bool = False, administrators: Administrators | None = None) -> None:
        self.chain = ChainCheck(administrators)
        self._seen = 0
        self.front: list[bytes] = []
        self._envelopes: list[tuple[bytes, bytes]] = []
        self._replay: Replay | None = None
        self._sealed = SealedCheck()
        self._executions, self._trust_source = ExecutionCheck(), trust_source
        self.stand_ins: tuple[str, ...] = ()

    @property
    def replayed(self) -> Replay:
        """The world as derived; raises LedgerError before its first records were read."""
        if self._replay is None:
            raise LedgerError("ledger does not begin with genesis, members, calendar and opening")
        return self._replay

    def run(self, folder: Path) -> None:
        """Check everything; raises LedgerError naming the first bad place."""
        # lengths and checksums of all files first: damage is found before anything is derived
        for _ in read_blocks(folder):
            pass
        for block in read_blocks(folder):
            self.check_block(block)
        self.chain.require_end()

    def counts(self) -> dict[str, int]:
        """What was checked."""
        replay = self.replayed
        seldom = {
            "curtailed contracts": replay.curtailed,
            "registrations": replay.registrations,
            "orders cancelled with their keys": replay.withdrawn,
            "devices that spoke twice": replay.accused,
            "sealed orders": self._sealed.orders,
            "void orders": self._sealed.void.total(),
        }
        return {
            "blocks": self.chain.height,
            "records": self.chain.log.size,
            "steps": replay.steps,
            "envelopes": replay.envelopes,
            "orders": replay.orders,
            "contracts": replay.contract_count,
            "executions": self._executions.count,
            "refused envelopes": replay.refused,
            "readings apart from the meter": replay.readings_apart,
            **{name: count for name, count in seldom.items() if count},
        }

    def void(self) -> str:
        """Sealed orders that did not open: whose, why, how many."""
        return name_void(self._sealed.void, self.replayed.rules.accounts.party_names)

    def check_block(self, block: Block) -> None:
        """Check the next block; raises LedgerError naming the first bad place."""
        records = self.chain.open_block(block)
        first = self._next_slot()
        if self._replay:
            self._replay.registry.height = block.header.height
        for kind, body, where in records:
            try:
                self._take(kind, body)
                self._executions.take(kind, body)
            except LedgerError as error:
                raise LedgerError(f"{self._slot_label()}{error}", where=where) from error
            except (ArithmeticError, IndexError, KeyError, TypeError, ValueError) as error:
                raise LedgerError(f"{self._slot_label()}cannot be derived: {error}", where=where) from error
            self._seen += 1
        self._check_header(block, first)
        try:
            self._executions.close_block()
        except LedgerError as error:
            raise LedgerError(str(error), where=self.chain.place(block)) from error
        self.chain.close_block(block, records)

    def _check_header(self, block: Block, first: int | None) -> None:
        """The parts of a header that only its records can tell."""
        header, replay, place = block.header, self.replayed, self.chain.place(block)
        last = max(replay.slot - 1, replay.genesis.start)
        expected = replay.genesis.start if first is None else min(first, last), last
        if (header.first_slot, header.last_slot) != expected:
            raise LedgerError("slots of the header are not those of its records", where=place)
        if header.content_head != replay.head or header.chain_id != replay.members.chain_id:
            raise LedgerError("content head or chain of the header is wrong", where=place)

    def _take(self, kind: RecordType, body: bytes) -> None:
        if len(self.front) < len(FRONT):
            self._take_front(kind, body)
        elif kind == RecordType.ENVELOPE:
            self._envelopes.append(split_envelope(body))
        elif kind == RecordType.OUTAGE and not self._envelopes:
            self.replayed.take_outage(body)
        elif kind in SEALING and not self._envelopes:
            self._sealed.take(kind, body, self.replayed)
        elif kind in BETWEEN and not self._envelopes and (kind == RecordType.EVIDENCE or not self._sealed.waits):
            self.replayed.take_between(kind, body)
        elif kind == RecordType.STEP:
            self.replayed.take_step(self._envelopes, body, self._sealed.open(self.replayed))
            self._envelopes = []
        elif kind == RecordType.END and not self._envelopes and not self._sealed.waits:
            self._take_end(body)
        elif kind in (RecordType.EXEC, RecordType.EPOCH) and not self._envelopes:
            pass
        else:
            raise LedgerError(f"a record of type {kind.name} does not belong here")

    def _take_front(self, kind: RecordType, body: bytes) -> None:
        if kind != FRONT[len(self.front)]:
            raise LedgerError("ledger does not begin with genesis, members, calendar, opening and programs")
        self.front.append(body)
        if len(self.front) == len(FRONT):
            genesis, members, calendar, opening, programs = self.front
            self.stand_ins = check_programs(read_programs(programs), self._trust_source)
            self._replay = Replay(genesis, members, calendar, opening)
            self._replay.administrators = self.chain.administrators

    def _take_end(self, body: bytes) -> None:
        replay = self.replayed
        if body != end_body(replay.steps, self._seen, replay.head):
            raise LedgerError("end record does not fit what comes before it")

    def _next_slot(self) -> int | None:
        return self._replay.slot if self._replay else None

    def _slot_label(self) -> str:
        return f"slot {self._replay.slot}: " if self._replay else ""
