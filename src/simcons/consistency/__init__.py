"""Consistency of similarities between data sets: point estimates, inference, confounds.

An `Analysis` holds the similarities of one measure, the model table and the settings; an analysis
is a function of it that returns a table, and `analyse` makes all of them. Nothing here reads a file
or knows a catalogue.
"""

from simcons.consistency.all_tables import analyse
from simcons.consistency.analysis import Analysis, Settings
from simcons.consistency.categories import select_models
from simcons.consistency.confounds.drivers import drivers, rank_spread
from simcons.consistency.confounds.partial import partial_consistency
from simcons.consistency.confounds.range_restriction import companions, spread, spread_matched
from simcons.consistency.confounds.reliability import (
    corrected,
    half_values,
    reliabilities,
    reliability,
)
from simcons.consistency.confounds.strata import overlap_table, stratified_contrasts
from simcons.consistency.correlation import METHODS, correlation_matrix
from simcons.consistency.digests import (
    gap_by_domain,
    headline,
    relation_headline,
    summarise,
    summarise_intervals,
    summarise_relations,
)
from simcons.consistency.inference.contrasts import anchor_rank_sums, contrasts
from simcons.consistency.inference.intervals import consistency_intervals
from simcons.consistency.inference.permutation import mantel
from simcons.consistency.inference.relations import relate_performance, relation_intervals
from simcons.consistency.points.chance_and_seeds import LEVEL_COLUMNS, level_table
from simcons.consistency.points.estimates import by_anchor, by_category, consistency, left_out
from simcons.consistency.points.performance_gap import gap_pairs, with_agreement
from simcons.consistency.points.placement import Placement, place

__all__ = [
    "LEVEL_COLUMNS",
    "METHODS",
    "Analysis",
    "Placement",
    "Settings",
    "analyse",
    "anchor_rank_sums",
    "by_anchor",
    "by_category",
    "companions",
    "consistency",
    "consistency_intervals",
    "contrasts",
    "corrected",
    "correlation_matrix",
    "drivers",
    "gap_by_domain",
    "gap_pairs",
    "half_values",
    "headline",
    "left_out",
    "level_table",
    "mantel",
    "overlap_table",
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
    "stratified_contrasts",
    "summarise",
    "summarise_intervals",
    "summarise_relations",
    "with_agreement",
]
