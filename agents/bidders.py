"""Bidders by what people type: every policy of `agents.policies`, and the strategies that quote by themselves.

A strategy is named in `STRATEGIES`; its module is loaded when it is asked for, so that a device loads none of them.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from agents.policies import find_policy
from agents.strategies import Bidder, Strategy

STRATEGIES: Mapping[str, Callable[[str], Strategy]] = MappingProxyType({})
"""Name to what makes the strategy from the text after the colon, empty without one."""


def find_bidder(text: str) -> Bidder:
    """The bidder of that name, `NAME` or `NAME:PARAMETER`; raises ConfigError for what is not known."""
    name, _, parameter = text.partition(":")
    if name in STRATEGIES:
        return STRATEGIES[name](parameter)
    return find_policy(text)
