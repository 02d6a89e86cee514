"""What every builder needs: items, options, splits, generators per image, files of packages."""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from pydantic import Field

from simcons.core.errors import UserError
from simcons.core.paths import SPLITS
from simcons.core.validation import Checked

Draw = Callable[[int, str, np.random.Generator], Image.Image]


class Item(NamedTuple):
    """One labelled image; keys are unique in a split."""

    key: str
    image: Image.Image
    label: int


@dataclass(frozen=True)
class BuiltDataset:
    """What a builder gives: class names in label order, and the images of both splits.

    The images may be generators (made while they are written), to be read once; so their numbers
    are given beside.
    """

    classnames: tuple[str, ...]
    train: Iterable[Item]
    test: Iterable[Item]
    n_train: int
    n_test: int


Count = Annotated[int, Field(strict=True, ge=1)]
Seed = Annotated[int, Field(strict=True, ge=0)]


class SampledOptions(Checked):
    """Options of a data set that is rendered, or cut from photographs, to any size.

    Parameters
    ----------
    seed
        Of all random choices.
    size
        Width and height of an image, in pixels.
    train_per_class, test_per_class
        Images of each class.
    """

    seed: Seed
    size: Annotated[int, Field(strict=True, ge=24)]
    train_per_class: Count
    test_per_class: Count


class SplitOptions(Checked):
    """Options of a data set of given images.

    Parameters
    ----------
    seed
        Of the split.
    test_fraction
        The share of each class that is for the test.
    """

    seed: Seed
    test_fraction: Annotated[float, Field(strict=True, gt=0, lt=1)]


def image_rng(name: str, seed: int, split: str, label: int, number: int) -> np.random.Generator:
    """Return the generator of one image.

    One per image: more images of a class leave the first ones as they are. The data set's name is
    part of the seed, so that two data sets do not share their backgrounds.
    """
    salt = zlib.crc32(name.encode())
    return np.random.default_rng([seed, salt, SPLITS.index(split), label, number])


def sampled(
    name: str, classnames: Sequence[str], options: SampledOptions, draw: Draw
) -> BuiltDataset:
    """Make a data set by drawing every image from its class.

    Parameters
    ----------
    name
        The data set, for the generators.
    classnames
        In label order.
    options
        Seed and numbers of images.
    draw
        ``draw(label, split, rng)`` returns one image.

    Returns
    -------
    BuiltDataset
        Classes in turn, so that every shard holds all classes.
    """

    def items(split: str, per_class: int) -> Iterator[Item]:
        for number in range(per_class):
            for label in range(len(classnames)):
                rng = image_rng(name, options.seed, split, label, number)
                yield Item(f"{label:02d}_{number:04d}", draw(label, split, rng), label)

    n_train, n_test = options.train_per_class, options.test_per_class
    return BuiltDataset(
        classnames=tuple(classnames),
        train=items("train", n_train),
        test=items("test", n_test),
        n_train=n_train * len(classnames),
        n_test=n_test * len(classnames),
    )


def stratified_split(
    targets: ArrayLike, test_fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split rows at random into train and test, each class by the same share.

    Parameters
    ----------
    targets
        (n,) labels.
    test_fraction
        The share of each class that goes to the test, rounded; at least one image of each class
        goes to either split.
    seed
        Of the draw.

    Returns
    -------
    tuple
        Train and test rows, each sorted.

    Raises
    ------
    UserError
        If a class has fewer than two images.
    """
    labels = np.asarray(targets)
    rng = np.random.default_rng(seed)
    test = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if rows.size < 2:
            raise UserError(f"class {label} has one image, too few to split")
        n_test = int(np.clip(round(test_fraction * rows.size), 1, rows.size - 1))
        test.append(rng.choice(rows, n_test, replace=False))
    test_rows = np.sort(np.concatenate(test)).astype(np.int64)
    return np.setdiff1d(np.arange(labels.size, dtype=np.int64), test_rows), test_rows


def split_images(
    images: NDArray[np.uint8], targets: NDArray[np.int64], options: SplitOptions
) -> BuiltDataset:
    """Make a data set of given grey images of digits, split at random by class.

    Parameters
    ----------
    images
        (n, h, w) uint8.
    targets
        (n,) labels, 0 to 9.
    options
        The split.

    Returns
    -------
    BuiltDataset
        The key of an image is its row number.
    """
    train, test = stratified_split(targets, options.test_fraction, options.seed)

    def items(rows: NDArray[np.int64]) -> Iterator[Item]:
        for row in rows:
            yield Item(f"{row:05d}", Image.fromarray(images[row]), int(targets[row]))

    names = tuple(str(label) for label in np.unique(targets))
    return BuiltDataset(names, items(train), items(test), len(train), len(test))


def package_file(package: str, *parts: str) -> Path:
    """Return the path of a file inside an installed package, without importing the package.

    Raises
    ------
    UserError
        If the package or the file is not there.
    """
    found = importlib.util.find_spec(package)
    for folder in (found.submodule_search_locations or []) if found else []:
        path = Path(folder, *parts)
        if path.is_file():
            return path
    raise UserError(
        f"package '{package}' is not installed or has no {'/'.join(parts)}; "
        "install the versions in constraints.txt"
    )
