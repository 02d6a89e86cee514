"""Probe accuracy of every model on every data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import layout
from simcons.figures.base import PERFORMANCE, Entry, StudyFigure
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import ordered_datasets
from simcons.figures.words import Description, category_label, clipped, count, number, short


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield the figure, if there are probes."""
    if len(inputs.probes):
        yield Entry("accuracy", PERFORMANCE, None, Accuracy(inputs))


def accuracy_table(
    probes: pd.DataFrame, models: pd.DataFrame, datasets: pd.DataFrame
) -> pd.DataFrame:
    """Return top-1 accuracy averaged over seeds: rows models, columns data sets.

    Models are sorted by objective, then by mean accuracy, best first; data sets by domain.
    """
    wide = probes.pivot_table(index="model", columns="dataset", values="top1", aggfunc="mean")
    wide = wide[ordered_datasets(datasets, wide.columns)]
    objective = models.loc[wide.index, "objective"].astype(str)
    mean = wide.mean(axis=1)
    return wide.loc[sorted(wide.index, key=lambda model: (objective[model], -mean[model], model))]


def seed_spread(probes: pd.DataFrame) -> float:
    """Return the median over models and data sets of the standard deviation over seeds."""
    spread = probes.groupby(["dataset", "model"])["top1"].std(ddof=1).dropna()
    return float(spread.median()) if len(spread) else float("nan")


@dataclass(frozen=True)
class Accuracy(StudyFigure):
    """Accuracy as a heatmap, values written in the cells where there is room.

    Variants, test-only data sets scored with the probes of others, stand on the right.
    """

    def _table(self, scores: pd.DataFrame) -> pd.DataFrame:
        return accuracy_table(scores, self.models, self.inputs.datasets)

    def paint(self) -> Figure:
        """Draw a row per model and a column per data set."""
        if self.inputs.probes.empty:
            figure = self.canvas(1.8)
            layout.say_absent(figure.subplots(), "No probes.")
            return figure
        table = self._table(self.inputs.probes)
        if len(self.inputs.variants):
            table = table.join(self._table(self.inputs.variants))
        values = 100 * table.to_numpy(float)
        n_models, n_datasets = values.shape
        row_height = float(np.clip(6.6 / n_models, 0.1, 0.22))
        figure = self.canvas(n_models * row_height + 1.9)
        axis = figure.subplots()
        image = layout.matrix_image(axis, values, (0.0, 100.0))
        labels, used = layout.row_categories(table.index, self.models, "objective")
        layout.category_strip(axis, labels, used, width=0.022 * n_datasets, gap=0.008 * n_datasets)
        size = min(7.0, 0.9 * 72 * row_height)
        texts = [[f"{v:.0f}" if np.isfinite(v) else "–" for v in row] for row in values]
        layout.annotate_cells(axis, values, texts, image, min(size, 72 * 4.6 / n_datasets / 2.0))
        rows = [short(str(model), 34) for model in table.index]
        axis.set_yticks(np.arange(len(rows)) + 0.5, rows, fontsize=size)
        layout.name_columns(axis, [clipped(self.names[str(d)]) for d in table.columns], 6.5)
        figure.colorbar(image, ax=axis, label="top-1 accuracy (%)", aspect=40, pad=0.015)
        layout.category_legend(figure, used, category_label("objective"))
        return figure

    def describe(self) -> Description:
        """Say the best model of each end, and the spread over seeds."""
        if self.inputs.probes.empty:
            return Description.only("Probe accuracy: no probes were run.")
        table = self._table(self.inputs.probes)
        means, per_model = 100 * table.mean(axis=0), 100 * table.mean(axis=1)
        best, worst = str(per_model.idxmax()), str(per_model.idxmin())
        hard, easy = str(means.idxmin()), str(means.idxmax())
        spread = seed_spread(self.inputs.probes)
        n_seeds = int(self.inputs.probes["seed"].nunique())
        seeds = (
            f"averaged over {count(n_seeds, 'seed')} (their median standard deviation: "
            f"{number(100 * spread)} percentage points)"
            if np.isfinite(spread)
            else "one seed, so no spread over seeds"
        )
        title = (
            f"Probe accuracy of {count(len(table), 'model')} on "
            f"{count(table.shape[1], 'data set')}: best on average {short(best)} "
            f"({number(per_model[best], 1)}\u00a0%)"
        )
        caption = (
            f"Top-1 accuracy of linear probes, {seeds}. Mean over data sets: {best} "
            f"{number(per_model[best], 1)} %, {worst} {number(per_model[worst], 1)} %. Mean over "
            f"models: {self.names[easy]} {number(means[easy], 1)} %, {self.names[hard]} "
            f"{number(means[hard], 1)} %."
        )
        if len(self.inputs.variants):
            variants = self._table(self.inputs.variants)
            caption += (
                f" On the right, and in no mean: test sets scored with the probes of another "
                f"({', '.join(self.names[name] for name in variants.columns)})."
            )
        return Description(title, caption, f"A heatmap of models by data sets. {caption}")
