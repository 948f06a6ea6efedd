"""A scenario chooses how imbalance is priced; world and ledger follow."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envs.public_year import public_year
from envs.scenario import Scenario, load_scenario
from ledger.audit import verify
from market.errors import ConfigError
from market.imbalance import Imbalance
from market.settlement import PostingKind
from tests.played import open_world, play_world

JAPANESE: dict[str, dict[str, object]] = {
    "jp-2016": {"terms.imbalance": "jp-2016", "fiscal_year": 2020, "terms.jp_2016.alpha": 0.97},
    "jp-2022": {
        "terms.imbalance": "jp-2022",
        "terms.jp_2022.reserve": [[0.0, 12.0], [9.0, 9.0], [12.0, 6.0]],
        "terms.curtailed_at_jpy_kwh": 7.0,
    },
}
"""Settings under which each rule does more than repeat the outside price."""


def scenario_of(rule: str) -> Scenario:
    """The reference scenario under a Japanese rule."""
    return load_scenario("urawa-misono", JAPANESE[rule])


def test_a_scenario_chooses_the_rule_and_its_parameters() -> None:
    """Betas by area, K and L by fiscal year; ratios in percent; flat unless it says otherwise."""
    assert load_scenario("urawa-misono").settlement_terms().imbalance == Imbalance()
    chosen = {"terms.imbalance": "jp-2016", "fiscal_year": 2020, "terms.jp_2016.beta_jpy_kwh.tohoku": -1.5}
    rule = load_scenario("urawa-misono", chosen).settlement_terms().imbalance
    assert (rule.beta, rule.short_extra, rule.long_less) == ((2_630, -1_500), 480, 710)
    scarce = {"terms.imbalance": "jp-2022", "terms.jp_2022.reserve": [[0.0, 12.0], [50.0, 5.5]]}
    rule = load_scenario("urawa-misono", scarce).settlement_terms().imbalance
    assert rule.reserve == ((0, 120_000), (50_000, 55_000))


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("terms.imbalance", "jp-2030", "terms.imbalance"),
        ("terms.jp_2016.beta_jpy_kwh.mars", 1.0, "unknown area 'mars'"),
        ("terms.jp_2022.reserve", [[50.0, 5.0], [0.0, 12.0]], "must rise"),
        ("terms.jp_2022.reserve", [], "terms.jp_2022.reserve"),
        ("terms.jp_2022.reserve", [[0.0, 12.00001]], "steps of 0.0001"),
        ("terms.jp_2016.alpha", 0.9999999, "steps of 0.000001"),
        ("terms.jp_2016.gamma", 1.0, "unknown key"),
    ],
)
def test_a_wrong_parameter_is_refused_in_one_line(key: str, value: object, line: str) -> None:
    """The line names the key and what is wrong."""
    with pytest.raises(ConfigError, match=line):
        load_scenario("urawa-misono", {key: value})


@pytest.mark.parametrize(("rule", "scale"), [("jp-2016", 1), ("jp-2022", 1), ("jp-2022", 25)])
def test_a_world_settles_by_its_rule_and_its_ledger_is_derived_again(rule: str, scale: int, tmp_path: Path) -> None:
    """Deviation is paid at the rule's price against the area operator, and the audit comes to the same postings.

    With outside prices 25 times as high the cumulative rule caps the later slots of the day.
    """
    folder, scenario = tmp_path / "ledger", scenario_of(rule)
    year = public_year(scenario)
    dear = replace(year, outside_mjpy_kwh=year.outside_mjpy_kwh * scale)
    run = play_world(open_world(scenario, days=1, seed=3, ledger="full", folder=folder, year=dear))
    assert run.world.capped.any() == (scale > 1)
    world, prices_differ = run.world, False
    for t, (step, before) in enumerate(zip(run.steps, run.before, strict=True)):
        assert not step.money_ujpy.sum(axis=1).any()
        deviation = step.reading_wh - before.plan_wh
        outside = world.episode.outside[:, :, t]
        now, short = world.episode.first_slot + t, deviation.sum(1)
        prices = world.terms.imbalance_prices(outside, short, now, world.capped[..., t])
        mine = prices[:, world.fleet.area]
        paid = -deviation * np.where(deviation > 0, mine[..., 0], mine[..., 1])
        assert (step.money_ujpy[:, : world.fleet.count, PostingKind.IMBALANCE] == paid).all()
        prices_differ |= bool((prices != outside[..., None]).any())
    assert prices_differ
    verdict = verify(folder, world.keeper.chain_head)
    assert verdict.ok, verdict.lines
