"""Derived and external data sets: relabelled and drawn samples, shards outside DVC's outputs."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hub_server import REPOSITORY, serving
from PIL import Image

from simcons.catalog import DatasetSpec, dataset_spec, dataset_specs, superclass_table
from simcons.catalog import datasets as catalogue
from simcons.core.errors import UserError
from simcons.datasets import (
    build_dataset,
    ensure_shards,
    iter_samples,
    manifest_digest,
    read_classnames,
    read_index,
    read_manifest,
    verify,
    write_split,
)
from simcons.datasets.derived import by_superclass, per_class

N_CLASSES = 6


def facts(source: str, **more) -> dict:
    return {"name": "Tiny", "domain": "Noise", "source": source, **more}


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """Shards of 6 classes: 4 train images of each, 2 test images, not sorted by class."""
    rng = np.random.default_rng(0)
    root = tmp_path / "parent"
    for split, n in (("train", 24), ("test", 12)):
        samples = [
            (f"{split}{i:03d}", Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)), i % 6)
            for i in range(n)
        ]
        write_split(root / split, samples, samples_per_shard=5)
    (root / "classnames.txt").write_text("".join(f"class {c}\n" for c in range(N_CLASSES)))
    return root


@pytest.fixture
def own(parent, tmp_path, monkeypatch):
    """Entries of a user's catalogue on the parent's shards, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIMCONS_DATASETS", str(tmp_path / "shards"))
    tables = {
        "coarse": [
            {"name": "low", "train": [0, 1], "test": [0, 1]},
            {"train": [5, 3], "test": [3, 5]},
        ],
        "breeds": [{"train": [0], "test": [1]}, {"train": [2], "test": [3]}],
        "toolarge": [{"train": [6], "test": [6]}],
    }
    monkeypatch.setattr(catalogue, "facts", lambda file: tables)
    lines = [f"base: {facts('shards', path=str(parent))}"]
    lines += [f"{n}: {facts('derived', parent='base', rule='superclasses')}" for n in tables]
    options = {"per_class": 2, "test_per_class": None, "seed": 0}
    few = facts("derived", parent="base", rule="per_class", options=options)
    lines += [f"few: {few}".replace("None", "null")]
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "datasets.yaml").write_text("\n".join(lines))

    def build(name: str, **changed) -> Path:
        spec = dataset_spec(name)
        build_dataset(spec, {**spec.options, **changed}, tmp_path / "out" / name)
        return tmp_path / "out" / name

    return build


def content(folder: Path, split: str) -> list[tuple[str, int, bytes]]:
    return [(s.key, s.target, s.image.tobytes()) for s in iter_samples(folder, split)]


def expected(parent: Path, split: str, label_of: dict[int, int]) -> list[tuple[str, int, bytes]]:
    """The slow reference: every sample of the parent, relabelled one by one."""
    from simcons.datasets import decode, iter_encoded

    return [
        (s.key, label_of[s.target], decode(s, "").tobytes())
        for s in iter_encoded(parent, split)
        if s.target in label_of
    ]


def test_coarse_labels_are_the_parents_images_relabelled(own, parent):
    folder = own("coarse")
    for split in ("train", "test"):
        assert content(folder, split) == expected(parent, split, {0: 0, 1: 0, 3: 1, 5: 1})
    assert read_classnames(folder) == ["low", "class 3, class 5"]
    verify(folder)


def test_breeds_train_and_test_on_different_classes(own, parent):
    folder = own("breeds")
    assert content(folder, "train") == expected(parent, "train", {0: 0, 2: 1})
    assert content(folder, "test") == expected(parent, "test", {1: 0, 3: 1})
    counts = read_manifest(folder)["counts"]
    assert counts["train"] == {"n": 8, "per_class": [4, 4]}
    assert counts["test"] == {"n": 4, "per_class": [2, 2]}


def test_a_derived_set_holds_no_image(own, parent):
    folder = own("breeds")
    assert sorted(p.name for p in folder.iterdir()) == [
        "classnames.txt",
        "index.parquet",
        "manifest.json",
    ]
    shards = read_manifest(folder)["shards"]["train"]
    assert sum(s["n"] for s in shards) == 8
    assert all(len(s["sha256"]) == 64 for s in shards)


def test_content_decides_the_digest(own):
    digests = [manifest_digest(own(name)) for name in ("coarse", "breeds", "few", "base")]
    digests += [manifest_digest(own("few", seed=1)), manifest_digest(own("few", per_class=3))]
    assert len(set(digests)) == len(digests)
    assert manifest_digest(own("few")) == digests[2]


def test_a_draw_of_each_class_is_balanced_sorted_and_nested(own, parent):
    folder = own("few")
    index = read_index(folder)
    assert index[index["split"] == "train"].groupby("target").size().tolist() == [2] * 6
    assert (index["split"] == "test").sum() == 12
    whole = read_index(own("base"))
    places = [whole.index[whole["key"] == key][0] for key in index["key"]]
    assert places == sorted(places)
    train = set(index.loc[index["split"] == "train", "key"])
    assert content(folder, "train") == [
        row for row in expected(parent, "train", {c: c for c in range(6)}) if row[0] in train
    ]
    draws = [set(read_index(own("few", per_class=k))["key"]) for k in (1, 2, 3, 4, 9)]
    assert all(small <= large for small, large in pairwise(draws))
    assert draws[3] == draws[4]  # a class that has fewer gives all


def test_a_draw_is_uniform_over_a_class():
    index = pd.DataFrame(
        {"split": "train", "shard": 0, "key": [str(i) for i in range(6)], "target": 0}
    )
    counts = np.zeros(6)
    for seed in range(600):
        rows = per_class("x", index, per_class=2, test_per_class=None, seed=seed)
        counts[rows["key"].astype(int)] += 1
    # 200 expected each; four standard deviations of a binomial(600, 1/3)
    assert np.all(np.abs(counts - 200) < 4 * np.sqrt(600 * 2 / 9))


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "all", True])
def test_a_bad_number_is_named(own, wrong):
    with pytest.raises(UserError, match=f"'few': option 'per_class' is {wrong!r}"):
        own("few", per_class=wrong)


def test_a_parent_without_the_class_is_refused(own):
    with pytest.raises(UserError, match="'toolarge': its superclasses name class 6, .* 6 classes"):
        own("toolarge")


def test_the_studys_tables_are_whole():
    """Every BREEDS class belongs to one superclass of one split; all fine labels are used."""
    for name in ("living17", "nonliving26", "entity13", "entity30"):
        table = superclass_table(name)
        used = [c for row in table for split in ("train", "test") for c in row[split]]
        assert len(used) == len(set(used))
        assert len({len(row["train"]) for row in table}) == 1  # balanced
        assert {len(row["train"]) for row in table} == {len(row["test"]) for row in table}
        assert len(table) == int(name[-2:])
    fine = superclass_table("cifar100_coarse")
    assert sorted(c for row in fine for c in row["train"]) == list(range(100))
    assert all(row["train"] == row["test"] and len(row["train"]) == 5 for row in fine)
    index = pd.DataFrame(
        {"split": "train", "shard": 0, "key": [str(i) for i in range(100)], "target": range(100)}
    )
    rows, names = by_superclass("c", index, [f"fine {i}" for i in range(100)], fine)
    assert rows["target"].value_counts().tolist() == [5] * 20
    assert names[0] == "aquatic mammals"


def test_every_data_set_of_the_catalogue_has_what_it_is_made_from():
    specs = dataset_specs()
    assert sum(spec.in_similarity_study for spec in specs.values()) == 23
    assert sum(spec.paper_id is not None for spec in specs.values()) == 30
    for spec in specs.values():
        for other in (spec.parent, spec.variant_of):
            assert other is None or other in specs
        if spec.rule == "superclasses":
            assert superclass_table(spec.id)


# Shards outside DVC's outputs


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCONS_DATASETS", str(tmp_path / "shards"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    entry = facts("hub", repository=REPOSITORY)
    (tmp_path / "own" / "datasets.yaml").write_text(f"tiny: {entry}\n")
    with serving(folder) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        yield server


def test_a_hubs_record_holds_hashes_and_commit_and_no_images(hub, folder, tmp_path):
    spec = dataset_spec("tiny")
    build_dataset(spec, {}, tmp_path / "data" / "tiny")
    manifest = read_manifest(tmp_path / "data" / "tiny")
    assert manifest["external"] == {
        "folder": "tiny",
        "repository": REPOSITORY,
        "revision": hub.commit,
    }
    assert not list((tmp_path / "data").rglob("*.tar"))
    theirs = read_manifest(folder)["shards"]["train"]
    assert [s["sha256"] for s in manifest["shards"]["train"]] == [s["sha256"] for s in theirs]
    assert content(tmp_path / "data" / "tiny", "train") == content(folder, "train")
    hub.log.clear()
    build_dataset(spec, {}, tmp_path / "again")  # from what is here, without the hub
    assert hub.log == []
    for name in ("manifest.json", "index.parquet"):
        assert (tmp_path / "again" / name).read_bytes() == (
            tmp_path / "data" / "tiny" / name
        ).read_bytes()


def test_a_pulled_record_fetches_its_shards_when_they_are_needed(hub, folder, tmp_path):
    record = tmp_path / "data" / "tiny"
    build_dataset(dataset_spec("tiny"), {}, record)
    shutil.rmtree(tmp_path / "shards")
    assert content(record, "test") == content(folder, "test")
    assert (tmp_path / "shards" / "tiny" / "test" / "0.tar").is_file()


def test_shards_that_are_not_the_records_are_refused(hub, folder, tmp_path):
    record = tmp_path / "data" / "tiny"
    build_dataset(dataset_spec("tiny"), {}, record)
    shutil.rmtree(tmp_path / "shards")
    (folder / "test" / "0.tar").write_bytes((folder / "train" / "1.tar").read_bytes())
    with pytest.raises(UserError, match=r"test/0\.tar has another SHA-256, says the record"):
        ensure_shards(record)


def test_a_shard_cut_on_the_disk_is_found(hub, tmp_path):
    record = tmp_path / "data" / "tiny"
    build_dataset(dataset_spec("tiny"), {}, record)
    shard = tmp_path / "shards" / "tiny" / "train" / "1.tar"
    shard.write_bytes(shard.read_bytes()[:512])
    with pytest.raises(UserError, match=r"train/1\.tar: 512 bytes, the record says"):
        ensure_shards(record)
    with pytest.raises(UserError, match=r"train/1\.tar: SHA-256 differs"):
        verify(record)


def test_a_record_cannot_name_a_folder_outside(hub, tmp_path):
    from simcons.core.files import write_json

    record = tmp_path / "data" / "tiny"
    build_dataset(dataset_spec("tiny"), {}, record)
    manifest = read_manifest(record)
    manifest["external"]["folder"] = "../../etc"
    write_json(record / "manifest.json", manifest)
    with pytest.raises(UserError, match=r"external\.folder is '\.\./\.\./etc'"):
        ensure_shards(record)


def test_a_variant_needs_no_train_split(hub, folder, tmp_path):
    shutil.rmtree(folder / "train")
    spec = DatasetSpec(
        **{**dataset_spec("tiny").model_dump(exclude={"id"}), "variant_of": "base"}, id="tiny"
    )
    build_dataset(spec, {}, tmp_path / "data" / "tiny")
    assert list(read_manifest(tmp_path / "data" / "tiny")["counts"]) == ["test"]
