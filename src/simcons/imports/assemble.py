"""What those stages do: cut a study's models and measures out of ``imports/NAME/DATASET``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simcons.core.errors import known
from simcons.core.files import read_json, read_parquet

if TYPE_CHECKING:
    import pandas as pd

    from simcons.similarity import SimilarityResult

SIMILARITY, PROBES = "similarity.parquet", "probes.parquet"
SUBSET, PROVENANCE = "subset.json", "provenance.json"


def imported_similarity(
    folder: Path, models: Sequence[str], measures: Sequence[str]
) -> SimilarityResult:
    """Return published similarities as a result: no standard errors, no replicates.

    Parameters
    ----------
    folder
        ``imports/NAME/DATASET``.
    models, measures
        Those of the study.

    Raises
    ------
    UserError
        If a measure or a model was not imported.
    """
    import pandas as pd

    from simcons.similarity import SimilarityMatrix, SimilarityResult
    from simcons.similarity.folders import REPLICATE_COLUMNS

    path, names = folder / SIMILARITY, sorted(models)
    table = read_parquet(path)
    matrices = {}
    for measure in measures:
        known("measure", measure, table["measure"].unique(), key=str(path))
        rows = table[table["measure"] == measure]
        have = {*rows["model_1"], *rows["model_2"]}
        for name in names:
            known("model", name, have, key=f"{path}: {measure}")
        rows = rows[rows["model_1"].isin(names) & rows["model_2"].isin(names)]
        values = np.eye(len(names))
        one, two = (pd.Index(names).get_indexer(pd.Index(rows[c])) for c in ("model_1", "model_2"))
        values[one, two] = values[two, one] = rows["value"]
        matrices[measure] = SimilarityMatrix(names, values, measure=measure)
    empty = pd.DataFrame(columns=list(REPLICATE_COLUMNS)).astype(
        {"replicate": np.int64, "value": np.float64}
    )
    source = read_json(folder / PROVENANCE)
    metadata = {"models": names, "measures": list(measures), "imported": source}
    return SimilarityResult(matrices, empty, metadata)


def imported_probes(folder: Path, models: Sequence[str]) -> pd.DataFrame:
    """Return published accuracies of the study's models, in the columns of a results table.

    Raises
    ------
    UserError
        If a model has none.
    """
    path = folder / PROBES
    table = read_parquet(path)
    for name in sorted(models):
        known("model", name, table["model"].unique(), key=str(path))
    return table[table["model"].isin(list(models))].reset_index(drop=True)
