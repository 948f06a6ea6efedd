"""Further verbs of the command line; `experiments.cli` puts them beside its own."""

from pathlib import Path
from typing import Annotated

import typer

from experiments import cli_ahead, cli_forecasts, cli_games, cli_groups, cli_link, cli_optimiser
from experiments.cli_ledger import Administrators, keys_of
from experiments.cli_results import Figures, Json, play_study, show_result

statement_app = typer.Typer()
bill_app = typer.Typer()
designs_app = typer.Typer()
lines_app = typer.Typer()
why_app = typer.Typer()
study_app = typer.Typer(help="Studies of the market itself, with synthetic orders.", no_args_is_help=True)


@statement_app.command()
def statement(
    party: Annotated[str, typer.Argument(help="Whose statement: home-1, store-3, mall.")],
    run: Annotated[Path | None, typer.Option(help="Run folder; the newest in `runs/` if not given.")] = None,
    day: Annotated[str | None, typer.Option(help="Day of delivery, yyyy-mm-dd.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day of delivery; the run's if not given.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day of delivery; the run's if not given.")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file for every contract.")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG file for the picture of the days.")] = None,
    keys: Administrators = None,
    as_json: Json = False,
) -> None:
    """Say who supplied a party in each slot and whom it supplied, at what price, over which path, from what source.

    Read from the run's signed ledger when there is one, after verifying it; else from its table of contracts.
    Example: `digitalgrid statement home-1 --run runs/demo --day 2018-04-22 --picture home-1.png`
    """
    from experiments.statement import make_statement

    result = make_statement(party, run, day=day, first=first, last=last, keys_of=keys_of(keys))
    if out:
        result.write_csv(out)
    if picture:
        from experiments.statement_picture import save_statement

        save_statement(result, picture)
    show_result(result, as_json)


@bill_app.command()
def bill(
    party: Annotated[str, typer.Argument(help="Whose bill: home-1, store-3, mall.")],
    run: Annotated[Path | None, typer.Option(help="Run folder; the newest in `runs/` if not given.")] = None,
    keys: Administrators = None,
    as_json: Json = False,
) -> None:
    """Print what a party pays and receives for a run, line by line in whole yen, from its verified ledger.

    Example: `digitalgrid bill home-1 --run runs/demo`
    """
    from experiments.bill import make_bill

    show_result(make_bill(party, run, keys_of(keys)), as_json)


@lines_app.command()
def lines(
    run: Annotated[Path | None, typer.Argument(help="Run folder; the newest in `runs/` if not given.")] = None,
    at: Annotated[
        str | None, typer.Option(help="As known at this time, yyyy-mm-dd hh:mm; the end if not given.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file for every slot and line.")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG file for the picture of the lines.")] = None,
    keys: Administrators = None,
    as_json: Json = False,
) -> None:
    """Say what contracts commit on each line, slot by slot, and in which slots a line is full already.

    Contracts are read from the run's signed ledger when there is one, after verifying it; else from its table.
    Example: `digitalgrid lines runs/demo --at "2018-04-22 10:00" --picture lines.png`
    """
    from experiments.lines import read_lines

    result = read_lines(run, at=at, keys_of=keys_of(keys))
    if out:
        result.write_csv(out)
    if picture:
        from experiments.lines_picture import save_lines

        save_lines(result, picture)
    show_result(result, as_json)


@why_app.command()
def why(
    contract: Annotated[str, typer.Argument(help="BLOCK/RECORD#ROW, or SLOT/SELLER/BUYER with a time or slot number.")],
    run: Annotated[Path | None, typer.Option(help="Run folder; the newest in `runs/` if not given.")] = None,
    world: Annotated[int, typer.Option(min=0, help="World of a run of several.")] = 0,
    policy: Annotated[
        list[str] | None, typer.Option(help="Exported policy to decide again with, beside those the run names.")
    ] = None,
    trust_source: Annotated[
        bool, typer.Option("--trust-source", help="Execute with the installed programs where others are registered.")
    ] = False,
    keys: Administrators = None,
    as_json: Json = False,
) -> None:
    """Show the chain behind a contract: what was seen, decided and signed, the book, the line, the money; each checked.

    Exit code 1 when a policy decides otherwise on what it saw than was signed.
    Example: `digitalgrid why "2018-04-22 07:30/thermal-2/store-3" --run runs/demo`
    """
    from experiments.why import explain

    known = keys_of(keys)
    result = explain(contract, run, world=world, policies=policy or [], trust_source=trust_source, keys_of=known)
    show_result(result, as_json)
    if not result.same:
        raise typer.Exit(1)


@study_app.command("lead-time")
def study_lead_time(
    days: Annotated[int, typer.Option(help="Days of delivery, spread over a year.")] = 12,
    seeds: Annotated[int, typer.Option(help="Years of orders, each with a seed of its own.")] = 4,
    seed: Annotated[int, typer.Option(help="The first seed; the same seeds give the same result.")] = 0,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Send the same year-ahead orders through spot with splitting and through dgp, and see who knew the lines when.

    Example: `digitalgrid study lead-time --days 12 --seeds 4 --figures pictures`
    """
    from experiments.lead_time import study_lead_time as verb
    from experiments.lead_time_picture import save_pictures

    play_study("playing", lambda progress: verb(days, seeds, seed, progress), figures, save_pictures, as_json)


@designs_app.command()
def designs(
    name: Annotated[str | None, typer.Argument(help="One design, with every choice; all of them if absent.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Look for counterexamples to what it claims.")] = False,
    seed: Annotated[int, typer.Option(help="The markets on which it is checked.")] = 0,
    as_json: Json = False,
) -> None:
    """List the market designs, their choices and the properties they claim.

    Example: `digitalgrid designs mcafee --check`
    """
    from experiments.design_table import list_designs
    from market.errors import ConfigError

    if check and name is None:
        raise ConfigError("one design is checked at a time", where="--check", do="name it")
    result = list_designs(name, check, seed)
    show_result(result, as_json)
    if not result.ok:
        raise typer.Exit(1)


def add_verbs(app: typer.Typer) -> None:
    """Put the verbs of this file beside those of the command line."""
    app.add_typer(statement_app)
    app.add_typer(bill_app)
    app.add_typer(designs_app)
    app.add_typer(lines_app)
    app.add_typer(why_app)
    app.add_typer(study_app, name="study")
    cli_forecasts.add_verbs(study_app)
    cli_games.add_verbs(study_app)
    cli_ahead.add_verbs(study_app)
    cli_groups.add_verbs(study_app)
    cli_link.add_verbs(study_app)
    cli_optimiser.add_verbs(study_app)
