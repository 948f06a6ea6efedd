"""A bidder's network made by hand, without a trainer, and what it computes, in plain NumPy."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from agents.observing import LAYOUT, WIDTH, Floats
from agents.policy_file import PolicyFile
from agents.quoting import ACTION_LAYOUT, ACTIONS
from experiments.export import golden_observations, write_policy

ABOUT = {"role": "home", "scenario": "urawa-misono", "design": "dgp", "seed": 7}


def draw_weights(seed: int, hidden: int = 64) -> list[tuple[Floats, Floats]]:
    """Weights (out, in) and biases of three layers; the last one moves its actions over the whole range."""
    rng = np.random.default_rng(seed)
    sizes = (WIDTH, hidden, hidden, ACTIONS)
    return [
        ((rng.standard_normal((out, into)) / np.sqrt(into)).astype(np.float32), rng.normal(0, 0.1, out).astype("f4"))
        for into, out in pairwise(sizes)
    ]


def make_network(seed: int, hidden: int = 64) -> bytes:
    """ONNX bytes of two tanh layers and a clipped linear one."""
    nodes, initial, name = [], [], "observation"
    layers = draw_weights(seed, hidden)
    for number, (weight, bias) in enumerate(layers):
        initial += [numpy_helper.from_array(weight, f"w{number}"), numpy_helper.from_array(bias, f"b{number}")]
        nodes.append(helper.make_node("Gemm", [name, f"w{number}", f"b{number}"], [f"y{number}"], transB=1))
        name = f"y{number}"
        if number < len(layers) - 1:
            nodes.append(helper.make_node("Tanh", [name], [f"t{number}"]))
            name = f"t{number}"
    initial += [numpy_helper.from_array(np.float32(side), side_name) for side, side_name in ((-1, "low"), (1, "high"))]
    nodes.append(helper.make_node("Clip", [name, "low", "high"], ["action"]))
    graph = helper.make_graph(
        nodes,
        "actor",
        [helper.make_tensor_value_info("observation", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info("action", TensorProto.FLOAT, ["n", ACTIONS])],
        initial,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {"observation": LAYOUT, "action": ACTION_LAYOUT})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def run_network(seed: int, observations: Floats, hidden: int = 64) -> Floats:
    """What `make_network` computes, in float64."""
    value: Any = observations.astype(np.float64)
    layers = draw_weights(seed, hidden)
    for number, (weight, bias) in enumerate(layers):
        value = value @ weight.T.astype(np.float64) + bias
        if number < len(layers) - 1:
            value = np.tanh(value)
    return np.asarray(np.clip(value, -1, 1), np.float32)


def write_network(path: Path, seed: int = 1, **about: Any) -> PolicyFile:
    """An exported policy of such a network."""
    return write_policy(make_network(seed), path, ABOUT | about, golden_observations())
