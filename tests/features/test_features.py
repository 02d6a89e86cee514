"""Feature files and the extraction loop."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import save_file

from simcons.catalog import model_spec
from simcons.datasets import index_shards, iter_samples, write_split
from simcons.errors import UserError
from simcons.features import FeatureFile, extract, read_aligned
from simcons.models import load
from simcons.store import Store

SPEC = model_spec("untrained_mobilenetv3_small")
SPECS = {m: model_spec(m) for m in ("pixels", "untrained_mobilenetv3_small")}


def digest(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def make_dataset(folder: Path, n_train: int = 13, n_test: int = 5, per_shard: int = 5) -> Path:
    rng = np.random.default_rng(0)

    class Spec:
        id, name, domain, source, license = "tiny", "Tiny", "Noise", "builder", "MIT"

    for split, n in (("train", n_train), ("test", n_test)):
        items = [
            (f"{i:03d}", Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)), i % 2)
            for i in range(n)
        ]
        write_split(folder / split, items, per_shard)
    (folder / "classnames.txt").write_text("zero\none\n")
    index_shards(folder, Spec(), {})
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "tiny")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.text(
            st.characters(exclude_characters="\x00\n", exclude_categories=["Cs"]),
            min_size=1,
            max_size=12,
        ),
        min_size=1,
        max_size=6,
        unique=True,
    ),
    st.integers(1, 4),
)
def test_a_feature_file_reads_back(tmp_path_factory, keys, dim):
    path = tmp_path_factory.mktemp("f") / "train.safetensors"
    features = np.arange(len(keys) * dim, dtype=np.float32).reshape(len(keys), dim)
    targets = np.arange(len(keys), dtype=np.int64)
    FeatureFile(features, targets, keys, {"parts": {"a": 1}}).write(path)
    read = FeatureFile.read(path)
    assert np.array_equal(read.features, features)
    assert np.array_equal(read.targets, targets)
    assert read.keys == keys
    assert read.metadata["parts"] == {"a": 1}


def test_the_same_features_have_the_same_bytes(tmp_path):
    file = FeatureFile(
        np.ones((2, 3), np.float32), np.zeros(2, np.int64), ["a", "b"], {"y": 1, "x": 2}
    )
    for name in ("1", "2", "3"):
        file.write(tmp_path / name)
    assert len(set(digest(tmp_path).values())) == 1


def test_unequal_lengths_are_refused(tmp_path):
    file = FeatureFile(np.ones((2, 3), np.float32), np.zeros(2, np.int64), ["a"])
    with pytest.raises(UserError, match="2 rows of features, 2 targets, 1 keys"):
        file.write(tmp_path / "f")
    assert not (tmp_path / "f").exists()


def test_missing_damaged_and_foreign_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.safetensors: no such feature file"):
        FeatureFile.read(tmp_path / "none.safetensors")
    whole = tmp_path / "whole.safetensors"
    FeatureFile(np.ones((2, 3), np.float32), np.zeros(2, np.int64), ["a", "b"]).write(whole)
    short = tmp_path / "short.safetensors"
    short.write_bytes(whole.read_bytes()[:-4])
    with pytest.raises(UserError, match=r"short\.safetensors: not a readable feature file"):
        FeatureFile.read(short)
    save_file({"weights": np.ones(3)}, tmp_path / "foreign.safetensors")
    with pytest.raises(UserError, match=r"foreign\.safetensors: not a readable feature file"):
        FeatureFile.read(tmp_path / "foreign.safetensors")
    edited = bytearray(whole.read_bytes())
    edited[edited.rindex(b"b")] = ord("c")
    (tmp_path / "edited.safetensors").write_bytes(edited)
    with pytest.raises(UserError, match=r"edited\.safetensors: its sample keys"):
        FeatureFile.read(tmp_path / "edited.safetensors")


@pytest.mark.parametrize(
    ("keys", "difference"), [(["a", "c"], "row 1 is 'c' against 'b'"), (["a"], "1 rows against 2")]
)
def test_files_of_other_images_are_refused_by_name(tmp_path, keys, difference):
    def write(name: str, keys: list[str]) -> Path:
        n = len(keys)
        path = tmp_path / name
        FeatureFile(np.ones((n, 3), np.float32), np.zeros(n, np.int64), keys).write(path)
        return path

    files = {"m1": write("m1", ["a", "b"]), "m2": write("m2", ["a", "b"])}
    assert list(read_aligned(files)) == ["m1", "m2"]
    files["m3"] = write("m3", keys)
    with pytest.raises(UserError, match=rf"m3: its rows are not the images of .*m1.*{difference}"):
        read_aligned(files)


def test_rows_are_the_models_output_in_the_order_of_the_shards(dataset, tmp_path):
    extract(dataset, SPECS, Store(tmp_path / "store"), tmp_path / "out", threads=2)
    extractor = load(SPEC)
    for split in ("train", "test"):
        file = FeatureFile.read(tmp_path / "out" / SPEC.id / f"{split}.safetensors")
        samples = list(iter_samples(dataset, split))
        assert file.keys == [s.key for s in samples]
        assert file.targets.tolist() == [s.target for s in samples]
        alone = [extractor.forward(extractor.transform(s.image)[None])[0].numpy() for s in samples]
        assert np.allclose(file.features, np.stack(alone), atol=1e-4)
    pixels = FeatureFile.read(tmp_path / "out" / "pixels" / "train.safetensors")
    assert pixels.keys == [s.key for s in iter_samples(dataset, "train")]


def test_a_model_added_later_has_the_same_bytes_as_from_nothing(dataset, tmp_path):
    extract(dataset, SPECS, Store(tmp_path / "s1"), tmp_path / "all", threads=2)
    store = Store(tmp_path / "s2")
    extract(dataset, {"pixels": SPECS["pixels"]}, store, tmp_path / "first", threads=2)
    before = {e.fingerprint for e in store.entries()}
    extract(dataset, SPECS, store, tmp_path / "later", threads=2)
    assert before < {e.fingerprint for e in store.entries()}
    assert digest(tmp_path / "later") == digest(tmp_path / "all")


def test_a_finished_model_is_not_run_again(dataset, tmp_path, monkeypatch):
    store = Store(tmp_path / "store")
    extract(dataset, SPECS, store, tmp_path / "first", threads=2)

    def refuse(spec):
        raise AssertionError(f"{spec.id} was loaded again")

    monkeypatch.setattr("simcons.features.extraction.load", refuse)
    extract(dataset, SPECS, store, tmp_path / "again", threads=2)
    assert digest(tmp_path / "again") == digest(tmp_path / "first")


def test_an_interrupted_extraction_resumes_after_the_last_shard(dataset, tmp_path, monkeypatch):
    from simcons.features import extraction as module

    extract(dataset, SPECS, Store(tmp_path / "s1"), tmp_path / "whole", threads=2)
    store = Store(tmp_path / "s2")
    real, seen = module.iter_samples, []

    def fail_at_second_shard(folder, split, shard):
        seen.append((split, shard))
        if (split, shard) == ("train", 1) and seen.count(("train", 1)) == 1:
            raise KeyboardInterrupt
        return real(folder, split, shard)

    monkeypatch.setattr(module, "iter_samples", fail_at_second_shard)
    with pytest.raises(KeyboardInterrupt):
        extract(dataset, SPECS, store, tmp_path / "out", threads=2)
    assert not (tmp_path / "out").exists()
    extract(dataset, SPECS, store, tmp_path / "out", threads=2)
    assert seen.count(("train", 0)) == 1  # kept from the interrupted run
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")
    # Shards are dropped once they are joined: two models, two splits are left.
    assert len(list(store.entries())) == 4


def test_another_data_set_is_not_taken_for_the_same(dataset, tmp_path):
    other = make_dataset(tmp_path / "tiny", n_train=12)
    store = Store(tmp_path / "store")
    extract(dataset, SPECS, store, tmp_path / "a", threads=2)
    extract(other, SPECS, store, tmp_path / "b", threads=2)
    a = FeatureFile.read(tmp_path / "a" / "pixels" / "train.safetensors")
    b = FeatureFile.read(tmp_path / "b" / "pixels" / "train.safetensors")
    assert (len(a.keys), len(b.keys)) == (13, 12)


def test_a_damaged_shard_stops_the_extraction_by_name(tmp_path):
    folder = make_dataset(tmp_path / "tiny")
    shard = folder / "train" / "1.tar"
    shard.write_bytes(shard.read_bytes()[:700])
    with pytest.raises(UserError, match=r"1\.tar"):
        extract(folder, SPECS, Store(tmp_path / "store"), tmp_path / "out", threads=2)
    assert not (tmp_path / "out").exists()


def test_a_shard_that_is_not_the_indexed_one_is_refused(tmp_path):
    folder = make_dataset(tmp_path / "tiny")
    (folder / "train" / "1.tar").write_bytes((folder / "train" / "0.tar").read_bytes())
    with pytest.raises(UserError, match=r"train/1\.tar holds other samples"):
        extract(folder, SPECS, Store(tmp_path / "store"), tmp_path / "out", threads=2)


def test_lazily_read_features_are_the_same_and_checked(tmp_path):
    path = tmp_path / "x.safetensors"
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    FeatureFile(x, np.arange(5), [f"{i}" for i in range(5)]).write(path)
    lazy = FeatureFile.read(path, lazy=True)
    assert not isinstance(lazy.features, np.ndarray)
    assert np.array_equal(lazy.features[:], x)
    assert lazy.keys == ["0", "1", "2", "3", "4"]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="not a readable feature file"):
        FeatureFile.read(path, lazy=True)
