"""Speed of reading a ledger: the chain verified, a record proved in a large log, the content head of mode `digest`.

Budgets stand in the table as a reference: the time that the target allows, so that a ratio of 1 is just within it.
"""

import gc
import hashlib
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np

from experiments.bench_rows import BenchRow, alternate
from ledger.content import StepRecord, advance_heads, step_bytes
from ledger.fsck import fsck
from ledger.keeper import Worlds, open_keeper
from ledger.merkle import HASH_BYTES, Tree, is_included, merkle_root
from ledger.rules import Rules
from market.contracts import Source, no_contracts
from market.design import find_design
from market.grid import Grid, Line
from market.orders import ORDER
from market.settlement import KINDS, Accounts, Terms
from market.tables import Table

PARTIES, STEPS, ORDERS = 16, 24, 48
"""Parties of the ledger that is verified, its half hours, and orders in each envelope (one for each slot of a day)."""
ORDERS_PER_CPU_S, CHAIN_ROUNDS = 250_000, 7
LEAVES, PROOF_BYTES, PROOF_S = 1_000_000, 700, 50e-6
WORLDS, DIGEST_S = 512, 5e-6
START = 6_000 * 48


def chain_rows(seed: int = 0) -> list[BenchRow]:
    """Rows of this file; about half a minute."""
    return [verify_row(seed), proof_row(seed), digest_row(seed)]


def verify_row(seed: int) -> BenchRow:
    """CPU time of a whole chain: frames, roots, state, signatures of headers and envelopes, sequences."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "ledger"
        _write_ledger(folder, seed)
        verdicts = []
        used = median_cpu(lambda: verdicts.append(fsck(folder, signatures=True)), CHAIN_ROUNDS)
    orders = PARTIES * STEPS * ORDERS
    counted = all(verdict.ok and verdict.counts["orders"] == orders for verdict in verdicts)
    return BenchRow(
        f"chain verified, {orders:,} orders in envelopes of {ORDERS}, CPU time",
        f"{ORDERS_PER_CPU_S:,} orders a CPU second",
        used,
        orders / ORDERS_PER_CPU_S,
        1.0,
        counted,
    )


def proof_row(seed: int) -> BenchRow:
    """An inclusion proof in a log of a million records: made and checked, and its size."""
    hashes = np.random.default_rng(seed).bytes(HASH_BYTES * LEAVES)
    leaves = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
    tree, index = Tree(leaves), seed % LEAVES
    root = tree.root()
    proof = tree.inclusion_proof(index)
    size = 16 + HASH_BYTES * len(proof)
    good = root == merkle_root(leaves) and is_included(leaves[index], index, LEAVES, proof, root)

    def prove_and_check() -> bool:
        return is_included(leaves[index], index, LEAVES, tree.inclusion_proof(index), root)

    used = median_cpu(lambda: [prove_and_check() for _ in range(200)], CHAIN_ROUNDS) / 200
    return BenchRow(
        f"proof of 1 of {LEAVES:,} records made and checked, {size} bytes",
        f"{1e6 * PROOF_S:g} us and {PROOF_BYTES} bytes",
        used,
        PROOF_S,
        1.0,
        good and size <= PROOF_BYTES,
    )


def digest_row(seed: int) -> BenchRow:
    """What mode `digest` costs a world and step beyond the hashing itself."""
    step = _step(WORLDS, 0, seed)
    heads = [bytes(HASH_BYTES)] * WORLDS
    data = step_bytes(step)
    parts = [b"".join(data.parts(world)) for world in range(WORLDS)]
    ours, hashing, after, _ = alternate(
        lambda: advance_heads(heads, step_bytes(step)),
        lambda: [hashlib.sha256(part).digest() for part in parts],
    )
    return BenchRow(
        f"content heads of {WORLDS} worlds beyond hashing, a world and step",
        f"{1e6 * DIGEST_S:g} us",
        max(ours - hashing, 1e-9) / WORLDS,
        DIGEST_S,
        1.0,
        len(set(after)) == len(set(parts)),
    )


def median_cpu(call: Callable[[], object], rounds: int) -> float:
    """Median CPU time of a call, all threads counted [s]; the first call does not count."""
    call()
    times = []
    for _ in range(rounds):
        gc.collect()
        began = process_time()
        call()
        times.append(process_time() - began)
    return median(times)


def _rules() -> Rules:
    grid = Grid(("east", "west"), (Line("west-east", 1, 0),))
    names = (*(f"home-{number}" for number in range(PARTIES - 2)), "retail-east", "retail-west")
    areas = (*(number % 2 for number in range(PARTIES - 2)), 0, 1)
    accounts = Accounts(grid, names, areas, (PARTIES - 2, PARTIES - 1))
    terms = Terms(3_000, 2_000, 500, 9_000, 4_000, 1_000, 5_000)
    slots = STEPS + ORDERS + 2
    return Rules(find_design("dgp"), accounts, terms, (0,) * PARTIES, (Source.PROSUMER,) * PARTIES, slots)


def _write_ledger(folder: Path, seed: int) -> None:
    """A ledger through the production writer: every party sends a day's orders in every half hour, none is matched."""
    rules = _rules()
    slots, grid = rules.slots, rules.grid
    start = np.array([START])
    capacity = np.zeros((1, slots, len(grid.lines), 2), np.int64)
    outside = np.full((1, slots, len(grid.areas)), 9_000)
    keeper = open_keeper("full", Worlds(rules, "{}", np.array([seed]), start, capacity, outside), folder)
    for number in range(STEPS):
        step = _step(1, number, seed)
        keeper.admit(step.slot, step.orders, step.plan, step.reading_sent, step.arrival)
        keeper.record(step)
    keeper.close()


def _step(worlds: int, number: int, seed: int) -> StepRecord:
    """A half hour of made-up orders, plans and readings; nothing is traded or posted."""
    dice, accounts = np.random.default_rng((seed, number)), _rules().accounts
    orders = _orders(worlds, number, dice)
    plan, sent, reading = dice.integers(-2_000, 2_000, (3, worlds, PARTIES))
    money = np.zeros((worlds, accounts.count, KINDS), np.int64)
    arrival = np.tile(np.arange(PARTIES), (worlds, 1))
    slot, codes = np.full(worlds, START + number), np.zeros(len(orders), np.uint8)
    return StepRecord(slot, arrival, orders, codes, plan, sent, no_contracts(), reading, money)


def _orders(worlds: int, number: int, dice: np.random.Generator) -> Table:
    each = ORDERS if worlds == 1 else 2
    rows = np.zeros(worlds * PARTIES * each, ORDER)
    rows["world"] = np.repeat(np.arange(worlds), PARTIES * each)
    rows["party"] = np.tile(np.repeat(np.arange(PARTIES), each), worlds)
    rows["side"], rows["kind"], rows["time_in_force"] = dice.integers(1, 3, len(rows)), 1, 1
    rows["slot"] = START + number + 2 + np.tile(np.arange(each), worlds * PARTIES)
    rows["energy"], rows["price"] = dice.integers(1, 2_000, len(rows)), dice.integers(300, 2_500, len(rows)) * 10
    rows["reference"] = np.tile(np.arange(each), worlds * PARTIES)
    return rows
