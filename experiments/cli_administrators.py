"""The verbs of `digitalgrid ledger` for several administrators; `experiments.cli_ledger` puts them beside its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.cli_ledger import Folder, Json, ledger_of, worlds_of
from market.errors import ConfigError

Beside = Annotated[Path, typer.Argument(help="Folder that `ledger administrators` made.")]
Keys = Annotated[
    Path | None, typer.Option(help="The administrators' public keys, on a way you trust; else those in the folder.")
]


def cosign_ledger(
    folder: Folder,
    out: Annotated[Path, typer.Argument(help="New folder for keys, certificates and each administrator's copy.")],
    replicas: Annotated[int, typer.Option(min=1, help="How many administrators.")] = 4,
    quorum: Annotated[int, typer.Option(min=1, help="How many of them must sign a block.")] = 3,
    down: Annotated[
        list[str] | None, typer.Option(help="NUMBER@BLOCK: this administrator is out of reach from that block on.")
    ] = None,
    leader_lost: Annotated[
        list[int] | None, typer.Option(help="Whoever orders blocks is lost for good before this block of the run.")
    ] = None,
    snapshot: Annotated[
        list[int] | None, typer.Option(help="Sign a snapshot behind this block of the run, in OUT/snapshots.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Have several administrators derive every block of a ledger again, keep a copy of their own, and sign it.

    Where the leader is lost, the next administrator begins an epoch and goes on; the ledger is then in OUT/ledger, and
    OUT is a run folder if FOLDER is one: `digitalgrid bill home-1 --run OUT --keys OUT` reads it.

    Example: `digitalgrid ledger administrators runs/demo signed --replicas 4 --quorum 3 --leader-lost 4`
    """
    from experiments.runs import copy_run, is_complete
    from ledger.administrators import cosign
    from ledger.quorum import Administrators

    gone = _read_down(down or [], replicas)
    facts: dict[str, Any] = {"administrators": replicas, "quorum": quorum, "worlds": {}}
    placeholder = tuple(bytes([number]) for number in range(min(replicas, 256)))
    group = Administrators(bytes(16), placeholder, quorum)
    facts |= {"may_be_down": group.crashes, "may_lie": group.liars}
    lost, marks, ledger = leader_lost or [], snapshot or [], ledger_of(folder)
    signed = cosign(ledger, out, replicas, quorum, lambda who, at: at >= gone.get(who, 1 << 64), lost, marks)
    for world, certified in signed:
        copies = [row.replicated for row in certified]
        epochs = sorted({row.certificate.epoch for row in certified})
        facts["worlds"][world.name] = {"blocks": len(certified), "replicated": copies, "epochs": epochs}
    if lost and is_complete(folder):
        copy_run(folder, out)
    if as_json:
        _print_json(facts)
        return
    typer.echo(
        f"{quorum} of {replicas} must sign: {group.crashes} may be down, {group.liars} may lie without a certified fork"
    )
    for name, world_facts in facts["worlds"].items():
        copies = world_facts["replicated"]
        everywhere = sum(count == replicas for count in copies)
        told = f", in epochs {', '.join(map(str, world_facts['epochs']))}" if leader_lost else ""
        typer.echo(f"{name}: {len(copies)} blocks certified, {everywhere} of them held by all {replicas}{told}")


def check_certificates(folder: Folder, beside: Beside, keys: Keys = None, as_json: Json = False) -> None:
    """Check each block's cosignatures with public keys alone; exit code 1 when they are not of this ledger.

    What the blocks say is checked by `ledger verify`.

    Example: `digitalgrid ledger certify-check runs/demo signed`
    """
    from ledger.administrators import check_cosigned
    from ledger.receipts import load_file, read_keys

    group = read_keys(load_file(keys), str(keys)) if keys else None
    facts = {world.name: vars(check_cosigned(world, beside / world.name, group)) for world in worlds_of(folder)}
    if as_json:
        _print_json(facts)
    else:
        for name, fact in facts.items():
            held = ", ".join(f"{count} held by {copies}" for copies, count in fact["copies"].items())
            typer.echo(f"{name}: {fact['certified']} of {fact['blocks']} blocks certified ({held})")
    if any(fact["certified"] < fact["blocks"] for fact in facts.values()):
        raise typer.Exit(1)


def tell_survivor(
    survivor: Annotated[Path, typer.Argument(help="Folder of the surviving administrator.")],
    keys: Annotated[Path, typer.Option(help="The administrators' public keys.")],
    certificates: Annotated[
        Path | None, typer.Option(help="Certificates kept elsewhere: they tell what was lost.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="New folder: write the certified blocks as a ledger.")] = None,
    doubtful: Annotated[bool, typer.Option("--doubtful", help="Also write blocks without a certificate.")] = False,
    bring: Annotated[
        Path | None,
        typer.Option(help="A run whose gateways bring the lost records again: the survivor goes on by disaster."),
    ] = None,
) -> None:
    """Say what one surviving administrator holds and what was only on the lost ones; write a ledger from it.

    With --bring it begins an epoch of its own, which `ledger verify` tells: fewer have promised than must.

    Example: `digitalgrid ledger survivor signed/world-0000/administrator-3 --keys signed/world-0000/keys.json`
    """
    from ledger.administrators import read_certificates, write_log
    from ledger.keeper import world_name
    from ledger.receipts import load_file, read_keys
    from ledger.recovery import kept_log, recover, restore

    if bring is not None and out is None:
        raise ConfigError("nowhere to go on", where="--bring", do="give --out as well")
    known = [row.certificate for row in read_certificates(certificates)] if certificates else []
    administrators = read_keys(load_file(keys), str(keys))
    recovery = recover(survivor, administrators, known)
    for line in recovery.describe():
        typer.echo(line)
    if out is not None and bring is None:
        count = restore(recovery, out / world_name(0), doubtful)
        typer.echo(f"{count} blocks written to {out}")
    elif out is not None and bring is not None:
        log = _go_on(survivor, administrators, kept_log(recovery, doubtful), ledger_of(bring))
        write_log(log, out / world_name(0))
        typer.echo(f"{len(log)} blocks written to {out}, the last of them in epoch {log[-1].epoch}, by disaster")
    raise typer.Exit(1 if recovery.lost else 0)


def simulate_administrators(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to run.")] = 2_000,
    first: Annotated[int, typer.Option(min=0, help="The first of them.")] = 0,
    bug: Annotated[str | None, typer.Option(help="Plant a bug and say at which seed it shows; all for each.")] = None,
    liar: Annotated[str | None, typer.Option(help="n,q: one of n administrators lies, q must sign.")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG file: draw an epoch change, and run no seeds.")] = None,
) -> None:
    """Run administrators under loss, crashes, torn writes, partitions and skewed clocks, each seed another way.

    Exit code 1 when a rule is violated without a planted bug, or a planted bug is not found.

    Example: `digitalgrid ledger sim --seeds 20000 --bug all`
    """
    from experiments.administrators_picture import save_epoch_change
    from experiments.screen import with_progress
    from experiments.sim_ledger import Campaign, hunt, run_liar, run_seeds

    if bug and liar:
        raise ConfigError("--bug and --liar do not go together", where="sim", do="give one of them")
    if picture:
        save_epoch_change(picture)
        typer.echo(str(picture))
        return
    if bug:
        hunted: list[Campaign] = with_progress("hunting", lambda progress: hunt(bug, seeds, first, progress))
        for campaign in hunted:
            shown = f"shows at seed {campaign.found[0].seed}" if campaign.found else f"NOT FOUND in {seeds} seeds"
            typer.echo(f"{campaign.name}: {shown}" + "".join(f": {run.violation}" for run in campaign.found))
        raise typer.Exit(0 if all(campaign.found for campaign in hunted) else 1)
    one: Campaign = with_progress(
        "running",
        lambda progress: run_liar(liar, seeds, first, progress) if liar else run_seeds(seeds, first, progress),
    )
    for line in one.describe():
        typer.echo(line)
    raise typer.Exit(1 if one.found else 0)


VERBS: dict[str, Callable[..., None]] = {
    "administrators": cosign_ledger,
    "certify-check": check_certificates,
    "survivor": tell_survivor,
    "sim": simulate_administrators,
}
"""Verbs of this file by name."""


def _read_down(given: list[str], replicas: int) -> dict[int, int]:
    gone = {}
    for text in given:
        number, at, block = text.partition("@")
        if not (at and number.isdigit() and block.isdigit()) or not 1 <= int(number) < replicas:
            raise ConfigError(
                f"{text!r} is not NUMBER@BLOCK",
                where="--down",
                do=f"give for example 1@2; administrators 1 to {replicas - 1} may be down, 0 orders the blocks",
            )
        gone[int(number)] = int(block)
    return gone


def _go_on(survivor: Path, administrators: Any, log: Any, ledger: Path) -> Any:
    """A survivor's log with what a run has of the same world behind it."""
    from ledger.administrators import simulation_signers
    from ledger.audit import find_worlds
    from ledger.blocks import read_block
    from ledger.journal import read_blocks
    from ledger.panel import seat_name
    from ledger.recovery import go_on_by_disaster

    names = [seat_name(number) for number in range(len(administrators.keys))]
    if survivor.name not in names or not log:
        raise ConfigError("not a survivor that holds a block", where=str(survivor), do="give its folder as it was made")
    signers, operator = simulation_signers(read_block(log[0].data, str(survivor)), len(names))
    for world in find_worlds(ledger):
        if next(read_blocks(world)).header.chain_id == administrators.chain_id:
            return go_on_by_disaster(
                log, administrators, signers[names.index(survivor.name)], operator, read_blocks(world)
            )
    raise ConfigError("the run has no world of this chain", where=str(ledger), do="give the run that was signed")


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
