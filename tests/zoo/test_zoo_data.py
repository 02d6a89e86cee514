"""The mixture: train splits only, resized as the extractor does, balanced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from simcons.catalog import TransformSpec, dataset_spec
from simcons.core.errors import UserError
from simcons.datasets import index_shards, write_split
from simcons.models.transforms import Transform
from simcons.models.zoo.data import load_training_data, mix, normalize, resized
from simcons.models.zoo.spec import ZooSpec


def _photo(seed: int, size: int = 48) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    made = {"fine": tmp_path / "fine", "coarse": tmp_path / "coarse"}
    for offset, (name, folder) in enumerate(made.items()):
        train = [(f"k{i}", _photo(100 * offset + i), i % 2) for i in range(6)]
        write_split(folder / "train", train, 4)
        write_split(folder / "test", [("t", _photo(999), 0)])
        (folder / "classnames.txt").write_text(f"{name} a\n{name} b\n")
        index_shards(folder, dataset_spec("shapes"))
    return made


def test_the_mixture_is_every_train_image(
    folders: dict[str, Path], make_spec: Callable[..., ZooSpec]
) -> None:
    data = load_training_data(folders, make_spec())
    assert data.set_names == ("coarse", "fine")
    assert data.class_names == ("coarse a", "coarse b", "fine a", "fine b")
    assert data.labels.tolist() == [0, 1] * 3 + [2, 3] * 3
    assert data.sets.tolist() == [0] * 6 + [1] * 6
    assert data.images.shape == (12, 3, 32, 32)
    assert data.images.dtype == torch.uint8
    expected = resized(_photo(100 + 1), 32)
    np.testing.assert_array_equal(data.images[1].permute(1, 2, 0).numpy(), expected)
    assert data.in_sets(["fine"]).tolist() == [False] * 6 + [True] * 6


def test_training_images_look_like_those_of_the_extractor() -> None:
    how = TransformSpec(resize=32, mode="squash", interpolation="bilinear")
    seen = Transform(how)(_photo(3))
    trained_on = torch.from_numpy(resized(_photo(3), 32).copy()).permute(2, 0, 1)
    torch.testing.assert_close(normalize(trained_on.float() / 255), seen)


def test_an_unknown_training_set_is_refused(
    folders: dict[str, Path], make_spec: Callable[..., ZooSpec]
) -> None:
    del folders["coarse"]
    with pytest.raises(UserError, match=r"training_sets: got 'coarse'; .*Allowed: fine"):
        load_training_data(folders, make_spec())


def test_images_per_set_is_balanced_and_always_the_same() -> None:
    labels = np.repeat(np.arange(5), 20)
    images = np.arange(100, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, 8, 8, 3), dtype=np.uint8
    )
    parts = {"a": (images, labels, list("vwxyz"))}
    data = mix(parts, 15)
    assert torch.bincount(data.labels).tolist() == [3] * 5
    assert torch.equal(data.images, mix(parts, 15).images)
    assert (data.images[:, 0, 0, 0] // 20 == data.labels).all()
    assert len(mix(parts, None)) == 100
