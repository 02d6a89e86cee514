"""Manifest, digest, verification."""

from __future__ import annotations

import hashlib
import shutil

import pytest

from simcons.core.errors import UserError
from simcons.core.files import read_json, write_json, write_parquet
from simcons.datasets import (
    index_shards,
    manifest_digest,
    read_index,
    read_manifest,
    split_counts,
    verify,
)


def test_manifest_records_counts_and_hashes(folder):
    manifest = read_manifest(folder)
    assert manifest["id"] == "tiny"
    assert manifest["license"] == "MIT"
    assert manifest["n_classes"] == 2
    assert manifest["counts"] == {
        "train": {"n": 10, "per_class": [5, 5]},
        "test": {"n": 4, "per_class": [2, 2]},
    }
    assert split_counts(folder) == {"train": 10, "test": 4}
    assert [record["n"] for record in manifest["shards"]["train"]] == [4, 4, 2]
    for record in manifest["shards"]["train"]:
        data = (folder / "train" / record["file"]).read_bytes()
        assert record["sha256"] == hashlib.sha256(data).hexdigest()
    verify(folder)


def test_indexing_again_gives_the_same_bytes(folder, spec):
    before = {name: (folder / name).read_bytes() for name in ("manifest.json", "index.parquet")}
    index_shards(folder, spec())
    for name, data in before.items():
        assert (folder / name).read_bytes() == data


def test_digest_is_of_the_content_alone(folder, spec, spoil):
    digest = manifest_digest(folder)
    index_shards(folder, spec(license="CC0", name="Other"), {"seed": 1})
    assert read_manifest(folder)["license"] == "CC0"
    assert manifest_digest(folder) == digest
    spoil(lambda members: [(n, b"0" if n.endswith("cls") else d) for n, d in members])
    index_shards(folder, spec())
    assert manifest_digest(folder) != digest


def test_folder_with_a_test_split_only(folder, spec):
    shutil.rmtree(folder / "train")
    with pytest.raises(UserError, match="splits differ"):
        verify(folder)
    index_shards(folder, spec())
    assert split_counts(folder) == {"test": 4}
    verify(folder)


def test_verify_names_the_changed_shard(folder, spoil):
    spoil(lambda members: [(n, b"0" if n.endswith("cls") else d) for n, d in members])
    with pytest.raises(UserError, match=r"train/1\.tar: SHA-256 differs"):
        verify(folder)


def test_verify_counts_shards(folder):
    (folder / "train" / "2.tar").unlink()
    (folder / "train" / "nshards.txt").write_text("2\n")
    with pytest.raises(UserError, match=r"tiny: 2 train shards, manifest\.json has 3"):
        verify(folder)


def test_missing_or_foreign_records(folder):
    write_parquet(folder / "index.parquet", read_index(folder)[["split", "key"]])
    with pytest.raises(UserError, match=r"index\.parquet: columns \['split', 'key'\]"):
        read_index(folder)
    (folder / "index.parquet").unlink()
    with pytest.raises(UserError, match=r"tiny: no index\.parquet; make them with"):
        read_index(folder)
    manifest = read_json(folder / "manifest.json")
    del manifest["shards"]
    write_json(folder / "manifest.json", manifest)
    with pytest.raises(UserError, match="no manifest of a data set"):
        manifest_digest(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"tiny: no manifest\.json"):
        split_counts(folder)
