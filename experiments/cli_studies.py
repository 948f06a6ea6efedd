"""Further verbs of the command line; `experiments.cli` puts them beside its own."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

statement_app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@statement_app.command()
def statement(
    party: Annotated[str, typer.Argument(help="Whose statement: home-1, store-3, mall.")],
    run: Annotated[Path | None, typer.Option(help="Run folder; the newest in `runs/` if not given.")] = None,
    day: Annotated[str | None, typer.Option(help="Day of delivery, yyyy-mm-dd.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day of delivery; the run's if not given.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day of delivery; the run's if not given.")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file for every contract.")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG file for the picture of the days.")] = None,
    as_json: Json = False,
) -> None:
    """Say who supplied a party in each slot and whom it supplied, at what price, over which path, from what source.

    Read from the run's signed ledger when there is one, after verifying it; else from its table of contracts.
    Example: `digitalgrid statement home-1 --run runs/demo --day 2018-04-22 --picture home-1.png`
    """
    from experiments.statement import make_statement

    result = make_statement(party, run, day=day, first=first, last=last)
    if out:
        result.write_csv(out)
    if picture:
        from experiments.statement_picture import save_statement

        save_statement(result, picture)
    _show(result, as_json)


def add_verbs(app: typer.Typer) -> None:
    """Put the verbs of this file beside those of the command line."""
    app.add_typer(statement_app)


def _show(result: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.rows(), indent=2, ensure_ascii=False))
    else:
        result.print()
