"""Scenario files: what they give, and what they refuse in one line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.resizing import resize, share_out
from envs.scenario import SCENARIO_FOLDER, known_scenarios, load_scenario, parse_override, slot_energy_wh
from envs.scenario_schema import read_settings
from market.errors import ConfigError

MISONO = SCENARIO_FOLDER / "urawa_misono.toml"


def refusal(overrides: dict[str, object]) -> str:
    """The one line with which the reference scenario under these overrides is refused."""
    with pytest.raises(ConfigError) as caught:
        load_scenario("urawa-misono", overrides)
    line = str(caught.value)
    assert "\n" not in line
    return line


def refusal_of_file(path: Path, text: str | bytes) -> str:
    """The one line with which a file of this content is refused."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as caught:
        load_scenario(path)
    line = str(caught.value)
    assert "\n" not in line
    assert str(path) in line
    return line


def test_the_reference_scenario_is_the_demonstration_of_the_paper() -> None:
    """Paper 3.3: five homes and five stores, 5 kW PV and battery, 60 kW at the mall behind three routers."""
    scenario = load_scenario("urawa-misono")
    homes, battery = scenario.homes[0], scenario.homes[0].battery
    assert (homes.count, homes.pv_kw, battery.kw, homes.export_limit_kw) == (5, 5.0, 5.0, 7.5)
    assert (scenario.stores[0].count, scenario.mall[0].pv_kw, scenario.mall[0].routers) == (5, 60.0, 3)
    assert scenario.areas == ("tokyo", "tohoku")
    assert scenario.retailer_names == ("retailer-tokyo", "retailer-tohoku")


def test_the_terms_are_whole_millis_of_a_yen() -> None:
    """9.44 JPY/kWh is 9,440 mJPY/kWh; the tariff is the outside price plus 23 JPY/kWh."""
    terms = load_scenario("urawa-misono").settlement_terms()
    assert (terms.wheeling, terms.surcharge, terms.fee, terms.feed_in_floor) == (9_440, 2_900, 660, 500)
    assert terms.retail_margin + terms.wheeling + terms.surcharge == 17_000


def test_the_grid_joins_the_areas_in_the_direction_written() -> None:
    """The line of the reference scenario leads from Tohoku to Tokyo."""
    grid = load_scenario("urawa-misono").grid()
    (line,) = grid.lines
    assert (grid.areas[line.source], grid.areas[line.target]) == ("tohoku", "tokyo")


def test_a_level_caps_both_directions_of_a_line() -> None:
    """Capacity per slot is the smaller of level and direction, kW x 500 Wh."""
    overrides = {"lines.0.levels_kw": [80, 30, 0], "lines.0.forward_kw": 60, "lines.0.backward_kw": 20}
    (line,) = load_scenario("urawa-misono", overrides).lines
    assert line.levels_wh == ((30_000, 10_000), (15_000, 10_000), (0, 0))


def test_a_line_without_levels_keeps_its_capacity() -> None:
    """One level, each direction at its own capacity."""
    overrides = {"lines.0.levels_kw": [], "lines.0.forward_kw": 60, "lines.0.backward_kw": 90}
    (line,) = load_scenario("urawa-misono", overrides).lines
    assert line.levels_wh == ((30_000, 45_000),)


def test_a_path_and_a_name_give_the_same_scenario() -> None:
    """The package's files are ordinary scenario files."""
    assert load_scenario(MISONO) == load_scenario("urawa-misono")
    assert "urawa-misono" in known_scenarios()


def test_overrides_reach_into_tables_and_lists() -> None:
    """Dotted keys; a number is a position in a list."""
    scenario = load_scenario(
        "urawa-misono", {"homes.count": 3, "homes.battery.kwh": 5, "thermal.units_kw.1": 7, "terms.fee_jpy_kwh": 0}
    )
    assert (scenario.homes[0].count, scenario.homes[0].battery.kwh, scenario.terms.fee_jpy_kwh) == (3, 5.0, 0.0)
    assert scenario.thermal[0].units_kw == (20.0, 7.0, 20.0, 20.0)


def test_a_scenario_does_not_change() -> None:
    """Specifications are frozen."""
    scenario = load_scenario("urawa-misono")
    with pytest.raises(ValueError, match="frozen"):
        scenario.homes[0].count = 9  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("homes.count=3", "homes.count", 3),
        ("homes.pv_kw = 4.5", "homes.pv_kw", 4.5),
        ("forecast=naive", "forecast", "naive"),
        ("lines.0.levels_kw=[1, 2]", "lines.0.levels_kw", [1, 2]),
    ],
)
def test_an_override_as_typed_becomes_key_and_value(text: str, key: str, value: object) -> None:
    """Values are TOML; what is not TOML is text."""
    assert parse_override(text) == (key, value)


@pytest.mark.parametrize("text", ["homes.count", "=3", ""])
def test_an_override_without_key_or_sign_is_refused(text: str) -> None:
    """The line shows how to write one."""
    with pytest.raises(ConfigError, match=r"homes\.count=3"):
        parse_override(text)


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        ({"homes.cout": 3}, ("homes.cout", "unknown key", "did you mean 'count'?")),
        ({"homes.battery.kwx": 3}, ("homes.battery.kwx", "unknown key", "round_trip")),
        ({"lines.0.levels": [1]}, ("lines.0.levels", "did you mean 'levels_kw'?")),
        ({"horizont": 4}, ("horizont", "did you mean 'horizon'?")),
        ({"homes.pv_kw": -1}, ("homes.pv_kw", "-1", "greater than or equal to 0")),
        ({"lines.0.forward_kw": -80.0}, ("lines.0.forward_kw", "greater than or equal to 0")),
        ({"lines.0.levels_kw": [80, -1]}, ("lines.0.levels_kw.1", "-1")),
        ({"homes.pv_kw": 0.001}, ("homes.pv_kw", "steps of 0.002 kW")),
        ({"homes.pv_kw": float("nan")}, ("homes.pv_kw", "finite")),
        ({"homes.pv_kw": float("inf")}, ("homes.pv_kw", "finite")),
        ({"homes.count": 2.5}, ("homes.count", "integer")),
        ({"homes.count": "5"}, ("homes.count", '"5"', "integer")),
        ({"homes.count": True}, ("homes.count", "integer")),
        ({"homes.size_spread": [1.3, 0.7]}, ("homes.size_spread", "first bound")),
        ({"homes.battery.start_charge": [0.2, 1.2]}, ("homes.battery.start_charge.1", "less than or equal to 1")),
        ({"homes.battery.round_trip": 0}, ("homes.battery.round_trip", "greater than 0")),
        ({"terms.fee_jpy_kwh": 0.0005}, ("terms.fee_jpy_kwh", "steps of 0.001 JPY/kWh")),
        ({"terms.wheeling_jpy_kwh": 1e6}, ("terms.wheeling_jpy_kwh", "less than")),
        ({"forecast": "oracle"}, ("forecast", "'naive', 'weather', 'ridge', 'boosting' or 'perfect'")),
        ({"horizon": 0}, ("horizon", "greater than or equal to 1")),
        ({"areas": ["tokio", "tohoku"]}, ("areas.0", "tokio", "'tokyo'")),
        ({"areas": ["tokyo", "tohoku", "chubu"]}, ("lines", "no line reaches area 'chubu'")),
        ({"lines": []}, ("lines", "no line reaches area 'tokyo'")),
        ({"areas": ["tokyo"]}, ("thermal.area", "unknown area 'tohoku'", "areas of this scenario: tokyo")),
        ({"areas": ["tokyo", "tohoku", "tokyo"]}, ("areas", "stands more than once")),
        ({"homes.area": "tokio"}, ("homes.area", "unknown area 'tokio'", "did you mean 'tokyo'?")),
        ({"site_area": "kanto"}, ("site_area", "unknown area 'kanto'")),
        ({"lines.0.source": "tokyo"}, ("lines", "no line reaches area 'tohoku'")),
        ({"lines.0.target": "chubu"}, ("lines.0.target", "unknown area 'chubu'")),
        ({"retailers.chubu": "retailer-chubu"}, ("retailers.chubu", "unknown area 'chubu'")),
        ({"retailers.tohoku": "retailer-tokyo"}, ("retailers", "stands more than once")),
        ({"thermal.cost_jpy_kwh": [9, 12]}, ("thermal.cost_jpy_kwh", "2 costs for 4 units")),
        ({"homes": 3}, ("homes", "3", "object")),
        ({"lines": 3}, ("lines", "array")),
    ],
)
def test_an_impossible_setting_is_refused_by_file_and_key(overrides: dict[str, object], parts: tuple[str, ...]) -> None:
    """One line: file, key, what is wrong, what is allowed."""
    line = refusal(overrides)
    assert str(MISONO) in line
    for part in parts:
        assert part in line


def test_a_line_from_an_area_to_itself_is_refused() -> None:
    """The areas are all reached, so only the line itself is wrong."""
    loop = {"name": "loop", "source": "tokyo", "target": "tokyo", "forward_kw": 1, "backward_kw": 1}
    pair = {"name": "pair", "source": "tokyo", "target": "tohoku", "forward_kw": 1, "backward_kw": 1}
    assert "lines.1.target: line 'loop' joins 'tokyo' to itself" in refusal({"lines": [pair, loop]})


def test_two_lines_of_one_name_are_refused() -> None:
    """A line's name is its account."""
    pair = {"name": "pair", "source": "tokyo", "target": "tohoku", "forward_kw": 1, "backward_kw": 1}
    assert "lines: 'pair' stands more than once" in refusal({"lines": [pair, pair]})


def test_one_area_needs_no_line() -> None:
    """Paper 4.1: the first platform trades within one area."""
    scenario = load_scenario(
        "urawa-misono",
        {"areas": ["tokyo"], "lines": [], "thermal.area": "tokyo", "retailers": {}},
    )
    assert scenario.grid().paths == ((),)
    assert scenario.retailer_names == ("retailer-tokyo",)


@pytest.mark.parametrize("key", ["lines.1.forward_kw", "lines.first.forward_kw"])
def test_a_position_outside_a_list_is_refused(key: str) -> None:
    """The line names the positions there are."""
    assert "allowed: 0 to 0" in refusal({key: 1})


def test_a_key_below_a_value_is_refused() -> None:
    """`horizon` is a number and has no keys."""
    assert "override horizon.max" in refusal({"horizon.max": 1})


def test_several_mistakes_are_counted_and_the_first_is_shown() -> None:
    """The line stays one line."""
    assert "and 1 more" in refusal({"homes.count": -1, "stores.count": -1})


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    """Parties have no default place."""
    text = MISONO.read_text().replace('[mall]\narea = "tokyo"', "[mall]\n#")
    assert "mall.area: this key is missing" in refusal_of_file(tmp_path / "mine.toml", text)


def test_broken_toml_is_named_with_its_line(tmp_path: Path) -> None:
    """The parser's line number reaches the user."""
    assert "line 2" in refusal_of_file(tmp_path / "mine.toml", 'name = "mine"\ntitle = \n')


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    """A file in another encoding is named, not decoded wrongly."""
    assert "not UTF-8 text" in refusal_of_file(tmp_path / "mine.toml", "title = '浦和'".encode("shift_jis"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The path is in the line."""
    path = tmp_path / "none.toml"
    with pytest.raises(ConfigError, match="No such file") as caught:
        load_scenario(path)
    assert str(path) in str(caught.value)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    """The known names stand in the line."""
    with pytest.raises(ConfigError, match="did you mean 'urawa-misono'"):
        load_scenario("urawa-misno")


def test_every_figure_of_the_reference_scenario_has_a_source_or_is_an_assumption() -> None:
    """Each line with a key carries a comment."""
    for line in MISONO.read_text().splitlines():
        if "=" in line and not line.startswith(("#", "name", "title", "source", "target")):
            assert "#" in line, line


def test_the_energy_of_a_power_over_one_slot_is_exact() -> None:
    """7.5 kW over half an hour is 3,750 Wh; a fraction of a Wh is refused."""
    assert slot_energy_wh(7.5) == 3_750
    with pytest.raises(ValueError, match="finer"):
        slot_energy_wh(0.0005)


def grouped(**tables: object) -> dict[str, object]:
    """Overrides that put several groups in the place of the homes, and other keys."""
    flats = {"name": "flat", "area": "tokyo", "count": 3, "pv_kw": 0, "battery": {"kwh": 0}}
    return {"homes": [{"area": "tokyo", "count": 2}, flats], **tables}


def test_a_group_may_be_one_table_or_several() -> None:
    """`[homes]` is a tuple of one, `[[homes]]` of several; dotted overrides reach both."""
    assert len(load_scenario("urawa-misono", {"homes.count": 3}).homes) == 1
    scenario = load_scenario("urawa-misono", grouped() | {"homes.1.count": 4})
    assert [(group.name, group.count) for group in scenario.homes] == [("home", 2), ("flat", 4)]
    assert scenario.party_names[:7] == ("home-1", "home-2", "flat-1", "flat-2", "flat-3", "flat-4", "store-1")


def test_parties_of_one_name_are_refused() -> None:
    """Two groups without names of their own, or one named as a retailer."""
    assert "two parties are called 'home-1'" in refusal({"homes": [{"area": "tokyo"}, {"area": "tokyo"}]})
    assert "two parties are called 'retailer-tokyo'" in refusal({"mall.name": "retailer-tokyo"})


def test_a_mistake_in_one_of_several_groups_is_named_with_its_position() -> None:
    """`homes.1.cout`, and the position where a number is missing."""
    assert "homes.1.cout: unknown key (did you mean 'count'?" in refusal(grouped() | {"homes.1.cout": 3})
    assert "'count' is not a position in the list" in refusal(grouped() | {"homes.count": 3})
    assert "homes.1.area: unknown area 'tokio'" in refusal(grouped() | {"homes.1.area": "tokio"})


def test_keys_that_came_later_are_dumped_only_where_they_say_something() -> None:
    """The genesis of an older scenario keeps its bytes; a single group is dumped as a table."""
    dump = load_scenario("urawa-misono").model_dump(mode="json")
    assert set(dump["homes"]) == {
        *("area", "count", "load_kwh_year", "size_spread", "load_noise", "pv_kw", "export_limit_kw", "battery"),
    }
    assert not {"size", "written_for", "link", "meter"} & set(dump)
    several = load_scenario("urawa-misono", grouped()).model_dump(mode="json")
    assert [group.get("name") for group in several["homes"]] == [None, "flat"]


def test_sites_are_shared_out_by_largest_remainder() -> None:
    """10 sites over shares 1, 1, 1: the first group gets the one that is left; lines and units grow with the sites."""
    shared = {
        "size": 10,
        "written_for": 5,
        "homes": [{"area": "tokyo", "share": 1}, {"name": "flat", "area": "tokyo", "share": 1}],
        "stores.share": 1,
    }
    scenario = load_scenario("urawa-misono", shared)
    assert [group.count for group in (*scenario.homes, *scenario.stores, *scenario.mall)] == [4, 3, 3, 1]
    assert scenario.lines[0].forward_kw == 200.0
    assert scenario.thermal[0].units_kw == (40.0,) * 4


@given(st.integers(1, 10_000), st.lists(st.integers(1, 1_000), min_size=1, max_size=8))
def test_shares_add_up_and_nobody_is_a_site_off(total: int, shares: list[int]) -> None:
    """Every part is its exact share rounded up or down, and the parts are the total."""
    parts = share_out(total, [float(share) for share in shares])
    assert sum(parts) == total
    assert all(abs(part * sum(shares) - total * share) < sum(shares) for part, share in zip(parts, shares, strict=True))


@pytest.mark.parametrize("settings", [{}, grouped(), {"size": 40, "homes.share": 3, "stores.share": 1}])
def test_a_dumped_scenario_is_read_as_it_was(settings: dict[str, object]) -> None:
    """One table, several, and a scenario that was resized, whose powers do not grow a second time."""
    scenario = load_scenario("urawa-misono", settings)
    assert resize(read_settings(scenario.model_dump(mode="json"))) == scenario
