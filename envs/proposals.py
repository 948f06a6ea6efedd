"""What the policies of a society's agents propose: each acts once a step, for all rows that hold it.

The action of a row does not depend on the batch (law 7), so this gives what each agent would get alone. A policy
that no agent asks for does not act.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from agents.fleet import Role
from agents.observing import WIDTH, Floats
from agents.policies import TRUTHFUL_POLICY, Policy
from agents.quoting import ACTIONS
from envs.world import World
from market.errors import ConfigError
from market.units import Int


class Proposals:
    """Who holds which policy, and what it proposes in the step that comes next, for the parties of world 0.

    Attributes:
        roles: those whose bidder acts; a bidder without actions quotes for its whole role by itself.
    """

    def __init__(self, world: World) -> None:
        self._world, fleet = world, world.fleet
        # a bidder of the world may have no actions
        self._policies: list[Any] = [world.policies.get(Role(role), TRUTHFUL_POLICY) for role in fleet.role.tolist()]
        # a row keeps its policy alive, so two rows with the same id hold the same one
        self._policy_id: Int = np.array([id(policy) for policy in self._policies], np.int64)
        self.roles = [role for role in world.roles if hasattr(self._policies[fleet.rows(role)[0]], "act")]
        self._acts = np.isin(fleet.role, self.roles)
        self._proposed: Floats = np.zeros((fleet.count, ACTIONS), np.float32)
        self._is_ready = ~self._acts

    def forget(self) -> None:
        """Begin a step: every policy has to act anew."""
        self._is_ready[self._acts] = False

    def of(self, row: int) -> Floats:
        """What the policy of a party proposes now (ACTIONS,)."""
        if not self._is_ready[row]:
            self._ask(row)
        proposed: Floats = self._proposed[row]
        return proposed

    def policy_of(self, row: int) -> Policy:
        """The policy that a party holds."""
        held: Policy = self._policies[row]
        return held

    def give(self, row: int, policy: Policy) -> None:
        """Let a party hold another policy from now on; raises ConfigError for what is none."""
        self.check_acts(row)
        if not callable(getattr(policy, "act", None)):
            name = self._world.fleet.names[row]
            raise ConfigError(f"{policy!r} is no policy", where=name, do="find one by agents.policies.find_policy")
        self._policies[row], self._policy_id[row] = policy, id(policy)
        self._is_ready[row] = False

    def check_acts(self, row: int) -> None:
        """Raises ConfigError for a party whose role bids by something that quotes by itself."""
        if not self._acts[row]:
            where, bidder = self._world.fleet.names[row], self._policies[row].name
            raise ConfigError(f"{bidder!r} quotes for the whole role", where=where, do="open its role with a policy")

    def _ask(self, row: int) -> None:
        """Let the policy of a party act for every row of its role that holds it and has no proposal yet."""
        world, policy = self._world, self._policies[row]
        role = Role(int(world.fleet.role[row]))
        rows = world.fleet.rows(role)
        own = np.flatnonzero((self._policy_id[rows] == id(policy)) & ~self._is_ready[rows])
        if policy.needs_observation:
            seen = world.observe(role)[:, own]
        else:
            seen = np.broadcast_to(np.float32(0), (1, len(own), WIDTH))
        dice = world.stream(role)
        self._proposed[rows[own]] = policy.act(seen, replace(dice, party=dice.party[own]))[0]
        self._is_ready[rows[own]] = True
