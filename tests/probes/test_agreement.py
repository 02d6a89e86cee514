from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from simcons.core.errors import UserError
from simcons.probes import Protocol, error_consistency, fit_linear_probe, probe_error_consistency


def pair(a: list[bool], b: list[bool]) -> tuple[float, float]:
    table = error_consistency({"a": np.array(a, bool), "b": np.array(b, bool)})
    return table.value[0], table.standard_error[0]


def test_by_hand() -> None:
    # 10 images: 6 both right, 1 and 1 one only, 2 both wrong: c_obs .8, c_exp .49 + .09 = .58.
    a = [True] * 7 + [False] * 3
    b = [True] * 6 + [False, True] + [False] * 2
    assert pair(a, b)[0] == pytest.approx((0.8 - 0.58) / (1 - 0.58))
    assert pair(a, b)[0] == pytest.approx(cohen_kappa_score(a, b))


def test_known_answers() -> None:
    a = [True, True, False, False] * 5
    assert pair(a, a)[0] == pytest.approx(1)
    assert pair(a, [not v for v in a])[0] == pytest.approx(-1)
    assert pair(a, [True, False] * 10)[0] == pytest.approx(0)
    assert np.isnan(pair([True] * 4, [True] * 4)[0])
    assert np.isnan(pair([False] * 4, [False] * 4)[1])
    assert pair([True] * 4, [True, False, True, False])[0] == 0


def plain_kappa(a: list[bool], b: list[bool]) -> float:
    n = len(a)
    observed = sum(x == y for x, y in zip(a, b, strict=True)) / n
    expected = sum(a) * sum(b) / n**2 + (n - sum(a)) * (n - sum(b)) / n**2
    return (observed - expected) / (1 - expected)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=3, max_size=30))
def test_equals_plain_loops(images: list[tuple[bool, bool]]) -> None:
    a, b = (list(v) for v in zip(*images, strict=True))
    value, standard_error = pair(a, b)
    if len(set(images)) == 1 and images[0][0] == images[0][1]:
        assert np.isnan(value)
        return
    if len(set(images)) == 1:
        assert np.isnan(value) or value == 0
        return
    assert value == pytest.approx(plain_kappa(a, b), abs=1e-12)
    left_out = []
    for i in range(len(a)):
        rest = images[:i] + images[i + 1 :]
        if len(set(rest)) == 1:
            assert np.isnan(standard_error)
            return
        left_out.append(plain_kappa(*(list(v) for v in zip(*rest, strict=True))))
    n = len(a)
    expected = np.sqrt((n - 1) / n * ((left_out - np.mean(left_out)) ** 2).sum())
    assert standard_error == pytest.approx(expected, abs=1e-9)


def test_table_is_sorted_and_complete() -> None:
    rng = np.random.default_rng(0)
    table = error_consistency({m: rng.random(500) < 0.7 for m in ("c", "B", "a")})
    pairs = table[["model_1", "model_2"]].to_numpy().tolist()
    assert pairs == [["B", "a"], ["B", "c"], ["a", "c"]]
    assert (table.value.abs() < 4 * table.standard_error).all()


@pytest.mark.parametrize(
    ("correct", "message"),
    [
        ({"a": np.ones(3, bool)}, "at least two models"),
        ({"a": np.ones(3, bool), "b": np.ones(4, bool)}, "'b' has 4 images, 'a' has 3"),
        ({"a": np.ones(3, bool), "b": np.ones(3)}, "model 'b': got float64"),
        ({"a": np.ones(1, bool), "b": np.ones(1, bool)}, "at least two images"),
    ],
)
def test_bad_input_is_named(correct: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        error_consistency(correct)


def test_of_probes_is_the_mean_over_seeds(make_data) -> None:
    train_x, train_y, test_x, test_y = make_data(noise=3.0)
    protocol = Protocol(solver="ridge")
    columns = {"m": slice(0, 8), "n": slice(4, 12)}
    results = [
        fit_linear_probe(train_x[:, c], train_y, test_x[:, c], test_y, protocol, s, model=m)
        for m, c in columns.items()
        for s in (0, 1)
    ]
    table = probe_error_consistency(results)
    by_seed = [
        error_consistency({r.model: r.correct for r in results if r.seed == s}).value[0]
        for s in (0, 1)
    ]
    assert table.value[0] == pytest.approx(np.mean(by_seed))
    assert results[0].correct.mean() == pytest.approx(results[0].top1)
    with pytest.raises(UserError, match="'n' has no probe of seed 1"):
        probe_error_consistency(results[:3])
    with pytest.raises(UserError, match="no probe results"):
        probe_error_consistency([])
    other = fit_linear_probe(train_x, train_y, test_x[:-1], test_y[:-1], protocol, 0, model="other")
    with pytest.raises(UserError, match="different test images"):
        probe_error_consistency([results[0], other])
