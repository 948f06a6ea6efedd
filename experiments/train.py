"""Train one role's policy by PPO on parallel markets and export it.

One policy per role; the others act by fixed policies (roles learn in turns, the others by their latest
export). The budget is counted in samples, so the same seed gives the same policy on the same machine.
Checkpoints are written while it runs: Ctrl-C loses at most the samples since the last one, and `resume`
goes on from there with fresh episodes.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.fleet import ROLE_NAMES, Role
from agents.observing import WIDTH, Floats
from agents.policies import Policy, Stream
from agents.policy_file import PolicyFile, read_policy_file
from envs.public_year import PublicYear
from envs.scenario_schema import Scenario
from envs.world import World
from experiments.evaluate import Judge, t_interval
from experiments.findings import Estimate
from experiments.learning import SMALL, Settings, TwinVecEnv, settings_of
from ledger.encoding import canonical_json
from market.design import MarketDesign
from market.errors import ConfigError

if TYPE_CHECKING:
    from stable_baselines3 import PPO

TRAINING_KEYS = 1_000_000
KEYS_PER_SEED = 10_000_000
CURVE_POINTS = 5
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CurvePoint:
    """Held-out gain over truthful after some samples, mean per party with a t interval over worlds [JPY/day]."""

    steps: int
    seconds: float
    gain: Estimate


@dataclass(frozen=True)
class Training:
    """A finished training: the exported policy, the SB3 archive it came from, and its curve."""

    role: str
    seed: int
    steps: int
    seconds: float
    policy: PolicyFile
    archive: Path
    curve: tuple[CurvePoint, ...]

    def rows(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {
            "role": self.role,
            "seed": self.seed,
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "policy": str(self.policy.path),
            "policy_sha256": self.policy.sha256,
            "curve": [asdict(point) for point in self.curve],
        }

    def print(self) -> None:
        """Say what came out."""
        print(f"trained {self.role} with seed {self.seed}: {self.steps:,} samples in {self.seconds:.0f} s")
        for point in self.curve:
            gain = point.gain
            span = f"({gain.low:.1f} .. {gain.high:.1f})"
            print(f"  {point.steps:>9,} samples  gain {gain.mean:7.1f} JPY/day per party {span}")
        print(f"policy {self.policy.path}")


@dataclass(frozen=True)
class Task:
    """What is to be learned: a role in a scenario and design, against the others' policies."""

    scenario: Scenario
    design: MarketDesign
    year: PublicYear
    role: Role
    opponents: Mapping[Role, Policy]
    seed: int
    settings: Settings

    def key(self, done: int = 0) -> int:
        """Key of world 0 after `done` samples: seeds do not share worlds, and a resumed run sees new ones."""
        return TRAINING_KEYS + self.seed * KEYS_PER_SEED + done

    def record(self) -> dict[str, Any]:
        """What decides the result, as plain data: for the policy's manifest, and to know a task again."""
        scenario = canonical_json(self.scenario.model_dump(mode="json"))
        return {
            "role": ROLE_NAMES[self.role],
            "scenario": self.scenario.name,
            "scenario_sha256": hashlib.sha256(scenario).hexdigest(),
            "design": self.design.name,
            "horizon": self.design.horizon,
            "seed": self.seed,
            "settings": {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self.settings).items()},
            "opponents": {ROLE_NAMES[role]: policy.name for role, policy in self.opponents.items()},
            "data": self.year.source,
            "data_sha256": self.year.content_digest,
        }

    def env(self, done: int = 0) -> TwinVecEnv:
        """Parallel markets with their truthful twins."""
        mine, twin = (
            World(
                self.scenario,
                self.design,
                self.settings.worlds,
                self.key(done),
                policies=self.opponents,
                year=self.year,
                ledger=mode,
            )
            for mode in ("digest", "off")
        )
        return TwinVecEnv(mine, twin, self.role, self.settings)


def train_role(
    task: Task, folder: Path, *, curve: bool = True, resume: bool = False, progress: Progress | None = None
) -> Training:
    """Train, checkpointing into `folder`, and export to `folder`/ROLE.onnx.

    Args:
        task: what is to be learned.
        folder: where archive, checkpoint, curve and policy files go; made if absent.
        curve: judge the policy on held-out weeks while it learns.
        resume: go on from the checkpoint in `folder`, or return the finished policy if there is one.
        progress: called with samples done and samples in all.
    """
    name = ROLE_NAMES[task.role]
    archive, notes = folder / f"{name}.zip", folder / f"{name}-training.json"
    _claim(task, folder / f"{name}-task.json", resume)
    if archive.exists() and notes.exists():
        return _read_training(task, archive, notes)
    points: list[CurvePoint] = []
    began = time.monotonic()
    model, done = _start_model(task, folder / f"{name}-checkpoint.zip", resume)
    watch = _make_callback(task, folder / f"{name}-checkpoint.zip", points, curve, progress)
    model.learn(task.settings.steps - done, callback=watch, reset_num_timesteps=done == 0)
    _save(model, archive)
    policy = export_trained(task, model, folder / f"{name}.onnx")
    training = Training(name, task.seed, model.num_timesteps, time.monotonic() - began, policy, archive, tuple(points))
    notes.write_text(json.dumps(training.rows() | {"policy": policy.path.name}, indent=1) + "\n", encoding="utf-8")
    (folder / f"{name}-checkpoint.zip").unlink(missing_ok=True)
    return training


def _claim(task: Task, file: Path, resume: bool) -> None:
    """Leave in the folder what is learned there; a resumed training must be of the same task."""
    mine = task.record()
    if resume and file.exists():
        theirs = json.loads(file.read_text(encoding="utf-8"))
        other = [name for name in mine if mine[name] != theirs.get(name)]
        if other:
            what = f"the training here has another {', '.join(other)}"
            raise ConfigError(what, where=str(file), do="resume with the options it began with, or give another --out")
        return
    if file.exists():
        raise ConfigError("a training is here already", where=str(file), do="give another --out, or --resume")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(mine, indent=1) + "\n", encoding="utf-8")


def export_trained(task: Task, model: "PPO", path: Path) -> PolicyFile:
    """Export with provenance, golden rows from the training world."""
    from experiments.export import export_policy
    from experiments.runs import code_version

    provenance = task.record() | {"steps": int(model.num_timesteps), "code_version": code_version()}
    buffer = model.rollout_buffer.observations
    seen = np.asarray(buffer, np.float32).reshape(-1, WIDTH) if buffer is not None else None
    return export_policy(model, path, provenance, observations=seen)


def _start_model(task: Task, checkpoint: Path, resume: bool) -> tuple["PPO", int]:
    import torch
    from stable_baselines3 import PPO

    torch.set_num_threads(1)
    settings = task.settings
    if resume and checkpoint.exists():
        from experiments.export import load_model

        done = load_model(checkpoint).num_timesteps
        return PPO.load(checkpoint, env=task.env(done), device="cpu"), done
    rate = settings.learning_rate
    model = PPO(
        "MlpPolicy",
        task.env(),
        learning_rate=lambda left: rate * (SMALL + (1 - SMALL) * left),
        n_steps=settings.rollout,
        batch_size=settings.minibatch,
        n_epochs=settings.epochs,
        clip_range=settings.clip,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        policy_kwargs={"net_arch": {"pi": [64, 64], "vf": [64, 64]}, "activation_fn": torch.nn.Tanh},
        seed=task.seed,
        device="cpu",
    )
    policy: Any = model.policy
    policy.log_std.requires_grad_(False)
    with torch.no_grad():
        policy.action_net.bias.copy_(torch.tensor(settings.start_action))
    return model, 0


def _make_callback(
    task: Task, checkpoint: Path, points: list[CurvePoint], curve: bool, progress: Progress | None
) -> Any:
    """SB3 callback: exploration by schedule, held-out curve, checkpoints, progress."""
    import torch
    from stable_baselines3.common.callbacks import BaseCallback

    settings = task.settings
    judge = Judge(task.scenario, task.design, task.year)
    before = judge.play(task.opponents).of_role(task.role) if curve else None
    began = time.monotonic()
    first, last = torch.tensor(settings.log_std), torch.full((4,), settings.last_log_std)

    class Watch(BaseCallback):
        def _on_step(self) -> bool:
            return True

        def _on_rollout_start(self) -> None:
            share = self.num_timesteps / settings.steps
            fallen = min(max((share - settings.noise_until) / (1 - settings.noise_until), 0.0), 1.0)
            with torch.no_grad():
                policy: Any = self.model.policy
                policy.log_std.copy_(first + fallen * (last - first))
            if progress:
                progress(min(self.num_timesteps, settings.steps), settings.steps)
            if share * CURVE_POINTS >= len(points):
                self._look()

        def _on_training_end(self) -> None:
            self._look()

        def _look(self) -> None:
            if before is not None:
                acting = dict(task.opponents) | {task.role: _TorchPolicy(self.model)}
                gain = judge.play(acting).of_role(task.role) - before
                points.append(CurvePoint(self.num_timesteps, time.monotonic() - began, t_interval(gain)))
            if self.num_timesteps:
                _save(self.model, checkpoint)

    return Watch()


class _TorchPolicy:
    """The network in training, for its own learning curve only; results come from the exported file."""

    name = "in training"
    needs_observation = True

    def __init__(self, model: Any) -> None:
        from experiments.export import actor_of

        self._actor = actor_of(model)

    def act(self, observation: Floats, stream: Stream) -> Floats:
        """Mean actions."""
        from experiments.export import run_torch

        rows = np.ascontiguousarray(observation.reshape(-1, WIDTH))
        return run_torch(self._actor, rows).reshape(*observation.shape[:-1], -1)


def _save(model: Any, path: Path) -> None:
    """Write an archive whole or not at all."""
    partial = path.with_name(path.stem + ".partial.zip")
    model.save(partial)
    partial.replace(path)


def _read_training(task: Task, archive: Path, notes: Path) -> Training:
    record = json.loads(notes.read_text(encoding="utf-8"))
    points = tuple(CurvePoint(p["steps"], p["seconds"], Estimate(**p["gain"])) for p in record["curve"])
    policy = read_policy_file(archive.with_suffix(".onnx"))
    return Training(record["role"], record["seed"], record["steps"], record["seconds"], policy, archive, points)


def make_task(
    scenario: Scenario,
    design: MarketDesign,
    year: PublicYear,
    role: Role,
    *,
    seed: int = 0,
    opponents: Mapping[Role, Policy] | None = None,
    steps: int | None = None,
) -> Task:
    """A task with the role's settings; raises ConfigError when the design never takes orders."""
    if design.accepts == "never":
        raise ConfigError(
            f"design {design.name!r} takes no orders: there is nothing to learn", do="choose dgp, call or spot"
        )
    settings = settings_of(role)
    chosen = settings if steps is None else settings.shortened(steps)
    return Task(scenario, design, year, role, dict(opponents or {}), seed, chosen)
