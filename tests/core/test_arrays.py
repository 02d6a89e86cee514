"""Rows that stay in their files until asked for are the rows."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from simcons.core.arrays import FileRows, SelectedRows, tensor_rows

X = np.random.default_rng(0).normal(size=(30, 7)).astype(np.float32)
WAYS = [slice(3, 9), slice(None), np.array([5, 2, 29, 2]), 4]


@pytest.mark.parametrize("rows", WAYS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_rows_of_a_tensor_in_a_file(tmp_path, rows, dtype):
    whole = X.astype(dtype)
    save_file({"a": np.arange(5), "features": whole}, tmp_path / "x.safetensors")
    found = tensor_rows(tmp_path / "x.safetensors")
    assert (found.shape, found.dtype, len(found)) == (whole.shape, whole.dtype, 30)
    assert np.array_equal(found[rows], whole[rows])
    assert np.array_equal(np.asarray(found), whole)


def test_rows_read_are_the_readers_own(tmp_path):
    (tmp_path / "raw").write_bytes(b"four" + X.tobytes())
    rows = FileRows(tmp_path / "raw", X.shape, X.dtype, offset=4)
    part = rows[2:5]
    part += 1
    assert np.array_equal(rows[2:5], X[2:5])


@pytest.mark.parametrize("rows", WAYS)
def test_selected_rows(rows):
    order = np.random.default_rng(1).permutation(40) % 30
    found = SelectedRows(X, order)
    assert found.shape == (40, 7)
    assert np.array_equal(found[rows], X[order][rows])
    assert np.array_equal(np.asarray(SelectedRows(found, np.arange(3))), X[order[:3]])


def test_a_truncated_file_and_a_missing_tensor_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"features": X}, path)
    with pytest.raises(KeyError):
        tensor_rows(path, "targets")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="ends before 'features'"):
        tensor_rows(path)
