"""PV to contract: the meter exports at most what was contracted, and no more sun is lost than that takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.curtailment import curtail

ENERGY = st.integers(-6_000, 6_000)


@given(st.integers(0, 6_000), ENERGY, ENERGY)
def test_no_more_is_cut_than_the_contract_asks_and_never_less_than_it_can(available: int, net: int, plan: int) -> None:
    """After the cut the export is at most the contracted one, unless all PV is cut; one Wh less would not do."""
    cut = int(curtail(np.array([available]), np.array([net]), np.array([plan]))[0])
    allowed = max(-plan, 0)
    assert 0 <= cut <= available
    assert -(net + cut) <= allowed or cut == available
    assert cut == 0 or -(net + cut - 1) > allowed


@pytest.mark.parametrize(
    ("net", "plan", "cut"),
    [(-2_000, -500, 1_500), (-2_000, 300, 2_000), (-400, -500, 0), (700, 0, 0), (-9_000, 0, 2_500)],
)
def test_cases_by_hand(net: int, plan: int, cut: int) -> None:
    """2,500 Wh of PV; a contract to import allows no export."""
    assert curtail(np.array([2_500]), np.array([net]), np.array([plan])).tolist() == [cut]
