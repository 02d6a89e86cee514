"""The data behind the page's interactive plots, as compact JSON.

Similarities are whole thousandths in the order of the upper triangle: the paper's size (3 measures,
23 data sets, 2,016 pairs of models) takes about half a megabyte.
"""

from __future__ import annotations

import json
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

from simcons.catalog import CATEGORIES
from simcons.core.errors import UserError
from simcons.figures import style
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import dataset_names, ordered_datasets, pair_values, stack
from simcons.figures.similarity_heatmaps import cluster_order, over_datasets
from simcons.figures.words import category_label, measure_label

SCALE = 1000
N_COLOURS = 64


def explore_data(inputs: FigureInputs) -> dict[str, Any]:
    """Return everything that the interactive plots show; JSON-able.

    Raises
    ------
    UserError
        If two measures do not have the same models.
    """
    measures = list(inputs.similarities)
    ids = _models(inputs)
    order = ordered_datasets(
        inputs.datasets, {d for by_dataset in inputs.similarities.values() for d in by_dataset}
    )
    names = dataset_names(inputs.datasets)
    categories = [c for c in CATEGORIES if c in inputs.models.columns]
    return {
        "scale": SCALE,
        "method": inputs.method,
        "models": ids,
        "groups": {c: [_text(v) for v in inputs.models.loc[ids, c]] for c in categories},
        "categories": [_category(inputs.models, c) for c in categories],
        "datasets": [
            {"id": d, "name": names[d], "domain": str(inputs.datasets.at[d, "domain"])}
            for d in order
        ],
        "measures": [_measure(inputs, measure) for measure in measures],
        "values": {m: {d: _scaled(pair_values(inputs.similarities[m][d]))
                       for d in order if d in inputs.similarities[m]} for m in measures},
        "accuracy": _accuracies(inputs.probes, ids),
        "errors": _error_consistency(inputs.gap, ids),
        "colours": [mpl.colors.to_hex(c) for c in
                    mpl.colormaps[style.SEQUENTIAL](np.linspace(0, 1, N_COLOURS))],
        "neutral": style.NEUTRAL,
    }  # fmt: skip


def _models(inputs: FigureInputs) -> list[str]:
    found: list[str] = []
    for measure, by_dataset in inputs.similarities.items():
        for matrix in by_dataset.values():
            found = found or list(matrix.models)
            if list(matrix.models) != found:
                raise UserError(
                    f"measure {measure}: its models are not those of the other measures; "
                    "run the similarity stages again"
                )
    return found


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value)


def _category(models: pd.DataFrame, category: str) -> dict[str, Any]:
    values = [v for v in style.ordered(models[category].dropna()) if v]
    colours = style.category_colours(category, models[category].dropna())
    return {
        "id": category,
        "label": category_label(category),
        "values": [{"name": value, "colour": colours[value]} for value in values],
    }


def _measure(inputs: FigureInputs, measure: str) -> dict[str, Any]:
    """Return a measure's label and the clustered order of the models, as row numbers."""
    by_dataset = inputs.similarities[measure]
    matrices = stack(by_dataset, ordered_datasets(inputs.datasets, by_dataset))
    order = cluster_order(over_datasets(matrices, "mean"))
    return {"id": measure, "label": measure_label(measure), "order": [int(k) for k in order]}


def _scaled(values: np.ndarray) -> list[int | None]:
    return [round(float(v) * SCALE) if np.isfinite(v) else None for v in values]


def _accuracies(probes: pd.DataFrame, ids: list[str]) -> dict[str, list[int | None]]:
    """Return top-1 accuracy averaged over seeds, per data set in the order of the models."""
    if probes.empty:
        return {}
    wide = probes.pivot_table(index="model", columns="dataset", values="top1", aggfunc="mean")
    wide = wide.reindex(ids)
    return {str(d): _scaled(wide[d].to_numpy(float)) for d in sorted(wide.columns)}


def _error_consistency(gap: pd.DataFrame, ids: list[str]) -> dict[str, list[int | None]]:
    """Return error consistency per data set, in the order of the upper triangle."""
    if "error_consistency" not in gap.columns or gap.empty:
        return {}
    row_of = {model: k for k, model in enumerate(ids)}
    rows = gap[gap["measure"] == gap["measure"].iloc[0]]
    found = {}
    for dataset, part in rows.groupby("dataset", sort=True):
        square = np.full((len(ids), len(ids)), np.nan)
        one, two = (part[c].map(row_of).to_numpy() for c in ("model_1", "model_2"))
        square[one, two] = square[two, one] = part["error_consistency"].to_numpy(float)
        found[str(dataset)] = _scaled(square[np.triu_indices(len(ids), k=1)])
    return found


def explore_json(inputs: FigureInputs) -> str:
    """Return `explore_data` as JSON that may stand in a ``<script>``: no ``<``, ``>``, ``&``."""
    text = json.dumps(explore_data(inputs), separators=(",", ":"), ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
