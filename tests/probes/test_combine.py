from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.decomposition import PCA

from simcons.core.errors import UserError
from simcons.probes import (
    Protocol,
    ensemble,
    fit_combination,
    fit_linear_probe,
    load_probe,
    save_probe,
    score_variant,
)
from simcons.probes.combine import concatenate, reduce
from simcons.probes.metrics import softmax

RIDGE = Protocol(solver="ridge")


def two_models(data):
    train_x, train_y, test_x, test_y = data
    blocks = {"b": slice(0, 5), "a": slice(5, 12)}
    train = {m: 100.0 ** (m == "a") * train_x[:, c] for m, c in blocks.items()}
    test = {m: 100.0 ** (m == "a") * test_x[:, c] for m, c in blocks.items()}
    return train, train_y, test, test_y


def test_concatenated_models_weigh_the_same(make_data) -> None:
    train, *_ = two_models(make_data())
    joined = concatenate(train)
    assert joined.shape == (120, 12)
    np.testing.assert_allclose(np.linalg.norm(joined[:, :7], axis=1), 1, rtol=1e-6)  # a first
    np.testing.assert_allclose(np.linalg.norm(joined[:, 7:], axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(concatenate(train, normalize=False)[:, 7:], train["b"])


@pytest.mark.parametrize("shape", [(60, 10), (20, 50)])
def test_pca_equals_sklearn(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    scales = 0.7 ** np.arange(shape[1])
    train, test = (rng.normal(size=shape) * scales + 5 for _ in range(2))
    ours, ours_test = reduce(train, test, 0.9)
    theirs = PCA(0.9, svd_solver="full").fit(train)
    expected = theirs.transform(train)
    assert ours.shape == expected.shape
    sign = np.sign((ours * expected).sum(0))
    np.testing.assert_allclose(ours * sign, expected, atol=1e-4)
    np.testing.assert_allclose(ours_test * sign, theirs.transform(test), atol=1e-4)


def test_pca_keeps_everything_at_most() -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    assert reduce(x, x, 1.0)[0].shape == (30, 4)
    with pytest.raises(UserError, match="no principal component"):
        reduce(np.ones((5, 3)), np.ones((2, 3)))


@pytest.mark.parametrize("how", ["concat", "concat_pca", "ensemble"])
def test_two_halves_together_beat_each(make_data, how: str) -> None:
    train, train_y, test, test_y = two_models(make_data(n=400, n_test=400, noise=1.5))
    together = fit_combination(train, train_y, test, test_y, RIDGE, 0, how)
    assert together.model == f"{how}(a+b)"
    for m in train:
        alone = fit_linear_probe(train[m], train_y, test[m], test_y, RIDGE, 0)
        assert together.top1 > alone.top1


def test_ensemble_averages_probabilities(make_data, tmp_path) -> None:
    train, train_y, test, test_y = two_models(make_data())
    members = [
        fit_linear_probe(train[m], train_y, test[m], test_y, RIDGE, 0, model=m) for m in train
    ]
    both = ensemble(members)
    expected = (softmax(members[0].logits) + softmax(members[1].logits)) / 2
    np.testing.assert_allclose(np.exp(both.logits), expected, rtol=1e-5)
    assert both.top1 == (expected.argmax(1) == test_y).mean()
    assert both.solver == "ensemble"
    assert np.isnan(both.weight_decay)
    save_probe(both, tmp_path / "e")
    loaded = load_probe(tmp_path / "e")
    assert loaded.top1 == both.top1
    assert np.isnan(loaded.learning_rate)
    assert loaded.logits.tobytes() == both.logits.tobytes()


def test_unlike_members_are_refused(make_data) -> None:
    data = make_data()
    one = fit_linear_probe(*data, RIDGE, 0, model="m")
    with pytest.raises(UserError, match="at least two probes; got 1"):
        ensemble([one])
    changes = {
        "seeds": {"seed": 1},
        "protocols": {"protocol": {}},
        "test images": {"targets": one.targets[::-1].copy()},
        "classes": {"classes": one.classes + 1},
    }
    for what, change in changes.items():
        other = dataclasses.replace(one, model="n", **change)
        with pytest.raises(UserError, match=f"'m' and 'n': {what} differ"):
            ensemble([one, other])


def test_bad_combinations_are_refused(make_data) -> None:
    train, train_y, test, test_y = two_models(make_data())
    with pytest.raises(UserError, match="did you mean 'concat'"):
        fit_combination(train, train_y, test, test_y, RIDGE, 0, "concta")
    with pytest.raises(UserError, match="the same two or more models"):
        fit_combination(train, train_y, {"a": test["a"]}, test_y, RIDGE, 0, "concat")
    with pytest.raises(UserError, match="'b' has 119 images, 'a' has 120"):
        concatenate({**train, "b": train["b"][1:]})


def test_variant_is_scored_on_its_own_classes(make_data) -> None:
    train_x, train_y, test_x, test_y = make_data(n_classes=6, noise=1.0)
    names = np.array([3, 5, 8, 10, 11, 40])
    parent = fit_linear_probe(train_x, names[train_y], test_x, names[test_y], RIDGE, 0, model="m")
    some = np.isin(test_y, [1, 4])
    variant = score_variant(parent, test_x[some], names[test_y[some]])
    assert variant.classes.tolist() == [5, 11]
    np.testing.assert_allclose(variant.logits, parent.logits[some][:, [1, 4]], atol=1e-5)
    chosen = np.array([5, 11])[parent.logits[some][:, [1, 4]].argmax(1)]
    assert variant.top1 == (chosen == names[test_y[some]]).mean()
    assert variant.top1 >= parent.correct[some].mean()
    assert np.isnan(variant.top5)
    assert variant.n_test == some.sum()
    wider = score_variant(parent, test_x[some], names[test_y[some]], classes=names)
    assert wider.top1 == parent.correct[some].mean()


def test_variant_normalises_as_its_parent(make_data) -> None:
    train_x, train_y, test_x, test_y = make_data()
    for normalize in (True, False):
        protocol = Protocol(solver="ridge", normalize=normalize)
        parent = fit_linear_probe(train_x, train_y, test_x, test_y, protocol, 0)
        same = score_variant(parent, test_x, test_y)
        np.testing.assert_allclose(same.logits, parent.logits, atol=1e-5)


def test_bad_variants_are_refused(make_data) -> None:
    data = make_data()
    parent = fit_linear_probe(*data, RIDGE, 0, model="m")
    with pytest.raises(UserError, match=r"m, .*labels \[9\] are not in the parent's probe"):
        score_variant(parent, data[2][:2], np.array([0, 9]))
    with pytest.raises(UserError, match=r"labels \[2\] are not in the variant's classes"):
        score_variant(parent, data[2][:2], np.array([0, 2]), classes=[0, 1])
    with pytest.raises(UserError, match="3 features, but the parent's probe has 12"):
        score_variant(parent, data[2][:, :3], data[3])
    without = fit_linear_probe(*data, Protocol(solver="knn"), 0, model="m")
    with pytest.raises(UserError, match="solver knn has no weights"):
        score_variant(without, data[2], data[3])
