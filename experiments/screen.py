"""The console tables are printed on: as wide as the terminal, or wide enough for every table in a pipe."""

import sys

from rich.console import Console

PIPE_WIDTH = 150


def console() -> Console:
    """A console on standard output without automatic colouring of numbers."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
