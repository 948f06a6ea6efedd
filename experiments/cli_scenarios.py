"""The verbs of `digitalgrid scenarios`; without one it lists them."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli_results import Json, show_result

Named = Annotated[str, typer.Argument(help="A scenario by name, the path of a TOML file, or a folder with one.")]

scenarios_app = typer.Typer(rich_markup_mode="markdown")


@scenarios_app.callback(invoke_without_command=True)
def scenarios(context: typer.Context, as_json: Json = False) -> None:
    """List the scenarios that come with the package: parties, areas, and the data each can run on.

    Example: `digitalgrid scenarios`
    """
    if context.invoked_subcommand is None:
        from experiments.scenario_table import list_scenarios

        show_result(list_scenarios(), as_json)


@scenarios_app.command()
def show(scenario: Named, as_json: Json = False) -> None:
    """Say who lives in a scenario, and every figure with its source.

    Example: `digitalgrid scenarios show urawa-misono`
    """
    from experiments.scenario_table import show_scenario

    show_result(show_scenario(scenario), as_json)


@scenarios_app.command()
def page(scenario: Named, out: Annotated[Path, typer.Option(help="Folder; made if need be.")] = Path("docs")) -> None:
    """Write a scenario's page with a map, two days, and a table of figures and sources.

    Example: `digitalgrid scenarios page urawa-misono --out docs`
    """
    from experiments.scenario_pages import write_page

    for path in write_page(scenario, out):
        typer.echo(str(path))


@scenarios_app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make; it must not hold anything.")],
    source: Annotated[str, typer.Option("--from", help="The scenario it begins as.")] = "urawa-misono",
) -> None:
    """Make a folder with a scenario and example prices, sun and loads, which runs as it is.

    Example: `digitalgrid scenarios new my-town --from urawa-misono`
    """
    from experiments.scenario_template import new_scenario

    for path in new_scenario(folder, source):
        typer.echo(str(path))


@scenarios_app.command()
def check(scenario: Named, as_json: Json = False) -> None:
    """Check a scenario and the files beside it: parties, lines, what the data cover, and the first error.

    Example: `digitalgrid scenarios check my-town`
    """
    from experiments.scenario_table import check_scenario

    found = check_scenario(scenario)
    show_result(found, as_json)
    if found.error:
        raise found.error


@scenarios_app.command()
def fill(
    file: Annotated[Path, typer.Argument(help="A table with gaps: loads.csv, prices.csv or solar.csv.")],
    out: Annotated[Path, typer.Option(help="File to make.")],
) -> None:
    """Write a table again with its gaps filled: short ones straight, longer ones like the days around.

    Example: `digitalgrid scenarios fill loads.csv --out whole/loads.csv`
    """
    from experiments.scenario_template import fill_file

    typer.echo(f"{out}: {fill_file(file, out).filled:,} values filled")
