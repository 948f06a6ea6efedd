"""The mobile link between a DGC and the market (paper 1.4, item 26: 3G/LTE): messages are lost or come a step late.

A party's orders, plan and reading of one step are one message. A lost one never arrives: resting orders stay as they
are, and the plan of the slot whose gate closes is what is contracted. A late one arrives one step later: its orders are
judged then, so those for the slot that has closed are refused, and its plan and reading, which are of the step before,
are not heard. A newer message of the same party that arrives in that step takes its place. Sources: the link is the
paper's; probabilities are a scenario's, drawn for each party and step (assumption: no bursts).
"""

from typing import NamedTuple

import numpy as np

from agents.draw import Purpose, below, draw
from envs.scenario_schema import LinkSpec
from ledger.encoding import ABSENT
from market.orders import no_orders
from market.tables import Table, join_rows, pick_rows
from market.units import PPM, Int
from market.validation import Mask


class Fate(NamedTuple):
    """What becomes of the messages of a step, (worlds, parties): neither means that it arrives in time."""

    lost: Mask
    late: Mask


class Link:
    """Carries the messages of w worlds and keeps those that are late.

    Args:
        spec: probabilities of the scenario.
        seed: key of world 0.
        is_external: (w, parties) devices outside this process, whose envelopes come by another way.
    """

    def __init__(self, spec: LinkSpec, seed: int, is_external: Mask) -> None:
        self._loss, self._late = round(spec.loss * PPM), round(spec.late * PPM)
        self._seed, self._is_external = seed, is_external
        self.is_perfect = not (self._loss or self._late)
        self._held = no_orders()

    def fate(self, now: Int) -> Fate:
        """Drawn for the step that begins in slot `now` (w,); a message that is lost is not late as well."""
        worlds, parties = self._is_external.shape
        at = (self._seed, np.arange(worlds)[:, None], np.arange(parties), now[:, None])
        lost = (below(draw(*at, Purpose.LOSS), PPM) < self._loss) & ~self._is_external
        late = (below(draw(*at, Purpose.DELAY), PPM) < self._late) & ~self._is_external & ~lost
        return Fate(lost, late)

    def arrived(self, orders: Table, fate: Fate) -> Table:
        """Rows that reach the market in this step, sorted by world and party; late ones signed on arrival."""
        in_time = ~(fate.lost | fate.late)
        prompt = pick_rows(orders, in_time[orders["world"], orders["party"]])
        # a party without any row in time may still have spoken: its message takes the place of the late one
        late = pick_rows(self._held, ~in_time[self._held["world"], self._held["party"]])
        if not len(late):
            return prompt
        rows = join_rows(prompt, late)
        return pick_rows(rows, np.lexsort((rows["party"], rows["world"])))

    def carry(self, orders: Table, plan: Int, reading_wh: Int, now: Int) -> tuple[Table, Int, Int]:
        """What the market hears of a step: orders, plans and readings (w, parties), ABSENT where nothing arrives."""
        if self.is_perfect:
            return orders, plan, reading_wh
        fate = self.fate(now)
        heard, silent = self.arrived(orders, fate), fate.lost | fate.late
        self._held = pick_rows(orders, fate.late[orders["world"], orders["party"]])
        return heard, np.where(silent, ABSENT, plan), np.where(silent, ABSENT, reading_wh)
