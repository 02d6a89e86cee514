"""Measures against each other: their similarities, and their r over data set pairs.

The second is the question of local against global structure, where one measure is RBF CKA (local)
and the other linear CKA (global).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.dataset_scatter import within_groups
from simcons.figures.groups import select
from simcons.figures.inputs import (
    CATEGORY_LABELS,
    Description,
    Similarities,
    count,
    measure_label,
    number,
    ordered_datasets,
    pair_values,
    pearson,
)

ByMeasure = Mapping[str, Mapping[str, Similarities]]
MOST_PANELS = 6


def measure_pairs(measures: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of measures in the order of the study, at most `MOST_PANELS`."""
    return list(itertools.combinations(measures, 2))[:MOST_PANELS]


def agreement(
    similarities: ByMeasure, datasets: pd.DataFrame, pair: tuple[str, str]
) -> dict[str, float]:
    """Return, per data set, r of two measures' similarities over pairs of models."""
    first, second = similarities[pair[0]], similarities[pair[1]]
    order = ordered_datasets(datasets, set(first) & set(second))
    return {d: pearson(pair_values(first[d]), pair_values(second[d])) for d in order}


def mean_values(similarities: ByMeasure, datasets: pd.DataFrame, measure: str) -> np.ndarray:
    """Return the mean over data sets of the similarity of every pair of models, (n_pairs,)."""
    order = ordered_datasets(datasets, similarities[measure])
    return np.mean([pair_values(similarities[measure][d]) for d in order], axis=0)


def r_of_both(
    consistency: pd.DataFrame, pair: tuple[str, str], method: str = "pearson"
) -> np.ndarray:
    """Return r over data set pairs under two measures, (2, n_dataset_pairs)."""
    keys = ["dataset_1", "dataset_2"]
    tables = [select(consistency, m, method)[[*keys, "r"]] for m in pair]
    both = tables[0].merge(tables[1], on=keys, suffixes=("_1", "_2")).sort_values(keys)
    return both[["r_1", "r_2"]].to_numpy(float).T


@style.styled
def draw_similarities(
    similarities: ByMeasure,
    models: pd.DataFrame,
    datasets: pd.DataFrame,
    category: str = "objective",
) -> Figure:
    """Draw mean similarities under one measure against another, a panel per pair of measures."""
    pairs = measure_pairs(list(similarities))
    title = describe_similarities(similarities, models, datasets).title
    figure, axes = _panels(len(pairs), title)
    colours = style.category_colours(category, models[category].astype(str))
    markers = style.category_markers(models[category].astype(str))
    ids = next(iter(similarities[pairs[0][0]].values())).models
    groups = within_groups(ids, models, category)
    for axis, pair in zip(axes, pairs, strict=True):
        x, y = (mean_values(similarities, datasets, measure) for measure in pair)
        layout.grouped_points(axis, x, y, groups, colours, markers)
        _label(axis, pair, pearson(x, y))
    what = CATEGORY_LABELS.get(category, category)
    layout.category_legend(
        figure, {**colours, "two different ones": style.NEUTRAL}, f"{what} of both models"
    )
    return figure


@style.styled
def draw_consistency(consistency: pd.DataFrame, measures: Sequence[str]) -> Figure:
    """Draw r under one measure against r under another, a point per data set pair."""
    pairs = measure_pairs(measures)
    figure, axes = _panels(len(pairs), describe_consistency(consistency, measures).title)
    for axis, pair in zip(axes, pairs, strict=True):
        x, y = r_of_both(consistency, pair)
        axis.scatter(x, y, s=10, color=style.MUTED, linewidths=0, alpha=0.7)
        low = min(np.nanmin(x, initial=1.0), np.nanmin(y, initial=1.0))
        limits = (low - 0.03, 1.03)
        axis.plot(limits, limits, color=style.GRID, linewidth=0.8, zorder=0)
        axis.set(xlim=limits, ylim=limits, aspect="equal")
        _label(axis, pair, pearson(x, y))
    return figure


def _panels(n_panels: int, title: str) -> tuple[Figure, list[Axes]]:
    n_columns = min(max(n_panels, 1), 3)
    n_rows = -(-n_panels // n_columns)
    width = min(style.FULL_WIDTH, 2.35 * n_columns + 0.3)
    height = 2.15 * n_rows + 0.7
    figure = style.new_figure(width, height, style.wrap_title(title, width))
    return figure, layout.panel_grid(figure, n_panels, n_columns)


def _label(axis: Axes, pair: tuple[str, str], r: float) -> None:
    axis.set_xlabel(measure_label(pair[0]), fontsize=7)
    axis.set_ylabel(measure_label(pair[1]), fontsize=7)
    axis.set_title(f"r = {number(r)}", fontsize=7.5)


def describe_similarities(
    similarities: ByMeasure, models: pd.DataFrame, datasets: pd.DataFrame
) -> Description:
    """Say how far the measures agree, per pair of measures."""
    parts, over_all = [], []
    for pair in measure_pairs(list(similarities)):
        r = agreement(similarities, datasets, pair)
        finite = [value for value in r.values() if np.isfinite(value)]
        median = float(np.median(finite)) if finite else float("nan")
        x, y = (mean_values(similarities, datasets, measure) for measure in pair)
        over_all.append(pearson(x, y))
        parts.append(
            f"{measure_label(pair[0])} and {measure_label(pair[1])}: r = {number(over_all[-1])} of "
            f"the means, median {number(median)} on single data sets"
        )
    title = f"Do the measures agree? Their mean similarities correlate with r = " \
            f"{number(min(over_all))} or more"  # fmt: skip
    caption = (
        f"Mean similarity over data sets under one measure against another; a point is a pair of "
        f"models. {'; '.join(parts)}."
    )
    return Description(title, caption, f"Scatter plots. {caption}")


def describe_consistency(consistency: pd.DataFrame, measures: Sequence[str]) -> Description:
    """Say under which measure r is higher, per pair of measures."""
    parts = []
    for first, second in measure_pairs(measures):
        x, y = r_of_both(consistency, (first, second))
        higher = int(np.sum(x > y))
        parts.append(
            f"{measure_label(first)} has the higher r than {measure_label(second)} on {higher} of "
            f"{count(len(x), 'data set pair')} (median difference "
            f"{number(float(np.median(x - y)) if len(x) else float('nan'))})"
        )
    first, second = measure_pairs(measures)[0]
    x, y = r_of_both(consistency, (first, second))
    title = (
        f"r between data sets is higher under {measure_label(first)} than under "
        f"{measure_label(second)} for {int(np.sum(x > y))} of {count(len(x), 'data set pair')}"
    )
    caption = (
        f"r between two data sets (all models) under one measure against another; a point is a "
        f"pair of data sets. {'; '.join(parts)}."
    )
    return Description(title, caption, f"Scatter plots. {caption}")
