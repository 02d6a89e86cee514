"""Similarity of representations: the measures, the one-pass engine, matrices and their files.

Importing this subpackage is light (NumPy only); the engine, which needs torch, loads when
`compute_similarity` is called.
"""

from __future__ import annotations

from simcons.similarity.chance import chance_level, seed_level
from simcons.similarity.compute import compute_similarity
from simcons.similarity.feature_rows import read_features
from simcons.similarity.folders import (
    read_chance,
    read_replicates,
    read_similarity,
    write_similarity,
)
from simcons.similarity.matrix import SimilarityMatrix, SimilarityResult
from simcons.similarity.measures import MEASURES, Measure, lookup, register_measure
from simcons.similarity.rectangular import layer_map, similarity_to_others

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
