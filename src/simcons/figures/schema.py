"""What figures and report are made from: the tables, their columns, and one check of them.

A figure never reads a file: stages read, figures get these frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from simcons.consistency import LEVEL_COLUMNS
from simcons.core.errors import UserError, did_you_mean, known

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix

_GROUP = ("measure", "category", "group_1", "group_2")
_DATASETS = ("dataset_1", "dataset_2")
_GROUP_OF_METHOD = ("measure", "method", "category", "group_1", "group_2")
CONSISTENCY_COLUMNS = (*_GROUP_OF_METHOD, *_DATASETS, "r", "n_pairs")
GAP_COLUMNS = ("measure", "dataset", "model_1", "model_2", "similarity", "gap")
PROBE_COLUMNS = ("dataset", "model", "seed", "top1")
INTERVAL_COLUMNS = (*_GROUP_OF_METHOD, "low", "high", "level")
ANCHOR_COLUMNS = ("measure", "method", "anchor", *_DATASETS, "r", "n_pairs")
RELATION_COLUMNS = (
    *("measure", "against", "dataset", "method", "r", "bca_low", "bca_high"),
    *("n_pairs", "n_left_out"),
)
# What is drawn or listed of the tables of `simcons.consistency.analyse`; each may be absent.
ANALYSIS_COLUMNS: dict[str, tuple[str, ...]] = {
    "contrasts": (*_GROUP, "method", "estimate_1", "estimate_2", "difference", "bca_low",
                  "bca_high", "reason", "p_permutation", "smallest_p", "p_holm",
                  "p_rank_sum_bonferroni"),
    "stratified": (*_GROUP, "stratum", "n_models_1", "n_models_2", "method", "difference",
                   "p_permutation", "smallest_p", "p_holm", "reason"),
    "mantel": (*_GROUP, "method", *_DATASETS, "r", "p", "p_max", "smallest_p"),
    "spread": (*_GROUP, "dataset", "sd", "minimum", "q1", "median", "q3", "maximum", "n_pairs"),
    "companions": (*_GROUP, *_DATASETS, "r", "rmse_2_given_1", "rmse_1_given_2",
                   "median_absolute_difference", "concordance", "thorndike_1", "thorndike_2"),
    "spread_matched": (*_GROUP, "method", "spread_1", "spread_2", "reweighted", "effective_models",
                       "r_1", "r_2", "r_1_matched", "r_2_matched", "reason"),
    "drivers": ("measure", "predictor", "coefficient", "t", "p", "p_holm", "r_squared", "n_pairs",
                "n_shared", "reason"),
    "partial": (*_GROUP, "method", "given", *_DATASETS, "r_partial"),
    "corrected": (*_GROUP, "method", *_DATASETS, "r", "ceiling", "r_corrected", "shares_images",
                  "reason"),
    "levels": LEVEL_COLUMNS,
    "left_out": (*_GROUP, "n_models_1", "n_models_2", "n_pairs", "reason"),
    "anchor_rank_sums": ("measure", "method", "anchor_1", "anchor_2", "median_1", "median_2", "p",
                         "p_bonferroni"),
}  # fmt: skip


ByDataset = Mapping[str, "SimilarityMatrix"]


def empty(columns: Iterable[str]) -> pd.DataFrame:
    """Return a table with no rows."""
    return pd.DataFrame({column: [] for column in columns})


@dataclass(frozen=True)
class FigureInputs:
    """Everything that the figures of a study are drawn from.

    Parameters
    ----------
    similarities
        Measure to data set to similarity matrix; the models are the same in all of them.
    models
        Indexed by model id; columns objective, architecture_class, train_data_class, size_class,
        family.
    datasets
        Indexed by data set id; columns name, domain.
    consistency
        Tidy, columns `CONSISTENCY_COLUMNS`; category ``all`` is r over all model pairs.
    gap
        Tidy, columns `GAP_COLUMNS`; may be empty (no probes).
    probes
        Tidy, columns `PROBE_COLUMNS` at least; may be empty.
    variants
        Like ``probes``: scores of test-only data sets with the probes of their parents.
    intervals
        Intervals of the median r over data set pairs, columns `INTERVAL_COLUMNS` (see
        `median_intervals`); empty where none were computed. A column ``reason`` may say why a
        limit is NaN.
    anchors
        r of a single model's similarities to all others, columns `ANCHOR_COLUMNS`; may be empty.
    relations
        r per data set between similarity, gap in accuracy and error consistency, with intervals,
        columns `RELATION_COLUMNS` (`simcons.consistency.relate_performance`); may be empty.
    analysis
        Further tables of `simcons.consistency.analyse` by name, columns `ANALYSIS_COLUMNS`.
    method
        The study's main correlation, which figures show: the first of ``consistency.methods``.
    """

    similarities: Mapping[str, ByDataset]
    models: pd.DataFrame
    datasets: pd.DataFrame
    consistency: pd.DataFrame = field(default_factory=lambda: empty(CONSISTENCY_COLUMNS))
    gap: pd.DataFrame = field(default_factory=lambda: empty(GAP_COLUMNS))
    probes: pd.DataFrame = field(default_factory=lambda: empty(PROBE_COLUMNS))
    variants: pd.DataFrame = field(default_factory=lambda: empty(PROBE_COLUMNS))
    intervals: pd.DataFrame = field(default_factory=lambda: empty(INTERVAL_COLUMNS))
    anchors: pd.DataFrame = field(default_factory=lambda: empty(ANCHOR_COLUMNS))
    relations: pd.DataFrame = field(default_factory=lambda: empty(RELATION_COLUMNS))
    analysis: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    method: str = "pearson"

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of the analysis; without rows where it was not made."""
        return self.analysis.get(name, empty(ANALYSIS_COLUMNS[name]))

    def of_method(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of the study's main correlation; all rows of a table without methods."""
        return table[table["method"] == self.method] if "method" in table.columns else table

    def measures(self, table: pd.DataFrame) -> list[str]:
        """Return the measures that a table has of the main correlation, in the study's order."""
        have = set(self.of_method(table)["measure"])
        return [measure for measure in self.similarities if measure in have]


def check(inputs: FigureInputs) -> None:
    """Refuse inputs that do not fit each other.

    Raises
    ------
    UserError
        If a column is missing, or a model or data set is in one table and not in another.
    """
    tables = [
        ("models", inputs.models, ("objective",)),
        ("datasets", inputs.datasets, ("name", "domain")),
        ("consistency", inputs.consistency, CONSISTENCY_COLUMNS),
        ("gap", inputs.gap, GAP_COLUMNS),
        ("probes", inputs.probes, PROBE_COLUMNS),
        ("variants", inputs.variants, PROBE_COLUMNS),
        ("intervals", inputs.intervals, INTERVAL_COLUMNS),
        ("anchors", inputs.anchors, ANCHOR_COLUMNS),
        ("relations", inputs.relations, RELATION_COLUMNS),
        *((name, inputs.table(name), columns) for name, columns in ANALYSIS_COLUMNS.items()),
    ]
    for name, table, columns in tables:
        for column in columns:
            if column not in table.columns:
                have = did_you_mean(column, map(str, table.columns))
                raise UserError(f"figures: table '{name}' has no column '{column}'; {have}")
    for measure, by_dataset in inputs.similarities.items():
        _check_measure(measure, by_dataset, inputs)
    for name, table, columns in tables:
        for column in ("dataset", "dataset_1", "dataset_2"):
            if column in columns:
                _known(f"table '{name}'", "data set", table[column], inputs.datasets.index)


def median_intervals(
    table: pd.DataFrame, level: float, *, scheme: str = "both", overlapping: bool = True
) -> pd.DataFrame:
    """Return the intervals that figures and report show, from the consistency analysis' table.

    Parameters
    ----------
    table
        What `simcons.consistency.consistency_intervals` returns.
    level
        The confidence that it was made with.
    scheme
        What is resampled: ``models``, ``datasets`` or ``both``.
    overlapping
        Whether data set pairs that share images are in.

    Returns
    -------
    DataFrame
        `INTERVAL_COLUMNS` and ``reason``: BCa limits of the median over data set pairs; NaN where
        there are none, with the reason.
    """
    rows = table[
        (table["statistic"] == "median")
        & (table["scheme"] == scheme)
        & (table["overlapping"].astype(bool) == overlapping)
    ]
    rows = rows.assign(low=rows["bca_low"], high=rows["bca_high"], level=level)
    return rows[[*INTERVAL_COLUMNS, "reason"]].reset_index(drop=True)


def _check_measure(measure: str, by_dataset: ByDataset, inputs: FigureInputs) -> None:
    _known(f"measure {measure}", "data set", by_dataset, inputs.datasets.index)
    reference: tuple[str, list[str]] | None = None
    for dataset, matrix in by_dataset.items():
        _known(
            f"measure {measure}, data set {dataset}", "model", matrix.models, inputs.models.index
        )
        m = len(matrix.models)
        if np.shape(matrix.values) != (m, m):
            raise UserError(
                f"measure {measure}, data set {dataset}: {m} models but values of shape "
                f"{np.shape(matrix.values)}"
            )
        if reference is None:
            reference = (dataset, list(matrix.models))
        elif list(matrix.models) != reference[1]:
            odd = sorted(set(matrix.models) ^ set(reference[1])) or ["(another order)"]
            raise UserError(
                f"measure {measure}: data sets {reference[0]} and {dataset} do not have the same "
                f"models ({', '.join(odd[:5])}); run the similarity stage of both again"
            )


def _known(where: str, kind: str, names: Iterable[object], allowed: Iterable[object]) -> None:
    have = {str(name) for name in allowed}
    for name in sorted({str(name) for name in names}):
        known(kind, name, have, key=where)
