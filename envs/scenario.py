"""Scenario files: read a TOML file into a `Scenario`, strictly.

An unknown key, a value out of range, a party in an unknown area or an area that no line reaches is refused in
one line that names the file, the key and what is allowed. What a file may say stands in `envs.scenario_schema`.
"""

import difflib
import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from envs.device_specs import BatterySpec
from envs.groups import GroupSpec, HomesSpec, LoadsSpec, MallSpec, StoresSpec, ThermalSpec
from envs.quantities import slot_energy_wh
from envs.resizing import resize
from envs.scenario_schema import GROUP_KEYS, JEPX_AREAS, LineSpec, Scenario, TermsSpec, groups_alone, read_settings
from market.errors import ConfigError

__all__ = [
    "JEPX_AREAS",
    "BatterySpec",
    "HomesSpec",
    "LineSpec",
    "MallSpec",
    "Scenario",
    "StoresSpec",
    "TermsSpec",
    "ThermalSpec",
    "known_scenarios",
    "load_scenario",
    "parse_override",
    "slot_energy_wh",
]

SCENARIO_FOLDER = Path(__file__).parent / "scenarios"


def known_scenarios() -> tuple[str, ...]:
    """Names of the scenarios that come with the package, in alphabetical order."""
    return tuple(sorted(path.stem.replace("_", "-") for path in SCENARIO_FOLDER.glob("*.toml")))


def load_scenario(name_or_path: str | Path, overrides: Mapping[str, object] | None = None) -> Scenario:
    """Read a scenario by name or by path of a TOML file.

    Args:
        name_or_path: one of `known_scenarios()`, or a path ending in `.toml`.
        overrides: values by dotted key, `{"homes.count": 3, "lines.0.forward_kw": 10}`.

    Raises:
        ConfigError: one line with file, key, what is wrong and what is allowed.
    """
    path = _scenario_path(name_or_path)
    settings = _read_toml(path)
    for key, value in (overrides or {}).items():
        _apply_override(settings, key, value)
    scenario = resize(_validated(settings, path))
    _check_areas(scenario, path)
    _check_parties(scenario, path)
    _check_outages(scenario, path)
    _check_providers(scenario, path)
    _check_long_contracts(scenario, path)
    return scenario


def parse_override(text: str) -> tuple[str, object]:
    """Split `key=value` as given on a command line; the value is TOML, or else taken as text."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"{text!r} is not key=value", where="--set", do="write for example homes.count=3")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def _scenario_path(name_or_path: str | Path) -> Path:
    if str(name_or_path).endswith(".toml"):
        return Path(name_or_path)
    name = str(name_or_path)
    if name not in known_scenarios():
        known = ", ".join(known_scenarios())
        nearest = _nearest(name, known_scenarios())
        raise ConfigError(f"unknown scenario {name!r}", do=f"{nearest}known: {known}, or give a path ending in .toml")
    return SCENARIO_FOLDER / f"{name.replace('-', '_')}.toml"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"cannot read the scenario file: {reason}", where=str(path), do="check the path") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}", where=str(path), do="mend the line named") from error


def _apply_override(settings: dict[str, Any], key: str, value: object) -> None:
    """Set a dotted key; a number in it is a position in a list. Whether the key exists is checked later."""
    *parents, last = key.split(".")
    node: Any = settings
    for part in parents:
        node = node[_position(node, part, key)] if isinstance(node, list) else node.setdefault(part, {})
        if not isinstance(node, dict | list):
            raise ConfigError(f"{part!r} is a value and has no keys below it", where=f"override {key}")
    node[_position(node, last, key) if isinstance(node, list) else last] = value


def _position(rows: list[Any], part: str, key: str) -> int:
    if not part.isdigit() or int(part) >= len(rows):
        allowed = f"0 to {len(rows) - 1}" if rows else "none, the list is empty"
        raise ConfigError(f"{part!r} is not a position in the list", where=f"override {key}", do=f"allowed: {allowed}")
    return int(part)


def _validated(settings: dict[str, Any], path: Path) -> Scenario:
    try:
        return read_settings(settings)
    except ValidationError as error:
        first, *others = error.errors()
        location = [str(part) for part in first["loc"]]
        if location and location[0] in groups_alone(settings):
            del location[1]
        more = f"; and {len(others)} more" if others else ""
        what, do = _explain(first["type"], location, first["msg"], first["input"])
        raise ConfigError(what + more, where=f"{path}: {'.'.join(location) or 'file'}", do=do) from error


def _explain(kind: str, location: list[str], message: str, given: object) -> tuple[str, str]:
    known = _keys_below(location[:-1])
    if kind == "extra_forbidden":
        return "unknown key", f"{_nearest(location[-1], known)}known: {', '.join(known)}"
    if kind == "missing":
        return "this key is missing", "add it"
    allowed = message.removeprefix("Value error, ").replace("Input should", "it should")
    return f"{json.dumps(given, ensure_ascii=False, default=str)[:80]} is not possible", allowed


def _keys_below(location: list[str]) -> tuple[str, ...]:
    """Keys the table at a dotted location may have."""
    model: Any = Scenario
    for part in location:
        if not part.isdigit():
            model = next(_models_in(model.model_fields[part].annotation), None)
        if model is None:
            return ()
    return tuple(model.model_fields)


def _models_in(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _nearest(word: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def _check_areas(scenario: Scenario, path: Path) -> None:
    """Every area named exists, is named once, and is reached by a line."""
    _check_distinct(scenario.areas, "areas", path)
    if scenario.sun_by_area and scenario.forecast_updates:
        what = "readings correct the forecast of the site's sun, not of every area's"
        raise ConfigError(what, where=f"{path}: forecast_updates", do="set it or sun_by_area to false")
    used = {"site_area": scenario.site_area}
    used |= {f"{where}.area": group.area for where, group in _located(scenario)}
    for row, line in enumerate(scenario.lines):
        used |= {f"lines.{row}.source": line.source, f"lines.{row}.target": line.target}
    used |= {f"retailers.{area}": area for area in scenario.retailers}
    used |= {f"service_providers.{row}.area": said.area for row, said in enumerate(scenario.service_providers)}
    used |= {f"terms.jp_2016.beta_jpy_kwh.{area}": area for area in scenario.terms.jp_2016.beta_jpy_kwh}
    for key, area in used.items():
        if area not in scenario.areas:
            do = f"{_nearest(area, scenario.areas)}areas of this scenario: {', '.join(scenario.areas)}"
            raise ConfigError(f"unknown area {area!r}", where=f"{path}: {key}", do=do)
    reached = {end for line in scenario.lines for end in (line.source, line.target)}
    for area in scenario.areas:
        if len(scenario.areas) > 1 and area not in reached:
            raise ConfigError(
                f"no line reaches area {area!r}", where=f"{path}: lines", do="add a line or drop the area"
            )


def _check_parties(scenario: Scenario, path: Path) -> None:
    """Names are distinct, a line joins two areas, and each thermal unit has one cost."""
    _check_distinct(tuple(line.name for line in scenario.lines), "lines", path)
    _check_distinct(scenario.retailer_names, "retailers", path)
    for row, line in enumerate(scenario.lines):
        if line.source == line.target:
            raise ConfigError(
                f"line {line.name!r} joins {line.source!r} to itself",
                where=f"{path}: lines.{row}.target",
                do="name two different areas",
            )
    for where, group in _located(scenario):
        if isinstance(group, ThermalSpec) and len(group.units_kw) != len(group.cost_jpy_kwh):
            what = f"{len(group.cost_jpy_kwh)} costs for {len(group.units_kw)} units"
            raise ConfigError(what, where=f"{path}: {where}.cost_jpy_kwh", do="give one cost for each unit")
        if isinstance(group, StoresSpec) and group.whole_area and (group.count, group.weight) != (1, 1):
            what = f"{group.count * group.weight:,} sites buy for the whole of {group.area!r}"
            raise ConfigError(what, where=f"{path}: {where}.count", do="give count = 1 and no weight")
        if isinstance(group, HomesSpec):
            _check_devices(group, f"{path}: {where}")
    twice = [name for name, count in Counter(scenario.party_names).items() if count > 1]
    if twice:
        do = "give each group a name of its own, as name = 'flat'"
        raise ConfigError(f"two parties are called {twice[0]!r}", where=f"{path}: name", do=do)


def _check_devices(group: HomesSpec, where: str) -> None:
    """A party with a car or a tank is one home, and cars are back after they left."""
    if group.is_equipped and group.weight > 1:
        what = "a car, a tank or a router's limit belongs to one home"
        raise ConfigError(what, where=f"{where}.weight", do="leave weight out, or the devices")
    if group.vehicle and group.vehicle.leaves[1] > group.vehicle.returns[0]:
        what = f"a car may return at {group.vehicle.returns[0]:g} before it leaves at {group.vehicle.leaves[1]:g}"
        raise ConfigError(what, where=f"{where}.vehicle.returns", do="let every return lie after every departure")


def _located(scenario: Scenario) -> Iterator[tuple[str, GroupSpec]]:
    """Each group with its key as written: without a position where it is alone."""
    for key in GROUP_KEYS:
        groups: tuple[GroupSpec, ...] = getattr(scenario, key)
        yield from ((key if len(groups) == 1 else f"{key}.{row}", group) for row, group in enumerate(groups))


def _check_outages(scenario: Scenario, path: Path) -> None:
    """An outage names a line of the scenario, ends after it begins, and says one thing about what is left."""
    names = [line.name for line in scenario.lines]
    for row, outage in enumerate(scenario.outages):
        where = f"{path}: outages.{row}"
        if outage.line not in names:
            known = ", ".join(names) or "none"
            do = f"{_nearest(outage.line, tuple(names))}lines of this scenario: {known}"
            raise ConfigError(f"unknown line {outage.line!r}", where=f"{where}.line", do=do)
        if outage.to_hours <= outage.from_hours:
            raise ConfigError("the outage ends before it begins", where=f"{where}.to_hours", do="give a later hour")
        if outage.left is not None and outage.left_kw is not None:
            raise ConfigError("left and left_kw are both given", where=f"{where}.left", do="give one of them")


def _check_providers(scenario: Scenario, path: Path) -> None:
    """A service provider has members in its area, and a group of parties has one provider at most."""
    _check_distinct(tuple(said.name for said in scenario.service_providers), "service_providers", path)
    taken: dict[str, str] = {}
    for row, said in enumerate(scenario.service_providers):
        where = f"{path}: service_providers.{row}"
        for name in said.members:
            here = [group for group in _groups_named(scenario, name, f"{where}.members") if group.area == said.area]
            if not here:
                do = "name groups of that area"
                raise ConfigError(f"{name!r} has no parties in {said.area!r}", where=f"{where}.members", do=do)
            for group in here:
                if taken.setdefault(group.name, said.name) != said.name:
                    what = f"{group.name!r} is a member of {taken[group.name]!r} too"
                    raise ConfigError(what, where=f"{where}.members", do="name each group once")


def _check_long_contracts(scenario: Scenario, path: Path) -> None:
    """Thermal units or a retailer sell, homes or stores buy."""
    for row, said in enumerate(scenario.long_contracts):
        where = f"{path}: long_contracts.{row}"
        if said.seller not in scenario.retailer_names:
            for group in _groups_named(scenario, said.seller, f"{where}.seller", scenario.retailer_names):
                if not isinstance(group, ThermalSpec) or not group.count:
                    do = f"name thermal units or one of {', '.join(scenario.retailer_names)}"
                    raise ConfigError(f"{said.seller!r} cannot sell ahead", where=f"{where}.seller", do=do)
        buyers = _groups_named(scenario, said.buyer, f"{where}.buyer")
        if not all(isinstance(group, LoadsSpec) and group.load_kwh_year for group in buyers):
            raise ConfigError(f"{said.buyer!r} has no load", where=f"{where}.buyer", do="name homes or stores")


def _groups_named(scenario: Scenario, name: str, where: str, more: tuple[str, ...] = ()) -> tuple[GroupSpec, ...]:
    """The groups that a name or key means; raises ConfigError naming those there are."""
    found = scenario.groups_named(name)
    if not found:
        known = tuple(dict.fromkeys((*GROUP_KEYS, *(group.name for group in scenario.groups), *more)))
        raise ConfigError(f"no group {name!r}", where=where, do=f"{_nearest(name, known)}known: {', '.join(known)}")
    return found


def _check_distinct(names: tuple[str, ...], key: str, path: Path) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"{name!r} stands more than once", where=f"{path}: {key}", do="give each a name of its own"
            )
