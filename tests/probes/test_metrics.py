from __future__ import annotations

import numpy as np
import pytest

from simcons.probes import metrics
from simcons.probes.results import score


def test_top_k_by_hand() -> None:
    logits = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1.0, 1.0, 0.0], [9.0, 0.0, 0.0]])
    targets = np.array([0, 0, 1, -1])
    assert metrics.top_k(logits, targets, 1).tolist() == [True, False, False, False]
    assert metrics.top_k(logits, targets, 2).tolist() == [True, False, True, False]
    assert metrics.top_k(logits, targets, 3).tolist() == [True, True, True, False]


def test_top_1_is_argmax_and_nan_is_wrong() -> None:
    rng = np.random.default_rng(0)
    logits = rng.integers(0, 4, size=(200, 5)).astype(float)
    targets = rng.integers(0, 5, size=200)
    assert (metrics.top_k(logits, targets, 1) == (logits.argmax(1) == targets)).all()
    logits[:, 2] = np.nan
    assert not metrics.top_k(logits, targets, 1).any()


def test_mean_per_class_recall_weighs_classes_equally() -> None:
    targets = np.array([5, 5, 5, 5, 8])
    correct = np.array([True, True, True, False, False])
    assert metrics.mean_per_class_recall(correct, targets) == pytest.approx((0.75 + 0) / 2)


def test_calibration_error_by_hand() -> None:
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    correct = np.array([True, False, True, True])
    expected = 0.5 * abs(0.5 - 0.95) + 0.5 * abs(1 - 0.55)
    assert metrics.expected_calibration_error(confidence, correct, 10) == pytest.approx(expected)
    sure = np.ones(4)
    assert metrics.expected_calibration_error(sure, np.ones(4, bool)) == 0
    assert metrics.expected_calibration_error(sure, np.zeros(4, bool)) == 1


def test_bootstrap_interval_equals_resampling() -> None:
    rng = np.random.default_rng(0)
    correct = np.arange(200) < 150
    drawn = correct[rng.integers(0, 200, size=(40_000, 200))].mean(axis=1)
    low, high = metrics.bootstrap_interval(correct)
    assert low == pytest.approx(np.quantile(drawn, 0.025), abs=0.006)
    assert high == pytest.approx(np.quantile(drawn, 0.975), abs=0.006)
    assert metrics.bootstrap_interval(np.ones(3, bool)) == (1.0, 1.0)


def test_score_top5_only_with_more_than_five_classes() -> None:
    logits = np.eye(6, dtype=np.float32)
    classes = np.arange(6) * 10
    six = score(logits, classes, classes)
    assert six["top5"] == 1.0
    five = score(logits[:5, :5], classes[:5], classes[:5])
    assert np.isnan(five["top5"])
    # The sixth best of six logits misses the top 5.
    worst = score(-logits, classes, classes)
    assert worst["top5"] == 0.0
