"""Pushing and pulling with retries and a limit on silence."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from simcons.core.errors import UserError
from simcons.core.progress import progress
from simcons.remote.diagnosis import TransferError

_LONGEST_WAIT = 30.0


@dataclass(frozen=True)
class Limits:
    """How long to try.

    Attributes
    ----------
    silence
        Seconds. An attempt in which not a byte has moved for so long is killed.
    retries
        Attempts after the first; the waits between them double, from a second to half a minute.
    """

    silence: float = 120.0
    retries: int = 3

    def __post_init__(self) -> None:
        if self.silence <= 0 or self.retries < 0:
            raise UserError(
                f"the time limit must be above 0 and the retries at least 0; "
                f"got {self.silence:g} and {self.retries}"
            )


@dataclass(frozen=True)
class Summary:
    """What was moved.

    Attributes
    ----------
    objects
        How many objects there are, moved or not.
    moved, n_bytes
        How many had to be moved, and their bytes.
    replaced
        How many of those were in the remote with another size.
    where
        The remote's address.
    unknown
        Stages that dvc.lock does not record: nobody has run them.
    """

    objects: int
    moved: int
    n_bytes: int
    replaced: int
    where: str
    unknown: tuple[str, ...]


def push(
    targets: Sequence[str] = (),
    *,
    root: Path = Path(),
    remote: str | None = None,
    limits: Limits = Limits(),
) -> Summary:
    """Push outputs, and check that each object is in the remote with the right size.

    Parameters
    ----------
    targets
        Stages, families of stages (``similarity``) or paths; empty for all outputs.
    root
        The repository's root.
    remote
        Name of the DVC remote; the default one if None.
    limits
        How long to try.

    Returns
    -------
    Summary
        What was moved.

    Raises
    ------
    UserError
        If the targets or the remote's configuration are wrong.
    TransferError
        If something did not arrive, or the remote cannot be reached.
    """
    return _transfer(limits, "push", root, targets=list(targets), remote=remote, force=False)


def pull(
    targets: Sequence[str] = (),
    *,
    root: Path = Path(),
    remote: str | None = None,
    limits: Limits = Limits(),
    force: bool = False,
) -> Summary:
    """Pull outputs into cache and workspace, and check the content of all that came.

    Parameters
    ----------
    targets, root, remote, limits
        As of `push`.
    force
        Replace files of the workspace that were changed and are not in the cache.

    Returns
    -------
    Summary
        What was moved.

    Raises
    ------
    UserError, TransferError
        As `push`; an object that is missing or damaged in the remote is named. Every output of
        which all objects came is in the workspace nevertheless.
    """
    return _transfer(limits, "pull", root, targets=list(targets), remote=remote, force=force)


def _transfer(limits: Limits, action: str, root: Path, **asked: Any) -> Summary:
    request = {"action": action, "root": str(root.resolve()), **asked}
    for attempt in range(limits.retries + 1):
        try:
            result = _attempt(request, limits.silence)
        except TransferError as error:
            if not error.retry or attempt == limits.retries:
                raise
            wait = min(2.0**attempt, _LONGEST_WAIT)
            print(f"warning: {error}; again in {wait:g} s", file=sys.stderr, flush=True)
            time.sleep(wait)
        else:
            return Summary(**{**result, "unknown": tuple(result["unknown"])})
    raise AssertionError("unreachable")


def _attempt(request: dict[str, Any], silence: float) -> dict[str, Any]:
    # botocore's own retries would keep a dead server's silence up.
    environ = {"AWS_MAX_ATTEMPTS": "2", **os.environ}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors, ExitStack() as bars:
        worker = subprocess.Popen(
            [sys.executable, "-m", "simcons.remote.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environ,
            encoding="utf-8",
        )
        try:
            assert worker.stdin is not None
            assert worker.stdout is not None
            with suppress(BrokenPipeError):  # it died at once; what it said last is told below
                worker.stdin.write(json.dumps(request) + "\n")
                worker.stdin.close()
            advance = None
            for event in _events(worker.stdout, silence):
                if event["event"] == "plan" and event["total"]:
                    advance = bars.enter_context(
                        progress(request["action"], event["total"], "objects")
                    )
                elif event["event"] == "arrived" and advance:
                    advance(event["n"])
                elif event["event"] == "refused":
                    raise UserError(event["message"])
                elif event["event"] == "failed":
                    raise TransferError(event["message"], retry=event["retry"])
                elif event.pop("event") == "done":
                    return event
        finally:
            worker.kill()
            worker.wait()
        errors.seek(0)
        last = " ".join(errors.read()[-600:].split())
        raise TransferError(f"{request['action']} broke off ({worker.returncode}): {last}")


def _events(stream: IO[str], silence: float) -> Iterator[dict[str, Any]]:
    """Yield a worker's events; fail if none comes for so many seconds."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=silence)
        except queue.Empty:
            raise TransferError(
                f"nothing has moved for {silence:g} s, so this attempt was stopped "
                f"(`--time-limit` sets the limit); does the server still answer?",
                retry=True,
            ) from None
        if not line:
            return
        yield json.loads(line)
