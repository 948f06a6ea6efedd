"""Speed as ratios within one run (design, section 9): both sides alternate, medians are compared.

- Parallel worlds: the vector environment against a Stable-Baselines3 DummyVecEnv of as many single environments, the
  same keys, actions and ledger mode `digest`; every party decides at every step on both sides, and both sides must
  end with the same content heads.
- Signed world: one world with a `full` ledger against a bare loop that signs and verifies as many envelopes of the
  same size with the same library, one after another.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from envs.opening import open_world
from envs.public_year import public_year
from envs.scenario import load_scenario
from envs.single_env import DigitalGridEnv
from envs.vector_env import MarketVectorEnv
from envs.world import World
from ledger.encoding import signed_message

SCENARIO = "urawa-misono"
ROUNDS = 7
SIGNED_ROUNDS, SIGNED_STEPS = 31, 8
WORLDS_TARGET, SIGNED_TARGET = 50.0, 0.5


@dataclass(frozen=True)
class EnvsBench:
    """What `bench_envs` measured; rates are medians per second.

    decisions: parties' decisions, all of them counted; envelopes: signed, verified and recorded ones of the world,
    signed and verified ones of the loop.
    """

    worlds: int
    parties: int
    parallel_decisions_s: float
    dummy_decisions_s: float
    same_heads: bool
    signed_envelopes_s: float
    bare_envelopes_s: float

    @property
    def worlds_ratio(self) -> float:
        """Parallel worlds over DummyVecEnv."""
        return self.parallel_decisions_s / self.dummy_decisions_s

    @property
    def signed_ratio(self) -> float:
        """Signed world over the bare loop."""
        return self.signed_envelopes_s / self.bare_envelopes_s

    def rows(self) -> list[dict[str, Any]]:
        """One row per comparison, rates per second."""
        return [
            {
                "what": f"decisions of {self.parties} parties in {self.worlds} worlds, digest",
                "reference": "DummyVecEnv of as many single environments",
                "ours_s": self.parallel_decisions_s,
                "reference_s": self.dummy_decisions_s,
                "ratio": self.worlds_ratio,
                "target": WORLDS_TARGET,
                "same_heads": self.same_heads,
            },
            {
                "what": "envelopes of one world with a full ledger",
                "reference": "bare loop of sign and verify",
                "ours_s": self.signed_envelopes_s,
                "reference_s": self.bare_envelopes_s,
                "ratio": self.signed_ratio,
                "target": SIGNED_TARGET,
            },
        ]

    def print(self) -> None:
        """The rows as a table on standard output."""
        from rich.table import Table

        from experiments.screen import console

        table = Table(title=f"{SCENARIO}, dgp, medians of alternating rounds")
        for column in ("what", "against", "ours /s", "theirs /s", "ratio", "target"):
            table.add_column(column, justify="left" if column in ("what", "against") else "right")
        for row in self.rows():
            rates = (f"{row['ours_s']:,.0f}", f"{row['reference_s']:,.0f}", f"{row['ratio']:.2f}x")
            table.add_row(row["what"], row["reference"], *rates, f"{row['target']:g}x")
        console().print(table, f"content heads of both sides equal: {'yes' if self.same_heads else 'NO'}")


def bench_envs(worlds: int = 512, seed: int = 0) -> EnvsBench:
    """Measure parallel worlds and the signed world; under a minute with 512 worlds."""
    parties, parallel_s, dummy_s, same_heads = time_worlds(worlds, seed)
    signed_s, bare_s = time_signed(seed)
    return EnvsBench(worlds, parties, parallel_s, dummy_s, same_heads, signed_s, bare_s)


def time_worlds(worlds: int, seed: int) -> tuple[int, float, float, bool]:
    """Decisions per second of the vector environment and of DummyVecEnv, and whether their heads are equal."""
    from stable_baselines3.common.vec_env import DummyVecEnv

    scenario = load_scenario(SCENARIO)
    shared: dict[str, Any] = {"scenario": scenario, "year": public_year(scenario), "ledger": "digest"}
    parallel = MarketVectorEnv(worlds, seed=seed, **shared)
    singles = [DigitalGridEnv(seed=seed + index, **shared) for index in range(worlds)]
    # one closure per environment: DummyVecEnv insists on different objects
    dummy = DummyVecEnv([lambda env=env: env for env in singles])  # type: ignore[misc]
    parallel.reset()
    dummy.reset()
    parties = len(parallel.world.fleet.senders)
    rng = np.random.default_rng(seed)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS + 1):
        actions = rng.uniform(-1, 1, (worlds, 4)).astype(np.float32)
        for side, step in zip(times, (parallel.step, dummy.step), strict=True):
            start = perf_counter()
            step(actions)
            side.append(perf_counter() - start)
    heads = [env.parallel.world.keeper.content_heads[0] for env in singles]
    # the first round compiles or loads the kernels
    rates = [worlds * parties / median(side[1:]) for side in times]
    return parties, rates[0], rates[1], heads == parallel.world.keeper.content_heads


def time_signed(seed: int) -> tuple[float, float]:
    """Envelopes per second of one world with a full ledger, and of a bare sign and verify loop."""
    signed, bare = [], []
    with TemporaryDirectory() as folder:
        world = open_world(
            SCENARIO, seed=seed, days=1 + SIGNED_ROUNDS * SIGNED_STEPS // 48, ledger="full", folder=Path(folder)
        )
        world.reset()
        world.step()
        envelopes = SIGNED_STEPS * world.fleet.count
        for _ in range(SIGNED_ROUNDS):
            signed.append(_time_steps(world))
            bare.append(_time_bare_loop(envelopes))
    return envelopes / median(signed), envelopes / median(bare)


def _time_steps(world: World) -> float:
    start = perf_counter()
    for _ in range(SIGNED_STEPS):
        world.step()
    return perf_counter() - start


def _time_bare_loop(envelopes: int) -> float:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    public = key.public_key()
    messages = [signed_message(index.to_bytes(8, "big")) for index in range(envelopes)]
    start = perf_counter()
    for message in messages:
        public.verify(key.sign(message), message)
    return perf_counter() - start
