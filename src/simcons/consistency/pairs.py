"""Model pairs: similarity matrices of several data sets as one array, and vectors over pairs.

Everything here is index arithmetic, no statistics. A *pair* is an unordered pair of two different
models; a pair vector holds one value per pair, always in the order of `PairIndex`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simcons.core.errors import UserError, known

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PairIndex:
    """Unordered pairs of models as two index arrays, ``left < right``, in lexicographic order."""

    left: Ints
    right: Ints

    def __len__(self) -> int:
        return len(self.left)


def align(
    similarities: Mapping[str, SimilarityMatrix], models: Iterable[str] | None = None
) -> tuple[list[str], list[str], Floats]:
    """Bring the similarity matrices of several data sets into one array.

    A matrix of a non-symmetric measure is replaced by the mean of its two directions, since
    consistency is defined over unordered pairs.

    Parameters
    ----------
    similarities
        A matrix per data set.
    models
        Ids to keep; None: every model that any data set has.

    Returns
    -------
    datasets, models, values
        Sorted names (D), sorted ids (m) and the similarities (D, m, m) float64, symmetric; the
        diagonal is never used.

    Raises
    ------
    UserError
        If there is no data set, a model is missing from a data set, or a similarity of two
        different models is not a finite number.
    """
    if not similarities:
        raise UserError("consistency: no similarity matrices were given; give one per data set")
    datasets = sorted(similarities)
    have = sorted({m for d in datasets for m in similarities[d].models})
    wanted = have if models is None else sorted(set(models))
    for model in wanted:
        known("model", model, have, key="similarity matrices")
    return datasets, wanted, np.stack([_select(similarities[d], wanted, d) for d in datasets])


def _select(matrix: SimilarityMatrix, models: list[str], dataset: str) -> Floats:
    """Return the (m, m) similarities of ``models``, symmetric, or say what is missing."""
    position = {model: k for k, model in enumerate(matrix.models)}
    missing = [model for model in models if model not in position]
    if missing:
        raise UserError(
            f"data set {dataset!r} has no similarities for {len(missing)} model(s): "
            f"{', '.join(missing[:8])}{', ...' if len(missing) > 8 else ''}; compute them "
            "(rerun its similarity stage) or leave the models out everywhere"
        )
    index = np.array([position[model] for model in models], dtype=np.intp)
    values = np.asarray(matrix.values, dtype=np.float64)[np.ix_(index, index)]
    values = 0.5 * (values + values.T)
    bad = ~np.isfinite(values)
    np.fill_diagonal(bad, False)
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise UserError(
            f"data set {dataset!r}: the similarity of {models[i]!r} and {models[j]!r} is "
            f"{values[i, j]} (a model with constant features?); remove the model or recompute"
        )
    return values


def membership(models: list[str], chosen: Iterable[str] | None) -> Mask:
    """Return a mask (m,) of the models that are in ``chosen`` (None: all of them)."""
    if chosen is None:
        return np.ones(len(models), dtype=bool)
    wanted = set(chosen)
    for model in sorted(wanted):
        known("model", model, models)
    return np.array([model in wanted for model in models], dtype=bool)


def pair_index(first: Mask, second: Mask) -> PairIndex:
    """Return the unordered, unique pairs of a model in ``first`` and a different one in ``second``.

    Parameters
    ----------
    first, second
        Masks (m,); they may overlap.
    """
    either = np.outer(first, second)
    return PairIndex(*np.nonzero(np.triu(either | either.T, k=1)))


def all_pairs(n_models: int) -> PairIndex:
    """Return every pair of ``n_models`` models."""
    return PairIndex(*np.triu_indices(n_models, k=1))


def pair_vectors(values: Floats, pairs: PairIndex) -> Floats:
    """Return the similarities (D, P) of the pairs from matrices (D, m, m)."""
    return values[:, pairs.left, pairs.right]
