"""Metrics of a classifier from its logits: accuracy, recall, calibration. NumPy only.

Images whose class the classifier does not know (index -1) count as wrong everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.int64]

ECE_BINS = 15


def top_k(logits: FloatArray, targets: IntArray, k: int) -> NDArray[np.bool_]:
    """Return per image whether its class is among the k largest logits.

    Parameters
    ----------
    logits
        (n, classes). Of equal logits the lower class index comes first; an image with a logit
        that is not finite is wrong.
    targets
        Class indices (n,); -1: a class that has no logit.
    k
        How many guesses are allowed.

    Returns
    -------
    NDArray
        (n,) bool.
    """
    rows = np.arange(len(targets))
    own = logits[rows, targets]
    before = np.arange(logits.shape[1])[None, :] < targets[:, None]
    ahead = (logits > own[:, None]) | ((logits == own[:, None]) & before)
    return (ahead.sum(axis=1) < k) & (targets >= 0) & np.isfinite(logits).all(axis=1)


def mean_per_class_recall(correct: NDArray[np.bool_], targets: IntArray) -> float:
    """Return the mean over the classes of the targets of the share of correct images."""
    _, inverse = np.unique(targets, return_inverse=True)
    return float((np.bincount(inverse, weights=correct) / np.bincount(inverse)).mean())


def softmax(logits: FloatArray) -> NDArray[np.float64]:
    """Return softmax over the last axis in float64, (n, classes)."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exp = np.exp(shifted)
    return exp / exp.sum(axis=-1, keepdims=True)


def expected_calibration_error(
    confidence: FloatArray, correct: NDArray[np.bool_], n_bins: int = ECE_BINS
) -> float:
    """Return the expected calibration error with bins of equal width.

    The sum over bins of (images in bin / n) * |accuracy - mean confidence| (Guo et al., ICML
    2017, eq. 3); a bin holds confidences in (low, high].

    Parameters
    ----------
    confidence
        The probability of the predicted class, (n,).
    correct
        Whether the prediction is right, (n,).
    n_bins
        The number of bins.
    """
    bins = np.ceil(confidence * n_bins).astype(np.int64).clip(1, n_bins) - 1
    gap = np.bincount(bins, weights=correct - confidence, minlength=n_bins)
    return float(np.abs(gap).sum() / len(correct))


def bootstrap_interval(correct: NDArray[np.bool_], confidence: float = 0.95) -> tuple[float, float]:
    """Return the percentile bootstrap interval of accuracy over test images.

    Resampling n images with replacement draws the number of correct ones from
    Binomial(n, accuracy); its quantiles are therefore those of infinitely many bootstrap
    replicates, without drawing any. Like every percentile bootstrap it has no width where all or
    no images are correct.

    Parameters
    ----------
    correct
        (n,) bool.
    confidence
        The interval's coverage.
    """
    from scipy.stats import binom

    n, accuracy = len(correct), float(correct.mean())
    if accuracy in (0.0, 1.0):
        return accuracy, accuracy
    tail = (1 - confidence) / 2
    low, high = binom.ppf([tail, 1 - tail], n, accuracy) / n
    return float(low), float(high)
