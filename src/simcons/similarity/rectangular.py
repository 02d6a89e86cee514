"""Tables with other models in their rows than in their columns: layers, one more model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simcons.core.errors import UserError
from simcons.similarity.compute import VALUES_ALONE, compute_similarity

if TYPE_CHECKING:
    import pandas as pd

    from simcons.core.arrays import Array

# Models at a time: the cost of the pairs within a group is small beside building its tiles.
GROUP = 8


def similarity_to_others(
    new: Array,
    others: Sequence[str],
    read: Callable[[str], Array],
    measures: Sequence[str],
    **options: Any,
) -> pd.DataFrame:
    """Compute the similarity of one model to many, a few of them in memory at a time.

    Parameters
    ----------
    new
        (n, d) features of the new model.
    others
        Ids of the others.
    read
        Returns the (n, d_m) features of one of them, rows aligned with those of ``new``.
    measures
        Names, see `simcons.similarity.MEASURES`.
    **options
        Passed on to `compute_similarity`. Standard errors and halves are not computed.

    Returns
    -------
    DataFrame
        ``measure, model, value``; of a measure that is not symmetric the mean of both directions,
        as in the analysis of consistency.

    Raises
    ------
    UserError
        As `compute_similarity`, or if there are no others.
    """
    import pandas as pd

    if not others:
        raise UserError("there are no models to compare with")
    options = {**options, **VALUES_ALONE}
    name = _unused(others)
    rows: list[tuple[str, str, float]] = []
    for start in range(0, len(others), GROUP):
        some = list(others[start : start + GROUP])
        result = compute_similarity({name: new, **{m: read(m) for m in some}}, measures, **options)
        for measure, matrix in result.items():
            i = matrix.index(name)
            for model in some:
                j = matrix.index(model)
                value = 0.5 * (matrix.values[i, j] + matrix.values[j, i])
                rows.append((measure, model, float(value)))
    table = pd.DataFrame(rows, columns=["measure", "model", "value"])
    return table.sort_values(["measure", "model"], ignore_index=True)


def _unused(models: Sequence[str]) -> str:
    """Return an id that none of the models has."""
    name = "new"
    while name in models:
        name += "_"
    return name


def layer_map(
    layers: Mapping[str, Any],
    others: Mapping[str, Any] | None = None,
    *,
    measure: str = "cka_linear",
    **options: Any,
) -> pd.DataFrame:
    """Compute the layer x layer map of one model, or of two, on the same images.

    Parameters
    ----------
    layers
        Layer name -> (n, d) features, in the order wanted.
    others
        The second model's layers; None: the first's.
    measure
        A measure's name.
    **options
        Passed on to `compute_similarity`.

    Returns
    -------
    DataFrame
        A row per layer of the first model, a column per layer of the second.
    """
    import pandas as pd

    rows = {f"a{i:04d}": value for i, value in enumerate(layers.values())}
    columns = rows
    if others is not None:
        columns = {f"b{i:04d}": value for i, value in enumerate(others.values())}
    options = {**VALUES_ALONE, **options}
    matrix = compute_similarity({**rows, **columns}, [measure], **options)[measure]
    at = np.ix_([matrix.index(r) for r in rows], [matrix.index(c) for c in columns])
    names = list(layers if others is None else others)
    return pd.DataFrame(matrix.values[at], index=list(layers), columns=names)
