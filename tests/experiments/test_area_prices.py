"""What a run prints of its areas and lines."""

import numpy as np
import pytest

from experiments.area_prices import AreaPrice, report_areas
from experiments.trace import Trace
from market.exchange import NO_PRICE
from market.units import Int


def columns(**named: list[int]) -> dict[str, Int]:
    """Slot columns by name, `__` for the colon."""
    return {name.replace("__", ":"): np.array(values, np.int64) for name, values in named.items()}


def trace(**named: list[int]) -> Trace:
    """A trace of three slots, two areas and one line."""
    always = columns(slot=[0, 1, 2], outside__a=[9_000] * 3, outside__b=[9_000] * 3)
    return Trace(always | columns(**named), {}, (), (), np.zeros((0, 0), np.int64))


def test_prices_are_over_traded_slots_and_lines_over_all() -> None:
    """Mean, lowest, highest where there is a price; a slot counts as apart when two prices differ."""
    report = report_areas(
        trace(
            price__a=[NO_PRICE, 8_000, 10_000],
            price__b=[NO_PRICE, 8_000, 12_000],
            flow_wh__ab=[0, 500, 1_000],
            forward_wh__ab=[1_000] * 3,
            backward_wh__ab=[200] * 3,
        )
    )
    assert report.areas[0] == AreaPrice("a", 2, 9.0, 8.0, 10.0, 9.0)
    assert (report.apart, report.traded) == (1, 2)
    (line,) = report.lines
    assert (line.mean_kw, line.mean_size_kw) == (1.0, 1.0)
    assert line.full_share == pytest.approx(1 / 3)


def test_a_backward_flow_fills_the_other_way_and_no_capacity_is_never_full() -> None:
    """Full is measured in the direction of the flow; a line of nothing is not full of it."""
    prices = {"price__a": [NO_PRICE] * 3, "price__b": [NO_PRICE] * 3}
    back = trace(flow_wh__ab=[-200, 0, -100], forward_wh__ab=[0] * 3, backward_wh__ab=[200] * 3, **prices)
    found = report_areas(back)
    assert found.lines[0].full_share == pytest.approx(1 / 3)
    assert found.areas[0] == AreaPrice("a", 0, None, None, None, None)
