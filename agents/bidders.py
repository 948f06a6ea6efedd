"""Bidders by what people type: every policy of `agents.policies`, and the strategies that quote by themselves.

A strategy is named in `STRATEGIES`; its module is loaded when it is asked for, so that a device loads none of them.
`docs/strategies.md` describes each.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import cast

from agents.policies import find_policy
from agents.strategies import Bidder, Strategy

Maker = Callable[[str], Strategy]


def _made_by(module: str, function: str) -> Maker:
    """A maker that loads its module when it is called."""
    return lambda parameter: cast(Maker, getattr(import_module(module), function))(parameter)


STRATEGIES: Mapping[str, Maker] = MappingProxyType(
    {
        "zip": _made_by("agents.adaptive", "make_zip"),
        "zero-intelligence-unconstrained": _made_by("agents.unconstrained", "make_unconstrained"),
        "market-maker": _made_by("agents.market_maker", "make_market_maker"),
        "optimising": _made_by("agents.optimising", "make_optimising"),
        "commitment": _made_by("agents.commitment", "make_commitment"),
        "year-ahead": _made_by("agents.year_ahead", "make_year_ahead"),
    }
)
"""Name to what makes the strategy from the text after the colon, empty without one."""


def find_bidder(text: str) -> Bidder:
    """The bidder of that name, `NAME` or `NAME:PARAMETER`; raises ConfigError for what is not known."""
    name, _, parameter = text.partition(":")
    if name in STRATEGIES:
        return STRATEGIES[name](parameter)
    return find_policy(text, tuple(STRATEGIES))
