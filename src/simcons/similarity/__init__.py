"""Similarity of representations: the measures, the one-pass engine, matrices and their files.

Importing this subpackage is light (NumPy only); the engine, which needs torch, loads when
`compute_similarity` is called.
"""

from __future__ import annotations

import simcons.similarity.pairwise  # noqa: F401  (adds its measures to the registry)
from simcons.similarity.compute import compute_similarity
from simcons.similarity.folder import read_features
from simcons.similarity.levels import chance_level, layer_map, seed_level
from simcons.similarity.matrix import SimilarityMatrix, SimilarityResult
from simcons.similarity.measures import MEASURES, Measure, lookup, register_measure
from simcons.similarity.one_to_many import similarity_to_others
from simcons.similarity.tables import (
    read_chance,
    read_replicates,
    read_similarity,
    write_similarity,
)

__all__ = [
    "MEASURES",
    "Measure",
    "SimilarityMatrix",
    "SimilarityResult",
    "chance_level",
    "compute_similarity",
    "layer_map",
    "lookup",
    "read_chance",
    "read_features",
    "read_replicates",
    "read_similarity",
    "register_measure",
    "seed_level",
    "similarity_to_others",
    "write_similarity",
]
