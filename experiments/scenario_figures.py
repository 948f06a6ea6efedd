"""The figures of a scenario file and what the comment beside each says of its source.

A figure is a number, or a list with numbers; zeros, which say that there is nothing, need no source. The source stands
in the comment on its line, which may go on in comments below that begin further right. A figure without one, or with a
unit only, is refused: who reads a scenario must be able to tell what is published from what is an assumption.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envs.scenario import SCENARIO_FOLDER, load_scenario
from market.errors import ConfigError

ASSUMPTION = "assumption"
SCENARIO_FILE = "scenario.toml"

_TABLE = re.compile(r"\s*(\[{1,2})\s*([\w.-]+)\s*\]{1,2}")
_ENTRY = re.compile(r"\s*([\w-]+)\s*=\s*(.*)")
_PIECE = re.compile(r"""("[^"]*"|'[^']*'|[^"'#])*""")


@dataclass(frozen=True)
class FigureLine:
    """One entry of a scenario file: dotted key, value as written, comment, line."""

    key: str
    value: str
    source: str
    line: int

    @property
    def is_figure(self) -> bool:
        """Whether the value is a number other than zero, or a list or table with one."""
        value = tomllib.loads(f"value = {self.value}")["value"]
        return any(isinstance(part, int | float) and part != 0 for part in _leaves(value))

    @property
    def has_source(self) -> bool:
        """Whether the comment says `assumption` or names something in more than one word."""
        return ASSUMPTION in self.source.lower() or " " in self.source


def scenario_path(name_or_path: str) -> Path:
    """The file of a scenario given by name, by path, or by the folder it lies in; raises ConfigError."""
    path = Path(name_or_path)
    if path.is_dir():
        return path / SCENARIO_FILE
    if path.suffix == ".toml":
        return path
    load_scenario(name_or_path)  # names the known ones when there is none
    return SCENARIO_FOLDER / f"{name_or_path.replace('-', '_')}.toml"


def read_figures(path: Path) -> list[FigureLine]:
    """Every entry of a scenario file in its order; raises ConfigError for the first figure without a source."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("cannot read the scenario file", where=str(path), do="check the path") from error
    entries = list(_entries(text))
    for entry in entries:
        if entry.is_figure and not entry.has_source:
            where = f"{path}: line {entry.line}: {entry.key}"
            do = f"write its source beside it, or # {ASSUMPTION}: why"
            raise ConfigError(f"a figure without a source: {entry.value}", where=where, do=do)
    return entries


def _entries(text: str) -> Iterator[FigureLine]:
    table, counts = "", dict[str, int]()
    open_entry: FigureLine | None = None
    for number, line in enumerate(text.splitlines(), 1):
        code, comment = _split(line)
        if open_entry and (_unfinished(open_entry.value) or (comment and not code.strip() and line[:1].isspace())):
            value = f"{open_entry.value} {code.strip()}".strip()
            source = f"{open_entry.source} {comment}".strip()
            open_entry = FigureLine(open_entry.key, value, source, open_entry.line)
            continue
        if open_entry:
            yield open_entry
            open_entry = None
        heading, entry = _TABLE.match(code), _ENTRY.match(code)
        if heading:
            table = _numbered(heading[2], heading[1] == "[[", counts)
        elif entry:
            key = f"{table}.{entry[1]}" if table else entry[1]
            open_entry = FigureLine(key, entry[2].strip(), comment, number)
    if open_entry:
        yield open_entry


def _split(line: str) -> tuple[str, str]:
    """Code and comment of a line; a # inside quotes begins no comment."""
    match = _PIECE.match(line)
    end = match.end() if match else 0
    return line[:end], line[end:].lstrip("#").strip()


def _unfinished(value: str) -> bool:
    return value.count("[") > value.count("]")


def _numbered(name: str, is_list: bool, counts: dict[str, int]) -> str:
    """The table's name with its position in each list of tables on the way, as settings on the command line have it."""
    if is_list:
        counts[name] = counts.get(name, -1) + 1
    parts: list[str] = []
    for end in range(1, name.count(".") + 2):
        above = ".".join(name.split(".")[:end])
        parts.append(above.rsplit(".", 1)[-1])
        if above in counts:
            parts.append(str(counts[above]))
    return ".".join(parts)


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _leaves(part)
    else:
        yield value
