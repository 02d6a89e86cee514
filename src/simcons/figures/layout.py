"""Pieces that several figures share: panel grids, category strips and their legends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from simcons.figures import style
from simcons.figures.words import category_label, clipped, group_label, measure_label, short


def panel_grid(figure: Figure, n_panels: int, n_columns: int, *, share: bool = False) -> list[Axes]:
    """Return ``n_panels`` axes in rows of ``n_columns``; the rest of the last row stays empty."""
    n_rows = -(-n_panels // n_columns)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharex=share, sharey=share)
    axes: list[Axes] = list(grid.flat)
    for axis in axes[n_panels:]:
        axis.remove()
    if share:
        for k, axis in enumerate(axes[:n_panels]):
            axis.tick_params(labelbottom=k + n_columns >= n_panels)
    return axes[:n_panels]


def columns_for(n_panels: int, *, most: int = 6) -> int:
    """Return how many panels go in a row, so that a panel stays readable at full width."""
    if n_panels <= 4:
        return max(n_panels, 1)
    return min(4 if n_panels <= 12 else most, most)


def measure_panels(figure: Figure, measures: Sequence[str]) -> list[Axes]:
    """Return a panel per measure, side by side on one scale."""
    return list(figure.subplots(1, len(measures), squeeze=False, sharex=True, sharey=True)[0])


def dataset_panel_size(n_panels: int, width: float = style.FULL_WIDTH) -> tuple[int, int, float]:
    """Return the columns and rows of a panel per data set, and a panel's side in inches."""
    n_columns = columns_for(n_panels)
    return n_columns, -(-max(n_panels, 1) // n_columns), min(width / n_columns, 2.4)


def name_rows(axis: Axes, names: Sequence[str], *, least: int = 0, **font: Any) -> None:
    """Name the rows 0, 1, ... from the top; room for at least ``least`` of them."""
    axis.set_yticks(range(len(names)), names, **font)
    axis.set_ylim(max(len(names), least) - 0.4, -0.6)


def name_group_rows(axis: Axes, groups: Sequence[tuple[str, str, str]], least: int = 0) -> None:
    """Name a row per group."""
    name_rows(axis, [short(group_label(group), 26) for group in groups], least=least)


def name_dataset_rows(axis: Axes, order: Sequence[str], names: Mapping[str, str]) -> None:
    """Name a row per data set."""
    name_rows(axis, [clipped(names[dataset], 30) for dataset in order])


def name_columns(axis: Axes, names: Sequence[str], size: float, rotation: float = 45) -> None:
    """Name the columns of a matrix below it, aslant."""
    axis.set_xticks(np.arange(len(names)) + 0.5, names, rotation=rotation, ha="right",
                    rotation_mode="anchor", fontsize=size)  # fmt: skip
    axis.tick_params(length=0, pad=2)


def row_categories(
    ids: Iterable[object], models: pd.DataFrame, category: str
) -> tuple[list[str], dict[str, str]]:
    """Return each model's value of a category, and the colours of the values that occur."""
    everything = style.category_colours(category, models[category])
    labels = [str(models.at[name, category]) for name in ids]
    return labels, {name: everything[name] for name in style.ordered(labels)}


def category_strip(
    axis: Axes, labels: Sequence[str], colours: Mapping[str, str], *, width: float, gap: float
) -> None:
    """Draw the category of each row as a colour strip left of an image of ``len(labels)`` rows.

    ``width`` and ``gap`` are in data units, where a row is 1; the axis begins where the strip does.
    """
    right = axis.get_xlim()[1]
    rgb = np.array([mpl.colors.to_rgb(colours[label]) for label in labels])[:, None, :]
    n = len(labels)
    axis.imshow(
        rgb, extent=(-gap - width, -gap, n, 0), aspect=axis.get_aspect(), interpolation="nearest"
    )
    axis.set_xlim(-gap - width, right)


def matrix_image(
    axis: Axes, values: np.ndarray, limits: tuple[float, float], cmap: str = style.SEQUENTIAL,
    aspect: Literal["equal", "auto"] = "auto",
) -> mpl.image.AxesImage:  # fmt: skip
    """Draw a matrix with cell (0, 0) at the upper left, edges at whole numbers; NaN is grey.

    ``limits`` are the values at both ends of the colours.
    """
    n_rows, n_columns = values.shape
    image = axis.imshow(
        np.ma.masked_invalid(values), cmap=mpl.colormaps[cmap].with_extremes(bad=style.ABSENT),
        vmin=limits[0], vmax=limits[1], extent=(0, n_columns, n_rows, 0), aspect=aspect,
        interpolation="nearest",
    )  # fmt: skip
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    return image


def annotate_cells(
    axis: Axes, values: np.ndarray, texts: Sequence[Sequence[str]], image: mpl.image.AxesImage,
    size: float,
) -> None:  # fmt: skip
    """Write each cell's text in black or white, whichever reads on its colour."""
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            if not texts[row][column]:
                continue
            value = values[row, column]
            colour = image.cmap(image.norm(value)) if np.isfinite(value) else style.ABSENT
            axis.text(
                column + 0.5,
                row + 0.5,
                texts[row][column],
                ha="center",
                va="center_baseline",
                fontsize=size,
                color=style.text_on(colour),
            )


def category_legend(
    figure: Figure,
    colours: Mapping[str, str],
    title: str,
    *,
    n_columns: int = 6,
    markers: Mapping[str, str] | None = None,
) -> None:
    """Put a legend below the figure: colour patches, or the markers where they carry meaning."""
    handles: list[Artist] = []
    for name, colour in colours.items():
        label = short(name)
        if markers is None:
            handles.append(Patch(color=colour, label=label))
        else:
            handles.append(marker_handle(label, colour, markers[name]))
    figure.legend(
        handles=handles,
        title=title,
        title_fontsize=7,
        alignment="left",
        loc="outside lower left",
        ncols=min(n_columns, max(len(handles), 1)),
        handlelength=1.0,
        handleheight=1.0,
        columnspacing=1.2,
    )


def pair_legend(figure: Figure, colours: Mapping[str, str], category: str = "objective") -> None:
    """Explain the colours of `grouped_points`."""
    both = {**colours, "two different ones": style.NEUTRAL}
    category_legend(figure, both, f"{category_label(category)} of both models")


def marks_legend(figure: Figure, *marks: tuple[str, str, str]) -> None:
    """Put a legend below the figure: each mark's text, colour and marker, or "hollow"."""
    handles = [
        marker_handle(label, colour, "o" if marker == "hollow" else marker,
                      hollow=marker == "hollow")
        for label, colour, marker in marks
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower left", ncols=3)


def measure_legend(
    figure: Figure, measures: Sequence[str], colours: Mapping[str, str], markers: Mapping[str, str]
) -> None:
    """Put a legend of the measures' marks below the figure."""
    handles = [marker_handle(measure_label(m), colours[m], markers[m]) for m in measures]
    figure.legend(handles=handles, loc="outside lower left", ncols=min(len(handles), 4))


def apart(k: int, n: int, width: float = 0.6) -> float:
    """Return how far from its row the k-th of n marks lies, so that none hides another."""
    return (k - (n - 1) / 2) * width / max(n, 1)


def grouped_points(
    axis: Axes,
    x: np.ndarray,
    y: np.ndarray,
    groups: Mapping[str, np.ndarray],
    looks: tuple[Mapping[str, str], Mapping[str, str]],
) -> None:
    """Draw a point per pair of models: grey, or coloured where both are of one group.

    Parameters
    ----------
    x, y
        Coordinates, (n_pairs,).
    groups
        For each group which pairs lie within it, (n_pairs,) bool.
    looks
        Colour and marker of each group.
    """
    colours, markers = looks
    size = float(np.clip(2400 / max(len(x), 1), 3, 16))
    raster = len(x) > 800  # thousands of markers would make the PDF heavy
    mixed = ~np.any(list(groups.values()), axis=0)
    axis.scatter(x[mixed], y[mixed], s=size, color=style.NEUTRAL, linewidths=0, rasterized=raster)
    for name, inside in groups.items():
        axis.scatter(x[inside], y[inside], s=size * 1.5, color=colours[name], linewidths=0,
                     marker=markers[name], alpha=0.85, rasterized=raster)  # fmt: skip


def box(axis: Axes, r: np.ndarray, y: int, colour: str, random: np.random.Generator) -> None:
    """Draw a box (from 5 values on) and, up to 60 values, the values themselves."""
    if len(r) >= 5:
        axis.boxplot(
            [r], positions=[y], orientation="horizontal", widths=0.62, patch_artist=True,
            showfliers=len(r) > 60, manage_ticks=False,
            boxprops={"facecolor": colour, "alpha": 0.45, "linewidth": 0.6},
            medianprops={"color": style.INK, "linewidth": 1.4},
            whiskerprops={"linewidth": 0.6}, capprops={"linewidth": 0.6},
            flierprops={"marker": ".", "markersize": 2, "markeredgecolor": style.MUTED},
        )  # fmt: skip
    if len(r) <= 60:
        jitter = random.uniform(-0.2, 0.2, len(r)) if len(r) > 1 else np.zeros(1)
        axis.scatter(r, y + jitter, s=5, color=colour, edgecolors="white", linewidths=0.2, zorder=3)


def row_axis(axis: Axes, title: str = "") -> None:
    """Dress a panel whose rows are named at the left: no spine or ticks there, vertical grid."""
    axis.grid(axis="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    if title:
        axis.set_title(title, fontsize=7.5)


def limits_of_r(axes: Sequence[Axes]) -> None:
    """Give panels that share their x axis one range: all that is drawn, and 1 at the right.

    Called after drawing: a limit set earlier would stop the axes from following later panels.
    """
    low = min(float(axis.dataLim.x0) for axis in axes)
    axes[0].set_xlim(min(low, 0.9) - 0.03, 1.03)


def marker_handle(label: str, colour: str, marker: str, *, hollow: bool = False) -> Line2D:
    """Return a legend entry for a point cloud."""
    face = "white" if hollow else colour
    return Line2D([], [], linestyle="", marker=marker, color=colour, label=label, markersize=4,
                  markerfacecolor=face)  # fmt: skip


def say_absent(axis: Axes, message: str) -> None:
    """Write in an empty panel what is missing and why, instead of leaving it blank."""
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.text(
        0.5, 0.5, message, transform=axis.transAxes, ha="center", va="center",
        color=style.MUTED, wrap=True,
    )  # fmt: skip
