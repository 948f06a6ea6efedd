"""How all pictures look, and how they are written: colours, style, SVG text for HTML, PNG files.

Colours are those of Okabe and Ito (colour-blind safe).
"""

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from market.errors import ConfigError

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    "#222222",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY, PALE = "#8a8a8a", "#e9e9e6"
STYLE = {
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",
}


def svg_text(figure: Figure, name: str) -> str:
    """The figure as SVG for use inside HTML: no prologue, no namespaces, no metadata, ids of its own."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'id="((?:figure|axes|patch|line2d|text|matplotlib|xtick|ytick|legend)[\w.]*)"', "", text)
    return re.sub(r"(-?\d+\.\d\d)\d+", r"\1", text)


def check_folder(folder: Path) -> None:
    """Raise ConfigError when no picture can be written there; asked before the long work begins."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ConfigError("no pictures can be written there", where=str(folder), do="give another --figures")


def save_png(figure: Figure, path: Path) -> None:
    """The figure as a PNG file of 150 dots per inch."""
    figure.savefig(path, format="png", dpi=150, metadata={"Software": None})


def save_pngs(pictures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write each picture as NAME.png into a folder, made if need be; raises ConfigError when that cannot be."""
    paths = [folder / f"{name}.png" for name in pictures]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, figure in zip(paths, pictures.values(), strict=True):
            save_png(figure, path)
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(folder), do="give another folder") from error
    return paths
