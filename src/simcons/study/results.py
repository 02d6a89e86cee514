"""Reading a study's results: the one loader that aggregate stages share.

They read exactly the data sets and models of the study, never a glob; a missing one stops them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from simcons.core.errors import UserError
from simcons.core.files import read_parquet
from simcons.core.paths import Paths
from simcons.probes.results import row_columns
from simcons.similarity import SimilarityMatrix, read_similarity
from simcons.study.active import refuse_leftovers
from simcons.study.params import Study

_AGREEMENT_COLUMNS = ["dataset", "model_1", "model_2", "value", "standard_error"]


def read_similarities(study: Study, paths: Paths) -> dict[str, dict[str, SimilarityMatrix]]:
    """Return the similarity matrices of the study: measure, then data set (sorted).

    Raises
    ------
    UserError
        If one is missing or has other models than the study, or data/ holds other studies' results.
    """
    refuse_leftovers(study, paths)
    models = set(study.model_specs())
    found: dict[str, dict[str, SimilarityMatrix]] = {m: {} for m in study.similarity.measures}
    for dataset in study.measured():
        folder = paths.similarity(dataset)
        for measure, matrix in read_similarity(folder, study.similarity.measures).items():
            _check_models(folder, matrix.models, models, f"similarity@{dataset}")
            found[measure][dataset] = matrix
    return found


def _check_models(path: Path, models: Iterable[str], wanted: set[str], stage: str) -> None:
    odd = sorted(wanted.symmetric_difference(models))
    if odd:
        named = ", ".join(odd[:5])
        raise UserError(
            f"{path}: its models are not the study's ({named}); run `dvc repro {stage}`"
        )


def read_probes(study: Study, paths: Paths, datasets: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the probes of the study, a row per data set, model and seed; no rows without probes.

    Parameters
    ----------
    study, paths
        The study.
    datasets
        Those that were probed by default; the study's variants can be read in the same way.

    Raises
    ------
    UserError
        If a data set's results are missing or lack a model or, unless imported, a seed.
    """
    refuse_leftovers(study, paths)
    wanted = study.probed() if datasets is None else datasets
    tables = [_probes_of(study, paths, dataset) for dataset in wanted]
    if not tables:
        return pd.DataFrame(columns=["dataset", *row_columns()])
    return pd.concat(tables, ignore_index=True)


def _probes_of(study: Study, paths: Paths, dataset: str) -> pd.DataFrame:
    path = paths.probes(dataset) / "results.parquet"
    table = read_parquet(path)
    models = study.model_specs()
    if dataset in study.imported.probes:  # with whatever seeds were published, or none named
        stage = "import_probes"
        absent = [f"'{model}'" for model in sorted(set(models) - set(table["model"]))]
    else:
        stage = "variant" if dataset in study.variants else "probe"
        wanted = {(model, seed) for model in models for seed in study.probe.seeds}
        rows = sorted(wanted - set(zip(table["model"], table["seed"], strict=True)))
        absent = [f"'{model}', seed {seed}" for model, seed in rows]
    if absent:
        raise UserError(f"{path}: no probe of model {absent[0]}; run `dvc repro {stage}@{dataset}`")
    table.insert(0, "dataset", dataset)
    return table


def predicted(study: Study) -> list[str]:
    """Return the data sets on which this study trains probes, and so has their predictions."""
    return [name for name in study.probed() if name not in study.imported.probes]


def read_error_consistency(study: Study, paths: Paths) -> pd.DataFrame:
    """Return the error consistency of every pair of models, where the study trains probes.

    Published probes hold no predictions; their data sets have no rows. A data set that takes its
    accuracy from another (``consistency.accuracy_from``) takes this from there too.

    Returns
    -------
    DataFrame
        ``dataset, model_1, model_2, value, standard_error``; NaN where it is undefined.

    Raises
    ------
    UserError
        If a data set's table is missing or has other models than the study.
    """
    models = set(study.model_specs())
    tables = []
    for dataset in predicted(study):
        path = paths.probes(dataset) / "error_consistency.parquet"
        table = read_parquet(path)
        _check_models(path, {*table["model_1"], *table["model_2"]}, models, f"probe@{dataset}")
        table.insert(0, "dataset", dataset)
        tables.append(table)
    if not tables:
        return pd.DataFrame(columns=_AGREEMENT_COLUMNS)
    return _with_borrowed(study, pd.concat(tables, ignore_index=True))


def _with_borrowed(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table and, of data sets that take their accuracy from another, the other's rows."""
    borrowed = [
        table[table["dataset"] == other].assign(dataset=name)
        for name, other in sorted(study.consistency.accuracy_from.items())
    ]
    return pd.concat([table, *borrowed], ignore_index=True)


def gap_inputs(
    study: Study, similarities: Mapping[str, Mapping[str, SimilarityMatrix]], probes: pd.DataFrame
) -> tuple[dict[str, dict[str, SimilarityMatrix]], pd.DataFrame]:
    """Return what the gap in accuracy is computed from.

    Returns
    -------
    similarities : dict
        Measure, then data set: those whose accuracies are known, their own or another's
        (``consistency.accuracy_from``). A measure without any is not there.
    accuracies : DataFrame
        Columns dataset, model, accuracy (top-1, mean over seeds), for these data sets.
    """
    mean = probes.groupby(["dataset", "model"], sort=True)["top1"].mean()
    scores = _with_borrowed(study, mean.rename("accuracy").reset_index())
    known = set(scores["dataset"])
    chosen = {
        measure: {name: matrix for name, matrix in by_dataset.items() if name in known}
        for measure, by_dataset in similarities.items()
    }
    return {measure: by for measure, by in chosen.items() if by}, scores
