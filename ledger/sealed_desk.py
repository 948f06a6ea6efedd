"""The desk where the sealed orders of one world come in, and its simulated administrators.

In a simulation one process is every device and every administrator; their keys follow from the seed as all keys there
do, and so do the dice that seal. The bytes, the judgement and the record are those of a live market.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledger.keys import Signer, in_parallel, is_simulation, simulation_signer
from ledger.records import RecordType
from ledger.registry import Registry
from ledger.sealed_hearing import LastSealed, Opened, hear_sealed, hear_sheets, open_orders
from ledger.sealed_records import Privacy, digest_orders, write_sheet
from ledger.sealing import SECRET_BYTES, Opener, Sealed, seal_envelope
from market.errors import LedgerError, Refusal


@dataclass
class Tally:
    """Sealed orders of a run: how many came, their bytes and those of shares; void ones by party and code."""

    orders: int = 0
    order_bytes: int = 0
    share_bytes: int = 0
    void: Counter[tuple[int, Refusal]] = field(default_factory=Counter)
    shares_refused: Counter[Refusal] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Count another world's too."""
        self.orders += other.orders
        self.order_bytes += other.order_bytes
        self.share_bytes += other.share_bytes
        self.void += other.void
        self.shares_refused += other.shares_refused


@dataclass(frozen=True)
class Administrator:
    """One who holds shares: its number from 1, what opens and what signs."""

    number: int
    opener: Opener
    signer: Signer

    def publish(self, chain_id: bytes, slot: int, kept: Sequence[bytes], orders: Sequence[Sealed]) -> bytes:
        """Its share record for the sealed orders of an auction; to be called once the gate has closed."""
        shares = in_parallel(lambda sealed: self.opener.find_share(sealed, self.number), orders)
        return write_sheet(chain_id, self.number, slot, digest_orders(kept), shares, self.signer)


class Desk:
    """Sealed orders of one world, step by step.

    `administrators` are those that publish; whoever is taken out of the list withholds its shares.
    """

    def __init__(self, chain_id: bytes, seed: int, needed: int, administrators: int) -> None:
        self._chain_id, self._seed = chain_id, seed
        self.administrators = [
            Administrator(
                number,
                simulation_opener(chain_id, seed, f"administrator {number}"),
                simulation_signer(chain_id, seed, f"administrator {number}"),
            )
            for number in range(1, administrators + 1)
        ]
        openers = tuple(one.opener.public_key for one in self.administrators)
        signers = [one.signer for one in self.administrators]
        keys = tuple(signer.public_key for signer in signers)
        self.privacy = Privacy(chain_id, needed, openers, keys).signed(signers)
        self.tally = Tally()
        self._last: LastSealed = {}

    def seal(self, envelopes: Sequence[bytes], signers: Mapping[int, Signer]) -> list[bytes]:
        """The envelopes of this world's own devices, sealed; `signers` by party, in their order."""

        def seal(pair: tuple[bytes, Signer]) -> bytes:
            dice = simulation_dice(self._chain_id, self._seed, pair[0])
            return seal_envelope(*pair, self.privacy.openers, self.privacy.needed, dice)

        return in_parallel(seal, list(zip(envelopes, signers.values(), strict=True)))

    def hear(
        self, registry: Registry, given: Sequence[bytes], slot: int
    ) -> tuple[list[tuple[RecordType, bytes]], Opened]:
        """Judge the sealed orders of a step, let the administrators publish, and open: the records, and what came."""
        arrived = hear_sealed(registry, self.privacy, self._chain_id, self._last, given, slot)
        records = [(RecordType.SEALED, data) for data in arrived.kept]
        published = list[bytes]()
        if arrived.kept:
            published = [one.publish(self._chain_id, slot, arrived.kept, arrived.orders) for one in self.administrators]
        codes, sheets = hear_sheets(self.privacy, self._chain_id, slot, arrived.kept, published)
        good = [body for body, code in zip(published, codes, strict=True) if not code]
        records += [(RecordType.SHARE, body) for body in good]
        opened = open_orders(registry, arrived, given, sheets)
        self._count(arrived.kept, good, opened, codes)
        return records, opened

    def _count(self, kept: Sequence[bytes], shares: Sequence[bytes], opened: Opened, codes: Sequence[Refusal]) -> None:
        self.tally.add(
            Tally(
                len(kept),
                sum(map(len, kept)),
                sum(map(len, shares)),
                Counter((party, code) for _, code, party in opened.void),
                Counter(code for code in codes if code),
            )
        )


def simulation_opener(chain_id: bytes, seed: int, name: str) -> Opener:
    """The repeatable opener of a simulated administrator; raises LedgerError on any other chain."""
    return Opener.from_secret(_derive(chain_id, seed, b"DG/sim/opener/v1\0" + name.encode(), SECRET_BYTES))


def simulation_dice(chain_id: bytes, seed: int, envelope: bytes) -> Callable[[int], bytes]:
    """Repeatable dice to seal one envelope with, never the same for another; raises LedgerError on any other chain."""
    info, call = b"DG/sim/dice/v1\0" + chain_id + hashlib.sha256(envelope).digest(), 0

    def dice(size: int) -> bytes:
        nonlocal call
        call += 1
        return _derive(chain_id, seed, info + bytes([call]), size) if size else b""

    return dice


def _derive(chain_id: bytes, seed: int, info: bytes, size: int) -> bytes:
    if not is_simulation(chain_id):
        what = "derived keys and dice are for simulations only"
        raise LedgerError(what, where=f"chain {chain_id.hex()}", do="use keys and dice of a device")
    return HKDF(hashes.SHA256(), size, b"DG/sim/key/v1\0", info).derive(str(seed).encode())
