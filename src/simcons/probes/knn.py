"""Weighted k-nearest-neighbour classification by cosine similarity (Wu et al. 2018, DINO)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from simcons.probes import sweep
from simcons.probes.problem import Images, Problem, Solution, compare
from simcons.probes.protocol import Protocol
from simcons.probes.results import Trial

ROWS_AT_A_TIME = 1024
# The share of votes of a class without a vote: its logit stays finite.
NO_VOTE = 1e-12


def solve(problem: Problem, protocol: Protocol, seed: int) -> Solution:
    """Choose the number of neighbours on validation images (solver ``knn``).

    There is nothing to refit: all training images vote at the end. The seed is not used.
    """
    counts = sorted(protocol.neighbours)
    validation, n_classes = problem.validation, problem.n_classes
    votes = vote(validation.inputs, problem.fit, n_classes, counts, protocol.temperature)
    trials = [
        Trial(np.nan, np.nan, *compare(scores, validation.labels), n_neighbours=k)
        for k, scores in zip(counts, votes, strict=True)
    ]
    chosen = sweep.best(trials)
    assert chosen.n_neighbours is not None
    k, train = chosen.n_neighbours, problem.train
    logits = vote(problem.test, train, n_classes, [k], protocol.temperature)[0]
    no_weights = np.zeros((0, problem.test.shape[1]), np.float32)
    return Solution(trials, chosen, logits.float().cpu().numpy(), no_weights)


def vote(
    queries: Tensor, train: Images, n_classes: int, counts: Sequence[int], temperature: float
) -> list[Tensor]:
    """Return log shares of the votes for every number of neighbours.

    A neighbour of similarity s votes for its class with weight exp(s / temperature) (Wu et al.,
    CVPR 2018, section 3.4).

    Parameters
    ----------
    queries
        (n, d + 1), unit length but for the column of ones, which is not used.
    train
        The images that vote.
    n_classes
        The number of classes C.
    counts
        Numbers of neighbours; a number above that of training images means all of them.
    temperature
        Positive.

    Returns
    -------
    list of Tensor
        For each count, (n, C) float64.
    """
    votes: list[list[Tensor]] = [[] for _ in counts]
    memory = train.inputs[:, :-1]
    for some in queries[:, :-1].split(ROWS_AT_A_TIME):
        similarity, rows = (some @ memory.T).topk(min(max(counts), len(train)), dim=1)
        weights = ((similarity - 1).double() / temperature).exp()
        labels = train.labels[rows]
        for k, collected in zip(counts, votes, strict=True):
            total = torch.zeros(len(some), n_classes, dtype=torch.float64, device=some.device)
            total.scatter_add_(1, labels[:, :k], weights[:, :k])
            collected.append((total / total.sum(1, keepdim=True) + NO_VOTE).log())
    return [torch.cat(parts) for parts in votes]
