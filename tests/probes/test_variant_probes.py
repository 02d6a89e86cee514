"""Test-only variants, scored with their parent's probes: from files to tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simcons.core.errors import UserError
from simcons.core.store import Store
from simcons.features.feature_files import FeatureFile
from simcons.probes import Protocol, load_probe
from simcons.probes.dataset_probes import run_probes, run_variant

PROTOCOL = Protocol(solver="ridge", seeds=(0, 1))
CLASSES = [0, 2, 3]  # of the parent's four


@pytest.fixture
def study(make_data, tmp_path: Path):
    """Probes of two models on a parent data set, and those models' features on a variant."""
    train_x, train_y, test_x, test_y = make_data(noise=2.0)
    rows = np.flatnonzero(np.isin(test_y, CLASSES))
    own = np.searchsorted(CLASSES, test_y[rows])  # 0, 1, 2
    columns = {"a": slice(4, 12), "b": slice(0, 8)}

    def write(name: str, model: str, split: str, x, y) -> Path:
        path = tmp_path / "features" / name / model / f"{split}.safetensors"
        keys = [f"{split}{i:04d}" for i in range(len(y))]
        FeatureFile(x[:, columns[model]], y, keys, {"parts": {"m": model, "d": name}}).write(path)
        return path

    files = {
        m: {
            "train": write("base", m, "train", train_x, train_y),
            "test": write("base", m, "test", test_x, test_y),
        }
        for m in columns
    }
    store = Store(tmp_path / "store")
    run_probes("base", files, PROTOCOL, store, tmp_path / "base", threads=2)
    variant = {m: write("few", m, "test", test_x[rows], own) for m in columns}
    return store, tmp_path / "base", variant


def score(study, out: Path | None, classes=CLASSES, **changed) -> None:
    store, parent, files = study
    options = {"files": files, "seeds": PROTOCOL.seeds, "store": store} | changed
    run_variant("few", parent, classes=classes, out=out, threads=2, **options)


def test_logits_are_the_parents_at_the_variants_classes(study, tmp_path):
    score(study, tmp_path / "out")
    table = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert table[["model", "seed"]].to_numpy().tolist() == [["a", 0], ["a", 1], ["b", 0], ["b", 1]]
    for model in ("a", "b"):
        probe = load_probe(study[1] / model / "seed_1")
        file = FeatureFile.read(study[2][model])
        # The slow reference: image by image, class by class.
        right = 0
        for x, own in zip(file.features.astype(np.float64), file.targets, strict=True):
            unit = x / np.linalg.norm(x)
            scores = [probe.weight[c] @ unit + probe.bias[c] for c in CLASSES]
            right += int(np.argmax(scores)) == own
        row = table[(table.model == model) & (table.seed == 1)].iloc[0]
        assert row.top1 == pytest.approx(right / len(file.targets))
        assert row.n_classes == 3
        assert row.n_train == probe.n_train
        scored = load_probe(tmp_path / "out" / model / "seed_1")
        assert scored.classes.tolist() == CLASSES
        assert sorted(set(scored.targets.tolist())) == CLASSES  # in the parent's numbering


def test_fewer_classes_are_easier_than_all(study, tmp_path):
    """Without the restriction the same images can only be taken for more classes."""
    score(study, tmp_path / "few")
    store, parent, files = study
    for file in files.values():  # the same images, in the parent's numbering
        own = FeatureFile.read(file)
        labels = np.asarray(CLASSES)[own.targets]
        FeatureFile(own.features, labels, own.keys, {"parts": {"all": str(file)}}).write(file)
    run_variant("few", parent, files, None, PROTOCOL.seeds, store, tmp_path / "all", threads=2)
    few, every = (pd.read_parquet(tmp_path / n / "results.parquet") for n in ("few", "all"))
    assert (few.top1 >= every.top1).all()
    assert (few.top1 > every.top1).any()
    assert every.n_classes.tolist() == [4] * 4


def test_scores_in_the_store_are_not_computed_again(study, tmp_path, monkeypatch):
    from simcons.probes import dataset_probes as module

    scored = []
    real = module.score_variant
    monkeypatch.setattr(
        module, "score_variant", lambda p, *a, **k: scored.append(p.model) or real(p, *a, **k)
    )
    score(study, None, files={"a": study[2]["a"]})  # a model group
    assert scored == ["a", "a"]
    score(study, tmp_path / "first")
    assert scored == ["a", "a", "b", "b"]
    score(study, tmp_path / "second")
    assert len(scored) == 4
    first = {p.name: p.read_bytes() for p in (tmp_path / "first").rglob("*") if p.is_file()}
    second = {p.name: p.read_bytes() for p in (tmp_path / "second").rglob("*") if p.is_file()}
    assert first == second
    score(study, tmp_path / "third", classes=[0, 1, 2])  # other classes are another result
    assert len(scored) == 8


def test_another_probe_of_the_parent_is_scored_anew(study, tmp_path, monkeypatch):
    score(study, tmp_path / "first")
    store, parent, files = study
    weights = {p: p.read_bytes() for p in parent.rglob("*") if p.is_file()}
    features = {
        m: {s: tmp_path / "features" / "base" / m / f"{s}.safetensors" for s in ("train", "test")}
        for m in files
    }
    other = Protocol(solver="ridge", seeds=(0, 1), few_shot=3)
    run_probes("base", features, other, store, parent, threads=2)
    assert weights != {p: p.read_bytes() for p in parent.rglob("*") if p.is_file()}
    score(study, tmp_path / "second")
    tables = [pd.read_parquet(tmp_path / n / "results.parquet") for n in ("first", "second")]
    assert not tables[0].top1.equals(tables[1].top1)


def test_what_does_not_fit_is_named(study, tmp_path):
    with pytest.raises(UserError, match=r"'few': label 2, but the catalogue lists 2 classes"):
        score(study, tmp_path / "out", classes=[0, 1])
    with pytest.raises(UserError, match=r"a, test-only variant: labels \[9\] are not in"):
        score(study, tmp_path / "out", classes=[0, 2, 9])
    with pytest.raises(UserError, match=r"seed_7: no such probe; run `dvc repro probe@base`"):
        score(study, tmp_path / "out", seeds=(7,))
    files = {**study[2], "c": tmp_path / "none.safetensors"}
    with pytest.raises(UserError, match="no such feature file"):
        score(study, tmp_path / "out", files=files)
    assert not (tmp_path / "out").exists()
