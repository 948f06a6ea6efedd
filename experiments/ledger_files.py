"""Plain files of a ledger's records: one CSV, or one file of JSON lines, for each table of `ledger.exporting`."""

import csv
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from ledger.audit import KeysOf, find_worlds, verify
from ledger.exporting import COLUMNS, export_rows
from market.errors import ConfigError, LedgerError

FORMS = ("csv", "json")


def write_records(ledger: Path, out: Path, form: str = "csv", keys_of: KeysOf = lambda world: None) -> dict[str, int]:
    """Verify a run's ledger and write its records into a new folder; rows of each file made.

    `keys_of`: the administrators whose epochs and words count (`ledger.audit.verify`).

    `csv` has a line of headings, `json` one object a line; the first column is the world.

    Raises:
        ConfigError: unknown form, or the folder is there already or cannot be written.
        LedgerError: the ledger does not verify; nothing is written.
    """
    if form not in FORMS:
        raise ConfigError(f"unknown form {form!r}", where="--format", do=f"choose one of {', '.join(FORMS)}")
    verdict = verify(ledger, keys_of=keys_of)
    if not verdict.ok:
        raise LedgerError(verdict.lines[0], do="export a ledger that verifies")
    try:
        out.mkdir(parents=True)
        with ExitStack() as stack:
            ending = "csv" if form == "csv" else "jsonl"
            tables = {name: _Table(stack, out / f"{name}.{ending}", columns) for name, columns in COLUMNS.items()}
            for number, world in enumerate(find_worlds(ledger)):
                for name, row in export_rows(world):
                    tables[name].write({"world": number, **row})
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(out), do="give a new folder") from error
    return {str(table.path): table.rows for table in tables.values()}


class _Table:
    """One file being written."""

    def __init__(self, stack: ExitStack, path: Path, columns: tuple[str, ...]) -> None:
        self.path, self.rows = path, 0
        self._file: TextIO = stack.enter_context(path.open("x", newline="", encoding="utf-8"))
        self._csv = csv.DictWriter(self._file, ("world", *columns), lineterminator="\n")
        if path.suffix == ".csv":
            self._csv.writeheader()

    def write(self, row: dict[str, Any]) -> None:
        """Add one row."""
        if self.path.suffix == ".csv":
            self._csv.writerow(row)
        else:
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.rows += 1
