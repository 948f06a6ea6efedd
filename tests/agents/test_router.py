"""Routers: the paper's ratings, the limit of the interchange, what is cut first, set points by device."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.router import SET_POINT, SET_POINT_FIELDS, RouterRole, limit_export, role_limit_wh, set_point

PART = st.integers(0, 4_000)


@pytest.mark.parametrize(
    ("role", "limit"),
    [
        (RouterRole.HOME, 2_500),
        (RouterRole.PV, 2_500),
        (RouterRole.UPS, 3_000),
        (RouterRole.INTERCHANGE, 3_750),
        (RouterRole.PLANT, 10_000),
    ],
)
def test_a_role_passes_its_rating_for_half_an_hour(role: RouterRole, limit: int) -> None:
    """Paper 3.3: 5, 5, 6, 7.5 and 20 kW."""
    assert role_limit_wh(role) == limit


@given(st.integers(-9_000, 3_000), PART, PART, PART)
def test_the_limit_is_kept_and_pv_is_cut_before_the_battery(reading: int, solar: int, battery: int, car: int) -> None:
    """Export is at most 3,750 Wh if what can be cut suffices; the battery gives way after PV, the car last."""
    cut = limit_export(np.array([reading]), np.array([3_750]), *(np.array([part]) for part in (solar, battery, car)))
    parts = [int(part[0]) for part in (cut.solar_wh, cut.battery_wh, cut.vehicle_wh)]
    assert sum(parts) == min(max(-reading - 3_750, 0), solar + battery + car)
    assert parts[1] == 0 or parts[0] == solar
    assert parts[2] == 0 or parts[1] == battery


def test_a_set_point_names_every_device() -> None:
    """One record for each home of each world, whatever shape the columns have."""
    points = set_point(np.zeros((2, 3), np.int64), *(np.array([value]) for value in (1, 2, 3, 4)))
    assert points.shape == (2, 3)
    assert points.dtype == SET_POINT
    assert points[1, 2].tolist() == (0, 1, 2, 3, 4)
    assert all(field.unit == "Wh" and field.meaning for field in SET_POINT_FIELDS)
