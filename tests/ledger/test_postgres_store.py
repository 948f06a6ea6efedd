"""The store in PostgreSQL, on real servers; skipped where PostgreSQL or its driver is not installed."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.crash_blocks import check_blocks, draw_records, drill_signer, make_block
from experiments.crash_postgres import crash_postgres
from experiments.postgres_server import Server, find_programs, own_servers
from ledger.audit import verify
from ledger.postgres_store import PostgresStore
from ledger.segment_store import SegmentStore
from ledger.store import Tip, copy_blocks
from market.errors import ConfigError, LedgerError
from tests.ledger.small_world import SmallRun

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'digitalgrid[postgres]'")
SIGNER = drill_signer(2)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server without a standby."""
    try:
        find_programs()
    except ConfigError as error:
        pytest.skip(str(error))
    with own_servers("alone") as (alone,):
        alone.create()
        alone.start()
        yield alone


def fill(store: PostgresStore, count: int, seed: int = 0) -> list[bytes]:
    """Append so many blocks; their bytes."""
    dice, blocks = random.Random(seed), []
    for _ in range(count):
        tip = store.tip
        blocks.append(make_block(tip, draw_records(dice, 200), SIGNER))
        store.append(tip.height, tip.head, blocks[-1])
    return blocks


def test_a_chain_in_the_database_is_read_copied_and_gone_on_with(server: Server, tmp_path: Path) -> None:
    """By height, from its tip, beside other chains, and into segment files."""
    store, other = (PostgresStore(server.where, name, standby=False) for name in ("one", "another"))
    assert store.tip == Tip()
    blocks = fill(store, 70)
    fill(other, 2, seed=1)
    assert [block for block, _ in store.blocks(3)] == blocks[3:]
    assert store.read(69)[0] == blocks[69]
    with pytest.raises(LedgerError, match="there is no block 70"):
        store.read(70)
    store.close()
    again = PostgresStore(server.where, "one", standby=False)
    assert again.tip == Tip(70, check_blocks(again.blocks())[-1])
    files = SegmentStore(tmp_path / "files")
    assert copy_blocks(again.blocks(), files) == 70
    assert files.tip == again.tip
    for part in (again, other, files):
        part.close()


def test_a_run_goes_into_the_database_and_comes_back_as_files(server: Server, tmp_path: Path) -> None:
    """`ledger to-postgres` and `from-postgres`: what comes back is verified to the same head."""
    run = SmallRun([5, 6], "full", tmp_path / "ledger").run()
    there = ("--where", server.where, "--name", "small", "--no-standby")
    said = [
        CliRunner().invoke(app, ["ledger", verb, str(tmp_path / folder), *there]).output.splitlines()
        for verb, folder in (("to-postgres", "ledger"), ("to-postgres", "ledger"), ("from-postgres", "back"))
    ]
    assert said[1] == [f"world-000{world}: 0 blocks copied, 3 there" for world in range(2)]
    assert said[2] == [f"world-000{world}: 3 blocks" for world in range(2)]
    assert verify(tmp_path / "back", run.keeper.chain_head).ok
    missing = CliRunner().invoke(app, ["ledger", "from-postgres", str(tmp_path / "x"), *there[:3], "nothing", there[4]])
    assert "no ledger 'nothing' in this database" in missing.output


def test_of_two_writers_one_is_refused_and_no_fork_can_be_stored(server: Server) -> None:
    """Not by the store, and not by a client that goes around it either."""
    first, second = (PostgresStore(server.where, "contested", standby=False) for _ in range(2))
    fill(first, 2)
    with pytest.raises(LedgerError, match="block 0 is refused: another writer appended before"):
        fill(second, 1, seed=7)
    with psycopg.connect(server.where, autocommit=True) as client:
        row = "contested", 2, 1, bytes(32), bytes(range(32)), b"block"
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            client.execute("INSERT INTO digitalgrid_block VALUES (%s, %s, %s, %s, %s, %s)", row)
        with pytest.raises(psycopg.errors.CheckViolation):
            client.execute("INSERT INTO digitalgrid_block VALUES (%s, 2, NULL, %s, %s, '')", (row[0], row[3], row[4]))
        for change in ("DELETE FROM digitalgrid_block", "UPDATE digitalgrid_block SET block = ''"):
            with pytest.raises(psycopg.errors.RaiseException, match="only ever added"):
                client.execute(change)
    assert len(list(first.blocks())) == 2
    first.close()
    second.close()


@pytest.mark.slow
def test_a_server_that_cannot_keep_the_promise_is_refused(server: Server, tmp_path: Path) -> None:
    """No standby where one is asked for, nobody listening, no fsync."""
    with pytest.raises(ConfigError, match="waits for no standby"):
        PostgresStore(server.where, "one")
    with pytest.raises(LedgerError, match="no PostgreSQL server"):
        PostgresStore(f"host={tmp_path} dbname=postgres", "one", patience_s=1)
    server.stop()
    server.start(fsync="off")
    with pytest.raises(ConfigError, match="may lose commits"):
        PostgresStore(server.where, "one", standby=False)


@pytest.mark.slow
def test_a_commit_the_standby_does_not_confirm_is_not_acknowledged(server: Server) -> None:
    """The server only warns; the store fails, and goes on failing until it is opened again."""
    server.stop()
    server.start(synchronous_standby_names="gone", synchronous_commit="off")
    store = PostgresStore(server.where, "one", patience_s=0.3)
    tip = store.tip
    for _ in range(2):
        with pytest.raises(LedgerError, match=r"whether block .* is stored is not known: canceling wait"):
            fill(store, 1)
    with pytest.raises(LedgerError, match="is not known"):
        store.wait()
    assert store.tip == tip
    store.close()


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_the_primary_is_killed() -> None:
    """`digitalgrid ledger crash --store postgres`: the standby has it all, and the old primary acknowledges nothing."""
    try:
        report = crash_postgres(1, 0)
    except ConfigError as error:
        pytest.skip(str(error))
    assert report.ok, report.lines()
    assert report.blocks > 0
    assert report.after > 0
