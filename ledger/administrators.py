"""Administrators at work on a ledger that was written: each keeps its own copy and signs what it has derived again.

The first administrator passes the operator's blocks on; all of them run `ledger.audit` over each block before they
append and sign it (`ledger.replica`). Beside the ledger come, per world, `keys.json` (`ledger.receipts`), the
certificates, and each administrator's diary in a folder of its own (`ledger.panel`); and where the leader was lost the
ledger that went on, in a folder `ledger`. Certificates are canonical JSON of format
`digitalgrid-certificates/1`: per block its height, how many administrators hold it, and the certificate in hexadecimal.

A block is *final* at q votes. It survives the loss of all administrators but any one only where `replicated` is n.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.audit import KeysOf, find_worlds
from ledger.blocks import NO_CERTIFICATE, Block, header_hash
from ledger.continuing import hash_certificate
from ledger.encoding import canonical_json
from ledger.epochs import Entry
from ledger.journal import read_blocks
from ledger.judging import verify_signature
from ledger.keys import OPERATOR, Signer, is_simulation, simulation_signer
from ledger.panel import Certified, Down, Panel
from ledger.quorum import Administrators, check_certificate, read_certificate
from ledger.receipts import keys_file, load_file, read_keys
from ledger.records import split_records
from ledger.restart import save, snapshot_path
from ledger.rules import read_genesis
from ledger.segment_store import SegmentStore
from market.errors import ConfigError, LedgerError

CERTIFICATES, KEYS = "certificates.json", "keys.json"
CERTIFICATES_FORMAT = "digitalgrid-certificates/1"


def simulation_administrators(folder: Path, replicas: int, quorum: int) -> tuple[Administrators, list[Signer]]:
    """Administrators of one simulated world's ledger and their keys, which follow from the world's own.

    Raises:
        ConfigError: the quorum lets two blocks of one height be certified.
        LedgerError: the ledger is not of a simulation: its administrators sign with keys of their own.
    """
    first = next(read_blocks(folder))
    signers, operator = simulation_signers(first, replicas)
    keys = tuple(signer.public_key for signer in signers)
    return Administrators(first.header.chain_id, keys, quorum, operator.public_key), signers


def simulation_signers(first: Block, replicas: int) -> tuple[list[Signer], Signer]:
    """Keys of a simulated world's administrators and of its operator, from its first block.

    Raises:
        LedgerError: the chain is not of a simulation.
    """
    genesis = read_genesis(next(body for _, body in split_records(first.records)))
    chain_id = first.header.chain_id
    if not is_simulation(chain_id):
        raise LedgerError("administrators of a real chain sign with keys of their own", where=first.place)
    names = [OPERATOR, *(f"{OPERATOR} {number}" for number in range(replicas))]
    made: list[Signer] = [simulation_signer(chain_id, genesis.key, name) for name in names]
    return made[1:], made[0]


def cosign(
    ledger: Path,
    out: Path,
    replicas: int,
    quorum: int,
    down: Down = lambda administrator, height: False,
    leader_lost: Collection[int] = (),
    snapshot_at: Collection[int] = (),
) -> Iterator[tuple[Path, list[Certified]]]:
    """Cosign each world of a run's ledger; yields its folder under `out`, and the certificates.

    Args:
        ledger: the ledger folder of a run.
        out: new folder for keys, certificates and the administrators' own copies.
        replicas, quorum: how many administrators, and how many must sign.
        down: whether an administrator cannot be reached while a height of the run is signed; who leads is never down.
        leader_lost: heights of the run before which whoever leads is lost for good and an epoch begins; what then
            stands in the administrators' copies is written to `out`/ledger.
        snapshot_at: heights of the run behind which they sign a snapshot (`ledger.restart`), in `out`/snapshots.

    Raises:
        ConfigError: `out` is not new, the quorum is too small, or a run has no such block to lose its leader at.
        LedgerError: a block gets fewer votes than it needs; says what its judges found.
    """
    if out.is_file() or (out.exists() and any(out.iterdir())):
        raise ConfigError("folder is not empty", where=str(out), do="choose a new folder")
    for world in find_worlds(ledger):
        _check_heights(world, leader_lost, snapshot_at)
        administrators, signers = simulation_administrators(world, replicas, quorum)
        target, certified = out / world.name, list[Certified]()
        panel = Panel(administrators, signers, target)
        for block in read_blocks(world):
            if block.header.height in leader_lost:
                certified.append(panel.lose_leader(block, down))
            certified.append(panel.pass_on(block, down))
            if block.header.height in snapshot_at:
                path = snapshot_path(out / "snapshots", world.name, len(panel.log) - 1)
                save(panel.sign_snapshot(), path)
        panel.close()
        (target / KEYS).write_bytes(keys_file(administrators))
        (target / CERTIFICATES).write_bytes(certificates_file(certified))
        if leader_lost:
            write_log(panel.log, out / "ledger" / world.name)
        yield target, certified


def write_log(log: Sequence[Entry], folder: Path) -> None:
    """Write an administrator's blocks as one world's ledger; raises LedgerError where the folder is not empty."""
    store = SegmentStore(folder)
    for entry in log:
        store.append(entry.height, entry.previous, entry.data)
    store.wait()
    store.close()


def _check_heights(world: Path, lost: Collection[int], snapshots: Collection[int]) -> None:
    """The leader can be lost before any block but the first, which says who there is."""
    last = max(block.header.height for block in read_blocks(world))
    wrong = [at for at in lost if not 0 < at <= last] + [at for at in snapshots if not 0 <= at <= last]
    if wrong:
        raise ConfigError(f"{world.name} has no block {wrong[0]} for this", do=f"give 1 to {last}")


def known_administrators(path: Path) -> KeysOf:
    """Administrators from a keys file, for every world, or from the folder that `cosign` made, world by world.

    Raises:
        ConfigError: neither is there.
        LedgerError: a file is of another form.
    """
    if path.is_dir():
        return lambda world: read_keys(load_file(path / world / KEYS), str(path / world / KEYS))
    known = read_keys(load_file(path), str(path))
    return lambda world: known


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
    blocks, covered, copies, before = 0, 0, dict[int, int](), NO_CERTIFICATE
    for block in read_blocks(world):
        blocks += 1
        row = known.pop(block.header.height, None)
        if block.header.certificate not in (NO_CERTIFICATE, before):
            raise LedgerError("header names another certificate than is kept", where=f"block {block.header.height}")
        before = NO_CERTIFICATE if row is None else hash_certificate(row.certificate)
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
