"""Writing shards so that equal images give equal bytes."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from simcons.core.errors import UserError
from simcons.core.files import write_text

SAMPLES_PER_SHARD = 1000
_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Encoded(NamedTuple):
    """An image as it lies in a file, kept byte by byte.

    ``suffix`` is one of `simcons.datasets.shards.IMAGE_SUFFIXES`.
    """

    data: bytes
    suffix: str


class Labelled(NamedTuple):
    """One image with its label; keys are unique in a split."""

    key: str
    image: Image.Image | Encoded
    label: int


@dataclass(frozen=True)
class LabelledImages:
    """The images of a data set, on their way into shards.

    Attributes
    ----------
    classnames
        In label order.
    splits
        By split, how many images there are, and the images: an iterable to be read once, since
        they may be made while they are written.
    """

    classnames: tuple[str, ...]
    splits: Mapping[str, tuple[int, Iterable[Labelled]]]


def write_split(
    folder: Path,
    samples: Iterable[tuple[str, Image.Image | Encoded, int]],
    samples_per_shard: int = SAMPLES_PER_SHARD,
) -> list[tuple[int, str, int]]:
    """Write the samples of one split to ``0.tar``, ``1.tar``, ... and ``nshards.txt``.

    Members have time 0, owner 0, mode 644 and no names of owners, and PNG is encoded with fixed
    settings, so that the same samples give the same bytes. ``nshards.txt`` comes last: without it
    the reader refuses a split that was not written to its end.

    Parameters
    ----------
    folder
        The split's folder, made if it is missing. It is for the caller to write a data set in a
        temporary folder and rename it (`simcons.datasets.build_dataset`).
    samples
        Key, image and label of each.
    samples_per_shard
        A new shard is begun after so many samples.

    Returns
    -------
    list
        (shard, key, label) of every sample.

    Raises
    ------
    UserError
        If a key comes twice or has characters other than letters, digits, ``_`` and ``-`` (a dot
        would end the key in the WebDataset format), or a label is negative.
    """
    rows: list[tuple[int, str, int]] = []
    keys: set[str] = set()
    archive: tarfile.TarFile | None = None
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for key, image, target in samples:
            if not _KEY.fullmatch(key):
                raise UserError(f"{folder}: key {key!r} may hold only letters, digits, _ and -")
            if key in keys:
                raise UserError(f"{folder}: key '{key}' comes twice")
            if target < 0:
                raise UserError(f"{folder}: key '{key}' has the negative label {target}")
            shard, position = divmod(len(rows), samples_per_shard)
            if archive is None or position == 0:
                if archive is not None:
                    archive.close()
                path = folder / f"{shard}.tar"
                archive = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
            keys.add(key)
            rows.append((shard, key, target))
            data, suffix = image if isinstance(image, Encoded) else (encode_png(image), "png")
            _add(archive, f"{key}.{suffix}", data)
            _add(archive, f"{key}.cls", str(target).encode())
    finally:
        if archive is not None:
            archive.close()
    write_text(folder / "nshards.txt", f"{-(-len(rows) // samples_per_shard)}\n")
    return rows


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # time, owner and group are 0 and nameless by default
    member.size = len(data)
    member.mode = 0o644
    archive.addfile(member, io.BytesIO(data))


def encode_png(image: Image.Image) -> bytes:
    """Return the image as PNG bytes, by fixed settings and without metadata."""
    buffer = io.BytesIO()
    clean = image.copy()
    clean.info = {}
    clean.save(buffer, "PNG", compress_level=6, optimize=False)
    return buffer.getvalue()
