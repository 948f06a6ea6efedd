"""A run is a folder: resolved config, code version, tables, ledger, metrics, report.

The folder must not exist. It holds a file `state` with `running` until the run has ended, then `complete`, so a run
cut short is seen as such. Nothing written depends on the clock, so the same config and seed give the same bytes.
"""

import csv
import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from market.errors import ConfigError

FORMAT = "digitalgrid-run/1"
RUNNING, COMPLETE = "running", "complete"


@dataclass(frozen=True)
class RunFolder:
    """One run on disk."""

    path: Path

    @property
    def tables(self) -> Path:
        """Where the plain CSV tables lie."""
        return self.path / "tables"

    @property
    def ledger(self) -> Path:
        """Where a full ledger lies."""
        return self.path / "ledger"

    @property
    def observations(self) -> Path:
        """What the parties of a full ledger saw (`ledger.reasons`)."""
        return self.path / "observations.dgo"

    @property
    def state(self) -> str:
        """`running` (also when it was cut short) or `complete`."""
        file = self.path / "state"
        return file.read_text(encoding="utf-8").strip() if file.exists() else RUNNING

    def write_table(self, name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write `tables/NAME.csv`."""
        with (self.tables / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write `NAME.json`, keys in the order given."""
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (self.path / f"{name}.json").write_text(text, encoding="utf-8")

    def read_json(self, name: str) -> dict[str, Any]:
        """Read `NAME.json`; an empty mapping where there is none."""
        file = self.path / f"{name}.json"
        try:
            return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}
        except (ValueError, TypeError) as error:
            raise ConfigError("not the file of a run", where=str(file), do="make the run again") from error
        except OSError as error:
            raise ConfigError(f"cannot read: {error.strerror}", where=str(file), do="give a run folder") from error

    def complete(self) -> None:
        """Mark the run as ended well."""
        (self.path / "state").write_text(COMPLETE + "\n", encoding="utf-8")


def check_free(out: Path | None) -> None:
    """Raise ConfigError when a run folder of that name exists; called before any work."""
    if out is not None and (out.exists() or out.is_symlink()):
        raise ConfigError("the run folder exists already", where=str(out), do="give another --out; nothing was written")


def choose_path(out: Path | None, name: str, resume: bool = False) -> Path:
    """The folder a run will be made in: `out`, or a free `runs/<time>-<name>`.

    Raises:
        ConfigError: `out` exists and is not to be resumed, or there is no `out` to resume.
    """
    if resume:
        if out is None or not out.is_dir():
            raise ConfigError("there is no run to resume", where=str(out or "--out"), do="give the --out of that run")
        return out
    check_free(out)
    return out or _free_path(name)


def create_run(out: Path | None, name: str) -> RunFolder:
    """Make a new run folder, by default `runs/<time>-<name>`; raises ConfigError when it exists or cannot be made."""
    path = choose_path(out, name)
    try:
        (path / "tables").mkdir(parents=True)
        (path / "state").write_text(RUNNING + "\n", encoding="utf-8")
    except OSError as error:
        reason = error.strerror or "not writable"
        raise ConfigError(f"cannot make the run folder: {reason}", where=str(path), do="give another --out") from error
    return RunFolder(path)


def open_run(path: Path) -> RunFolder:
    """An existing run folder; raises ConfigError when it is none."""
    run = RunFolder(path)
    if run.read_json("config").get("format") != FORMAT:
        raise ConfigError("not a run folder", where=str(path), do="give the folder that simulate or demo made")
    return run


def is_complete(path: Path) -> bool:
    """Whether a folder is a run that has ended well."""
    run = RunFolder(path)
    return run.state == COMPLETE and run.read_json("config").get("format") == FORMAT


def copy_run(source: Path, target: Path) -> None:
    """Put config, figures, tables and observations of a run, all but its ledger, into a folder that stands already."""
    for path in (source / f"{name}.json" for name in ("config", "metrics")):
        shutil.copy(path, target)
    run = RunFolder(source)
    if run.observations.is_file():
        shutil.copy(run.observations, target)
    shutil.copytree(run.tables, target / run.tables.name)
    shutil.copy(source / "state", target)


def code_version() -> str:
    """Package version, with the commit when the code runs from a git checkout."""
    try:
        number = version("digitalgrid")
    except PackageNotFoundError:
        number = "not installed"
    commit = _git_commit(Path(__file__).resolve().parent.parent)
    return f"{number}+g{commit}" if commit else number


def _free_path(name: str) -> Path:
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    tried = (Path("runs") / (stem if number == 1 else f"{stem}-{number}") for number in range(1, 1000))
    return next(path for path in tried if not path.exists())


def _git_commit(root: Path) -> str:
    """Short commit, `-changed` appended when tracked files differ from it; empty outside a checkout."""
    if not (root / ".git").exists():
        return ""
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty=-changed", "--abbrev=12", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
