"""Probe accuracy of every model on every data set."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.inputs import (
    CATEGORY_LABELS,
    Description,
    count,
    dataset_names,
    number,
    ordered_datasets,
)


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


@style.styled
def draw(
    probes: pd.DataFrame,
    models: pd.DataFrame,
    datasets: pd.DataFrame,
    variants: pd.DataFrame,
    category: str = "objective",
) -> Figure:
    """Draw accuracy as a heatmap, values written in the cells where there is room.

    Variants, test-only data sets scored with the probes of others, stand on the right.
    """
    title = style.wrap_title(describe(probes, models, datasets, variants).title, style.FULL_WIDTH)
    if probes.empty:
        figure = style.new_figure(style.FULL_WIDTH, 1.8, title)
        layout.say_absent(figure.subplots(), "No probes.")
        return figure
    table = accuracy_table(probes, models, datasets)
    if len(variants):
        table = table.join(accuracy_table(variants, models, datasets))
    values = 100 * table.to_numpy(float)
    n_models, n_datasets = values.shape
    row_height = float(np.clip(6.6 / n_models, 0.1, 0.22))
    figure = style.new_figure(style.FULL_WIDTH, n_models * row_height + 1.9, title)
    axis = figure.subplots()
    image = layout.matrix_image(
        axis, values, cmap=style.SEQUENTIAL, vmin=0.0, vmax=100.0, aspect="auto"
    )
    everything = style.category_colours(category, models[category].astype(str))
    labels = [str(models.at[model, category]) for model in table.index]
    layout.category_strip(
        axis, labels, everything, width=0.022 * n_datasets, gap=0.008 * n_datasets
    )
    axis.set_xlim(-0.03 * n_datasets, n_datasets)
    size = min(7.0, 0.9 * 72 * row_height)
    texts = [[f"{v:.0f}" if np.isfinite(v) else "–" for v in row] for row in values]
    layout.annotate_cells(axis, values, texts, image, min(size, 72 * 4.6 / n_datasets / 2.0))
    _labels(axis, table, dataset_names(datasets), size)
    figure.colorbar(image, ax=axis, label="top-1 accuracy (%)", aspect=40, pad=0.015)
    used = {name: everything[name] for name in style.ordered(labels)}
    layout.category_legend(figure, used, CATEGORY_LABELS.get(category, category))
    return figure


def _labels(axis: Axes, table: pd.DataFrame, names: dict[str, str], size: float) -> None:
    rows = [style.short(str(model), 34) for model in table.index]
    columns = [style.clipped(names[str(dataset)], 26) for dataset in table.columns]
    axis.set_yticks(np.arange(len(rows)) + 0.5, rows, fontsize=size)
    axis.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=45, ha="right",
                    rotation_mode="anchor", fontsize=6.5)  # fmt: skip
    axis.tick_params(length=0, pad=2)


def describe(
    probes: pd.DataFrame, models: pd.DataFrame, datasets: pd.DataFrame, variants: pd.DataFrame
) -> Description:
    """Say the best model of each end, and the spread over seeds."""
    if probes.empty:
        text = "Probe accuracy: no probes were run."
        return Description(text, text, text)
    table = accuracy_table(probes, models, datasets)
    names = dataset_names(datasets)
    means, per_model = 100 * table.mean(axis=0), 100 * table.mean(axis=1)
    best, worst = str(per_model.idxmax()), str(per_model.idxmin())
    hard, easy = str(means.idxmin()), str(means.idxmax())
    spread = seed_spread(probes)
    n_seeds = int(probes["seed"].nunique())
    seeds = (
        f"averaged over {count(n_seeds, 'seed')} (their median standard deviation: "
        f"{number(100 * spread)} percentage points)"
        if np.isfinite(spread)
        else "one seed, so no spread over seeds"
    )
    title = (
        f"Probe accuracy of {count(len(table), 'model')} on {count(table.shape[1], 'data set')}: "
        f"best on average {style.short(best)} ({number(per_model[best], 1)}\u00a0%)"
    )
    caption = (
        f"Top-1 accuracy of linear probes, {seeds}. Mean over data sets: {best} "
        f"{number(per_model[best], 1)} %, {worst} {number(per_model[worst], 1)} %. Mean over "
        f"models: {names[easy]} {number(means[easy], 1)} %, {names[hard]} "
        f"{number(means[hard], 1)} %."
    )
    if len(variants):
        scored = [names[name] for name in accuracy_table(variants, models, datasets).columns]
        caption += (
            f" On the right, and in no mean: test sets scored with the probes of another "
            f"({', '.join(scored)})."
        )
    return Description(title, caption, f"A heatmap of models by data sets. {caption}")
