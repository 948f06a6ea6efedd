"""A picture of sealed orders: one auction of a run from seal to contract, who can read a bid when, and the bytes.

Every number is read from the ledger of the run. `python -m experiments.privacy_picture RUN FILE.png` writes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PALE, RED, STYLE, save_png
from ledger.audit import find_worlds
from ledger.journal import read
from ledger.records import RecordType
from ledger.sealed_records import Privacy, read_privacy
from market.errors import ConfigError, DigitalGridError

KINDS = {
    RecordType.ENVELOPE: (BLUE, "envelopes"),
    RecordType.STEP: (GREY, "steps: contracts, postings"),
    RecordType.SEALED: (ORANGE, "sealed orders"),
    RecordType.SHARE: (GREEN, "shares"),
}
"""Record types with their colours, from the bottom of a bar."""
LANES = ("devices", "record", "administrators", "anyone")
SEALED_AT, GATE, SHARES_AT, OPENED_AT, END = 1.2, 2.6, 4.0, 5.6, 7.4
"""Where on the way from left to right things happen: an order, not a clock."""


@dataclass(frozen=True)
class Auctions:
    """Who opens, and of each step the number and bytes of records of each kind of `KINDS` (steps, kinds)."""

    privacy: Privacy
    counts: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    sizes: np.ndarray[tuple[int, int], np.dtype[np.int64]]


def count_records(world: Path) -> Auctions:
    """Read one world's ledger; raises ConfigError where its orders are not sealed."""
    privacy, kinds = None, list(KINDS)
    steps, counts, sizes = [], np.zeros(len(kinds), np.int64), np.zeros(len(kinds), np.int64)
    for *_, kind, body in read(world):
        if kind == RecordType.PRIVACY:
            privacy = read_privacy(body)
        if kind in KINDS:
            counts[kinds.index(kind)] += 1
            sizes[kinds.index(kind)] += len(body)
        if kind == RecordType.STEP:
            steps.append((counts.copy(), sizes.copy()))
            counts[:] = sizes[:] = 0
    if privacy is None:
        raise ConfigError("orders of this run are not sealed", where=str(world), do="simulate with --private 3/4")
    return Auctions(privacy, np.array([one for one, _ in steps]), np.array([one for _, one in steps]))


def draw_privacy(auctions: Auctions) -> Figure:
    """One auction on its way above, bytes of every step below."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.5, 7.4), layout="constrained")
        way, sizes = figure.subplots(2, 1, height_ratios=(1.75, 1))
        _draw_way(way, auctions)
        _draw_sizes(sizes, auctions)
    return figure


def save_picture(run: Path, out: Path) -> None:
    """Write the picture of a run as PNG; raises ConfigError when that cannot be, LedgerError on a damaged ledger."""
    folder = run / "ledger" if (run / "ledger").is_dir() else run
    figure = draw_privacy(count_records(find_worlds(folder)[0]))
    try:
        with mpl.rc_context(STYLE):
            save_png(figure, out)
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(out), do="give another file") from error


def _lane(name: str) -> float:
    return float(len(LANES) - 1 - LANES.index(name))


def _draw_way(axes: Axes, auctions: Auctions) -> None:
    """Lanes, arrows and the gate of the step with the most bytes."""
    step = int(auctions.sizes.sum(axis=1).argmax())
    count = dict(zip(KINDS, auctions.counts[step].tolist(), strict=True))
    size = dict(zip(KINDS, auctions.sizes[step].tolist(), strict=True))
    needed, administrators = auctions.privacy.needed, len(auctions.privacy.openers)
    axes.set_axis_off()
    axes.set_xlim(-1.2, END + 0.1)
    axes.set_ylim(-1.75, len(LANES) - 0.3)
    axes.set_title(f"One auction: {count[RecordType.SEALED]} devices, {needed} of {administrators} administrators open")
    for name in LANES:
        axes.plot([0, END], [_lane(name)] * 2, color=BLACK, linewidth=1.1, zorder=1)
        axes.text(-0.1, _lane(name), name, ha="right", va="center")
    axes.plot([GATE] * 2, [-1.7, len(LANES) - 0.6], color=RED, linestyle="--", linewidth=1.3, zorder=0)
    axes.text(GATE, len(LANES) - 0.58, "gate closes", ha="center", va="bottom", color=RED)
    words = {kind: f"{size[kind] / max(count[kind], 1):,.0f} bytes each" for kind in KINDS}
    seals, opened = count[RecordType.SEALED], count[RecordType.ENVELOPE]
    _arrow(axes, SEALED_AT, "devices", "record", ORANGE, f"{seals} sealed orders,\n{words[RecordType.SEALED]}")
    _arrow(axes, GATE + 0.35, "record", "administrators", BLACK, "these orders,\nno others")
    shares = f"{count[RecordType.SHARE]} share records, signed,\n{words[RecordType.SHARE]}"
    _arrow(axes, SHARES_AT, "administrators", "record", GREEN, shares)
    text = f"{opened} envelopes open,\n{words[RecordType.ENVELOPE]},\nheard and matched"
    _arrow(axes, OPENED_AT, "record", "anyone", BLUE, text)
    _draw_readers(axes, needed)


def _arrow(axes: Axes, x: float, start: str, end: str, colour: str, text: str) -> None:
    """An arrow straight from lane to lane, with its words to the right."""
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x, _lane(end)), (x, _lane(start)), arrowprops=style, zorder=3)
    top = max(_lane(start), _lane(end))
    axes.text(x + 0.08, top - 0.5, text, va="center", fontsize=9, color=colour)


def _draw_readers(axes: Axes, needed: int) -> None:
    """Who can read a bid, from when on."""
    rows = (
        ("its device", 0.0, GREEN, ""),
        (f"{needed} administrators together", SEALED_AT, ORANGE, "//"),
        ("anyone", SHARES_AT, GREEN, ""),
    )
    axes.text(-0.1, -0.5, "can read a bid:", ha="right", va="center", fontweight="bold")
    for place, (who, since, colour, hatch) in enumerate(rows):
        y = -0.8 - 0.33 * place
        axes.barh(y, END, 0.24, 0, color=PALE, zorder=1)
        axes.barh(y, END - since, 0.24, since, color=colour, alpha=0.55, zorder=2)
        if hatch:
            axes.barh(y, GATE - since, 0.24, since, color="none", edgecolor=RED, hatch=hatch, linewidth=0, zorder=3)
            axes.text(GATE + 0.08, y, "before the gate: against their duty, and unseen", va="center", fontsize=8.5)
        axes.text(-0.1, y, who, ha="right", va="center", fontsize=9)


def _draw_sizes(axes: Axes, auctions: Auctions) -> None:
    """Bytes of the records of each step, one bar a step."""
    bottom, steps = np.zeros(len(auctions.sizes)), np.arange(len(auctions.sizes))
    for column, (colour, label) in enumerate(KINDS.values()):
        part = auctions.sizes[:, column] / 1000
        axes.bar(steps, part, 0.8, bottom, color=colour, label=f"{label}, {part.sum():,.0f} kB in all")
        bottom += part
    axes.set_ylim(0, bottom.max() * 1.3)
    axes.set_xlim(-0.6, len(steps) - 0.4)
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("step of the run")
    axes.set_ylabel("kB on record")
    axes.set_title(
        "What it costs: each envelope twice, sealed and open, and of each order a share by every administrator"
    )
    axes.legend(ncols=4, loc="upper left")


def main(arguments: Sequence[str]) -> int:
    """Run folder and PNG file; a mistake is one line and exit code 1."""
    import typer

    try:
        run, out = arguments
        save_picture(Path(run), Path(out))
    except ValueError:
        typer.echo("usage: python -m experiments.privacy_picture RUN FILE.png", err=True)
        return 2
    except DigitalGridError as error:
        typer.echo(str(error), err=True)
        return 1
    typer.echo(out)
    return 0


if __name__ == "__main__":
    import sys

    raise SystemExit(main(sys.argv[1:]))
