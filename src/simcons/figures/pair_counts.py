"""How many pairs of models stand behind each pair of groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.inputs import CATEGORY_LABELS, Description, count, value_label


def counts(models: pd.DataFrame, category: str) -> pd.DataFrame:
    """Return the number of unordered pairs of models for every two values of a category."""
    sizes = models[category].dropna().astype(str).value_counts()
    sizes = sizes.loc[style.ordered(sizes.index)]
    table = np.outer(sizes, sizes)
    np.fill_diagonal(table, sizes * (sizes - 1) // 2)
    return pd.DataFrame(table, index=sizes.index, columns=sizes.index)


@style.styled
def draw(models: pd.DataFrame, categories: Sequence[str], min_pairs: int = 3) -> Figure:
    """Draw a matrix of counts per category; too few pairs are greyed."""
    title = style.wrap_title(describe(models, categories, min_pairs).title, style.FULL_WIDTH)
    n_columns = min(len(categories), 2)
    n_rows = -(-len(categories) // n_columns)
    figure = style.new_figure(style.FULL_WIDTH, 2.3 * n_rows + 0.5, title)
    for axis, category in zip(
        layout.panel_grid(figure, len(categories), n_columns), categories, strict=True
    ):
        table = counts(models, category)
        values = np.where(np.tril(np.ones(table.shape, bool)), table.to_numpy(float), np.nan)
        enough = np.where(values >= min_pairs, values, np.nan)
        top = max(float(np.nanmax(enough, initial=1.0)), 1.0)
        image = layout.matrix_image(axis, enough, cmap="Blues", vmin=-0.1 * top, vmax=top,
                                    aspect="auto")  # fmt: skip
        texts = [[f"{v:,.0f}" if np.isfinite(v) else "" for v in row] for row in values]
        layout.annotate_cells(axis, enough, texts, image, 6.5)
        labels = [style.short(value_label(category, str(name)), 18) for name in table.index]
        places = np.arange(len(labels)) + 0.5
        axis.set_yticks(places, labels, fontsize=6.5)
        axis.set_xticks(places, labels, fontsize=6.5, rotation=30, ha="right",
                        rotation_mode="anchor")  # fmt: skip
        axis.tick_params(length=0, pad=2)
        axis.set_title(CATEGORY_LABELS.get(category, category), fontsize=7.5)
        for k in range(len(labels)):  # the upper triangle repeats the lower: leave it white
            axis.fill_between((k + 1, len(labels)), k, k + 1, color="white", linewidth=0)
    return figure


def describe(models: pd.DataFrame, categories: Sequence[str], min_pairs: int = 3) -> Description:
    """Say the smallest and largest counts, and what is left out."""
    parts, left_out = [], 0
    for category in categories:
        table = counts(models, category)
        lower = table.to_numpy()[np.tril_indices(len(table))]
        left_out += int((lower < min_pairs).sum())
        parts.append(
            f"{CATEGORY_LABELS.get(category, category)} {lower.min():,} to {lower.max():,}"
        )
    verb = "has" if left_out == 1 else "have"
    title = "Pairs of models behind each pair of groups: " + (
        f"{left_out} {verb} fewer than {min_pairs}" if left_out else f"all have {min_pairs} or more"
    )
    caption = (
        f"Number of pairs among {count(len(models), 'model')} for every pair of groups: "
        f"{'; '.join(parts)}. Groups with fewer than {min_pairs} pairs (grey) have no r."
    )
    return Description(title, caption, f"Triangular tables of counts. {caption}")
