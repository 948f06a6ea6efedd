"""A scenario of another size: sites counted from shares, lines and thermal units in proportion.

The sites of groups with a `share` are the scenario's `size` shared out by largest remainder, ties to the group that
stands first. Powers of lines and thermal units are written for `written_for` sites and grow in proportion, rounded
down to whole Wh per half hour.
"""

from fractions import Fraction
from typing import TypeVar

from envs.groups import SitesSpec, ThermalSpec
from envs.quantities import SLOTS_PER_HOUR, slot_energy_wh
from envs.scenario_schema import LineSpec, Scenario
from market.units import WH_PER_KWH

Site = TypeVar("Site", bound=SitesSpec)


def resize(scenario: Scenario) -> Scenario:
    """The scenario with the counts and powers of its `size`; as it is without one."""
    if scenario.size is None:
        return scenario
    sites: list[SitesSpec] = [*scenario.homes, *scenario.stores, *scenario.mall]
    shared = [site for site in sites if site.share > 0]
    counts = iter(share_out(scenario.size, [site.share for site in shared]))
    ratio = Fraction(scenario.size, scenario.written_for)

    def counted(groups: tuple[Site, ...]) -> tuple[Site, ...]:
        return tuple(g.model_copy(update={"count": next(counts)}) if g.share > 0 else g for g in groups)

    return scenario.model_copy(
        update={
            "written_for": scenario.size,
            "homes": counted(scenario.homes),
            "stores": counted(scenario.stores),
            "mall": counted(scenario.mall),
            "thermal": tuple(_grown_units(group, ratio) for group in scenario.thermal),
            "lines": tuple(_grown_line(line, ratio) for line in scenario.lines),
        }
    )


def share_out(total: int, shares: list[float]) -> list[int]:
    """Whole parts of a total in proportion to shares, by largest remainder, ties to the first."""
    exact = [Fraction(str(share)) for share in shares]
    parts = [total * share / sum(exact) for share in exact]
    whole = [int(part) for part in parts]
    by_rest = sorted(range(len(parts)), key=lambda row: whole[row] - parts[row])
    for row in by_rest[: total - sum(whole)]:
        whole[row] += 1
    return whole


def _grown_units(group: ThermalSpec, ratio: Fraction) -> ThermalSpec:
    return group.model_copy(update={"units_kw": tuple(_grown(kw, ratio) for kw in group.units_kw)})


def _grown_line(line: LineSpec, ratio: Fraction) -> LineSpec:
    return line.model_copy(
        update={
            "forward_kw": _grown(line.forward_kw, ratio),
            "backward_kw": _grown(line.backward_kw, ratio),
            "levels_kw": tuple(_grown(kw, ratio) for kw in line.levels_kw),
        }
    )


def _grown(power_kw: float, ratio: Fraction) -> float:
    return int(slot_energy_wh(power_kw) * ratio) * SLOTS_PER_HOUR / WH_PER_KWH
