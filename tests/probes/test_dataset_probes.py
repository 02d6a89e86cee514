from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simcons.core.store import Store
from simcons.features.feature_files import FeatureFile
from simcons.probes import Protocol, load_probe
from simcons.probes.dataset_probes import run_combination, run_probes

PROTOCOL = Protocol(solver="ridge", seeds=(0, 1))


@pytest.fixture
def files(make_data, tmp_path: Path) -> dict[str, dict[str, Path]]:
    """Return the feature files of two models of one data set."""
    train_x, train_y, test_x, test_y = make_data(noise=2.0)
    paths: dict[str, dict[str, Path]] = {}
    for model, columns in {"b": slice(0, 8), "a": slice(4, 12)}.items():
        for split, x, y in (("train", train_x, train_y), ("test", test_x, test_y)):
            keys = [f"{split}{i:04d}" for i in range(len(y))]
            path = tmp_path / "features" / model / f"{split}.safetensors"
            FeatureFile(x[:, columns], y, keys, {"parts": {"model": model}}).write(path)
            paths.setdefault(model, {})[split] = path
    return paths


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_writes_probes_and_tables(files, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_probes("toy", files, PROTOCOL, Store(tmp_path / "store"), out, threads=2)
    table = pd.read_parquet(out / "results.parquet")
    assert table[["model", "seed"]].to_numpy().tolist() == [["a", 0], ["a", 1], ["b", 0], ["b", 1]]
    assert load_probe(out / "b" / "seed_1").top1 == table.top1[3]
    agreement = pd.read_parquet(out / "error_consistency.parquet")
    assert agreement[["model_1", "model_2"]].to_numpy().tolist() == [["a", "b"]]
    assert np.isfinite(agreement.value[0])


def test_adding_a_model_or_seed_trains_only_that(files, tmp_path: Path, monkeypatch) -> None:
    from simcons.probes import dataset_probes as run

    trained: list[tuple[str, int]] = []
    fit = run.fit_linear_probe

    def counting(*args, **kwargs):
        trained.append((kwargs["model"], args[5]))
        return fit(*args, **kwargs)

    monkeypatch.setattr(run, "fit_linear_probe", counting)
    store = Store(tmp_path / "store")
    one = dataclasses.replace(PROTOCOL, seeds=(0,))
    run_probes("toy", {"a": files["a"]}, one, store, tmp_path / "first", threads=2)
    assert not (tmp_path / "first" / "error_consistency.parquet").exists()
    run_probes("toy", files, one, store, tmp_path / "second", threads=2)
    run_probes("toy", files, PROTOCOL, store, tmp_path / "third", threads=2)
    assert trained == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    run_probes("toy", files, PROTOCOL, Store(tmp_path / "empty"), tmp_path / "fresh", threads=2)
    assert contents(tmp_path / "third") == contents(tmp_path / "fresh")


def test_combination_of_files(files) -> None:
    table = run_combination(files, PROTOCOL, "concat")
    assert table.model.tolist() == ["concat(a+b)"] * 2
    assert table.seed.tolist() == [0, 1]
