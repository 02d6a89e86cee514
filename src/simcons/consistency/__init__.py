"""Consistency of similarities between data sets: pair vectors, correlation, groups, inference.

Analysis code takes similarity matrices and a model table (indexed by id) as arguments; it reads no
file and knows no catalogue. `analyse` does all of it for one measure.
"""

from simcons.consistency.analysis import (
    Settings,
    analyse,
    combine,
    flag_overlaps,
    headline,
    summarise_intervals,
)
from simcons.consistency.anchors import anchor_rank_sums, by_anchor
from simcons.consistency.ceiling import corrected, half_values, reliabilities, reliability
from simcons.consistency.confounds import (
    overlap_table,
    partial_consistency,
    stratified_contrasts,
)
from simcons.consistency.core import ConsistencyTables, by_category, consistency, summarise
from simcons.consistency.correlation import METHODS, correlation_matrix
from simcons.consistency.drivers import drivers, rank_spread
from simcons.consistency.gap import gap_pairs, summarise_gap
from simcons.consistency.gap_inference import (
    gap_by_domain,
    relate_performance,
    relation_headline,
    relation_intervals,
    summarise_relations,
    with_agreement,
)
from simcons.consistency.intervals import consistency_intervals
from simcons.consistency.levels import level_table
from simcons.consistency.overlap import overlap_flags
from simcons.consistency.pairs import PairIndex, Stack, pair_index, pair_vectors, stack
from simcons.consistency.permutation import contrasts, holm, mantel
from simcons.consistency.place import Placement, place
from simcons.consistency.rules import select_models
from simcons.consistency.spread import companions, spread, spread_matched

__all__ = [
    "METHODS",
    "ConsistencyTables",
    "PairIndex",
    "Placement",
    "Settings",
    "Stack",
    "analyse",
    "anchor_rank_sums",
    "by_anchor",
    "by_category",
    "combine",
    "companions",
    "consistency",
    "consistency_intervals",
    "contrasts",
    "corrected",
    "correlation_matrix",
    "drivers",
    "flag_overlaps",
    "gap_by_domain",
    "gap_pairs",
    "half_values",
    "headline",
    "holm",
    "level_table",
    "mantel",
    "overlap_flags",
    "overlap_table",
    "pair_index",
    "pair_vectors",
    "partial_consistency",
    "place",
    "rank_spread",
    "relate_performance",
    "relation_headline",
    "relation_intervals",
    "reliabilities",
    "reliability",
    "select_models",
    "spread",
    "spread_matched",
    "stack",
    "stratified_contrasts",
    "summarise",
    "summarise_gap",
    "summarise_intervals",
    "summarise_relations",
    "with_agreement",
]
