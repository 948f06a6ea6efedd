"""What verbs have in common: options, and how a result is played, drawn and shown."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Figures = Annotated[Path | None, typer.Option(help="Folder for the pictures.")]
Play = Callable[[Callable[[int, int], None]], Any]
"""Long work, told how to say steps done and steps in all; returns a result with `rows()` and `print()`."""


def show_result(result: Any, as_json: bool) -> None:
    """Print a result as JSON, or as it prints itself."""
    if as_json:
        typer.echo(json.dumps(result.rows(), indent=2, ensure_ascii=False))
    else:
        result.print()


def play_study(what: str, play: Play, figures: Path | None, draw: Callable[[Any, Path], object], as_json: bool) -> Any:
    """Play with a bar, draw if there is a folder for it (looked at before the long work), and show; the result."""
    from experiments.drawing import check_folder
    from experiments.screen import with_progress

    if figures:
        check_folder(figures)
    result = with_progress(what, play)
    if figures:
        draw(result, figures)
    show_result(result, as_json)
    return result
