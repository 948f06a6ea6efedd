"""The verbs of `digitalgrid ledger`: check, read and spoil signed ledgers; `experiments.cli` adds them."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from market.errors import ConfigError

Folder = Annotated[Path, typer.Argument(help="The ledger folder of a run, or the run folder.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same result.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def verify_ledger(
    folder: Folder,
    head: Annotated[str | None, typer.Option(help="Chain head remembered from the run, in hexadecimal.")] = None,
    as_json: Json = False,
) -> None:
    """Derive everything in a ledger again and name the first record that differs; exit code 1 then.

    Example: `digitalgrid ledger verify runs/demo/ledger`
    """
    from ledger.audit import verify

    verdict = verify(_ledger_of(folder), _head_bytes(head))
    if as_json:
        found = verdict.head.hex() if verdict.head else None
        _print_json({"ok": verdict.ok, "lines": list(verdict.lines), "counts": verdict.counts, "chain_head": found})
    else:
        for line in verdict.lines:
            typer.echo(line)
        typer.echo("verified" if verdict.ok else "NOT VERIFIED")
    raise typer.Exit(0 if verdict.ok else 1)


def show_ledger(
    folder: Folder,
    records: Annotated[bool, typer.Option("--records", help="Print every record, one JSON object a line.")] = False,
    as_json: Json = False,
) -> None:
    """Say what a ledger holds, after verifying it.

    Example: `digitalgrid ledger show runs/demo --records`
    """
    from ledger.audit import verify
    from ledger.showing import show

    where = _ledger_of(folder)
    if records:
        for world in sorted(path for path in where.iterdir() if path.is_dir()):
            for record in show(world):
                typer.echo(json.dumps({"world": world.name, **record}, ensure_ascii=False))
        return
    verdict = verify(where)
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
    places: Annotated[int, typer.Option(min=1, help="Bits to flip, one at a time, in a copy.")] = 1000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Flip one bit at a time in a copy of a ledger and see whether verify finds each; exit code 1 if one is missed.

    Example: `digitalgrid ledger drill runs/demo --places 1000`
    """
    from experiments.screen import with_progress
    from ledger.drill import flip_bits

    where = _ledger_of(folder)
    flips = with_progress("flipping", lambda progress: flip_bits(where, places, seed, progress))
    missed = [flip for flip in flips if not flip.finding]
    if as_json:
        _print_json([vars(flip) for flip in flips])
    else:
        for flip in (flips[:3], missed)[bool(missed)]:
            typer.echo(f"{flip.file} byte {flip.byte} bit {flip.bit}: {flip.finding or 'MISSED'}")
        typer.echo(f"{len(flips) - len(missed)} of {len(flips)} flipped bits found")
    raise typer.Exit(1 if missed else 0)


def add_verbs(ledger_app: typer.Typer) -> None:
    """Put the verbs of this file under `ledger`."""
    for name, verb in (("verify", verify_ledger), ("show", show_ledger), ("drill", drill_ledger)):
        ledger_app.command(name)(verb)


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def _ledger_of(folder: Path) -> Path:
    return folder / "ledger" if (folder / "ledger").is_dir() else folder


def _head_bytes(text: str | None) -> bytes | None:
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError as error:
        raise ConfigError("not hexadecimal", where="--head", do="give the chain head that the run printed") from error
