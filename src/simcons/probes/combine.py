"""Several models as one: concatenated features, with or without PCA, and ensembles of probes.

The combinations of the companion code of Ciernik et al. (ICML 2025).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from simcons.core.errors import UserError, known
from simcons.probes.linear import check_features, fit_linear_probe, unit_length
from simcons.probes.metrics import softmax
from simcons.probes.protocol import Protocol
from simcons.probes.results import ProbeResult, score

Combination = Literal["concat", "concat_pca", "ensemble"]
EXPLAINED_VARIANCE = 0.99

FeaturesByModel = Mapping[str, ArrayLike]


def fit_combination(
    train_x: FeaturesByModel,
    train_y: ArrayLike,
    test_x: FeaturesByModel,
    test_y: ArrayLike,
    protocol: Protocol,
    seed: int,
    how: str,
) -> ProbeResult:
    """Fit a probe on several models together.

    Parameters
    ----------
    train_x, test_x
        By model id, features (n, d_m), rows aligned.
    train_y, test_y
        Labels.
    protocol, seed
        As for `fit_linear_probe`.
    how
        ``concat``: features side by side, each model's normalised first if the protocol
        normalises, so that none outweighs the others by its scale; ``concat_pca``: then projected
        on the principal components of train that hold 99 % of the variance; ``ensemble``: a probe
        per model, their probabilities averaged.

    Returns
    -------
    ProbeResult
        Its model is ``HOW(MODEL+MODEL+...)``, models sorted.

    Raises
    ------
    UserError
        If `how` is unknown, fewer than two models are given, train and test have different models,
        or as `fit_linear_probe`.
    """
    known("combination", how, get_args(Combination))
    models = sorted(train_x)
    if len(models) < 2 or models != sorted(test_x):
        raise UserError(
            f"a combination needs the same two or more models in train and test; got "
            f"{', '.join(models)} and {', '.join(sorted(test_x))}"
        )
    if how == "ensemble":
        return ensemble(
            [
                fit_linear_probe(train_x[m], train_y, test_x[m], test_y, protocol, seed, model=m)
                for m in models
            ]
        )
    train, test = (concatenate(x, normalize=protocol.normalize) for x in (train_x, test_x))
    if how == "concat_pca":
        train, test = reduce(train, test)
    name = _name(how, models)
    return fit_linear_probe(train, train_y, test, test_y, protocol, seed, model=name)


def _name(how: str, models: Sequence[str]) -> str:
    return f"{how}({'+'.join(models)})"


def concatenate(features: FeaturesByModel, *, normalize: bool = True) -> np.ndarray:
    """Return the features of several models side by side, (n, sum of d_m), models sorted.

    Raises
    ------
    UserError
        If the models have different numbers of images, or features are not finite.
    """
    blocks = {m: check_features(features[m], m) for m in sorted(features)}
    first = next(iter(blocks))
    for model, block in blocks.items():
        if len(block) != len(blocks[first]):
            raise UserError(
                f"model '{model}' has {len(block)} images, '{first}' has {len(blocks[first])}"
            )
    return np.hstack([unit_length(b) if normalize else b for b in blocks.values()])


def reduce(
    train: np.ndarray, test: np.ndarray, variance: float = EXPLAINED_VARIANCE
) -> tuple[np.ndarray, np.ndarray]:
    """Project on the fewest principal components of train that explain a share of its variance.

    Parameters
    ----------
    train, test
        (n_train, d) and (n_test, d); test decides nothing.
    variance
        The share, in (0, 1].

    Returns
    -------
    tuple of arrays
        float32, (n_train, k) and (n_test, k).

    Raises
    ------
    UserError
        If all training images are the same.
    """
    mean = train.mean(axis=0, dtype=np.float64)
    centred = train - mean
    if len(train) > train.shape[1]:
        values, vectors = np.linalg.eigh(centred.T @ centred)
        components = vectors[:, ::-1]
    else:  # fewer images than features: the same components from the smaller Gram matrix
        values, vectors = np.linalg.eigh(centred @ centred.T)
        components = centred.T @ vectors[:, ::-1]
        components /= np.maximum(np.linalg.norm(components, axis=0), np.finfo(float).tiny)
    values = values[::-1].clip(min=0)
    if values.sum() == 0:
        raise UserError("features are the same in all training images: no principal component")
    share = np.cumsum(values) / values.sum()
    # The last share may be below 1 by rounding: never more components than there are.
    k = min(int(np.searchsorted(share, variance)) + 1, len(values))
    kept = components[:, :k]
    return (centred @ kept).astype(np.float32), ((test - mean) @ kept).astype(np.float32)


def ensemble(results: Sequence[ProbeResult]) -> ProbeResult:
    """Average the probabilities of probes of several models on the same test images.

    Parameters
    ----------
    results
        Probes of one data set and seed.

    Returns
    -------
    ProbeResult
        Its logits are log mean probabilities; it has no weights and no setting of its own.

    Raises
    ------
    UserError
        If there are fewer than two, or classes, test images, seed or protocol differ; names the
        models.
    """
    if len(results) < 2:
        raise UserError(f"an ensemble needs at least two probes; got {len(results)}")
    members = sorted(results, key=lambda r: r.model)
    first = members[0]
    for other in members[1:]:
        same = {
            "classes": np.array_equal(first.classes, other.classes),
            "test images": np.array_equal(first.targets, other.targets),
            "seeds": first.seed == other.seed,
            "protocols": first.protocol == other.protocol,
        }
        for what, equal in same.items():
            if not equal:
                raise UserError(f"probes of '{first.model}' and '{other.model}': {what} differ")
    mean = np.mean([softmax(r.logits) for r in members], axis=0)
    logits = np.log(np.maximum(mean, np.finfo(np.float32).tiny)).astype(np.float32)
    return dataclasses.replace(
        first,
        model=_name("ensemble", [r.model for r in members]),
        solver="ensemble",
        logits=logits,
        weight=np.zeros((0, 0), np.float32),
        bias=np.zeros(0, np.float32),
        **score(logits, first.targets, first.classes),
        learning_rate=np.nan,
        weight_decay=np.nan,
        n_neighbours=np.nan,
        learning_rate_on_edge=False,
        weight_decay_on_edge=False,
        validation_accuracy=np.nan,
        trials=(),
    )
