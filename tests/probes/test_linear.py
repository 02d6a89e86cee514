from __future__ import annotations

import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from simcons.core.errors import UserError
from simcons.probes import Protocol, WeightDecays, fit_linear_probe

FAST = Protocol(epochs=5, batch_size=64, weight_decays=WeightDecays(count=10))


def test_separable_classes_are_learned(make_data) -> None:
    result = fit_linear_probe(*make_data(noise=0.1), Protocol(), 0, model="toy")
    assert result.top1 == 1.0
    assert result.mean_per_class_recall == 1.0
    assert np.isnan(result.top5)
    assert result.model == "toy"
    assert result.logits.dtype == np.float32
    assert (result.n_train, result.n_validation, result.n_test) == (120, 24, 80)


def test_noise_is_at_chance(make_data) -> None:
    train_x, train_y, test_x, test_y = make_data(n=400, n_test=400, n_classes=8)
    rng = np.random.default_rng(0)
    result = fit_linear_probe(
        rng.normal(size=train_x.shape), train_y, rng.normal(size=test_x.shape), test_y, FAST, 0
    )
    assert 0.04 < result.top1 < 0.22
    assert 0.5 < result.top5 < 0.75
    assert result.top1_low < result.top1 < result.top1_high


def test_weight_and_bias_give_the_logits(make_data) -> None:
    data = make_data()
    result = fit_linear_probe(*data, FAST, 0)
    unit = data[2] / np.linalg.norm(data[2], axis=1, keepdims=True)
    np.testing.assert_allclose(unit @ result.weight.T + result.bias, result.logits, atol=1e-5)


def test_same_seed_same_bytes_other_seed_other_weights(make_data) -> None:
    data = make_data()
    one, again, other = (fit_linear_probe(*data, FAST, s) for s in (0, 0, 1))
    assert one.logits.tobytes() == again.logits.tobytes()
    assert one.weight.tobytes() == again.weight.tobytes()
    assert one.trials == again.trials
    assert one.weight.tobytes() != other.weight.tobytes()


def test_normalising_makes_scale_irrelevant(make_data) -> None:
    train_x, train_y, test_x, test_y = make_data()
    plain = fit_linear_probe(train_x, train_y, test_x, test_y, FAST, 0)
    scale = np.float32(2) ** np.arange(-60, 60).astype(np.float32)
    scaled = fit_linear_probe(train_x * scale[:, None], train_y, test_x * 2, test_y, FAST, 0)
    np.testing.assert_allclose(plain.logits, scaled.logits, atol=1e-4)
    raw = Protocol(epochs=5, batch_size=64, normalize=False)
    different = fit_linear_probe(train_x, train_y, test_x, test_y, raw, 0)
    assert np.abs(different.logits - plain.logits).max() > 0.1


def test_an_image_of_zeros_stays_zero(make_data) -> None:
    data = make_data()
    data[0][3] = 0
    assert np.isfinite(fit_linear_probe(*data, FAST, 0).logits).all()


def test_labels_with_gaps_equal_labels_without(make_data) -> None:
    train_x, train_y, test_x, test_y = make_data()
    plain = fit_linear_probe(train_x, train_y, test_x, test_y, FAST, 0)
    named = np.array([-5, 3, 70, 1000])
    gaps = fit_linear_probe(train_x, named[train_y], test_x, named[test_y], FAST, 0)
    assert gaps.classes.tolist() == named.tolist()
    assert gaps.targets.tolist() == named[test_y].tolist()
    assert gaps.logits.tobytes() == plain.logits.tobytes()
    assert gaps.top1 == plain.top1


def test_a_test_class_absent_from_train_is_wrong_and_named(make_data, caplog) -> None:
    train_x, train_y, test_x, test_y = make_data(noise=0.1)
    test_y = np.where(test_y == 3, 17, test_y)
    keep = train_y != 3
    with caplog.at_level(logging.WARNING, "simcons"):
        result = fit_linear_probe(
            train_x[keep], train_y[keep], test_x, test_y, Protocol(), 0, model="toy"
        )
    assert result.unseen_classes == (17,)
    assert result.top1 == pytest.approx(0.75)
    assert result.mean_per_class_recall == pytest.approx(0.75)
    assert "toy" in caplog.text
    assert "17" in caplog.text


def test_few_shot_trains_on_k_of_each(make_data) -> None:
    result = fit_linear_probe(*make_data(), Protocol(epochs=5, few_shot=5), 0)
    assert result.n_train == 20
    assert result.n_validation == 4


def test_choice_on_the_edge_is_marked(make_data) -> None:
    inner = fit_linear_probe(*make_data(), Protocol(epochs=2, learning_rates=(0.1,)), 0)
    assert not inner.learning_rate_on_edge
    outer = fit_linear_probe(*make_data(), Protocol(epochs=1, learning_rates=(1e-4, 1e-5)), 0)
    assert outer.learning_rate_on_edge
    assert inner.weight_decay_on_edge == (inner.weight_decay in (1e-6, 10.0))


def replaced(data, position: int, value):
    return (*data[:position], value, *data[position + 1 :])


@pytest.mark.parametrize(
    ("position", "change", "message"),
    [
        (1, lambda y: np.zeros_like(y), "toy, train: one class only"),
        (1, lambda y: np.eye(4)[y], "multi-label"),
        (1, lambda y: y.astype(float), "toy, train: labels are float64"),
        (1, lambda y: y[:-1], "119 labels for 120 images"),
        (3, lambda y: y[:-1], "toy, test: 79 labels for 80 images"),
        (0, lambda x: np.where(np.arange(120)[:, None] == 7, np.nan, x), "the first in row 7"),
        (2, lambda x: x[:, :5], "12 features in train but 5 in test"),
        (0, lambda x: x[:, 0], "toy, train: features have shape"),
        (2, lambda x: x[:0], "toy, test: features have shape"),
        (1, lambda y: np.arange(len(y)), "leave none for validation"),
    ],
)
def test_bad_input_is_named(make_data, position: int, change, message: str) -> None:
    data = make_data()
    with pytest.raises(UserError, match=message):
        fit_linear_probe(*replaced(data, position, change(data[position])), FAST, 0, model="toy")


def test_one_few_shot_image_leaves_none_for_validation(make_data) -> None:
    with pytest.raises(UserError, match="give more images per class"):
        fit_linear_probe(*make_data(), Protocol(few_shot=1), 0)


def test_importing_probes_does_not_import_torch() -> None:
    code = "import sys, simcons.probes; print('torch' in sys.modules, 'pandas' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.stdout.split() == ["False", "False"]


def test_unknown_attribute() -> None:
    import simcons.probes

    with pytest.raises(AttributeError, match="no attribute 'fit_probe'"):
        _ = simcons.probes.fit_probe
