"""Writing shards so that equal images give equal bytes."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from PIL import Image

from simcons.core.errors import UserError
from simcons.core.files import write_text

SAMPLES_PER_SHARD = 1000
_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Encoded:
    """An image as it lies in a file: kept byte by byte.

    Attributes
    ----------
    data
        The file's bytes.
    suffix
        One of `simcons.datasets.shards.IMAGE_SUFFIXES`.
    """

    data: bytes
    suffix: str


class ShardWriter:
    """Write the samples of one split to ``0.tar``, ``1.tar``, ... and ``nshards.txt``.

    Members have time 0, owner 0, mode 644 and no names of owners, and PNG is encoded with fixed
    settings, so that the same samples give the same bytes.

    Parameters
    ----------
    folder
        The split's folder, made if it is missing. It is for the caller to write a data set in a
        temporary folder and rename it (`simcons.datasets.build_dataset`).
    samples_per_shard
        A new shard is begun after so many samples.
    """

    def __init__(self, folder: Path, samples_per_shard: int = SAMPLES_PER_SHARD) -> None:
        self.folder = folder
        self.samples_per_shard = samples_per_shard
        self.rows: list[tuple[int, str, int]] = []  # (shard, key, target) of every sample written
        self._keys: set[str] = set()
        self._archive: tarfile.TarFile | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def n_shards(self) -> int:
        """The number of shards begun so far."""
        return -(-len(self.rows) // self.samples_per_shard)

    def write(self, key: str, image: Image.Image, target: int) -> None:
        """Add a sample: ``KEY.png`` and ``KEY.cls``.

        Raises
        ------
        UserError
            If the key came before or has characters other than letters, digits, ``_`` and ``-``
            (a dot would end the key in the WebDataset format), or the label is negative.
        """
        self.write_encoded(key, encode_png(image), "png", target)

    def write_encoded(self, key: str, image: bytes, suffix: str, target: int) -> None:
        """Add a sample whose image is encoded already: ``KEY.SUFFIX`` and ``KEY.cls``.

        Raises
        ------
        UserError
            As `write`.
        """
        if not _KEY.fullmatch(key):
            raise UserError(f"{self.folder}: key {key!r} may hold only letters, digits, _ and -")
        if key in self._keys:
            raise UserError(f"{self.folder}: key '{key}' comes twice")
        if target < 0:
            raise UserError(f"{self.folder}: key '{key}' has the negative label {target}")
        shard, place = divmod(len(self.rows), self.samples_per_shard)
        if place == 0:
            self._begin_shard(shard)
        self._keys.add(key)
        self.rows.append((shard, key, target))
        self._add(f"{key}.{suffix}", image)
        self._add(f"{key}.cls", str(target).encode())

    def close(self) -> None:
        """End the last shard and write ``nshards.txt``."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None
        write_text(self.folder / "nshards.txt", f"{self.n_shards}\n")

    def _begin_shard(self, number: int) -> None:
        if self._archive is not None:
            self._archive.close()
        path = self.folder / f"{number}.tar"
        self._archive = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115

    def _add(self, name: str, data: bytes) -> None:
        assert self._archive is not None
        member = tarfile.TarInfo(name)  # time, owner and group are 0 and nameless by default
        member.size = len(data)
        member.mode = 0o644
        self._archive.addfile(member, io.BytesIO(data))

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        elif self._archive is not None:
            self._archive.close()


def encode_png(image: Image.Image) -> bytes:
    """Return the image as PNG bytes, by fixed settings and without metadata."""
    buffer = io.BytesIO()
    clean = image.copy()
    clean.info = {}
    clean.save(buffer, "PNG", compress_level=6, optimize=False)
    return buffer.getvalue()


def write_split(
    folder: Path,
    samples: Iterable[tuple[str, Image.Image | Encoded, int]],
    samples_per_shard: int = SAMPLES_PER_SHARD,
) -> list[tuple[int, str, int]]:
    """Write the samples (key, image, label) of one split; return (shard, key, label) of each."""
    with ShardWriter(folder, samples_per_shard) as writer:
        for key, image, target in samples:
            if isinstance(image, Encoded):
                writer.write_encoded(key, image.data, image.suffix, target)
            else:
                writer.write(key, image, target)
    return writer.rows
