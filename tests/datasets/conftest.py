"""A small hand-made data set, and a way to spoil a shard of it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simcons.catalog import DatasetSpec
from simcons.datasets import index_shards, write_split

Members = list[tuple[str, bytes]]
Spoil = Callable[[Callable[[Members], Members]], Path]


def tiny_spec(**facts: str) -> DatasetSpec:
    """A catalogue entry."""
    known = {"name": "Tiny", "domain": "Noise", "source": "builder", "license": "MIT"}
    return DatasetSpec(id="tiny", **{**known, **facts})


def write_tar(path: Path, members: Members) -> None:
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


@pytest.fixture
def spec() -> Callable[..., DatasetSpec]:
    return tiny_spec


@pytest.fixture
def images() -> np.ndarray:
    """Ten images (10, 8, 8, 3)."""
    return np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path, images: np.ndarray) -> Path:
    """Ten train images in three shards and the first four again as test, two classes."""
    samples = [(f"{k:03d}", Image.fromarray(image), k % 2) for k, image in enumerate(images)]
    write_split(tmp_path / "tiny" / "train", samples, samples_per_shard=4)
    write_split(tmp_path / "tiny" / "test", samples[:4], samples_per_shard=4)
    (tmp_path / "tiny" / "classnames.txt").write_text("even\nodd\n")
    index_shards(tmp_path / "tiny", tiny_spec())
    return tmp_path / "tiny"


@pytest.fixture
def spoil(folder: Path) -> Spoil:
    """Rewrite the members of the second train shard by a function; returns the data set."""

    def rewrite(change: Callable[[Members], Members]) -> Path:
        path = folder / "train" / "1.tar"
        with tarfile.open(path) as archive:
            members: Members = []
            for member in archive.getmembers():
                file = archive.extractfile(member)
                assert file is not None
                members.append((member.name, file.read()))
        write_tar(path, change(members))
        return folder

    return rewrite
