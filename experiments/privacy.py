"""Bid privacy of a simulated run: the option, and what became of the sealed orders in words and figures."""

from collections.abc import Sequence
from typing import Any

from ledger.sealed_check import name_void
from ledger.sealed_desk import Tally
from market.errors import ConfigError


def parse_private(text: str) -> tuple[int, int]:
    """K/N as given on a command line; raises ConfigError."""
    needed, sign, administrators = text.partition("/")
    if not (sign and needed.isdecimal() and administrators.isdecimal()):
        raise ConfigError(f"{text!r} is not K/N", where="--private", do="write 3/4: any 3 of 4 administrators open")
    return int(needed), int(administrators)


def describe_privacy(
    privacy: tuple[int, int] | None, sealed: Tally | None, parties: Sequence[str]
) -> dict[str, Any] | None:
    """Figures for `metrics.json`: how many must open, and what came sealed; None where orders are sent open."""
    if privacy is None:
        return None
    asked: dict[str, Any] = {"needed": privacy[0], "administrators": privacy[1], "applied": sealed is not None}
    if sealed is None:
        return asked
    void = [
        {"party": parties[party], "code": code.name, "orders": count}
        for (party, code), count in sorted(sealed.void.items())
    ]
    return asked | {
        "sealed_orders": sealed.orders,
        "sealed_bytes": sealed.order_bytes,
        "share_bytes": sealed.share_bytes,
        "void": void,
    }


def say_privacy(privacy: tuple[int, int], sealed: Tally | None, mode: str, parties: Sequence[str]) -> str:
    """The line of a result: whether orders were sealed, how many, and whose were void."""
    if sealed is None:
        return f"not applied: the ledger is {mode}, orders are sealed in a full one only"
    void = f"{sealed.void.total()} void ({name_void(sealed.void, parties)})" if sealed.void else "none void"
    return f"{sealed.orders:,} orders sealed until {privacy[0]} of {privacy[1]} administrators opened them, {void}"
