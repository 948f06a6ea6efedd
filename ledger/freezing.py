"""Frozen objects: the audit's whole memory as canonical bytes, and back; what a restart stands on.

One tag byte, then the value, numbers big-endian:

    N nothing | Y, X true, false | I integer: length u32, two's complement | B bytes, S text: length u32, bytes
    L list, U tuple: count u32, values | D dictionary, E set: count u32, entries in the order of their bytes
    A array: dtype name, shape, then elements in C order, a table column by column | C member of an enumeration
    O object: class, fields in the order of their names

Classes are named by module and name, and only those of `ledger` and `market` are made again, field by field, without
running code of theirs. What follows from other parts is left out and put back by the caller (`Given`). Two processes
that derived the same records freeze to the same bytes, so that several can sign one hash of them.
"""

import struct
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

import numpy as np

from market.errors import LedgerError

_COUNT = struct.Struct(">I")
HOMES = ("ledger.", "market.")
Given = Mapping[str, Any]
"""Values put back by class name, instead of being frozen."""
LEFT_OUT = frozenset({"verifier", "matched", "administrators"})
"""Fields that are not frozen: keys ready for checking, the matching of the newest step (kept for explanations), and the
administrators, who come from outside."""


def freeze(value: Any, given: Given) -> bytes:
    """Canonical bytes of a value; instances of classes named in `given` are left to the reader.

    Raises:
        LedgerError: it holds something that has no frozen form.
    """
    parts: list[bytes] = []
    _freeze(value, given, parts.append)
    return b"".join(parts)


def _freeze(value: Any, given: Given, put: Callable[[bytes], None]) -> None:
    kind: type = np.dtype if isinstance(value, np.dtype) else type(value)
    if kind.__name__ in given:
        put(b"G" + _text(kind.__name__))
    elif value is None or kind is bool:
        put(b"N" if value is None else b"Y" if value else b"X")
    elif issubclass(kind, IntEnum):
        put(b"C" + _class_name(kind) + _number(int(value)))
    elif isinstance(value, int | np.integer):
        put(b"I" + _number(int(value)))
    elif kind in (bytes, str):
        data = value if kind is bytes else value.encode()
        put((b"B" if kind is bytes else b"S") + _COUNT.pack(len(data)) + data)
    elif kind in (list, tuple):
        put((b"L" if kind is list else b"U") + _COUNT.pack(len(value)))
        for item in value:
            _freeze(item, given, put)
    elif kind in (dict, Counter, set, frozenset):
        _freeze_unordered(value, given, put)
    elif kind is np.ndarray:
        _freeze_array(value, put)
    else:
        fields = _fields(value)
        put(b"O" + _class_name(kind) + _COUNT.pack(len(fields)))
        for name in sorted(fields):
            put(_text(name))
            _freeze(fields[name], given, put)


def _freeze_unordered(value: Any, given: Given, put: Callable[[bytes], None]) -> None:
    """Entries in the order of their bytes, whatever order they came in."""
    is_map = isinstance(value, dict)
    entries = (freeze(key, given) + freeze(value[key], given) for key in value) if is_map else None
    frozen = sorted(entries if entries is not None else (freeze(item, given) for item in value))
    tags: dict[type, bytes] = {dict: b"D", Counter: b"Q", set: b"E", frozenset: b"F"}
    tag = tags[type(value)]
    put(tag + _COUNT.pack(len(frozen)) + b"".join(frozen))


def _freeze_array(value: np.ndarray[Any, Any], put: Callable[[bytes], None]) -> None:
    names = value.dtype.names
    put(b"A" + _COUNT.pack(value.ndim) + b"".join(_COUNT.pack(size) for size in value.shape))
    put(_COUNT.pack(len(names or ())))
    for name in names or ("",):
        column = value[name] if names else value
        if column.dtype.hasobject or column.dtype.names or column.dtype.subdtype:
            raise LedgerError(f"an array of {column.dtype} cannot be frozen")
        put(_text(name) + _text(column.dtype.newbyteorder(">").str))
        put(np.ascontiguousarray(column, column.dtype.newbyteorder(">")).tobytes())


def _fields(value: Any) -> dict[str, Any]:
    kind = type(value)
    if not kind.__module__.startswith(HOMES) or issubclass(kind, Exception) or callable(value):
        raise LedgerError(f"a {kind.__module__}.{kind.__qualname__} cannot be frozen")
    named = hasattr(value, "_asdict")
    fields: dict[str, Any] = value._asdict() if named else dict(vars(value))
    return {name: item for name, item in fields.items() if name not in LEFT_OUT}


def thaw(data: bytes, given: Given) -> Any:
    """The value of frozen bytes; raises LedgerError unless they are exactly one, of classes known here."""
    try:
        value, end = _Reader(data, given).take(0)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, struct.error, RecursionError) as error:
        raise LedgerError(f"frozen bytes cannot be read: {error}") from error
    if end != len(data):
        raise LedgerError("frozen bytes have something behind them")
    return value


class _Reader:
    """Reads values from one place to the next; raises what `thaw` catches."""

    def __init__(self, data: bytes, given: Given) -> None:
        self._data, self._given = data, given

    def take(self, at: int) -> tuple[Any, int]:
        """The value at a place, and the place behind it."""
        tag, at = self._data[at : at + 1], at + 1
        if tag in b"NYX" and tag:
            return {b"N": None, b"Y": True, b"X": False}[tag], at
        if tag in (b"I", b"B", b"S"):
            raw, at = self._bytes(at)
            return int.from_bytes(raw, "big", signed=True) if tag == b"I" else raw if tag == b"B" else raw.decode(), at
        if tag == b"G":
            name, at = self._bytes(at)
            return self._given[name.decode()], at
        if tag in (b"L", b"U", b"E", b"F"):
            items, at = self._items(at, 1)
            return {b"L": list, b"U": tuple, b"E": set, b"F": frozenset}[tag](item for (item,) in items), at
        if tag in (b"D", b"Q"):
            items, at = self._items(at, 2)
            return (dict if tag == b"D" else Counter)(dict(items)), at
        if tag == b"A":
            return self._array(at)
        if tag == b"C":
            kind, at = self._class(at)
            raw, at = self._bytes(at)
            return kind(int.from_bytes(raw, "big", signed=True)), at
        if tag == b"O":
            return self._object(at)
        raise ValueError(f"unknown tag {tag!r}")

    def _bytes(self, at: int) -> tuple[bytes, int]:
        end = at + _COUNT.size + _COUNT.unpack_from(self._data, at)[0]
        if end > len(self._data):
            raise ValueError("cut short")
        return self._data[at + _COUNT.size : end], end

    def _items(self, at: int, width: int) -> tuple[list[tuple[Any, ...]], int]:
        count, items = _COUNT.unpack_from(self._data, at)[0], []
        at += _COUNT.size
        for _ in range(count):
            item = []
            for _ in range(width):
                value, at = self.take(at)
                item.append(value)
            items.append(tuple(item))
        return items, at

    def _array(self, at: int) -> tuple[np.ndarray[Any, Any], int]:
        sizes = _COUNT.unpack_from(self._data, at)[0]
        at += _COUNT.size
        shape = struct.unpack_from(f">{sizes}I", self._data, at)
        at += sizes * _COUNT.size
        columns, count = [], int(np.prod(shape, dtype=np.int64))
        names = _COUNT.unpack_from(self._data, at)[0]
        at += _COUNT.size
        for _ in range(max(names, 1)):
            name, at = self._bytes(at)
            form, at = self._bytes(at)
            dtype = np.dtype(form.decode())
            read = np.frombuffer(self._data, dtype, count, at).astype(dtype.newbyteorder("=")).reshape(shape)
            columns.append((name.decode(), read))
            at += count * dtype.itemsize
        if not names:
            return columns[0][1], at
        table = np.zeros(shape, [(name, column.dtype) for name, column in columns])
        for title, column in columns:
            table[title] = column
        return table, at

    def _class(self, at: int) -> tuple[Any, int]:
        raw, at = self._bytes(at)
        module, _, name = raw.decode().rpartition(".")
        if not module.startswith(HOMES) or module not in sys.modules:
            raise ValueError(f"class {module}.{name} is not known")
        kind = getattr(sys.modules[module], name)
        if not isinstance(kind, type) or kind.__module__ != module:
            raise ValueError(f"{module}.{name} is no class of its module")
        return kind, at

    def _object(self, at: int) -> tuple[Any, int]:
        kind, at = self._class(at)
        count, fields = _COUNT.unpack_from(self._data, at)[0], dict[str, Any]()
        at += _COUNT.size
        for _ in range(count):
            name, at = self._bytes(at)
            fields[name.decode()], at = self.take(at)
        if hasattr(kind, "_make"):
            return kind._make(fields[name] for name in kind._fields), at
        made = object.__new__(kind)
        made.__dict__.update(fields)
        return made, at


def _text(text: str) -> bytes:
    return _COUNT.pack(len(text.encode())) + text.encode()


def _class_name(kind: type) -> bytes:
    return _text(f"{kind.__module__}.{kind.__qualname__}")


def _number(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
    return _COUNT.pack(len(raw)) + raw
