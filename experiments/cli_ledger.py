"""The verbs of `digitalgrid ledger`: check, read and spoil signed ledgers; `experiments.cli` adds them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from market.errors import ConfigError

Folder = Annotated[Path, typer.Argument(help="The ledger folder of a run, or the run folder.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same result.")]
World = Annotated[int, typer.Option(min=0, help="World of a run of several.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Administrators = Annotated[
    Path | None,
    typer.Option(
        "--keys", help="Administrators' public keys, to follow their epochs: a file, or what `administrators` made."
    ),
]


def verify_ledger(
    folder: Folder,
    head: Annotated[str | None, typer.Option(help="Chain head remembered from the run, in hexadecimal.")] = None,
    trust_source: Annotated[
        bool, typer.Option("--trust-source", help="Execute with the installed programs where others are registered.")
    ] = False,
    keys: Administrators = None,
    from_snapshot: Annotated[
        int | None, typer.Option(min=0, help="Begin behind this block, from the snapshot that was made of it.")
    ] = None,
    snapshots: Annotated[Path | None, typer.Option(help="Folder of the snapshots; beside the ledger if none.")] = None,
    as_json: Json = False,
) -> None:
    """Derive everything in a ledger again and name the first record that differs; exit code 1 then.

    Example: `digitalgrid ledger verify runs/demo/ledger`
    """
    from ledger.audit import verify
    from ledger.restart import verify_from

    where, remembered, known = ledger_of(folder), _head_bytes(head), keys_of(keys)
    if from_snapshot is None:
        verdict = verify(where, remembered, trust_source, known)
    else:
        kept = snapshots or where.parent / "snapshots"
        verdict = verify_from(where, kept, from_snapshot, remembered, trust_source, known)
    _print_verdict(verdict, ("verified", "NOT VERIFIED"), as_json)


def snapshot_ledger(
    folder: Folder,
    block: Annotated[int, typer.Option(min=0, help="Block behind which to take it.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the snapshots; beside the ledger if none.")] = None,
    keys: Administrators = None,
    trust_source: Annotated[
        bool, typer.Option("--trust-source", help="Execute with the installed programs where others are registered.")
    ] = False,
) -> None:
    """Derive a ledger up to a block and keep all that is known then, so that `verify --from-snapshot` begins there.

    Example: `digitalgrid ledger snapshot runs/demo --block 3`
    """
    from ledger.restart import write_snapshots

    where = ledger_of(folder)
    for path in write_snapshots(where, out or where.parent / "snapshots", block, keys_of(keys), trust_source):
        typer.echo(f"{path} ({path.stat().st_size:,} bytes)")


def show_ledger(
    folder: Folder,
    records: Annotated[bool, typer.Option("--records", help="Print every record, one JSON object a line.")] = False,
    keys: Administrators = None,
    as_json: Json = False,
) -> None:
    """Say what a ledger holds, after verifying it.

    Example: `digitalgrid ledger show runs/demo --records`
    """
    from ledger.audit import verify
    from ledger.showing import show

    where = ledger_of(folder)
    if records:
        for world in worlds_of(folder):
            for record in show(world):
                typer.echo(json.dumps({"world": world.name, **record}, ensure_ascii=False))
        return
    verdict = verify(where, keys_of=keys_of(keys))
    facts: dict[str, Any] = {
        "folder": str(where),
        "bytes": sum(file.stat().st_size for file in where.rglob("*") if file.is_file()),
        **verdict.counts,
        "verified": verdict.ok,
        "chain_head": verdict.head.hex() if verdict.head else None,
    }
    if as_json:
        _print_json(facts)
    else:
        for name, fact in facts.items():
            typer.echo(f"{name:<12} {fact}")
    raise typer.Exit(0 if verdict.ok else 1)


def drill_ledger(
    folder: Folder,
    places: Annotated[int, typer.Option(min=1, help="Damages to do, one at a time, to a copy.")] = 1000,
    kind: Annotated[
        list[str] | None, typer.Option(help="flip, cut, zero, misplace or duplicate, again for each; flip if none.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Damage a copy of a ledger in one place at a time and see whether verify finds each; exit code 1 if one is missed.

    Example: `digitalgrid ledger drill runs/demo --places 1000`
    """
    from experiments.screen import with_progress
    from ledger.drill import damage

    where, kinds = ledger_of(folder), kind or ["flip"]
    done = with_progress("damaging", lambda progress: damage(where, places, seed, kinds, progress))
    missed = [damage for damage in done if not damage.finding]
    if as_json:
        _print_json([vars(damage) for damage in done])
    else:
        for one in (done[:3], missed)[bool(missed)]:
            at = f"byte {one.byte} bit {one.bit}" if one.kind == "flip" else f"byte {one.byte} {one.kind}"
            typer.echo(f"{one.file} {at}: {one.finding or 'MISSED'}")
        what = "flipped bits" if kinds == ["flip"] else "damages"
        typer.echo(f"{len(done) - len(missed)} of {len(done)} {what} found")
    raise typer.Exit(1 if missed else 0)


def fsck_ledger(
    folder: Folder,
    signatures: Annotated[bool, typer.Option("--signatures", help="Also check every envelope's signature.")] = False,
    keys: Administrators = None,
    as_json: Json = False,
) -> None:
    """Check frames, checksums, chain, roots and header signatures, without the market; exit code 1 on damage.

    Example: `digitalgrid ledger fsck runs/demo`
    """
    from ledger.fsck import fsck

    verdict = fsck(ledger_of(folder), signatures=signatures, keys_of=keys_of(keys))
    _print_verdict(verdict, ("whole", "DAMAGED"), as_json)


def keys_of_ledger(
    folder: Folder,
    world: World = 0,
    out: Annotated[Path | None, typer.Option(help="File to make; printed if not given.")] = None,
) -> None:
    """Write the public keys that receipts are checked with; give them to participants on a way they trust.

    Example: `digitalgrid ledger keys runs/demo --out keys.json`
    """
    from ledger.receipts import administrators_of, keys_file

    _write(keys_file(administrators_of(_world_of(folder, world))), out)


def prove_record(
    folder: Folder,
    record: Annotated[str | None, typer.Argument(help="Leaf number, BLOCK/RECORD, or an envelope's id.")] = None,
    party: Annotated[str | None, typer.Option(help="Whose envelope, with --slot.")] = None,
    slot: Annotated[str | None, typer.Option(help="When it was sent: a slot number or 'yyyy-mm-dd hh:mm'.")] = None,
    world: World = 0,
    certificate: Annotated[
        Path | None,
        typer.Option(help="certificates.json of the world (`ledger administrators`), if several must sign."),
    ] = None,
    index: Annotated[
        Path | None, typer.Option(help="Index of the world, so that not all is read; built here where it does not fit.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to make; printed if not given.")] = None,
) -> None:
    """Write a receipt that shows offline, with the administrators' keys alone, that a record is in the ledger.

    Example: `digitalgrid ledger prove runs/demo --party home-1 --slot "2018-04-22 10:00" --out receipt.json`
    """
    from ledger.administrators import find_certificate
    from ledger.index import Index
    from ledger.proofs import find_envelope, find_record, prove
    from ledger.receipts import make_receipt

    where = _world_of(folder, world)
    known = None if index is None else Index(where, index)
    if record is not None and (party, slot) == (None, None):
        place = find_record(where, record) if known is None else known.find(record)
    elif record is None and party is not None and slot is not None:
        place = find_envelope(where, party, slot) if known is None else known.find_envelope(party, slot)
    else:
        raise ConfigError("no record is named", do="give RECORD, or --party and --slot")
    proof = prove(where, place) if known is None else known.prove(place)
    cosigned = b"" if certificate is None else find_certificate(certificate, proof.block.header.height)
    _write(make_receipt(proof, cosigned).to_bytes(), out)


def verify_receipt(
    file: Annotated[Path, typer.Argument(help="The receipt.")],
    keys: Annotated[Path, typer.Option(help="The administrators' public keys, from `ledger keys`.")],
    as_json: Json = False,
) -> None:
    """Check a receipt with nothing but public keys and say what it shows; exit code 1 if it shows nothing.

    Example: `digitalgrid ledger verify-receipt receipt.json --keys keys.json`
    """
    from ledger.receipts import check_receipt, load_file, read_keys, read_receipt

    administrators = read_keys(load_file(keys), str(keys))
    facts = check_receipt(read_receipt(load_file(file), str(file)), administrators).describe()
    if as_json:
        _print_json(facts)
        return
    for name, fact in facts.items():
        typer.echo(f"{name:<12} {fact}")
    typer.echo("in the ledger")


def prove_growth(
    folder: Folder,
    since: Annotated[Path, typer.Option(help="A receipt: the proof begins at its header.")],
    world: World = 0,
    out: Annotated[Path | None, typer.Option(help="File to make; printed if not given.")] = None,
) -> None:
    """Write a proof that the ledger is what stood under a receipt's header, with more behind it.

    Example: `digitalgrid ledger prove-growth runs/demo --since receipt.json --out growth.json`
    """
    from ledger.growth import prove_growth as prove
    from ledger.receipts import load_file, read_receipt

    _write(prove(_world_of(folder, world), read_receipt(load_file(since), str(since))).to_bytes(), out)


def verify_growth(
    file: Annotated[Path, typer.Argument(help="The growth proof.")],
    keys: Annotated[Path, typer.Option(help="The administrators' public keys, from `ledger keys`.")],
    as_json: Json = False,
) -> None:
    """Check with nothing but public keys that a later log begins with an earlier one; exit code 1 if it does not.

    Example: `digitalgrid ledger verify-growth growth.json --keys keys.json`
    """
    from ledger.growth import check_growth, describe_growth, read_growth
    from ledger.receipts import load_file, read_keys

    administrators = read_keys(load_file(keys), str(keys))
    facts = describe_growth(check_growth(read_growth(load_file(file), str(file)), administrators))
    if as_json:
        _print_json(facts)
        return
    (first, second), (few, many) = facts["blocks"], facts["records"]
    typer.echo(f"block {first} with {few} records is the beginning of block {second} with {many}")


def compare_ledgers(
    first: Folder,
    second: Annotated[Path, typer.Argument(help="The other copy.")],
    as_json: Json = False,
) -> None:
    """Compare two copies: equal, one a beginning of the other, or a fork with its evidence; exit code 1 if they differ.

    Example: `digitalgrid ledger compare runs/demo copies/demo`
    """
    from ledger.comparing import compare_runs

    found = compare_runs(ledger_of(first), ledger_of(second))
    if as_json:
        _print_json({name: comparison.describe() for name, comparison in found.items()})
    else:
        for name, comparison in found.items():
            typer.echo(f"{name}: {comparison}")
    raise typer.Exit(0 if all(comparison.agree for comparison in found.values()) else 1)


def export_ledger(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    form: Annotated[str, typer.Option("--format", help="csv, or json: one object a line.")] = "csv",
    keys: Administrators = None,
) -> None:
    """Verify a ledger and write its orders, contracts, postings and readings as plain files.

    Example: `digitalgrid ledger export runs/demo --out demo-records`
    """
    from experiments.ledger_files import write_records

    for path, count in write_records(ledger_of(folder), out, form, keys_of(keys)).items():
        typer.echo(f"{path}: {count} rows")


VERBS: dict[str, Callable[..., None]] = {
    "verify": verify_ledger,
    "snapshot": snapshot_ledger,
    "show": show_ledger,
    "prove": prove_record,
    "verify-receipt": verify_receipt,
    "prove-growth": prove_growth,
    "verify-growth": verify_growth,
    "keys": keys_of_ledger,
    "compare": compare_ledgers,
    "fsck": fsck_ledger,
    "export": export_ledger,
    "drill": drill_ledger,
}
"""Verbs of this file by name."""


def add_verbs(ledger_app: typer.Typer) -> None:
    """Put the verbs of this file, of admission, administrators and stores under `ledger`."""
    from experiments.cli_administrators import VERBS as OF_ADMINISTRATORS
    from experiments.cli_admission import VERBS as OF_ADMISSION
    from experiments.cli_store import VERBS as OF_STORES

    for name, verb in (VERBS | OF_ADMISSION | OF_ADMINISTRATORS | OF_STORES).items():
        ledger_app.command(name)(verb)


def keys_of(keys: Path | None) -> Any:
    """What `ledger.audit.verify` asks for: the administrators of each world, or nobody."""
    from ledger.administrators import known_administrators

    return known_administrators(keys) if keys else lambda world: None


def _print_verdict(verdict: Any, words: tuple[str, str], as_json: bool) -> None:
    """Say what a check found and end with its exit code; `words` for good and bad."""
    if as_json:
        found = verdict.head.hex() if verdict.head else None
        _print_json({"ok": verdict.ok, "lines": list(verdict.lines), "counts": verdict.counts, "chain_head": found})
    else:
        for line in (*verdict.lines, words[0] if verdict.ok else words[1]):
            typer.echo(line)
    raise typer.Exit(0 if verdict.ok else 1)


def _write(data: bytes, out: Path | None) -> None:
    """Make a new file, or print; raises ConfigError where the file stands already or cannot be written."""
    if out is None:
        typer.echo(data.decode())
        return
    try:
        with out.open("xb") as file:
            file.write(data)
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(out), do="give another --out") from error
    typer.echo(str(out))


def _world_of(folder: Path, world: int) -> Path:
    worlds = worlds_of(folder)
    if world >= len(worlds):
        raise ConfigError(f"there is no world {world}", where="--world", do=f"give 0 to {len(worlds) - 1}")
    return worlds[world]


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def ledger_of(folder: Path) -> Path:
    """The ledger folder that is meant by itself or by its run's; raises ConfigError where there is none."""
    do = "give a run folder, or its ledger folder"
    try:
        where = folder / "ledger" if (folder / "ledger").is_dir() else folder
        has_worlds = any(entry.name.startswith("world-") for entry in where.iterdir())
        is_run = where == folder and (folder / "config.json").is_file()
    except OSError as error:
        raise ConfigError(f"no ledger here: {error.strerror}", where=str(folder), do=do) from error
    if not has_worlds and is_run:
        raise ConfigError("this run kept no signed ledger", where=str(folder), do="simulate with --ledger full")
    if not has_worlds:
        raise ConfigError("no ledger here: nothing is called world-0000", where=str(where), do=do)
    return where


def worlds_of(folder: Path) -> list[Path]:
    """The folder of each world of a ledger that is meant by itself or by its run's."""
    from ledger.audit import find_worlds

    return find_worlds(ledger_of(folder))


def _head_bytes(text: str | None) -> bytes | None:
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError as error:
        raise ConfigError("not hexadecimal", where="--head", do="give the chain head that the run printed") from error
