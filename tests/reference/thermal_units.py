"""A thermal unit by the rules one after another: every output it may have, the nearest of them taken."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """One unit [Wh per slot, slots]."""

    most: int
    least: int
    ramp: int
    up: int
    down: int


def possible(unit: Unit, output: int, run: int) -> list[int]:
    """Every output of the next slot; `run` slots it has run, or negated stood still. Standstill is -1."""
    first = max(unit.least, unit.ramp)
    if run > 0:
        outputs = [y for y in range(unit.least, unit.most + 1) if abs(y - output) <= unit.ramp]
        return outputs + ([-1] if run >= unit.up and output <= first else [])
    starts = range(unit.least, min(first, unit.most) + 1) if -run >= unit.down and unit.most > 0 else ()
    return [*starts, -1]


def run_unit(unit: Unit, output: int, run: int, wanted: int) -> tuple[int, int, bool]:
    """The nearest possible output, running rather than standing still at a tie unless nothing is wanted."""

    def rank(choice: int) -> tuple[int, int]:
        return (abs(max(choice, 0) - wanted), int((choice >= 0) == (wanted <= 0)))

    choice = min(possible(unit, output, run), key=rank)
    if choice < 0:
        return 0, (0 if run > 0 else run) - 1, False
    return choice, (run if run > 0 else 0) + 1, run <= 0
