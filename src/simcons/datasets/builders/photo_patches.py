"""Patches of the photographs in scikit-image's and scikit-learn's wheels; class: the photograph.

Each photograph is cut across its longer side into a train and a test region with a gap of one patch
width between them: a test patch shares no pixel with, and is no neighbour of, a train patch.
Patches of one split may overlap one another.

Left out of what the wheels hold: drawings and renderings (logo, horse, phantom, chessboards, colour
wheel), the second picture of the stereo pair, a reconstructed phase image (cell), a picture too
small to be cut (microaneurysms) and one without detail (clock_motion).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simcons.core.errors import UserError
from simcons.datasets.builders._common import SampledOptions, image_rng, package_file
from simcons.datasets.shard_writer import Labelled, LabelledImages

OPTIONS = SampledOptions
PHOTOGRAPHS: dict[str, tuple[str, ...]] = {
    "astronaut": ("skimage", "data", "astronaut.png"),
    "brick": ("skimage", "data", "brick.png"),
    "camera": ("skimage", "data", "camera.png"),
    "chelsea": ("skimage", "data", "chelsea.png"),
    "china": ("sklearn", "datasets", "images", "china.jpg"),
    "coffee": ("skimage", "data", "coffee.png"),
    "coins": ("skimage", "data", "coins.png"),
    "flower": ("sklearn", "datasets", "images", "flower.jpg"),
    "grass": ("skimage", "data", "grass.png"),
    "gravel": ("skimage", "data", "gravel.png"),
    "hubble_deep_field": ("skimage", "data", "hubble_deep_field.jpg"),
    "ihc": ("skimage", "data", "ihc.png"),
    "moon": ("skimage", "data", "moon.png"),
    "motorcycle": ("skimage", "data", "motorcycle_left.png"),
    "page": ("skimage", "data", "page.png"),
    "retina": ("skimage", "data", "retina.jpg"),
    "rocket": ("skimage", "data", "rocket.jpg"),
    "text": ("skimage", "data", "text.png"),
}
LONGEST_SIDE = 768  # larger ones are shrunk, or a patch of the retina shows no vessel
TRAIN_SHARE = 0.62  # of the longer side without the gap
_STRIDE = 2  # patches begin at multiples of it
_LEAST_CONTRAST = 4.0  # standard deviation in grey levels: leaves out blank corners and bare sky


class Box(NamedTuple):
    """A rectangle in pixels; right and bottom are excluded."""

    left: int
    top: int
    right: int
    bottom: int


def load_photograph(name: str) -> Image.Image:
    """Return a photograph as RGB, its longer side at most `LONGEST_SIDE`."""
    package, *parts = PHOTOGRAPHS[name]
    with Image.open(package_file(package, *parts)) as file:
        image = file.convert("RGB")
    longest = max(image.size)
    if longest <= LONGEST_SIDE:
        return image
    width, height = (round(side * LONGEST_SIDE / longest) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def regions(width: int, height: int, gap: int, *, train_first: bool) -> dict[str, Box]:
    """Cut a picture into a train and a test region, ``gap`` pixels apart, across its longer side.

    Parameters
    ----------
    width, height
        Of the picture, in pixels.
    gap
        Pixels between the regions.
    train_first
        Whether the train region is at the left (or top).
    """
    longer = max(width, height)
    share = TRAIN_SHARE if train_first else 1 - TRAIN_SHARE
    end = round(share * (longer - gap))
    if width >= height:
        first, second = Box(0, 0, end, height), Box(end + gap, 0, width, height)
    else:
        first, second = Box(0, 0, width, end), Box(0, end + gap, width, height)
    pair = (first, second) if train_first else (second, first)
    return {"train": pair[0], "test": pair[1]}


def choose_patches(
    grey: NDArray[np.float64], region: Box, size: int, count: int, rng: np.random.Generator
) -> list[Box]:
    """Choose different patches at random inside a region that are not blank.

    Parameters
    ----------
    grey
        (height, width) grey levels of the picture, 0 to 255.
    region
        Where patches may lie.
    size
        Width and height of a patch.
    count
        How many.
    rng
        Generator.

    Raises
    ------
    UserError
        If the region has too few such patches.
    """
    lefts = np.arange(region.left, region.right - size + 1, _STRIDE)
    tops = np.arange(region.top, region.bottom - size + 1, _STRIDE)
    chosen: list[Box] = []
    for number in rng.permutation(lefts.size * tops.size):
        left, top = int(lefts[number % lefts.size]), int(tops[number // lefts.size])
        if grey[top : top + size, left : left + size].std() >= _LEAST_CONTRAST:
            chosen.append(Box(left, top, left + size, top + size))
        if len(chosen) == count:
            return chosen
    raise UserError(
        f"data set 'photo_patches': a region of {region.right - region.left} x "
        f"{region.bottom - region.top} pixels has {len(chosen)} patches of size {size} with detail,"
        f" {count} are wanted; lower 'size' or the numbers per class"
    )


def build(options: SampledOptions) -> LabelledImages:
    """Return the patches; a key names the photograph and the patch's left and top pixel."""
    counts = {"train": options.train_per_class, "test": options.test_per_class}
    photographs = [load_photograph(name) for name in PHOTOGRAPHS]

    def patches(label: int, split: str) -> list[Box]:
        picture = photographs[label]
        side = image_rng("photo_patches/side", options.seed, "train", label, 0)
        parts = regions(*picture.size, options.size, train_first=bool(side.integers(2)))
        rng = image_rng("photo_patches", options.seed, split, label, 0)
        grey = np.asarray(picture.convert("L"), dtype=np.float64)
        return choose_patches(grey, parts[split], options.size, counts[split], rng)

    def items(split: str) -> Iterator[Labelled]:
        boxes = [patches(label, split) for label in range(len(PHOTOGRAPHS))]
        for number in range(counts[split]):
            for label, name in enumerate(PHOTOGRAPHS):
                box = boxes[label][number]
                key = f"{name}_x{box.left:04d}_y{box.top:04d}"
                yield Labelled(key, photographs[label].crop(box), label)

    splits = {split: (n * len(PHOTOGRAPHS), items(split)) for split, n in counts.items()}
    return LabelledImages(tuple(PHOTOGRAPHS), splits)
