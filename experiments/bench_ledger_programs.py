"""Speed of what stands beside the signatures: executions, reasons and sealed orders, against bare cryptography."""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from agents.knowing import write_knowledge
from envs.opening import open_world
from experiments.bench_rows import BenchRow, alternate
from ledger.encoding import ABSENT, encode_bodies, signed_message
from ledger.executions import NAMES, Executions
from ledger.journal import read
from ledger.keys import simulation_chain_id, simulation_signer
from ledger.reasons import name_observation
from ledger.records import RecordType
from ledger.sealing import Opener, Opening, open_sealed, read_sealed, seal_envelope
from market.design import find_design
from market.orders import ORDER, ORDER_WIRE
from market.tables import to_wire

SCENARIO, STEPS = "urawa-misono", 24
CHEAP = 5.0
"""What is no cryptography of its own shall take at most a fifth of the signatures it stands beside."""
SEALED_ORDERS, ADMINISTRATORS, NEEDED, SEAL = 48, 3, 2, 0.5
PRIVATE, PRIVATE_STEPS, OPEN = (3, 4), 12, 0.25
"""A signed run with privacy shall take at most four times one without."""


def programs_rows(seed: int = 0) -> list[BenchRow]:
    """Rows of this file; a few seconds."""
    return [executions_row(seed), reasons_row(seed), sealing_row(seed), private_row(seed)]


def executions_row(seed: int) -> BenchRow:
    """Execution records of half a day's blocks, against verifying the envelopes of those blocks."""
    with TemporaryDirectory() as scratch:
        world = open_world(SCENARIO, seed=seed, days=1, ledger="full", folder=Path(scratch) / "ledger")
        world.reset()
        for _ in range(STEPS):
            world.step()
        records = [(kind, body) for *_, kind, body in read(Path(scratch) / "ledger" / "world-0000")]
    begin = next(place for place, (kind, _) in enumerate(records) if kind == RecordType.ENVELOPE)
    envelopes = sum(kind == RecordType.ENVELOPE for kind, _ in records)

    def execute() -> list[bytes]:
        executions = Executions()
        for record in records:
            executions.take(*record)
        return executions.finish()

    # the rules in the genesis are read once a ledger, not once a block
    front, *_ = alternate(lambda: Executions().take(*records[0]), lambda: None, rounds=3)
    ours, bare, made, _ = alternate(execute, _bare_verify(envelopes))
    what = f"executions of {len(NAMES)} programs, {len(records) - begin} records"
    return BenchRow(what, "verifying their envelopes", ours - front, bare, CHEAP, len(made) == len(NAMES))


def reasons_row(seed: int) -> BenchRow:
    """What the parties of a world saw in a step, written and hashed, against signing and verifying their envelopes."""
    world = open_world(SCENARIO, seed=seed, days=1)
    world.reset()
    world.step()
    views = [world.view(role) for role in world.roles]

    def name_all() -> list[bytes]:
        return [name_observation(data) for view in views for row in write_knowledge(view) for data in row]

    parties = sum(len(world.fleet.rows(role)) for role in world.roles)
    key = Ed25519PrivateKey.generate()
    public, message = key.public_key(), signed_message(b"bench")

    def sign_all() -> None:
        for _ in range(parties):
            public.verify(key.sign(message), message)

    ours, bare, made, _ = alternate(name_all, sign_all)
    what = f"observations of {parties} parties in a step, hashed"
    return BenchRow(what, "signing and verifying as many envelopes", ours, bare, CHEAP, len(made) == parties)


def sealing_row(seed: int) -> BenchRow:
    """An order sealed and opened again, against the bare exchanges, encryptions and signature it needs."""
    chain = simulation_chain_id(seed, b"bench")
    signer, envelope = simulation_signer(chain, seed, "bench"), _envelope(chain, seed)
    openers = [Opener.from_secret(os.urandom(32)) for _ in range(ADMINISTRATORS)]
    public = [opener.public_key for opener in openers]
    raw, other = X25519PrivateKey.generate(), X25519PrivateKey.generate().public_key()

    def seal_and_open() -> Opening:
        sealed = read_sealed(seal_envelope(envelope, signer, public, NEEDED, os.urandom))
        found = {number: openers[number - 1].find_share(sealed, number) for number in range(1, NEEDED + 1)}
        return open_sealed(sealed, {number: share for number, share in found.items() if share is not None})[1]

    def bare() -> None:
        X25519PrivateKey.generate().public_key()
        for _ in range(ADMINISTRATORS + NEEDED):
            raw.exchange(other)
        cipher = ChaCha20Poly1305(bytes(32))
        cipher.decrypt(bytes(12), cipher.encrypt(bytes(12), envelope, None), None)
        signer.sign(envelope)

    ours, theirs, opening, _ = alternate(seal_and_open, bare)
    what = f"{SEALED_ORDERS} orders sealed to {NEEDED} of {ADMINISTRATORS} and opened"
    return BenchRow(what, "the bare exchanges, ciphers and signature", ours, theirs, SEAL, opening == Opening.OPENED)


def private_row(seed: int) -> BenchRow:
    """Steps of a signed world whose orders are sealed, against the same world with open orders."""

    def play(privacy: tuple[int, int] | None) -> list[bytes]:
        design = find_design("call")
        with TemporaryDirectory() as scratch:
            chosen = design.with_privacy(*privacy) if privacy else design
            world = open_world(SCENARIO, chosen, seed=seed, days=1, ledger="full", folder=Path(scratch) / "ledger")
            world.reset()
            for _ in range(PRIVATE_STEPS):
                world.step()
            return world.keeper.content_heads

    ours, theirs, sealed, plain = alternate(lambda: play(PRIVATE), lambda: play(None), rounds=3)
    needed, administrators = PRIVATE
    what = f"{PRIVATE_STEPS} signed steps, orders sealed to {needed} of {administrators}"
    return BenchRow(what, "the same steps with open orders", ours, theirs, OPEN, sealed == plain)


def _bare_verify(count: int) -> Callable[[], None]:
    key = Ed25519PrivateKey.generate()
    public, message = key.public_key(), signed_message(b"bench")
    signature = key.sign(message)

    def verify_all() -> None:
        for _ in range(count):
            public.verify(signature, message)

    return verify_all


def _envelope(chain: bytes, seed: int) -> bytes:
    signer, rows = simulation_signer(chain, seed, "bench"), np.zeros(SEALED_ORDERS, ORDER)
    nothing, count = np.array([ABSENT]), np.array([SEALED_ORDERS])
    wire = to_wire(rows, ORDER_WIRE)
    (body,) = encode_bodies(chain, [signer.key_id], np.array([1]), 0, nothing, nothing, count, wire)
    return body + signer.sign(signed_message(body))
