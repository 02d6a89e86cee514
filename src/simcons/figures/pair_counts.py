"""How many pairs of models stand behind each pair of groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.base import GROUPS, Entry, StudyFigure
from simcons.figures.category_boxes import compared
from simcons.figures.schema import FigureInputs
from simcons.figures.words import Description, category_label, count, short, value_label

MIN_PAIRS = 3


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield the figure, where a category tells groups apart."""
    categories = compared(inputs)
    if categories:
        yield Entry("pair_counts", GROUPS, None, PairCounts(inputs.models, categories))


def counts(models: pd.DataFrame, category: str) -> pd.DataFrame:
    """Return the number of unordered pairs of models for every two values of a category."""
    sizes = models[category].dropna().astype(str).value_counts()
    sizes = sizes.loc[style.ordered(sizes.index)]
    table = np.outer(sizes, sizes)
    np.fill_diagonal(table, sizes * (sizes - 1) // 2)
    return pd.DataFrame(table, index=sizes.index, columns=sizes.index)


@dataclass(frozen=True)
class PairCounts(StudyFigure):
    """A matrix of counts per category; too few pairs are greyed."""

    models: pd.DataFrame
    categories: Sequence[str]

    def paint(self) -> Figure:
        """Draw the lower triangles."""
        n_columns = min(len(self.categories), 2)
        n_rows = -(-len(self.categories) // n_columns)
        figure = self.canvas(2.3 * n_rows + 0.5)
        axes = layout.panel_grid(figure, len(self.categories), n_columns)
        for axis, category in zip(axes, self.categories, strict=True):
            table = counts(self.models, category)
            values = np.where(np.tril(np.ones(table.shape, bool)), table.to_numpy(float), np.nan)
            enough = np.where(values >= MIN_PAIRS, values, np.nan)
            top = max(float(np.nanmax(enough, initial=1.0)), 1.0)
            image = layout.matrix_image(axis, enough, cmap="Blues", vmin=-0.1 * top, vmax=top,
                                        aspect="auto")  # fmt: skip
            texts = [[f"{v:,.0f}" if np.isfinite(v) else "" for v in row] for row in values]
            layout.annotate_cells(axis, enough, texts, image, 6.5)
            labels = [short(value_label(category, str(name)), 18) for name in table.index]
            axis.set_yticks(np.arange(len(labels)) + 0.5, labels, fontsize=6.5)
            layout.name_columns(axis, labels, 6.5, rotation=30)
            axis.set_title(category_label(category), fontsize=7.5)
            for k in range(len(labels)):  # the upper triangle repeats the lower: leave it white
                axis.fill_between((k + 1, len(labels)), k, k + 1, color="white", linewidth=0)
        return figure

    def describe(self) -> Description:
        """Say the smallest and largest counts, and what is left out."""
        parts, left_out = [], 0
        for category in self.categories:
            table = counts(self.models, category)
            lower = table.to_numpy()[np.tril_indices(len(table))]
            left_out += int((lower < MIN_PAIRS).sum())
            parts.append(f"{category_label(category)} {lower.min():,} to {lower.max():,}")
        verb = "has" if left_out == 1 else "have"
        title = "Pairs of models behind each pair of groups: " + (
            f"{left_out} {verb} fewer than {MIN_PAIRS}"
            if left_out
            else f"all have {MIN_PAIRS} or more"
        )
        caption = (
            f"Number of pairs among {count(len(self.models), 'model')} for every pair of groups: "
            f"{'; '.join(parts)}. Groups with fewer than {MIN_PAIRS} pairs (grey) have no r."
        )
        return Description(title, caption, f"Triangular tables of counts. {caption}")
