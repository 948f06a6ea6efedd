"""The ledger of a run, held against what the run printed; administrators' epochs are followed with their keys.

Where administrators went on behind a lost leader (`ledger.panel`), the chain ends in another head than the run printed;
the content heads, which no header decides, must still be the run's.
"""

from pathlib import Path

from experiments.runs import RunFolder
from ledger.audit import KeysOf, Verdict, verify
from market.errors import ConfigError, LedgerError


def nobody(world: str) -> None:
    """No administrators are known: only the first epoch is followed."""


def ledger_of(run: RunFolder) -> Path:
    """Where a run's signed ledger lies; raises ConfigError where it kept none."""
    if not run.ledger.is_dir():
        do = "simulate with --ledger full, or give --run"
        raise ConfigError("this run kept no signed ledger", where=str(run.path), do=do)
    return run.ledger


def verify_run(run: RunFolder, keys_of: KeysOf = nobody) -> Verdict:
    """Derive a run's ledger again, with the installed programs, and hold it against the run's heads."""
    verdict = verify(ledger_of(run), trust_source=True, keys_of=keys_of)
    if not verdict.ok:
        return verdict
    found = "" if verdict.head is None else verdict.head.hex()
    why = differs_from_run(run, found, [head.hex() for head in verdict.content_heads], bool(verdict.changes))
    return Verdict(False, (f"{run.ledger}: {why}",), verdict.counts) if why else verdict


def describe_ledger(run: RunFolder, made: str, keys_of: KeysOf = nobody) -> str:
    """Verify a run's ledger; where what is `made` comes from, in words. Raises LedgerError where it does not verify."""
    verdict = verify_run(run, keys_of)
    if not verdict.ok or verdict.head is None:
        raise LedgerError(f"the ledger does not verify: {' '.join(verdict.lines)}", do=f"no {made} is made from it")
    origin = f"from the signed ledger, verified, chain head {verdict.head.hex()}"
    return "; ".join([origin, *verdict.changes])


def differs_from_run(run: RunFolder, chain_head: str, content_heads: list[str], has_epochs: bool) -> str:
    """How heads differ from those that a run printed, empty if they do not; all in hexadecimal."""
    printed = run.read_json("metrics")
    head = printed.get("chain_head")
    if not head or head == chain_head:
        return ""
    if not has_epochs:
        return f"chain head is {chain_head}, the run's was {head}"
    return "" if printed.get("content_heads") == content_heads else "content heads are not those of the run"
