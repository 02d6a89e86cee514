"""Downloading a file: continued where it broke off, retried, checked by its SHA-256."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from simcons.core.errors import UserError
from simcons.core.files import sha256_file
from simcons.core.progress import progress

CHUNK = 1 << 20
TIMEOUT_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 600.0  # whatever the server asks for


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    headers: Mapping[str, str] | None = None,
    what: str = "download",
    show: bool = True,
    attempts: int = 6,
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
    headers
        For the address's own host alone, such as a token: not sent to where it may redirect to.
    what
        What it is for, in messages.
    show
        Whether to show progress.
    attempts, pause
        How often to try while connections break or the server is busy, and the seconds before the
        second attempt: doubled each time, and more if the server asks for it.

    Raises
    ------
    UserError
        If the address refuses, the connection keeps breaking, or the file has another SHA-256.
    """
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with FileLock(target.with_name(f"{target.name}.lock")):
        while not target.is_file():
            left_over = part.is_file()
            for attempt in range(attempts):
                try:
                    _continue(url, part, headers or {}, f"{what}: {target.name}" if show else None)
                    break
                except (OSError, HTTPException) as error:
                    status = error.code if isinstance(error, HTTPError) else None
                    if status and status < 500 and status not in (408, 429):
                        raise UserError(f"{what}: {url}: {error}") from None
                    failure = error
                if attempt + 1 < attempts:
                    time.sleep(max(pause * 2**attempt, _asked_pause(failure)))
            else:
                raise UserError(
                    f"{what}: {url}: {attempts} attempts failed, the last with "
                    f"{type(failure).__name__}: {failure}; what was downloaded is kept: run the "
                    f"same command again, or put the file at {target} yourself"
                )
            if sha256 is None or (got := sha256_file(part)) == sha256:
                part.replace(target)
                return
            part.unlink()
            # What an earlier run left may have been damaged: once more, from the beginning.
            if not left_over:
                raise UserError(f"{what}: {url} has SHA-256 {got}, expected {sha256}")


def _continue(url: str, part: Path, headers: Mapping[str, str], shown: str | None) -> None:
    """Fetch what is missing of a file; an OSError if the connection breaks off before its end."""
    have = part.stat().st_size if part.is_file() else 0
    # Some servers refuse urllib by its name.
    request = Request(url, headers={"User-Agent": "simcons"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    try:
        response = build_opener(_Redirects).open(request, timeout=TIMEOUT_SECONDS)
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
        bar = progress(shown, total / 1e6, "MB") if shown else nullcontext(lambda amount: None)
        with bar as advance, part.open("ab" if continued else "wb") as file:
            advance(start / 1e6)
            while chunk := response.read(CHUNK):
                file.write(chunk)
                advance(len(chunk) / 1e6)
    if total > start and part.stat().st_size != total:
        raise OSError(f"broke off after {part.stat().st_size:,} of {total:,} bytes")


class _Redirects(HTTPRedirectHandler):
    """Follows redirects; headers for one host alone go along only where host and scheme stay."""

    def redirect_request(self, req: Request, *args: Any) -> Request | None:
        new = super().redirect_request(req, *args)
        if new is not None and urlsplit(new.full_url)[:2] == urlsplit(req.full_url)[:2]:
            new.unredirected_hdrs = req.unredirected_hdrs
        return new


def _asked_pause(failure: Exception) -> float:
    """Return the seconds to wait that a busy server's answer names."""
    asked = failure.headers.get("Retry-After", "") if isinstance(failure, HTTPError) else ""
    return min(float(asked), LONGEST_PAUSE_SECONDS) if asked.isdecimal() else 0.0
