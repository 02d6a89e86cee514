"""The look of every figure: one rc style, the colours of categories, deterministic saving.

Nothing here knows what a figure shows. Figures are built as `matplotlib.figure.Figure` objects
without pyplot, so no global state or display is involved; the style is a context (`styled`).
"""

from __future__ import annotations

import functools
import hashlib
import io
import math
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import matplotlib as mpl
from matplotlib.figure import Figure

from simcons.core.files import atomic
from simcons.figures.words import clipped

P = ParamSpec("P")
T = TypeVar("T")

FULL_WIDTH = 7.0  # inches: the text width of a two-column paper, or of the report
PNG_DPI = 160

INK = "#222222"
MUTED = "#6b6b6b"
ABSENT = "#e3e3e3"  # cells without a value
NEUTRAL = "#bfc3c8"  # pairs of two different categories
GRID = "#e6e6e6"

SEQUENTIAL = "viridis"
SPREAD = "magma"

RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.titleweight": "normal",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#8a8a8a",
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "legend.handletextpad": 0.4,
    "figure.titlesize": 9.5,
    "figure.titleweight": "bold",
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "lines.linewidth": 1.0,
    "lines.markersize": 4.0,
    "image.interpolation": "nearest",
    "pdf.fonttype": 42,
    "svg.hashsalt": "simcons",
    "text.usetex": False,
    "text.parse_math": False,  # names may hold a dollar sign
}

# Colour-blind-safe: Okabe and Ito (2008), and Paul Tol's muted scheme for the rest. Groups that
# appear in one figure (objectives; architectures; ...) differ in lightness as well as in hue.
# Ordered categories (training data, size) are sequential.
KNOWN_COLOURS: dict[str, str] = {
    # objective
    "Supervised": "#0072B2",
    "Self-Supervised": "#D55E00",
    "Image-Text": "#009E73",
    "Untrained": "#5A5A5A",
    "Pixels": "#222222",
    "None": "#222222",
    "none": "#222222",
    "SimCLR": "#E69F00",
    "VICReg": "#CC79A7",
    "Denoising": "#56B4E9",
    "Autoencoder": "#882255",
    "Rotation": "#999933",
    # architecture
    "Convolutional": "#AA4499",
    "Transformer": "#44AA99",
    # training data
    "ImageNet1k": "#A6C8E0",
    "ImageNet21k": "#5E9CC8",
    "Large": "#2C6BA0",
    "XLarge": "#0B2F5B",
    # model size
    "small": "#FDCC8A",
    "medium": "#FC8D59",
    "large": "#D7401F",
    "xlarge": "#7F0000",
    # measure
    "cka_linear": "#332288",
    "cka_rbf_0.4": "#999933",
    "rsa_correlation_spearman": "#AA4499",
    # domain of a data set
    "Natural (multi-domain)": "#117733",
    "Natural (single-domain)": "#88C9A1",
    "Specialized": "#CC6677",
    "Specialised": "#CC6677",
    "Structured": "#332288",
}

# For values that are not known: Tol's muted scheme, which shares no colour with the objectives.
POOL: tuple[str, ...] = (
    "#332288",
    "#DDCC77",
    "#117733",
    "#CC6677",
    "#88CCEE",
    "#882255",
    "#999933",
    "#AA4499",
    "#44AA99",
    "#661100",
    "#6699CC",
    "#4D4D4D",
)

ALIKE = 0.32  # colours closer than this are taken for one another

MARKERS: tuple[str, ...] = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")


def category_colours(category: str, values: Iterable[object]) -> dict[str, str]:
    """Return a colour (hex) for each value of a category, the same in every figure.

    Parameters
    ----------
    category
        The category's name, for instance ``objective``; part of the choice for values that are
        not well known.
    values
        The values that occur in the study. Pass all of them, also where a figure shows a few:
        two unknown values never share a colour while the pool (12) lasts.

    Returns
    -------
    dict
        Value (as text) to colour, in the order of `ordered`.
    """
    names = ordered(values)
    chosen = {name: KNOWN_COLOURS[name] for name in names if name in KNOWN_COLOURS}
    for name in names:
        if name not in chosen:
            chosen[name] = _free_colour(f"{category}={name}", set(chosen.values()))
    return {name: chosen[name] for name in names}


def ordered(values: Iterable[object]) -> list[str]:
    """Return the different values as text: the well-known ones in their order, then by name."""
    known = list(KNOWN_COLOURS)
    names = {str(value) for value in values}
    return sorted(names, key=lambda n: (known.index(n) if n in known else len(known), n))


def _free_colour(name: str, taken: set[str]) -> str:
    start = int(hashlib.sha256(name.encode()).hexdigest(), 16) % len(POOL)
    ring = POOL[start:] + POOL[:start]
    apart = [c for c in ring if all(_distance(c, other) > ALIKE for other in taken)]
    return next((c for c in (*apart, *ring) if c not in taken), ring[0])


def _distance(one: str, other: str) -> float:
    """Return how far two colours lie apart in RGB, 0 to sqrt(3)."""
    a, b = mpl.colors.to_rgb(one), mpl.colors.to_rgb(other)
    return math.dist(a, b)


def category_markers(values: Iterable[object]) -> dict[str, str]:
    """Return a marker shape for each value, so that colour is never the only sign."""
    names = sorted({str(value) for value in values})
    return {name: MARKERS[k % len(MARKERS)] for k, name in enumerate(names)}


def looks(category: str, values: Iterable[object]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the colours and the markers of a category's values (see both functions)."""
    values = list(values)
    return category_colours(category, values), category_markers(values)


def text_on(colour: Any) -> str:
    """Return black or white, whichever reads better on a colour (WCAG relative luminance)."""
    channels = mpl.colors.to_rgb(colour)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if luminance < 0.18 else INK


def two_lines(text: str, limit: int) -> str:
    """Break a name into at most two lines of ``limit`` characters, for the title of a panel."""
    lines = textwrap.wrap(text, limit, break_long_words=False)
    return "\n".join([*lines[:1], *([clipped(" ".join(lines[1:]), limit)] if lines[1:] else [])])


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Run a drawing function under the style, whatever the caller's rc settings are."""

    @functools.wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(cast(Any, RC))
            return draw(*args, **kwargs)

    return wrapper


def new_figure(width: float, height: float, title: str = "") -> Figure:
    """Return an empty figure (inches) with constrained layout and a left-aligned title."""
    figure = Figure(figsize=(width, height), layout="constrained")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(w_pad=0.04, h_pad=0.04, wspace=0.02, hspace=0.03)  # type: ignore[call-arg]
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def wrap_title(title: str, width: float) -> str:
    """Break a title into lines that fit a figure of ``width`` inches at the title size.

    As few as it takes, of about the same length: no word stands alone in the last one.
    """
    widest = max(int(width * 12), 20)
    n_lines = len(textwrap.wrap(title, widest))
    narrower = range(max(-(-len(title) // max(n_lines, 1)), 1), widest)
    fitting = (w for w in narrower if len(textwrap.wrap(title, w)) == n_lines)
    return "\n".join(textwrap.wrap(title, next(fitting, widest)))


@styled
def png_bytes(figure: Figure, dpi: int = PNG_DPI) -> bytes:
    """Return a figure as PNG; no date, no library version: equal figures have equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


@styled
def pdf_bytes(figure: Figure) -> bytes:
    """Return a figure as PDF; no date, no library version: equal figures have equal bytes."""
    buffer = io.BytesIO()
    metadata = {"CreationDate": None, "ModDate": None, "Creator": "simcons", "Producer": "simcons"}
    figure.savefig(buffer, format="pdf", dpi=300, metadata=metadata)
    return buffer.getvalue()


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write ``folder/name.png`` and ``folder/name.pdf`` atomically; return both paths."""
    written = []
    for suffix, content in (("png", png_bytes(figure)), ("pdf", pdf_bytes(figure))):
        path = folder / f"{name}.{suffix}"
        with atomic(path) as part:
            part.write_bytes(content)
        written.append(path)
    return written[0], written[1]
