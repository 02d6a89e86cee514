"""Similarity of representations: the measures, the one-pass engine, matrices and their files.

Importing this subpackage is light (NumPy only); the engine, which needs torch, loads when
`compute_similarity` is called.
"""

from __future__ import annotations

import simcons.similarity.pairwise  # noqa: F401  (adds its measures to the registry)
from simcons.similarity.compute import compute_similarity
from simcons.similarity.matrix import SimilarityMatrix, SimilarityResult
from simcons.similarity.measures import MEASURES, Measure, lookup, register_measure
from simcons.similarity.replicates import split_half_reliability
from simcons.similarity.tables import read_replicates, read_similarity, write_similarity

__all__ = [
    "MEASURES",
    "Measure",
    "SimilarityMatrix",
    "SimilarityResult",
    "compute_similarity",
    "lookup",
    "read_replicates",
    "read_similarity",
    "register_measure",
    "split_half_reliability",
    "write_similarity",
]
