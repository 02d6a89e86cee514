"""Test-only data sets (ImageNet variants): scored with the probe of their parent data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from simcons.core.errors import UserError
from simcons.probes.linear import check_features, unit_length
from simcons.probes.results import ProbeResult, score
from simcons.probes.splits import check_labels


def score_variant(
    parent: ProbeResult,
    test_x: ArrayLike,
    test_y: ArrayLike,
    *,
    classes: ArrayLike | None = None,
) -> ProbeResult:
    """Score a parent's probe on a variant's test images, logits restricted to its classes.

    Parameters
    ----------
    parent
        The probe trained on the parent data set (with the same model's features).
    test_x
        The variant's features (n, d), not normalised.
    test_y
        Its labels (n,), in the parent's numbering.
    classes
        The labels of the variant's classes; by default those in ``test_y``.

    Returns
    -------
    ProbeResult
        The parent's probe with the variant's logits (n, classes), metrics and counts; weights are
        those of the variant's classes.

    Raises
    ------
    UserError
        If the probe has no weights, features have another dimension, or a class is not one of the
        parent's; names the model.
    """
    name = f"{parent.model}, test-only variant"
    features = check_features(test_x, name)
    targets = check_labels(test_y, len(features), name)
    if len(parent.weight) == 0:
        raise UserError(f"{name}: a probe of solver {parent.solver} has no weights to apply")
    if features.shape[1] != parent.weight.shape[1]:
        raise UserError(
            f"{name}: {features.shape[1]} features, but the parent's probe has "
            f"{parent.weight.shape[1]}"
        )
    kept = np.unique(np.asarray(targets if classes is None else classes, dtype=np.int64))
    for what, labels in (("the parent's probe", parent.classes), ("the variant's classes", kept)):
        strangers = np.setdiff1d(kept if labels is parent.classes else targets, labels)
        if len(strangers):
            raise UserError(f"{name}: labels {strangers[:10].tolist()} are not in {what}")
    rows = np.searchsorted(parent.classes, kept)
    weight, bias = parent.weight[rows], parent.bias[rows]
    inputs = unit_length(features) if parent.protocol["normalize"] else features
    logits = (inputs @ weight.T + bias).astype(np.float32)
    return dataclasses.replace(
        parent,
        classes=kept,
        logits=logits,
        targets=targets,
        weight=weight,
        bias=bias,
        **score(logits, targets, kept),
        n_test=len(targets),
        unseen_classes=(),
    )


def parent_labels(dataset: str, targets: np.ndarray, classes: Sequence[int] | None) -> np.ndarray:
    """Return a variant's labels (n,) in the parent's numbering.

    Raises
    ------
    UserError
        If a label is beyond the variant's classes.
    """
    if classes is None:
        return targets
    largest = int(targets.max(initial=0))
    if largest >= len(classes):
        raise UserError(
            f"data set '{dataset}': label {largest}, but the catalogue lists {len(classes)} "
            f"classes for it (variant_classes.yaml); its labels must number those from 0"
        )
    return np.asarray(classes, dtype=np.int64)[targets]
