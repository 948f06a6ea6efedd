"""What a signed ledger is told of the parties' reasons: which policy decided, and what it saw (`ledger.reasons`)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from agents.fleet import Role
from agents.knowing import hash_policy, write_knowledge
from agents.observing import Floats
from agents.policies import TRUTHFUL_POLICY
from agents.strategies import Strategy
from ledger.reasons import name_observation

if TYPE_CHECKING:
    from envs.world import World

Reasons = npt.NDArray[np.uint8]


def reasons_of(world: "World", actions: Mapping[Role, Floats] | None) -> Reasons | None:
    """Hashes (worlds, parties, 2, 32) of each party's policy and observation; None where the keeper signs nothing.

    Call it when the quotes stand and before anything is traded. Where an action was given to the step, it came from
    outside the world and the policy has no name. What was seen goes to `world.observations`, if there is such a file.
    """
    if not world.keeper.signs:
        return None
    reasons, seen = np.zeros((world.worlds, world.fleet.count, 2, 32), np.uint8), list[bytes]()
    for role in world.roles:
        rows, bidder = world.fleet.rows(role), world.policies.get(role, TRUTHFUL_POLICY)
        if actions is None or role not in actions:
            reasons[:, rows, 0] = np.frombuffer(hash_policy(bidder), np.uint8)
        knowledge = write_knowledge(world.view(role), bidder.slots_ahead if isinstance(bidder, Strategy) else 0)
        names = b"".join(name_observation(data) for parties in knowledge for data in parties)
        reasons[:, rows, 1] = np.frombuffer(names, np.uint8).reshape(world.worlds, -1, 32)
        seen += [data for parties in knowledge for data in parties]
    if world.observations is not None:
        world.observations.add(seen)
    return reasons
