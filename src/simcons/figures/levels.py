"""Similarities between their floor (shuffled images) and their ceiling (other training seeds)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from simcons.figures import style
from simcons.figures.inputs import (
    Description,
    count,
    dataset_names,
    measure_label,
    number,
    ordered_datasets,
)


@style.styled
def draw(levels: pd.DataFrame, datasets: pd.DataFrame, measures: Sequence[str]) -> Figure:
    """Draw, per data set, chance, the spread over pairs of models and seed replicates."""
    order = ordered_datasets(datasets, levels["dataset"])
    title = style.wrap_title(describe(levels, datasets, measures).title, style.FULL_WIDTH)
    figure = style.new_figure(style.FULL_WIDTH, 0.24 * max(len(order), 3) + 1.5, title)
    axes = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axis, measure in zip(axes, measures, strict=True):
        _panel(axis, levels[levels["measure"] == measure].set_index("dataset").reindex(order))
        axis.set_title(measure_label(measure))
        axis.set_xlabel("similarity")
    names = dataset_names(datasets)
    axes[0].set_yticks(range(len(order)), [style.clipped(names[d], 30) for d in order])
    axes[0].set_ylim(len(order) - 0.4, -0.6)
    figure.legend(handles=_handles(levels), loc="outside lower left", ncols=3)
    return figure


def _panel(axis: Axes, rows: pd.DataFrame) -> None:
    y = np.arange(len(rows))
    axis.hlines(y, rows["chance_low"], rows["chance_high"], color=style.MUTED, linewidth=1.0)
    axis.plot(rows["chance"], y, **_CHANCE)
    axis.hlines(y, rows["low"], rows["high"], color=style.NEUTRAL, linewidth=1.2)
    axis.hlines(y, rows["q1"], rows["q3"], color=style.NEUTRAL, linewidth=4.5)
    axis.plot(rows["median"], y, **_PAIRS)
    axis.hlines(y, rows["seed_low"], rows["seed_high"], color=_SEED["color"], linewidth=1.0)
    axis.plot(rows["seed"], y, **_SEED)
    axis.grid(axis="x")
    axis.tick_params(axis="y", length=0)
    axis.xaxis.set_major_locator(MaxNLocator(5))


_CHANCE: dict[str, Any] = {"color": style.MUTED, "marker": "|", "linestyle": "", "markersize": 6}
_PAIRS: dict[str, Any] = {"color": "white", "marker": "o", "linestyle": "", "markersize": 2.2,
          "markeredgecolor": style.INK, "markeredgewidth": 0.8}  # fmt: skip
_SEED: dict[str, Any] = {"color": style.INK, "marker": "D", "linestyle": "", "markersize": 3.2}


def _handles(levels: pd.DataFrame) -> list[Line2D]:
    """Return the legend of what there is."""
    found = [Line2D([], [], label="pairs of models: median, quartiles, 90 %", **_PAIRS)]
    if levels["chance"].notna().any():
        found.insert(0, Line2D([], [], label="chance: mean, 90 %", **_CHANCE))
    if levels["seed"].notna().any():
        label = "other training seed: median, range"
        found.append(Line2D([], [], label=label, **_SEED))
    return found


def describe(levels: pd.DataFrame, datasets: pd.DataFrame, measures: Sequence[str]) -> Description:
    """Say where the typical pair of models lies between chance and seed replicates."""
    table = levels[levels["measure"].isin(measures)]
    rows = [_row(str(m), table[table["measure"] == m]) for m in measures]
    first = table[table["measure"] == measures[0]].median(numeric_only=True)
    title = f"The typical pair of models has a similarity of {number(first['median'])}"
    if np.isfinite(first["chance"]):
        title += f", chance gives {number(first['chance'])}"
    if np.isfinite(first["seed"]):
        title += f", another training seed {number(first['seed'])}"
    title += f" ({measure_label(measures[0])})"
    caption = (
        f"Similarities on {count(table['dataset'].nunique(), 'data set')} between what shuffled "
        f"images give and what training again with another seed gives. Medians over data sets: "
        f"{'; '.join(rows)}."
    )
    return Description(title, caption, f"Dot plots, a row per data set. {caption}")


def _row(measure: str, table: pd.DataFrame) -> str:
    middle = table.median(numeric_only=True)
    chance = number(middle["chance"]) if np.isfinite(middle["chance"]) else "not computed"
    seed = number(middle["seed"]) if np.isfinite(middle["seed"]) else "no replicates"
    return (
        f"{measure_label(measure)} chance {chance}, pairs {number(middle['median'])}, "
        f"other seed {seed}"
    )
