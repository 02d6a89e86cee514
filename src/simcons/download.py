"""Downloading a file: continued where it broke off, retried, checked by its SHA-256."""

from __future__ import annotations

import time
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from simcons.errors import UserError
from simcons.files import sha256_file
from simcons.progress import progress

CHUNK = 1 << 20
TIMEOUT_SECONDS = 60.0


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    what: str = "download",
    attempts: int = 5,
    pause: float = 2.0,
) -> None:
    """Download a file; what a former attempt left beside it (``.part``) is continued.

    Several processes may want the same file at once: one downloads it, the others wait.

    Parameters
    ----------
    url
        An ``http`` or ``https`` address.
    target
        The file to be; it appears when it is whole and its hash is right.
    sha256
        Its SHA-256, if known.
    what
        What it is for, in messages.
    attempts, pause
        How often a broken connection is taken up again, after how many seconds (doubled each time).

    Raises
    ------
    UserError
        If the address refuses, the connection keeps breaking, or the file has another SHA-256.
    """
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with FileLock(target.with_name(f"{target.name}.lock")):
        if target.is_file():
            return
        for attempt in range(attempts):
            try:
                _continue(url, part, what)
                break
            except HTTPError as error:
                if error.code < 500 and error.code != 429:
                    raise UserError(f"{what}: {url}: {error.code} {error.reason}") from None
                failure: Exception = error
            except (OSError, HTTPException) as error:
                failure = error
            if attempt + 1 < attempts:
                time.sleep(pause * 2**attempt)
        else:
            raise UserError(
                f"{what}: {url} could not be downloaded ({failure}); what is there already will be "
                f"continued, or put the file at {target} yourself"
            )
        if sha256 is not None and (got := sha256_file(part)) != sha256:
            part.unlink()
            raise UserError(f"{what}: {url} has SHA-256 {got}, the catalogue says {sha256}")
        part.replace(target)


def _continue(url: str, part: Path, what: str) -> None:
    """Fetch what is missing of a file; an OSError if the connection breaks off before its end."""
    have = part.stat().st_size if part.is_file() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        if error.code != 416:
            raise
        # Nothing follows what is there: the file is whole, or something else lies there.
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return
        part.unlink()
        raise OSError(f"{part} was longer than the file") from None
    with response:
        continued = response.status == 206
        start = have if continued else 0
        total = start + int(response.headers.get("Content-Length", 0))
        with progress(f"{what}: {part.name.removesuffix('.part')}", total / 1e6, "MB") as advance:
            advance(start / 1e6)
            with part.open("ab" if continued else "wb") as file:
                while chunk := response.read(CHUNK):
                    file.write(chunk)
                    advance(len(chunk) / 1e6)
    if total > start and part.stat().st_size != total:
        raise OSError(f"broke off after {part.stat().st_size:,} of {total:,} bytes")
