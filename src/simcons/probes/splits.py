"""Labels as class indices, few-shot samples and the stratified validation split. NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simcons.core.errors import UserError

IntArray = NDArray[np.int64]

# Independent streams of random numbers of one seed.
STREAM_FEW_SHOT, STREAM_VALIDATION, STREAM_INIT, STREAM_SHUFFLE = range(4)


def stream(seed: int, purpose: int) -> np.random.Generator:
    """Return the generator of one purpose: drawing more for one never shifts another."""
    return np.random.default_rng([seed, purpose])


def check_labels(labels: ArrayLike, n_images: int, name: str) -> IntArray:
    """Return labels as int64 (n_images,).

    Raises
    ------
    UserError
        If they are multi-label (two-dimensional), not integers, or not one per image.
    """
    array = np.asarray(labels)
    if array.ndim != 1:
        raise UserError(
            f"{name}: labels have shape {array.shape}; a linear probe needs one label per image "
            "(multi-label data sets are not supported)"
        )
    if array.dtype.kind not in "iu":
        raise UserError(f"{name}: labels are {array.dtype}; allowed: integers")
    if len(array) != n_images:
        raise UserError(f"{name}: {len(array)} labels for {n_images} images")
    return array.astype(np.int64)


def index_labels(labels: IntArray, classes: IntArray) -> IntArray:
    """Return the position of each label in `classes` (sorted, unique), or -1 where absent."""
    position = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    return np.where(classes[position] == labels, position, -1).astype(np.int64)


def few_shot_rows(labels: IntArray, k: int, seed: int, name: str) -> IntArray:
    """Draw k images of every class without replacement.

    Parameters
    ----------
    labels
        Class indices, (n,).
    k
        Images per class.
    seed
        Decides the draw.
    name
        Named in an error.

    Returns
    -------
    IntArray
        Row numbers, ascending.

    Raises
    ------
    UserError
        If a class has fewer than k images.
    """
    rng = stream(seed, STREAM_FEW_SHOT)
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < k:
        smallest = counts.argmin()
        raise UserError(
            f"{name}: class {classes[smallest]} has {counts[smallest]} training images; "
            f"few_shot: {k} needs at least {k} of every class ({(counts < k).sum()} have fewer)"
        )
    chosen = [rng.permutation(np.flatnonzero(labels == c))[:k] for c in classes]
    return np.sort(np.concatenate(chosen))


def validation_split(
    labels: IntArray, fraction: float, seed: int, name: str
) -> tuple[IntArray, IntArray]:
    """Split rows into training and validation, stratified: each class in proportion.

    Every class gives ``fraction`` of its images; what rounding leaves over goes to the classes
    with the largest remainders (ties by the seed), so that validation holds round(fraction * n)
    images. Every class keeps at least one training image.

    Parameters
    ----------
    labels
        Class indices, (n,).
    fraction
        The share of validation.
    seed
        Decides the draw.
    name
        Named in an error.

    Returns
    -------
    tuple of IntArray
        Row numbers of training and of validation, ascending.

    Raises
    ------
    UserError
        If no image is left for validation.
    """
    rng = stream(seed, STREAM_VALIDATION)
    classes, counts = np.unique(labels, return_counts=True)
    quota = _quotas(counts, fraction, rng)
    if quota.sum() == 0:
        raise UserError(
            f"{name}: {len(labels)} training images of {len(classes)} classes leave none for "
            f"validation at validation_fraction: {fraction}; give more images per class"
        )
    validation = np.zeros(len(labels), dtype=bool)
    for c, n in zip(classes, quota, strict=True):
        validation[rng.permutation(np.flatnonzero(labels == c))[:n]] = True
    return np.flatnonzero(~validation), np.flatnonzero(validation)


def _quotas(counts: IntArray, fraction: float, rng: np.random.Generator) -> IntArray:
    """Return how many images of each class go to validation (largest remainders)."""
    exact = fraction * counts
    quota = np.minimum(np.floor(exact).astype(np.int64), counts - 1)
    # Rounded so that remainders which differ only by float noise tie, and the seed decides.
    order = np.lexsort((rng.random(len(counts)), -np.round(exact - quota, 9)))
    missing = round(fraction * int(counts.sum())) - int(quota.sum())
    for c in order:
        if missing > 0 and quota[c] < counts[c] - 1:
            quota[c] += 1
            missing -= 1
    return quota
