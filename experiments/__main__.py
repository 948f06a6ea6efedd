"""Entry point of the command `digitalgrid`, also `python -m experiments`."""

import sys


def main() -> None:
    """Run the command line; `device` leaves it at once, because a device loads next to nothing."""
    if sys.argv[1:2] == ["device"]:
        from agents.device import main as run_device

        raise SystemExit(run_device(sys.argv[2:]))
    from experiments.cli import app

    app(prog_name="digitalgrid")


if __name__ == "__main__":
    main()
