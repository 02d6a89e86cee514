"""Ctrl-C and SIGTERM, handled for a while by whoever has something to put in order first."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def handled(handle: Callable[[int], None]) -> Iterator[None]:
    """Give SIGINT and SIGTERM to ``handle`` while the block runs."""
    signums = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(signum, lambda signum, frame: handle(signum)) for signum in signums]
    try:
        yield
    finally:
        for signum, handler in zip(signums, before, strict=True):
            signal.signal(signum, handler)
