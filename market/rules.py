"""Rule functions (取引規則): what a design does where its choices alone do not say it; registered by name.

A rule takes one `exchange.Call` and returns one `exchange.Outcome`, for any number of markets, and is a pure function:
no clock, no dice, no file. `check_design` holds it to conservation, capacity and batch-equals-alone like any other.
"""

from collections.abc import Callable

from market.auction_prices import k_double, pay_as_bid
from market.batch import trade_in_batches
from market.design import MarketDesign
from market.errors import ConfigError
from market.exchange import Call, Outcome
from market.sessions import trade_in_sessions
from market.sharing import share_bills, share_by_ratio, share_in_the_middle
from market.trade_reduction import mcafee

Rule = Callable[[Call], Outcome]
RULES: dict[str, Rule] = {
    "dgp-batch": trade_in_batches,
    "spot+intraday": trade_in_sessions,
    "pay-as-bid": pay_as_bid,
    "k-double": k_double,
    "mcafee": mcafee,
    "mid-market-rate": share_in_the_middle,
    "supply-demand-ratio": share_by_ratio,
    "bill-sharing": share_bills,
}


def find_rule(design: MarketDesign) -> Rule:
    """The rule function a design names; raises ConfigError when it is not registered in this process."""
    if design.rule not in RULES:
        raise ConfigError(
            f"design {design.name!r} needs the rule {design.rule!r}, which is not registered",
            do="import the module that registers it, or choose one of " + ", ".join(sorted(RULES)),
        )
    return RULES[design.rule]


def register_rule(design: MarketDesign, rule: Rule) -> None:
    """Make a rule function known by the name in its design; raises ConfigError when there is none or it is taken."""
    if not design.rule:
        raise ConfigError(f"design {design.name!r} names no rule", do="give it a `rule`, the name of the function")
    if RULES.get(design.rule, rule) is not rule:
        raise ConfigError(f"rule {design.rule!r} exists already", do="choose another name")
    RULES[design.rule] = rule
