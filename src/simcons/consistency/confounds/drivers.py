"""What drives consistency: which model pairs change their rank from data set to data set, and why.

Regression on a matrix of pairs with node permutations (MRQAP): pairs share models, so that ordinary
p values do not hold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from simcons.consistency.analysis import Analysis
from simcons.consistency.confounds.partial import orthogonal_basis
from simcons.consistency.correlation import rank_rows
from simcons.consistency.inference.permutation import holm, p_value
from simcons.consistency.pairs import Floats, PairIndex, all_pairs, pair_vectors
from simcons.consistency.points.estimates import need_two_datasets
from simcons.consistency.resample import generator, model_permutations, units

_CHUNK_ELEMENTS = 2**21


def rank_spread(analysis: Analysis) -> pd.DataFrame:
    """Return how much the standing of each model pair varies over data sets.

    Within a data set, similarities become mid-ranks scaled to (0, 1); mean and standard deviation
    (divisor D - 1) are taken over the D data sets.

    Returns
    -------
    DataFrame
        ``model_1, model_2, mean_rank, rank_spread``, sorted by models.
    """
    need_two_datasets(analysis)
    pairs = all_pairs(len(analysis.models))
    ranks = (rank_rows(pair_vectors(analysis.values, pairs)) - 0.5) / max(len(pairs), 1)
    names = np.array(analysis.models, dtype=object)
    columns = {"model_1": names[pairs.left], "model_2": names[pairs.right]}
    columns |= {"mean_rank": ranks.mean(axis=0), "rank_spread": ranks.std(axis=0, ddof=1)}
    return pd.DataFrame(columns)


def drivers(analysis: Analysis) -> pd.DataFrame:
    """Regress the spread of a pair's rank on whether its models share each category.

    Models without a value share it with none.

    Returns
    -------
    DataFrame
        A row per predictor: ``predictor, coefficient`` (change of the rank's standard deviation;
        negative: pairs that share the category keep their rank), ``t, p, r_squared`` (of the whole
        regression), ``p_holm, n_pairs, n_shared, reason``. A predictor that does not vary, or
        follows from the others, has NaN and a reason.
    """
    settings = analysis.settings
    pairs = all_pairs(len(analysis.models))
    y = rank_spread(analysis)["rank_spread"].to_numpy(dtype=np.float64)
    shared = np.stack([_shared(analysis.labels(c)) for c in settings.categories])
    rng = generator(settings.seed, "drivers")
    index = model_permutations(units(analysis.family), settings.n_permutations, rng).index
    fits = mrqap(y, shared, pairs, index)
    table = pd.DataFrame({"predictor": [f"same {c}" for c in settings.categories], **fits})
    table["p_holm"] = holm(table["p"].to_numpy())
    table["n_pairs"] = len(pairs)
    table["n_shared"] = shared[:, pairs.left, pairs.right].sum(axis=1).astype(int)
    undefined = table["t"].isna()
    table["reason"] = np.where(undefined, "does not vary, or follows from the others", "")
    return table


def _shared(labels: list[str | None]) -> Floats:
    """Return (m, m): 1 where two models have the same value."""
    codes = pd.Categorical(labels).codes  # -1 without a value
    return ((codes[:, None] == codes[None, :]) & (codes >= 0)).astype(np.float64)


def mrqap(y: Floats, predictors: Floats, pairs: PairIndex, permutations: Any) -> dict[str, Floats]:
    """Regress a pair vector on pair matrices, with p values by double semi-partialing.

    For each predictor, what the others leave of it is permuted as a matrix (rows and columns
    together), and its t statistic compared with the observed one (Dekker, Krackhardt and Snijders
    2007).

    Parameters
    ----------
    y
        (P,).
    predictors
        (k, m, m), symmetric.
    pairs
        P pairs of m models: all of them.
    permutations
        (B, m) model permutations.

    Returns
    -------
    dict
        ``coefficient, t, p`` (two-sided), each (k,); ``r_squared``.
    """
    x = predictors[:, pairs.left, pairs.right]
    full = orthogonal_basis(x.T)
    centred = y - y.mean()
    total = float(centred @ centred)
    explained = float(np.sum((full.T @ centred) ** 2))
    n_free = len(y) - full.shape[1]
    rows = []
    for k in range(len(x)):
        others = orthogonal_basis(np.delete(x, k, axis=0).T)
        left = x[k] - others @ (others.T @ x[k])
        if n_free < 1 or left @ left <= 1e-12 * max(float(x[k] @ x[k]), 1e-300):
            rows.append((np.nan, np.nan, np.nan))
            continue
        y_left = y - others @ (others.T @ y)
        beta, t = _slopes(left[None, :], y_left, n_free)
        permuted = _permuted_t(left, others, y_left, pairs, permutations, n_free)
        rows.append((float(beta[0]), float(t[0]), float(p_value(t, permuted[:, None])[0])))
    coefficient, t_values, p = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    r_squared = explained / total if total > 0 else np.nan
    return {
        "coefficient": coefficient,
        "t": t_values,
        "p": p,
        "r_squared": np.full(len(x), r_squared),
    }


def _permuted_t(
    left: Floats, others: Floats, y_left: Floats, pairs: PairIndex, permutations: Any, n_free: int
) -> Floats:
    """Return the t statistics (B,) with the residual predictor's rows and columns permuted."""
    n_models = permutations.shape[1]
    square = np.zeros((n_models, n_models))
    square[pairs.left, pairs.right] = square[pairs.right, pairs.left] = left
    step = max(1, _CHUNK_ELEMENTS // len(pairs))
    parts = []
    for start in range(0, len(permutations), step):
        index = permutations[start : start + step]
        moved = square[index[:, pairs.left], index[:, pairs.right]]
        moved -= (moved @ others) @ others.T
        parts.append(_slopes(moved, y_left, n_free)[1])
    return np.concatenate(parts)


def _slopes(x: Floats, y: Floats, n_free: int) -> tuple[Floats, Floats]:
    """Return slope and t (b,) of y (P,) on each row of x (b, P); both already freed of the others.

    By Frisch, Waugh and Lovell these are the coefficients of the whole regression.
    """
    square = np.sum(x**2, axis=1)
    beta = (x @ y) / square
    residual = np.maximum(y @ y - beta**2 * square, 0.0)
    with np.errstate(divide="ignore"):
        return beta, beta / np.sqrt(residual / n_free / square)
