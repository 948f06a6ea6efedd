"""Where a record stands in a world's ledger, and the proof of it.

Read from the folder, which is not verified here: a proof that does not hold is refused by whoever checks it
(`ledger.receipts`), so a damaged or altered ledger can give no good one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ledger.admission import KEY_ID
from ledger.blocks import Block
from ledger.encoding import SIGNATURE_BYTES, decode_heads, record_id
from ledger.journal import read_blocks
from ledger.keys import key_id_of
from ledger.merkle import Tree, leaf_hash
from ledger.records import RecordType, frame_record, read_members, split_envelope, split_records
from ledger.registrations import read_enrolment, read_rotation
from ledger.rules import Rules, read_genesis
from ledger.sealing import read_sealed
from market.errors import ConfigError, LedgerError

FEWEST_DIGITS = 8
"""Hexadecimal digits of an envelope's id that are enough to look for it."""


@dataclass(frozen=True)
class Place:
    """A record and where it stands: its framed bytes, its leaf among all records, its block's height."""

    record: bytes
    index: int
    height: int


@dataclass(frozen=True)
class Proof:
    """A record under a block's log root: `nodes` are the siblings on its way up, lowest first."""

    place: Place
    block: Block
    nodes: tuple[bytes, ...]


def places(folder: Path) -> Iterator[tuple[Place, RecordType, bytes]]:
    """Every record of one world's ledger with its place, type and body; raises LedgerError where bytes do not fit."""
    index = 0
    for block in read_blocks(folder):
        for kind, body in split_records(block.records):
            yield Place(frame_record(kind, body), index, block.header.height), kind, body
            index += 1


def find_record(folder: Path, wanted: str) -> Place:
    """The record that a user names: its leaf number, `BLOCK/RECORD` as `show` counts, or an id.

    An id is that of an envelope or of a sealed order. Of an id the first eight hexadecimal digits are enough.

    Raises:
        ConfigError: the name is of no known form, or no record or several have it.
        LedgerError: where bytes do not fit.
    """
    found = [place for place, name in _named(folder, wanted.lower()) if name]
    if not found:
        raise ConfigError(f"no record {wanted!r} in this ledger", do="`digitalgrid ledger show FOLDER --records` lists")
    if len(found) > 1:
        raise ConfigError(f"{len(found)} records are named {wanted!r}", do="give more digits of its id")
    return found[0]


def find_envelope(folder: Path, party: str, slot: str) -> Place:
    """The envelope that a party sent in a step; `slot` is a number or a time as `show` prints it.

    Raises:
        ConfigError: no such party, or it sent nothing then.
        LedgerError: where bytes do not fit.
    """
    holders = Holders()
    for place, kind, body in places(folder):
        holders.take(kind, body)
        if kind == RecordType.ENVELOPE and holders.names.get(body[KEY_ID]) == party:
            step = int(decode_heads([body])[0]["slot"])
            if slot in (str(step), holders.rules.calendar.label(step)):
                return place
    names = holders.rules.accounts.party_names
    if party not in names:
        raise ConfigError(f"no party {party!r} in this ledger", do=f"choose one of {', '.join(names)}")
    raise ConfigError(f"{party} sent nothing in slot {slot!r}", do="give a slot number or a time, 2018-04-22 10:00")


def prove(folder: Path, place: Place) -> Proof:
    """The proof of a record under the log root of its own block; raises LedgerError where bytes do not fit."""
    tree = Tree()
    for block in read_blocks(folder):
        for kind, body in split_records(block.records):
            tree.append(leaf_hash(frame_record(kind, body)))
        if block.header.height == place.height:
            return Proof(place, block, tuple(tree.inclusion_proof(place.index)))
    raise LedgerError(f"ledger has no block {place.height}", where=str(folder))


class Holders:
    """Follows which key is or was whose: `names` by key id."""

    def __init__(self) -> None:
        self.names: dict[bytes, str] = {}
        self._rules: Rules | None = None

    @property
    def rules(self) -> Rules:
        """The rules of the genesis record; raises LedgerError before it."""
        if self._rules is None:
            raise LedgerError("ledger does not begin with a genesis record")
        return self._rules

    def take(self, kind: RecordType, body: bytes) -> None:
        """Learn from any record."""
        if kind == RecordType.GENESIS:
            self._rules = read_genesis(body).rules
        elif kind == RecordType.MEMBERS:
            for party, key in read_members(body).keys:
                self._add(key, self._name(party))
        elif kind == RecordType.ENROL:
            enrolment = read_enrolment(body)
            self._add(enrolment.public_key, self._name(enrolment.party))
        elif kind == RecordType.ROTATE:
            rotation = read_rotation(body)
            self._add(rotation.public_key, self.names.get(rotation.key_id, ""))

    def _add(self, key: bytes, name: str) -> None:
        self.names[key_id_of(key)] = name

    def _name(self, party: int) -> str:
        names = self.rules.accounts.party_names
        return names[party] if party < len(names) else str(party)


def _named(folder: Path, wanted: str) -> Iterator[tuple[Place, bool]]:
    is_number, is_pair = wanted.isdecimal(), all(part.isdecimal() for part in wanted.split("/"))
    is_id = len(wanted) >= FEWEST_DIGITS and not set(wanted) - set("0123456789abcdef")
    if not (is_number or is_pair or is_id):
        raise ConfigError(f"not the name of a record: {wanted!r}", do="give a leaf number, BLOCK/RECORD or an id")
    height, number = -1, 0
    for place, kind, body in places(folder):
        height, number = place.height, number + 1 if place.height == height else 0
        if is_id and kind == RecordType.ENVELOPE:
            envelope, _ = split_envelope(body)
            yield place, record_id(envelope[:-SIGNATURE_BYTES]).hex().startswith(wanted)
        elif is_id and kind == RecordType.SEALED:
            yield place, read_sealed(body).record_id.hex().startswith(wanted)
        elif is_number and len(wanted) < FEWEST_DIGITS:
            yield place, int(wanted) == place.index
        elif is_pair and "/" in wanted:
            yield place, wanted == f"{height}/{number}"
