"""Why a contract exists: the orders that were signed, the book they met, the room on the lines, and what it posted.

A contract is named `BLOCK/RECORD#ROW`, as `ledger show --records` counts blocks, records and the rows of a record, or
`SLOT/SELLER/BUYER`, where needed with `/REFERENCE` of either order; a slot is a number or `yyyy-mm-dd hh:mm`. The whole
ledger is derived again on the way (`ledger.audit`), so nothing is told that does not follow from it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ledger.admission import KEY_ID
from ledger.audit import WorldAudit
from ledger.content import fixed_dtype
from ledger.encoding import SIGNATURE_BYTES, decode_rows, record_id
from ledger.outages import read_outage
from ledger.proofs import Place, places
from ledger.quorum import Administrators
from ledger.records import RecordType, read_step, split_envelope
from ledger.replay import Matched
from ledger.rules import Genesis, read_genesis
from market.contracts import CONTRACT, CONTRACT_WIRE
from market.errors import ConfigError, LedgerError
from market.exchange import NO_PRICE
from market.orders import Kind, Side
from market.outages import no_curtailed
from market.settlement import KINDS, PostingKind, post_contracts
from market.tables import Table, from_wire, join_rows, pick_rows

NO_ENERGY = (int(Kind.CANCEL), int(Kind.BLOCK))
"""Kinds of rows that offer or ask for no energy themselves."""
MOST_NAMED = 6
"""Contracts offered where several fit a name."""


@dataclass(frozen=True)
class Found:
    """A contract by its place: record, row within it, number in order of formation, and itself (one CONTRACT row)."""

    place: Place
    name: str
    number: int
    kind: RecordType
    contract: Table


@dataclass(frozen=True)
class Said:
    """An envelope that bears on a contract: leaf, verbatim bytes, and the row of the order in it (None: its plan)."""

    leaf: int
    envelope: bytes
    row: int | None

    @property
    def record_id(self) -> str:
        """Id of the envelope, in hexadecimal."""
        return record_id(self.envelope[:-SIGNATURE_BYTES]).hex()

    @property
    def order(self) -> Table | None:
        """The order, one ORDER row; None where the plan made the contract."""
        return None if self.row is None else decode_rows([self.envelope])[self.row : self.row + 1]


@dataclass
class Story:
    """All that a verified ledger says of one contract.

    said: by side, the envelope that carried the order, or the plan of a contract of last resort; matched: the book and
    the lines when it formed; curtailed: CURTAILED rows of outages that cut it; settled: leaf of the step that posted
    it; head, content_head: what the ledger verified to; changes: epochs of administrators that began in it.
    """

    genesis: Genesis
    found: Found
    said: dict[Side, Said] = field(default_factory=dict)
    matched: Matched | None = None
    curtailed: Table = field(default_factory=no_curtailed)
    settled: int | None = None
    head: bytes = b""
    content_head: bytes = b""
    changes: tuple[str, ...] = ()

    @property
    def contract(self) -> Table:
        """The contract as it formed, one CONTRACT row."""
        return self.found.contract

    def party(self, side: Side) -> int:
        """Row of the seller or the buyer."""
        return int(self.contract["seller" if side == Side.SELL else "buyer"][0])

    def party_name(self, side: Side) -> str:
        """Name of the seller or the buyer."""
        return self.genesis.rules.accounts.party_names[self.party(side)]

    def standing(self) -> Table:
        """The contract with the energy that outages left."""
        left = self.contract.copy()
        left["energy"] -= self.curtailed["energy"].sum()
        return left


def find_contract(folder: Path, wanted: str) -> Found:
    """The contract of one world's ledger that a user names; nothing is checked here.

    Raises:
        ConfigError: the name is of no known form, or no contract or several have it.
        LedgerError: where bytes do not fit.
    """
    if "#" not in wanted and not 3 <= len(wanted.split("/")) <= 4:
        raise ConfigError(f"not the name of a contract: {wanted!r}", do="write BLOCK/RECORD#ROW or SLOT/SELLER/BUYER")
    found = [found for found, fits in _contracts(folder, wanted) if fits]
    if not found:
        raise ConfigError(f"no contract {wanted!r} in this ledger", do="`digitalgrid statement` lists a party's")
    if len(found) > 1:
        some = ", ".join(one.name for one in found[:MOST_NAMED])
        raise ConfigError(f"{len(found)} contracts are named {wanted!r}", do=f"name one of {some}")
    return found[0]


def tell(folder: Path, wanted: str, trust_source: bool = False, administrators: Administrators | None = None) -> Story:
    """Derive one world's ledger again and tell a contract's story; `administrators`: whose epochs are followed.

    Raises:
        ConfigError: as `find_contract`.
        LedgerError: the ledger does not verify.
    """
    found = find_contract(folder, wanted)
    witness = _Witness(found, trust_source, administrators)
    witness.run(folder)
    story = Story(witness.replayed.genesis, found, witness.said, witness.matched, witness.curtailed, witness.settled)
    story.head, story.content_head = witness.chain.head, witness.replayed.head
    story.changes = tuple(map(str, witness.chain.changes))
    return story


class _Witness(WorldAudit):
    """Audits a ledger and keeps what bears on one contract."""

    def __init__(self, found: Found, trust_source: bool, administrators: Administrators | None) -> None:
        super().__init__(trust_source, administrators)
        self._found = found
        self._leaves: list[tuple[int, bytes]] = []
        self.said: dict[Side, Said] = {}
        self.matched: Matched | None = None
        self.curtailed = no_curtailed()
        self.settled: int | None = None

    def _take(self, kind: RecordType, body: bytes) -> None:
        super()._take(kind, body)
        if kind == RecordType.ENVELOPE:
            self._leaves.append((self._seen, body))
        elif kind == RecordType.OUTAGE:
            cut = read_outage(body)[1]
            self.curtailed = join_rows(self.curtailed, pick_rows(cut, cut["number"] == self._found.number))
        elif kind == RecordType.STEP:
            self._look()
            self._leaves = []

    def _look(self) -> None:
        """After a step: was one of the orders said in it, did the contract form in it, was it settled in it?"""
        contract, slot = self._found.contract, self.replayed.slot - 1
        formed = int(contract["formed"][0])
        if slot <= formed and self._found.kind == RecordType.STEP:
            for leaf, body in self._leaves:
                self._hear(leaf, *split_envelope(body), forms=slot == formed)
        if slot == formed:
            self.matched = self.replayed.matched
        if slot == int(contract["slot"][0]):
            self.settled = self._seen

    def _hear(self, leaf: int, envelope: bytes, codes: bytes, forms: bool) -> None:
        party, contract = self.replayed.registry.find(envelope[KEY_ID]).party, self._found.contract
        for side, who, name in ((Side.SELL, "seller", "sell_reference"), (Side.BUY, "buyer", "buy_reference")):
            if party != contract[who][0]:
                continue
            if contract["last_resort"][0]:
                if forms:
                    self.said[side] = Said(leaf, envelope, None)
                continue
            rows = decode_rows([envelope])
            fits = (rows["reference"] == contract[name][0]) & (rows["slot"] == contract["slot"][0])
            fits &= (rows["side"] == side) & ~np.isin(rows["kind"], NO_ENERGY) & (np.frombuffer(codes, np.uint8) == 0)
            for row in np.flatnonzero(fits)[-1:]:
                self.said[side] = Said(leaf, envelope, int(row))


def describe_book(story: Story) -> dict[str, Any] | None:
    """The book of the contract's slot when it formed: the last orders that traded, the first that did not, prices.

    Of a resting order that was replaced in the step only the new one is shown. None for a contract of last resort.
    """
    matched, contract = story.matched, story.contract[0]
    if matched is None or contract["last_resort"]:
        return None
    rules, slot = story.genesis.rules, int(contract["slot"])
    made = matched.outcome.contracts
    made = pick_rows(made, (made["slot"] == slot) & (made["last_resort"] == 0))
    live = [
        {"side": int(row["side"]), "price": int(row["price"]), "party": int(row["party"]), **_filled(row, made)}
        for row in _book(matched, slot)
    ]
    sales = [one for one in live if one["side"] == Side.SELL]
    purchases = [one for one in live if one["side"] == Side.BUY]
    picks = {
        "dearest_sale_traded": max((o for o in sales if o["traded_wh"]), key=lambda o: o["price"], default=None),
        "cheapest_sale_left": min((o for o in sales if o["left_wh"]), key=lambda o: o["price"], default=None),
        "cheapest_purchase_traded": min(
            (o for o in purchases if o["traded_wh"]), key=lambda o: o["price"], default=None
        ),
        "dearest_purchase_left": max((o for o in purchases if o["left_wh"]), key=lambda o: o["price"], default=None),
    }
    names = rules.accounts.party_names
    shown = {pick: None if one is None else _describe_order(one, names[one["party"]]) for pick, one in picks.items()}
    return {"sales": len(sales), "purchases": len(purchases), **shown, "area_prices_mjpy_kwh": _prices(story, matched)}


def describe_lines(story: Story) -> list[dict[str, Any]]:
    """Each line on the contract's path: its capacity, and what was committed before and after the step it formed in."""
    matched, contract = story.matched, story.contract[0]
    if matched is None or contract["last_resort"]:
        return []
    rules, market = story.genesis.rules, int(contract["slot"]) - story.genesis.start
    paths = matched.outcome.paths or rules.grid.paths
    lines = []
    for step in paths[int(contract["path"])]:
        line, way = abs(step) - 1, 0 if step > 0 else 1
        room = int(matched.capacity_wh[market, line, way])
        before, after = (
            int(flow[market, line, way]) - (int(flow[market, line, 1 - way]) if rules.design.netting else 0)
            for flow in (matched.flow_wh, matched.outcome.flow_wh)
        )
        lines.append(
            {
                "line": rules.grid.lines[line].name,
                "way": ("forward", "backward")[way],
                "capacity_wh": room,
                "committed_before_wh": before,
                "committed_after_wh": after,
                "room_left_wh": room - after,
            }
        )
    return lines


def describe_postings(story: Story) -> list[dict[str, Any]]:
    """What the contract posts at delivery, account by account, as outages left it; outage payments stand below."""
    rules, left = story.genesis.rules, story.standing()
    money = np.zeros((1, rules.accounts.count, KINDS), np.int64)
    post_contracts(money, np.zeros(1, np.int64), left, rules.terms, rules.accounts)
    for row in story.curtailed:
        for side, name in ((Side.BUY, "buyer_ujpy"), (Side.SELL, "seller_ujpy")):
            money[0, story.party(side), PostingKind.OUTAGE] += row[name]
            money[0, rules.accounts.row("line_outage"), PostingKind.OUTAGE] -= row[name]
    names = rules.accounts.names
    return [
        {"account": names[account], "kind": PostingKind(kind).name.lower(), "ujpy": int(money[0, account, kind])}
        for account, kind in np.argwhere(money[0])
    ]


def _contracts(folder: Path, wanted: str) -> Iterator[tuple[Found, bool]]:
    """Every contract of a ledger, and whether it has the name."""
    genesis, count, height, number = None, 0, -1, 0
    for place, kind, body in places(folder):
        height, number = place.height, number + 1 if place.height == height else 0
        if kind == RecordType.GENESIS:
            genesis = read_genesis(body)
        if kind not in (RecordType.OPENING, RecordType.STEP):
            continue
        if genesis is None:
            raise LedgerError("ledger does not begin with a genesis record")
        table = _table(genesis, kind, body)
        for row in range(len(table)):
            contract, name = table[row : row + 1], f"{height}/{number}#{row}"
            yield Found(place, name, count, kind, contract), _fits(genesis, contract[0], name, wanted)
            count += 1


def _table(genesis: Genesis, kind: RecordType, body: bytes) -> Table:
    if kind == RecordType.STEP:
        accounts = genesis.rules.accounts
        fixed = fixed_dtype(accounts.parties, accounts.count, KINDS)
        body = read_step(body, fixed.itemsize, CONTRACT_WIRE.itemsize).contracts
    return from_wire(body, CONTRACT_WIRE, CONTRACT)


def _fits(genesis: Genesis, contract: np.void, name: str, wanted: str) -> bool:
    if "#" in wanted:
        return wanted == name
    slot, seller, buyer, *reference = wanted.split("/")
    rules, number = genesis.rules, int(contract["slot"])
    names = rules.accounts.party_names
    references = {str(contract["sell_reference"]), str(contract["buy_reference"])}
    return (
        slot in (str(number), rules.calendar.label(number))
        and (seller, buyer) == (names[contract["seller"]], names[contract["buyer"]])
        and (not reference or reference[0] in references)
    )


def _book(matched: Matched, slot: int) -> Table:
    """Orders of a slot that were live in a step: those that rested and were not withdrawn, and those that came."""
    rested = pick_rows(matched.resting, matched.resting["slot"] == slot)
    came = pick_rows(matched.orders, matched.orders["slot"] == slot)
    gone = {(int(row["party"]), int(row["reference"])) for row in came if row["kind"] != Kind.NEW}
    kept = np.array([(int(row["party"]), int(row["reference"])) not in gone for row in rested], np.bool_)
    return join_rows(pick_rows(rested, kept), pick_rows(came, ~np.isin(came["kind"], NO_ENERGY)))


def _filled(row: np.void, made: Table) -> dict[str, int]:
    """Energy of an order that traded in the step, and what was left of it."""
    who, reference = ("seller", "sell_reference") if row["side"] == Side.SELL else ("buyer", "buy_reference")
    mine = (made[who] == row["party"]) & (made[reference] == row["reference"])
    traded = int(made["energy"].sum(where=mine))
    return {"traded_wh": traded, "left_wh": max(int(row["energy"]) - traded, 0)}


def _describe_order(one: dict[str, int], party: str) -> dict[str, Any]:
    return {
        "party": party,
        "price_mjpy_kwh": one["price"],
        "traded_wh": one["traded_wh"],
        "left_wh": one["left_wh"],
    }


def _prices(story: Story, matched: Matched) -> dict[str, int | None] | None:
    """Clearing price of each area of a uniform design in the contract's slot, None without trade."""
    if matched.outcome.price is None:
        return None
    row = matched.outcome.price[int(story.contract["slot"][0]) - story.genesis.start]
    areas = story.genesis.rules.grid.areas
    return {area: None if price == NO_PRICE else int(price) for area, price in zip(areas, row, strict=True)}
