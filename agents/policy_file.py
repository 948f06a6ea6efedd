"""An exported policy: a network, what it means, and proof that this runtime computes it as intended.

Three files with one name: NAME.onnx (observation (n, WIDTH) -> action (n, ACTIONS), float32), NAME.json (the manifest:
layouts with units, scales and meaning, role, provenance, digests, tools) and NAME.golden.npy (rows of observation and
expected action). Reading checks the manifest's own digest, the digests of both other files, the layouts field by field,
and the golden rows: bit for bit where runtime version and processor are those of the export, within `TOLERANCE`
elsewhere. A digest finds damage and careless edits; who wrote a policy is for a signature to say.
"""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from agents.fleet import ROLE_NAMES, Role
from agents.observing import LAYOUT, OBSERVATION, WIDTH, Floats
from agents.policies import NetworkPolicy, Stream
from agents.quoting import ACTION, ACTION_LAYOUT, ACTIONS
from ledger.encoding import canonical_json
from market.errors import PolicyError

FORMAT = "digitalgrid-policy/1"
TOLERANCE = 1e-5
"""Largest error of an action, in its own range of -1 .. 1, on another runtime or processor."""
SEAL = "manifest_sha256"
PARTS = (".onnx", ".golden.npy", ".json")
_AGAIN = "export the policy again"
_NO_DICE = Stream(0, np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64))


@dataclass(frozen=True)
class PolicyFile:
    """A policy read and checked: the path of its network, the manifest, and the network ready to act."""

    path: Path
    manifest: dict[str, Any]
    policy: NetworkPolicy

    @property
    def sha256(self) -> str:
        """SHA-256 of the network."""
        return str(self.manifest["network"]["sha256"])

    @property
    def role(self) -> Role:
        """Whom it was trained for."""
        return Role[str(self.manifest["role"]).upper()]


def load_policy(path: Path) -> NetworkPolicy:
    """The network of an exported policy, checked; `path` is its .onnx or .json file.

    Raises:
        PolicyError: a file is missing or altered, a layout does not fit, or golden rows come out differently.
    """
    return read_policy_file(path).policy


def read_policy_file(path: Path) -> PolicyFile:
    """Network and manifest, checked as in `load_policy`."""
    network, golden, manifest_path = part_paths(path)
    manifest = _read_manifest(manifest_path)
    model = _read_part(network, manifest["network"]["sha256"])
    rows = _read_golden(golden, _read_part(golden, manifest["golden"]["sha256"]))
    _check_layout(manifest_path, "observation", manifest["observation"], observation_layout())
    _check_layout(manifest_path, "action", manifest["action"], action_layout())
    policy = NetworkPolicy(network.stem, model)
    _check_golden(golden, policy, rows, manifest["runtime"])
    return PolicyFile(network, manifest, policy)


def policy_sha256(path: Path) -> str:
    """SHA-256 of a policy's network file, as results name it; raises PolicyError when it is missing."""
    return hashlib.sha256(_read_bytes(part_paths(path)[0])).hexdigest()


def part_paths(path: Path) -> tuple[Path, Path, Path]:
    """Paths of network, golden rows and manifest of a policy named by any of them, or by its bare name."""
    for ending in PARTS:
        if path.name.endswith(ending):
            path = path.with_name(path.name.removesuffix(ending))
            break
    return (
        path.with_name(path.name + PARTS[0]),
        path.with_name(path.name + PARTS[1]),
        path.with_name(path.name + PARTS[2]),
    )


def observation_layout() -> dict[str, Any]:
    """The observation's layout as manifests state it."""
    return {"layout": LAYOUT, "fields": [asdict(field) for field in OBSERVATION]}


def action_layout() -> dict[str, Any]:
    """The action's layout as manifests state it; every number lies in -1 .. 1."""
    return {"layout": ACTION_LAYOUT, "fields": [asdict(field) | {"low": -1.0, "high": 1.0} for field in ACTION]}


@cache
def runtime() -> dict[str, str]:
    """What decides the last bits of an action: the runtime's version and the processor."""
    import onnxruntime

    return {
        "onnxruntime": str(onnxruntime.__version__),
        "machine": platform.machine(),
        "processor": _processor(),
    }


def seal(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest with its own digest."""
    return manifest | {SEAL: hashlib.sha256(canonical_json(manifest)).hexdigest()}


def act_alone(policy: NetworkPolicy, observation: Floats) -> Floats:
    """Actions (n, ACTIONS) of observations (n, WIDTH)."""
    return np.asarray(policy.act(observation[None], _NO_DICE)[0], np.float32)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PolicyError(
            f"cannot be read: {error.strerror}",
            where=str(path),
            do="a policy is NAME.onnx, NAME.golden.npy and NAME.json together",
        ) from error


def _read_part(path: Path, expected: str) -> bytes:
    data = _read_bytes(path)
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        what = f"SHA-256 begins {found[:12]}, the manifest says {expected[:12]}: the file was altered"
        raise PolicyError(what, where=str(path), do=_AGAIN)
    return data


def _read_manifest(path: Path) -> dict[str, Any]:
    data = _read_bytes(path)
    try:
        manifest = json.loads(data)
        known = manifest["format"] == FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise PolicyError("not a policy manifest", where=str(path), do=_AGAIN) from error
    if not known:
        raise PolicyError(f"format {manifest['format']!r} is not {FORMAT}", where=str(path), do=_AGAIN)
    said = str(manifest.pop(SEAL, "none"))
    found = hashlib.sha256(canonical_json(manifest)).hexdigest()
    if said != found:
        what = f"SHA-256 of the manifest begins {found[:12]}, it says {said[:12]}: it was altered"
        raise PolicyError(what, where=str(path), do=_AGAIN)
    _check_shape(path, manifest)
    return dict(manifest)


def _check_shape(path: Path, manifest: dict[str, Any]) -> None:
    parts: dict[str, tuple[str, ...]] = {
        "network": ("sha256",),
        "golden": ("sha256",),
        "observation": ("layout", "fields"),
        "action": ("layout", "fields"),
        "runtime": (),
    }
    for name, keys in parts.items():
        part = manifest.get(name)
        if not isinstance(part, dict) or any(key not in part for key in keys):
            raise PolicyError(f"manifest lacks {name!r}", where=str(path), do=_AGAIN)
    if manifest.get("role") not in ROLE_NAMES.values():
        raise PolicyError(f"unknown role {manifest.get('role')!r}", where=str(path), do=_AGAIN)


def _check_layout(path: Path, name: str, found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raise PolicyError naming the first field that differs."""
    where = f"{path}: {name}"
    if found["layout"] != expected["layout"]:
        what = f"layout {found['layout']!r} is not this version's {expected['layout']!r}"
        raise PolicyError(what, where=where, do=_AGAIN)
    for number, (theirs, ours) in enumerate(zip(found["fields"], expected["fields"], strict=False)):
        if theirs != ours:
            what = f"field {number}, {ours['name']!r} in this version, does not fit: {_first_difference(theirs, ours)}"
            raise PolicyError(what, where=where, do=_AGAIN)
    if len(found["fields"]) != len(expected["fields"]):
        what = f"{len(found['fields'])} fields, this version has {len(expected['fields'])}"
        raise PolicyError(what, where=where, do=_AGAIN)


def _first_difference(theirs: Any, ours: dict[str, Any]) -> str:
    if not isinstance(theirs, dict):
        return "it is no field"
    key = next(key for key in [*ours, *theirs] if theirs.get(key) != ours.get(key))
    return f"{key} {theirs.get(key)!r} is not {ours.get(key)!r}"


def _read_golden(path: Path, data: bytes) -> Floats:
    try:
        rows: Floats = np.load(BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise PolicyError("not a table of golden rows", where=str(path), do=_AGAIN) from error
    if rows.dtype != np.float32 or rows.ndim != 2 or rows.shape[1] != WIDTH + ACTIONS or not len(rows):
        what = f"golden rows are {rows.dtype} of shape {rows.shape}, not float32 of (n, {WIDTH + ACTIONS})"
        raise PolicyError(what, where=str(path), do=_AGAIN)
    return rows


def _check_golden(path: Path, policy: NetworkPolicy, rows: Floats, exported_on: dict[str, Any]) -> None:
    try:
        actions = act_alone(policy, rows[:, :WIDTH])
    except PolicyError:
        raise
    except Exception as error:
        raise PolicyError("the network does not take this layout", where=str(path), do=_AGAIN) from error
    allowed = 0.0 if exported_on == runtime() else TOLERANCE
    apart = float(np.abs(actions - rows[:, WIDTH:]).max())
    if not apart <= allowed:
        what = f"golden rows come out differently by {apart:.3g}, allowed is {allowed:g}"
        raise PolicyError(what, where=str(path), do="use another runtime, or export the policy again")
