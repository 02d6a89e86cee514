"""Where a new model sits among those of the study, from its similarities to them alone.

Nothing of the study is computed again: a new model adds one vector of similarities per data set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from simcons.consistency.analysis import MIN_PAIRS, Analysis
from simcons.consistency.categories import need_columns
from simcons.consistency.correlation import correlation_matrix, rank_rows
from simcons.consistency.limits import MIN_DATASETS, make_interval, unavailable
from simcons.consistency.pairs import Floats, Ints, Mask
from simcons.consistency.resample import dataset_counts, generator
from simcons.core.errors import UserError, known


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


def place(analysis: Analysis, new: pd.DataFrame, n_nearest: int = 5) -> Placement:
    """Place a new model among the models of a study.

    Parameters
    ----------
    analysis
        Of the study, without the new model. Of its settings, the categories are what the model is
        compared by, the methods those of the consistency of its similarities; intervals are over
        data sets, and given with at least eight of them.
    new
        Columns ``dataset, model, value``: the new model's similarity to every model of the study,
        on every data set of the study (further data sets are refused).
    n_nearest
        How many models count as nearest.

    Raises
    ------
    UserError
        If a similarity of the new model is missing, given twice or no finite number.
    """
    settings = analysis.settings
    values = _new_values(analysis, new)
    rng = generator(settings.seed, "place")
    counts = dataset_counts(len(values), settings.n_bootstrap, rng)
    return Placement(
        _nearest(analysis, values, counts, n_nearest),
        _anchor_consistency(analysis, values),
        _among_groups(analysis, values, counts),
    )


def _new_values(analysis: Analysis, new: pd.DataFrame) -> Floats:
    """Return the new model's similarities (D, m), checked."""
    need_columns(new, ("dataset", "model", "value"), "the new model's table")
    for name in sorted(set(new["dataset"])):
        known("data set", name, analysis.datasets)
    twice = new[new.duplicated(["dataset", "model"])]
    if len(twice):
        first = twice.iloc[0]
        raise UserError(
            f"the new model has two similarities to {first['model']!r} on {first['dataset']!r}"
        )
    wide = new.pivot(index="dataset", columns="model", values="value")
    values = wide.reindex(index=analysis.datasets, columns=analysis.models).to_numpy(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        dataset, model = analysis.datasets[bad[0][0]], analysis.models[bad[0][1]]
        raise UserError(
            f"the new model has no similarity to {model!r} on data set {dataset!r}: extract its "
            "features there"
        )
    return values


def _over_datasets(values: Floats, counts: Ints, confidence: float) -> pd.DataFrame:
    """Return mean and interval over data sets of every column of values (D, k), a row for each.

    Columns are averages over data sets, hence drawing data sets is all that is resampled.
    """
    n_datasets = len(values)
    few = f"{n_datasets} data set(s), fewer than {MIN_DATASETS}"
    reason = few if n_datasets < MIN_DATASETS else ""
    means = values.mean(axis=0)
    drawn = counts @ values / n_datasets
    left_out = (values.sum(axis=0) - values) / max(n_datasets - 1, 1)
    rows = []
    for mean, replicates, others in zip(means.tolist(), drawn.T, left_out.T, strict=True):
        interval = unavailable(reason)
        if not reason:
            interval = make_interval(mean, replicates, [others], confidence, n_datasets)
        rows.append({"similarity": mean, **interval.columns()})
    return pd.DataFrame(rows)


def _nearest(analysis: Analysis, values: Floats, counts: Ints, n_nearest: int) -> pd.DataFrame:
    ranks = rank_rows(-values)
    table = _over_datasets(values, counts, analysis.settings.confidence)
    table.insert(0, "model", analysis.models)
    table["mean_rank"] = ranks.mean(axis=0)
    table["best_rank"] = ranks.min(axis=0)
    table["worst_rank"] = ranks.max(axis=0)
    table["share_nearest"] = (ranks <= n_nearest).mean(axis=0)
    order = ["similarity", "model"]
    return table.sort_values(order, ascending=[False, True], ignore_index=True)


def _anchor_consistency(analysis: Analysis, values: Floats) -> pd.DataFrame:
    """Return how consistent the new model's similarities are, beside the study's own models'."""
    n_models = len(analysis.models)
    upper = np.triu_indices(len(values), k=1)
    rows = []
    for method in analysis.settings.methods:
        enough = n_models >= MIN_PAIRS and len(values) > 1
        r = correlation_matrix(values, method)[upper] if enough else np.empty(0)
        anchors = range(n_models if enough and n_models > MIN_PAIRS else 0)
        others = [np.delete(analysis.values[:, k, :], k, axis=1) for k in anchors]
        own = [np.median(correlation_matrix(vectors, method)[upper]) for vectors in others]
        defined = r[np.isfinite(r)]
        q1, median, q3 = np.quantile(defined, [0.25, 0.5, 0.75]) if len(defined) else [np.nan] * 3
        typical = np.nanmedian(own) if np.isfinite(own).any() else np.nan
        rows.append((method, median, q1, q3, len(defined), typical))
    names = ["method", "median", "q1", "q3", "n_dataset_pairs", "typical_median"]
    return pd.DataFrame(rows, columns=names)


def _among_groups(analysis: Analysis, values: Floats, counts: Ints) -> pd.DataFrame:
    parts = []
    mean_values = analysis.values.mean(axis=0)
    for category in analysis.settings.categories:
        by_value = analysis.masks(category)
        if not by_value:
            continue
        masks = list(by_value.values())
        to_group = np.stack([values[:, mask].mean(axis=1) for mask in masks], axis=1)
        table = _over_datasets(to_group, counts, analysis.settings.confidence)
        table.insert(0, "category", category)
        table.insert(1, "value", list(by_value))
        inside = [_member_similarity(mean_values, mask) for mask in masks]
        table["member_similarity"] = [np.mean(own) if len(own) else np.nan for own in inside]
        table["percentile"] = [
            float(np.mean(own < mean)) if len(own) >= 3 else np.nan
            for own, mean in zip(inside, table["similarity"], strict=True)
        ]
        table["n_models"] = [int(mask.sum()) for mask in masks]
        parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _member_similarity(mean_values: Floats, mask: Mask) -> Floats:
    """Return each member's mean similarity to the others of its group; none for a lone member."""
    inside = mean_values[np.ix_(mask, mask)].copy()
    n = len(inside)
    if n < 2:
        return np.empty(0)
    np.fill_diagonal(inside, 0.0)
    return inside.sum(axis=1) / (n - 1)
