"""Speed of signed admission against nothing but the signature checks of the same library.

Ours is the whole of it: form, chain, key, sequence, age, limits, signatures, decoding, what is remembered for resends,
and the row codes of all orders. The reference is a loop that calls the library's `verify` on messages that are hashed
already, for the same keys; so a ratio of 1 cannot be passed on one thread.
"""

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median
from time import process_time

import numpy as np

from experiments.bench_rows import BenchRow, alternate
from ledger.admission import Hearing, admit_envelopes, check_rows, number_arrivals
from ledger.encoding import SIGNATURE_BYTES, encode_bodies, signed_message
from ledger.keys import Verifier, sign_all, simulation_chain_id, simulation_signer
from ledger.registry import Registry
from ledger.remembered import Remembered
from market.design import find_design
from market.grid import Grid
from market.orders import ORDER, ORDER_WIRE, Kind, Side
from market.slots import HALF_HOURS
from market.tables import to_wire

DEVICES, ORDERS, ROUNDS, THREADS = 200, 48, 9, 2
"""Devices that speak in a step, orders of each (one for each slot of a day), rounds that count, threads."""
ONE_THREAD, TWO_THREADS = 0.75, 0.85
NOW = 6_000 * 48
Claim = tuple[Verifier, bytes, bytes]


def admission_rows(seed: int = 0) -> list[BenchRow]:
    """Rows of this file; a few seconds."""
    step = SignedStep(seed)
    return [cpu_row(step), threads_row(step)]


class SignedStep:
    """The envelopes of one step and what is needed to hear them."""

    def __init__(self, seed: int) -> None:
        self.chain_id = simulation_chain_id(seed, b"bench")
        signers = [simulation_signer(self.chain_id, seed, f"home-{number}") for number in range(DEVICES)]
        self.registry = Registry()
        for party, signer in enumerate(signers):
            self.registry.register(party, signer.public_key)
        rows = np.zeros(DEVICES * ORDERS, ORDER)
        dice = np.random.default_rng(seed)
        rows["side"], rows["kind"], rows["time_in_force"] = (
            dice.integers(Side.BUY, Side.SELL + 1, len(rows)),
            Kind.NEW,
            1,
        )
        rows["slot"] = NOW + HALF_HOURS.gate + np.tile(np.arange(ORDERS), DEVICES)
        rows["energy"], rows["price"] = dice.integers(1, 2_000, len(rows)), dice.integers(500, 3_000, len(rows)) * 10
        rows["reference"] = np.tile(np.arange(ORDERS), DEVICES)
        said = np.arange(DEVICES)
        bodies = encode_bodies(
            self.chain_id,
            [signer.key_id for signer in signers],
            said + 1,
            NOW,
            said,
            said,
            np.full(DEVICES, ORDERS),
            to_wire(rows, ORDER_WIRE),
        )
        signatures = sign_all(signers, [signed_message(body) for body in bodies])
        self.envelopes = [body + signature for body, signature in zip(bodies, signatures, strict=True)]
        self.claims: list[Claim] = [
            (self.registry.members[signer.key_id].verifier, envelope[-SIGNATURE_BYTES:], signed_message(body))
            for signer, envelope, body in zip(signers, self.envelopes, bodies, strict=True)
        ]
        self._design, self._grid = replace(find_design("dgp"), horizon=ORDERS), Grid(("tokyo",))
        self._arrival = said[None]

    def admit(self) -> bool:
        """Hear everything as if for the first time; whether all envelopes and orders entered."""
        heard: Hearing = admit_envelopes(self.registry, self.chain_id, {}, self.envelopes, NOW, Remembered())
        now = np.array([NOW])
        number_arrivals(heard.orders, self._arrival, now - NOW)
        codes = check_rows(self._design, self._grid, heard.orders, now, now + 365 * HALF_HOURS.per_day, HALF_HOURS)
        return not heard.codes.any() and not codes.any() and len(codes) == DEVICES * ORDERS


def verify_loop(claims: list[Claim]) -> bool:
    """The library's own check of each signature, and nothing else; it raises where one is bad."""
    for verifier, signature, message in claims:
        verifier.verify(signature, message)
    return True


def cpu_row(step: SignedStep) -> BenchRow:
    """CPU time of all threads together."""
    ours, theirs = alternate_cpu(step.admit, lambda: verify_loop(step.claims))
    what = f"admission of {DEVICES} envelopes of {ORDERS} orders, CPU time"
    return BenchRow(what, "verify loop of cryptography", ours, theirs, ONE_THREAD, step.admit())


def threads_row(step: SignedStep) -> BenchRow:
    """Wall time, against the same loop shared by two threads."""
    shares = [step.claims[part::THREADS] for part in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        ours, theirs, admitted, good = alternate(step.admit, lambda: all(pool.map(verify_loop, shares)), ROUNDS)
    what = f"admission of {DEVICES} envelopes of {ORDERS} orders, {THREADS} threads"
    return BenchRow(what, f"verify loop on {THREADS} threads", ours, theirs, TWO_THREADS, admitted and good)


def alternate_cpu(ours: Callable[[], bool], theirs: Callable[[], bool]) -> tuple[float, float]:
    """Median CPU time of the process for a call of each side [s], measured in turn; the first calls do not count.

    Garbage is collected between the calls and not within, as in `experiments.bench_rows`.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for side, taken in zip((ours, theirs), times, strict=True):
            gc.collect()
            gc.disable()
            began = process_time()
            side()
            used = process_time() - began
            gc.enable()
            if number:
                taken.append(used)
    return median(times[0]), median(times[1])
