"""Reading a data set's shards: the CLIP-benchmark layout, strictly.

A data set is a folder with ``train/0.tar``, ``train/1.tar``, ..., ``train/nshards.txt``, the same
for ``test``, and ``classnames.txt`` (line i names class i). A sample is ``KEY.png`` (or jpg, jpeg,
webp) and ``KEY.cls``, the class as a decimal integer. Archives are streamed, never extracted, so a
member's name never becomes a path.

Nothing is skipped: whatever is damaged or missing raises an error that names it, since a silently
dropped image would misalign the rows of every model's features. This module decides what the
models see; how shards are made is in ``shard_writer``, what is recorded about them in ``manifest``.
"""

from __future__ import annotations

import io
import re
import struct
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from simcons.core.errors import UserError
from simcons.core.paths import SPLITS

IMAGE_SUFFIXES = ("png", "jpg", "jpeg", "webp")
_IMAGE_FORMATS = ("PNG", "JPEG", "WEBP")
_LABEL = re.compile(rb"\s*(\d{1,9})\s*")
_TAR_ERRORS = (tarfile.TarError, OSError, EOFError, zlib.error)
DECODE_ERRORS = (
    OSError,
    SyntaxError,  # Pillow's error for a broken PNG chunk
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


@dataclass(frozen=True)
class EncodedSample:
    """A sample as it lies in the shard: image bytes not decoded."""

    key: str
    image: bytes
    target: int
    shard: int


@dataclass(frozen=True)
class Sample:
    """A decoded sample: an RGB image and its class."""

    key: str
    image: Image.Image
    target: int


def read_classnames(folder: Path) -> list[str]:
    """Return the class names, in label order.

    Raises
    ------
    UserError
        If ``classnames.txt`` is missing or has an empty line.
    """
    path = folder / "classnames.txt"
    try:
        names = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"data set {folder}: classnames.txt is missing") from None
    if not names or not all(name.strip() for name in names):
        raise UserError(f"{path}: expected one class name a line, got an empty line or file")
    return names


def available_splits(folder: Path) -> list[str]:
    """Return the splits that the data set has; some (ImageNet's variants) have a test split only.

    Raises
    ------
    UserError
        If the folder is missing or has neither split.
    """
    splits = [split for split in SPLITS if (folder / split).is_dir()]
    if not splits:
        raise UserError(f"data set {folder}: no such folder, or no train/ and test/ in it")
    return splits


def n_shards(folder: Path, split: str) -> int:
    """Return how many shards a split says that it has.

    Raises
    ------
    UserError
        If ``nshards.txt`` is missing or holds no positive number.
    """
    counter = folder / split / "nshards.txt"
    try:
        text = counter.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise UserError(
            f"data set {folder}: {split}/nshards.txt is missing; build or fetch the data set again"
        ) from None
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) == 0:
        raise UserError(f"{counter}: expected a positive number of shards, got {text!r}")
    return int(text)


def shard_paths(folder: Path, split: str) -> list[Path]:
    """Return the shards of a split, in order.

    Raises
    ------
    UserError
        If the split or its ``nshards.txt`` is missing, the number is no positive integer, or the
        shards there are not exactly ``0.tar`` to ``(n - 1).tar``.
    """
    if split not in SPLITS:
        raise UserError(f"data set {folder}: unknown split '{split}'. Allowed: {', '.join(SPLITS)}")
    paths = [folder / split / f"{number}.tar" for number in range(n_shards(folder, split))]
    found = {path.name for path in (folder / split).glob("*.tar")}
    wanted = {path.name for path in paths}
    if missing := sorted(wanted - found):
        raise UserError(f"data set {folder}: {split}/{missing[0]} is missing (of {len(paths)})")
    if extra := sorted(found - wanted):
        raise UserError(f"data set {folder}: {split}/{extra[0]} is one more than nshards.txt says")
    return paths


def iter_encoded(
    folder: Path, split: str, shard: int | None = None, *, n_classes: int | None = None
) -> Iterator[EncodedSample]:
    """Yield the samples of a split, or of one of its shards, in shard order, images undecoded.

    Parameters
    ----------
    folder
        The data set.
    split
        ``"train"`` or ``"test"``.
    shard
        The number of one shard; all shards by default.
    n_classes
        Labels must be below it; by default the number of lines in ``classnames.txt``.

    Raises
    ------
    UserError
        If a shard is missing, truncated or damaged, a sample lacks its image or label, a label is
        no integer in range, or a key comes twice. The message names the shard and the key.
    """
    n_classes = len(read_classnames(folder)) if n_classes is None else n_classes
    paths = shard_paths(folder, split)
    if shard is not None and not 0 <= shard < len(paths):
        raise UserError(f"data set {folder}: {split} has shards 0 to {len(paths) - 1}, not {shard}")
    seen: set[str] = set()
    for number in range(len(paths)) if shard is None else [shard]:
        path = paths[number]
        for files in _grouped_files(path):
            sample = _parse(path, number, files, n_classes)
            if sample.key in seen:
                raise UserError(f"{path}: key '{sample.key}' comes twice in split '{split}'")
            seen.add(sample.key)
            yield sample


def decode(sample: EncodedSample, origin: str) -> Image.Image:
    """Decode a sample's image to 8-bit RGB; ``origin`` names its split in the error.

    Raises
    ------
    UserError
        If the bytes are no complete PNG, JPEG or WebP image.
    """
    try:
        with Image.open(io.BytesIO(sample.image), formats=_IMAGE_FORMATS) as image:
            return image.convert("RGB")
    except DECODE_ERRORS as error:
        raise UserError(
            f"{origin}/{sample.shard}.tar: the image of key '{sample.key}' is corrupt "
            f"({type(error).__name__}: {error}); build or fetch the data set again"
        ) from None


def _grouped_files(path: Path) -> Iterator[dict[str, Any]]:
    """Yield, per sample, its files by suffix and ``__key__``, through webdataset's iterators."""
    # Imported here: webdataset imports torch, which takes seconds.
    from webdataset.tariterators import group_by_keys, tar_file_iterator

    _check_complete(path)
    try:
        with path.open("rb") as stream:
            files: Iterable[dict[str, Any]] = (
                {**file, "__url__": str(path)} for file in tar_file_iterator(stream)
            )
            yield from group_by_keys(files)
    except _TAR_ERRORS as error:
        raise UserError(f"{path}: damaged tar archive ({error})") from None
    except ValueError as error:  # group_by_keys: the same file name twice
        raise UserError(f"{path}: {error.args[0]}") from None


def _check_complete(path: Path) -> None:
    """Refuse an archive that does not end as tar archives do.

    Python's tarfile takes a damaged header, or an archive cut between two members, for the end:
    the rest would be dropped silently. So walk the headers and look at what stopped the walk.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            archive.getmembers()
            end: int = archive.offset
        with path.open("rb") as file:
            file.seek(end)
            block = file.read(tarfile.BLOCKSIZE)
    except _TAR_ERRORS as error:
        raise UserError(f"{path}: damaged or truncated tar archive ({error})") from None
    if block != bytes(tarfile.BLOCKSIZE):
        raise UserError(f"{path}: damaged or truncated tar archive (at byte {end})")


def _parse(path: Path, shard: int, files: dict[str, Any], n_classes: int) -> EncodedSample:
    key = str(files["__key__"])
    images = [suffix for suffix in IMAGE_SUFFIXES if suffix in files]
    if len(images) != 1:
        raise UserError(
            f"{path}: key '{key}' has {len(images)} images, expected one of "
            f"{', '.join(IMAGE_SUFFIXES)}"
        )
    if "cls" not in files:
        raise UserError(
            f"{path}: key '{key}' has no label ({key}.cls); sets of captions or of several labels "
            f"an image are refused"
        )
    label = _LABEL.fullmatch(files["cls"])
    if label is None:
        raise UserError(
            f"{path}: the label of key '{key}' is {files['cls'][:20]!r}, expected an integer"
        )
    target = int(label[1])
    if target >= n_classes:
        raise UserError(
            f"{path}: the label of key '{key}' is {target}, but classnames.txt has "
            f"{n_classes} classes (0 to {n_classes - 1})"
        )
    return EncodedSample(key, files[images[0]], target, shard)
