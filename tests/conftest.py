"""What all tests share: how many examples a property test draws, the reference scenario and its synthetic year."""

import pytest
from hypothesis import HealthCheck, settings

from envs.public_year import PublicYear, public_year
from envs.scenario import load_scenario
from envs.scenario_schema import Scenario

settings.register_profile(
    "digitalgrid",
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("digitalgrid")


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    """The paper's demonstration, as it comes with the package."""
    return load_scenario("urawa-misono")


@pytest.fixture(scope="session")
def year(scenario: Scenario) -> PublicYear:
    """The synthetic year of the reference scenario."""
    return public_year(scenario, None)
