"""Consistency of similarities between data sets: pair vectors, correlation, groups, inference.

Analysis code takes similarity matrices and a model table (indexed by id) as arguments; it reads no
file and knows no catalogue.
"""

from simcons.consistency.core import ConsistencyTables, by_category, consistency, summarise
from simcons.consistency.correlation import METHODS, correlation_matrix
from simcons.consistency.gap import gap_pairs, performance_gap, summarise_gap
from simcons.consistency.pairs import PairIndex, Stack, pair_index, pair_vectors, stack

__all__ = [
    "METHODS",
    "ConsistencyTables",
    "PairIndex",
    "Stack",
    "by_category",
    "consistency",
    "correlation_matrix",
    "gap_pairs",
    "pair_index",
    "pair_vectors",
    "performance_gap",
    "stack",
    "summarise",
    "summarise_gap",
]
