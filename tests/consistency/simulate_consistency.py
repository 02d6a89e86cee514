"""Trials on simulated studies whose truth is known; used by the tests and by the benchmark.

A model is a point: part of its position is shared by all data sets, part is drawn anew for each.
Similarities fall with squared distance, so that models have their own mean similarity (some are far
from everything), as in real studies, and are bounded, as CKA is.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from consistency_data import Matrix, analysis

from simcons.consistency import (
    Settings,
    consistency,
    consistency_intervals,
    contrasts,
    correlation_matrix,
    drivers,
    gap_pairs,
    mantel,
    relation_intervals,
)

DIM = 3
MEAN_SHARE, SHARE_WIDTH = 0.7, 0.15


def positions(shares, n_models, rng):
    """Return positions (D, m, DIM); ``shares`` (D,): the share of variance that is common."""
    common = rng.normal(size=(1, n_models, DIM))
    own = rng.normal(size=(len(shares), n_models, DIM))
    share = np.asarray(shares)[:, None, None]
    return np.sqrt(share) * common + np.sqrt(1 - share) * own


def similarity(position):
    """Return similarities (D, m, m) from positions."""
    square = np.sum(position**2, axis=-1)
    inner = position @ position.transpose(0, 2, 1)
    return of_distance(square[:, :, None] + square[:, None, :] - 2 * inner)


def of_distance(square):
    """Return similarity as a function of squared distance, which has the mean 2 DIM."""
    return np.exp(-square / (2 * DIM))


def as_study(values):
    ids = [f"m{k:02d}" for k in range(values.shape[1])]
    return {f"d{d:02d}": Matrix(ids, v) for d, v in enumerate(values)}


def draw_shares(n_datasets, rng):
    return rng.uniform(MEAN_SHARE - SHARE_WIDTH, MEAN_SHARE + SHARE_WIDTH, size=n_datasets)


@cache
def true_r(method, product):
    """Return r between two data sets over infinitely many models.

    It depends on the product of both shares only: the square of the correlation between the two
    data sets' coordinates. From a large sample of independent model pairs.
    """
    rng = np.random.default_rng(12345)
    first, second = rng.normal(size=(2, 400_000, DIM))
    second = np.sqrt(product) * first + np.sqrt(1 - product) * second
    vectors = [of_distance(2 * np.sum(x**2, axis=1)) for x in (first, second)]
    if method == "spearman":
        vectors = [np.argsort(np.argsort(v)) for v in vectors]
    return float(np.corrcoef(vectors)[0, 1])


def truth(method, shares):
    """Return the mean true r over the pairs of given data sets."""
    one, two = np.triu_indices(len(shares), 1)
    grid = np.linspace(0.2, 1.0, 17)
    curve = [true_r(method, float(p)) for p in grid]
    return float(np.mean(np.interp(shares[one] * shares[two], grid, curve)))


def rejections_of_mantel(n_trials, seed, n_models=12, n_permutations=199):
    """Two data sets with unrelated positions: how often p <= .05."""
    hits = 0
    table = pd.DataFrame(index=[f"m{k:02d}" for k in range(n_models)])
    for trial in range(n_trials):
        rng = np.random.default_rng([seed, trial])
        study = as_study(similarity(positions([0.0, 0.0], n_models, rng)))
        found = mantel(analysis(study, table, [], ["pearson"], n_permutations=n_permutations,
                                seed=trial))  # fmt: skip
        hits += found["p"].item() <= 0.05
    return hits / n_trials


def rejections_of_contrast(n_trials, seed, sizes=(9, 7), n_permutations=199):
    """Two groups of one kind of model: how often the difference has p <= .05."""
    hits = 0
    labels = np.repeat(["a", "b"], sizes)
    table = pd.DataFrame({"group": labels}, index=[f"m{k:02d}" for k in range(len(labels))])
    for trial in range(n_trials):
        rng = np.random.default_rng([seed, trial])
        study = as_study(similarity(positions([0.7, 0.6, 0.8], len(labels), rng)))
        found = contrasts(analysis(study, table, ["group"], ["pearson"], n_bootstrap=1, seed=trial,
                                   n_permutations=n_permutations))  # fmt: skip
        hits += found["p_permutation"].item() <= 0.05
    return hits / n_trials


def rejections_of_drivers(n_trials, seed, n_models=14, n_permutations=199):
    """Labels that have nothing to do with the positions: how often MRQAP says p <= .05."""
    hits = 0
    for trial in range(n_trials):
        rng = np.random.default_rng([seed, trial])
        study = as_study(similarity(positions([0.7, 0.6, 0.8, 0.5], n_models, rng)))
        labels = {name: rng.permutation(np.arange(n_models) % 2).astype(str) for name in "xy"}
        table = pd.DataFrame(labels, index=study["d00"].models)
        found = drivers(
            analysis(study, table, ["x", "y"], n_permutations=n_permutations, seed=trial)
        )
        hits += found["p"].iloc[0] <= 0.05
    return hits / n_trials


def coverage_of_intervals(n_trials, scheme, method, seed, n_models=24, n_datasets=10, n_draws=399):
    """How often 95 % intervals for the mean r hold the truth.

    Models resampled: the truth for these data sets, over all models. Data sets resampled: for these
    models, over all data sets. Both: over all models and data sets.
    """
    hits = {"percentile": 0, "bca": 0}
    for trial in range(n_trials):
        rng = np.random.default_rng([seed, trial])
        shares = draw_shares(n_datasets, rng)
        if scheme == "datasets":
            target, position = _fixed_models(method, n_models, shares, rng)
        else:
            many = np.random.default_rng(999).uniform(-SHARE_WIDTH, SHARE_WIDTH, 2000) + MEAN_SHARE
            target = truth(method, shares if scheme == "models" else many[:400])
            position = positions(shares, n_models, rng)
        study = as_study(similarity(position))
        row = consistency_intervals(
            analysis(study, pd.DataFrame(index=study["d00"].models), [], [method],
                     n_bootstrap=n_draws, seed=trial),
            statistics=["mean"], schemes=[scheme],
        ).iloc[0]  # fmt: skip
        for kind in hits:
            hits[kind] += row[f"{kind}_low"] <= target <= row[f"{kind}_high"]
    return {kind: n / n_trials for kind, n in hits.items()}


def _fixed_models(method, n_models, shares, rng):
    """Return the mean r of given models over many data sets, and their positions on some."""
    common = rng.normal(size=(1, n_models, DIM))

    def place(share):
        own = rng.normal(size=(len(share), n_models, DIM))
        return np.sqrt(share[:, None, None]) * common + np.sqrt(1 - share)[:, None, None] * own

    many = similarity(place(draw_shares(400, rng)))[:, *np.triu_indices(n_models, 1)]
    r = correlation_matrix(many, method)[np.triu_indices(400, 1)]
    return float(r.mean()), place(shares)


def coverage_of_gap(n_trials, seed, n_models=24, n_draws=399):
    """Accuracy is one coordinate of the position: how often intervals of r hold the truth."""
    hits = {"percentile": 0, "bca": 0}
    target = true_gap()
    for trial in range(n_trials):
        rng = np.random.default_rng([seed, trial])
        position = positions([0.0], n_models, rng)
        study = as_study(similarity(position))
        ids = study["d00"].models
        scores = pd.DataFrame({"dataset": "d00", "model": ids, "accuracy": position[0, :, 0]})
        pairs, table = gap_pairs(study, scores), pd.DataFrame(index=ids)
        row = relation_intervals(
            pairs,
            "similarity",
            "gap",
            table,
            Settings(["pearson"], n_bootstrap=n_draws, seed=trial),
        ).iloc[0]
        for kind in hits:
            hits[kind] += row[f"{kind}_low"] <= target <= row[f"{kind}_high"]
    return {kind: n / n_trials for kind, n in hits.items()}


@cache
def true_gap():
    """Return r of the gap in one coordinate and similarity over all pairs, from a large sample."""
    apart = np.sqrt(2) * np.random.default_rng(54321).normal(size=(2_000_000, DIM))
    return float(np.corrcoef(np.abs(apart[:, 0]), of_distance(np.sum(apart**2, axis=1)))[0, 1])


def planted_consistency(rho, n_models, seed):
    """Return the mean Pearson r between data sets whose positions share ``rho`` of the variance."""
    rng = np.random.default_rng(seed)
    study = as_study(similarity(positions([rho] * 6, n_models, rng)))
    return float(consistency(study)["r"].mean())
