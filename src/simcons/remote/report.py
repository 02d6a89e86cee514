"""What a worker tells its parent, so that the parent can tell silence from work."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_BEAT_SECONDS = 1.0


class Report:
    """Writes events as lines of JSON; beats are thinned out."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")
        self._last_beat = 0.0
        self._lock = threading.Lock()

    def __call__(self, event: str, **values: Any) -> None:
        """Write one event."""
        with self._lock:
            print(json.dumps({"event": event, **values}), file=self._file, flush=True)

    def moved(self) -> None:
        """Say that bytes have moved, once a second at most."""
        now = time.monotonic()
        if now - self._last_beat > _BEAT_SECONDS:
            self._last_beat = now
            self("moved")

    def arrived(self, n: int) -> None:
        """Say that so many objects are through."""
        self("arrived", n=n)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Beat during work on this machine, which may be long and tells nothing."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(_BEAT_SECONDS):
                self.moved()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
