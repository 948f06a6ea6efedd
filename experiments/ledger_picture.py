"""A picture of a ledger: its chain of blocks, and the way of one record up to the log root that a header names.

Every hash and number is read from the ledger. `python -m experiments.ledger_picture RUN RECORD FILE.png` writes it.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from experiments.drawing import BLACK, BLUE, GREY, ORANGE, PALE, STYLE, save_png
from ledger.audit import find_worlds
from ledger.blocks import Block, header_hash
from ledger.journal import read_blocks
from ledger.merkle import leaf_hash, node_hash, sibling_sides
from ledger.proofs import Holders, Proof, find_record, places, prove
from ledger.records import RecordType, split_records
from market.errors import ConfigError, DigitalGridError

SHOWN = 4
"""Blocks drawn: that of the record and those around it."""
DIGITS = 8
WIDTH, HEIGHT = 2.3, 1.75
"""Of a block's box."""


def draw_ledger(world: Path, record: str) -> Figure:
    """The chain and one record's proof as a figure.

    Args:
        world: one world's ledger.
        record: as `ledger.proofs.find_record` takes it.

    Raises:
        ConfigError, LedgerError: no such record, or bytes do not fit.
    """
    proof = prove(world, find_record(world, record))
    every = list(read_blocks(world))
    first = max(0, min(proof.place.height - SHOWN // 2, len(every) - SHOWN))
    with mpl.rc_context(STYLE):
        levels = len(proof.nodes)
        figure = Figure(figsize=(10.5, 3.6 + 0.42 * levels), layout="constrained")
        axes = figure.add_subplot()
        axes.set_axis_off()
        bottom = -1.1 - 0.55 * (levels + 1)
        axes.set_xlim(-0.2, SHOWN * 3.0 - 0.4)
        axes.set_ylim(bottom - 0.5, HEIGHT + 0.5)
        label = _labels(world)
        for column, block in enumerate(every[first : first + SHOWN]):
            _draw_block(axes, 3.0 * column, block, label, block.header.height == proof.place.height)
        _draw_proof(axes, 3.0 * (proof.place.height - first) + WIDTH / 2, proof)
        axes.set_title(f"blocks {first} to {first + SHOWN - 1} of {len(every)}, and the proof of record {record}")
    return figure


def _labels(world: Path) -> Holders:
    """Rules of the ledger, for its calendar."""
    holders = Holders()
    for _, kind, body in places(world):
        holders.take(kind, body)
        if kind == RecordType.GENESIS:
            break
    return holders


def _draw_block(axes: Axes, left: float, block: Block, holders: Holders, chosen: bool) -> None:
    header, label = block.header, holders.rules.calendar.label
    envelopes = sum(kind == RecordType.ENVELOPE for kind, _ in split_records(block.records))
    lines = (
        (f"{label(header.first_slot)} to {label(header.last_slot)[-5:]}", ""),
        (f"{header.records} records, {envelopes} envelopes", ""),
        ("previous", _short(header.previous)),
        ("log root", _short(header.log_root)),
        ("state root", _short(header.state_root)),
        ("signed", _short(block.signature)),
    )
    edge, style = ORANGE if chosen else GREY, "round,pad=0.06"
    axes.add_patch(FancyBboxPatch((left, 0), WIDTH, HEIGHT, boxstyle=style, facecolor=PALE, edgecolor=edge, lw=1.5))
    title, top = f"block {header.height}: {_short(header_hash(block.header_bytes))}", HEIGHT - 0.16
    axes.text(left + 0.05, top, title, fontweight="bold", color=BLACK, fontsize=9)
    for row, (name, value) in enumerate(lines):
        color = BLUE if name == "previous" else BLACK
        axes.text(left + 0.05, HEIGHT - 0.45 - 0.23 * row, name, fontsize=8, color=color)
        axes.text(left + 0.85, HEIGHT - 0.45 - 0.23 * row, value, fontsize=8, color=color, family="monospace")
    if header.height:
        arrow = {"arrowstyle": "-|>", "color": BLUE, "lw": 1.4}
        axes.annotate("", (left - 0.62, HEIGHT - 0.12), (left - 0.06, HEIGHT - 0.85), arrowprops=arrow)


def _draw_proof(axes: Axes, middle: float, proof: Proof) -> None:
    """The record at the bottom, on each level its sibling and the node over both, the log root at the top."""
    sides = sibling_sides(proof.place.index, proof.block.header.tree_size, len(proof.nodes)) or []
    node, height = leaf_hash(proof.place.record), -1.1 - 0.55 * len(proof.nodes)
    kind = RecordType(proof.place.record[0]).name.lower()
    axes.text(middle, height - 0.5, f"record {proof.place.index}: {kind}", ha="center", color=ORANGE, fontweight="bold")
    _draw_node(axes, middle, height, node, ORANGE)
    for is_left, sibling in zip(sides, proof.nodes, strict=True):
        aside = middle - 1.6 if is_left else middle + 1.6
        _draw_node(axes, aside, height, sibling, GREY)
        above = height + 0.55
        axes.plot([middle, middle], [height + 0.13, above - 0.13], color=ORANGE, lw=1.6)
        axes.plot([aside, middle], [height, above], color=GREY, lw=0.8, zorder=0)
        node = node_hash(sibling, node) if is_left else node_hash(node, sibling)
        height = above
        _draw_node(axes, middle, height, node, ORANGE)
    axes.plot([middle, middle], [height + 0.13, -0.08], color=ORANGE, lw=1.6)
    axes.text(middle + 0.1, -0.45, "is the log root of the signed header", fontsize=8, color=ORANGE)
    size = proof.block.header.tree_size
    told = f"A receipt holds the record, its number\namong {size}, the grey hashes, the header\nand its signature."
    axes.text(0, -1.4, told, fontsize=9, color=BLACK, va="top")


def _draw_node(axes: Axes, x: float, y: float, node: bytes, color: str) -> None:
    box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": color}
    axes.text(x, y, _short(node), fontsize=8, family="monospace", ha="center", va="center", bbox=box, color=BLACK)


def _short(data: bytes) -> str:
    return data.hex()[:DIGITS]


def save_picture(run: Path, record: str, out: Path) -> None:
    """Write the picture of a run's first world as PNG; raises ConfigError, LedgerError."""
    folder = run / "ledger" if (run / "ledger").is_dir() else run
    figure = draw_ledger(find_worlds(folder)[0], record)
    try:
        with mpl.rc_context(STYLE):
            save_png(figure, out)
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(out), do="give another file") from error


def main(arguments: Sequence[str]) -> int:
    """Run folder, record and PNG file; a mistake is one line and exit code 1."""
    import typer

    try:
        run, record, out = arguments
        save_picture(Path(run), record, Path(out))
    except ValueError:
        typer.echo("usage: python -m experiments.ledger_picture RUN RECORD FILE.png", err=True)
        return 2
    except DigitalGridError as error:
        typer.echo(str(error), err=True)
        return 1
    typer.echo(out)
    return 0


if __name__ == "__main__":
    import sys

    raise SystemExit(main(sys.argv[1:]))
