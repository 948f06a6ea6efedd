"""The rules a ledger starts from: everything replay needs besides orders, plans and readings.

They stand as canonical JSON in the genesis record, so that a verifier rebuilds design, grid, accounts, terms and
calendar from the ledger alone. The genesis of a world is the rules, the scenario's settings, the world's key and start,
and the digests of its calendar (line capacities and outside prices) and of its opening (contracts of the slots whose
gates closed before the first step).
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ledger.encoding import CALENDAR_TAG, GENESIS_TAG, OPENING_TAG, canonical_json
from market.design import MarketDesign
from market.errors import LedgerError
from market.grid import Grid, Limit, Line
from market.groups import BalancingGroup
from market.imbalance import read_imbalance
from market.long_contracts import LongContract
from market.settlement import Accounts, Terms
from market.slots import HALF_HOURS, SlotCalendar
from market.units import Int

FORMAT, FORMAT_OF_AGREED = "digitalgrid-ledger/2", "digitalgrid-ledger/3"
"""Formats of a genesis: the second where the rules name balancing groups or long contracts, which version 2 cannot."""
_PARTS = {"calendar", "config", "format", "key", "opening", "rules", "start"}


@dataclass(frozen=True)
class Rules:
    """What every world of a run shares.

    `fuel` (parties,) is the fuel price of each party's export [mJPY/kWh], `source` (parties,) the
    `market.contracts.Source` of what it sells, `slots` the length of an episode, `agreed` the long
    contracts. `certified` (parties,) is 0 where a
    party's renewable energy gets no certificate (its DGC is not of type C, paper 1.4 item 32). It is empty, and not in
    the genesis, where all get them.
    """

    design: MarketDesign
    accounts: Accounts
    terms: Terms
    fuel: tuple[int, ...]
    source: tuple[int, ...]
    slots: int
    calendar: SlotCalendar = HALF_HOURS
    certified: tuple[int, ...] = ()
    agreed: tuple[LongContract, ...] = ()

    @property
    def grid(self) -> Grid:
        """Areas and lines."""
        return self.accounts.grid

    @property
    def parties(self) -> int:
        """Number of parties."""
        return self.accounts.parties

    @property
    def format(self) -> str:
        """Format of the genesis, which ledgers without groups and long contracts keep."""
        return FORMAT_OF_AGREED if self.accounts.groups or self.agreed else FORMAT

    @cached_property
    def text(self) -> str:
        """The rules as canonical JSON."""
        accounts, design = self.accounts, asdict(self.design)
        design["claims"] = sorted(design["claims"])
        # how orders travel decides nothing: with and without privacy a world has one genesis and one content head
        del design["privacy"]
        record = {
            "accounts": {
                "parties": list(accounts.party_names),
                "areas": [int(a) for a in accounts.party_area],
                "retailers": [int(r) for r in accounts.retailer],
            },
            "design": design,
            "fuel": [int(f) for f in self.fuel],
            "grid": {
                "areas": list(self.grid.areas),
                "limits": [[limit.name, list(limit.signs), limit.most_wh] for limit in self.grid.limits],
                "lines": [[line.name, line.source, line.target] for line in self.grid.lines],
            },
            "minutes": self.calendar.minutes,
            "slots": self.slots,
            "source": [int(s) for s in self.source],
            "terms": asdict(self.terms),
        }
        if accounts.groups:
            record["groups"] = [[g.name, g.area, list(g.members), g.allocation] for g in accounts.groups]
        if not all(self.certified):
            record["certified"] = [int(c) for c in self.certified]
        if self.agreed:
            record["agreed"] = [asdict(one) for one in self.agreed]
        return canonical_json(record).decode()


def read_rules(record: dict[str, Any]) -> Rules:
    """Rules from their JSON form; raises LedgerError when a part is missing or unknown."""
    try:
        design = {**record["design"], "claims": frozenset(record["design"]["claims"])}
        design["band_mjpy_kwh"] = tuple(design["band_mjpy_kwh"])
        grid = Grid(
            tuple(record["grid"]["areas"]),
            tuple(Line(*line) for line in record["grid"]["lines"]),
            tuple(Limit(name, tuple(signs), most) for name, signs, most in record["grid"]["limits"]),
        )
        who = record["accounts"]
        groups = (BalancingGroup(name, area, tuple(rows), rule) for name, area, rows, rule in record.get("groups", ()))
        names, areas, retailers = (tuple(who[name]) for name in ("parties", "areas", "retailers"))
        accounts = Accounts(grid, names, areas, retailers, tuple(groups))
        certified = tuple(record.get("certified", ()))
        if len(certified) not in (0, accounts.parties):
            raise ValueError("certified is not one number a party")
        return Rules(
            MarketDesign(**design),
            accounts,
            Terms(**{**record["terms"], "imbalance": read_imbalance(record["terms"]["imbalance"], len(grid.areas))}),
            tuple(record["fuel"]),
            tuple(record["source"]),
            record["slots"],
            SlotCalendar(record["minutes"]),
            certified,
            tuple(_read_agreed(one, accounts.parties) for one in record.get("agreed", ())),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise LedgerError(
            f"rules cannot be read: {error}", where="genesis", do="use the version that wrote it"
        ) from error


def _read_agreed(record: dict[str, Any], parties: int) -> LongContract:
    pairs = {name: tuple(tuple(row) for row in record[name]) for name in ("sellers", "wanted_wh")}
    one = LongContract(**{**record, **pairs, "buyers": tuple(record["buyers"])})
    if not all(0 <= row < parties for row in (*one.buyers, *(row for row, _ in one.sellers))):
        raise ValueError("a long contract names an unknown party")
    return one


def calendar_bytes(capacity_wh: Int, outside: Int) -> bytes:
    """Bytes of one world's line capacities (slots, lines, 2) [Wh] and outside prices (slots, areas) [mJPY/kWh]."""
    shape = np.array([capacity_wh.shape[0], capacity_wh.shape[1], outside.shape[1]], ">u4")
    return shape.tobytes() + capacity_wh.astype(">i8").tobytes() + outside.astype(">i8").tobytes()


def read_calendar(data: bytes) -> tuple[Int, Int]:
    """Capacities and outside prices back from `calendar_bytes`; raises LedgerError on any other length."""
    if len(data) < 12:
        raise LedgerError("calendar record is too short")
    slots, lines, areas = (int(n) for n in np.frombuffer(data[:12], ">u4"))
    split = 12 + slots * lines * 16
    if len(data) != split + slots * areas * 8:
        raise LedgerError("calendar record has a wrong length")
    capacity = np.frombuffer(data[12:split], ">i8").astype(np.int64).reshape(slots, lines, 2)
    return capacity, np.frombuffer(data[split:], ">i8").astype(np.int64).reshape(slots, areas)


def genesis_bytes(rules: Rules, config_text: str, world_key: int, start: int, calendar: bytes, opening: bytes) -> bytes:
    """Genesis of one world in canonical JSON; `config_text` is canonical JSON of the scenario's settings."""
    return (
        f'{{"calendar":"{calendar_digest(calendar)}","config":{config_text},"format":"{rules.format}",'
        f'"key":{world_key},"opening":"{opening_digest(opening)}","rules":{rules.text},"start":{start}}}'
    ).encode()


def calendar_digest(calendar: bytes) -> str:
    """How a genesis names its calendar."""
    return hashlib.sha256(CALENDAR_TAG + calendar).hexdigest()


def opening_digest(opening: bytes) -> str:
    """How a genesis names its opening."""
    return hashlib.sha256(OPENING_TAG + opening).hexdigest()


def genesis_head(genesis: bytes) -> bytes:
    """Content head before the first step."""
    return hashlib.sha256(GENESIS_TAG + genesis).digest()


@dataclass(frozen=True)
class Genesis:
    """A genesis record, read."""

    rules: Rules
    config: dict[str, Any]
    key: int
    start: int
    calendar: str
    opening: str


def read_genesis(data: bytes) -> Genesis:
    """Read a genesis record; raises LedgerError unless it is canonical JSON of this format."""
    try:
        record = json.loads(data)
        known = canonical_json(record) == data and record["format"] in (FORMAT, FORMAT_OF_AGREED)
        known &= set(record) == _PARTS
        parts = record["rules"], record["config"], record["key"], record["start"]
        digests = record["calendar"], record["opening"]
        json.loads(canonical_json(parts[0]), parse_float=_refuse_float)
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerError("genesis cannot be read", do="use the version that wrote it") from error
    if not known:
        raise LedgerError("genesis is not of this format", do=f"this version reads {FORMAT} and {FORMAT_OF_AGREED}")
    rules = read_rules(parts[0])
    if rules.format != record["format"]:
        raise LedgerError(f"rules are not of format {record['format']}", where="genesis")
    if rules.text.encode() != canonical_json(parts[0]):
        raise LedgerError("rules of the genesis have more than one spelling", where="genesis")
    return Genesis(rules, *parts[1:], *digests)


def _refuse_float(text: str) -> None:
    raise ValueError(f"{text} is not an integer")
