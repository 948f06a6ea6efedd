"""Table schemas: one list of fields is validation, bytes and documentation at once.

A table is a NumPy structured array. Its schema names every column with in-memory dtype, wire dtype
(big-endian, packed, as signed and hashed), unit and meaning.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[Any]
"""A structured array of one of the schemas; fields are read by name."""


@dataclass(frozen=True)
class Field:
    """One column: name, dtype in memory, dtype on the wire ('' = not written), unit, meaning."""

    name: str
    memory: str
    wire: str
    unit: str
    meaning: str


Schema = tuple[Field, ...]


def memory_dtype(schema: Schema) -> np.dtype[Any]:
    """Native dtype of a table."""
    return np.dtype([(field.name, field.memory) for field in schema])


def wire_dtype(schema: Schema) -> np.dtype[Any]:
    """Packed big-endian dtype of the columns that are signed and hashed."""
    return np.dtype([(field.name, field.wire) for field in schema if field.wire])


def to_wire(table: Table, wire: np.dtype[Any]) -> Table:
    """Copy the wire columns of a table; raises OverflowError when a value does not fit its wire dtype."""
    out = np.empty(len(table), wire)
    for name in wire.names or ():
        out[name] = table[name]
        if table.dtype[name].itemsize > wire[name].itemsize and (out[name] != table[name]).any():
            raise OverflowError(f"column {name} does not fit {wire[name]}")
    return out


def from_wire(data: bytes | memoryview, wire: np.dtype[Any], memory: np.dtype[Any]) -> Table:
    """Read packed rows back into a table; columns that are not on the wire are zero."""
    rows = np.frombuffer(data, wire)
    out = np.zeros(len(rows), memory)
    for name in wire.names or ():
        out[name] = rows[name]
    return out


def pick_rows(table: Table, where: npt.NDArray[Any]) -> Table:
    """Copy of the rows that a mask or row numbers name."""
    # take moves whole rows; indexing a structured array would move it field by field, some 20 times slower
    return table.take(where.nonzero()[0] if where.dtype == np.bool_ else where)


def join_rows(*tables: Table) -> Table:
    """One table after another; all of one dtype."""
    # joined as opaque rows, for the same reason
    rows = np.dtype(f"V{tables[0].dtype.itemsize}")
    return np.concatenate([table.view(rows) for table in tables]).view(tables[0].dtype)


def describe(schema: Schema) -> str:
    """The schema as a Markdown table, for the docs."""
    head = "| column | memory | wire | unit | meaning |\n|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| {f.name} | {f.memory} | {f.wire or '-'} | {f.unit or '-'} | {f.meaning} |" for f in schema
    )
