"""The training data of the zoo: train splits of several data sets, as one tensor in memory.

Only train splits are read, ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from simcons.core.errors import UserError, did_you_mean
from simcons.datasets.reading import iter_samples
from simcons.datasets.shards import read_classnames
from simcons.datasets.subsets import balanced_subset
from simcons.models.zoo.spec import ZooSpec

MEAN = STD = 0.5
"""Images in [0, 1] are normalised to (x - MEAN) / STD before the encoder, in every channel."""

SUBSET_SEED = 0
"""Of the choice of training images: the same for every model, whatever its seed."""


@dataclass(frozen=True)
class TrainingData:
    """Images of a mixture of data sets.

    Parameters
    ----------
    images
        uint8 (n, 3, s, s), RGB.
    labels
        int64 (n,): the class within the mixture; a class is a pair (data set, class).
    sets
        int64 (n,): the data set, an index into ``set_names``.
    class_names
        The class's name for each label.
    set_names
        Names of the data sets.
    """

    images: Tensor
    labels: Tensor
    sets: Tensor
    class_names: tuple[str, ...]
    set_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def in_sets(self, names: Iterable[str]) -> Tensor:
        """Return which images (n,) bool come from the named data sets."""
        chosen = torch.tensor([name in set(names) for name in self.set_names])
        return chosen[self.sets]


def normalize(images: Tensor) -> Tensor:
    """Return images in [0, 1], any shape, as encoders want them."""
    return (images - MEAN) / STD


def resized(image: Image.Image, size: int) -> np.ndarray:
    """Return an image as uint8 (size, size, 3): RGB, resized with Pillow's antialiased bilinear."""
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


def read_train_split(folder: Path, size: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return images uint8 (n, size, size, 3), labels (n,) and class names of a train split."""
    samples = [(resized(s.image, size), s.target) for s in iter_samples(folder, "train")]
    if not samples:
        raise UserError(f"data set {folder}: the train split is empty")
    images, labels = zip(*samples, strict=True)
    return np.stack(images), np.array(labels, dtype=np.int64), read_classnames(folder)


def load_training_data(folders: Mapping[str, Path], spec: ZooSpec) -> TrainingData:
    """Read the mixture that a spec trains on.

    Parameters
    ----------
    folders
        The folder of each data set, by name; those of ``spec.training_sets`` are read.
    spec
        Which data sets, how many images of each, of what size.

    Raises
    ------
    UserError
        If a data set has no folder, or a shard is damaged.
    """
    parts = {}
    for name in spec.training_sets:
        if name not in folders:
            raise UserError(f"training_sets: got '{name}'; {did_you_mean(name, folders)}")
        parts[name] = read_train_split(folders[name], spec.image_size)
    return mix(parts, spec.images_per_set)


def mix(
    parts: Mapping[str, tuple[np.ndarray, np.ndarray, Sequence[str]]],
    images_per_set: int | None = None,
) -> TrainingData:
    """Join data sets into one mixture.

    Parameters
    ----------
    parts
        Name -> (images uint8 (n, s, s, 3), labels (n,), class names). Taken in the order of names.
    images_per_set
        About so many images of each, balanced by class (`datasets.subsets.balanced_subset`); None:
        all.
    """
    images, labels, sets = [], [], []
    class_names: list[str] = []
    for i, name in enumerate(sorted(parts)):
        pixels, targets, names = parts[name]
        if images_per_set is not None:
            rows = balanced_subset(targets, images_per_set, SUBSET_SEED)
            pixels, targets = pixels[rows], targets[rows]
        images.append(pixels)
        labels.append(targets + len(class_names))
        sets.append(np.full(len(targets), i))
        class_names.extend(names)
    pixels = np.ascontiguousarray(np.concatenate(images).transpose(0, 3, 1, 2))
    return TrainingData(
        images=torch.from_numpy(pixels),
        labels=torch.from_numpy(np.concatenate(labels).astype(np.int64)),
        sets=torch.from_numpy(np.concatenate(sets).astype(np.int64)),
        class_names=tuple(class_names),
        set_names=tuple(sorted(parts)),
    )
