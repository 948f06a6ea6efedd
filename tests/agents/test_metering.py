"""The smart meter's register: whole steps out, the remainder carried."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agents.metering import read_meter, read_series

USED = st.lists(st.integers(-50_000, 50_000), min_size=1, max_size=40)
STEPS = st.sampled_from([1, 10, 100, 1_000, 10_000])


@given(USED, STEPS)
def test_energy_is_conserved_and_readings_are_whole_steps(used: list[int], resolution: int) -> None:
    """Readings and the remainder add up to what was used, which is never a step away."""
    rest, readings = np.zeros(2, np.int64), []
    for energy in used:
        reading, rest = read_meter(np.int64(energy), rest, resolution)
        readings.append(int(reading))
        assert reading % resolution == 0
        assert ((rest >= 0) & (rest < resolution)).all()
    assert sum(readings) + int(rest[0] - rest[1]) == sum(used)
    imported, exported = np.maximum(used, 0), np.maximum(np.negative(used), 0)
    assert (read_series(imported, resolution) - read_series(exported, resolution)).tolist() == readings


@given(USED, STEPS)
def test_no_more_export_is_read_than_flowed(used: list[int], resolution: int) -> None:
    """Import and export are counted apart, so that steps never make certificates of nothing."""
    rest, exported = np.zeros(2, np.int64), 0
    for energy in used:
        reading, rest = read_meter(np.int64(energy), rest, resolution)
        exported += max(-int(reading), 0)
    assert exported <= sum(max(-energy, 0) for energy in used)


@given(USED)
def test_a_register_of_one_watt_hour_reads_what_was_used(used: list[int]) -> None:
    """Nothing is ever carried."""
    energies = np.array(used)
    reading, rest = read_meter(energies, np.zeros((len(energies), 2), np.int64), 1)
    assert (reading == energies).all()
    assert not rest.any()


def test_the_reading_is_the_change_of_the_register_rounded_down() -> None:
    """0.1 kWh: 70 Wh a slot reads 0, 100, 100, 0."""
    assert read_series(np.array([70, 70, 70, 70]), 100).tolist() == [0, 100, 100, 0]
