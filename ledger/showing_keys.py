"""Registrations and evidence in words: what records between steps say, and whose names their keys go by."""

from collections.abc import Sequence
from typing import Any

from ledger.encoding import SIGNATURE_BYTES, record_id
from ledger.evidence import read_equivocation
from ledger.keys import key_id_of
from ledger.limits import ALL_AREAS, MAX_AREAS
from ledger.records import RecordType
from ledger.registrations import read_enrolment, read_revocation, read_rotation


def describe_between(kind: RecordType, body: bytes, names: dict[bytes, str], parties: Sequence[str]) -> dict[str, Any]:
    """What a record of type ENROL, ROTATE, REVOKE or EVIDENCE says.

    `names` by key id learns the new keys in place; `parties` are names by number. Raises LedgerError on bytes that are
    no such record.
    """
    if kind == RecordType.ENROL:
        enrolment = read_enrolment(body)
        party = parties[enrolment.party] if enrolment.party < len(parties) else str(enrolment.party)
        names[key_id_of(enrolment.public_key)] = party
        limit: dict[str, Any] = {"from_block": enrolment.height, "most_orders": enrolment.rows}
        if enrolment.limits is not None:
            areas = enrolment.limits.areas
            limit |= {"role": enrolment.limits.role.name.lower()}
            limit |= {"areas": "all" if areas == ALL_AREAS else [row for row in range(MAX_AREAS) if areas >> row & 1]}
        return {"party": party, "key": enrolment.public_key.hex(), **limit}
    if kind == RecordType.ROTATE:
        rotation = read_rotation(body)
        party = names.get(rotation.key_id, rotation.key_id.hex())
        names[key_id_of(rotation.public_key)] = party
        return {"party": party, "key": rotation.public_key.hex(), "from_block": rotation.height}
    if kind == RecordType.REVOKE:
        said = read_revocation(body)
        why = {"reason": said.reason.name.lower(), "by": said.by.name.lower()}
        return {"party": names.get(said.key_id, said.key_id.hex()), "from_block": said.height, **why}
    twice = read_equivocation(body)
    ids = [record_id(envelope[:-SIGNATURE_BYTES]).hex() for envelope in (twice.first, twice.second)]
    return {"party": names.get(twice.key_id, twice.key_id.hex()), "sequence": twice.sequence, "envelopes": ids}
