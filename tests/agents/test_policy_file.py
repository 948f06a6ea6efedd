"""Exported policies: read back exactly, refused when altered, missing or made for another layout."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.observing import HIGHS, LOWS, OBSERVATION, WIDTH
from agents.policies import NetworkPolicy, find_policy
from agents.policy_file import SEAL, act_alone, load_policy, part_paths, policy_sha256, read_policy_file, seal
from market.errors import PolicyError
from tests.reference.networks import make_network, run_network, write_network

Manifest = dict[str, Any]


@pytest.fixture
def policy_path(tmp_path: Path) -> Path:
    """A policy just exported."""
    return write_network(tmp_path / "home.onnx").path


def change_manifest(path: Path, change: Callable[[Manifest], None]) -> None:
    """Rewrite a manifest under a new, right seal."""
    manifest_path = part_paths(path)[2]
    manifest = json.loads(manifest_path.read_text())
    del manifest[SEAL]
    change(manifest)
    manifest_path.write_text(json.dumps(seal(manifest)))


def shift_golden(path: Path, by: float) -> None:
    """Move one expected action and name the new file in the manifest."""
    golden = part_paths(path)[1]
    rows = np.load(golden)
    rows[3, WIDTH] += by
    np.save(golden, rows)
    digest = hashlib.sha256(golden.read_bytes()).hexdigest()
    change_manifest(path, lambda manifest: manifest["golden"].update(sha256=digest))


def test_a_policy_is_read_by_any_of_its_names_and_computes_what_was_exported(policy_path: Path) -> None:
    """Network, manifest and bare name lead to the same policy, which equals a plain forward pass."""
    seen = np.random.default_rng(5).uniform(LOWS, HIGHS, (50, WIDTH)).astype(np.float32)
    actions = [
        act_alone(load_policy(path), seen)
        for path in (policy_path, policy_path.with_suffix(".json"), policy_path.with_suffix(""))
    ]
    assert all((action == actions[0]).all() for action in actions)
    np.testing.assert_allclose(actions[0], run_network(1, seen), atol=2e-5)
    assert len(np.unique(actions[0])) > 50, "a network that always says the same shows nothing"


def test_typing_the_path_of_a_policy_finds_it(policy_path: Path) -> None:
    """`find_policy` reads exported files."""
    policy = find_policy(str(policy_path))
    assert isinstance(policy, NetworkPolicy)
    assert policy.name == "home"
    assert hashlib.sha256(policy.model).hexdigest() == policy_sha256(policy_path)


@pytest.mark.parametrize("hidden", [16, 64, 100, 256])
def test_actions_are_the_same_bits_in_batches_of_1_2_13_64_and_4096(hidden: int) -> None:
    """Law 7: one world alone equals the same world in any batch."""
    policy = NetworkPolicy("sample", make_network(3, hidden))
    seen = np.random.default_rng(hidden).uniform(LOWS, HIGHS, (4096, WIDTH)).astype(np.float32)
    seen[::2] = np.clip(seen[::2] / 10, LOWS, HIGHS)
    whole = act_alone(policy, seen)
    for size in (1, 2, 13, 64):
        parts = [act_alone(policy, seen[at : at + size]) for at in range(0, 1024, size)]
        assert (np.concatenate(parts)[:1024] == whole[:1024]).all(), f"batches of {size}"


def test_an_altered_file_is_refused_naming_it_and_both_digests(policy_path: Path) -> None:
    """One flipped bit anywhere in network or golden rows is found; both digests' beginnings are named."""
    for part in part_paths(policy_path)[:2]:
        data = part.read_bytes()
        for at in np.linspace(0, len(data) - 1, 20).astype(int):
            part.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            with pytest.raises(PolicyError) as caught:
                load_policy(policy_path)
            text = str(caught.value)
            assert part.name in text
            assert hashlib.sha256(part.read_bytes()).hexdigest()[:12] in text
            assert hashlib.sha256(data).hexdigest()[:12] in text
            assert "\n" not in text
        part.write_bytes(data)


def test_an_altered_manifest_is_refused(policy_path: Path) -> None:
    """No letter or digit of the manifest can change unseen."""
    manifest = policy_path.with_suffix(".json")
    data = manifest.read_bytes()
    places = [at for at, byte in enumerate(data) if chr(byte).isalnum()]
    for at in places[:: len(places) // 60]:
        manifest.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(PolicyError):
            load_policy(policy_path)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_missing_file_is_refused_naming_it(policy_path: Path, part: int) -> None:
    """A policy is its three files together."""
    missing = part_paths(policy_path)[part]
    missing.unlink()
    with pytest.raises(PolicyError, match=missing.name):
        load_policy(policy_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "digitalgrid-policy/1"}', '{"format": "other/9"}'])
def test_a_file_that_is_no_manifest_is_refused(policy_path: Path, text: str) -> None:
    """Bad JSON, other JSON and other formats get one line."""
    policy_path.with_suffix(".json").write_text(text)
    with pytest.raises(PolicyError):
        load_policy(policy_path)


@pytest.mark.parametrize("key", ["network", "golden", "observation", "action", "runtime", "role"])
def test_a_manifest_without_a_part_is_refused(policy_path: Path, key: str) -> None:
    """Each part of the manifest is needed."""
    change_manifest(policy_path, lambda manifest: manifest.pop(key))
    with pytest.raises(PolicyError, match=key):
        load_policy(policy_path)


@pytest.mark.parametrize(
    ("table", "number", "key", "value"),
    [
        ("observation", 4, "scale", 2_500.0),
        ("observation", 41, "high", 2.0),
        ("observation", 7, "name", "price_week"),
        ("action", 3, "meaning", "something else"),
        ("action", 0, "low", 0.0),
    ],
)
def test_a_policy_of_another_layout_is_refused_naming_the_first_field(
    policy_path: Path, table: str, number: int, key: str, value: Any
) -> None:
    """Scales, bounds, names and meanings must be this version's."""

    def change(manifest: Manifest) -> None:
        for field in manifest[table]["fields"][number + 1 :]:
            field["name"] = "later"
        manifest[table]["fields"][number][key] = value

    change_manifest(policy_path, change)
    with pytest.raises(PolicyError, match=f"field {number}, .*{key}"):
        load_policy(policy_path)


def test_a_policy_with_fewer_fields_or_another_layout_name_is_refused(policy_path: Path) -> None:
    """Length and layout name count too."""
    change_manifest(policy_path, lambda manifest: manifest["observation"]["fields"].pop())
    with pytest.raises(PolicyError, match=f"this version has {len(OBSERVATION)}"):
        load_policy(policy_path)
    change_manifest(policy_path, lambda manifest: manifest["observation"].update(layout="digitalgrid-observation/0"))
    with pytest.raises(PolicyError, match="observation/0"):
        load_policy(policy_path)


def test_on_the_runtime_of_the_export_golden_rows_must_match_to_the_bit(policy_path: Path) -> None:
    """An action that is off by one part in a million is another network."""
    shift_golden(policy_path, 1e-6)
    with pytest.raises(PolicyError, match="golden rows"):
        load_policy(policy_path)


@pytest.mark.parametrize(("by", "fits"), [(5e-6, True), (1e-4, False)])
def test_on_another_runtime_golden_rows_must_match_to_one_in_a_hundred_thousand(
    policy_path: Path, by: float, fits: bool
) -> None:
    """Another version or processor may round differently, no more."""
    shift_golden(policy_path, by)
    change_manifest(policy_path, lambda manifest: manifest["runtime"].update(onnxruntime="0.0"))
    if fits:
        assert read_policy_file(policy_path).manifest["runtime"]["onnxruntime"] == "0.0"
    else:
        with pytest.raises(PolicyError, match="golden rows"):
            load_policy(policy_path)
