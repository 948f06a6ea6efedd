"""What parties of a scenario file have agreed before the market opens: who represents whom, and who supplies whom.

A service provider represents a balancing group (`market.groups`). Parties are named by a group's name, or by the key
of all groups of a kind, as `homes`.
"""

from typing import Annotated

from pydantic import Field

from envs.quantities import Name, Spec
from market.groups import AllocationRule


class ServiceProviderSpec(Spec):
    """The representative (代表契約者) of the parties of `members` that stand in `area`, and how it shares imbalance."""

    name: Name
    area: str
    members: Annotated[tuple[str, ...], Field(min_length=1)]
    allocation: AllocationRule = "own"
