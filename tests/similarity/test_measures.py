"""The registry: names, options, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from simcons.core.errors import UserError
from simcons.similarity import MEASURES, lookup
from simcons.similarity.measures import INVARIANCES, Measure, parse


def test_lookup_fills_in_options():
    call = lookup("cka_rbf_0.4")
    assert call.name == "cka_rbf_0.4"
    assert call.measure is MEASURES["cka_rbf_<sigma>"]
    assert call.options == {"sigma": 0.4}
    assert not call.biased
    assert lookup("cka_rbf_1e-2_biased").options == {"sigma": 0.01}
    assert lookup("cka_rbf_1e-2_biased").biased
    assert lookup("rsa_cosine_spearman").options == {
        "distance": "cosine",
        "correlation": "spearman",
    }


@pytest.mark.parametrize(
    "sigma", ["-1", "0", "0.0", "inf", "nan", "", "x", "1e-400", "<sigma>", "+1"]
)
def test_bandwidths_that_are_not_positive_numbers_are_refused(sigma):
    with pytest.raises(UserError, match="sigma must be a number > 0"):
        lookup(f"cka_rbf_{sigma}")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cka_liner", "did you mean 'cka_linear'"),
        ("rsa_corelation_spearman", "did you mean 'rsa_correlation_spearman'"),
        ("CKA_linear", "did you mean 'cka_linear'"),
        ("cka_rbf_0.4_unbiased", "cka_rbf_<sigma>"),
    ],
)
def test_unknown_names_are_refused_with_a_hint(name, hint):
    with pytest.raises(UserError, match=hint):
        lookup(name)


@pytest.mark.parametrize("names", [[], "cka_linear", ["cka_linear", "cka_linear"]])
def test_lists_that_make_no_sense_are_refused(names):
    with pytest.raises(UserError):
        parse(names)


def test_every_measure_names_its_source_and_known_invariances():
    for pattern, measure in MEASURES.items():
        assert measure.pattern == pattern
        assert len(measure.reference) > 20
        assert measure.invariances <= INVARIANCES.keys()
        assert "permutation" in measure.invariances
        assert set(measure.options) == set(_options_in(pattern))


def _options_in(pattern):
    return [part[1:-1] for part in pattern.split("_") if part.startswith("<")]


def test_an_unknown_invariance_is_a_programming_error():
    with pytest.raises(ValueError, match="rotation"):
        Measure("x", "cka", frozenset({"rotation"}), "nowhere", np.dot)
