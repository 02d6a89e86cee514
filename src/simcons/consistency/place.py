"""Where a new model sits among those of the study, from its similarities to them alone.

Nothing of the study is computed again: a new model adds one vector of similarities per data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simcons.consistency.core import MIN_PAIRS, category_values
from simcons.consistency.correlation import correlation_matrix, rank_rows
from simcons.consistency.limits import MIN_DATASETS, make_interval, unavailable
from simcons.consistency.pairs import Floats, Stack, stack
from simcons.consistency.resample import dataset_counts, generator
from simcons.core.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix


@dataclass(frozen=True)
class Placement:
    """Results of `place`.

    Attributes
    ----------
    nearest
        A row per model of the study, nearest first: ``model, similarity`` (mean over data sets),
        its interval over data sets, ``mean_rank`` (1: nearest), ``best_rank, worst_rank``,
        ``share_nearest`` (in how many of the data sets it is among the ``n_nearest``).
    consistency
        ``method, median, q1, q3, n_dataset_pairs``: r between data sets of the new model's
        similarities to all others, as for any single anchor; ``typical_median`` is the median over
        the study's own models.
    groups
        A row per category and value: ``category, value, similarity`` (mean, to the members),
        its interval over data sets, ``member_similarity`` (mean between members), ``percentile``
        (share of members that are less similar to the others of their group than the new model is;
        NaN with fewer than three members), ``n_models``.
    """

    nearest: pd.DataFrame
    consistency: pd.DataFrame
    groups: pd.DataFrame


def place(
    similarities: Mapping[str, SimilarityMatrix],
    new: pd.DataFrame,
    models: pd.DataFrame,
    categories: Sequence[str],
    methods: Sequence[str] = ("pearson", "spearman"),
    *,
    n_nearest: int = 5,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Placement:
    """Place a new model among the models of a study.

    Parameters
    ----------
    similarities
        The study's similarity matrix per data set, without the new model.
    new
        Columns ``dataset, model, value``: the new model's similarity to every model of the study,
        on every data set of the study (further data sets are refused).
    models
        The study's model table, indexed by id.
    categories
        Its columns to compare with.
    methods
        Correlations for the consistency of the new model's similarities.
    n_nearest
        How many models count as nearest.
    n_bootstrap, confidence, seed
        For intervals over data sets; given with at least eight of them.

    Raises
    ------
    UserError
        If a similarity of the new model is missing, given twice or no finite number.
    """
    lined_up = stack(similarities)
    values = _new_values(new, lined_up)
    counts = dataset_counts(len(values), n_bootstrap, generator(seed, "place"))
    return Placement(
        _nearest(lined_up, values, counts, n_nearest, confidence),
        _anchor_consistency(lined_up, values, methods),
        _among_groups(lined_up, values, models, categories, counts, confidence),
    )


def _new_values(new: pd.DataFrame, lined_up: Stack) -> Floats:
    """Return the new model's similarities (D, m), checked."""
    missing = [column for column in ("dataset", "model", "value") if column not in new.columns]
    if missing:
        raise UserError(f"the new model's table lacks the column(s) {', '.join(missing)}")
    for name in sorted(set(new["dataset"]) - set(lined_up.datasets)):
        raise UserError(f"unknown data set {name!r}; {did_you_mean(name, lined_up.datasets)}")
    if new.duplicated(["dataset", "model"]).any():
        first = new[new.duplicated(["dataset", "model"])].iloc[0]
        raise UserError(
            f"the new model has two similarities to {first['model']!r} on {first['dataset']!r}"
        )
    wide = new.pivot(index="dataset", columns="model", values="value")
    values = wide.reindex(index=lined_up.datasets, columns=lined_up.models).to_numpy(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        dataset, model = lined_up.datasets[bad[0][0]], lined_up.models[bad[0][1]]
        raise UserError(
            f"the new model has no similarity to {model!r} on data set {dataset!r}: extract its "
            "features there"
        )
    return values


def _over_datasets(
    values: Floats, counts: NDArray[np.intp], confidence: float
) -> dict[str, list[Any]]:
    """Return mean and interval over data sets of every column of values (D, k), as table columns.

    Columns are averages over data sets, hence drawing data sets is all that is resampled.
    """
    n_datasets = len(values)
    reason = (
        ""
        if n_datasets >= MIN_DATASETS
        else (f"{n_datasets} data set(s), fewer than {MIN_DATASETS}")
    )
    means = values.mean(axis=0)
    drawn = counts @ values / n_datasets
    left_out = (values.sum(axis=0) - values) / max(n_datasets - 1, 1)
    columns: dict[str, list[Any]] = {"similarity": means.tolist()}
    for k, mean in enumerate(means):
        interval = (
            unavailable(reason)
            if reason
            else make_interval(float(mean), drawn[:, k], [left_out[:, k]], confidence, n_datasets)
        )
        for name, value in interval.columns().items():
            columns.setdefault(name, []).append(value)
    return columns


def _nearest(
    lined_up: Stack, values: Floats, counts: NDArray[np.intp], n_nearest: int, confidence: float
) -> pd.DataFrame:
    ranks = rank_rows(-values)
    table = pd.DataFrame({"model": lined_up.models, **_over_datasets(values, counts, confidence)})
    table["mean_rank"] = ranks.mean(axis=0)
    table["best_rank"] = ranks.min(axis=0)
    table["worst_rank"] = ranks.max(axis=0)
    table["share_nearest"] = (ranks <= n_nearest).mean(axis=0)
    order = ["similarity", "model"]
    return table.sort_values(order, ascending=[False, True], ignore_index=True)


def _anchor_consistency(lined_up: Stack, values: Floats, methods: Sequence[str]) -> pd.DataFrame:
    """Return how consistent the new model's similarities are, beside the study's own models'."""
    n_models = len(lined_up.models)
    upper = np.triu_indices(len(values), k=1)
    rows = []
    for method in methods:
        if n_models < MIN_PAIRS or not len(upper[0]):
            rows.append((method, np.nan, np.nan, np.nan, 0, np.nan))
            continue
        r = correlation_matrix(values, method)[upper]
        own = []
        for k in range(n_models):
            anchor = np.delete(lined_up.values[:, k, :], k, axis=1)
            if n_models > MIN_PAIRS:
                own.append(np.median(correlation_matrix(anchor, method)[upper]))
        defined = r[np.isfinite(r)]
        q1, median, q3 = np.quantile(defined, [0.25, 0.5, 0.75]) if len(defined) else [np.nan] * 3
        typical = np.nanmedian(own) if np.isfinite(own).any() else np.nan
        rows.append((method, median, q1, q3, len(defined), typical))
    names = ["method", "median", "q1", "q3", "n_dataset_pairs", "typical_median"]
    return pd.DataFrame(rows, columns=names)


def _among_groups(
    lined_up: Stack,
    values: Floats,
    models: pd.DataFrame,
    categories: Sequence[str],
    counts: NDArray[np.intp],
    confidence: float,
) -> pd.DataFrame:
    parts = []
    mean_values = lined_up.values.mean(axis=0)
    for category in categories:
        labels = category_values(lined_up.models, models, category)
        found = sorted({label for label in labels if label is not None})
        masks = [np.array([label == value for label in labels]) for value in found]
        if not found:
            continue
        to_group = np.stack([values[:, mask].mean(axis=1) for mask in masks], axis=1)
        table = pd.DataFrame({"category": category, "value": found})
        table = table.assign(**_over_datasets(to_group, counts, confidence))
        inside = [_member_similarity(mean_values, mask) for mask in masks]
        table["member_similarity"] = [np.mean(own) if len(own) else np.nan for own in inside]
        table["percentile"] = [
            float(np.mean(own < mean)) if len(own) >= 3 else np.nan
            for own, mean in zip(inside, table["similarity"], strict=True)
        ]
        table["n_models"] = [int(mask.sum()) for mask in masks]
        parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _member_similarity(mean_values: Floats, mask: NDArray[np.bool_]) -> Floats:
    """Return each member's mean similarity to the others of its group; none for a lone member."""
    inside = mean_values[np.ix_(mask, mask)].copy()
    n = len(inside)
    if n < 2:
        return np.empty(0)
    np.fill_diagonal(inside, 0.0)
    return inside.sum(axis=1) / (n - 1)
