"""All of the consistency analysis in one call: tables in a dict, for stages and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from threadpoolctl import threadpool_limits

from simcons.consistency.anchors import anchor_rank_sums, by_anchor
from simcons.consistency.ceiling import corrected, reliabilities
from simcons.consistency.confounds import partial_consistency, stratified_contrasts
from simcons.consistency.core import (
    ALL,
    by_category,
    dataset_pairs,
    key,
    put,
    rounded,
    with_measure,
)
from simcons.consistency.drivers import drivers, rank_spread
from simcons.consistency.intervals import Sampler, consistency_intervals
from simcons.consistency.overlap import overlap_flags
from simcons.consistency.pairs import stack
from simcons.consistency.permutation import contrasts, mantel
from simcons.consistency.spread import companions, spread, spread_matched
from simcons.consistency.weighted import RESAMPLED_METHODS

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix


@dataclass(frozen=True)
class Settings:
    """What to analyse, and how; the section ``consistency`` of params.yaml.

    Attributes
    ----------
    methods
        Correlations; ``kendall`` is given as a point estimate only.
    categories
        Columns of the model table.
    min_pairs
        Groups with fewer model pairs are left out, and listed.
    n_bootstrap, n_permutations, confidence, seed
        Of intervals and tests.
    strata
        What the stratified contrasts of ``contrast`` hold fixed.
    contrast
        The category of the stratified contrasts.
    given
        What the partial correlations hold fixed.
    anchors
        Ids of single anchor models.
    overlaps
        Sets of data sets that share images.
    """

    methods: Sequence[str] = ("pearson", "spearman")
    categories: Sequence[str] = ()
    min_pairs: int = 3
    n_bootstrap: int = 2000
    n_permutations: int = 2000
    confidence: float = 0.95
    seed: int = 0
    contrast: str | None = None
    strata: Sequence[str] = ()
    given: Sequence[str] = ()
    anchors: Sequence[str] = ()
    overlaps: Sequence[Sequence[str]] = ()

    @property
    def resampled(self) -> list[str]:
        """The methods that intervals and tests are given for."""
        return [method for method in self.methods if method in RESAMPLED_METHODS]


def analyse(
    similarities: Mapping[str, Mapping[str, SimilarityMatrix]],
    models: pd.DataFrame,
    settings: Settings,
    *,
    replicates: Mapping[str, pd.DataFrame] | None = None,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """Return every table of the consistency analysis.

    Parameters
    ----------
    similarities
        Per measure, a similarity matrix per data set.
    models
        Model table indexed by id.
    settings
        What to analyse.
    replicates
        Per data set the table of replicates (of all measures), for reliabilities; None: none are
        computed.
    threads
        How many analyses run at once. It does not change a result.

    Returns
    -------
    dict
        ``consistency, left_out, intervals, contrasts, mantel, spread, companions, spread_matched,
        rank_spread``, and where asked for ``drivers, partial, stratified, anchors,
        anchor_rank_sums, reliability, corrected``; the first column of each is ``measure``, in the
        order given.
    """
    jobs: list[Callable[[], dict[str, pd.DataFrame]]] = []
    for measure, matrices in similarities.items():
        inputs = _Inputs(matrices, models, settings, measure, replicates)
        jobs += [inputs.inference, inputs.permutation, inputs.on_request]
        jobs += [inputs.point, inputs.description, inputs.confounds]
    # Numpy lets go of the interpreter lock; one thread each for BLAS keeps the bits the same.
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        return combine([tables.result() for tables in [pool.submit(job) for job in jobs]])


@dataclass(frozen=True)
class _Inputs:
    """What every analysis takes; each method is one kind of table."""

    similarities: Mapping[str, SimilarityMatrix]
    models: pd.DataFrame
    settings: Settings
    measure: str
    replicates: Mapping[str, pd.DataFrame] | None

    def point(self) -> dict[str, pd.DataFrame]:
        """Point estimates, and what is left out of them."""
        s = self.settings
        where = (self.similarities, self.models, s.categories, s.methods, s.min_pairs)
        found = by_category(*where, measure=self.measure)
        return {
            "consistency": flag_overlaps(found.table, s.overlaps),
            "left_out": found.left_out,
        }

    def inference(self) -> dict[str, pd.DataFrame]:
        """Intervals, and contrasts between the same draws."""
        s = self.settings
        where = (self.similarities, self.models, s.categories, s.resampled)
        sampler = Sampler(stack(self.similarities), self.models, s.n_bootstrap, s.seed)
        return {
            "intervals": consistency_intervals(
                *where,
                n_bootstrap=s.n_bootstrap,
                confidence=s.confidence,
                seed=s.seed,
                overlaps=s.overlaps,
                measure=self.measure,
                sampler=sampler,
            ),
            "contrasts": contrasts(
                *where,
                n_bootstrap=s.n_bootstrap,
                n_permutations=s.n_permutations,
                confidence=s.confidence,
                seed=s.seed,
                measure=self.measure,
                sampler=sampler,
            ),
        }

    def permutation(self) -> dict[str, pd.DataFrame]:
        """The test of no consistency at all."""
        s = self.settings
        where = (self.similarities, self.models, s.categories, s.resampled)
        return {
            "mantel": mantel(
                *where, n_permutations=s.n_permutations, seed=s.seed, measure=self.measure
            )
        }

    def description(self) -> dict[str, pd.DataFrame]:
        """Spread, companions of r, and the standing of each model pair."""
        s = self.settings
        where = (self.similarities, self.models, s.categories)
        return {
            "spread": spread(*where, measure=self.measure),
            "companions": flag_overlaps(companions(*where, measure=self.measure), s.overlaps),
            "spread_matched": spread_matched(*where, s.resampled, measure=self.measure),
            "rank_spread": with_measure(rank_spread(self.similarities), self.measure),
        }

    def confounds(self) -> dict[str, pd.DataFrame]:
        """What goes with what, and what is left with something held fixed."""
        s = self.settings
        tables = {}
        if s.categories:
            tables["drivers"] = drivers(
                self.similarities,
                self.models,
                s.categories,
                n_permutations=s.n_permutations,
                seed=s.seed,
                measure=self.measure,
            )
        if s.given:
            tables["partial"] = partial_consistency(
                self.similarities,
                self.models,
                s.categories,
                s.given,
                s.resampled,
                measure=self.measure,
            )
        if s.contrast and s.strata:
            tables["stratified"] = stratified_contrasts(
                self.similarities,
                self.models,
                s.contrast,
                s.strata,
                s.resampled,
                n_permutations=s.n_permutations,
                seed=s.seed,
                measure=self.measure,
            )
        return tables

    def on_request(self) -> dict[str, pd.DataFrame]:
        """Anchors if any are named, reliabilities if there are replicates."""
        s = self.settings
        tables = {}
        if s.anchors:
            table = by_anchor(self.similarities, s.anchors, s.methods, measure=self.measure)
            tables["anchors"] = table
            tables["anchor_rank_sums"] = with_measure(anchor_rank_sums(table), self.measure)
        if self.replicates is not None:
            where = (self.models, s.categories, s.resampled)
            known = reliabilities(self.similarities, self.replicates, *where, measure=self.measure)
            tables["reliability"] = known
            tables["corrected"] = corrected(
                self.similarities, known, *where, measure=self.measure, overlaps=s.overlaps
            )
        return tables


def flag_overlaps(table: pd.DataFrame, overlaps: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Add a column ``shares_images`` to a table with ``dataset_1`` and ``dataset_2``."""
    datasets = sorted({*table["dataset_1"], *table["dataset_2"]})
    one, two = dataset_pairs(datasets)
    flags = overlap_flags(datasets, overlaps)
    shared = {
        (datasets[i], datasets[j])
        for i, j, flag in zip(one.tolist(), two.tolist(), flags, strict=True)
        if flag
    }
    pairs = zip(table["dataset_1"], table["dataset_2"], strict=True)
    return table.assign(shares_images=[pair in shared for pair in pairs])


def combine(tables: Sequence[Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Put the tables of several measures below each other, by name."""
    names = sorted({name for part in tables for name in part})
    return {
        name: pd.concat([part[name] for part in tables if name in part], ignore_index=True)
        for name in names
    }


def headline(summary: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return the few numbers of ``metrics/consistency.json``, by which runs are compared.

    Parameters
    ----------
    summary
        The digests of `summarise` and `summarise_intervals` in one: of every group.
    method
        The correlation to take; the study's first.

    Returns
    -------
    dict
        ``{measure: {r, low, high, within: {objective: r}}}``: median r over data set pairs of all
        models with its BCa interval over models and data sets (None where there is none), and
        within each objective.
    """
    result: dict[str, Any] = {}
    for measure, by_method in summary.items():
        groups = by_method.get(key(method), {})
        everything = groups.get(ALL, {})
        within: dict[str, Any] = {}
        for name, digest in groups.get("objective", {}).items():
            one, _, two = name.partition("__")
            if one == two:
                within[one] = digest["median"]
        result[measure] = {
            "r": everything.get("median"),
            "low": everything.get("low"),
            "high": everything.get("high"),
            "within": within,
        }
    return result


def summarise_intervals(table: pd.DataFrame) -> dict[str, Any]:
    """Return the digest of `consistency_intervals` for ``metrics/consistency_groups.json``.

    The median over data set pairs with the BCa interval over models and data sets, all data set
    pairs included.

    Returns
    -------
    dict
        ``{measure: {method: {category: {"value_1__value_2": {low, high, available}}}}}``,
        ``all`` without the inner level; limits are None where unavailable.
    """
    chosen = table[
        (table["statistic"] == "median") & (table["scheme"] == "both") & table["overlapping"]
    ]
    result: dict[str, Any] = {}
    for row in chosen.sort_values(["measure", "method"], kind="stable").to_dict("records"):
        place = result.setdefault(key(row["measure"]), {}).setdefault(key(row["method"]), {})
        digest = {
            "low": rounded(row["bca_low"]),
            "high": rounded(row["bca_high"]),
            "available": bool(row["available"]),
        }
        if row["category"] == ALL:
            place[ALL] = digest
        else:
            name = f"{key(row['group_1'])}__{key(row['group_2'])}"
            put(place.setdefault(key(row["category"]), {}), name, digest)
    return result
