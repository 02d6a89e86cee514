"""What every builder needs: options, splits, generators per image, files of packages."""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from simcons.core.errors import UserError
from simcons.core.paths import SPLITS
from simcons.core.validation import Checked
from simcons.datasets.shard_writer import Labelled, LabelledImages
from simcons.datasets.subsets import split_by_class

Draw = Callable[[int, str, np.random.Generator], Image.Image]


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
) -> LabelledImages:
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
    LabelledImages
        Classes in turn, so that every shard holds all classes.
    """

    def items(split: str, per_class: int) -> Iterator[Labelled]:
        for number in range(per_class):
            for label in range(len(classnames)):
                rng = image_rng(name, options.seed, split, label, number)
                yield Labelled(f"{label:02d}_{number:04d}", draw(label, split, rng), label)

    counts = {"train": options.train_per_class, "test": options.test_per_class}
    splits = {split: (n * len(classnames), items(split, n)) for split, n in counts.items()}
    return LabelledImages(tuple(classnames), splits)


def split_images(
    images: NDArray[np.uint8], targets: NDArray[np.int64], options: SplitOptions
) -> LabelledImages:
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
    LabelledImages
        The key of an image is its row number.
    """
    train, test = split_by_class(targets, options.test_fraction, options.seed)

    def items(rows: NDArray[np.int64]) -> Iterator[Labelled]:
        for row in rows:
            yield Labelled(f"{row:05d}", Image.fromarray(images[row]), int(targets[row]))

    names = tuple(str(label) for label in np.unique(targets))
    rows = {"train": train, "test": test}
    return LabelledImages(names, {split: (len(r), items(r)) for split, r in rows.items()})


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
