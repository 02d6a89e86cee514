"""L-BFGS, ridge and k-nearest-neighbour probes against independent computations."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from simcons.probes import Protocol, WeightDecays, fit_linear_probe, knn, lbfgs, ridge
from simcons.probes.problem import Images
from simcons.probes.splits import validation_split

SMALL_GRID = WeightDecays(1e-4, 1, 10)


def images(x: np.ndarray, y: np.ndarray) -> Images:
    ones = np.ones((len(x), 1), np.float32)
    return Images(torch.from_numpy(np.hstack([x, ones])), torch.from_numpy(y))


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("penalty", [1e-4, 0.01, 1.0])
def test_lbfgs_equals_sklearn(make_data, penalty: float) -> None:
    x, y, *_ = make_data()
    ours = lbfgs.fit(images(x, y), 4, penalty).numpy()
    # sklearn minimises C * sum of losses + |W|^2 / 2.
    theirs = LogisticRegression(C=1 / (2 * penalty * len(y)), tol=1e-10, max_iter=5000)
    theirs.fit(x.astype(np.float64), y)
    scale = np.abs(theirs.coef_).max()
    np.testing.assert_allclose(ours[:, :-1], theirs.coef_, atol=2e-4 * scale)
    difference = ours[:, -1] - theirs.intercept_  # biases are defined up to a constant
    np.testing.assert_allclose(difference - difference.mean(), 0, atol=2e-4 * max(scale, 1))


@pytest.mark.parametrize("d", [12, 300])
def test_ridge_equals_sklearn(make_data, d: int) -> None:
    x, y, *_ = make_data(d=d)
    path = ridge._Path(images(x, y), 4)
    for penalty in (1e-3, 1.0):
        theirs = Ridge(alpha=penalty * len(y)).fit(x.astype(np.float64), np.eye(4)[y])
        ours = path.weights(penalty).numpy()
        np.testing.assert_allclose(ours[:, :-1], theirs.coef_, atol=1e-8)
        np.testing.assert_allclose(ours[:, -1], theirs.intercept_, atol=1e-8)


def test_knn_votes_equal_a_plain_loop(make_data) -> None:
    x, y, queries, _ = make_data(n=40, n_test=15)
    x, queries = unit(x), unit(queries)
    got = knn.vote(images(queries, np.zeros(15, int)).inputs, images(x, y), 4, [3, 100], 0.07)
    for k, scores in zip([3, 100], got, strict=True):
        for q, row in zip(queries, scores.numpy(), strict=True):
            similarity = x @ q
            nearest = np.argsort(-similarity)[:k]
            votes = np.zeros(4)
            for i in nearest:
                votes[y[i]] += np.exp(similarity[i] / 0.07)
            np.testing.assert_allclose(np.exp(row), votes / votes.sum(), atol=1e-5)


@pytest.mark.parametrize("solver", ["lbfgs", "ridge", "knn"])
def test_solver_learns_and_repeats(make_data, solver: str) -> None:
    protocol = Protocol(solver=solver, weight_decays=SMALL_GRID)
    data = make_data(noise=0.3, n_classes=6)
    result = fit_linear_probe(*data, protocol, 0, model="toy")
    assert result.solver == solver
    assert result.top1 > 0.9
    assert result.top5 > 0.95
    assert np.isnan(result.learning_rate)
    assert not result.learning_rate_on_edge
    again = fit_linear_probe(*data, protocol, 0, model="toy")
    assert again.logits.tobytes() == result.logits.tobytes()
    if solver == "knn":
        assert result.n_neighbours in protocol.neighbours
        assert len(result.weight) == 0
        assert [t.n_neighbours for t in result.trials] == sorted(protocol.neighbours)
    else:
        assert result.weight_decay in SMALL_GRID.values()
        logits = unit(data[2]) @ result.weight.T + result.bias
        np.testing.assert_allclose(logits, result.logits, atol=1e-4)


def test_lbfgs_depends_on_the_seed_through_the_split_alone(make_data) -> None:
    data = make_data(noise=2.0)
    # A grid of one penalty: the split decides nothing.
    protocol = Protocol(solver="lbfgs", weight_decays=WeightDecays(0.01, 0.01, 1))
    one, two = (fit_linear_probe(*data, protocol, seed) for seed in (0, 1))
    assert one.logits.tobytes() == two.logits.tobytes()
    assert one.trials != two.trials


def test_ridge_chooses_the_penalty_that_validates_best(make_data) -> None:
    train_x, train_y, test_x, test_y = make_data(noise=3.0)
    protocol = Protocol(solver="ridge", weight_decays=SMALL_GRID)
    result = fit_linear_probe(train_x, train_y, test_x, test_y, protocol, 0)
    rows, held_out = validation_split(train_y, 0.2, 0, "m")
    x = unit(train_x).astype(np.float64)
    keys = []
    for penalty in SMALL_GRID.values():
        model = Ridge(alpha=penalty * len(rows)).fit(x[rows], np.eye(4)[train_y[rows]])
        scores = model.predict(x[held_out])
        accuracy = (scores.argmax(1) == train_y[held_out]).mean()
        error = ((scores - np.eye(4)[train_y[held_out]]) ** 2).sum(1).mean()
        keys.append((-accuracy, error, penalty))
    assert result.weight_decay == min(keys)[2]


def test_l2_of_adamw_approaches_lbfgs(make_data) -> None:
    """The same convex objective: many steps of AdamW end where L-BFGS ends."""
    data = make_data(noise=1.5)
    grid = WeightDecays(0.01, 0.01, 1)
    exact = fit_linear_probe(*data, Protocol(solver="lbfgs", weight_decays=grid), 0)
    protocol = Protocol(epochs=600, learning_rates=(0.1,), regularization="l2", weight_decays=grid)
    stepped = fit_linear_probe(*data, protocol, 0)
    np.testing.assert_allclose(stepped.weight, exact.weight, atol=2e-3)
    l1 = dataclasses.replace(protocol, regularization="l1", weight_decays=WeightDecays(1, 1, 1))
    strong = fit_linear_probe(*data, l1, 0)
    assert np.abs(strong.weight).max() < 1e-2
