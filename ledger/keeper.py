"""The keeper: what a world says to its ledger, in one of three modes.

- `off`: rows are checked, nothing is hashed;
- `digest`: one hash per world and step (the content head); bodies are dropped;
- `full`: devices sign envelopes, envelopes are heard and stored, blocks are sealed; where the design asks for privacy,
  envelopes come sealed and are opened when the gate has closed (`ledger.sealed_desk`).

Admission, codes, sequence and content heads are the same in all of them. A run has one folder per world,
`world-0000` and so on. The chain head of a run is its world's newest header hash, or a hash over all worlds'.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ledger.acknowledgements import acknowledge
from ledger.admission import KEY_ID, SEQUENCE, Hearing, admit_envelopes, check_rows, close_late, number_arrivals
from ledger.content import StepRecord, advance_heads, step_bytes
from ledger.encoding import ABSENT, MAX_ROWS, SIGNATURE_BYTES, encode_bodies, signed_message
from ledger.journal import Journal
from ledger.keys import OPERATOR, Signer, sign_all, simulation_chain_id, simulation_signer
from ledger.limits import limit_rows
from ledger.programs import installed_programs
from ledger.quorum import Administrators
from ledger.records import Members, RecordType, StepBody
from ledger.registrations import Authority, register
from ledger.registry import Registry
from ledger.remembered import Heard, Remembered
from ledger.rules import Rules, calendar_bytes, genesis_bytes, genesis_head
from ledger.sealed_desk import Desk, Tally
from ledger.segment_store import SegmentStore
from ledger.store import LogStore
from market.contracts import CONTRACT_WIRE, no_contracts
from market.errors import ConfigError, LedgerError
from market.orders import ORDER_WIRE
from market.tables import Table, to_wire
from market.units import Int
from market.validation import Codes, Mask

Mode = Literal["off", "digest", "full"]
Hashes = npt.NDArray[np.uint8]
RUN_TAG = b"DG/run/v1\0"


@dataclass(frozen=True)
class Admitted:
    """What entered in one step: rows as heard with codes (n,), plan and reading (B, P), ABSENT where not said or heard.

    Rows have `sequence` and `market` filled in; in `full` mode they come from the envelopes' bytes. `silent` (B, P)
    names parties whose keys are all revoked: their open orders are cancelled before the matching; None for no party.
    """

    orders: Table
    codes: Codes
    plan: Int
    reading: Int
    silent: Mask | None = None


@dataclass(frozen=True)
class Worlds:
    """What the worlds of a run start from.

    - config_text: canonical JSON of the scenario's settings (`ledger.encoding.canonical_json`);
    - keys (B,): each world's own key (seed); start (B,): its first slot;
    - capacity_wh (B, slots, lines, 2) [Wh]; outside (B, slots, areas) [mJPY/kWh];
    - opening: long contracts by slot, then contracts of last resort of the slots whose gates closed before the first
      step by slot, then party; all sorted by world.
    """

    rules: Rules
    config_text: str
    keys: Int
    start: Int
    capacity_wh: Int
    outside: Int
    opening: Table = field(default_factory=no_contracts)

    def genesis(self, world: int) -> tuple[bytes, bytes, bytes]:
        """Genesis, calendar and opening bytes of one world."""
        calendar = calendar_bytes(self.capacity_wh[world], self.outside[world])
        first, stop = np.searchsorted(self.opening["world"], (world, world + 1))
        opening = to_wire(self.opening[first:stop], CONTRACT_WIRE).tobytes()
        key, start = int(self.keys[world]), int(self.start[world])
        return genesis_bytes(self.rules, self.config_text, key, start, calendar, opening), calendar, opening


class Keeper:
    """Mode `off`, and what all modes share; `signs`: whether there are envelopes, which name reasons."""

    signs = False

    def __init__(self, worlds: Worlds) -> None:
        self.worlds = worlds
        self.content_heads: list[bytes] = []

    @property
    def chain_head(self) -> bytes | None:
        """Newest header hash; None without a signed ledger."""
        return None

    @property
    def sealed(self) -> Tally | None:
        """What came sealed, over all worlds; None where the ledger takes open orders."""
        return None

    def admit(
        self,
        now: Int,
        orders: Table,
        plan: Int,
        reading: Int,
        arrival: Int,
        external: Mapping[tuple[int, int], bytes] | None = None,
        reasons: Hashes | None = None,
    ) -> Admitted:
        """Check what all parties of all worlds say in one step.

        Args:
            now: (B,) current slot.
            orders: ORDER rows sorted by world and party; `sequence` and `market` are written in place.
            plan: (B, P) [Wh] declared net energy of the slot whose gate closes, + is import, ABSENT for none.
            reading: (B, P) [Wh] metered net energy of the slot before, ABSENT at the first step.
            arrival: (B, P) rank of each party in the order of arrival.
            external: envelopes, or seals, of devices outside this process by (world, party), `full` mode only.
            reasons: (B, P, 2, 32) hashes of each party's policy and observation (`ledger.reasons`), for its envelope.
        """
        if external:
            raise LedgerError("envelopes are heard in full mode only", do="open the ledger with mode full")
        return Admitted(orders, self._check(now, orders, arrival), plan, reading)

    def record(self, step: StepRecord) -> None:
        """Take a finished step into the ledger."""

    def close(self) -> None:
        """Finish; nothing can be recorded afterwards."""

    def _check(self, now: Int, orders: Table, arrival: Int) -> Codes:
        rules, start = self.worlds.rules, self.worlds.start
        number_arrivals(orders, arrival, now - start)
        world = orders["world"]
        orders["market"] = world.astype(np.int64) * rules.slots + orders["slot"] - start[world]
        return check_rows(rules.design, rules.grid, orders, now, start + rules.slots, rules.calendar)


class DigestKeeper(Keeper):
    """Mode `digest`: content heads only."""

    def __init__(self, worlds: Worlds) -> None:
        super().__init__(worlds)
        self.content_heads = [genesis_head(worlds.genesis(world)[0]) for world in range(len(worlds.start))]

    def record(self, step: StepRecord) -> None:
        """Advance every world's content head."""
        self.content_heads = advance_heads(self.content_heads, step_bytes(step))


@dataclass
class _Book:
    """One world's signed ledger: its devices, who is registered, what was last heard."""

    chain_id: bytes
    operator: Signer
    registry: Registry
    signers: dict[int, Signer]
    journal: Journal
    last_sequence: dict[bytes, int] = field(default_factory=dict)
    remembered: Remembered = field(default_factory=Remembered)
    hearing: Hearing | None = None
    desk: Desk | None = None

    def hear(self, given: list[bytes], slot: int) -> Hearing:
        """Admit the envelopes of a step, opened if sealed; seals, shares and evidence go into the journal at once."""
        self.registry.height = self.journal.height
        if self.desk is None:
            return self._hear(given, slot)
        records, opened = self.desk.hear(self.registry, given, slot)
        for kind, body in records:
            self.journal.append_between(kind, body)
        self.hearing = opened.join(self._hear(opened.envelopes, slot))
        return self.hearing

    def _hear(self, envelopes: list[bytes], slot: int) -> Hearing:
        heard = admit_envelopes(self.registry, self.chain_id, self.last_sequence, envelopes, slot, self.remembered)
        for body in heard.evidence:
            self.journal.append_between(RecordType.EVIDENCE, body)
        self.hearing = heard
        return heard

    def sign_step(
        self, slot: int, step: int, orders: Table, plan: Int, reading: Int, reasons: Hashes | None
    ) -> list[bytes]:
        """Envelopes of this world's own devices, sealed under privacy; the number of the step is their sequence.

        Rows, plans and readings of outside devices are left out: those speak for themselves.
        """
        signers = list(self.signers.values())
        own = np.fromiter(self.signers, np.int64, len(signers))
        counts = np.bincount(orders["party"], minlength=len(plan))[own]
        if counts.max(initial=0) > MAX_ROWS:
            raise LedgerError(f"a party sent more than {MAX_ROWS} orders in one step")
        mine = orders if len(own) == len(plan) else orders[np.isin(orders["party"], own)]
        rows, why = to_wire(mine, ORDER_WIRE), None if reasons is None else reasons[own]
        ids = [signer.key_id for signer in signers]
        bodies = encode_bodies(
            self.chain_id, ids, np.full(len(own), step + 1), slot, plan[own], reading[own], counts, rows, why
        )
        signatures = sign_all(signers, [signed_message(body) for body in bodies])
        signed = [body + signature for body, signature in zip(bodies, signatures, strict=True)]
        return self.desk.seal(signed, self.signers) if self.desk else signed


class FullKeeper(DigestKeeper):
    """Mode `full`: every world has its own signed ledger under `folder`.

    `external` maps (world, party) to the public key of a device outside this process, whose envelopes
    come in through `admit`; every other party is a simulated device with a key derived from the world's.
    `open_store` is given the folder of a world and gives what its blocks are written to. `administrators` by world are
    those who may revoke keys by quorum.
    """

    signs = True

    def __init__(
        self,
        worlds: Worlds,
        folder: Path,
        external: Mapping[tuple[int, int], bytes] | None = None,
        open_store: Callable[[Path], LogStore] = SegmentStore,
    ) -> None:
        super().__init__(worlds)
        self._open_store = open_store
        self.administrators: dict[int, Administrators] = {}
        self._external = dict(external or {})
        self._books = [self._open(world, folder) for world in range(len(worlds.start))]

    @property
    def chain_ids(self) -> list[bytes]:
        """Chain id of each world, which external devices sign under."""
        return [book.chain_id for book in self._books]

    @property
    def chain_head(self) -> bytes | None:
        """Newest header hash of the world, or the hash over all worlds'."""
        return join_heads([book.journal.head for book in self._books])

    @property
    def sealed(self) -> Tally | None:
        """What came sealed, over all worlds; None where the ledger takes open orders."""
        desks = [book.desk for book in self._books if book.desk is not None]
        total = Tally()
        for desk in desks:
            total.add(desk.tally)
        return total if desks else None

    def desk(self, world: int) -> Desk:
        """Where a world's sealed orders come in; raises LedgerError where its orders are open."""
        found = self._books[world].desk
        if found is None:
            raise LedgerError("orders of this world are not sealed", do="choose a design with privacy")
        return found

    def admit(
        self,
        now: Int,
        orders: Table,
        plan: Int,
        reading: Int,
        arrival: Int,
        external: Mapping[tuple[int, int], bytes] | None = None,
        reasons: Hashes | None = None,
    ) -> Admitted:
        """Sign as the simulated devices, then hear every envelope; see `Keeper.admit`."""
        heard_plan, heard_reading = np.full_like(plan, ABSENT), np.full_like(reading, ABSENT)
        edges = np.searchsorted(orders["world"], np.arange(len(now) + 1))
        tables, late = [], []
        for world, book in enumerate(self._books):
            slot, rows = int(now[world]), orders[edges[world] : edges[world + 1]]
            step = slot - int(self.worlds.start[world])
            why = None if reasons is None else reasons[world]
            envelopes = book.sign_step(slot, step, rows, plan[world], reading[world], why)
            envelopes += [data for (where, _), data in sorted((external or {}).items()) if where == world]
            hearing = book.hear(envelopes, slot)
            hearing.orders["world"] = world
            tables.append(hearing.orders)
            late.append(np.repeat(~hearing.in_time, hearing.counts))
            heard_plan[world, hearing.party] = hearing.plan
            heard_reading[world, hearing.party] = hearing.reading
        heard = np.concatenate(tables)
        codes = self._check(now, heard, arrival)
        for world, book in enumerate(self._books):
            if limits := book.registry.limits():
                mine = heard["world"] == world
                codes[mine] = limit_rows(codes[mine], heard[mine], limits)
        close_late(codes, np.concatenate(late))
        return Admitted(heard, codes, heard_plan, heard_reading, self._silent())

    def register(self, world: int, kind: RecordType, body: bytes, signer: Signer | None = None) -> None:
        """Take an enrolment, rotation or revocation (`ledger.registrations`) into a world's ledger, between two steps.

        A simulated party goes on with `signer`, if given. Raises LedgerError where the record does not hold.
        """
        book = self._books[world]
        if book.hearing is not None:
            raise LedgerError("a step was admitted and is not recorded", do="register between two steps")
        book.registry.height = book.journal.height
        register(book.registry, self.authority(world), kind, body)
        book.journal.append_between(kind, body)
        if signer is not None:
            book.signers[book.registry.find(signer.key_id).party] = signer

    def authority(self, world: int) -> Authority:
        """What registrations of a world are held against."""
        book = self._books[world]
        known = self.administrators.get(world)
        return Authority(book.chain_id, book.operator.public_key, self.worlds.rules.parties, known)

    def recall(self, world: int, envelope: bytes) -> Heard | None:
        """What was made of an admitted envelope, if its key spoke lately: the answer to a resend."""
        heard = self._books[world].remembered.find(envelope[KEY_ID], int.from_bytes(envelope[SEQUENCE], "big"))
        same = heard is not None and heard.envelope[:-SIGNATURE_BYTES] == envelope[:-SIGNATURE_BYTES]
        return heard if same else None

    def acknowledge(self, world: int, envelope: bytes) -> bytes | None:
        """The operator's answer to an envelope admitted lately, the same each time (`ledger.acknowledgements`)."""
        heard, book = self.recall(world, envelope), self._books[world]
        return None if heard is None else acknowledge(book.chain_id, heard, book.operator)

    def record(self, step: StepRecord) -> None:
        """Advance content heads and append each world's envelopes and step to its journal."""
        data = step_bytes(step)
        self.content_heads = advance_heads(self.content_heads, data)
        edges = np.searchsorted(step.orders["world"], np.arange(len(self._books) + 1))
        for world, book in enumerate(self._books):
            hearing, book.hearing = book.hearing, None
            if hearing is None:
                raise LedgerError("a step was recorded that was not admitted", where=f"world {world}")
            fixed, _, contracts = data.parts(world)
            refused = zip(hearing.hashes, (int(code) for code in hearing.codes if code), strict=True)
            body = StepBody(bytes(fixed), bytes(contracts), tuple(refused), self.content_heads[world])
            codes = step.codes[edges[world] : edges[world + 1]]
            book.remembered.answer(hearing.kept, hearing.counts, codes)
            book.journal.append_step(int(step.slot[world]), hearing, codes, body, data.outages[world])

    def close(self) -> None:
        """Write every world's end record."""
        for book in self._books:
            book.journal.close()

    def _silent(self) -> Mask | None:
        silent = [book.registry.silent() for book in self._books]
        if not any(silent):
            return None
        parties = np.arange(self.worlds.rules.parties)
        return np.stack([np.isin(parties, list(gone)) for gone in silent])

    def _open(self, world: int, folder: Path) -> _Book:
        worlds, rules = self.worlds, self.worlds.rules
        genesis, calendar, opening = worlds.genesis(world)
        seed = int(worlds.keys[world])
        chain_id = simulation_chain_id(seed, hashlib.sha256(genesis).digest())
        outside = {party: key for (where, party), key in self._external.items() if where == world}
        signers: dict[int, Signer] = {
            party: simulation_signer(chain_id, seed, name)
            for party, name in enumerate(rules.accounts.party_names)
            if party not in outside
        }
        keys = outside | {party: signer.public_key for party, signer in signers.items()}
        registry = Registry()
        for party, key in sorted(keys.items()):
            registry.register(party, key)
        operator = simulation_signer(chain_id, seed, OPERATOR)
        members = Members(chain_id, operator.public_key, tuple(sorted(keys.items())))
        journal = Journal(
            self._open_store(folder / world_name(world)),
            operator,
            (genesis, members.to_bytes(), calendar, opening, installed_programs().to_bytes()),
            chain_id,
            self.content_heads[world],
            int(worlds.start[world]),
            rules.calendar,
        )
        book = _Book(chain_id, operator, registry, signers, journal)
        if rules.design.privacy is not None:
            book.desk = Desk(chain_id, seed, *rules.design.privacy)
            journal.append_between(RecordType.PRIVACY, book.desk.privacy.to_bytes())
        return book


def world_name(world: int) -> str:
    """Folder of one world's ledger."""
    return f"world-{world:04d}"


def join_heads(heads: list[bytes]) -> bytes:
    """Chain head of a run: the only world's, or a hash over all."""
    return heads[0] if len(heads) == 1 else hashlib.sha256(RUN_TAG + b"".join(heads)).digest()


def open_keeper(
    mode: str,
    worlds: Worlds,
    folder: Path | None = None,
    external: Mapping[tuple[int, int], bytes] | None = None,
    open_store: Callable[[Path], LogStore] = SegmentStore,
) -> Keeper:
    """The keeper of a run; `full` needs a folder, new unless `open_store` resumes; `external` is for `full` only.

    Raises:
        ConfigError: unknown mode.
        LedgerError: the folder is not empty, or a key is weak.
    """
    if mode == "off":
        return Keeper(worlds)
    if mode == "digest":
        return DigestKeeper(worlds)
    if mode != "full":
        raise ConfigError(f"unknown ledger mode {mode!r}", do=f"choose one of {', '.join(get_args(Mode))}")
    if folder is None:
        raise ConfigError("a full ledger needs a folder", do="give a run folder")
    return FullKeeper(worlds, folder, external, open_store)
