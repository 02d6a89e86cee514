"""All of the consistency analysis in one call: tables in a dict, for stages and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pandas as pd
from threadpoolctl import threadpool_limits

from simcons.consistency.analysis import DEFAULTS, Analysis, Settings
from simcons.consistency.confounds.drivers import drivers, rank_spread
from simcons.consistency.confounds.partial import partial_consistency
from simcons.consistency.confounds.range_restriction import companions, spread, spread_matched
from simcons.consistency.confounds.reliability import corrected, reliabilities
from simcons.consistency.confounds.strata import stratified_contrasts
from simcons.consistency.correlation import RESAMPLED_METHODS
from simcons.consistency.inference.contrasts import anchor_rank_sums, contrasts
from simcons.consistency.inference.intervals import consistency_intervals
from simcons.consistency.inference.permutation import mantel
from simcons.consistency.overlap import flag_overlaps
from simcons.consistency.points.estimates import by_anchor, by_category, left_out
from simcons.core.errors import UserError

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix

Tables = dict[str, pd.DataFrame]


def analyse(
    similarities: Mapping[str, Mapping[str, SimilarityMatrix]],
    models: pd.DataFrame,
    settings: Settings = DEFAULTS,
    *,
    replicates: Mapping[str, pd.DataFrame] | None = None,
    threads: int = 1,
) -> Tables:
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

    Raises
    ------
    UserError
        For settings that make no sense, or similarities that cannot be lined up; without a method
        that intervals and tests are given for.
    """
    if not settings.resampled:
        raise UserError(
            f"consistency.methods: got {', '.join(settings.methods) or 'none'}; intervals and "
            f"tests need one of {', '.join(RESAMPLED_METHODS)} as well"
        )
    # Numpy lets go of the interpreter lock; one thread each for BLAS keeps the bits the same.
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        running = []
        for measure, matrices in similarities.items():
            analysis = Analysis.of(matrices, models, settings, measure)
            running += [(measure, pool.submit(t)) for t in _jobs(analysis, replicates)]
        found: dict[str, list[pd.DataFrame]] = {}
        for measure, tables in running:
            for name, table in tables.result().items():
                table.insert(0, "measure", measure)
                found.setdefault(name, []).append(table)
    return {name: pd.concat(found[name], ignore_index=True) for name in sorted(found)}


def _jobs(
    analysis: Analysis, replicates: Mapping[str, pd.DataFrame] | None
) -> Iterator[Callable[[], Tables]]:
    """Yield what can run at once, the longest first."""
    settings = analysis.settings
    yield lambda: _inference(analysis)
    yield lambda: {"mantel": mantel(analysis)}
    if replicates is not None:
        yield lambda: _reliability(analysis, replicates)
    if settings.anchors:
        yield lambda: _anchors(analysis)
    if settings.categories:
        yield lambda: {"drivers": drivers(analysis)}
    if settings.given:
        yield lambda: {"partial": partial_consistency(analysis)}
    if settings.contrast and settings.strata:
        yield lambda: {"stratified": stratified_contrasts(analysis)}
    yield lambda: _description(analysis)


def _inference(analysis: Analysis) -> Tables:
    """Return what shares its draws."""
    return {"intervals": consistency_intervals(analysis), "contrasts": contrasts(analysis)}


def _reliability(analysis: Analysis, replicates: Mapping[str, pd.DataFrame]) -> Tables:
    known = reliabilities(analysis, replicates)
    return {"reliability": known, "corrected": corrected(analysis, known)}


def _anchors(analysis: Analysis) -> Tables:
    table = by_anchor(analysis)
    return {"anchors": table, "anchor_rank_sums": anchor_rank_sums(table)}


def _description(analysis: Analysis) -> Tables:
    overlaps = analysis.settings.overlaps
    return {
        "consistency": flag_overlaps(by_category(analysis), overlaps),
        "left_out": left_out(analysis),
        "spread": spread(analysis),
        "companions": flag_overlaps(companions(analysis), overlaps),
        "spread_matched": spread_matched(analysis),
        "rank_spread": rank_spread(analysis),
    }
