"""Administrators at work on a ledger that was written: each keeps its own copy and signs what it has derived again.

The first administrator passes the operator's blocks on; all of them run `ledger.audit` over each block before they
append and sign it (`ledger.replica`). Beside the ledger come, per world, `keys.json` (`ledger.receipts`), the
certificates, and each administrator's diary in a folder of its own. Certificates are canonical JSON of format
`digitalgrid-certificates/1`: per block its height, how many administrators hold it, and the certificate in hexadecimal.

A block is *final* at q votes. It survives the loss of all administrators but any one only where `replicated` is n.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ledger.audit import WorldAudit, find_worlds
from ledger.blocks import header_hash, read_block
from ledger.encoding import canonical_json
from ledger.epochs import Entry, open_entry, tip_of
from ledger.host import FolderDisk, Host
from ledger.journal import read_blocks
from ledger.keys import OPERATOR, Signer, is_signed_by, is_simulation, read_verifier, simulation_signer
from ledger.messages import Append, Message
from ledger.quorum import Administrators, Certificate, check_certificate, read_certificate
from ledger.receipts import keys_file, load_file, read_keys
from ledger.records import read_members, split_records
from ledger.replica import Replica
from ledger.replica_state import EVERYONE, replicated
from ledger.rules import read_genesis
from market.errors import ConfigError, LedgerError

CERTIFICATES, KEYS = "certificates.json", "keys.json"
CERTIFICATES_FORMAT = "digitalgrid-certificates/1"
SLACK_S, SLOT_S = 2, 1800


class Certified(NamedTuple):
    """A certificate, and how many administrators were known to hold the block when it was given."""

    certificate: Certificate
    replicated: int


class LedgerJudge:
    """Judges one world's blocks by the audit; `finding` is what it last refused, and why."""

    def __init__(self) -> None:
        self.finding = ""
        self._audit, self._tip = WorldAudit(), tip_of(()).digest

    def read(self, data: bytes) -> Entry:
        """Cut a block; raises LedgerError where bytes do not fit."""
        return open_entry(data)

    def judge(self, below: Sequence[Entry], entry: Entry) -> str:
        """Derive everything the block records; where the log below is not the one judged last, from the beginning."""
        if tip_of(below).digest != self._tip:
            self._audit = WorldAudit()
            for known in below:
                self._audit.check_block(read_block(known.data, "log"))
        try:
            self._audit.check_block(read_block(entry.data, "block"))
        except LedgerError as error:
            self._tip, self.finding = b"", str(error)
            return self.finding
        self._tip = entry.digest
        return ""

    def seal(self, below: Sequence[Entry], epoch: int, record: bytes) -> bytes:
        """A run that is over takes no more blocks; raises LedgerError."""
        raise LedgerError("a finished ledger begins no epoch", do="continue the run under its administrators")


def verify_signature(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature is good; weak keys raise LedgerError."""
    return is_signed_by(read_verifier(public_key), signature, message)


def simulation_administrators(folder: Path, replicas: int, quorum: int) -> tuple[Administrators, list[Signer]]:
    """Administrators of one simulated world's ledger and their keys, which follow from the world's own.

    Raises:
        ConfigError: the quorum lets two blocks of one height be certified.
        LedgerError: the ledger is not of a simulation: its administrators sign with keys of their own.
    """
    first = next(read_blocks(folder))
    bodies = [body for _, body in split_records(first.records)]
    genesis, members = read_genesis(bodies[0]), read_members(bodies[1])
    if not is_simulation(members.chain_id):
        raise LedgerError("administrators of a real chain sign with keys of their own", where=str(folder))
    signers: list[Signer] = [
        simulation_signer(members.chain_id, genesis.key, f"{OPERATOR} {number}") for number in range(replicas)
    ]
    keys = tuple(signer.public_key for signer in signers)
    return Administrators(members.chain_id, keys, quorum, members.operator), signers


def cosign(
    ledger: Path,
    out: Path,
    replicas: int,
    quorum: int,
    down: Callable[[int, int], bool] = lambda administrator, height: False,
) -> Iterator[tuple[Path, list[Certified]]]:
    """Cosign each world of a run's ledger; yields its folder under `out`, and the certificates.

    Args:
        ledger: the ledger folder of a run.
        out: new folder for keys, certificates and the administrators' own copies.
        replicas, quorum: how many administrators, and how many must sign.
        down: whether an administrator cannot be reached while a height is signed; the first is never down.

    Raises:
        ConfigError: `out` is not new, or the quorum is too small.
        LedgerError: a block gets fewer votes than it needs; says what its judges found.
    """
    if out.exists() and any(out.iterdir()):
        raise ConfigError("folder is not empty", where=str(out), do="choose a new folder")
    for world in find_worlds(ledger):
        administrators, signers = simulation_administrators(world, replicas, quorum)
        target = out / world.name
        panel = _Panel(administrators, signers, target)
        certified = [
            panel.pass_on(read.header_bytes + read.signature + read.records, down) for read in read_blocks(world)
        ]
        panel.close()
        (target / KEYS).write_bytes(keys_file(administrators))
        (target / CERTIFICATES).write_bytes(certificates_file(certified))
        yield target, certified


@dataclass
class _Seat:
    """One administrator: its host, what it judges with, its disk."""

    host: Host
    judge: LedgerJudge
    disk: FolderDisk


class _Panel:
    """Administrators in one process, each with its own folder, and the mail between them."""

    def __init__(self, administrators: Administrators, signers: Sequence[Signer], folder: Path) -> None:
        self._seats = []
        for number, signer in enumerate(signers):
            judge = LedgerJudge()
            disk = FolderDisk(folder / seat_name(number), create=True)
            replica = Replica(number, administrators, signer.sign, verify_signature, judge, SLACK_S)
            self._seats.append(_Seat(Host(replica, disk), judge, disk))

    def pass_on(self, data: bytes, down: Callable[[int, int], bool]) -> Certified:
        """Have one block signed; raises LedgerError when too few do."""
        header = read_block(data, "block").header
        # the clock of a simulated ledger is the time of its slots
        now, height = header.last_slot * SLOT_S, header.height
        mail: list[tuple[int, int, Message]] = [(0, 0, Append(data))]
        while mail:
            sender, to, message = mail.pop(0)
            if to and down(to, height):
                continue
            for target, answer in self._seats[to].host.hear(sender, message, now):
                others = range(len(self._seats)) if target == EVERYONE else (target,)
                mail += [(to, other, answer) for other in others if other != to]
        state = self._seats[0].host.state
        if state.certificate is None or state.certificate.height != height:
            found = sorted({seat.judge.finding for seat in self._seats} - {""})
            raise LedgerError(f"not certified: {'; '.join(found) or 'too few signed'}", where=f"block {height}")
        return Certified(state.certificate, replicated(state, height))

    def close(self) -> None:
        """Let go of the diaries."""
        for seat in self._seats:
            seat.disk.close()


def seat_name(number: int) -> str:
    """Folder of one administrator."""
    return f"administrator-{number}"


def certificates_file(certified: Sequence[Certified]) -> bytes:
    """Certificates as written beside a ledger."""
    rows = [
        {"certificate": cert.to_bytes().hex(), "height": cert.height, "replicated": count} for cert, count in certified
    ]
    return canonical_json({"certificates": rows, "format": CERTIFICATES_FORMAT})


def read_certificates(path: Path) -> list[Certified]:
    """Certificates of a world by height; raises ConfigError without the file, LedgerError when it is not canonical."""
    data = load_file(path)
    try:
        content = json.loads(data)
        rows = [
            Certified(read_certificate(bytes.fromhex(row["certificate"])), int(row["replicated"]))
            for row in content["certificates"]
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LedgerError(f"certificates cannot be read: {error}", where=str(path)) from error
    if certificates_file(rows) != data:
        raise LedgerError("certificates are not written canonically", where=str(path), do="use the file as written")
    return rows


def find_certificate(path: Path, height: int) -> bytes:
    """The certificate of one block, as a receipt holds it; raises LedgerError where there is none."""
    for certificate, _ in read_certificates(path):
        if certificate.height == height:
            return certificate.to_bytes()
    raise LedgerError(f"block {height} has no certificate", where=str(path))


@dataclass(frozen=True)
class Coverage:
    """How far certificates cover a world's blocks: blocks, certified ones, how many had each number of copies."""

    blocks: int
    certified: int
    copies: dict[int, int]


def check_cosigned(world: Path, beside: Path, administrators: Administrators | None = None) -> Coverage:
    """Check a world's certificates against its blocks, with the keys given or those beside the certificates.

    Raises:
        LedgerError: a certificate is not good, or is of another block than the ledger has at its height.
    """
    keys = administrators or read_keys(load_file(beside / KEYS), str(beside / KEYS))
    known = {row.certificate.height: row for row in read_certificates(beside / CERTIFICATES)}
    blocks, covered, copies = 0, 0, dict[int, int]()
    for block in read_blocks(world):
        blocks += 1
        row = known.pop(block.header.height, None)
        if row is None:
            continue
        header = block.header
        if row.certificate[:3] != (header.epoch, header.height, header_hash(block.header_bytes)):
            raise LedgerError("ledger holds another block than the one certified", where=f"block {header.height}")
        if header.chain_id != keys.chain_id:
            raise LedgerError("keys are of another chain", where=f"block {header.height}")
        check_certificate(keys, row.certificate, verify_signature)
        # a certificate covers everything below
        covered = header.height + 1
        copies[row.replicated] = copies.get(row.replicated, 0) + 1
    if known:
        raise LedgerError(f"certified block {min(known)} is missing from the ledger", where=str(world))
    return Coverage(blocks, covered, dict(sorted(copies.items())))
