"""Similarity folders: round trip, equal bytes, damage refused by name; the matrix itself."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from simcons.core.errors import UserError
from simcons.similarity import (
    SimilarityMatrix,
    compute_similarity,
    read_replicates,
    read_similarity,
    write_similarity,
)

from . import data

NAMES = ["cka_linear", "cka_rbf_0.4_biased", "rsa_cosine_spearman"]


@pytest.fixture(scope="module")
def result():
    return compute_similarity(data.models(n=60), NAMES)


@pytest.fixture
def folder(result, tmp_path):
    write_similarity(tmp_path / "D", result)
    return tmp_path / "D"


def test_what_is_written_is_read(result, folder):
    read = read_similarity(folder)
    assert list(read) == NAMES
    for name in NAMES:
        assert read[name].models == result.models
        assert read[name].measure == name
        assert np.array_equal(read[name].values, result[name].values)
        assert np.array_equal(read[name].standard_error, result[name].standard_error)
        assert read[name].reliability == result[name].reliability
    assert read_replicates(folder).equals(result.replicates)
    assert list(read_similarity(folder, ["cka_linear"])) == ["cka_linear"]


def test_the_folder_is_as_promised(folder):
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        [*(f"{n}.parquet" for n in NAMES), "replicates.parquet", "matrix.json"]
    )
    table = pd.read_parquet(folder / "cka_linear.parquet")
    assert list(table.columns) == ["model_1", "model_2", "value", "standard_error"]
    pairs = list(zip(table["model_1"], table["model_2"], strict=True))
    assert pairs == sorted(pairs)
    assert len(pairs) == 3
    assert all(a < b for a, b in pairs)
    header = json.loads((folder / "matrix.json").read_text())
    assert header["models"] == ["model_0", "model_1", "model_2"]
    assert header["measures"] == NAMES
    assert header["n_images"] == 60
    assert header["n_blocks"] == 20


def test_equal_input_gives_equal_bytes(folder, tmp_path):
    write_similarity(tmp_path / "E", compute_similarity(data.models(n=60), NAMES))
    for path in sorted(folder.iterdir()):
        assert path.read_bytes() == (tmp_path / "E" / path.name).read_bytes(), path.name


def test_few_images_round_trip_without_errors(tmp_path):
    write_similarity(tmp_path, compute_similarity(data.models(n=6), ["cka_linear"]))
    read = read_similarity(tmp_path)["cka_linear"]
    assert read.reliability is None
    assert read.standard_error is None


def edit(path, change):
    table = pd.read_parquet(path)
    change(table).to_parquet(path, index=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.iloc[1:], "1 model pairs are missing, the first is model_0 and model_1"),
        (lambda t: t.iloc[::-1], "not sorted"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "repeated"),
        (lambda t: pd.concat([t, t.iloc[:1].assign(model_2="z")]), "model_0 and z"),
        (lambda t: t.rename(columns={"value": "v"}), "columns are"),
        (lambda t: t.assign(value=np.nan), "not a finite number"),
    ],
)
def test_damaged_tables_are_refused_by_name(folder, change, message):
    path = folder / "cka_linear.parquet"
    edit(path, change)
    with pytest.raises(UserError, match=message) as error:
        read_similarity(folder)
    assert str(path) in str(error.value)


def test_missing_files_and_measures_are_refused_by_name(folder):
    with pytest.raises(UserError, match="did you mean 'cka_linear'"):
        read_similarity(folder, ["cka_liner"])
    (folder / "cka_linear.parquet").unlink()
    with pytest.raises(UserError, match=r"cka_linear\.parquet: no such file"):
        read_similarity(folder)
    (folder / "replicates.parquet").write_bytes(b"junk")
    with pytest.raises(UserError, match=r"replicates\.parquet"):
        read_replicates(folder)
    (folder / "matrix.json").write_text(json.dumps({"models": ["b", "a"], "measures": []}))
    with pytest.raises(UserError, match="must be sorted"):
        read_similarity(folder)
    (folder / "matrix.json").write_text("[]")
    with pytest.raises(UserError, match="needs the keys"):
        read_similarity(folder)


def test_the_matrix_checks_itself():
    with pytest.raises(UserError, match=r"shape \(2, 2\), 3 models need"):
        SimilarityMatrix(["a", "b", "c"], np.eye(2))
    with pytest.raises(UserError, match="standard_error has shape"):
        SimilarityMatrix(["a", "b"], np.eye(2), np.zeros(2))
    with pytest.raises(UserError, match="given twice: a"):
        SimilarityMatrix(["a", "a"], np.eye(2))
    with pytest.raises(UserError, match="'cka_linear': the value of a and b is nan"):
        SimilarityMatrix(["a", "b"], np.array([[1, np.nan], [0, 1]]), measure="cka_linear")


def test_the_matrix_selects_and_lists_pairs():
    matrix = SimilarityMatrix(["b", "a", "c"], np.arange(9).reshape(3, 3), np.ones((3, 3)))
    assert not matrix.symmetric
    chosen = matrix.select(["c", "b"])
    assert np.array_equal(chosen.values, [[8, 6], [2, 0]])
    assert list(matrix.pairs()["value"]) == [3, 5, 2]
    assert len(matrix.pairs(ordered=True)) == 6
    with pytest.raises(UserError, match="no model 'd'"):
        matrix.select(["d"])


def test_results_name_what_was_not_computed(result):
    assert len(result) == 3
    with pytest.raises(UserError, match="'cka_liner' was not computed: did you mean"):
        result["cka_liner"]


def test_importing_the_subpackage_is_light():
    code = "import sys, simcons.similarity; print('torch' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
