"""Range restriction: a group whose similarities differ little has a lower r for that reason alone.

r stands beside the spread of the similarities and beside companions that a narrow range does not
deflate. Thorndike's correction is a sensitivity check only: it assumes that the group was selected
on the similarities themselves, and a linear, homoscedastic relation outside the group's range.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from simcons.consistency.analysis import Analysis, Group
from simcons.consistency.correlation import weighted_correlation
from simcons.consistency.pairs import Floats

# A reweighted group that comes down to fewer effective models than this is no group any more.
MIN_EFFECTIVE_MODELS = 4.0
_STEEPEST = 50.0
_MATCHED_COLUMNS = [
    *("category", "group_1", "group_2", "method", "spread_1", "spread_2", "reweighted"),
    *("spread_matched", "effective_models", "r_1", "r_2", "r_1_matched", "r_2_matched", "reason"),
]


def spread(analysis: Analysis) -> pd.DataFrame:
    """Return the spread of the similarities per group and data set.

    Returns
    -------
    DataFrame
        ``category, group_1, group_2, dataset, mean, sd, minimum, q1, median, q3, maximum,
        n_pairs``; sd with divisor n.
    """
    parts = []
    for group in analysis.usable:
        vectors = analysis.vectors(group)
        low, q1, median, q3, high = np.quantile(vectors, [0, 0.25, 0.5, 0.75, 1], axis=1)
        columns = {"mean": vectors.mean(axis=1), "sd": vectors.std(axis=1), "minimum": low}
        columns |= {"q1": q1, "median": median, "q3": q3, "maximum": high}
        data: dict[str, Any] = {**group.names, "dataset": analysis.datasets, **columns}
        parts.append(pd.DataFrame({**data, "n_pairs": len(group.pairs)}))
    return pd.concat(parts, ignore_index=True)


def companions(analysis: Analysis) -> pd.DataFrame:
    """Return r between each two data sets beside what a narrow range does not deflate.

    Returns
    -------
    DataFrame
        ``category, group_1, group_2, dataset_1, dataset_2, r`` (Pearson), ``sd_1, sd_2,
        rmse_2_given_1, rmse_1_given_2`` (of the least-squares line, in units of similarity),
        ``median_absolute_difference, concordance`` (Lin 1989), ``thorndike_1, thorndike_2`` (case 2
        with the spread of all models on data set 1 or 2 as the unrestricted one), ``n_pairs``.
    """
    everyone = analysis.vectors(analysis.groups[0]).std(axis=1)
    parts = []
    for group in analysis.usable:
        values = companion_values(analysis.vectors(group), everyone)
        columns = {**values, "n_pairs": len(group.pairs)}
        parts.append(analysis.by_dataset_pair(group.names, columns))
    return pd.concat(parts, ignore_index=True)


def companion_values(vectors: Floats, reference: Floats) -> dict[str, Floats]:
    """Return the companions of r for all pairs of rows.

    Parameters
    ----------
    vectors
        (D, P).
    reference
        (D,) the unrestricted standard deviations.

    Returns
    -------
    dict of (E,) arrays, NaN where a vector does not vary.
    """
    one, two = np.triu_indices(len(vectors), k=1)
    r = weighted_correlation(vectors, np.ones((1, vectors.shape[1])))[0]
    mean, sd = vectors.mean(axis=1), vectors.std(axis=1)
    residual = np.sqrt(np.maximum(1 - r**2, 0.0))
    apart = (mean[one] - mean[two]) ** 2
    difference = np.median(np.abs(vectors[one] - vectors[two]), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "r": r,
            "sd_1": sd[one],
            "sd_2": sd[two],
            "rmse_2_given_1": sd[two] * residual,
            "rmse_1_given_2": sd[one] * residual,
            "median_absolute_difference": difference,
            "concordance": 2 * r * sd[one] * sd[two] / (sd[one] ** 2 + sd[two] ** 2 + apart),
            "thorndike_1": thorndike(r, reference[one] / sd[one]),
            "thorndike_2": thorndike(r, reference[two] / sd[two]),
        }


def thorndike(r: Floats, ratio: Floats) -> Floats:
    """Return r corrected for direct range restriction (Thorndike 1949, case 2).

    Parameters
    ----------
    r
        Correlation in the restricted group.
    ratio
        Unrestricted over restricted standard deviation of the variable that was selected on.
    """
    return r * ratio / np.sqrt(1 + r**2 * (ratio**2 - 1))


def spread_matched(analysis: Analysis) -> pd.DataFrame:
    """Compare two groups after reweighting the wider one's models to the narrower one's spread.

    Spread is the root of the variance of the similarities within the group, averaged over data
    sets. Models get weights exp(lambda t_i), with t_i how far model i's similarities lie from the
    group's mean; a pair weighs the product of its models' weights; lambda solves for the spread.

    Returns
    -------
    DataFrame
        ``category, group_1, group_2, method, spread_1, spread_2, reweighted`` (which group),
        ``spread_matched, effective_models`` (Kish 1965), ``r_1, r_2`` (mean r over data set pairs
        as it is), ``r_1_matched, r_2_matched, reason``; NaN where matching would leave fewer than 4
        effective models, with the reason.
    """
    rows = [row for a, b in analysis.contrasts for row in _match(analysis, a, b)]
    return pd.DataFrame(rows, columns=_MATCHED_COLUMNS)


def _match(analysis: Analysis, a: Group, b: Group) -> list[dict[str, Any]]:
    vectors = [analysis.vectors(group) for group in (a, b)]
    spreads = [weighted_spread(v, np.ones(v.shape[1])) for v in vectors]
    wide = 0 if spreads[0] >= spreads[1] else 1
    group = (a, b)[wide]
    weights, reason = matching_weights(vectors[wide], group, spreads[1 - wide])
    pair_weight = weights[group.pairs.left] * weights[group.pairs.right]
    common: dict[str, Any] = {
        **a.against(b),
        **dict(zip(("spread_1", "spread_2"), spreads, strict=True)),
        "reweighted": group.group_1,
        "spread_matched": np.nan if reason else weighted_spread(vectors[wide], pair_weight),
        "effective_models": effective_number(weights),
        "reason": reason,
    }
    rows = []
    for method in analysis.settings.resampled:
        r = [_mean_r(v, np.ones(v.shape[1]), method) for v in vectors]
        matched = list(r)
        matched[wide] = np.nan if reason else _mean_r(vectors[wide], pair_weight, method)
        values = dict(zip(("r_1", "r_2", "r_1_matched", "r_2_matched"), r + matched, strict=True))
        rows.append({**common, "method": method, **values})
    return rows


def matching_weights(vectors: Floats, group: Group, target: float) -> tuple[Floats, str]:
    """Return model weights (m,) that bring a group's spread down to ``target``, and any reason not.

    The weights are zero outside the group, and have mean 1 inside it; ``vectors`` (D, P) are the
    similarities of its pairs.
    """
    inside = group.first & group.second
    pairs = group.pairs
    distance = _distance_from_mean(vectors, group, len(inside))

    def weigh(steepness: float) -> Floats:
        tilt = np.where(inside, np.exp(-steepness * (distance - distance[inside].min())), 0.0)
        return tilt / tilt[inside].mean()

    def excess(steepness: float) -> float:
        w = weigh(steepness)
        return weighted_spread(vectors, w[pairs.left] * w[pairs.right]) - target

    if excess(0.0) <= 0:
        return weigh(0.0), ""
    # The spread falls at first; far out, one pair of models carries all the weight.
    steps = np.concatenate([[0.0], np.geomspace(1e-3, _STEEPEST, 60)])
    for low, high in itertools.pairwise(steps):
        if effective_number(weigh(high)) < MIN_EFFECTIVE_MODELS:
            break
        if excess(high) <= 0:
            return weigh(brentq(excess, low, high)), ""
    return weigh(0.0), (
        f"no weights with {MIN_EFFECTIVE_MODELS:g} effective models or more bring the spread down "
        f"to {target:.3g}"
    )


def _distance_from_mean(vectors: Floats, group: Group, n_models: int) -> Floats:
    """Return per model how far its similarities lie from the group's mean, scaled to mean 1."""
    pairs = group.pairs
    square = ((vectors - vectors.mean(axis=1, keepdims=True)) ** 2).mean(axis=0)
    total = np.bincount(pairs.left, square, n_models) + np.bincount(pairs.right, square, n_models)
    count = np.bincount(pairs.left, minlength=n_models)
    count = count + np.bincount(pairs.right, minlength=n_models)
    distance = total / np.maximum(count, 1)
    size = distance.sum() / max((count > 0).sum(), 1)
    return distance / size if size > 0 else distance


def weighted_spread(vectors: Floats, weights: Floats) -> float:
    """Return the root of the weighted variance of rows (D, P), averaged over rows."""
    mean = vectors @ weights / weights.sum()
    variance = ((vectors - mean[:, None]) ** 2) @ weights / weights.sum()
    return float(np.sqrt(variance.mean()))


def effective_number(weights: Floats) -> float:
    """Return Kish's effective sample size (sum w)^2 / sum w^2."""
    return float(weights.sum() ** 2 / np.sum(weights**2))


def _mean_r(vectors: Floats, weights: Floats, method: str) -> float:
    r = weighted_correlation(vectors, weights[None, :], method)[0]
    return float(np.mean(r[np.isfinite(r)])) if np.isfinite(r).any() else np.nan
