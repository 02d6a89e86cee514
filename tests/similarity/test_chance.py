"""Chance level, seed replicates, layers, folders of features."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from simcons.core.arrays import FileRows
from simcons.core.errors import UserError
from simcons.similarity import (
    SimilarityMatrix,
    chance_level,
    compute_similarity,
    layer_map,
    read_features,
    seed_level,
)

from . import data


def test_chance_is_near_zero_unbiased_and_above_it_biased():
    features = data.models(n=100, dims=(40, 50, 60))
    names = ["cka_linear", "cka_linear_biased", "linear_r2"]
    table = chance_level(features, names, draws=3)
    assert list(table.columns) == ["measure", "draw", "model_1", "model_2", "value"]
    assert len(table) == 3 * (3 + 3 + 6)
    mean = table.groupby("measure")["value"].mean()
    assert abs(mean["cka_linear"]) < 0.05
    assert mean["cka_linear_biased"] > 0.1
    assert mean["linear_r2"] > 0.3
    assert table.equals(chance_level(features, names, draws=3))
    other = chance_level(features, names, draws=3, seed=1)
    assert not table["value"].equals(other["value"])
    assert chance_level(features, names, draws=0).empty
    with pytest.raises(UserError, match="draws must be at least 0"):
        chance_level(features, names, draws=-1)


def test_seed_replicates_are_the_pairs_of_a_family():
    matrix = SimilarityMatrix(["a1", "a2", "b"], np.arange(9).reshape(3, 3) / 9)
    table = seed_level(matrix, {"a1": "a", "a2": "a"})
    assert list(table["family"]) == ["a", "a"]  # both directions: the matrix is not symmetric
    assert list(table["value"]) == [1 / 9, 3 / 9]
    assert seed_level(matrix, {}).empty


def test_layers_of_one_and_of_two_models():
    first, second = (
        {f"layer{i}": x for i, x in enumerate(data.models(n=40, seed=s).values())} for s in (0, 1)
    )
    own = layer_map(first)
    assert list(own.index) == list(own.columns) == ["layer0", "layer1", "layer2"]
    assert np.array_equal(np.diag(own), np.ones(3))
    both = layer_map(first, second, measure="cka_rbf_0.4")
    features = {"a": first["layer1"], "b": second["layer2"]}
    expected = compute_similarity(features, ["cka_rbf_0.4"])["cka_rbf_0.4"].values[0, 1]
    assert both.loc["layer1", "layer2"] == pytest.approx(expected, abs=1e-6)
    assert np.abs(both.to_numpy() - both.to_numpy().T).max() > 1e-3


def test_folders_of_arrays_and_of_feature_files_are_read(tmp_path):
    features = data.models(n=30)
    keys = np.arange(90, dtype=np.uint8).reshape(30, 3)
    np.save(tmp_path / "model_0.npy", features["model_0"])
    save_file({"features": features["model_1"], "keys": keys}, tmp_path / "model_1.safetensors")
    (tmp_path / "model_2").mkdir()
    save_file(
        {"targets": np.zeros(30), "features": features["model_2"], "keys": keys},
        tmp_path / "model_2" / "train.safetensors",
    )
    read = read_features(tmp_path)
    assert sorted(read) == sorted(features)
    for name, array in read.items():
        assert isinstance(array, FileRows)
        assert np.array_equal(array, features[name])
    save_file(
        {"features": features["model_1"], "keys": keys[::-1].copy()},
        tmp_path / "model_1.safetensors",
    )
    with pytest.raises(UserError, match=r"model_2.*model_1.*other images"):
        read_features(tmp_path)


def test_folders_without_features_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        read_features(tmp_path / "none")
    with pytest.raises(UserError, match="no features"):
        read_features(tmp_path)
    for name, content in [("a.npy", b"junk"), ("a.safetensors", b"\xff" * 30)]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=f"{name}: not a readable"):
            read_features(tmp_path)
        (tmp_path / name).unlink()
    save_file({"features": np.zeros((4, 2), dtype=np.int32)}, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match="is I32"):
        read_features(tmp_path)
