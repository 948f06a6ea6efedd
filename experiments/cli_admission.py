"""Verbs of `digitalgrid ledger` about who may speak: an attack on admission, devices that spoke twice."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli_ledger import Folder, worlds_of

WIDEST = 32
"""Letters of the longest name of a forgery."""


def attack_admission(
    envelopes: Annotated[int, typer.Option(min=1, help="Bad envelopes to send.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Draws the places and numbers.")] = 0,
    sealed: Annotated[bool, typer.Option("--sealed", help="Sealed orders and administrators' shares instead.")] = False,
    under_one_key: Annotated[
        bool, typer.Option("--flood", help="Bad signatures under one key id, and what they cost.")
    ] = False,
) -> None:
    """Send envelopes that must not enter, of every kind; exit code 1 if one gets another code than it must.

    Example: `digitalgrid ledger attack --envelopes 10000`
    """
    from experiments.screen import with_progress
    from ledger.flood import flood
    from ledger.forgeries import Forgery, attack
    from ledger.sealed_forgeries import SealedForgery, attack_sealed

    if under_one_key:
        typer.echo(flood(envelopes).line())
        return

    def send(progress: Callable[[int, int], None]) -> Sequence[Forgery | SealedForgery]:
        return attack_sealed(envelopes, seed, progress) if sealed else attack(envelopes, seed, progress)

    sent = with_progress("attacking", send)
    for (kind, code), count in sorted(Counter((one.kind, one.code.name) for one in sent).items()):
        typer.echo(f"{count:>7} {kind:<{WIDEST}} {code}")
    wrong = [one for one in sent if one.code != one.expected]
    for one in wrong[:3]:
        sent_bytes = f": {one.envelope.hex()}" if isinstance(one, Forgery) else ""
        typer.echo(f"{one.kind}: {one.code.name}, must be {one.expected.name}{sent_bytes}")
    what = "forgeries of sealed orders and shares" if sealed else "bad envelopes"
    typer.echo(f"{len(sent) - len(wrong)} of {len(sent)} {what} refused with the right code, none entered")
    raise typer.Exit(1 if wrong else 0)


def list_evidence(
    folder: Folder,
    out: Annotated[Path | None, typer.Option(help="Folder to write each as a file of its own into.")] = None,
) -> None:
    """List devices that said two things under one sequence; each is a file that convicts by itself.

    Example: `digitalgrid ledger evidence runs/demo --out evidence`
    """
    from ledger.evidence import read_equivocation
    from ledger.journal import read
    from ledger.records import RecordType

    count = 0
    for world in worlds_of(folder):
        for height, _, kind, body in read(world):
            if kind != RecordType.EVIDENCE:
                continue
            said = read_equivocation(body)
            typer.echo(f"{world.name} block {height}: key {said.key_id.hex()} twice under sequence {said.sequence}")
            count += 1
            if out is not None:
                out.mkdir(parents=True, exist_ok=True)
                (out / f"{said.chain_id.hex()}-{said.key_id.hex()}-{said.sequence}.evidence").write_bytes(body)
    typer.echo(f"{count} devices spoke twice" if count != 1 else "1 device spoke twice")


def convict(file: Annotated[Path, typer.Argument(help="A file that `ledger evidence` wrote.")]) -> None:
    """Check evidence with nothing but its file: two statements under one sequence, both signed; exit code 1 if not.

    Example: `digitalgrid ledger convict evidence/FILE`
    """
    from ledger.encoding import SIGNATURE_BYTES, record_id
    from ledger.evidence import read_equivocation
    from ledger.receipts import load_file

    said = read_equivocation(load_file(file))
    typer.echo(f"chain     {said.chain_id.hex()}\nkey       {said.public_key.hex()}\nsequence  {said.sequence}")
    for envelope in (said.first, said.second):
        typer.echo(f"signed    {record_id(envelope[:-SIGNATURE_BYTES]).hex()}")
    typer.echo("convicted: the key signed two statements under one sequence")


VERBS: dict[str, Callable[..., None]] = {"attack": attack_admission, "evidence": list_evidence, "convict": convict}
"""Verbs of this file by name."""
