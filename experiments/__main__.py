"""Entry point of the command `digitalgrid`, also `python -m experiments`."""

from experiments.cli import app


def main() -> None:
    """Run the command line."""
    app(prog_name="digitalgrid")


if __name__ == "__main__":
    main()
