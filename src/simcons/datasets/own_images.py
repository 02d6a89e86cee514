"""A user's own images: from a directory of class folders, a CSV, or a Python iterable.

Each function gives class names and, by split, labelled images (`LabelledImages`). Files are kept
byte by byte where they are PNG, JPEG or WebP, so that nothing is compressed twice; others are
written as PNG. Every image is decoded once here, so a damaged one is found before any model runs.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from simcons.core.errors import UserError, did_you_mean, known
from simcons.core.own import own_function
from simcons.core.paths import SPLITS
from simcons.datasets.shard_writer import Encoded, Labelled, LabelledImages
from simcons.datasets.shards import DECODE_ERRORS
from simcons.datasets.subsets import split_by_class

# Names of a folder or of a CSV's split that mean the test split.
_TEST_NAMES = ("test", "val", "valid", "validation")
_SPLIT_OF = {"train": "train", **dict.fromkeys(_TEST_NAMES, "test")}
_KEPT = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
_IMAGE_FILES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_LONGEST_KEY = 80  # a tar member's name has at most 100 characters
_COLUMNS = ("split", "path", "label")


class _File(NamedTuple):
    path: Path
    name: str  # relative, for the key
    label: str


def from_image_folder(name: str, path: Path, options: Mapping[str, Any]) -> LabelledImages:
    """Read ``path/SPLIT/CLASS/...``; without split folders ``path/CLASS/...`` is split here.

    Parameters
    ----------
    name
        The data set's name, for errors.
    path
        The folder. Splits are ``train`` and ``test`` (or ``val``, ``validation``).
    options
        ``test_fraction`` and ``seed``: needed without split folders, refused with them.

    Raises
    ------
    UserError
        If there is no image, a class folder is empty, or options do not fit.
    """
    if not path.is_dir():
        raise UserError(f"data set '{name}': {path} is no folder")
    folders = sorted(item for item in path.iterdir() if item.is_dir())
    by_split = {_SPLIT_OF[f.name]: f for f in folders if f.name in _SPLIT_OF}
    for option in options:
        allowed = () if by_split else ("test_fraction", "seed")
        known("option", option, allowed, key=f"data set '{name}'")
    if by_split:
        named = [f for f in folders if f.name in _TEST_NAMES]
        if len(named) > 1:
            raise UserError(
                f"data set '{name}': {path} has {' and '.join(f.name for f in named)}; which is "
                f"the test split? Rename the other"
            )
        return _labelled(name, {s: _class_files(name, f) for s, f in sorted(by_split.items())})
    files = _class_files(name, path)
    labels = sorted({file.label for file in files})
    fraction, seed = options.get("test_fraction"), options.get("seed", 0)
    if not isinstance(fraction, float) or not 0 < fraction < 1 or not isinstance(seed, int):
        raise UserError(
            f"data set '{name}': {path} has no folder train or test, so its options must give "
            f"test_fraction (between 0 and 1) and may give seed; got {dict(options)}"
        )
    train, test = split_by_class([labels.index(f.label) for f in files], fraction, seed)
    return _labelled(name, {"train": [files[i] for i in train], "test": [files[i] for i in test]})


def _class_files(name: str, folder: Path) -> list[_File]:
    """Return the image files below each class's folder, in the order of their paths."""
    found = []
    for class_folder in sorted(item for item in folder.iterdir() if item.is_dir()):
        files = sorted(
            f for f in class_folder.rglob("*") if f.suffix.lower() in _IMAGE_FILES and f.is_file()
        )
        if not files:
            raise UserError(f"data set '{name}': {class_folder} holds no image")
        found += [_File(f, f.relative_to(folder).as_posix(), class_folder.name) for f in files]
    if not found:
        raise UserError(f"data set '{name}': {folder} holds no folder of images per class")
    return found


def from_csv(name: str, path: Path, options: Mapping[str, Any]) -> LabelledImages:
    """Read a table with the columns ``split, path, label``; paths are relative to its folder.

    Labels are class names; if all are whole numbers, classes are in the order of the numbers.

    Raises
    ------
    UserError
        If a column, a value or an image file is missing; names the line.
    """
    for option in options:
        known("option", option, (), key=f"data set '{name}'")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            lacking = [c for c in _COLUMNS if c not in (reader.fieldnames or ())]
            if lacking:
                raise UserError(
                    f"data set '{name}': {path} lacks the column '{lacking[0]}'; it must have "
                    f"{', '.join(_COLUMNS)}"
                )
            rows = list(enumerate(reader, start=2))
    except FileNotFoundError:
        raise UserError(f"data set '{name}': {path}: no such file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"data set '{name}': {path} is no CSV in UTF-8 ({error})") from None
    files: dict[str, list[_File]] = {}
    for line, row in rows:
        where = f"data set '{name}': {path}, line {line}"
        split, file, label = (str(row[c] or "").strip() for c in _COLUMNS)
        if split not in _SPLIT_OF:
            raise UserError(f"{where}: split {split!r}: {did_you_mean(split, _SPLIT_OF)}")
        if not label:
            raise UserError(f"{where}: no label")
        image = path.parent / file
        if not file or not image.is_file():
            raise UserError(f"{where}: no file {image}")
        files.setdefault(_SPLIT_OF[split], []).append(_File(image, file, label))
    if not files:
        raise UserError(f"data set '{name}': {path} has no rows")
    return _labelled(name, files)


def from_python(
    name: str, function: str, options: Mapping[str, Any], splits: Sequence[str] = SPLITS
) -> LabelledImages:
    """Call ``package.module:function`` with each split's name and the options.

    What it returns is read as torchvision's data sets are: (image, label) pairs, an image being a
    PIL image or uint8 (height, width[, 3]). Class names are its attribute ``classes``, else the
    labels' numbers; keys are positions.

    Raises
    ------
    UserError
        If it cannot be imported, fails, or gives anything else.
    """
    made = {split: _call(name, function, split, options) for split in splits}
    labels = {
        _label(name, split, position, pair)
        for split, pairs in made.items()
        for position, pair in enumerate(pairs)
    }
    if not labels:
        raise UserError(f"data set '{name}': {function} gave no images")
    names = getattr(next(iter(made.values())), "classes", None)
    names = range(max(labels) + 1) if names is None else names
    return LabelledImages(
        tuple(map(str, names)),
        {split: (len(pairs), _pairs(name, split, pairs)) for split, pairs in made.items()},
    )


def _call(name: str, function: str, split: str, options: Mapping[str, Any]) -> Sequence[Any]:
    make = own_function(f"data set '{name}'", function)
    try:
        made = make(split, **options)
        # Read twice (labels, then images): a generator is kept, a data set is read as it is.
        return made if hasattr(made, "__len__") else list(made)
    except Exception as error:  # a user's code: anything may come
        raise UserError(
            f"data set '{name}': {function}('{split}', ...) failed with "
            f"{type(error).__name__}: {error}"
        ) from error


def _label(name: str, split: str, position: int, pair: Any) -> int:
    label = pair[1] if isinstance(pair, tuple | list) and len(pair) == 2 else None
    if isinstance(label, bool) or not isinstance(label, int | np.integer) or label < 0:
        raise UserError(
            f"data set '{name}': item {position} of {split} must be (image, label) with one whole "
            f"number as label, got {_short(pair)}; sets of several labels or captions are refused"
        )
    return int(label)


def _pairs(name: str, split: str, pairs: Sequence[Any]) -> Iterator[Labelled]:
    for position, pair in enumerate(pairs):
        image, label = pair
        if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim in (2, 3):
            image = Image.fromarray(image)
        if not isinstance(image, Image.Image):
            raise UserError(
                f"data set '{name}': item {position} of {split} must have a PIL image or uint8 "
                f"pixels, got {_short(image)}; give the data set without a transform"
            )
        yield Labelled(f"{position:07d}", image.convert("RGB"), int(label))


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return f"{type(value).__name__} {text[:60]}"


def _labelled(name: str, files: Mapping[str, list[_File]]) -> LabelledImages:
    """Number the classes of all splits together and read the files when they are asked for."""
    labels = {file.label for split in files.values() for file in split}
    numbers = all(re.fullmatch(r"\d{1,9}", label) for label in labels)
    classnames = sorted(labels, key=int) if numbers else sorted(labels)
    place = {label: i for i, label in enumerate(classnames)}
    return LabelledImages(
        tuple(classnames),
        {s: (len(found), _read(name, found, place)) for s, found in sorted(files.items())},
    )


def _read(name: str, files: Iterable[_File], place: Mapping[str, int]) -> Iterator[Labelled]:
    for file in files:
        data = file.path.read_bytes()
        try:
            with Image.open(io.BytesIO(data)) as image:
                kind = image.format or ""
                pixels = image.convert("RGB")
        except DECODE_ERRORS as error:
            raise UserError(
                f"data set '{name}': {file.path} is no whole image "
                f"({type(error).__name__}: {error})"
            ) from None
        kept = Encoded(data, _KEPT[kind]) if kind in _KEPT else pixels
        yield Labelled(sample_key(file.name), kept, place[file.label])


def sample_key(name: str) -> str:
    """Return a key of letters, digits, ``_`` and ``-`` that no other name has.

    Other bytes are written as ``-`` and two hexadecimal digits; a long name is cut and ended with
    its hash.
    """
    key = "".join(
        chr(byte)
        if chr(byte).isascii() and (chr(byte).isalnum() or byte == 0x5F)
        else f"-{byte:02X}"
        for byte in name.encode("utf-8", "surrogateescape")
    )
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{key[: _LONGEST_KEY - 17]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
