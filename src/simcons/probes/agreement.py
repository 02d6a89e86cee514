"""Do two models err on the same images? Agreement beyond chance, from test predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simcons.core.errors import UserError
from simcons.probes.results import ProbeResult

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


def error_consistency(correct: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """Return the error consistency of every pair of models on one set of images.

    kappa = (c_obs - c_exp) / (1 - c_exp), where c_obs is the share of images on which both are
    right or both wrong, and c_exp = p_1 p_2 + (1 - p_1)(1 - p_2) the share to be expected of
    independent models of accuracies p_1, p_2 (Geirhos, Meding and Wichmann, NeurIPS 2020, eq. 1
    and 2; Cohen's kappa). 1: the same errors; 0: as by chance; negative: fewer than by chance.

    The standard error is that of the delete-one-image jackknife, exactly: an image is in one of
    four cells (right or wrong, of each model), so there are only four different deletions.

    Parameters
    ----------
    correct
        By model id, whether each test image is classified rightly, (n,) bool, rows aligned.

    Returns
    -------
    DataFrame
        model_1, model_2, value, standard_error: every unordered pair once, sorted; as in the files
        of similarities. NaN where kappa is not defined: both models right, or both wrong, on every
        image.

    Raises
    ------
    UserError
        If there are fewer than two models or two images, the numbers of images differ, or a value
        is not bool.
    """
    import pandas as pd

    models = sorted(correct)
    cells = _cells(_stack(correct, models))
    value, standard_error = kappa(cells), _jackknife(cells)
    first, second = np.triu_indices(len(models), k=1)
    return pd.DataFrame(
        {
            "model_1": [models[i] for i in first],
            "model_2": [models[j] for j in second],
            "value": value[first, second],
            "standard_error": standard_error[first, second],
        }
    )


def probe_error_consistency(results: Iterable[ProbeResult]) -> pd.DataFrame:
    """Return the error consistency of probes, averaged over seeds.

    Parameters
    ----------
    results
        Probes of one data set: every model with the same seeds. They are read one after another,
        so a generator that loads them keeps one at a time in memory.

    Returns
    -------
    DataFrame
        As of `error_consistency`. Value and standard error are means over seeds: the error is that
        of the images, which all seeds share.

    Raises
    ------
    UserError
        If a model lacks a seed that another has, or test images differ; names the model.
    """
    by_seed: dict[int, dict[str, NDArray[np.bool_]]] = {}
    first: tuple[str, NDArray[np.int64]] | None = None
    for result in results:
        name, targets = first = first or (result.model, result.targets)
        if not np.array_equal(result.targets, targets):
            raise UserError(f"probes of '{result.model}' and '{name}' have different test images")
        by_seed.setdefault(result.seed, {})[result.model] = result.correct
    if not by_seed:
        raise UserError("no probe results for error consistency")
    everyone = sorted(set().union(*by_seed.values()))
    for seed, some in sorted(by_seed.items()):
        for model in everyone:
            if model not in some:
                raise UserError(f"model '{model}' has no probe of seed {seed}; other models have")
    tables = [error_consistency(correct) for _, correct in sorted(by_seed.items())]
    mean = tables[0].copy()
    for column in ("value", "standard_error"):
        mean[column] = np.mean([t[column] for t in tables], axis=0)
    return mean


def _stack(correct: Mapping[str, ArrayLike], models: list[str]) -> NDArray[np.bool_]:
    """Return (models, images), checked."""
    rows = [np.asarray(correct[m]) for m in models]
    if len(rows) < 2:
        raise UserError(f"error consistency needs at least two models; got {len(rows)}")
    for model, row in zip(models, rows, strict=True):
        if row.dtype != np.bool_ or row.ndim != 1:
            raise UserError(
                f"model '{model}': got {row.dtype} {row.shape}; allowed: bool (images,)"
            )
        if len(row) != len(rows[0]):
            raise UserError(
                f"model '{model}' has {len(row)} images, '{models[0]}' has {len(rows[0])}"
            )
    if len(rows[0]) < 2:
        raise UserError(f"error consistency needs at least two images; got {len(rows[0])}")
    return np.stack(rows)


def _cells(right: NDArray[np.bool_]) -> FloatArray:
    """Return image counts (4, m, m): both right, first only, second only, both wrong."""
    yes = right.astype(np.float64)
    no = 1 - yes
    return np.stack([yes @ yes.T, yes @ no.T, no @ yes.T, no @ no.T])


def kappa(cells: FloatArray) -> FloatArray:
    """Return Cohen's kappa from counts of the four cells, (4, ...) -> (...); NaN if undefined."""
    both, first_only, second_only, neither = cells / cells.sum(axis=0)
    p_1, p_2 = both + first_only, both + second_only
    expected = p_1 * p_2 + (1 - p_1) * (1 - p_2)
    # Exact where it matters: with counts of 0 in all cells but one, 1 - expected is 0 or noise.
    defined = (cells > 0).sum(axis=0) > 1
    chance = np.where(defined, 1 - expected, 1.0)
    return np.where(defined, (both + neither - expected) / chance, np.nan)


def _jackknife(cells: FloatArray) -> FloatArray:
    """Return the delete-one-image jackknife standard error of kappa, (m, m).

    NaN where kappa, or kappa without one of the images, is not defined.
    """
    n = cells.sum(axis=0)
    unit = np.eye(4)[:, :, None, None]
    without = [np.where(cells[c] > 0, kappa(np.maximum(cells - unit[c], 0)), 0) for c in range(4)]
    left_out = np.stack(without)
    mean = (cells * left_out).sum(axis=0) / n
    spread = (cells * (left_out - mean) ** 2).sum(axis=0)
    return np.where(np.isnan(kappa(cells)), np.nan, np.sqrt((n - 1) / n * spread))
