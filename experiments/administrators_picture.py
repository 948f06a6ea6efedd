"""Picture of an epoch change: what four administrators say to each other, as the production code says it.

One scripted run over the simulator's parts: a block is certified; the next one reaches one administrator only before
the sequencer is gone; another one takes over and adopts it; the old sequencer comes back and follows. Every message
takes one unit of time. Lanes, arrows and blocks are what the replicas did, nothing is drawn by hand.
"""

from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PALE, RED, SKY, STYLE, save_png
from ledger.diary import recall
from ledger.messages import (
    Ahead,
    Append,
    Certified,
    Cosigned,
    Message,
    Need,
    Prepare,
    Promised,
    Propose,
    TakeOver,
    Tick,
)
from ledger.quorum import Administrators
from ledger.replica import Replica
from ledger.replica_state import EVERYONE, State
from ledger.sim_parts import CHAIN, Memo, SimulatedJudge, key_of, signer_of, verify
from market.errors import ConfigError

N, QUORUM = 4, 3
GONE, TAKES_OVER, EPOCH = 0, 2, 2
COLOURS: dict[type, tuple[str, str]] = {
    Propose: (BLUE, "propose: blocks of the epoch"),
    Cosigned: (GREEN, "vote: cosignature of a block"),
    Certified: (BLACK, "certified: q votes"),
    Prepare: (RED, "prepare: asks for promises"),
    Promised: (ORANGE, "promise, with the log"),
    Need: (SKY, "need: blocks are missing"),
    Ahead: (GREY, "ahead: a newer epoch is promised"),
}


class Arrow(NamedTuple):
    """A message on its way; lost where the receiver was gone."""

    sender: int
    sent: float
    receiver: int
    message: Message
    lost: bool


class Mark(NamedTuple):
    """What an administrator held from a time on: of each block its epoch and whether it begins it; certified ones."""

    who: int
    time: float
    epochs: tuple[tuple[int, bool], ...]
    floor: int


class Story:
    """The scripted run."""

    def __init__(self) -> None:
        administrators = Administrators(CHAIN, tuple(key_of(i) for i in range(N)), QUORUM)
        memo = Memo()
        self.judges = [SimulatedJudge(signer_of(i), memo) for i in range(N)]
        self.replicas = [Replica(i, administrators, signer_of(i), verify, self.judges[i], 1_000) for i in range(N)]
        self.states: list[State] = [replica.restore(recall(b"")) for replica in self.replicas]
        self.arrows: list[Arrow] = []
        self.marks: list[Mark] = [Mark(i, 0.0, (), 0) for i in range(N)]
        self.time = 0.0

    def tell(self, who: int, command: Message, reach: frozenset[int]) -> None:
        """A command to one administrator, and all that follows among those within reach."""
        mail = [(who, who, command)]
        while mail:
            after: list[tuple[int, int, Message]] = []
            for sender, to, message in mail:
                after += self._hear(sender, to, message, reach)
            self.time += 1.0
            mail = after

    def append(self, leader: int, given: bytes, reach: frozenset[int]) -> None:
        """One more block of the stand-in program."""
        state = self.states[leader]
        self.tell(leader, Append(self.judges[leader].propose(state.log, state.promised, given)), reach)

    def _hear(self, sender: int, to: int, message: Message, reach: frozenset[int]) -> list[tuple[int, int, Message]]:
        lost = to not in reach
        if sender != to:
            self.arrows.append(Arrow(sender, self.time - 1.0, to, message, lost))
        if lost:
            return []
        state, sends, _ = self.replicas[to].hear(self.states[to], sender, message, int(self.time))
        if (state.log, state.floor) != (self.states[to].log, self.states[to].floor):
            blocks = tuple((entry.epoch, entry.start is not None) for entry in state.log)
            self.marks.append(Mark(to, self.time, blocks, state.floor))
        self.states[to] = state
        return [(to, i, said) for target, said in sends for i in range(N) if i != to and target in (EVERYONE, i)]


def tell_story() -> tuple[Story, dict[str, float]]:
    """The run, and when its chapters begin."""
    story, everyone = Story(), frozenset(range(N))
    chapters = {"a block is\ncertified": story.time}
    story.append(GONE, b"11111111", everyone)
    chapters["the next one\nreaches one only"] = story.time
    story.append(GONE, b"22222222", frozenset({GONE, 1}))
    chapters[
        f"{GONE} is gone; {TAKES_OVER} takes over: promises of {QUORUM},\nthe furthest log, an epoch start on top"
    ] = story.time
    story.tell(TAKES_OVER, TakeOver(EPOCH), everyone - {GONE})
    chapters[f"{GONE} comes back\nand follows"] = story.time
    story.tell(TAKES_OVER, Tick(), everyone)
    return story, chapters


def save_epoch_change(path: Path) -> None:
    """Write the picture as PNG; raises ConfigError when that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_png(draw_epoch_change(), path)
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(path), do="give another --picture") from error


def draw_epoch_change() -> Figure:
    """Lanes, arrows and the blocks each administrator holds."""
    story, chapters = tell_story()
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(12, 6.2), layout="constrained")
        axis = figure.subplots()
        _draw_lanes(axis, story, chapters)
        for arrow in story.arrows:
            _draw_arrow(axis, arrow)
        for mark in story.marks:
            _draw_blocks(axis, mark)
        _explain(axis, story)
    return figure


def _lane(who: int) -> float:
    return float(N - 1 - who)


def _draw_lanes(axis: Axes, story: Story, chapters: dict[str, float]) -> None:
    begins = [*chapters.values(), story.time]
    for place, (text, begin) in enumerate(chapters.items()):
        if place % 2 == 0:
            axis.axvspan(begin - 1, begins[place + 1] - 1, color=PALE, linewidth=0)
        axis.text((begin + begins[place + 1]) / 2 - 1, N - 0.72, text, ha="center", va="bottom", fontsize=9.5)
    gone_from, back = begins[2] - 1, begins[3] - 1
    for who in range(N):
        axis.plot([-1, story.time - 1], [_lane(who)] * 2, color=BLACK, linewidth=1.2, zorder=1)
        role = {GONE: "\nsequencer of epoch 0", TAKES_OVER: f"\nsequencer of epoch {EPOCH}"}.get(who, "")
        axis.text(-1.15, _lane(who), f"administrator {who}{role}", ha="right", va="center")
    axis.plot([gone_from, back], [_lane(GONE)] * 2, color="white", linewidth=2.4, zorder=1.5)
    axis.plot([gone_from, back], [_lane(GONE)] * 2, color=RED, linewidth=1.2, linestyle=":", zorder=2)
    axis.text((gone_from + back) / 2, _lane(GONE) + 0.06, "out of reach", ha="center", color=RED, fontsize=9)
    axis.set_xlim(-1.1, story.time - 0.6)
    axis.set_ylim(-0.4, N - 0.3)
    axis.axis("off")


def _draw_arrow(axis: Axes, arrow: Arrow) -> None:
    colour, _ = COLOURS[type(arrow.message)]
    reach = 0.45 if arrow.lost else 0.96
    x, y = arrow.sent, _lane(arrow.sender)
    tip = (x + reach, y + (_lane(arrow.receiver) - y) * reach)
    style = {"arrowstyle": "-" if arrow.lost else "-|>", "color": colour, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", tip, (x, y), arrowprops=style, zorder=3)
    if arrow.lost:
        axis.plot(*tip, marker="x", color=colour, markersize=6, zorder=3)


def _draw_blocks(axis: Axes, mark: Mark) -> None:
    """The log as a row of small boxes under the lane: epochs inside, green where certified."""
    for place, (epoch, begins) in enumerate(mark.epochs):
        certified = place < mark.floor
        box = {
            "boxstyle": "square,pad=0.22",
            "facecolor": "#bfe6d8" if certified else "white",
            "edgecolor": RED if begins else BLACK,
            "linewidth": 1.4 if begins else 0.9,
        }
        x, y = mark.time + 0.04 + 0.2 * place, _lane(mark.who) - 0.2
        axis.text(x, y, str(epoch), fontsize=8.5, ha="left", bbox=box, zorder=4)


def _explain(axis: Axes, story: Story) -> None:
    said = {type(arrow.message) for arrow in story.arrows}
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=colour, label=text) for kind, (colour, text) in COLOURS.items() if kind in said
    ]
    handles += [
        Patch(facecolor="white", edgecolor=BLACK, label="block of an epoch, held"),
        Patch(facecolor="#bfe6d8", edgecolor=BLACK, label="known to be certified"),
        Patch(facecolor="white", edgecolor=RED, label="epoch start"),
    ]
    axis.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=5)
