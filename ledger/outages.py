"""Outages on record: announced capacities and the contracts curtailed for them, as hashed and stored.

Body of an outage record, big-endian and packed: notices u32 | rows of NOTICE_WIRE, by slot, then line | rows of
CURTAILED_WIRE, by number. It stands before the envelopes of the step in which it was announced; the content head takes
it in behind that step's contracts, whose number the fixed part tells, so that what follows them is the outage.
"""

import struct

import numpy as np

from market.errors import LedgerError
from market.outages import CURTAILED, CURTAILED_WIRE, NOTICE, NOTICE_WIRE
from market.tables import Table, from_wire, to_wire

_COUNT = struct.Struct(">I")


def outage_bodies(notices: Table, curtailed: Table, worlds: int) -> list[bytes]:
    """Body of each world's outage record, empty where nothing was announced; rows are sorted by world."""
    if not len(notices):
        return [b""] * worlds
    edges = np.arange(worlds + 1)
    said, cut = np.searchsorted(notices["world"], edges), np.searchsorted(curtailed["world"], edges)
    bodies = []
    for world in range(worlds):
        rows = notices[said[world] : said[world + 1]]
        body = _COUNT.pack(len(rows)) + to_wire(rows, NOTICE_WIRE).tobytes()
        body += to_wire(curtailed[cut[world] : cut[world + 1]], CURTAILED_WIRE).tobytes()
        bodies.append(body if len(rows) else b"")
    return bodies


def read_outage(body: bytes) -> tuple[Table, Table]:
    """Notices and curtailed contracts of one world; raises LedgerError on a wrong length."""
    count = _COUNT.unpack_from(body)[0] if len(body) >= _COUNT.size else 0
    middle = _COUNT.size + count * NOTICE_WIRE.itemsize
    if count == 0 or len(body) < middle or (len(body) - middle) % CURTAILED_WIRE.itemsize:
        raise LedgerError("outage record has a wrong length")
    return (
        from_wire(body[_COUNT.size : middle], NOTICE_WIRE, NOTICE),
        from_wire(body[middle:], CURTAILED_WIRE, CURTAILED),
    )
