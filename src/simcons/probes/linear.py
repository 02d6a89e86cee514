"""`fit_linear_probe`: one model's features, one protocol, one seed -> a `ProbeResult`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike

from simcons.core.errors import UserError
from simcons.probes import batched, knn, lbfgs, ridge, splits
from simcons.probes.problem import Images, Problem, Solution
from simcons.probes.protocol import Protocol
from simcons.probes.results import ProbeResult, score

log = logging.getLogger(__name__)

SOLVERS: dict[str, Callable[[Problem, Protocol, int], Solution]] = {
    "adamw": batched.solve,
    "lbfgs": lbfgs.solve,
    "ridge": ridge.solve,
    "knn": knn.solve,
}


def fit_linear_probe(
    train_x: ArrayLike,
    train_y: ArrayLike,
    test_x: ArrayLike,
    test_y: ArrayLike,
    protocol: Protocol,
    seed: int,
    *,
    model: str = "features",
    device: str = "cpu",
) -> ProbeResult:
    """Choose a setting on validation images, refit on all of train, and test.

    With the solver ``adamw`` it is the protocol of Ciernik et al. (ICML 2025); see `Protocol` for
    it and the other solvers, and `simcons.probes.sweep` for the search. Nothing is warm-started:
    every setting begins at the same weights. Every
    random choice (few-shot sample, validation split, initial weights, batches) comes from the seed
    alone, so every setting sees the same batches, and so does every model of a data set.

    Labels may be any integers. A class of the test images that no training image has is kept in
    the result by name (`unseen_classes`), logged as a warning, and its images count as wrong.

    Parameters
    ----------
    train_x, test_x
        Features, (n_train, d) and (n_test, d).
    train_y, test_y
        Integer labels, (n_train,) and (n_test,).
    protocol
        How to train and choose.
    seed
        Not negative.
    model
        Kept in the result and named in errors.
    device
        Where to compute, such as ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    ProbeResult
        Weights, test logits, metrics and every setting tried.

    Raises
    ------
    UserError
        If features are not finite or have the wrong shape; labels are multi-label, not integers or
        of one class only; a class has too few images for few-shot; or memory_gb is too small.
    """
    started = time.perf_counter()
    test_features = check_features(test_x, f"{model}, test")
    test_labels = splits.check_labels(test_y, len(test_features), f"{model}, test")
    features, labels = _training_images(train_x, train_y, protocol, seed, model)
    if features.shape[1] != test_features.shape[1]:
        raise UserError(
            f"{model}: {features.shape[1]} features in train but {test_features.shape[1]} in test"
        )
    classes = np.unique(labels)
    indices = splits.index_labels(labels, classes)
    rows, held_out = splits.validation_split(
        indices, protocol.validation_fraction, seed, f"{model}, train"
    )
    with torch.no_grad():
        train = Images(_inputs(features, protocol, device), torch.from_numpy(indices).to(device))
        test = _inputs(test_features, protocol, device)
        problem = Problem(train, train.rows(rows), train.rows(held_out), test, len(classes))
        solution = SOLVERS[protocol.solver](problem, protocol, seed)
    chosen, penalties = solution.chosen, protocol.weight_decays.values()
    result = ProbeResult(
        model=model,
        seed=seed,
        solver=protocol.solver,
        classes=classes,
        logits=np.ascontiguousarray(solution.logits),
        targets=test_labels,
        weight=np.ascontiguousarray(solution.weights[:, :-1]),
        bias=np.ascontiguousarray(solution.weights[:, -1]),
        **score(solution.logits, test_labels, classes),
        learning_rate=chosen.learning_rate,
        weight_decay=chosen.penalty,
        n_neighbours=float(np.nan if chosen.n_neighbours is None else chosen.n_neighbours),
        learning_rate_on_edge=_on_edge(chosen.learning_rate, protocol.learning_rates),
        weight_decay_on_edge=_on_edge(chosen.penalty, penalties),
        validation_accuracy=chosen.validation_accuracy,
        n_train=len(indices),
        n_validation=len(held_out),
        n_test=len(test_labels),
        unseen_classes=tuple(np.setdiff1d(test_labels, classes).tolist()),
        trials=tuple(solution.trials),
        protocol=protocol.identity(),
    )
    _report(result, time.perf_counter() - started)
    return result


def check_features(features: ArrayLike, name: str) -> np.ndarray:
    """Return features as float32 (n, d).

    Raises
    ------
    UserError
        If the shape is wrong, there are no images or a value is not finite.
    """
    array = np.asarray(features)
    if array.ndim != 2 or 0 in array.shape:
        raise UserError(f"{name}: features have shape {array.shape}; allowed: (images, features)")
    array = array.astype(np.float32, copy=False)
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        raise UserError(
            f"{name}: {(~finite).sum()} of {len(array)} images have features that are NaN or "
            f"infinite, the first in row {int(np.argmin(finite))}; extract the features again"
        )
    return array


def _training_images(
    x: ArrayLike, y: ArrayLike, protocol: Protocol, seed: int, model: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return checked training features and labels, the few-shot sample if one is asked for."""
    name = f"{model}, train"
    features = check_features(x, name)
    labels = splits.check_labels(y, len(features), name)
    if len(np.unique(labels)) < 2:
        raise UserError(f"{name}: one class only (label {labels[0]}); a probe needs at least two")
    if protocol.few_shot is None:
        return features, labels
    rows = splits.few_shot_rows(labels, protocol.few_shot, seed, name)
    return features[rows], labels[rows]


def _inputs(x: np.ndarray, protocol: Protocol, device: str) -> torch.Tensor:
    """Return features, normalised if the protocol says so, with a column of ones, (n, d + 1)."""
    inputs = torch.ones(len(x), x.shape[1] + 1)
    inputs[:, :-1] = torch.from_numpy(unit_length(x) if protocol.normalize else x)
    return inputs.to(device)


def unit_length(x: np.ndarray) -> np.ndarray:
    """Return rows scaled to Euclidean length 1, float32; a row of zeros stays."""
    # In float64, since squares of large float32 features overflow, but without float64 copies.
    norms = np.sqrt(np.einsum("ij,ij->i", x, x, dtype=np.float64))[:, None]
    unit = np.empty_like(x)
    return np.divide(x, np.where(norms > 0, norms, 1.0), out=unit, casting="same_kind")


def _on_edge(value: float, grid: Sequence[float]) -> bool:
    return len(grid) > 1 and value in (min(grid), max(grid))


def _report(result: ProbeResult, seconds: float) -> None:
    """Log the wall time (never part of an output: outputs repeat to the byte) and warnings."""
    log.info(
        "probe %s seed %d: top-1 %.4f in %.2f s", result.model, result.seed, result.top1, seconds
    )
    if result.unseen_classes:
        log.warning(
            "probe %s: test classes that train does not have, counted as wrong: %s",
            result.model,
            ", ".join(map(str, result.unseen_classes)),
        )
