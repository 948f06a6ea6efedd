"""A store of blocks in PostgreSQL (15 or newer) with a synchronous standby: the store of many nodes.

One table holds the blocks of any number of ledgers. Its keys are compare-and-append: a ledger has one block of a height
(primary key), and a block names the hash of the one stored below it (foreign key), so two writers cannot make a fork in
one database whatever they run. Blocks are only ever inserted.

`append` returns when the commit is on the disks of the primary and of a standby (`synchronous_commit = on`,
`synchronous_standby_names` set; PostgreSQL manual 27.2.8). A commit that gives up waiting for the standby ends with a
warning and not with an error: here it is a failure. Two databases that both take writes can still hold two chains;
that only one of them is certified is the work of the administrators who cosign.

The driver (psycopg 3) is an extra: `pip install 'digitalgrid[postgres]'`.
"""

from collections.abc import Iterator
from threading import Timer
from typing import TYPE_CHECKING, Any, LiteralString

from ledger.blocks import header_hash, read_block
from ledger.store import Tip, check_next
from market.errors import ConfigError, LedgerError

if TYPE_CHECKING:
    import psycopg

PATIENCE_S = 30.0
PAGE = 64
"""Blocks fetched at a time."""
_TABLE: tuple[LiteralString, ...] = (
    # two clients that create it at once would collide in the catalogue
    "SELECT pg_advisory_xact_lock(4442724)",
    """
    CREATE TABLE IF NOT EXISTS digitalgrid_block (
        ledger text NOT NULL,
        height bigint NOT NULL CHECK (height >= 0),
        before bigint CHECK (before IS NOT DISTINCT FROM nullif(height - 1, -1)),
        previous bytea NOT NULL CHECK (height > 0 OR previous = decode(repeat('00', 32), 'hex')),
        head bytea NOT NULL CHECK (octet_length(head) = 32),
        block bytea NOT NULL,
        PRIMARY KEY (ledger, height),
        UNIQUE (ledger, height, head),
        FOREIGN KEY (ledger, before, previous) REFERENCES digitalgrid_block (ledger, height, head)
    )
    """,
    # signatures and hashes do not compress
    "ALTER TABLE digitalgrid_block ALTER COLUMN block SET STORAGE EXTERNAL",
    """
    CREATE OR REPLACE FUNCTION digitalgrid_refuse() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''blocks are only ever added''; END'
    """,
    """
    CREATE OR REPLACE TRIGGER digitalgrid_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON digitalgrid_block
    FOR EACH STATEMENT EXECUTE FUNCTION digitalgrid_refuse()
    """,
)


class PostgresStore:
    """A `ledger.store.LogStore` in a database.

    Args:
        where: connection string of the primary (`host=... dbname=...`).
        ledger: name of the chain in the table.
        standby: whether a commit must wait for a synchronous standby; the server has to be set up for it.
        patience_s: how long a connection or a commit may take [s].

    Raises:
        ConfigError: the driver is missing, or the server does not promise what is asked for.
        LedgerError: the server cannot be reached.
    """

    def __init__(self, where: str, ledger: str, *, standby: bool = True, patience_s: float = PATIENCE_S) -> None:
        self._ledger, self._patience_s, self._warnings = ledger, patience_s, list[str]()
        self._failure: LedgerError | None = None
        self._where = f"PostgreSQL, ledger {ledger}"
        self._server = _connect(where, patience_s)
        try:
            _check_server(self._server, standby)
            self._server.add_notice_handler(self._hear)
            if self._ask("SELECT to_regclass('digitalgrid_block')") == [(None,)]:
                with self._server.transaction():
                    for statement in _TABLE:
                        self._server.execute(statement)
            ends = self._ask(
                "SELECT height, head FROM digitalgrid_block WHERE ledger = %s ORDER BY height DESC LIMIT 1", ledger
            )
        except BaseException:
            self._server.close()
            raise
        self._tip = Tip(ends[0][0] + 1, ends[0][1]) if ends else Tip()

    @property
    def tip(self) -> Tip:
        """Where the chain ended when the store was opened, and with what was appended through it since."""
        return self._tip

    def append(self, height: int, previous: bytes, block: bytes) -> None:
        """Commit a block behind the tip, on the standby too where one is asked for.

        Raises:
            LedgerError: the block is refused, nothing was stored; or it is not known whether it was: then every later
                call raises the same, and the tip of a store opened anew tells.
        """
        import psycopg

        if self._failure is not None:
            raise self._failure
        after = check_next(self._tip, height, previous, block, self._where)
        row = (self._ledger, height, height - 1 if height else None, previous, after.head, block)
        self._warnings.clear()
        # the server's own limit of time does not hold for a commit that waits for the standby
        giving_up = Timer(self._patience_s, self._server.cancel_safe)
        giving_up.start()
        try:
            self._server.execute("INSERT INTO digitalgrid_block VALUES (%s, %s, %s, %s, %s, %s)", row)
        except psycopg.IntegrityError as error:
            raise LedgerError(
                f"block {height} is refused: another writer appended before",
                where=self._where,
                do="open the store again and go on from its tip",
            ) from error
        except psycopg.Error as error:
            raise self._fail(height, _words(error)) from error
        finally:
            giving_up.cancel()
        if self._warnings:
            raise self._fail(height, self._warnings[0])
        self._tip = after

    def wait(self) -> None:
        """Return at once, for `append` has waited; raises LedgerError after a failure."""
        if self._failure is not None:
            raise self._failure

    def read(self, height: int) -> tuple[bytes, str]:
        """Bytes and place of one block; raises LedgerError where there is none or it is not the one stored."""
        for block, place in self._fetch(height, 1):
            return block, place
        raise LedgerError(f"there is no block {height}", where=self._where)

    def blocks(self, first: int = 0) -> Iterator[tuple[bytes, str]]:
        """Bytes and place of each block from height `first` on; raises LedgerError at the first that does not fit."""
        for height in range(first, self._tip.height, PAGE):
            yield from self._fetch(height, min(PAGE, self._tip.height - height))

    def close(self) -> None:
        """Leave the server; a second call does nothing."""
        self._server.close()

    def _fetch(self, first: int, count: int) -> Iterator[tuple[bytes, str]]:
        rows = self._ask(
            "SELECT height, head, block FROM digitalgrid_block"
            " WHERE ledger = %s AND height >= %s AND height < %s ORDER BY height",
            self._ledger,
            first,
            first + count,
        )
        for expected, (height, head, block) in enumerate(rows, first):
            place = f"{self._where}, block {expected}"
            if height != expected or header_hash(read_block(block, place).header_bytes) != head:
                raise LedgerError("block is missing or not the one that was stored", where=place)
            yield block, place

    def _ask(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        import psycopg

        try:
            rows: list[tuple[Any, ...]] = self._server.execute(query, values or None).fetchall()
        except psycopg.Error as error:
            raise LedgerError(f"cannot read: {_words(error)}", where=self._where) from error
        return rows

    def _hear(self, notice: "psycopg.errors.Diagnostic") -> None:
        if notice.severity_nonlocalized == "WARNING":
            self._warnings.append(notice.message_primary or "a warning without words")

    def _fail(self, height: int, why: str) -> LedgerError:
        self._failure = LedgerError(
            f"whether block {height} is stored is not known: {why}",
            where=self._where,
            do="open the store again: its tip tells",
        )
        return self._failure


def _words(error: Exception) -> str:
    return " ".join(str(error).split())


def _connect(where: str, patience_s: float) -> "psycopg.Connection[tuple[Any, ...]]":
    try:
        import psycopg
    except ImportError as error:
        raise ConfigError("the PostgreSQL store needs psycopg", do="pip install 'digitalgrid[postgres]'") from error
    try:
        server = psycopg.connect(
            where,
            autocommit=True,
            connect_timeout=max(2, round(patience_s)),
            # a machine that is gone does not close its connections
            tcp_user_timeout=round(1_000 * patience_s),
        )
        # warnings of the commit must be heard
        for name, value in (("client_min_messages", "warning"), ("synchronous_commit", "on")):
            server.execute("SELECT set_config(%s, %s, false)", (name, value))
    except psycopg.Error as error:
        raise LedgerError(f"no PostgreSQL server: {_words(error)}", do="start it") from error
    return server


def _check_server(server: "psycopg.Connection[tuple[Any, ...]]", standby: bool) -> None:
    """Raise ConfigError unless a commit on this server means what the store promises."""
    wanted = "on", "on", "off"
    said = server.execute(
        "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('in_hot_standby'),"
        " current_setting('synchronous_standby_names')"
    ).fetchone()
    assert said is not None
    if said[2] == "on":
        raise ConfigError("this server is a standby", do="give the primary, or promote the standby first")
    if said[:3] != wanted:
        raise ConfigError("this server may lose commits in a power cut", do="set fsync and full_page_writes to on")
    if standby and not said[3]:
        raise ConfigError(
            "this server waits for no standby", do="set synchronous_standby_names, or ask for a store without standby"
        )
