"""The command line's verbs about who may speak in a ledger: an attack on admission."""

from collections import Counter
from collections.abc import Callable
from typing import Annotated

import typer


def attack_admission(
    envelopes: Annotated[int, typer.Option(min=1, help="Bad envelopes to send.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Draws the places and numbers.")] = 0,
) -> None:
    """Send envelopes that must not enter, of every kind; exit code 1 if one gets another code than it must.

    Example: `digitalgrid ledger attack --envelopes 10000`
    """
    from experiments.screen import with_progress
    from ledger.forgeries import attack

    sent = with_progress("attacking", lambda progress: attack(envelopes, seed, progress))
    for (kind, code), count in sorted(Counter((one.kind, one.code.name) for one in sent).items()):
        typer.echo(f"{count:>7} {kind:<26} {code}")
    wrong = [one for one in sent if one.code != one.expected]
    for one in wrong[:3]:
        typer.echo(f"{one.kind}: {one.code.name}, must be {one.expected.name}: {one.envelope.hex()}")
    typer.echo(f"{len(sent) - len(wrong)} of {len(sent)} bad envelopes refused with the right code, none entered")
    raise typer.Exit(1 if wrong else 0)


VERBS: dict[str, Callable[..., None]] = {"attack": attack_admission}
"""Verbs of this file by name."""
