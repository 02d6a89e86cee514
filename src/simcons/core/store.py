"""The store: finished results, found again by fingerprint, outside DVC's outputs.

DVC removes a stage's outputs before running it, so partial work inside an output folder is lost.
Each finished result (a model's features on one split, a probe, a set of weights) therefore goes
first into this content-addressed store, and a stage assembles its outputs from it. Deleting the
store costs time, never correctness. An entry is a folder:

    STORE/KIND/FI/FINGERPRINT/
        record.json    label (for people), parts of the fingerprint, SHA-256 of each file
        FILES...       read-only

and is written beside and renamed, so that concurrent writers (clones, array tasks) are safe: the
first one wins, and equal fingerprints mean equal contents. Everything in a store has the rights of
the store's own folder, whatever the umask of who wrote it: one that a group may write is written,
read and pruned by the whole group.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from simcons.core.errors import UserError
from simcons.core.files import atomic, read_json, sha256_file, write_json
from simcons.core.numerics import fingerprint

RECORD = "record.json"
ABANDONED_SECONDS = 24 * 3600  # what has not changed for so long, nobody is writing any more
_READ = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
_FICLONE = 0x40049409  # ioctl number of a reflink (linux/fs.h)
# Another file system, one without hard links, too many of them, or another user's file.
_NO_HARD_LINK = frozenset({errno.EXDEV, errno.EOPNOTSUPP, errno.EMLINK, errno.EPERM})


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

        Raises
        ------
        UserError
            If a damaged entry is another user's, or the store is read-only.
        """
        folder = self._folder(kind, fingerprint(kind, parts))
        if not (folder / RECORD).is_file():
            return None
        damaged = _damaged_file(folder) if verify else None
        if damaged is None:
            return folder
        if not folder.is_dir():  # removed by another process meanwhile
            return None
        try:
            _remove(folder)
        except OSError as error:
            raise UserError(
                f"{damaged} in the store is damaged and cannot be removed ({error.strerror}); ask "
                f"its owner to, or set SIMCONS_STORE to a store of your own"
            ) from None
        print(f"warning: {damaged} in the store is damaged; computing it again", file=sys.stderr)
        return None

    def put(
        self, kind: str, parts: Mapping[str, Any], label: str, write: Callable[[Path], None]
    ) -> Path:
        """Store a result: ``write`` gets an empty folder to write its files into.

        Returns
        -------
        Path
            The entry's folder.

        Raises
        ------
        UserError
            If the store cannot be a folder.
        OSError
            If the disk is full or the store may not be written; nothing is left of the entry.
        """
        key = fingerprint(kind, parts)
        folder = self._folder(kind, key)
        rights = self._make(folder.parent)
        part = Path(tempfile.mkdtemp(prefix=f".{key[:8]}.", suffix=".tmp", dir=folder.parent))
        try:
            write(part)
            digests = {
                str(file.relative_to(part)): sha256_file(file)
                for file in sorted(part.rglob("*"))
                if file.is_file()
            }
            record = {"label": label, "kind": kind, "parts": dict(parts), "sha256": digests}
            write_json(part / RECORD, record)
            for path in [*part.rglob("*"), part]:
                path.chmod(rights if path.is_dir() else rights & _READ)
            try:
                part.rename(folder)
            except OSError:
                # Another writer was first; the contents are equal.
                if not (folder / RECORD).is_file():
                    raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return folder

    def _make(self, folder: Path) -> int:
        """Make a folder in the store, and return the rights that everything in the store has."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UserError(f"{self.root}: the store (SIMCONS_STORE) must be a folder") from None
        rights = stat.S_IMODE(self.root.stat().st_mode)
        level = self.root
        umask = os.umask(0)  # all rights at once: another user may be about to write there
        try:
            for name in folder.relative_to(self.root).parts:
                level /= name
                with suppress(FileExistsError):
                    level.mkdir(rights)
        finally:
            os.umask(umask)
        return rights

    def drop(self, kind: str, parts: Mapping[str, Any]) -> None:
        """Remove an entry, if there is one."""
        folder = self._folder(kind, fingerprint(kind, parts))
        if folder.is_dir():
            _remove(folder)

    def entries(self) -> Iterator[Entry]:
        """Yield every entry, sorted by kind and label."""
        if self.root.is_dir():
            os.listdir(self.root)  # noqa: PTH208 (an error if it may not be read; a glob has none)
        found = []
        for file in self.root.glob(f"*/??/*/{RECORD}"):
            try:
                label = read_json(file)["label"]
                n_bytes = sum(f.stat().st_size for f in file.parent.rglob("*") if f.is_file())
            except FileNotFoundError:  # removed by another process meanwhile
                continue
            except (UserError, KeyError, TypeError):
                label, n_bytes = "(damaged)", 0
            kind = file.parents[2].name
            found.append(Entry(file.parent, kind, file.parent.name, label, n_bytes))
        yield from sorted(found, key=lambda e: (e.kind, e.label, e.fingerprint))

    def prune(self, keep: set[str]) -> list[Entry]:
        """Remove the entries whose fingerprint is not in ``keep``, and what killed runs left.

        Returns
        -------
        list of Entry
            What was removed.

        Raises
        ------
        UserError
            If some may not be removed; the others are.
        """
        removed, refused = [], []
        for entry in self.entries():
            if entry.fingerprint not in keep:
                try:
                    _remove(entry.path)
                    removed.append(entry)
                except OSError as error:
                    refused.append(f"{entry.path} ({error.strerror})")
        for scratch in self.root.glob("*/??/.*.tmp"):
            with suppress(OSError):
                if time.time() - scratch.stat().st_mtime > ABANDONED_SECONDS:
                    _remove(scratch)
        if refused:
            raise UserError(
                f"removed {len(removed)} entries of the store, but {len(refused)} cannot be: "
                f"{refused[0]}{', ...' if len(refused) > 1 else ''}"
            )
        return removed


def _damaged_file(folder: Path) -> Path | None:
    try:
        digests = read_json(folder / RECORD)["sha256"]
    except (UserError, KeyError, TypeError):
        return folder / RECORD
    for name, digest in digests.items():
        file = folder / name
        try:
            if sha256_file(file) != digest:
                return file
        except FileNotFoundError:
            return file
    return None


def _remove(folder: Path) -> None:
    """Remove an entry; that another process was first is no error."""
    # Rename first: a reader sees the whole entry or none.
    doomed = Path(tempfile.mkdtemp(prefix=f".{folder.name[:8]}.", suffix=".tmp", dir=folder.parent))
    try:
        if folder.is_dir() and not os.access(folder, os.W_OK):  # its files would stay
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        with suppress(FileNotFoundError):
            folder.rename(doomed)
    finally:
        shutil.rmtree(doomed, ignore_errors=True)


def copy_out(source: Path, target: Path) -> None:
    """Put a store's file at ``target``: as a reflink where the file system can, else a copy.

    A hard link would be cheaper than a copy, but whoever edits the target in place would edit the
    store; set ``SIMCONS_STORE_LINK=hardlink`` where space matters more (both are read-only then).
    Where a hard link cannot be, a copy is made all the same, with a warning.
    """
    # Beside and renamed: what lies at the target may be a link into DVC's cache.
    with atomic(target) as part:
        if os.environ.get("SIMCONS_STORE_LINK") == "hardlink" and _linked(source, part):
            return
        with source.open("rb") as old, part.open("wb") as new:
            try:
                fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
            except OSError:
                shutil.copyfileobj(old, new, 1 << 20)


def _linked(source: Path, part: Path) -> bool:
    try:
        os.link(source, part)
    except OSError as error:
        if error.errno not in _NO_HARD_LINK:
            raise
        _warn_of_copies(str(error.strerror))
        return False
    return True


@lru_cache
def _warn_of_copies(why: str) -> None:
    print(
        f"warning: SIMCONS_STORE_LINK is 'hardlink', but the store's files cannot be linked into "
        f"the workspace ({why}); copying them",
        file=sys.stderr,
    )
