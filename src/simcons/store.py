"""The store: finished results, found again by fingerprint, outside DVC's outputs.

DVC removes a stage's outputs before running it, so partial work inside an output folder is lost.
Each finished result (a model's features on one split, a probe, a set of weights) therefore goes
first into this content-addressed store, and a stage assembles its outputs from it. Deleting the
store costs time, never correctness. An entry is a folder:

    STORE/KIND/FI/FINGERPRINT/
        record.json    label (for people), parts of the fingerprint, SHA-256 of each file
        FILES...       read-only

and is written beside and renamed, so that concurrent writers (clones, array tasks) are safe: the
first one wins, and equal fingerprints mean equal contents.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simcons.errors import UserError
from simcons.files import atomic, read_json, sha256_file, write_json
from simcons.numerics import fingerprint

RECORD = "record.json"
_FICLONE = 0x40049409  # ioctl number of a reflink (linux/fs.h)


@dataclass(frozen=True)
class Entry:
    """A finished result in the store.

    Attributes
    ----------
    path
        Its folder.
    kind, fingerprint
        What it is found by.
    label
        For people, such as ``digits/efficientnet_lite0/train``.
    n_bytes
        Size of its files.
    """

    path: Path
    kind: str
    fingerprint: str
    label: str
    n_bytes: int


class Store:
    """A folder of finished results.

    Parameters
    ----------
    root
        The store's folder; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def _folder(self, kind: str, key: str) -> Path:
        return self.root / kind / key[:2] / key

    def get(self, kind: str, parts: Mapping[str, Any], *, verify: bool = True) -> Path | None:
        """Return the folder of a finished result, or None if there is none.

        With ``verify`` every file is hashed: an entry whose files are not what they were (a damaged
        disk, an edit) is removed with a warning, so that it is computed again.
        """
        folder = self._folder(kind, fingerprint(kind, parts))
        if not (folder / RECORD).is_file():
            return None
        damaged = _damaged_file(folder) if verify else None
        if damaged is None:
            return folder
        print(f"warning: {damaged} in the store is damaged; computing it again", file=sys.stderr)
        _remove(folder)
        return None

    def put(
        self, kind: str, parts: Mapping[str, Any], label: str, write: Callable[[Path], None]
    ) -> Path:
        """Store a result: ``write`` gets an empty folder to write its files into.

        Returns
        -------
        Path
            The entry's folder.
        """
        key = fingerprint(kind, parts)
        folder = self._folder(kind, key)
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{key[:8]}.", suffix=".tmp", dir=folder.parent))
        try:
            write(part)
            digests = {
                str(file.relative_to(part)): sha256_file(file)
                for file in sorted(part.rglob("*"))
                if file.is_file()
            }
            for name in digests:
                (part / name).chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
            record = {"label": label, "kind": kind, "parts": dict(parts), "sha256": digests}
            write_json(part / RECORD, record)
            part.chmod(0o755)
            try:
                part.rename(folder)
            except OSError:
                # Another writer was first; the contents are equal.
                if not (folder / RECORD).is_file():
                    raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return folder

    def drop(self, kind: str, parts: Mapping[str, Any]) -> None:
        """Remove an entry, if there is one."""
        folder = self._folder(kind, fingerprint(kind, parts))
        if folder.is_dir():
            _remove(folder)

    def entries(self) -> Iterator[Entry]:
        """Yield every entry, sorted by kind and label."""
        found = []
        for file in self.root.glob(f"*/??/*/{RECORD}"):
            record = read_json(file)
            n_bytes = sum(f.stat().st_size for f in file.parent.rglob("*") if f.is_file())
            entry = Entry(file.parent, record["kind"], file.parent.name, record["label"], n_bytes)
            found.append(entry)
        yield from sorted(found, key=lambda e: (e.kind, e.label, e.fingerprint))

    def prune(self, keep: set[str]) -> list[Entry]:
        """Remove the entries whose fingerprint is not in ``keep``, and what killed runs left.

        Returns
        -------
        list of Entry
            What was removed.
        """
        removed = [entry for entry in self.entries() if entry.fingerprint not in keep]
        for entry in removed:
            _remove(entry.path)
        for scratch in self.root.glob("*/??/.*.tmp"):
            _remove(scratch)
        return removed


def _damaged_file(folder: Path) -> Path | None:
    try:
        digests = read_json(folder / RECORD)["sha256"]
    except (UserError, KeyError, TypeError):
        return folder / RECORD
    for name, digest in digests.items():
        file = folder / name
        if not file.is_file() or sha256_file(file) != digest:
            return file
    return None


def _remove(folder: Path) -> None:
    # Rename first: a reader sees the whole entry or none.
    doomed = folder.with_name(f".{folder.name[:8]}.{os.getpid()}.tmp")
    folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def place(source: Path, target: Path) -> None:
    """Put a store's file at ``target``: as a reflink where the file system can, else a copy.

    A hard link would be cheaper than a copy, but whoever edits the target in place would edit the
    store; set ``SIMCONS_STORE_LINK=hardlink`` where space matters more (both are read-only then).
    """
    # Beside and renamed: what lies at the target may be a link into DVC's cache.
    with atomic(target) as part:
        if os.environ.get("SIMCONS_STORE_LINK") == "hardlink":
            os.link(source, part)
            return
        with source.open("rb") as old, part.open("wb") as new:
            try:
                fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
            except OSError:
                shutil.copyfileobj(old, new, 1 << 20)
