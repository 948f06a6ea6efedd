"""Values of a JSON file that know where they stand: every mistake is one line with file, place and what to do.

Numbers are decimals from the text, never floats. Whole units are taken from their digits, so no precision is lost.
"""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NoReturn

from market.errors import DataError

HUGE = 1 << 62
"""Stands for every larger whole number."""
HUGE_DIGITS = 18


@dataclass(frozen=True)
class Node:
    """A value of a file and its place, such as orders[3].price_jpy_kwh."""

    file: Path
    place: str
    value: Any

    def fail(self, what: str, do: str) -> NoReturn:
        """Stop with one line about this value."""
        raise DataError(what, where=f"{self.file}: {self.place or 'file'}", do=do)

    def table(self, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, "Node"]:
        """The values of a table by key; unknown and missing keys are mistakes."""
        rows = dict(self.items())
        known = (*needed, *optional)
        for key, node in rows.items():
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                nearest = f"did you mean {close[0]!r}? " if close else ""
                node.fail("unknown key", f"{nearest}known: {', '.join(known)}")
        for key in needed:
            if key not in rows:
                self._below(key, None).fail("this key is missing", "add it")
        return rows

    def items(self) -> Iterator[tuple[str, "Node"]]:
        """Keys and values of a table with any keys."""
        if not isinstance(self.value, dict):
            self.fail(f"{_brief(self.value)} is not a table", "write {key: value}")
        return ((key, self._below(key, value)) for key, value in self.value.items())

    def rows(self) -> list["Node"]:
        """The entries of a list."""
        if not isinstance(self.value, list):
            self.fail(f"{_brief(self.value)} is not a list", "write [ ... ]")
        return [Node(self.file, f"{self.place}[{row}]", value) for row, value in enumerate(self.value)]

    def pair(self) -> tuple["Node", "Node"]:
        """A list of two."""
        rows = self.rows()
        if len(rows) != 2:
            self.fail(f"{len(rows)} entries instead of two", "write [first, second]")
        return rows[0], rows[1]

    def text(self) -> str:
        """A text that is not empty."""
        if not isinstance(self.value, str) or not self.value:
            self.fail(f"{_brief(self.value)} is not a name", 'write it as text: "..."')
        return self.value

    def whole(self, digits: int, step: str) -> int:
        """A number as a whole multiple of 10^-digits, +-HUGE where it is larger; `step` names that unit."""
        if not isinstance(self.value, Decimal) or not self.value.is_finite():
            self.fail(f"{_brief(self.value)} is not a number", "write a plain number")
        sign, figures, exponent = self.value.as_tuple()
        text = "".join(map(str, figures)).lstrip("0")
        kept = text.rstrip("0")
        if not kept:
            return 0
        shift = int(exponent) + len(text) - len(kept) + digits
        if shift < 0:
            self.fail(f"{_brief(self.value)} is finer than {step}", f"give a whole multiple of {step}")
        size = HUGE if len(kept) + shift > HUGE_DIGITS else int(kept) * 10**shift
        return -size if sign else size

    def not_negative(self, digits: int, step: str) -> int:
        """As `whole`, zero or more."""
        number = self.whole(digits, step)
        if number < 0:
            self.fail(f"{_brief(self.value)} is below zero", "give zero or more")
        return number

    def energy_wh(self) -> int:
        """kWh as Wh."""
        return self.whole(3, "1 Wh (0.001 kWh)")

    def price_mjpy(self) -> int:
        """JPY/kWh as mJPY/kWh."""
        return self.whole(3, "0.001 JPY/kWh")

    def slot_key(self) -> int:
        """The key of an entry {slot: ...} as a slot."""
        key = self.place.rpartition(".")[2]
        if not key.isascii() or not key.isdigit() or len(key) > HUGE_DIGITS:
            self.fail(f"{_brief(key)} is not a slot", "slots are whole numbers from 0 on")
        return int(key)

    def _below(self, key: str, value: Any) -> "Node":
        return Node(self.file, f"{self.place}.{key}" if self.place else key, value)


def read_json(path: Path) -> Node:
    """The root of a JSON file; raises DataError with line and column where it is not valid."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise DataError(f"cannot read the file: {reason}", where=str(path), do="check the path") from error

    def no_number(word: str) -> NoReturn:
        raise DataError(f"{word} is not a number", where=str(path), do="write a plain number")

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise DataError(f"key {twice!r} stands twice in one table", where=str(path), do="drop one of them")
        return table

    try:
        value = json.loads(
            text, parse_float=Decimal, parse_int=Decimal, parse_constant=no_number, object_pairs_hook=distinct
        )
    except json.JSONDecodeError as error:
        where = f"{path}: line {error.lineno} column {error.colno}"
        raise DataError(f"not valid JSON: {error.msg}", where=where, do="mend that place") from error
    except InvalidOperation as error:
        raise DataError("a number's exponent is too large", where=str(path), do="write a plain number") from error
    except RecursionError as error:
        raise DataError("nested too deeply", where=str(path), do="give a case file") from error
    return Node(path, "", value)


def exact(number: int, digits: int) -> Decimal:
    """A whole number of 10^-digits as a decimal without trailing zeros."""
    text = f"{abs(number):0{digits + 1}d}"
    whole, rest = text[: len(text) - digits], text[len(text) - digits :].rstrip("0")
    return Decimal(("-" if number < 0 else "") + whole + ("." + rest if rest else ""))


def write_json(value: Any, indent: str = "") -> str:
    """JSON with decimals written digit by digit; tables and lists one entry a line, lists of plain values in one."""
    inner = indent + "  "
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict) and value:
        rows = [f"{inner}{json.dumps(key, ensure_ascii=False)}: {write_json(v, inner)}" for key, v in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(v, dict | list) for v in value):
        return "[\n" + ",\n".join(inner + write_json(v, inner) for v in value) + f"\n{indent}]"
    if isinstance(value, list):
        return "[" + ", ".join(write_json(v, inner) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _brief(value: Any) -> str:
    text = str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else text[:37] + "..."
