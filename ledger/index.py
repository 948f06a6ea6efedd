"""A SQLite file beside a world's ledger that says where records are: built on demand, rebuilt at will, never believed.

The segments are the record, the index a shortcut to them: whatever it says is read from the segments and held against
the record's leaf and the block's header before it is given on. An index of another ledger, of a shorter one or of
damaged pages is built anew; one that lies within is found out by the record it names.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from ledger.admission import KEY_ID
from ledger.blocks import Block, header_hash, read_block
from ledger.encoding import SIGNATURE_BYTES, decode_heads, record_id
from ledger.merkle import Tree, is_included, leaf_hash
from ledger.proofs import FEWEST_DIGITS, Holders, Place, Proof
from ledger.records import RecordType, frame_record, split_envelope, split_records
from ledger.rules import read_genesis
from ledger.sealing import read_sealed
from ledger.segments import FRAME_BYTES, Position, find_segments, locate_frames, place_name, read_at
from ledger.store import Tip, follow
from market.errors import ConfigError, LedgerError

_TABLES = """
CREATE TABLE block (height INTEGER PRIMARY KEY, segment INTEGER, byte INTEGER, bytes INTEGER, head BLOB);
CREATE TABLE record (
    leaf INTEGER PRIMARY KEY, height INTEGER, number INTEGER, hash BLOB, id TEXT, party TEXT, slot INTEGER
);
CREATE INDEX record_id ON record (id) WHERE id IS NOT NULL;
CREATE INDEX record_party ON record (party, slot) WHERE party IS NOT NULL;
"""


class Index:
    """Where the records of one world's ledger are; built when the file is missing or does not fit the ledger.

    Args:
        folder: the world's ledger, only read.
        file: the index.

    Raises:
        LedgerError: the ledger cannot be read.
        ConfigError: the file cannot be written, or is something else.
    """

    def __init__(self, folder: Path, file: Path) -> None:
        self._folder, self._file = folder, file
        self.built = not _fits(folder, file)
        if self.built:
            build_index(folder, file)
        self._db = _open(file)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def count(self) -> tuple[int, int]:
        """Blocks and records known."""
        ((blocks,), (records,)) = self._rows("SELECT count(*) FROM block UNION ALL SELECT count(*) FROM record")
        return blocks, records

    def find(self, wanted: str) -> Place:
        """The record that a user names, as `ledger.proofs.find_record` does.

        Raises:
            ConfigError: the name is of no known form, or no record or several have it.
            LedgerError: the index does not fit the ledger.
        """
        name, columns = wanted.lower(), "SELECT leaf, height, number, hash FROM record WHERE"
        pair = name.split("/", 1)
        if name.isdecimal() and len(name) < FEWEST_DIGITS:
            rows = self._rows(f"{columns} leaf = ?", int(name))
        elif len(pair) == 2 and all(part.isdecimal() for part in pair):
            rows = self._rows(f"{columns} height = ? AND number = ?", *map(int, pair))
        elif len(name) >= FEWEST_DIGITS and not set(name) - set("0123456789abcdef"):
            # 'g' is the letter behind the last hexadecimal digit
            rows = self._rows(f"{columns} id >= ? AND id < ? LIMIT 2", name, name + "g")
        else:
            raise ConfigError(f"not the name of a record: {wanted!r}", do="give a leaf number, BLOCK/RECORD or an id")
        if not rows:
            raise ConfigError(
                f"no record {wanted!r} in this ledger", do="`digitalgrid ledger show FOLDER --records` lists"
            )
        if len(rows) > 1:
            raise ConfigError(f"several records are named {wanted!r}", do="give more digits of its id")
        return self._read(rows[0])

    def find_envelope(self, party: str, slot: str) -> Place:
        """The envelope that a party sent in a step; `slot` is a number or a time as `show` prints it.

        Raises:
            ConfigError: there is none.
            LedgerError: the index does not fit the ledger.
        """
        ((_, genesis),) = split_records(self.find("0").record)
        calendar = read_genesis(genesis).rules.calendar
        for *row, step in self._rows("SELECT leaf, height, number, hash, slot FROM record WHERE party = ?", party):
            if isinstance(step, int) and slot in (str(step), calendar.label(step)):
                return self._read(tuple(row))
        raise ConfigError(f"{party} sent nothing in slot {slot!r}", do="give a party and a slot or time of this ledger")

    def prove(self, place: Place) -> Proof:
        """The proof of a record under its block's log root, held against that root before it is given.

        Raises:
            LedgerError: the index does not fit the ledger.
        """
        block = self._block(place.height)
        size = block.header.tree_size
        leaves = [leaf for (leaf,) in self._rows("SELECT hash FROM record WHERE leaf < ? ORDER BY leaf", size)]
        known = len(leaves) == size and all(isinstance(leaf, bytes) for leaf in leaves)
        nodes = tuple(Tree(leaves).inclusion_proof(place.index)) if known else ()
        if not is_included(leaf_hash(place.record), place.index, size, nodes, block.header.log_root):
            raise self._misfit()
        return Proof(place, block, nodes)

    def _read(self, row: tuple[Any, ...]) -> Place:
        leaf, height, number, digest = row
        block = self._block(height)
        for at, (kind, body) in enumerate(split_records(block.records)):
            record = frame_record(kind, body)
            if (at, block.header.log_size + at, leaf_hash(record)) == (number, leaf, digest):
                return Place(record, block.header.log_size + at, block.header.height)
        raise self._misfit()

    def _block(self, height: int) -> Block:
        for segment, byte, head in self._rows("SELECT segment, byte, head FROM block WHERE height = ?", height):
            if isinstance(segment, int) and isinstance(byte, int) and byte >= 0:
                position = Position(segment, byte)
                block = read_block(read_at(self._folder, position), place_name(position))
                if (block.header.height, header_hash(block.header_bytes)) == (height, head):
                    return block
        raise self._misfit()

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except (sqlite3.Error, ValueError) as error:
            raise self._misfit() from error

    def _misfit(self) -> LedgerError:
        return LedgerError("index does not fit the ledger", where=str(self._file), do="delete it: it is built anew")


def build_index(folder: Path, file: Path) -> None:
    """Write the index of a world's ledger anew; the old one is replaced when the new one is whole.

    Raises:
        LedgerError: where bytes do not fit or the chain breaks.
        ConfigError: the file cannot be written, or is something else.
    """
    if file.exists() and not _is_index(file):
        raise ConfigError(
            "not the index of a ledger, it is left alone", where=str(file), do="delete it, or name another"
        )
    draft = file.with_name(file.name + ".new")
    try:
        draft.unlink(missing_ok=True)
        with closing(sqlite3.connect(draft)) as db:
            # a draft that a crash leaves is thrown away, so it need not be safe while it is made
            db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)
            _fill(db, folder)
            db.commit()
        os.replace(draft, file)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"index cannot be written: {error}", where=str(file)) from error


def _fill(db: sqlite3.Connection, folder: Path) -> None:
    tip, holders, leaf = Tip(), Holders(), 0
    for payload, position in locate_frames(folder):
        tip = follow(tip, payload, place_name(position))
        block = read_block(payload, place_name(position))
        height = block.header.height
        db.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?)", (height, *position, len(payload), tip.head))
        rows = []
        for number, (kind, body) in enumerate(split_records(block.records)):
            holders.take(kind, body)
            rows.append((leaf, height, number, leaf_hash(frame_record(kind, body)), *_names(holders, kind, body)))
            leaf += 1
        db.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _names(holders: Holders, kind: RecordType, body: bytes) -> tuple[str | None, str | None, int | None]:
    """Id, party and slot of an envelope; of a sealed order the id only; nothing of other records."""
    if kind == RecordType.SEALED:
        return read_sealed(body).record_id.hex(), None, None
    if kind != RecordType.ENVELOPE:
        return None, None, None
    envelope, _ = split_envelope(body)
    slot = int(decode_heads([envelope])[0]["slot"])
    return record_id(envelope[:-SIGNATURE_BYTES]).hex(), holders.names.get(envelope[KEY_ID]), slot


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)


def _is_index(file: Path) -> bool:
    return _ask(file, "SELECT count(*) FROM sqlite_master WHERE name IN ('block', 'record', 'record_id')") == (3,)


def _fits(folder: Path, file: Path) -> bool:
    """Whether the file is an index whose last block is the last of the ledger."""
    if not file.exists():
        return False
    last = _ask(file, "SELECT segment, byte, bytes, head FROM block ORDER BY height DESC LIMIT 1")
    paths = find_segments(folder)
    if last is None or last[0] != len(paths) - 1 or not all(isinstance(number, int) for number in last[:3]):
        return False
    segment, byte, size, head = last
    if paths[-1].stat().st_size != byte + FRAME_BYTES + size:
        return False
    try:
        block = read_block(read_at(folder, Position(segment, byte)), "")
    except LedgerError:
        return False
    return bool(header_hash(block.header_bytes) == head)


def _ask(file: Path, query: str) -> tuple[Any, ...] | None:
    """First row of an answer; None where the file is damaged or something else."""
    try:
        with closing(_open(file)) as db:
            row: tuple[Any, ...] | None = db.execute(query).fetchone()
    except (sqlite3.Error, ValueError):
        # a damaged text is no text
        return None
    return row
