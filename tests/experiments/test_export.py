"""Export: the network is the model's deterministic action, the files are whole, bare and repeatable."""

import hashlib
import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from agents.fleet import Role
from agents.observing import HIGHS, LOWS, WIDTH, Floats
from agents.policy_file import act_alone, part_paths, read_policy_file
from agents.quoting import ACTIONS
from envs.scenario import load_scenario
from experiments.device_host import run_device_day
from experiments.export import actor_of, export_policy, load_model, network_bytes, run_torch, write_policy
from market.design import find_design
from market.errors import PolicyError
from tests.reference.networks import make_network

ABOUT = {"role": "home", "scenario": "urawa-misono", "design": "dgp", "seed": 3, "steps": 0}


class Blank(gymnasium.Env[Floats, Floats]):
    """An environment of the right shape in which nothing happens."""

    def __init__(self, width: int = WIDTH) -> None:
        self.observation_space = gymnasium.spaces.Box(-20, 60, (width,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1, 1, (ACTIONS,), np.float32)
        self.width = width

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Floats, dict[str, Any]]:
        """A zero observation."""
        return np.zeros(self.width, np.float32), {}

    def step(self, action: Floats) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Ends at once."""
        return np.zeros(self.width, np.float32), 0.0, True, False, {}


def make_model(env: Any) -> PPO:
    """An untrained model whose actions reach both bounds."""
    model = PPO("MlpPolicy", env, seed=1, n_steps=8, batch_size=8, device="cpu", policy_kwargs={"net_arch": [64, 64]})
    with torch.no_grad():
        model.policy.action_net.weight.mul_(200)
    return model


@pytest.fixture(scope="module")
def model() -> PPO:
    """An untrained model."""
    return make_model(Blank())


@pytest.fixture(scope="module")
def exported(model: PPO, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export."""
    return export_policy(model, tmp_path_factory.mktemp("export") / "home.onnx", ABOUT).path


@pytest.fixture(scope="module")
def seen() -> Floats:
    """Observations over the whole range."""
    return np.random.default_rng(2).uniform(LOWS, HIGHS, (300, WIDTH)).astype(np.float32)


def test_an_export_acts_as_the_model_predicts(model: PPO, exported: Path, seen: Floats) -> None:
    """Mean action within the bounds of the action space, to 1e-5."""
    ours = act_alone(read_policy_file(exported).policy, seen)
    theirs, _ = model.predict(seen, deterministic=True)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert (np.abs(ours) <= 1).all()
    assert (np.abs(ours) == 1).any(), "the bounds must have been met"
    assert (np.abs(ours) < 0.9).any()


def test_a_saved_model_is_read_and_anything_else_refused(model: PPO, seen: Floats, tmp_path: Path) -> None:
    """The archive of a model gives the same actor; a missing or other file is one line."""
    model.save(tmp_path / "model.zip")
    assert (run_torch(actor_of(load_model(tmp_path / "model.zip")), seen) == run_torch(actor_of(model), seen)).all()
    (tmp_path / "other.zip").write_text("no archive")
    for name in ("other.zip", "missing.zip"):
        with pytest.raises(PolicyError, match=name):
            load_model(tmp_path / name)


def test_normalisation_goes_inside(seen: Floats, tmp_path: Path) -> None:
    """A model trained on normalised observations is exported for plain ones."""
    wrapper = VecNormalize(DummyVecEnv([Blank]), clip_obs=1.5)
    wrapper.obs_rms.update(seen * 2 + 1)
    model = make_model(wrapper)
    ours = act_alone(export_policy(model, tmp_path / "home", ABOUT).policy, seen)
    theirs, _ = model.predict(wrapper.normalize_obs(seen), deterministic=True)
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_exporting_twice_gives_the_same_bytes(model: PPO, exported: Path, tmp_path: Path) -> None:
    """All three files repeat."""
    again = export_policy(model, tmp_path / "home.onnx", ABOUT).path
    for first, second in zip(part_paths(exported), part_paths(again), strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_no_path_and_no_trace_is_left_in_an_export(exported: Path) -> None:
    """Neither this file's place nor any source line is in what leaves the machine."""
    for part in part_paths(exported):
        data = part.read_bytes()
        for trace in (
            b".py",
            b"site-packages",
            b"File ",
            b"stack_trace",
            b"/home",
            b"/tmp",
            Path.cwd().as_posix().encode(),
        ):
            assert trace not in data, f"{trace!r} in {part.name}"


def test_the_manifest_says_what_the_policy_is(exported: Path) -> None:
    """Role, provenance, layouts with units, digests, golden rows and tools."""
    policy = read_policy_file(exported)
    manifest = policy.manifest
    assert policy.role == Role.HOME
    assert (manifest["scenario"], manifest["design"], manifest["provenance"]["seed"]) == ("urawa-misono", "dgp", 3)
    assert manifest["observation"]["fields"][4]["unit"] == "Wh"
    assert len(manifest["observation"]["fields"]) == WIDTH
    assert len(manifest["action"]["fields"]) == ACTIONS
    assert manifest["network"]["sha256"] == policy.sha256 == hashlib.sha256(exported.read_bytes()).hexdigest()
    assert manifest["golden"]["rows"] >= 256
    assert 0 <= manifest["golden"]["largest_difference_from_torch"] <= 1e-5
    assert {"torch", "onnx", "numpy"} <= manifest["tools"].keys()
    assert json.loads(part_paths(exported)[2].read_text())["format"] == "digitalgrid-policy/1"


def test_real_observations_become_golden_rows(model: PPO, seen: Floats, tmp_path: Path) -> None:
    """They stand before the random ones."""
    policy = export_policy(model, tmp_path / "home", ABOUT, observations=seen[:7])
    rows = np.load(part_paths(policy.path)[1])
    assert (rows[:7, :WIDTH] == seen[:7]).all()
    assert len(rows) == policy.manifest["golden"]["rows"] == 263


def test_an_export_does_not_overwrite_unless_told(tmp_path: Path, seen: Floats) -> None:
    """Any of the three files in the way stops it; told so, it replaces all."""
    path = tmp_path / "home.onnx"
    write_policy(make_network(1), path, ABOUT, seen)
    before = [part.read_bytes() for part in part_paths(path)]
    path.unlink()
    with pytest.raises(PolicyError, match="exists"):
        write_policy(make_network(2), path, ABOUT, seen)
    assert not path.exists()
    write_policy(make_network(2), path, ABOUT, seen, overwrite=True)
    assert all(part.read_bytes() != data for part, data in zip(part_paths(path), before, strict=True))


def test_a_failed_export_leaves_nothing(tmp_path: Path, seen: Floats, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that refuses the second file leaves an empty folder and one line."""
    opened = Path.open

    def refuse(path: Path, *args: Any, **options: Any) -> Any:
        if "golden" in path.name:
            raise OSError(28, "No space left on device", str(path))
        return opened(path, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PolicyError, match="No space left"):
        write_policy(make_network(1), tmp_path / "home", ABOUT, seen)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "about",
    [
        {},
        ABOUT | {"role": "windmill"},
        {"role": "home", "design": "dgp"},
        ABOUT | {"at": Path("x")},
        ABOUT | {"gain": float("nan")},
    ],
)
def test_provenance_is_plain_data_and_names_role_scenario_and_design(
    about: dict[str, Any], tmp_path: Path, seen: Floats
) -> None:
    """A policy nobody can place is not written."""
    with pytest.raises(PolicyError):
        write_policy(make_network(1), tmp_path / "home", about, seen)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_computes_something_else_is_not_written(tmp_path: Path, seen: Floats) -> None:
    """The export is compared with the model before anything is kept."""
    with pytest.raises(PolicyError, match="differs"):
        write_policy(make_network(1), tmp_path / "home", ABOUT, seen, expected=np.zeros((300, ACTIONS), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_another_shape_is_refused(tmp_path: Path) -> None:
    """Trained on other observations, it cannot be exported for this market."""
    with pytest.raises(PolicyError, match=r"\(12,\)"):
        export_policy(make_model(Blank(12)), tmp_path / "home", ABOUT)


def test_the_same_model_gives_the_same_network_in_the_same_process(model: PPO, exported: Path) -> None:
    """No counter of the exporter leaks into the bytes."""
    assert network_bytes(actor_of(model)) == exported.read_bytes()


def test_a_device_run_counts_what_rounding_flips_against_torch(model: PPO, exported: Path, tmp_path: Path) -> None:
    """The trained model beside its export differs by float32 rounding only; another model by far more."""
    model.save(tmp_path / "model.zip")
    other = make_model(Blank())
    with torch.no_grad():
        other.policy.action_net.weight.neg_()
    other.save(tmp_path / "other.zip")
    found = []
    for name in ("model", "other"):
        run = run_device_day(
            load_scenario("urawa-misono"),
            find_design("dgp"),
            exported,
            tmp_path / f"ledger-{name}",
            model=tmp_path / f"{name}.zip",
        )
        assert run.ok
        assert run.torch is not None
        found.append(run.torch)
    assert found[0].values > 100
    assert 0 < found[0].action_difference < 1e-5
    assert found[0].flipped <= found[0].values // 100
    assert found[1].action_difference > 0.1
    assert found[1].flipped > found[1].values // 2
