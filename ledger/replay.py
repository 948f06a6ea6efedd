"""Replay: one world's market again, from its records alone, with the same functions that ran it.

Each step is derived from the genesis, the calendar and the envelopes: row codes, the matching of the recorded orders,
the contracts of last resort at the gate, the postings of the delivered slot, the content head. The record must
be equal. Plans, readings sent, metered readings and the order of arrival are inputs; envelopes bind the first two.
Announced outages are inputs too; which contracts are curtailed for them, and what that pays, is derived.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ledger.admission import (
    Hearing,
    admit_envelopes,
    check_rows,
    close_late,
    fill_unheard,
    number_arrivals,
    withdraw_silent,
)
from ledger.content import StepRecord, advance_heads, fixed_dtype, step_bytes
from ledger.encoding import ABSENT
from ledger.evidence import read_equivocation
from ledger.limits import limit_rows
from ledger.outages import read_outage
from ledger.quorum import Administrators
from ledger.records import Members, RecordType, StepBody, read_members, read_step
from ledger.registrations import Authority, register
from ledger.registry import Registry
from ledger.rules import calendar_digest, genesis_head, opening_digest, read_calendar, read_genesis
from ledger.sealed_hearing import Opened, check_refused
from market.contracts import CONTRACT, CONTRACT_WIRE, add_positions, label_sources, no_contracts
from market.errors import LedgerError, Refusal
from market.exchange import Outcome, trade
from market.imbalance import find_capped
from market.long_contracts import form_long_contracts
from market.opening import live_after_gate
from market.orders import no_orders
from market.outages import CURTAILED_WIRE, Response, Standing, no_curtailed, no_notices, respond
from market.planning import last_resort
from market.settlement import KINDS, post_contracts, post_delivery, post_outage
from market.tables import Table, from_wire
from market.units import Int
from market.validation import Codes


@dataclass(frozen=True)
class Matched:
    """What the matching of a step was given and what it made of it.

    resting, orders: live orders before the step and those admitted in it; capacity_wh, flow_wh (slots, lines, 2): room
    of the lines and what was committed before.
    """

    resting: Table
    orders: Table
    capacity_wh: Int
    flow_wh: Int
    outcome: Outcome


class Replay:
    """One world, stepped through its records; every method raises LedgerError saying what differs.

    `administrators`: who may revoke keys by quorum, as the reader knows them.
    """

    def __init__(self, genesis: bytes, members: bytes, calendar: bytes, opening: bytes) -> None:
        self.administrators: Administrators | None = None
        self.genesis = read_genesis(genesis)
        self.members: Members = read_members(members)
        named = self.genesis.calendar, self.genesis.opening
        if (calendar_digest(calendar), opening_digest(opening)) != named:
            raise LedgerError("calendar or opening is not the one the genesis names")
        self.capacity_wh, self.outside = read_calendar(calendar)
        self.rules = self.genesis.rules
        self._check_shapes()
        self._capped = find_capped(self.rules.terms.imbalance, self.outside.T, self.rules.calendar)
        self.registry = _register(self.members, self.rules.parties)
        self.head = genesis_head(genesis)
        self.steps = 0
        self.registrations = self.withdrawn = self.accused = 0
        self._accused: set[tuple[bytes, int]] = set()
        self.envelopes = self.orders = self.contract_count = self.refused = self.readings_apart = 0
        self._sequence: dict[bytes, int] = {}
        self.matched: Matched | None = None
        self._flow = np.zeros_like(self.capacity_wh)
        self._resting = no_orders()
        self._contracts = no_contracts()
        self._standing, self.curtailed = Standing.none(), 0
        self._announced = no_notices(), no_curtailed()
        self._made_whole = np.zeros((self.rules.slots, self.rules.parties), np.int64)
        self._position = np.zeros((1, self.rules.parties, self.rules.slots), np.int64)
        self._last_reading: Int | None = None
        self._start = np.array([self.genesis.start])
        accounts = self.rules.accounts
        self._fixed = fixed_dtype(accounts.parties, accounts.count, KINDS)
        self._open(opening)

    @property
    def slot(self) -> int:
        """Slot of the next step."""
        return self.genesis.start + self.steps

    def take_step(self, envelopes: list[tuple[bytes, bytes]], body: bytes, opened: Opened | None = None) -> None:
        """Derive one step from its envelopes (verbatim bytes, row codes) and compare it with its record.

        `opened`: what its sealed orders came to, from which the envelopes then follow too.
        """
        said = read_step(body, self._fixed.itemsize, CONTRACT_WIRE.itemsize)
        fixed = np.frombuffer(said.fixed, self._fixed)
        if self.steps >= self.rules.slots or int(fixed["slot"][0]) != self.slot:
            raise LedgerError(f"step is for slot {int(fixed['slot'][0])}, expected {self.slot}")
        arrival = fixed["arrival"].astype(np.int64)
        if (np.sort(arrival[0]) != np.arange(self.rules.parties)).any():
            raise LedgerError("order of arrival is not a permutation of the parties")
        hearing = self._hear([data for data, _ in envelopes], opened)
        check_refused(said.refused, hearing, opened)
        orders, codes, plan, sent = self._take_rows(hearing, arrival)
        _compare("plan", plan, fixed["plan"])
        _compare("reading sent", sent, fixed["reading_sent"])
        contracts = self._trade(orders, codes, plan)
        self._check_codes(envelopes, codes)
        self._check_contracts(contracts, from_wire(said.contracts, CONTRACT_WIRE, CONTRACT))
        reading = fixed["reading"].astype(np.int64)
        money = self._settle(reading)
        _compare("posting", money, fixed["money"])
        now = np.array([self.slot])
        step = StepRecord(now, arrival, orders, codes, plan, sent, contracts, reading, money, *self._announced)
        self._finish(step, said)
        self._announced = no_notices(), no_curtailed()

    def take_outage(self, body: bytes) -> None:
        """Take capacities announced for the next step; derive what is curtailed for them and compare."""
        notices, said = read_outage(body)
        if len(self._announced[0]):
            raise LedgerError("two outages are recorded in one step")
        self._lower_capacity(notices)
        rules = self.rules
        retail, fuel = rules.terms.outside_options(self.outside), np.asarray(rules.fuel)
        response = respond(rules.design, self._standing, self.capacity_wh, self._flow, retail, fuel, rules.accounts)
        if len(said) != len(response.curtailed):
            raise LedgerError(f"{len(said)} curtailed contracts are recorded, {len(response.curtailed)} are curtailed")
        for name in CURTAILED_WIRE.names or ():
            for row in np.flatnonzero(said[name] != response.curtailed[name])[:1]:
                raise LedgerError(
                    f"curtailed contract {row}: {name} is recorded as {said[name][row]}, "
                    f"derived as {response.curtailed[name][row]}"
                )
        self._enter(response)
        self._announced = notices, said
        self.curtailed += len(said)

    def take_between(self, kind: RecordType, body: bytes) -> None:
        """Take a registration, or check evidence that a device spoke twice, each offence once."""
        if kind != RecordType.EVIDENCE:
            members, parties = self.members, self.rules.parties
            authority = Authority(members.chain_id, members.operator, parties, self.administrators)
            register(self.registry, authority, kind, body)
            self.registrations += 1
            return
        said = read_equivocation(body)
        self.registry.find(said.key_id)
        if said.chain_id != self.members.chain_id or (said.key_id, said.sequence) in self._accused:
            raise LedgerError("evidence is of another chain or recorded already")
        self._accused.add((said.key_id, said.sequence))
        self.accused += 1

    def _lower_capacity(self, notices: Table) -> None:
        """Apply announced capacities; they fall, each slot and line once and in order, where the gate is open."""
        column, line = notices["slot"] - self.genesis.start, notices["line"]
        places = column.astype(np.int64) * max(len(self.rules.grid.lines), 1) + line
        is_open = (column >= self.steps + self.rules.calendar.gate) & (column < self.rules.slots)
        if not (is_open & (line < len(self.rules.grid.lines))).all() or (np.diff(places) <= 0).any():
            raise LedgerError("an outage is announced for other slots or lines, or not in order")
        told = np.stack([notices["forward"], notices["backward"]], -1)
        known = self.capacity_wh[column, line]
        if (told < 0).any() or (told > known).any() or (told == known).all(-1).any():
            raise LedgerError("an announced capacity does not fall")
        self.capacity_wh = self.capacity_wh.copy()
        self.capacity_wh[column, line] = told

    def _enter(self, response: Response) -> None:
        """Take curtailed energy out of positions and postings, and remember what makes the parties whole."""
        self._standing, self._flow = response.standing, response.flow_wh
        add_positions(self._position, response.taken_back, self._start)
        self._contracts = np.concatenate([self._contracts, response.taken_back])
        row, party, amount = response.payments()
        column = response.taken_back["slot"][row] - self.genesis.start
        np.add.at(self._made_whole, (column, party), amount)

    def _check_shapes(self) -> None:
        rules = self.rules
        expected = (rules.slots, len(rules.grid.lines), 2), (rules.slots, len(rules.grid.areas))
        parties = {len(rules.fuel), len(rules.source), len(rules.accounts.party_area), rules.parties}
        if (self.capacity_wh.shape, self.outside.shape) != expected or len(parties) != 1:
            raise LedgerError("calendar or parties do not fit the rules")

    def _open(self, opening: bytes) -> None:
        """Take the opening's contracts: long ones follow from the rules, of the others the sizes are given."""
        if len(opening) % CONTRACT_WIRE.itemsize:
            raise LedgerError("opening record has a wrong length")
        recorded = from_wire(opening, CONTRACT_WIRE, CONTRACT)
        recorded = self._open_long(recorded)
        first = int(self._start[0])
        known = (recorded["slot"] >= first) & (recorded["slot"] < first + self.rules.calendar.gate)
        people = np.maximum(recorded["buyer"], recorded["seller"]) < self.rules.parties
        if not (known & people).all():
            raise LedgerError("opening holds contracts of other slots or parties")
        planned = self._position.copy()
        add_positions(planned, recorded, self._start)
        derived = [self._close_gate(planned[:, :, gate], gate) for gate in range(self.rules.calendar.gate)]
        self._check_contracts(np.concatenate(derived), recorded)

    def _open_long(self, recorded: Table) -> Table:
        """Form the long contracts again and compare; what stands behind them in the opening."""
        if not self.rules.agreed:
            return recorded
        given = self._start, self.capacity_wh, self.rules.calendar
        derived, flow = form_long_contracts(
            self.rules.agreed, self.rules.accounts, np.asarray(self.rules.source), *given
        )
        self._flow = flow
        self._check_contracts(derived, recorded[: len(derived)])
        add_positions(self._position, derived, self._start)
        return recorded[len(derived) :]

    def _hear(self, envelopes: list[bytes], opened: Opened | None) -> Hearing:
        """The envelopes heard again: those recorded, or those that sealed orders open to, which must be the same."""
        given = envelopes if opened is None else opened.envelopes
        hearing = admit_envelopes(self.registry, self.members.chain_id, self._sequence, given, self.slot)
        for number, code in enumerate(hearing.codes if opened is None else ()):
            if code:
                raise LedgerError(f"envelope {number} of the step is refused: {Refusal(int(code)).name}")
        if hearing.kept != envelopes:
            expected = "in the order of parties" if opened is None else "those that opened, in the order of parties"
            raise LedgerError(f"envelopes are not {expected}")
        return hearing

    def _take_rows(self, hearing: Hearing, arrival: Int) -> tuple[Table, Codes, Int, Int]:
        """Rows with codes, plans and readings sent, as heard."""
        rules, orders = self.rules, hearing.orders
        now = np.array([self.slot])
        number_arrivals(orders, arrival, now - self._start)
        orders["market"] = orders["slot"].astype(np.int64) - self.genesis.start
        codes = check_rows(rules.design, rules.grid, orders, now, self._start + rules.slots, rules.calendar)
        codes = limit_rows(codes, orders, self.registry.limits())
        close_late(codes, np.repeat(~hearing.in_time, hearing.counts))
        self.envelopes += len(hearing.kept)
        self.orders += len(orders)
        return orders, codes, *self._spread(hearing)

    def _spread(self, hearing: Hearing) -> tuple[Int, Int]:
        plan, sent = np.full((2, 1, self.rules.parties), ABSENT)
        plan[0, hearing.party] = hearing.plan
        sent[0, hearing.party] = hearing.reading
        if self._last_reading is not None:
            self.readings_apart += int(((sent != ABSENT) & (sent != self._last_reading)).sum())
        return plan, sent

    def _trade(self, orders: Table, codes: Codes, plan: Int) -> Table:
        """Contracts of the step: matched, then of last resort; codes take on what the market refuses."""
        rules, now = self.rules, np.array([self.slot])
        self._withdraw_silent()
        live = codes == 0
        outcome: Outcome = trade(
            rules.design,
            rules.grid,
            self._resting,
            orders[live],
            self.capacity_wh,
            self._flow,
            now,
            retail=rules.terms.outside_options(self.outside),
            calendar=rules.calendar,
        )
        codes[live] = outcome.codes
        self.matched = Matched(self._resting, orders[live], self.capacity_wh, self._flow, outcome)
        self._flow = outcome.flow_wh
        self._resting = outcome.resting[live_after_gate(rules.calendar, now[0], outcome.resting["slot"])]
        traded = outcome.contracts
        label_sources(traded, np.asarray(rules.source))
        add_positions(self._position, traded, self._start)
        gate = self.steps + rules.calendar.gate
        return np.concatenate([traded, self._close_gate(plan, gate)]) if gate < rules.slots else traded

    def _withdraw_silent(self) -> None:
        """Cancel the open orders of parties whose keys are all revoked."""
        if silent := self.registry.silent():
            mask = np.isin(np.arange(self.rules.parties), list(silent))[None]
            self._resting, gone = withdraw_silent(self._resting, mask)
            self.withdrawn += len(gone)

    def _close_gate(self, plan: Int, gate: int) -> Table:
        """Contracts of last resort of slot column `gate`, entered into the position."""
        rules, position = self.rules, self._position[:, :, gate]
        wanted, outside = fill_unheard(plan, position), self.outside[None, gate]
        slot, now, market = self._start + gate, np.array([self.slot]), np.array([gate])
        closing = last_resort(wanted, position, outside, slot, now, market, rules.terms, rules.accounts)
        add_positions(self._position, closing, self._start)
        return closing

    def _check_codes(self, envelopes: list[tuple[bytes, bytes]], codes: Codes) -> None:
        recorded = np.frombuffer(b"".join(stated for _, stated in envelopes), np.uint8)
        for row in np.flatnonzero(recorded != codes)[:1]:
            raise LedgerError(f"order {row} of the step is recorded as {recorded[row]}, derived as {codes[row]}")

    def _check_contracts(self, derived: Table, recorded: Table) -> None:
        if len(derived) != len(recorded):
            raise LedgerError(f"{len(recorded)} contracts are recorded, {len(derived)} form")
        for name in CONTRACT_WIRE.names or ():
            for row in np.flatnonzero(derived[name] != recorded[name])[:1]:
                raise LedgerError(
                    f"contract {row}: {name} is recorded as {recorded[name][row]}, forms as {derived[name][row]}"
                )
        self._contracts = np.concatenate([self._contracts, derived])
        self._standing = self._standing.add(derived, self.contract_count + np.arange(len(derived)))
        self.contract_count += len(derived)

    def _settle(self, reading: Int) -> Int:
        """Postings (1, accounts, kinds) of the slot delivered in this step."""
        rules = self.rules
        due = self._contracts["slot"] == self.slot
        money = np.zeros((1, rules.accounts.count, KINDS), np.int64)
        contracts = self._contracts[due]
        self._contracts = self._contracts[~due]
        # behind the gate contracts stand whatever is announced
        open_after = self._standing.contracts["slot"] > self.slot + rules.calendar.gate
        self._standing = self._standing.keep(open_after)
        post_contracts(money, np.zeros(len(contracts), np.int64), contracts, rules.terms, rules.accounts)
        everyone = np.arange(rules.parties)
        post_outage(money, np.zeros_like(everyone), everyone, self._made_whole[self.steps], rules.accounts)
        plan, outside = self._position[:, :, self.steps], self.outside[None, self.steps]
        fuel, now, capped = np.asarray(rules.fuel), np.array([self.slot]), self._capped[None, :, self.steps]
        post_delivery(money, reading, plan, outside, fuel, rules.terms, rules.accounts, slot=now, capped=capped)
        if money.sum(axis=1).any():
            raise LedgerError("postings of a kind do not sum to zero")
        return money

    def _finish(self, step: StepRecord, said: StepBody) -> None:
        data = step_bytes(step)
        (head,) = advance_heads([self.head], data)
        fixed, _, contracts = data.parts(0)
        if bytes(fixed) != said.fixed or bytes(contracts) != said.contracts:
            raise LedgerError("step record is not the one derived")
        if head != said.head:
            raise LedgerError("content head differs from the one derived")
        for _, code in said.refused:
            if code < Refusal.MALFORMED or code not in Refusal.__members__.values():
                raise LedgerError(f"unknown refusal code {code} of an envelope")
        self.refused += len(said.refused)
        self.head, self._last_reading = head, step.reading
        self.steps += 1


def _register(members: Members, parties: int) -> Registry:
    registry = Registry()
    if [party for party, _ in members.keys] != list(range(parties)):
        raise LedgerError("members are not one key for each party, in order")
    for party, key in members.keys:
        registry.register(party, key)
    return registry


def _compare(what: str, derived: Int, recorded: npt.NDArray[Any]) -> None:
    """Raise LedgerError at the first element that differs; arrays (1, ...)."""
    for place in np.argwhere(derived != recorded)[:1]:
        at = tuple(int(i) for i in place)
        raise LedgerError(f"{what} {at[1:]} is recorded as {recorded[at]}, derived as {derived[at]}")
