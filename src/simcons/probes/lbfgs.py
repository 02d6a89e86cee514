"""Multinomial logistic regression with an L2 penalty, minimised to convergence by L-BFGS.

The objective is convex, so the result depends on no seed, batch or learning rate (the seed still
decides the validation split). It is the linear probe of Radford et al. (ICML 2021, CLIP, appendix
A.3) and of DINOv2's logistic regression evaluation, with the penalty searched as for ``adamw``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from simcons.probes import sweep
from simcons.probes.problem import Images, Problem, Solution, compare, linear_solution
from simcons.probes.protocol import Protocol

MAX_ITERATIONS = 1000
# L-BFGS-B stops when one step gains less than this share of the loss, or at this gradient.
LOSS_TOLERANCE, GRADIENT_TOLERANCE = 1e-12, 1e-7


def solve(problem: Problem, protocol: Protocol, seed: int) -> Solution:
    """Choose the penalty on validation images and refit on all (solver ``lbfgs``).

    The seed is not used: the split is in the problem.
    """

    def score(settings: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
        scores = [_score(problem, penalty) for _, penalty in settings]
        return [s[0] for s in scores], [s[1] for s in scores]

    trials = sweep.search(score, [np.nan], protocol.weight_decays.values())
    chosen = sweep.best(trials)
    weights = fit(problem.train, problem.n_classes, chosen.penalty)
    return linear_solution(problem, trials, chosen, weights)


def _score(problem: Problem, penalty: float) -> tuple[float, float]:
    weights = fit(problem.fit, problem.n_classes, penalty)
    scores = problem.validation.inputs.double() @ weights.T
    return compare(scores, problem.validation.labels)


def fit(images: Images, n_classes: int, penalty: float) -> Tensor:
    """Minimise the mean cross-entropy + penalty * sum of squared weights (not biases).

    Parameters
    ----------
    images
        Training images.
    n_classes
        The number of classes C.
    penalty
        Not negative.

    Returns
    -------
    Tensor
        Weights (C, d + 1) float64, the bias last.
    """
    x, y = images.inputs.double(), images.labels
    shape = (n_classes, x.shape[1])
    rows = torch.arange(len(y), device=y.device)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = torch.from_numpy(flat).view(shape).to(x)
        log_p = torch.log_softmax(x @ weights.T, 1)
        loss = -log_p[rows, y].mean() + penalty * weights[:, :-1].square().sum()
        p = log_p.exp_()
        p[rows, y] -= 1
        gradient = p.T @ x / len(y)
        gradient[:, :-1] += 2 * penalty * weights[:, :-1]
        return float(loss), gradient.cpu().numpy().ravel()

    found = minimize(
        objective,
        np.zeros(shape[0] * shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": MAX_ITERATIONS,
            "maxfun": 2 * MAX_ITERATIONS,
            "ftol": LOSS_TOLERANCE,
            "gtol": GRADIENT_TOLERANCE,
        },
    )
    return torch.from_numpy(found.x).view(shape).to(x)
