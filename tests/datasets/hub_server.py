"""A small server on 127.0.0.1 that speaks as much of the Hugging Face hub as a download needs.

It serves a folder's files at ``/datasets/OWNER/NAME/resolve/REVISION/FILE`` with ranges, entity
tags (SHA-256 for archives) and the commit, and can be told to fail: to drop connections in the
middle, to answer with an error, to want a token, to serve other bytes than the tag says.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c" * 40
REPOSITORY = "clip-benchmark/wds_tiny"


@dataclass
class Hub:
    """What is served and how; tests change it between requests.

    ``drops``: so many GETs of a file end after half the bytes asked for. ``statuses``: answers
    instead of the file, one each request. ``lies``: files served with one byte changed.
    """

    root: Path
    address: str = ""
    commit: str = COMMIT
    token: str | None = None
    gated: bool = False
    drops: Counter = field(default_factory=Counter)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    lies: set[str] = field(default_factory=set)
    log: list[tuple[str, str, str | None]] = field(default_factory=list)  # method, file, range
    tokens: set[str | None] = field(default_factory=set)

    def gets(self, file: str) -> list[str | None]:
        return [span for method, name, span in self.log if method == "GET" and name == file]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        hub = self.hub
        found = re.fullmatch(rf"/datasets/{REPOSITORY}/resolve/(\w+)/(.+)", self.path)
        file = found[2] if found else self.path
        hub.log.append((self.command, file, self.headers.get("Range")))
        token = self.headers.get("Authorization")
        hub.tokens.add(token)
        if found is None:
            return self._error(401 if token is None else 404, "RepoNotFound")
        if found[1] not in ("main", hub.commit):
            return self._error(404, "RevisionNotFound")
        if hub.token is not None and token != f"Bearer {hub.token}":
            return self._error(401 if token is None else 403, "GatedRepo" if hub.gated else None)
        if hub.statuses.get(file):
            return self._error(hub.statuses[file].pop(0), None)
        path = hub.root / file
        if not path.is_file():
            return self._error(404, "EntryNotFound")
        return self._file(file, path.read_bytes(), body)

    def _file(self, file: str, data: bytes, body: bool) -> None:
        digest = hashlib.sha256(data).hexdigest()
        if file in self.hub.lies:
            data = bytes([data[0] ^ 1]) + data[1:]
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(span[1]) if span else 0
        if start >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if span else 200)
        if span:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        tag = digest if file.endswith(".tar") else hashlib.sha1(data).hexdigest()
        self.send_header("ETag", f'"{tag}"')
        self.send_header("X-Repo-Commit", self.hub.commit)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if not body:
            return None
        if self.hub.drops[file] > 0:
            self.hub.drops[file] -= 1
            self.wfile.write(data[start : start + (len(data) - start) // 2])
            self.wfile.flush()
            self.close_connection = True
            return None
        self.wfile.write(data[start:])
        return None

    def _error(self, status: int, code: str | None) -> None:
        self.send_response(status)
        if code is not None:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def serving(root: Path) -> Iterator[Hub]:
    """Serve a folder while the block runs."""
    hub = Hub(root)
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
