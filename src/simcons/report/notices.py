"""What a reader must know before believing the numbers: sentences at the head of the report."""

from __future__ import annotations

import pandas as pd

from simcons.core.files import read_json
from simcons.core.paths import Paths
from simcons.figures.reliability import precision_table
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import dataset_names
from simcons.figures.words import count, measure_label, number
from simcons.study.params import Study

LOW_RELIABILITY = 0.8


def study_warnings(study: Study, paths: Paths, probes: pd.DataFrame) -> list[str]:
    """Return what the study's settings, zoo and probes call for."""
    return [
        *import_warnings(study),
        *feature_warnings(study),
        *zoo_warnings(paths),
        *probe_warnings(probes),
    ]


def import_warnings(study: Study) -> list[str]:
    """Return a sentence if results were taken from published ones."""
    given = study.imported
    if not (given.similarity or given.probes):
        return []
    return [
        f"Published results, not computed here (imports/{given.name}): the similarities on "
        f"{len(given.similarity)} of {len(study.measured())} data sets and the accuracies on "
        f"{len(given.probes)} of {len(study.probed())}. Their standard errors and reliabilities "
        f"were not published, so none are given."
    ]


def feature_warnings(study: Study) -> list[str]:
    """Return a sentence if features are not single precision throughout."""
    wanted = study.features
    found = []
    if wanted.precision != "float32":
        found.append(f"Features were computed in mixed precision ({wanted.precision}).")
    if wanted.storage != "float32":
        found.append(
            f"Features were stored as {wanted.storage}, which keeps 11 bits of each number."
        )
    return found


def zoo_warnings(paths: Paths) -> list[str]:
    """Return a sentence if models that the pipeline trained have not learned."""
    summary = read_json(paths.metrics / "zoo_models.json")
    names = summary["not_learned"]
    if not names:
        return []
    return [
        f"{len(names)} of the {summary['n_models']} models trained here have not learned: their "
        f"linear probes on {', '.join(summary['held_out'])}, which no model was trained on, do not "
        f"beat those of their untrained controls by {100 * summary['margin']:.0f} points: "
        f"{', '.join(names)}."
    ]


def probe_warnings(probes: pd.DataFrame) -> list[str]:
    """Return a sentence for each setting that probes chose on the edge of its grid.

    Published probes do not say whether they did; they are not counted.
    """
    found = []
    for setting in ("learning_rate", "weight_decay"):
        known = probes[probes[f"{setting}_on_edge"].notna()]
        edge = known[known[f"{setting}_on_edge"].astype(bool)]
        if len(edge):
            counts = edge.groupby("dataset", sort=True).size()
            where = ", ".join(f"{dataset} {n}" for dataset, n in counts.items())
            found.append(
                f"{len(edge)} of {len(known)} probes chose a {setting.replace('_', ' ')} on "
                f"the edge of its grid; a better one may lie outside ({where})."
            )
    return found


def result_warnings(inputs: FigureInputs) -> list[str]:
    """Return what the results themselves call for: noise, undefined r, shared images."""
    return [
        *_precision_warnings(inputs),
        *_undefined_warnings(inputs),
        *_overlap_warnings(inputs),
        *_interval_warnings(inputs),
    ]


def _precision_warnings(inputs: FigureInputs) -> list[str]:
    """Say where similarities are noisy, and which have no standard error."""
    found = []
    names = dataset_names(inputs.datasets)
    table = precision_table(inputs.similarities)
    for measure, part in table.groupby("measure", sort=False):
        low = part[part["reliability"] < LOW_RELIABILITY].sort_values("reliability", kind="stable")
        if len(low):
            listed = ", ".join(
                f"{names[str(d)]} ({number(v)})"
                for d, v in zip(low["dataset"], low["reliability"], strict=True)
            )
            found.append(
                f"{measure_label(str(measure))}: reliability below {LOW_RELIABILITY:g} on "
                f"{listed}; r with these data sets is attenuated."
            )
        if part["se_median"].isna().all():
            found.append(f"{measure_label(str(measure))}: no standard errors are available.")
    return found


def _undefined_warnings(inputs: FigureInputs) -> list[str]:
    n = int(inputs.consistency["r"].isna().sum())
    if not n:
        return []
    return [
        f"{count(n, 'correlation')} could not be computed (no spread, or fewer than 3 "
        f"pairs of models) and {'is' if n == 1 else 'are'} left out of the medians."
    ]


def _overlap_warnings(inputs: FigureInputs) -> list[str]:
    """Say which data sets share images, and what r is without their pairs."""
    table = inputs.of_method(inputs.consistency)
    if "shares_images" not in table.columns or not table["shares_images"].astype(bool).any():
        return []
    measure = inputs.measures(table)[0]
    everything = table[(table["category"] == "all") & (table["measure"] == measure)]
    shared = everything["shares_images"].astype(bool)
    names = dataset_names(inputs.datasets)
    involved = sorted({names[d] for c in ("dataset_1", "dataset_2") for d in everything[shared][c]})
    return [
        f"{count(int(shared.sum()), 'data set pair')} of {len(shared)} share images "
        f"({', '.join(involved)}), so that their r is not that of independent images. Without them "
        f"the median r is {number(float(everything.loc[~shared, 'r'].median()))} instead of "
        f"{number(float(everything['r'].median()))} ({measure_label(measure)})."
    ]


def _interval_warnings(inputs: FigureInputs) -> list[str]:
    """Say that there are no intervals, or why some are missing."""
    if inputs.intervals["low"].notna().any():
        return []
    text = "No intervals are given"
    if "reason" in inputs.intervals.columns:
        reasons = sorted({r for r in inputs.intervals["reason"] if isinstance(r, str) and r})
        text += f" ({'; '.join(reasons)})" if reasons else ""
    return [
        f"{text}. Pairs of models share models and pairs of data sets share data sets, so the "
        "quartiles shown are no standard error."
    ]
