"""Reading and writing files: atomic, deterministic, checked.

Every output of the project is written beside its final name and renamed, so that a kill or a full
disk leaves either the old file or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcons.core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` if the block succeeds.

    The temporary path does not exist yet: the block may write a file or make a folder there. An
    existing folder at ``path`` is replaced. Where the file system cannot exchange two folders in
    one step (NFS), a kill may leave ``path`` empty for a moment: the old folder then lies beside
    it, and `put_back`, which the next call begins with, brings it back.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    put_back(path)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    part = scratch / path.name
    try:
        yield part
        if part.is_dir() and path.is_dir():
            _replace_folder(part, path)
        else:
            part.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # writing bytes to a full disk names no file
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def put_back(path: Path) -> None:
    """Put back a folder that was moved aside by a process that died before it had replaced it."""
    aside = _aside(path)
    if not os.path.lexists(aside):
        return
    if not path.exists():
        aside.rename(path)
    elif aside.is_symlink():
        aside.unlink()
    else:
        shutil.rmtree(aside, ignore_errors=True)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.old.tmp")


def _replace_folder(new: Path, old: Path) -> None:
    if _exchange(new, old):
        return
    old.rename(_aside(old))
    try:
        new.rename(old)
    finally:
        put_back(old)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two folders in one step, by Linux's renameat2; False where that cannot be."""
    import ctypes

    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    paths = os.fsencode(first), os.fsencode(second)
    return call is not None and call(here, paths[0], here, paths[1], exchange) == 0


@contextmanager
def readable(path: Path, problem: str, *errors: type[Exception]) -> Iterator[None]:
    """Say of what fails in the block, for people, that the file is missing or what it is not."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except errors as error:
        raise UserError(f"{path}: {problem} ({' '.join(str(error).split())})") from None


def write_text(path: Path, text: str) -> None:
    """Write text atomically, UTF-8, with ``\\n`` line ends."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, sorted and indented, so that equal values have equal bytes.

    Raises
    ------
    ValueError
        If a number is NaN or infinite: JSON has no such value (use None for "absent").
    """
    write_text(path, json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises
    ------
    UserError
        If the file is missing or is not JSON.
    """
    with readable(path, "not valid JSON", ValueError):
        return json.loads(path.read_text(encoding="utf-8"))


def read_yaml(path: Path) -> Any:
    """Read a YAML file with plain values only.

    Raises
    ------
    UserError
        If the file is missing or is not YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    with readable(path, "not valid YAML", YAMLError, UnicodeDecodeError):
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """Write a tidy table atomically as Parquet, without an index column."""
    with atomic(path) as part:
        table.to_parquet(part, index=False, engine="pyarrow", compression="zstd")


def write_csv(path: Path, table: pd.DataFrame, *, digits: int = 6) -> None:
    """Write a small table atomically as CSV, numbers with ``digits`` significant digits."""
    with atomic(path) as part:
        table.to_csv(part, index=False, float_format=f"%.{digits}g", lineterminator="\n")


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table that `write_csv` wrote; an empty cell is text of no length, or NaN in numbers.

    Raises
    ------
    UserError
        If the file is missing or is not CSV.
    """
    import pandas as pd

    with readable(path, "not a readable CSV table", ValueError):
        table = pd.read_csv(path)
    text = [str(name) for name in table if pd.api.types.is_string_dtype(table[name])]
    return table.assign(**{name: table[name].fillna("") for name in text})


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet table.

    Raises
    ------
    UserError
        If the file is missing or is not Parquet.
    """
    import pandas as pd
    import pyarrow

    with readable(path, "not a readable Parquet table", pyarrow.ArrowInvalid, OSError):
        return pd.read_parquet(path)


def merged(first: Any, second: Any) -> Any:
    """Return two nested maps as one; where both have a value that is no map, the second's."""
    if not (isinstance(first, dict) and isinstance(second, dict)):
        return second
    both = {key: merged(first[key], second[key]) for key in first.keys() & second.keys()}
    return {**first, **second, **both}


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of a JSON-able value, independent of key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_lines(lines: list[str]) -> str:
    """Return the SHA-256 of an ordered list of strings (sample keys)."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def tail_lines(path: Path, n_lines: int) -> list[str]:
    """Return the last lines of a log that are not blank; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 20_000))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line for line in text.replace("\r", "\n").splitlines() if line.strip()][-n_lines:]
