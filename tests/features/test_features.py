"""Feature files and the extraction loop."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import save_file

from simcons.catalog import DatasetSpec, model_spec
from simcons.core.errors import UserError
from simcons.core.store import Store
from simcons.datasets import decode, index_shards, iter_samples, write_split
from simcons.features import FeatureFile, read_aligned
from simcons.features.device import Runner
from simcons.features.extraction import extract
from simcons.models import Extractor, load

SPEC = model_spec("untrained_mobilenetv3_small")
DESCRIPTION = DatasetSpec(id="tiny", name="Tiny", domain="Noise", source="builder", license="MIT")
SPECS = {m: model_spec(m) for m in ("pixels", "untrained_mobilenetv3_small")}


def digest(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def make_dataset(folder: Path, n_train: int = 13, n_test: int = 5, per_shard: int = 5) -> Path:
    rng = np.random.default_rng(0)

    for split, n in (("train", n_train), ("test", n_test)):
        items = [
            (f"{i:03d}", Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)), i % 2)
            for i in range(n)
        ]
        write_split(folder / split, items, per_shard)
    (folder / "classnames.txt").write_text("zero\none\n")
    index_shards(folder, DESCRIPTION, {})
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


@pytest.fixture
def small_chunks(monkeypatch) -> None:
    """Batches of 2 and chunks of 4: several of each in a shard of 5."""
    monkeypatch.setattr("simcons.features.extraction.CHUNK_SIZE", 4)
    monkeypatch.setattr("simcons.features.extraction.make_runner", small_runner)


def small_runner(precision: str) -> Runner:
    return Runner(torch.device("cpu"), precision, 2)


def test_an_interrupted_extraction_resumes_after_the_last_chunk(
    dataset, tmp_path, monkeypatch, small_chunks
):
    extract(dataset, SPECS, Store(tmp_path / "s1"), tmp_path / "whole", threads=2)
    store = Store(tmp_path / "s2")
    decoded, broken = [], []

    def fail_once(sample, origin):
        decoded.append((origin.rpartition("/")[2], sample.key))
        if sample.key == "009" and not broken:  # the second chunk of the second shard of train
            broken.append(True)
            raise KeyboardInterrupt
        return decode(sample, origin)

    monkeypatch.setattr("simcons.features.batches.decode", fail_once)
    with pytest.raises(KeyboardInterrupt):
        extract(dataset, SPECS, store, tmp_path / "out", threads=2)
    assert not (tmp_path / "out").exists()
    extract(dataset, SPECS, store, tmp_path / "out", threads=2)
    assert decoded.count(("train", "000")) == 1  # kept from the interrupted run
    assert decoded.count(("train", "008")) == 1  # of the same shard, in a chunk that was done
    assert decoded.count(("train", "009")) == 2
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")
    # Chunks are dropped once they are joined: two models, two splits are left.
    assert len(list(store.entries())) == 4


def test_another_run_that_finishes_first_and_drops_the_chunks_is_no_error(
    dataset, tmp_path, monkeypatch, small_chunks
):
    """Two users with one store: the other joins the features while this one is half-way."""
    extract(dataset, SPECS, Store(tmp_path / "s1"), tmp_path / "whole", threads=2)
    store = Store(tmp_path / "s2")

    def overtaken(sample, origin):
        if sample.key == "009":  # the second chunk of the second shard of train
            monkeypatch.setattr("simcons.features.batches.decode", decode)
            extract(dataset, SPECS, store, None, threads=2)
        return decode(sample, origin)

    monkeypatch.setattr("simcons.features.batches.decode", overtaken)
    extract(dataset, SPECS, store, tmp_path / "out", threads=2)
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")
    assert len(list(store.entries())) == 4  # its own chunks are dropped, too


def test_each_image_is_decoded_once_for_all_models(dataset, tmp_path, monkeypatch):
    decoded = []

    def counted(sample, origin):
        decoded.append((origin, sample.key))
        return decode(sample, origin)

    monkeypatch.setattr("simcons.features.batches.decode", counted)
    extract(dataset, SPECS, Store(tmp_path / "store"), tmp_path / "out", threads=2)
    assert len(decoded) == len(set(decoded)) == 18


def test_worker_processes_change_nothing(dataset, tmp_path, monkeypatch, small_chunks):
    monkeypatch.setenv("SIMCONS_WORKERS", "0")
    extract(dataset, SPECS, Store(tmp_path / "s0"), tmp_path / "alone", threads=2)
    monkeypatch.setenv("SIMCONS_WORKERS", "3")
    extract(dataset, SPECS, Store(tmp_path / "s3"), tmp_path / "workers", threads=2)
    assert digest(tmp_path / "alone") == digest(tmp_path / "workers")


def test_an_error_in_a_worker_is_one_line(tmp_path, monkeypatch):
    folder = make_dataset(tmp_path / "tiny")
    shard = folder / "train" / "1.tar"
    shard.write_bytes(shard.read_bytes()[:700])
    monkeypatch.setenv("SIMCONS_WORKERS", "2")
    with pytest.raises(UserError) as error:
        extract(folder, SPECS, Store(tmp_path / "store"), tmp_path / "out", threads=2)
    assert "1.tar" in str(error.value)
    assert "\n" not in str(error.value)


def test_model_groups_fill_the_store_and_write_no_output(dataset, tmp_path):
    extract(dataset, SPECS, Store(tmp_path / "s1"), tmp_path / "whole", threads=2)
    store = Store(tmp_path / "s2")
    for model, spec in SPECS.items():
        extract(dataset, {model: spec}, store, None, threads=2)
    assert not (tmp_path / "out").exists()
    assert len(list(store.entries())) == 4
    extract(dataset, SPECS, store, tmp_path / "out", threads=2)
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


def test_a_data_set_without_a_train_split(tmp_path):
    folder = make_dataset(tmp_path / "tiny")
    shutil.rmtree(folder / "train")
    index_shards(folder, DESCRIPTION, {})
    extract(folder, SPECS, Store(tmp_path / "store"), tmp_path / "out", threads=2)
    assert [p.name for p in (tmp_path / "out" / "pixels").iterdir()] == ["test.safetensors"]


def test_half_precision_files_are_half_as_large_and_say_so(dataset, tmp_path):
    store = Store(tmp_path / "store")
    extract(dataset, SPECS, store, tmp_path / "single", threads=2)
    extract(dataset, SPECS, store, tmp_path / "half", threads=2, storage="float16")
    paths = [tmp_path / kind / SPEC.id / "train.safetensors" for kind in ("single", "half")]
    single, half = map(FeatureFile.read, paths)
    assert half.features.dtype == np.float32
    assert np.array_equal(half.features, single.features.astype(np.float16).astype(np.float32))
    assert half.keys == single.keys
    assert half.metadata["storage"] == "float16"
    assert half.metadata["parts"]["storage"] == "float16"
    assert "storage" not in single.metadata
    assert "storage" not in single.metadata["parts"]
    numbers = single.features.size
    assert paths[0].stat().st_size - paths[1].stat().st_size == pytest.approx(2 * numbers, abs=100)


def test_features_that_half_precision_cannot_hold_are_refused(dataset, tmp_path, monkeypatch):
    real = Runner.forward
    monkeypatch.setattr(Runner, "forward", lambda self, e, x: [f * 1e5 for f in real(self, e, x)])
    with pytest.raises(UserError, match=r"tiny/pixels/train reach 1e\+05, which float16 cannot"):
        extract(
            dataset,
            {"pixels": SPECS["pixels"]},
            Store(tmp_path / "store"),
            tmp_path / "out",
            threads=2,
            storage="float16",
        )


def test_mixed_precision_is_another_result_and_near(dataset, tmp_path):
    store = Store(tmp_path / "store")
    extract(dataset, {SPEC.id: SPEC}, store, tmp_path / "a", threads=2)
    extract(dataset, {SPEC.id: SPEC}, store, tmp_path / "b", threads=2, precision="bfloat16")
    a, b = (
        FeatureFile.read(tmp_path / x / SPEC.id / "train.safetensors").features for x in ("a", "b")
    )
    assert not np.array_equal(a, b)
    correlation = np.corrcoef(a.ravel(), b.ravel())[0, 1]
    assert correlation > 0.99


def test_several_layers_of_a_network_are_read_in_one_pass(dataset, tmp_path, monkeypatch):
    vit = model_spec("untrained_vit_tiny")
    entries = {
        "last": vit,
        "block": vit.model_copy(update={"id": "block", "layer": "blocks.3", "token": "avg"}),
        "cls": vit.model_copy(update={"id": "cls", "layer": "blocks.3", "token": "cls"}),
    }
    for name, spec in entries.items():
        extract(dataset, {name: spec}, Store(tmp_path / name), tmp_path / "alone", threads=2)
    networks, passes = [], []
    real = torch.nn.Module.__call__

    def counted(self, *args, **kwargs):
        if type(self).__name__ == "VisionTransformer":
            networks.append(id(self))
            passes.append(len(args[0]))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(torch.nn.Module, "__call__", counted)
    extract(dataset, entries, Store(tmp_path / "s"), tmp_path / "together", threads=2)
    assert digest(tmp_path / "together") == digest(tmp_path / "alone")
    # Loading tries one image; then 13 train images in shards of 5 and 5 test images, once each.
    assert sorted(passes) == sorted([1, 5, 5, 3, 1, 5])


class Greedy(torch.nn.Module):
    """Runs out of memory above so many images, as a GPU does."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.sizes = most, []

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(batch))
        if len(batch) > self.most:
            raise torch.OutOfMemoryError("no memory")
        return batch.mean((2, 3))


def test_a_batch_that_does_not_fit_is_halved_and_remembered():
    inputs = torch.arange(16 * 3, dtype=torch.float32).reshape(16, 3, 1, 1)
    module, three = Greedy(5), SPEC.model_copy(update={"feature_dim": 3})
    extractor = Extractor(three, module, load(SPECS["pixels"]).transform)
    runner = Runner(torch.device("cpu"))
    assert torch.equal(runner.forward([extractor], inputs)[0], inputs[:, :, 0, 0])
    assert module.sizes == [16, 8, 4, 4, 4, 4]
    runner.forward([extractor], inputs)
    assert module.sizes[6:] == [4, 4, 4, 4]
    with pytest.raises(UserError, match=f"'{SPEC.id}': one image does not fit the memory of cpu"):
        runner.forward([Extractor(three, Greedy(0), extractor.transform)], inputs)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SIMCONS_DEVICE", "gpu", "SIMCONS_DEVICE: got 'gpu'; allowed: cpu"),
        ("SIMCONS_DEVICE", "cuda:99", "'cuda:99' is not here"),
        ("SIMCONS_WORKERS", "many", "SIMCONS_WORKERS: got 'many'"),
    ],
)
def test_a_wrong_environment_is_named(dataset, tmp_path, monkeypatch, variable, value, message):
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError, match=message):
        extract(dataset, SPECS, Store(tmp_path / "store"), tmp_path / "out", threads=2)


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
