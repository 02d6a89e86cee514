"""What every builder needs: options, splits, generators per image, files of packages."""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simcons.core.errors import UserError, did_you_mean
from simcons.core.paths import SPLITS
from simcons.datasets.shard_writer import Labelled, LabelledImages
from simcons.datasets.subsets import split_by_class

OptionsT = TypeVar("OptionsT")
Draw = Callable[[int, str, np.random.Generator], Image.Image]


@dataclass(frozen=True)
class SampledOptions:
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

    seed: int = field(metadata={"minimum": 0})
    size: int = field(metadata={"minimum": 24})
    train_per_class: int = field(metadata={"minimum": 1})
    test_per_class: int = field(metadata={"minimum": 1})


@dataclass(frozen=True)
class SplitOptions:
    """Options of a data set of given images.

    Parameters
    ----------
    seed
        Of the split.
    test_fraction
        The share of each class that is for the test.
    """

    seed: int = field(metadata={"minimum": 0})
    test_fraction: float = field(metadata={"between": (0.0, 1.0)})


def parse_options(kind: type[OptionsT], options: Mapping[str, Any], name: str) -> OptionsT:
    """Check a mapping of options and make the dataclass of them.

    Raises
    ------
    UserError
        If an option is unknown, missing, of the wrong type or out of range.
    """
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    for option in options:
        if option not in known:
            raise UserError(
                f"data set '{name}': unknown option '{option}'; {did_you_mean(option, known)}"
            )
    for option, item in known.items():
        if option not in options:
            raise UserError(f"data set '{name}': option '{option}' is missing")
        _check_option(name, option, options[option], item.metadata)
    return kind(**options)


def _check_option(name: str, option: str, value: Any, limits: Mapping[str, Any]) -> None:
    where = f"data set '{name}': option '{option}' is {value!r}"
    if "minimum" in limits:
        least = limits["minimum"]
        if type(value) is not int or value < least:
            raise UserError(f"{where}, allowed: a whole number of {least} or more")
    else:
        low, high = limits["between"]
        if type(value) is not float or not low < value < high:
            raise UserError(f"{where}, allowed: a number between {low} and {high}, both excluded")


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
