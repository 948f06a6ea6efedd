"""Executions: for each block, what every registered program made of which records.

Body of an execution record, big-endian and packed:

    program u8 (row of `NAMES`) | program hash 32 | parameters 32 | first record u64 | records u32 | steps u32
    | input root 32 | output root 32

`parameters` is the hash of the rules in the genesis; first record and number of records name the stretch of the log
that was read. Both roots are those of RFC 6962 trees with one leaf a step:

    program       input leaf                                          output leaf
    matching      head before, arrival, plans, readings sent,         row codes, contracts, curtailed contracts
                  hash of each envelope, announced capacities
    imbalance     head before, slot, readings                         postings of kind IMBALANCE
    settlement    head before, slot, readings                         all postings
    certificates  slot, readings                                      certificates issued

The content head before the step stands for the state that all earlier records leave (`ledger.content`). Certificates
are issued for metered energy that parties with a renewable source and a DGC of type C export (`Rules.certified`); they
follow from the readings, so the record holds their root only, and `Executions.register` the certificates themselves.
Everything here is read from record bodies: the writer and a verifier, who has derived those bodies again, make the same
records.
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ledger.content import fixed_dtype
from ledger.merkle import leaf_hash, merkle_root
from ledger.programs import Programs, read_programs
from ledger.records import RecordType, read_step, split_envelope
from ledger.rules import Genesis, genesis_head, read_genesis
from market.certificates import Register, issue, open_register
from market.contracts import CONTRACT_WIRE, Source
from market.errors import LedgerError
from market.outages import NOTICE_WIRE
from market.settlement import KINDS, PostingKind

PARAMETERS_TAG = b"DG/parameters/v1\0"
NAMES = ("matching", "imbalance", "settlement", "certificates")
"""Programs in the order of their execution records."""
_BODY = struct.Struct(">B32s32sQII32s32s")
STEP_RECORDS = (RecordType.OUTAGE, RecordType.ENVELOPE, RecordType.STEP)
RENEWABLE = (Source.SOLAR, Source.PROSUMER)
"""Sources whose exported energy is certified."""
CERTIFICATE_WIRE = np.dtype([("first", ">u8"), ("count", ">u8"), ("device", ">u4"), ("slot", ">u4"), ("owner", ">u4")])


class Execution(NamedTuple):
    """An execution record, read."""

    program: int
    program_hash: bytes
    parameters: bytes
    first: int
    records: int
    steps: int
    inputs: bytes
    outputs: bytes

    def to_bytes(self) -> bytes:
        """Body of the record."""
        return _BODY.pack(*self)


def read_execution(body: bytes) -> Execution:
    """An execution record from its body; raises LedgerError on a wrong length or an unknown program."""
    if len(body) != _BODY.size or body[0] >= len(NAMES):
        raise LedgerError("execution record has a wrong length or an unknown program")
    return Execution(*_BODY.unpack(body))


def describe_execution(body: bytes) -> dict[str, Any]:
    """An execution record in plain values."""
    made = read_execution(body)
    return {
        "program": NAMES[made.program],
        "program_sha256": made.program_hash.hex(),
        "records": [made.first, made.first + made.records - 1],
        "steps": made.steps,
        "input_root": made.inputs.hex(),
        "output_root": made.outputs.hex(),
    }


@dataclass
class _Gathered:
    """Leaves of the steps since the last execution records, and where their records begin and end."""

    first: int
    end: int
    inputs: tuple[list[bytes], ...]
    outputs: tuple[list[bytes], ...]


class Executions:
    """Reads a world's records one by one and makes the execution records of each block.

    `register` holds the certificates issued so far.
    """

    def __init__(self) -> None:
        self._number = 0
        self._genesis: Genesis | None = None
        self._programs: Programs | None = None
        self._parameters = self._head = b""
        self._envelopes, self._codes, self._outage = list[bytes](), list[bytes](), b""
        self._gathered = _gather()
        self.register: Register = open_register(np.zeros(0, np.int64))

    def take(self, kind: RecordType, body: bytes) -> None:
        """Move on by one record."""
        if kind in STEP_RECORDS and self._gathered.end == 0:
            self._gathered.first = self._gathered.end = self._number
        if kind == RecordType.GENESIS:
            self._begin(body)
        elif kind == RecordType.PROGRAM:
            self._programs = read_programs(body)
        elif kind == RecordType.ENVELOPE:
            envelope, codes = split_envelope(body)
            self._envelopes.append(hashlib.sha256(envelope).digest())
            self._codes.append(codes)
        elif kind == RecordType.OUTAGE:
            self._outage = body
        elif kind == RecordType.STEP:
            self._take_step(body)
        self._number += 1

    @property
    def steps(self) -> int:
        """Steps that wait for their execution records."""
        return len(self._gathered.inputs[0])

    def finish(self) -> list[bytes]:
        """Bodies of the execution records of the steps since the last call; none where there was no step."""
        gathered, self._gathered = self._gathered, _gather()
        steps = len(gathered.inputs[0])
        if not steps:
            return []
        programs = self._programs
        if programs is None:
            raise LedgerError("ledger does not register its programs")
        return [
            Execution(
                row,
                programs.hashes[name],
                self._parameters,
                gathered.first,
                gathered.end - gathered.first,
                steps,
                merkle_root(gathered.inputs[row]),
                merkle_root(gathered.outputs[row]),
            ).to_bytes()
            for row, name in enumerate(NAMES)
        ]

    def _begin(self, body: bytes) -> None:
        self._genesis = genesis = read_genesis(body)
        self._parameters = hashlib.sha256(PARAMETERS_TAG + genesis.rules.text.encode()).digest()
        self._head = genesis_head(body)
        rules, accounts = genesis.rules, genesis.rules.accounts
        self._fixed = fixed_dtype(accounts.parties, accounts.count, KINDS)
        certified = np.array(rules.certified or (1,) * rules.parties, np.bool_)
        self._sources = np.flatnonzero(np.isin(rules.source, RENEWABLE) & certified)
        self.register = open_register(np.arange(rules.parties))

    def _take_step(self, body: bytes) -> None:
        if self._genesis is None:
            raise LedgerError("ledger does not begin with a genesis record")
        step = read_step(body, self._fixed.itemsize, CONTRACT_WIRE.itemsize)
        fixed = np.frombuffer(step.fixed, self._fixed)[0]
        notices = 4 + int.from_bytes(self._outage[:4], "big") * NOTICE_WIRE.itemsize
        said = [fixed[name].tobytes() for name in ("slot", "arrival", "plan", "reading_sent")]
        metered = fixed["slot"].tobytes() + fixed["reading"].tobytes()
        money = fixed["money"]
        inputs = (
            b"".join([self._head, *said, *self._envelopes, self._outage[:notices]]),
            self._head + metered,
            self._head + metered,
            metered,
        )
        outputs = (
            b"".join([*self._codes, step.contracts, self._outage[notices:]]),
            money[:, PostingKind.IMBALANCE].tobytes(),
            money.tobytes(),
            self._certify(int(fixed["slot"]), fixed["reading"]),
        )
        for row in range(len(NAMES)):
            self._gathered.inputs[row].append(leaf_hash(inputs[row]))
            self._gathered.outputs[row].append(leaf_hash(outputs[row]))
        self._head, self._envelopes, self._codes, self._outage = step.head, [], [], b""
        self._gathered.end = self._number + 1

    def _certify(self, slot: int, reading: np.ndarray[Any, np.dtype[Any]]) -> bytes:
        """Issue certificates for what renewable sources exported in a slot; the new rows as hashed."""
        exported = np.maximum(-reading[self._sources].astype(np.int64), 0)
        before = len(self.register.ranges)
        self.register, _ = issue(self.register, slot, self._sources, exported)
        new = self.register.ranges[before:]
        rows = np.zeros(len(new), CERTIFICATE_WIRE)
        for name in CERTIFICATE_WIRE.names or ():
            rows[name] = new[name]
        return rows.tobytes()


class ExecutionCheck:
    """Holds the execution records of a ledger against those that its other records, derived again, lead to."""

    def __init__(self) -> None:
        self.executions = Executions()
        self.count = 0
        self._due: list[bytes] = []
        self._closed = False

    def take(self, kind: RecordType, body: bytes) -> None:
        """Move on by one verified record; raises LedgerError where an execution record is not the one derived."""
        if kind == RecordType.EXEC:
            if not self._closed:
                self._due, self._closed = self.executions.finish(), True
            if not self._due:
                raise LedgerError("an execution record does not belong here")
            _compare(read_execution(body), read_execution(self._due.pop(0)))
            self.count += 1
        elif self._closed and kind in STEP_RECORDS:
            raise LedgerError("a step stands behind the execution records of its block")
        self.executions.take(kind, body)

    def close_block(self) -> None:
        """Raise LedgerError unless every step of the block has its execution records."""
        if self._due or self.executions.steps:
            raise LedgerError("block lacks the execution records of its steps")
        self._closed = False


def _compare(recorded: Execution, derived: Execution) -> None:
    for name in Execution._fields:
        said, made = getattr(recorded, name), getattr(derived, name)
        if said != made:
            shown = (said.hex()[:12], made.hex()[:12]) if isinstance(said, bytes) else (said, made)
            what = f"execution of {NAMES[derived.program]}: {name}"
            raise LedgerError(f"{what} is recorded as {shown[0]}, derived as {shown[1]}")


def _gather() -> _Gathered:
    return _Gathered(0, 0, tuple([] for _ in NAMES), tuple([] for _ in NAMES))
