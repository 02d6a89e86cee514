"""Input that has no right answer is refused, by name."""

from __future__ import annotations

import numpy as np
import pytest

from simcons.core.errors import UserError
from simcons.similarity import compute_similarity, plan

from . import data


def refuse(features, match, measures=("cka_linear",), **options):
    with pytest.raises(UserError, match=match):
        compute_similarity(features, list(measures), **options)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(bad):
    features = data.models(n=30)
    features["model_1"][17, 2] = bad
    refuse(features, r"'model_1' hold .*image 17, dimension 2")


def test_rows_that_do_not_match():
    features = data.models(n=30)
    features["model_2"] = features["model_2"][:-1]
    refuse(features, "'model_2' have 29 rows, those of 'model_0' 30")


def test_too_few_images():
    refuse(data.models(n=3), "at least 4 images")


def test_no_models():
    refuse({}, "at least one model")


@pytest.mark.parametrize(
    "array",
    [np.zeros(30), np.zeros((30, 2, 2)), np.zeros((30, 0)), np.zeros((30, 2), dtype=complex)],
)
def test_arrays_of_the_wrong_kind(array):
    refuse({"odd": array}, "'odd'")


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("value", [0.0, 0.37, 1e20])
@pytest.mark.parametrize("name", ["cka_linear", "cka_rbf_0.4_biased", "rsa_cosine_spearman"])
def test_a_constant_model(normalize, value, name):
    features = data.models(n=30)
    features["flat"] = np.full((30, 5), value) * np.arange(1, 6)
    refuse(features, "'flat' is constant", [name], normalize=normalize)


def test_a_model_constant_once_normalised():
    features = data.models(n=30)
    features["ray"] = np.arange(1, 31)[:, None] * np.array([1.0, 2.0])
    refuse(features, "'ray' is constant: .* after L2 normalisation")


def test_values_too_large_to_square():
    features = data.models(n=30, dtype=np.float64)
    features["huge"] = features["model_0"] * 1e200
    refuse(features, "'huge' are too large", normalize=False)


@pytest.mark.parametrize(
    "name", ["cka_rbf_0.4", "cka_rbf_0.4_biased", "rsa_euclidean_pearson", "rsa_cosine_spearman"]
)
@pytest.mark.parametrize("exact", [0, 1000])
def test_a_model_whose_images_are_all_equally_far_apart(name, exact, monkeypatch):
    monkeypatch.setattr(plan, "EXACT_IMAGES", exact)
    features = data.models(n=30)
    features["simplex"] = np.eye(30) * 3
    if name.endswith("_biased"):
        assert np.isfinite(compute_similarity(features, [name])[name].values).all()
    else:
        refuse(features, "'simplex' is .*zero up to rounding", [name])


def test_a_bandwidth_so_small_that_every_image_is_alone():
    refuse(data.models(n=30), "HSIC with itself of model 'model_0'", ["cka_rbf_1e-5"])


def test_a_device_that_is_not_there():
    refuse(data.models(n=30), "device 'toaster' is not available", device="toaster")


def test_memory_that_does_not_suffice():
    refuse(data.models(n=200), "memory_gb is 1e-06", memory_gb=1e-6)


def test_a_negative_number_of_halves():
    refuse(data.models(n=30), "n_halves", n_halves=-1)
