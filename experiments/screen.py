"""The console tables are printed on, as wide as the terminal, or wide enough for every table in a pipe; and the bar."""

import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console

PIPE_WIDTH = 150


def console() -> Console:
    """A console on standard output without automatic colouring of numbers."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def with_progress(what: str, work: Callable[[Callable[[int, int], None]], Any]) -> Any:
    """Run `work` with a bar on standard error, when someone is looking; it is told steps done and steps in all."""
    from rich.progress import Progress

    screen = Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        return work(lambda done, total: bar.update(task, completed=done, total=total))
