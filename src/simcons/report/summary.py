"""The rows of the report's tables of what was measured: r, similarity and accuracy."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simcons.catalog import CATEGORIES
from simcons.consistency import gap_by_domain
from simcons.figures.reliability import precision_table
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import dataset_names, finite_r, ordered_datasets, pair_values
from simcons.report.tabulate import (
    GROUP,
    Cell,
    Row,
    Rows,
    by_group,
    medians,
    per_group,
    records,
)


def _groups(inputs: FigureInputs) -> list[Row]:
    """Give r over data set pairs for every measure and pair of groups."""

    def digest(part: pd.DataFrame) -> Row:
        r = finite_r(part)
        q1, median, q3 = np.quantile(r, [0.25, 0.5, 0.75]) if len(r) else [np.nan] * 3
        counts = {"n_pairs": int(part["n_pairs"].max()), "n_datasets": len(r)}
        cells = {name: Cell(f"{n:,}", n) for name, n in counts.items()}
        return medians(part) | cells | {"q1": q1, "median": median, "q3": q3}

    rows = per_group(inputs, inputs.consistency, digest)
    intervals = inputs.of_method(inputs.intervals).rename(
        columns={"low": "bca_low", "high": "bca_high"}
    )
    known = {key: records(part)[0] for key, part in by_group(intervals).items()}
    none = {} if inputs.intervals.empty else {"bca_low": np.nan, "bca_high": np.nan}
    return [known.get(tuple(row[key] for key in GROUP), none) | row for row in rows]


def _pairs(inputs: FigureInputs) -> list[Row]:
    """Give r over all models for every data set pair and measure."""
    names, pair = dataset_names(inputs.datasets), ["dataset_1", "dataset_2"]
    table = inputs.of_method(inputs.consistency)
    table = table[table["category"] == "all"]
    wide = table.pivot(index=pair, columns="measure", values="r").sort_index().reset_index()
    wide["name_1"], wide["name_2"] = (wide[column].map(names) for column in pair)
    if "shares_images" in table.columns:
        flagged = table.loc[table["shares_images"].astype(bool), pair]
        shared = set(flagged.itertuples(index=False, name=None))
        both = zip(wide["dataset_1"], wide["dataset_2"], strict=True)
        wide["shared"] = ["yes" if found in shared else "no" if shared else "" for found in both]
    return records(wide)


def _accuracies(inputs: FigureInputs, by: str) -> dict[str, Row]:
    """Return the mean accuracy of each model, or on each data set, where there are probes."""
    mean = inputs.probes.groupby(by)["top1"].mean()
    every = inputs.models.index if by == "model" else inputs.datasets.index
    return {str(key): {"accuracy": 100 * mean.get(key, np.nan)} for key in every if len(mean)}


def _models(inputs: FigureInputs) -> list[Row]:
    have = [category for category in CATEGORIES if category in inputs.models.columns]
    accuracy = _accuracies(inputs, "model")
    return [
        {"model": str(model), **accuracy.get(str(model), {})}
        | {name: "–" if pd.isna(entry[name]) else str(entry[name]) for name in have}
        for model, entry in inputs.models.iterrows()
    ]


def _datasets(inputs: FigureInputs) -> list[Row]:
    """Give, per measure and data set, median similarity, its precision and mean accuracy."""
    precision = precision_table(inputs.similarities).set_index(["measure", "dataset"])
    accuracy, rows = _accuracies(inputs, "dataset"), []
    for measure, by_dataset in inputs.similarities.items():
        for dataset in ordered_datasets(inputs.datasets, by_dataset):
            values = pair_values(by_dataset[dataset])
            values = values[np.isfinite(values)]
            median = np.median(values) if len(values) else np.nan
            row = {"measure": measure, "median": median, **_named(inputs, dataset)}
            (known,) = records(precision.loc[[(measure, dataset)]])
            rows.append(row | known | accuracy.get(dataset, {}))
    return rows


def _named(inputs: FigureInputs, dataset: str) -> Row:
    """Return a data set's name and domain."""
    return {key: str(inputs.datasets.at[dataset, key]) for key in ("name", "domain")}


def _relations(inputs: FigureInputs) -> list[Row]:
    """Give r per data set of similarity, gap in accuracy and error consistency."""
    table = inputs.of_method(inputs.relations)
    order = ordered_datasets(inputs.datasets, table["dataset"])
    rows = sorted(records(table), key=lambda row: (row["against"], order.index(row["dataset"])))
    return [row | _named(inputs, row["dataset"]) for row in rows]


def _domains(inputs: FigureInputs) -> list[Row]:
    """Give the quartiles of the same r over the data sets of each domain."""
    domains = {str(dataset): str(name) for dataset, name in inputs.datasets["domain"].items()}
    return records(gap_by_domain(inputs.of_method(inputs.relations), domains))


SUMMARY: dict[str, Rows] = {
    "groups": _groups,
    "pairs": _pairs,
    "gap": _relations,
    "gap-by-domain": _domains,
    "datasets": _datasets,
    "models": _models,
}
