from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from simcons.core.errors import UserError
from simcons.probes import Protocol, WeightDecays, batched, fit_linear_probe, splits, sweep

from .reference import sweep_single, train_single

SETTINGS = [(0.1, 1e-6), (0.1, 10.0), (0.01, 0.1), (0.001, 1e-3), (0.0001, 1.0)]


def images(x: np.ndarray, y: np.ndarray) -> batched.Images:
    ones = np.ones((len(x), 1), np.float32)
    return batched.Images(torch.from_numpy(np.hstack([x, ones])), torch.from_numpy(y))


@pytest.mark.parametrize("regularization", ["weight_decay", "l1", "l2"])
@pytest.mark.parametrize("batch_size", [32, 1000])
def test_batched_follows_single(make_data, regularization: str, batch_size: int) -> None:
    x, y, *_ = make_data(n=100, n_classes=3)
    protocol = Protocol(epochs=5, batch_size=batch_size, regularization=regularization)
    losses: list[torch.Tensor] = []
    weights = batched.train(images(x, y), 3, SETTINGS, protocol, 1, losses)
    curves = torch.stack(losses).T
    assert curves.shape == (len(SETTINGS), 5 * (4 if batch_size == 32 else 1))
    for s, (rate, penalty) in enumerate(SETTINGS):
        model, expected = train_single(x, y, 3, rate, penalty, protocol, 1)
        np.testing.assert_allclose(curves[s], expected, rtol=2e-5, atol=2e-6)
        if regularization != "l1":  # the sign of a weight near 0 flips with its last bits
            single = torch.cat([model.weight, model.bias[:, None]], dim=1).detach()
            np.testing.assert_allclose(weights[s], single, rtol=1e-3, atol=1e-5)


def test_the_whole_sweep_chooses_as_single(make_data) -> None:
    train_x, train_y, test_x, test_y = make_data(n=150, noise=2.0)
    protocol = Protocol(
        epochs=3,
        batch_size=64,
        learning_rates=(0.1, 0.01),
        weight_decays=WeightDecays(1e-4, 10, 22),
        normalize=False,
    )
    result = fit_linear_probe(train_x, train_y, test_x, test_y, protocol, 2)
    rows, held_out = splits.validation_split(train_y, 0.2, 2, "m")
    rate, penalty, accuracy = sweep_single(train_x, train_y, rows, held_out, 4, protocol, 2)
    assert (result.learning_rate, result.weight_decay) == (rate, penalty)
    assert result.validation_accuracy == pytest.approx(accuracy)
    model, _ = train_single(train_x, train_y, 4, rate, penalty, protocol, 2)
    with torch.no_grad():
        logits = model(torch.from_numpy(test_x)).numpy()
    np.testing.assert_allclose(result.logits, logits, rtol=1e-3, atol=1e-4)
    assert result.top1 == (logits.argmax(1) == test_y).mean()


def test_every_setting_sees_the_same_batches_whatever_the_stack(make_data) -> None:
    x, y, *_ = make_data()
    protocol = Protocol(epochs=2, batch_size=50)
    together = batched.train(images(x, y), 4, SETTINGS, protocol, 0)
    for s, setting in enumerate(SETTINGS):
        alone = batched.train(images(x, y), 4, [setting], protocol, 0)[0]
        np.testing.assert_allclose(together[s], alone, rtol=1e-4, atol=1e-6)


def test_batches_cover_every_image_once_an_epoch() -> None:
    drawn = [b.tolist() for b in batched.batches(10, 4, 2, 0)]
    assert [len(b) for b in drawn] == [4, 4, 2] * 2
    first, second = np.concatenate(drawn[:3]).tolist(), np.concatenate(drawn[3:]).tolist()
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_chunks_give_the_same_result(make_data) -> None:
    data = make_data(n=200, d=40)
    whole = Protocol(epochs=2)
    inputs, n_classes = 41, 4
    each = 4 * n_classes * (5 * inputs + 3 * 480)
    fixed = 4 * inputs * (480 + 480)
    tight = dataclasses.replace(whole, memory_gb=(fixed + 2.5 * each) / 1e9)
    assert batched.settings_per_chunk(n_classes, inputs, 480, tight) == 2
    one, two = (fit_linear_probe(*data, p, 0) for p in (whole, tight))
    assert (one.learning_rate, one.weight_decay) == (two.learning_rate, two.weight_decay)
    np.testing.assert_allclose(one.logits, two.logits, atol=1e-4)


def test_too_little_memory_is_refused(make_data) -> None:
    with pytest.raises(UserError, match=r"probe.memory_gb: got 1e-09; .* need at least"):
        fit_linear_probe(*make_data(), Protocol(memory_gb=1e-9), 0)


def test_the_studys_largest_sweep_fits_into_the_default_budget() -> None:
    fit = batched.settings_per_chunk(1000, 2049, 2 * 10_000, Protocol())
    assert fit >= 32


def test_evaluate_counts_and_averages(make_data) -> None:
    x, y, *_ = make_data(n=50)
    weights = torch.randn(3, 4, 13, generator=torch.Generator().manual_seed(0))
    accuracy, loss = batched.evaluate(weights, images(x, y), 16)
    logits = (
        np.einsum("scd,nd->snc", weights[:, :, :-1].numpy(), x) + weights[:, None, :, -1].numpy()
    )
    np.testing.assert_allclose(accuracy, (logits.argmax(2) == y).mean(1))
    log_p = logits - np.log(np.exp(logits).sum(2, keepdims=True))
    np.testing.assert_allclose(loss, -log_p[:, np.arange(50), y].mean(1), rtol=1e-5)


def test_search_visits_the_studys_grid() -> None:
    rounds: list[int] = []
    peak = 31  # of the 64 penalties, for every learning rate
    grid = Protocol().weight_decays.values()

    def score(settings):
        rounds.append(len(settings))
        distance = [abs(grid.index(p) - peak) for _, p in settings]
        return [1 - d / 100 for d in distance], [float(d) for d in distance]

    trials = sweep.search(score, Protocol().learning_rates, grid)
    assert rounds == [32, 8, 8, 8]
    assert sweep.best(trials).penalty == grid[peak]
    assert len(set(trials)) == 56


def test_search_stops_at_the_edges() -> None:
    grid = [float(i + 1) for i in range(64)]

    def score(settings):
        return [-p for _, p in settings], [p for _, p in settings]

    trials = sweep.search(score, [0.1], grid)
    assert sweep.best(trials).penalty == 1.0
    assert {t.penalty for t in trials} == {1, 2, 3, 5, *range(10, 65, 9)}


def test_ties_go_to_the_lower_loss_and_divergence_loses() -> None:
    trial = sweep.Trial
    trials = [
        trial(0.1, 1.0, 0.9, 0.5),
        trial(0.1, 2.0, 0.9, 0.4),
        trial(0.1, 3.0, 0.8, 0.1),
        trial(0.1, 4.0, 1.0, float("nan")),
    ]
    assert sweep.best(trials).penalty == 2.0


@pytest.mark.slow
def test_the_studys_largest_round_stays_within_its_memory() -> None:
    """32 settings x 1,000 classes x 2,048 features, beside what torch itself takes."""
    code = """
import resource, torch
from simcons.probes import Protocol, batched
from simcons.probes.problem import Images
images = Images(torch.randn(1100, 2049), torch.arange(1100) % 1000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
protocol = Protocol(epochs=1)
assert batched.settings_per_chunk(1000, 2049, 20_000, protocol) >= 32
with torch.no_grad():
    weights = batched.train(images, 1000, [(0.1, 1e-3)] * 32, protocol, 0)
    batched.evaluate(weights, images, protocol.batch_size)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6)
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert run.returncode == 0, run.stderr
    gigabytes = float(run.stdout)
    counted = 4 * 1000 * (5 * 2049 + 3 * 1024) * 32 / 1e9
    assert gigabytes < 1.1 * counted < 4
