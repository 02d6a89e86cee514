"""Data sets that share images: their pairs are flagged, and results are given without them too."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from simcons.consistency.pairs import Mask
from simcons.core.errors import UserError


def _sharing(overlaps: Sequence[Sequence[str]]) -> set[frozenset[str]]:
    """Return every two data sets that are in one of the sets.

    Raises
    ------
    UserError
        If a set has fewer than two names, or is text instead of a list.
    """
    for names in overlaps:
        if isinstance(names, str) or len(names) < 2:
            raise UserError(f"consistency.overlaps: got {names!r}; each entry is a list of names")
    return {frozenset(two) for names in overlaps for two in itertools.combinations(names, 2)}


def overlap_flags(datasets: Sequence[str], overlaps: Sequence[Sequence[str]]) -> Mask:
    """Return which pairs of data sets share images: (E,), in the order of `np.triu_indices`."""
    shared = _sharing(overlaps)
    pairs = itertools.combinations(datasets, 2)
    return np.array([frozenset(pair) in shared for pair in pairs], dtype=bool)


def flag_overlaps(table: pd.DataFrame, overlaps: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Add a column ``shares_images`` to a table with ``dataset_1`` and ``dataset_2``."""
    shared = _sharing(overlaps)
    pairs = zip(table["dataset_1"], table["dataset_2"], strict=True)
    return table.assign(shares_images=[frozenset(pair) in shared for pair in pairs])


def kept_pairs(datasets: Sequence[str], overlaps: Sequence[Sequence[str]]) -> dict[bool, Mask]:
    """Return the data set pairs (E,) with those that share images in (True) and out (False).

    Without any such pair, or with no other, there is only the first.
    """
    flags = overlap_flags(datasets, overlaps)
    kept = {True: np.ones(len(flags), dtype=bool)}
    if flags.any() and not flags.all():
        kept[False] = ~flags
    return kept
