"""`fit_linear_probe`: one model's features, one protocol, one seed -> a `ProbeResult`."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike

from simcons.errors import UserError
from simcons.probes import batched, splits, sweep
from simcons.probes.protocol import Protocol
from simcons.probes.results import ProbeResult, Trial, make_result

log = logging.getLogger(__name__)


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
    """Choose learning rate and penalty on validation images, refit on all of train, and test.

    The protocol of Ciernik et al. (ICML 2025); see `Protocol` and `simcons.probes.sweep`. Every
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
    with torch.no_grad():
        train = _images(features, splits.index_labels(labels, classes), protocol, device)
        trials, n_validation = _sweep(train, len(classes), protocol, seed, model)
        chosen = sweep.best(trials)
        setting = (chosen.learning_rate, chosen.penalty)
        weights = batched.train(train, len(classes), [setting], protocol, seed)[0]
        test = _images(test_features, splits.index_labels(test_labels, classes), protocol, device)
        logits = torch.mm(test.inputs, weights.T).cpu().numpy()
    result = make_result(
        model=model,
        seed=seed,
        classes=classes,
        logits=logits,
        targets=test_labels,
        weights=weights.cpu().numpy(),
        trials=trials,
        chosen=chosen,
        protocol=protocol,
        n_train=len(train),
        n_validation=n_validation,
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


def _images(x: np.ndarray, y: np.ndarray, protocol: Protocol, device: str) -> batched.Images:
    """Return images on the device, normalised if the protocol says so, with a column of ones."""
    inputs = torch.ones(len(x), x.shape[1] + 1)
    inputs[:, :-1] = torch.from_numpy(x)
    if protocol.normalize:
        # In float64: the squares of large float32 features overflow.
        norms = np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
        scale = np.where(norms > 0, norms, 1.0)
        inputs[:, :-1] = torch.from_numpy((x / scale).astype(np.float32))
    return batched.Images(inputs.to(device), torch.from_numpy(y).to(device))


def _sweep(
    images: batched.Images, n_classes: int, protocol: Protocol, seed: int, model: str
) -> tuple[list[Trial], int]:
    """Score the settings of the search on validation images; return trials and their number."""
    labels = images.labels.cpu().numpy()
    rows, held_out = splits.stratified_split(
        labels, protocol.validation_fraction, seed, f"{model}, train"
    )
    train, validation = images.rows(rows), images.rows(held_out)
    chunk = batched.settings_per_chunk(n_classes, images.inputs.shape[1], 2 * len(images), protocol)

    def score(settings: Sequence[batched.Setting]) -> tuple[list[float], list[float]]:
        accuracies: list[float] = []
        losses: list[float] = []
        for first in range(0, len(settings), chunk):
            some = settings[first : first + chunk]
            weights = batched.train(train, n_classes, some, protocol, seed)
            accuracy, loss = batched.evaluate(weights, validation, protocol.batch_size)
            accuracies += accuracy.tolist()
            losses += loss.tolist()
        return accuracies, losses

    penalties = protocol.weight_decays.values()
    return sweep.search(score, protocol.learning_rates, penalties), len(validation)


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
