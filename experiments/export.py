"""From a trained model to files a DGC runs: ONNX, manifest and golden rows (`agents.policy_file` reads them).

The network is the actor's mean action with the bounds of the action space inside, and the model's observation
normalisation where it has one. torch's exporter writes stack traces with absolute paths into an ONNX file; they are
taken out, so that exporting the same model twice gives the same bytes. All files are written under temporary names
and renamed, the manifest last.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.fleet import ROLE_NAMES
from agents.observing import HIGHS, LAYOUT, LOWS, WIDTH, Floats
from agents.policies import NetworkPolicy
from agents.policy_file import (
    FORMAT,
    TOLERANCE,
    PolicyFile,
    act_alone,
    action_layout,
    observation_layout,
    part_paths,
    read_policy_file,
    runtime,
    seal,
)
from agents.quoting import ACTION_LAYOUT, ACTIONS
from ledger.encoding import canonical_json
from market.errors import PolicyError

if TYPE_CHECKING:
    from onnx import ModelProto
    from stable_baselines3 import PPO
    from torch import Tensor, nn

OPSET = 20
GOLDEN_ROWS = 256
NAMED = ("role", "scenario", "design")
"""What provenance must name."""


def export_policy(
    model: "PPO",
    path: Path,
    provenance: Mapping[str, Any],
    *,
    observations: Floats | None = None,
    overwrite: bool = False,
) -> PolicyFile:
    """Write NAME.onnx, NAME.golden.npy and NAME.json from a trained model.

    Args:
        model: an SB3 PPO with a plain actor for this version's observation and action.
        path: NAME, or NAME.onnx.
        provenance: plain data for the manifest; `role`, `scenario` and `design` must be there.
        observations: (n, WIDTH) float32, real ones to hold as golden rows beside random ones.
        overwrite: replace files that exist.

    Raises:
        PolicyError: files exist, the model does not fit, or the exported network computes something else.
    """
    actor = actor_of(model)
    golden = golden_observations(observations)
    return write_policy(
        network_bytes(actor), path, provenance, golden, expected=run_torch(actor, golden), overwrite=overwrite
    )


def write_policy(
    network: bytes,
    path: Path,
    provenance: Mapping[str, Any],
    observations: Floats,
    *,
    expected: Floats | None = None,
    overwrite: bool = False,
) -> PolicyFile:
    """Write the files of a ready network and read them back; `expected` are another runtime's actions of its rows."""
    network_path, golden_path, manifest_path = part_paths(path)
    for name in NAMED:
        if not isinstance(provenance.get(name), str):
            raise PolicyError(f"provenance does not name the {name}", where=str(path), do=f"give {', '.join(NAMED)}")
    if provenance["role"] not in ROLE_NAMES.values():
        raise PolicyError(f"unknown role {provenance['role']!r}", where=str(path))
    taken = [str(part) for part in (network_path, golden_path, manifest_path) if part.exists()]
    if taken and not overwrite:
        raise PolicyError("file exists", where=taken[0], do="choose another name, or ask to overwrite")
    actions = act_alone(NetworkPolicy(network_path.stem, network), observations)
    apart = None if expected is None else float(np.abs(actions - expected).max())
    if apart is not None and not apart <= TOLERANCE:
        raise PolicyError(f"exported network differs from the model by {apart:.3g}", where=str(path))
    golden = _npy_bytes(np.concatenate([observations, actions], axis=1))
    manifest = _manifest(provenance, network, golden, len(observations), apart)
    text = json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False) + "\n"
    _write_together({network_path: network, golden_path: golden, manifest_path: text.encode()})
    return read_policy_file(network_path)


def load_model(path: Path) -> "PPO":
    """A trained model from the SB3 archive it was saved as; raises PolicyError when the file is none."""
    from zipfile import BadZipFile

    from stable_baselines3 import PPO

    try:
        return PPO.load(path, device="cpu")
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise PolicyError("not a trained model", where=str(path), do="give the archive that training saved") from error


def actor_of(model: "PPO") -> "nn.Module":
    """Observation -> mean action within bounds, as one torch module; raises PolicyError when the model does not fit."""
    from stable_baselines3.common.distributions import DiagGaussianDistribution
    from stable_baselines3.common.torch_layers import FlattenExtractor

    policy = model.policy
    shapes = model.observation_space.shape, model.action_space.shape
    if shapes != ((WIDTH,), (ACTIONS,)):
        what = f"model maps {shapes[0]} to {shapes[1]}, not ({WIDTH},) to ({ACTIONS},)"
        raise PolicyError(what, do="train on the environments of this version")
    plain = isinstance(policy.action_dist, DiagGaussianDistribution) and not policy.squash_output
    if not plain or not isinstance(policy.features_extractor, FlattenExtractor):
        raise PolicyError("model has no plain actor", do="train with MlpPolicy and without state-dependent exploration")
    return _build_actor(model)


def _build_actor(model: "PPO") -> "nn.Module":
    import torch

    space: Any = model.action_space
    mean, deviation, limit = _normalisation(model)
    bounds = {"low": np.asarray(space.low, np.float32), "high": np.asarray(space.high, np.float32)}
    buffers = bounds | {"mean": mean, "deviation": deviation, "limit": limit}

    class Actor(torch.nn.Module):
        """The deterministic action."""

        low: "Tensor"
        high: "Tensor"
        mean: "Tensor"
        deviation: "Tensor"
        limit: "Tensor"

        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = model.policy.mlp_extractor.policy_net, model.policy.action_net
            for name, value in buffers.items():
                self.register_buffer(name, torch.as_tensor(value))
            self.normalises = bool(np.isfinite(limit))

        def forward(self, observation: "Tensor") -> "Tensor":
            if self.normalises:
                scaled = (observation - self.mean) / self.deviation
                observation = torch.minimum(torch.maximum(scaled, -self.limit), self.limit)
            action = self.head(self.body(observation))
            return torch.minimum(torch.maximum(action, self.low), self.high)

    return Actor().cpu().eval()


def _normalisation(model: "PPO") -> tuple[Floats, Floats, Floats]:
    """Mean, deviation and clipping limit of the model's observations; an infinite limit where there is none."""
    wrapper = model.get_vec_normalize_env()
    if wrapper is None or not wrapper.norm_obs:
        return np.zeros(WIDTH, np.float32), np.ones(WIDTH, np.float32), np.full((), np.inf, np.float32)
    seen: Any = wrapper.obs_rms
    deviation = np.sqrt(seen.var + wrapper.epsilon)
    return seen.mean.astype(np.float32), deviation.astype(np.float32), np.full((), wrapper.clip_obs, np.float32)


def run_torch(actor: "nn.Module", observations: Floats) -> Floats:
    """Actions (n, ACTIONS) float32 computed by torch."""
    import torch

    with torch.no_grad():
        return np.asarray(actor(torch.as_tensor(observations)).numpy(), np.float32)


def network_bytes(actor: "nn.Module") -> bytes:
    """ONNX bytes of an actor without paths, traces or notes; the same bytes every time."""
    import logging
    import warnings

    import torch

    # one line per torchvision operator that is not installed; none of them occurs in an actor
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            actor,
            (torch.zeros(2, WIDTH),),
            dynamo=True,
            opset_version=OPSET,
            input_names=["observation"],
            output_names=["action"],
            dynamic_shapes={"observation": {0: torch.export.Dim("n")}},
            verbose=False,
        )
    if program is None:
        raise PolicyError("torch exported nothing")
    return strip(program.model_proto)


def strip(network: "ModelProto") -> bytes:
    """Bytes of a network with only what is computed, and the names of its layouts."""
    import onnx

    graph = network.graph
    del graph.value_info[:]
    for part in (network, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    onnx.helper.set_model_props(network, {"observation": LAYOUT, "action": ACTION_LAYOUT})
    onnx.checker.check_model(network)
    return bytes(network.SerializeToString(deterministic=True))


def golden_observations(real: Floats | None = None) -> Floats:
    """Random observations over the whole range of the layout, after as many real ones as given, float32."""
    random = np.random.default_rng(0).uniform(LOWS, HIGHS, (GOLDEN_ROWS, WIDTH)).astype(np.float32)
    if real is None:
        return random
    return np.concatenate([np.asarray(real, np.float32).reshape(-1, WIDTH), random])


def _manifest(
    provenance: Mapping[str, Any], network: bytes, golden: bytes, rows: int, apart: float | None
) -> dict[str, Any]:
    try:
        told = json.loads(canonical_json(dict(provenance)))
    except (TypeError, ValueError) as error:
        raise PolicyError(
            f"provenance is not plain data: {error}", do="give text, whole numbers and finite ones"
        ) from error
    return seal(
        {
            "format": FORMAT,
            **{name: told[name] for name in NAMED},
            "provenance": told,
            "network": {
                "sha256": hashlib.sha256(network).hexdigest(),
                "input": "observation float32 (n, fields), n free",
                "output": "action float32 (n, fields), the mean action within its bounds",
            },
            "golden": {
                "sha256": hashlib.sha256(golden).hexdigest(),
                "rows": rows,
                "largest_difference_from_torch": apart,
            },
            "observation": observation_layout(),
            "action": action_layout(),
            "runtime": runtime(),
            "tools": _tool_versions(),
        }
    )


def _tool_versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "onnx", "onnxscript", "stable-baselines3", "torch")}


def _npy_bytes(rows: Floats) -> bytes:
    from io import BytesIO

    out = BytesIO()
    np.save(out, np.ascontiguousarray(rows, "<f4"), allow_pickle=False)
    return out.getvalue()


def _write_together(files: Mapping[Path, bytes]) -> None:
    """Write every file under a temporary name, then rename in order; nothing is left of a failed attempt."""
    waiting = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in files}
    try:
        for path, data in files.items():
            waiting[path].parent.mkdir(parents=True, exist_ok=True)
            with waiting[path].open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
        for path, written in waiting.items():
            written.replace(path)
    except OSError as error:
        raise PolicyError(
            f"not written: {error.strerror}", where=str(error.filename), do="choose another place"
        ) from error
    finally:
        for written in waiting.values():
            written.unlink(missing_ok=True)
