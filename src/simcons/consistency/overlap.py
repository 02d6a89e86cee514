"""Data sets that share images: their pairs are flagged, and results are given without them too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simcons.core.errors import UserError


def overlap_flags(datasets: Sequence[str], overlaps: Sequence[Sequence[str]]) -> NDArray[np.bool_]:
    """Return which data set pairs share images.

    Parameters
    ----------
    datasets
        Sorted names, D.
    overlaps
        Sets of data sets that share images with each other. Data sets outside the study are
        allowed there, since the list describes the data sets and not the study; a set with a name
        that resembles none is not checked further.

    Returns
    -------
    (E,) bool, in the order of ``np.triu_indices(D, 1)``.

    Raises
    ------
    UserError
        If a set has fewer than two names, or is text instead of a list.
    """
    shared = np.zeros((len(datasets), len(datasets)), dtype=bool)
    for names in overlaps:
        if isinstance(names, str) or len(names) < 2:
            raise UserError(f"consistency.overlaps: got {names!r}; each entry is a list of names")
        inside = np.isin(np.asarray(datasets, dtype=object), list(names))
        shared |= np.outer(inside, inside)
    return shared[np.triu_indices(len(datasets), k=1)]


def kept_pairs(
    datasets: Sequence[str], overlaps: Sequence[Sequence[str]]
) -> dict[bool, NDArray[np.bool_]]:
    """Return the data set pairs (E,) with those that share images in (True) and out (False).

    Without any such pair, or with no other, there is only the first.
    """
    flags = overlap_flags(datasets, overlaps)
    kept = {True: np.ones(len(flags), dtype=bool)}
    if flags.any() and not flags.all():
        kept[False] = ~flags
    return kept
