"""Verbs of `digitalgrid ledger` about stores: crash, mend, index and prune them; `cli_ledger` adds them."""

import json
from collections.abc import Callable
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli_ledger import Administrators, Folder, Json, keys_of, worlds_of
from market.errors import ConfigError, LedgerError

Seed = Annotated[int, typer.Option(help="The same seed gives the same blocks and moments.")]

Out = Annotated[Path, typer.Argument(help="Folder to make.")]
Where = Annotated[str, typer.Option(help="Connection string of the primary, without a password: that is PGPASSWORD's.")]
Name = Annotated[str, typer.Option(help="What the ledger is called in the database.")]
NoStandby = Annotated[bool, typer.Option("--no-standby", help="Do not ask for commits that wait for a standby.")]


class Store(StrEnum):
    """Kinds of stores that can be crashed."""

    SEGMENTS = "segments"
    POSTGRES = "postgres"


def crash_store(
    rounds: Annotated[int | None, typer.Option(min=1, help="300 for segments, 3 for postgres if not given.")] = None,
    store: Annotated[Store, typer.Option(help="Segment files, or PostgreSQL with a standby.")] = Store.SEGMENTS,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Kill writers (or a PostgreSQL primary) under load, and see whether all they acknowledged is there; exit 1 if not.

    Works in a folder of its own that is thrown away. 300 rounds on segment files take about four minutes.
    Example: `digitalgrid ledger crash --rounds 300`, `digitalgrid ledger crash --store postgres`
    """
    from experiments.crash_drill import crash_segments
    from experiments.crash_postgres import crash_postgres
    from experiments.screen import with_progress

    crash, usual = (crash_segments, 300) if store is Store.SEGMENTS else (crash_postgres, 3)
    report = with_progress("crashing", lambda progress: crash(rounds or usual, seed, progress))
    if as_json:
        typer.echo(json.dumps(vars(report), indent=2))
    else:
        for line in report.lines():
            typer.echo(line)
    raise typer.Exit(0 if report.ok else 1)


def recover_ledger(
    folder: Folder,
    cut_damaged: Annotated[
        bool, typer.Option("--cut-damaged", help="Also take off a last block that is damaged, not unfinished.")
    ] = False,
) -> None:
    """Take off what a crash left unfinished at the end of a ledger; the bytes are kept in a file beside.

    Whole blocks are never touched, damage elsewhere is reported and left. A ledger that was not closed stays so.
    Example: `digitalgrid ledger recover runs/demo`
    """
    from ledger.segment_store import SegmentStore

    for world in worlds_of(folder):
        store, cut = SegmentStore.reopen(world, damaged=cut_damaged)
        store.close()
        typer.echo(f"{world.name}: {cut or f'nothing unfinished, {store.tip.height} whole blocks'}")


def index_ledger(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="File to make or make anew.")],
    world: Annotated[int, typer.Option(min=0, help="World of a run of several.")] = 0,
) -> None:
    """Write a SQLite file that says where the records of a world are, for `ledger prove --index`.

    It may be deleted at any time, and nothing it says is believed: records are read from the ledger.
    Example: `digitalgrid ledger index runs/demo --out demo.sqlite`
    """
    from ledger.index import Index, build_index

    worlds = worlds_of(folder)
    if world >= len(worlds):
        raise ConfigError(f"there is no world {world}", where="--world", do=f"give 0 to {len(worlds) - 1}")
    build_index(worlds[world], out)
    index = Index(worlds[world], out)
    blocks, records = index.count()
    index.close()
    typer.echo(f"{blocks} blocks, {records} records in {out}")


def prune_ledger(
    folder: Folder,
    out: Annotated[Path, typer.Argument(help="Folder to make; the ledger itself is left as it is.")],
    keep_days: Annotated[int | None, typer.Option(min=1, help="Days at the end whose envelopes are kept.")] = None,
    before_block: Annotated[int | None, typer.Option(min=1, help="First block whose envelopes are kept.")] = None,
    keys: Administrators = None,
) -> None:
    """Copy a ledger without its old envelopes: headers, leaf hashes and all other records stay.

    Receipts stay valid and every root can be derived, but old orders cannot be matched again: `verify` needs the whole.
    Example: `digitalgrid ledger prune runs/demo demo-pruned --keep-days 30`
    """
    from ledger.snapshots import height_kept, prune

    if (keep_days is None) == (before_block is None):
        raise ConfigError("it is not said what is old", do="give --keep-days or --before-block")
    for world in worlds_of(folder):
        height = before_block if keep_days is None else height_kept(world, keep_days)
        done = prune(world, out / world.name, height or 0, keys_of(keys)(world.name))
        typer.echo(
            f"{world.name}: {done.records} envelopes of {done.blocks} blocks left out, "
            f"{done.bytes_before:,} bytes became {done.bytes_after:,}"
        )


def check_pruned_ledger(
    folder: Folder,
    receipt: Annotated[Path | None, typer.Option(help="A receipt that the ledger should uphold.")] = None,
    keys: Administrators = None,
) -> None:
    """Check links, roots, header signatures and snapshot of a pruned ledger; exit code 1 where one does not fit.

    Example: `digitalgrid ledger check-pruned demo-pruned --receipt receipt.json`
    """
    from ledger.receipts import load_file, read_receipt
    from ledger.snapshots import check_pruned, read_pruned, upholds

    worlds = worlds_of(folder)
    for world in worlds:
        check, snapshot = check_pruned(world, keys_of(keys)(world.name)), read_pruned(world)[0]
        typer.echo(
            f"{world.name}: {check.height} blocks, {check.log.size} records, envelopes left out to block "
            f"{snapshot.height}: all roots derived again, nothing differs"
        )
    if receipt is not None:
        told = read_receipt(load_file(receipt), str(receipt))
        if not any(upholds(world, told) for world in worlds):
            raise LedgerError("the receipt is not of this ledger", where=str(receipt))
        typer.echo(f"receipt of record {told.index} is upheld")


def to_postgres(folder: Folder, where: Where, name: Name, no_standby: NoStandby = False) -> None:
    """Copy the blocks of a ledger into PostgreSQL, those that are not there yet.

    Example: `digitalgrid ledger to-postgres runs/demo --where "host=db dbname=grid" --name demo`
    """
    from ledger.postgres_store import PostgresStore
    from ledger.segments import read_frames
    from ledger.store import copy_blocks

    for world in worlds_of(folder):
        store = PostgresStore(where, f"{name}/{world.name}", standby=not no_standby)
        copied = copy_blocks(read_frames(world), store)
        typer.echo(f"{world.name}: {copied} blocks copied, {store.tip.height} there")
        store.close()


def from_postgres(out: Out, where: Where, name: Name, no_standby: NoStandby = False) -> None:
    """Write a ledger from PostgreSQL as segment files, for `verify` and every other verb.

    Example: `digitalgrid ledger from-postgres fetched --where "host=db dbname=grid" --name demo`
    """
    from ledger.keeper import world_name
    from ledger.postgres_store import PostgresStore
    from ledger.segment_store import SegmentStore
    from ledger.store import copy_blocks

    for world in map(world_name, count()):
        store = PostgresStore(where, f"{name}/{world}", standby=not no_standby)
        if not store.tip.height:
            break
        files = SegmentStore(out / world)
        typer.echo(f"{world}: {copy_blocks(store.blocks(), files)} blocks")
        files.close()
        store.close()
    if world == world_name(0):
        raise ConfigError(f"no ledger {name!r} in this database", do="give the name it was stored under")


VERBS: dict[str, Callable[..., None]] = {
    "crash": crash_store,
    "recover": recover_ledger,
    "index": index_ledger,
    "prune": prune_ledger,
    "check-pruned": check_pruned_ledger,
    "to-postgres": to_postgres,
    "from-postgres": from_postgres,
}
"""The verbs of this file by name."""
