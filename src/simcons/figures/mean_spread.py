"""Mean against standard deviation over data sets per pair of models, also after transforms.

Similarities are bounded by 1, so a high mean leaves little room for spread; the transforms stretch
the range near the bound (tan) or measure it as an angle (arccos), or press it together (tanh).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.dataset_scatter import within_groups
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
    r_is,
)

TRANSFORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "similarity": lambda s: s,
    "tan": np.tan,
    "tanh": np.tanh,
    "arccos": lambda s: np.arccos(np.clip(s, -1.0, 1.0)),
}


def moments(by_dataset: Mapping[str, Similarities], order: list[str]) -> dict[str, np.ndarray]:
    """Return, per transform, mean and standard deviation over data sets, (2, n_pairs)."""
    values = np.stack([pair_values(by_dataset[dataset]) for dataset in order])
    found = {}
    for name, transform in TRANSFORMS.items():
        transformed = transform(values)
        found[name] = np.stack([transformed.mean(axis=0), transformed.std(axis=0, ddof=1)])
    return found


@style.styled
def draw(
    by_dataset: Mapping[str, Similarities],
    models: pd.DataFrame,
    datasets: pd.DataFrame,
    measure: str,
    category: str = "objective",
) -> Figure:
    """Draw a panel per transform, a point per pair of models; needs two data sets."""
    order = ordered_datasets(datasets, by_dataset)
    found = moments(by_dataset, order)
    title = describe(by_dataset, models, datasets, measure).title
    figure = style.new_figure(style.FULL_WIDTH, 2.65, style.wrap_title(title, style.FULL_WIDTH))
    axes = layout.panel_grid(figure, len(found), len(found))
    groups = within_groups(by_dataset[order[0]].models, models, category)
    colours = style.category_colours(category, models[category].astype(str))
    markers = style.category_markers(models[category].astype(str))
    for axis, (name, (mean, sd)) in zip(axes, found.items(), strict=True):
        layout.grouped_points(axis, mean, sd, groups, colours, markers)
        label = "s" if name == "similarity" else f"{name}(s)"
        axis.set_xlabel(f"mean of {label}", fontsize=7)
        axis.set_title(f"{label}: r = {number(pearson(mean, sd))}", fontsize=7.5)
        axis.set_ylim(bottom=0)
    axes[0].set_ylabel("standard deviation", fontsize=7)
    what = CATEGORY_LABELS.get(category, category)
    layout.category_legend(
        figure, {**colours, "two different ones": style.NEUTRAL}, f"{what} of both models"
    )
    return figure


def describe(
    by_dataset: Mapping[str, Similarities],
    models: pd.DataFrame,
    datasets: pd.DataFrame,
    measure: str,
) -> Description:
    """Say how spread goes with mean, per transform."""
    order = ordered_datasets(datasets, by_dataset)
    found = moments(by_dataset, order)
    r = {name: pearson(mean, sd) for name, (mean, sd) in found.items()}
    label = measure_label(measure)
    title = f"{label}: spread over data sets against mean, {r_is(r['similarity'])}"
    listed = ", ".join(f"{name} {number(value)}" for name, value in r.items())
    caption = (
        f"Standard deviation over {count(len(order), 'data set')} against mean of {label}; a point "
        f"is a pair of models. Pearson r of mean and standard deviation, also after transforms of "
        f"s: {listed}. A similarity near its bound of 1 can vary little."
    )
    return Description(title, caption, f"Scatter plots. {caption}")
