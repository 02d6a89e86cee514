"""What every solver is given and gives back: images with class indices, logits and trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from simcons.probes.results import Trial


@dataclass(frozen=True)
class Images:
    """Inputs of a linear classifier.

    Parameters
    ----------
    inputs
        (n, d + 1) float32; the last column is 1, so that biases are weights of it.
    labels
        (n,) int64 class indices.
    """

    inputs: Tensor
    labels: Tensor

    def rows(self, rows: np.ndarray) -> Images:
        """Return some images."""
        index = torch.from_numpy(rows).to(self.labels.device)
        return Images(self.inputs[index], self.labels[index])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Problem:
    """A probe to be fitted.

    Parameters
    ----------
    train
        All training images, for the refit.
    fit, validation
        The two parts of `train` on which settings are trained and compared.
    test
        Inputs (n_test, d + 1) of the images to classify at the end.
    n_classes
        The number of classes C.
    """

    train: Images
    fit: Images
    validation: Images
    test: Tensor
    n_classes: int


@dataclass(frozen=True)
class Solution:
    """A fitted probe.

    Parameters
    ----------
    trials
        Every setting tried.
    chosen
        The setting of the refit.
    logits
        Of the test images, (n_test, C) float32.
    weights
        (C, d + 1) float32, the bias last; (0, d + 1) where the solver has none.
    """

    trials: Sequence[Trial]
    chosen: Trial
    logits: np.ndarray
    weights: np.ndarray


def linear_solution(
    problem: Problem, trials: Sequence[Trial], chosen: Trial, weights: Tensor
) -> Solution:
    """Return the solution that a linear classifier's weights (C, d + 1) make."""
    weights = weights.to(problem.test)
    logits = torch.mm(problem.test, weights.T)
    return Solution(trials, chosen, logits.cpu().numpy(), weights.cpu().numpy())


def compare(scores: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return accuracy and mean cross-entropy of logits (n, C) for class indices (n,)."""
    accuracy = (scores.argmax(1) == labels).double().mean()
    loss = torch.nn.functional.cross_entropy(scores.double(), labels)
    return float(accuracy), float(loss)
