"""`digitalgrid clear`, and `digitalgrid bench curves`; `experiments.cli` puts them beside its own verbs."""

from pathlib import Path
from typing import Annotated

import typer

from market.errors import ConfigError

clear_app = typer.Typer()


@clear_app.command()
def clear(
    case: Annotated[Path | None, typer.Argument(help="A case file, format digitalgrid-case/1.")] = None,
    jepx_curves: Annotated[
        Path | None, typer.Option(help="Published JEPX bid curves instead: the official CSV, or a Parquet table.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File for the prices (curves) or the JSON (case) instead of the screen.")
    ] = None,
    published: Annotated[
        Path | None, typer.Option(help="spot_summary_YYYY.csv of the same year: hold the curves against its prices.")
    ] = None,
    splitting: Annotated[
        Path | None, typer.Option(help="splitting_areas CSV: the areas of each group; goes with --published.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG file: supply, demand and where they cross.")] = None,
    area: Annotated[str | None, typer.Option(help="Area of the picture; the case's first if not given.")] = None,
    slot: Annotated[int | None, typer.Option(help="Slot of the picture; the first if not given.")] = None,
    _: Annotated[bool, typer.Option("--json", help="Print JSON; a case always does.")] = False,
) -> None:
    """Clear the orders of a case file, or published JEPX bid curves, by the market's one engine.

    A case prints JSON: prices, fills, flows, contracts, welfare, refused orders; exit code 1 when it says what should
    come out and something else does. Curves print `date,slot,group,price_jpy_kwh`, or with --published and --splitting
    how many prices come out as published.

    Example: `digitalgrid clear case.json --picture case.png --area north`

    Example: `digitalgrid clear --jepx-curves spot_bid_curves_20240101.csv --out prices.csv`
    """
    if (case is None) == (jepx_curves is None):
        raise ConfigError("give a case file or --jepx-curves FILE", where="clear", do="one of them")
    if (published is None) != (splitting is None) or (published and not jepx_curves):
        raise ConfigError(
            "--published and --splitting go together, with --jepx-curves", where="clear", do="give all three"
        )
    if case is not None:
        _clear_case(case, out, picture, area, slot)
    elif jepx_curves is not None:
        _clear_curves(jepx_curves, out, published, splitting, picture, slot)


def _clear_case(path: Path, out: Path | None, picture: Path | None, area: str | None, slot: int | None) -> None:
    from experiments.case_nodes import write_json
    from experiments.clear import clear_case

    cleared = clear_case(path)
    _put(write_json(cleared.report) + "\n", out)
    if picture:
        from experiments.clear_picture import crossing_of_case, save_crossing

        save_crossing(crossing_of_case(cleared, area, slot), picture)
    if not cleared.ok:
        raise typer.Exit(1)


def _clear_curves(
    path: Path, out: Path | None, published: Path | None, splitting: Path | None, picture: Path | None, slot: int | None
) -> None:
    from experiments.case_nodes import write_json
    from experiments.jepx_curves import prices_csv, read_curves

    file = read_curves(path)
    if out or not published:
        _put(prices_csv(file), out)
    if picture:
        from experiments.clear_picture import crossing_of_curves, save_crossing

        save_crossing(crossing_of_curves(file, slot), picture)
    if published and splitting:
        from experiments.jepx_published import compare_with_published, read_groups, read_published

        proof = compare_with_published(file, read_published(published), read_groups(splitting))
        typer.echo(write_json({"curves": file.count, **proof.facts()}))
        if not proof.ok:
            raise typer.Exit(1)


def bench_curves(
    file: Annotated[Path, typer.Argument(help="A month of published bid curves.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Clear all published curves of a file, against a NumPy loop over two curves at a time.

    Example: `digitalgrid bench curves jepx_bid_curves_202401.parquet`
    """
    from dataclasses import asdict

    from experiments.bench_curves import bench_curves as verb
    from experiments.bench_rows import print_rows
    from experiments.case_nodes import write_json

    rows = verb(file)
    if as_json:
        typer.echo(write_json([{**asdict(row), "ratio": row.ratio} for row in rows]))
    else:
        print_rows("published curves, after loading", rows)


def _put(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(out), do="give another --out") from error


def add_verbs(app: typer.Typer, bench_app: typer.Typer) -> None:
    """Put the verbs of this file beside those of the command line."""
    app.add_typer(clear_app)
    bench_app.command("curves")(bench_curves)
