"""Strategies behind one interface: act(observation, stream) -> action, one row or a million.

Source of the scripted ones: truthful and fixed mark-up follow the reservation prices of
`agents.quoting`; zero-intelligence constrained bids uniformly inside the individually rational band
(Gode and Sunder 1993, DOI 10.1086/261868).
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from agents.draw import Purpose, draw, uniform
from agents.observing import WIDTH, Floats
from agents.quoting import ACTIONS, TRUTHFUL
from market.errors import ConfigError, PolicyError
from market.units import Int


@dataclass(frozen=True)
class Stream:
    """Where a policy's dice come from: seed, world (w,), party (r,) and slot (w,) of the rows asked."""

    seed: int
    world: Int
    party: Int
    slot: Int

    def uniform(self, salt: int) -> npt.NDArray[np.float64]:
        """One number in [0, 1) per row (w, r); `salt` tells several draws of one step apart."""
        party = self.party[None, :] + (salt << 20)
        return uniform(draw(self.seed, self.world[:, None], party, self.slot[:, None], Purpose.BID))


class Policy(Protocol):
    """Anything that bids."""

    @property
    def name(self) -> str:
        """What tables and reports call it."""
        ...

    @property
    def needs_observation(self) -> bool:
        """False when `act` looks at the shape of the observation only."""
        ...

    def act(self, observation: Floats, stream: Stream) -> Floats:
        """Actions (w, r, ACTIONS) for observations (w, r, WIDTH)."""
        ...


@dataclass(frozen=True)
class FixedPolicy:
    """The same action always: truthful, or a fixed mark-up."""

    name: str
    action: tuple[float, float, float, float]
    needs_observation: bool = False

    def act(self, observation: Floats, stream: Stream) -> Floats:
        """The fixed action for every row."""
        return np.broadcast_to(np.array(self.action, np.float32), (*observation.shape[:-1], ACTIONS))


@dataclass(frozen=True)
class ZeroIntelligence:
    """Prices drawn uniformly inside the individually rational band, self-use battery."""

    name: str = "zero-intelligence"
    needs_observation: bool = False

    def act(self, observation: Floats, stream: Stream) -> Floats:
        """Random sell and buy fractions, no patience, no added battery energy."""
        action = np.zeros((*observation.shape[:-1], ACTIONS), np.float32)
        action[..., 0] = 2 * stream.uniform(0) - 1
        action[..., 1] = 2 * stream.uniform(1) - 1
        action[..., 2] = -1
        return action


@dataclass(frozen=True)
class NetworkPolicy:
    """An exported policy run by ONNX Runtime: float32, one thread, the same bits for any batch size."""

    name: str
    model: bytes = field(repr=False)
    needs_observation: bool = True

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            return onnxruntime.InferenceSession(self.model, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise PolicyError("not a readable ONNX model", where=self.name, do="export the policy again") from error

    def act(self, observation: Floats, stream: Stream) -> Floats:
        """Deterministic (mean) actions."""
        rows = np.ascontiguousarray(observation.reshape(-1, WIDTH), np.float32)
        (action,) = self._session.run(["action"], {"observation": rows})
        return np.asarray(action, np.float32).reshape(*observation.shape[:-1], ACTIONS)


TRUTHFUL_POLICY = FixedPolicy("truthful", TRUTHFUL)


def mark_up(fraction: float) -> FixedPolicy:
    """Ask and bid a fixed fraction of the band away from the reservation price."""
    if not 0 <= fraction <= 1:
        raise ConfigError(f"mark-up {fraction} is outside 0 .. 1", do="give the fraction of the band, such as 0.5")
    level = 2 * fraction - 1
    return FixedPolicy(f"markup:{fraction:g}", (level, level, -1.0, 0.0))


def find_policy(text: str, others: tuple[str, ...] = ()) -> Policy:
    """A policy by what people type: truthful, zero-intelligence, markup:0.5, or a path to an exported policy.

    `others` are names that could have been typed as well. Raises ConfigError naming all of them.
    """
    if text == "truthful":
        return TRUTHFUL_POLICY
    if text == "zero-intelligence":
        return ZeroIntelligence()
    if text.startswith("markup:"):
        try:
            return mark_up(float(text.removeprefix("markup:")))
        except ValueError as error:
            raise ConfigError(f"{text!r} is not a mark-up", do="write markup:0.5") from error
    if Path(text).suffix == ".onnx" or Path(text).is_file():
        from agents.policy_file import load_policy

        return load_policy(Path(text))
    names = ", ".join(("truthful", "zero-intelligence", "markup:FRACTION", *others))
    raise ConfigError(f"unknown policy {text!r}", do=f"choose {names} or an exported policy file")
