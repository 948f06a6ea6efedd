"""Speed of administrators: a certificate checked, a block passed through a replica, seeds of the simulator."""

from experiments.bench_ledger_chain import median_cpu
from experiments.bench_rows import BenchRow, alternate
from ledger.diary import encode, recall
from ledger.judging import verify_signature
from ledger.keys import read_verifier, simulation_signer
from ledger.messages import Propose
from ledger.quorum import Administrators, Vote, check_certificate, cosign_message, make_certificate
from ledger.replica import Replica
from ledger.replica_state import State
from ledger.sim_parts import CHAIN, Memo, SimulatedJudge
from ledger.simulator import simulate

N, QUORUM = 4, 3
SEEDS, SEEDS_PER_CPU_S, ROUNDS = 200, 250, 5


def administrators_rows(seed: int = 0) -> list[BenchRow]:
    """Rows of this file; a few seconds."""
    return [certificate_row(seed), replica_row(seed), simulator_row(seed)]


def certificate_row(seed: int) -> BenchRow:
    """A certificate of q votes against q bare verifications of the same library."""
    signers = [simulation_signer(CHAIN, seed, f"administrator {i}") for i in range(N)]
    administrators = Administrators(CHAIN, tuple(signer.public_key for signer in signers), QUORUM)
    digest = bytes(32)
    messages = [cosign_message(CHAIN, 1, 5, digest, i) for i in range(QUORUM)]
    votes = [Vote(i, i, signers[i].sign(messages[i])) for i in range(QUORUM)]
    certificate = make_certificate(1, 5, digest, votes)
    verifiers = [read_verifier(signer.public_key) for signer in signers]

    def bare() -> None:
        for vote, verifier, message in zip(votes, verifiers, messages, strict=False):
            verifier.verify(vote.signature, message)

    ours, theirs, *_ = alternate(lambda: check_certificate(administrators, certificate, verify_signature), bare)
    return BenchRow(f"certificate of {QUORUM} votes checked", "as many bare verifications", ours, theirs, 0.75)


def replica_row(seed: int) -> BenchRow:
    """A block heard, judged by the stand-in program, voted for and framed for the disk; against verify and sign."""
    signers = [simulation_signer(CHAIN, seed, f"administrator {i}") for i in range(N)]
    administrators = Administrators(CHAIN, tuple(signer.public_key for signer in signers), QUORUM)
    memo = Memo()
    block = SimulatedJudge(signers[0].sign, memo).propose((), 0, bytes(8))
    replica = Replica(1, administrators, signers[1].sign, verify_signature, SimulatedJudge(signers[1].sign, memo), 1)
    verifier, message = read_verifier(signers[0].public_key), bytes(100)
    signature = signers[0].sign(message)

    def ours() -> bool:
        state, _, writes = replica.hear(State(), 0, Propose(0, (block,), None, 0), 0)
        return recall(encode(writes)).said == (1, state.log[0].digest)

    def bare() -> bool:
        verifier.verify(signature, message)
        return len(signers[1].sign(message)) == len(signature)

    taken, reference, good, also = alternate(ours, bare)
    return BenchRow("block heard, voted for and framed", "bare verify and sign", taken, reference, 0.6, good and also)


def simulator_row(seed: int) -> BenchRow:
    """Seeds of the simulator, CPU time of each."""
    violations: list[str] = []

    def run() -> None:
        violations.extend(simulate(seed + i).violation for i in range(SEEDS))

    used = median_cpu(run, ROUNDS) / SEEDS
    budget = f"{SEEDS_PER_CPU_S} seeds a CPU second"
    return BenchRow("a seed of the simulator, CPU time", budget, used, 1 / SEEDS_PER_CPU_S, 1.0, not any(violations))
