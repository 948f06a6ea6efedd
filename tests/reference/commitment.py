"""Every on/off path of one unit tried in turn; the referee of `agents.commitment`."""

from itertools import product

from agents.thermal import ThermalUnits


def best_gain(units: ThermalUnits, run_slots: int, price: list[int]) -> int:
    """Most that one unit (columns of one) can earn over the slots [uJPY]."""
    return max(
        gain
        for path in product((False, True), repeat=len(price))
        if (gain := gain_of(units, run_slots, price, path)) is not None
    )


def gain_of(units: ThermalUnits, run_slots: int, price: list[int], path: tuple[bool, ...]) -> int | None:
    """What a path earns [uJPY]; None where the unit may not do so."""
    most, least, cost = (int(c[0]) for c in (units.most_wh, units.least_wh, units.cost_mjpy_kwh))
    earned, state = 0, run_slots
    for runs, paid in zip(path, price, strict=True):
        starts = runs and state <= 0
        if starts and (-state < units.down_slots[0] or most == 0):
            return None
        if not runs and 0 < state < units.up_slots[0]:
            return None
        if runs:
            top = min(int(units.first_wh[0]), most) if starts else most
            output = top if paid > cost else least
            earned += (paid - cost) * output - most * int(units.idle_mjpy_kwh[0])
            earned -= int(units.start_ujpy[0]) if starts else 0
        state = max(state, 0) + 1 if runs else min(state, 0) - 1
    return earned
