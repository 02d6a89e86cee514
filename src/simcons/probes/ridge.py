"""Ridge regression on one-hot targets, in closed form for all penalties at once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from simcons.probes import sweep
from simcons.probes.problem import Images, Problem, Solution, linear_solution
from simcons.probes.protocol import Protocol
from simcons.probes.results import Trial


def solve(problem: Problem, protocol: Protocol, seed: int) -> Solution:
    """Choose the penalty on validation images and refit on all (solver ``ridge``).

    Every penalty of the grid is tried, since it costs nearly nothing. The seed is not used.
    """
    penalties = protocol.weight_decays.values()
    path = _Path(problem.fit, problem.n_classes)
    trials = [_trial(path, problem.validation, p) for p in penalties]
    chosen = sweep.best(trials)
    weights = _Path(problem.train, problem.n_classes).weights(chosen.penalty)
    return linear_solution(problem, trials, chosen, weights)


def _trial(path: _Path, validation: Images, penalty: float) -> Trial:
    scores = validation.inputs.double() @ path.weights(penalty).T
    accuracy = (scores.argmax(1) == validation.labels).double().mean()
    targets = torch.nn.functional.one_hot(validation.labels, scores.shape[1])
    error = (scores - targets).square().sum(1).mean()
    return Trial(np.nan, penalty, float(accuracy), float(error))


class _Path:
    """The minimiser of mean |y - W x - b|^2 + penalty * |W|^2 for any penalty.

    With centred inputs X (n, d) and one-hot targets Y it is W' = (X'X/n + p)^-1 X'Y/n =
    X' (XX'/n + p)^-1 Y/n (Hoerl and Kennard 1970). One eigendecomposition, of the smaller of the
    two matrices, serves every p: W' = left diag(1 / (values + p)) right.
    """

    def __init__(self, images: Images, n_classes: int) -> None:
        x = images.inputs[:, :-1].double()
        y = torch.nn.functional.one_hot(images.labels, n_classes).double()
        self.mean_x, self.mean_y = x.mean(0), y.mean(0)
        x, y = x - self.mean_x, y - self.mean_y
        n, d = x.shape
        if d <= n:
            values, vectors = torch.linalg.eigh(x.T @ x / n)
            self.left, self.right = vectors, vectors.T @ (x.T @ y) / n
        else:
            values, vectors = torch.linalg.eigh(x @ x.T / n)
            self.left, self.right = x.T @ vectors, vectors.T @ y / n
        self.values = values.clamp(min=0)

    def weights(self, penalty: float) -> Tensor:
        """Return (C, d + 1) float64, the bias last."""
        w = self.left @ (self.right / (self.values + penalty)[:, None])
        bias = self.mean_y - self.mean_x @ w
        return torch.cat([w, bias[None]]).T
