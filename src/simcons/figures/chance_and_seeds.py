"""Similarities between their floor (shuffled images) and their ceiling (other training seeds)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from simcons.figures import layout, style
from simcons.figures.base import PRECISION, Entry, StudyFigure, chunks
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import dataset_names, ordered_datasets
from simcons.figures.words import Description, count, measure_label, number

_CHANCE: dict[str, Any] = {"color": style.MUTED, "marker": "|", "linestyle": "", "markersize": 6}
_PAIRS: dict[str, Any] = {"color": "white", "marker": "o", "linestyle": "", "markersize": 2.2,
          "markeredgecolor": style.INK, "markeredgewidth": 0.8}  # fmt: skip
_SEED: dict[str, Any] = {"color": style.INK, "marker": "D", "linestyle": "", "markersize": 3.2}


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield a figure for every three measures."""
    table = inputs.table("levels")
    for suffix, some in chunks(inputs.measures(table)):
        yield Entry(f"levels{suffix}", PRECISION, None, Levels(table, inputs.datasets, some))


@dataclass(frozen=True)
class Levels(StudyFigure):
    """Per data set: chance, the spread over pairs of models, and seed replicates."""

    levels: pd.DataFrame
    datasets: pd.DataFrame
    measures: Sequence[str]

    def paint(self) -> Figure:
        """Draw a panel per measure."""
        order = ordered_datasets(self.datasets, self.levels["dataset"])
        figure = self.canvas(0.24 * max(len(order), 3) + 1.5)
        axes = figure.subplots(1, len(self.measures), sharey=True, squeeze=False)[0]
        for axis, measure in zip(axes, self.measures, strict=True):
            rows = self.levels[self.levels["measure"] == measure]
            _panel(axis, rows.set_index("dataset").reindex(order))
            axis.set_title(measure_label(measure))
            axis.set_xlabel("similarity")
        layout.name_dataset_rows(axes[0], order, dataset_names(self.datasets))
        handles = [Line2D([], [], label="pairs of models: median, quartiles, 90 %", **_PAIRS)]
        if self.levels["chance"].notna().any():
            handles.insert(0, Line2D([], [], label="chance: mean, 90 %", **_CHANCE))
        if self.levels["seed"].notna().any():
            label = "other training seed: median, range"
            handles.append(Line2D([], [], label=label, **_SEED))
        figure.legend(handles=handles, loc="outside lower left", ncols=3)
        return figure

    def describe(self) -> Description:
        """Say where the typical pair of models lies between chance and seed replicates."""
        table = self.levels[self.levels["measure"].isin(self.measures)]
        medians = {
            measure: table[table["measure"] == measure].median(numeric_only=True)
            for measure in self.measures
        }
        first = medians[self.measures[0]]
        title = f"The typical pair of models has a similarity of {number(first['median'])}"
        if np.isfinite(first["chance"]):
            title += f", chance gives {number(first['chance'])}"
        if np.isfinite(first["seed"]):
            title += f", another training seed {number(first['seed'])}"
        title += f" ({measure_label(self.measures[0])})"
        rows = []
        for measure, middle in medians.items():
            chance = number(middle["chance"]) if np.isfinite(middle["chance"]) else "not computed"
            seed = number(middle["seed"]) if np.isfinite(middle["seed"]) else "no replicates"
            rows.append(
                f"{measure_label(measure)} chance {chance}, pairs {number(middle['median'])}, "
                f"other seed {seed}"
            )
        caption = (
            f"Similarities on {count(table['dataset'].nunique(), 'data set')} between what "
            f"shuffled images give and what training again with another seed gives. Medians over "
            f"data sets: {'; '.join(rows)}."
        )
        return Description(title, caption, f"Dot plots, a row per data set. {caption}")


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
