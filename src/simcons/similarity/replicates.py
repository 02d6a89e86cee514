"""Uncertainty from replicates: jackknife standard errors and split-half reliability."""

from __future__ import annotations

import numpy as np

from simcons.core.arrays import Array


def jackknife_standard_error(values: Array) -> Array:
    """Return the delete-one-block jackknife standard error.

    SE^2 = (B - 1) / B sum_b (v_b - mean v)^2 (Efron and Stein, Annals of Statistics 1981).

    Parameters
    ----------
    values
        (B, ...) the value with each of the B blocks left out.

    Returns
    -------
    ndarray
        (...) standard errors; use t intervals with B - 1 degrees of freedom.
    """
    count = len(values)
    deviation = values - values.mean(axis=0)
    return np.sqrt((count - 1) / count * np.square(deviation).sum(axis=0))


def spearman_brown(r: float) -> float:
    """Return the reliability at full length from the correlation of two halves: 2r / (1 + r).

    At r = -1 there is no finite value; -inf is never of use, so r <= -1 + 1e-12 gives NaN.
    """
    return 2 * r / (1 + r) if r > -1 + 1e-12 else float("nan")


def reliability_of_halves(halves: Array) -> float | None:
    """Return the split-half reliability of a vector of values, Spearman-Brown corrected.

    Parameters
    ----------
    halves
        (2H, P) values of P pairs; rows 2k and 2k + 1 are complementary halves of split k.

    Returns
    -------
    float or None
        2r / (1 + r) of the mean r over splits; None if it cannot be estimated (fewer than 3 pairs,
        no splits, values missing or constant).
    """
    if len(halves) == 0 or halves.shape[1] < 3 or not np.isfinite(halves).all():
        return None
    centred = halves - halves.mean(axis=1, keepdims=True)
    first, second = centred[0::2], centred[1::2]
    norm = np.sqrt(np.square(first).sum(axis=1) * np.square(second).sum(axis=1))
    if not (norm > 0).all():
        return None
    value = spearman_brown(float(((first * second).sum(axis=1) / norm).mean()))
    return value if np.isfinite(value) else None
