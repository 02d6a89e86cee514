"""Downloads: continued, retried, checked, refused by name; from a server of the tests' own."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from simcons.core.download import download
from simcons.core.errors import UserError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT at any path but /missing; breaks off after `cut` bytes, `cuts` times."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []
        self.cuts, self.cut = 0, 1_000_000
        self.knows_ranges = True
        self.failures: list[int] = []
        self.retry_after = ""
        self.redirects: list[str] = []
        self.tokens: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/weights/net.pth"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        self.server.tokens.append(self.headers.get("Authorization"))
        if self.server.redirects:
            self.send_response(307)
            self.send_header("Location", self.server.redirects.pop(0))
            return self.end_headers()
        if self.path == "/missing":
            return self.send_error(404)
        if self.server.failures:
            self.send_response(self.server.failures.pop(0))
            self.send_header("Retry-After", self.server.retry_after)
            return self.end_headers()
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        start = start if self.server.knows_ranges else 0
        if start >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.cuts:
            self.server.cuts -= 1
            body = body[: self.server.cut]
        self.wfile.write(body)
        return None

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    found = Server()
    thread = threading.Thread(
        target=found.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "net.pth"


def files(target) -> set[str]:
    return {path.name for path in target.parent.iterdir()} - {"net.pth.lock"}


def test_a_file_is_downloaded_once(server, target):
    for _ in range(2):
        download(server.url, target, sha256=SHA256)
        assert target.read_bytes() == CONTENT
    assert server.ranges == [None]
    assert files(target) == {"net.pth"}


def test_a_broken_connection_is_taken_up_where_it_broke(server, target):
    server.cuts = 2
    download(server.url, target, sha256=SHA256, pause=0)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000000-", "bytes=2000000-"]


def test_a_later_call_continues_what_an_earlier_one_left(server, target):
    server.cuts = 1
    with pytest.raises(UserError, match=r"net\.pth: 1 attempts failed.* after 1,000,000 of"):
        download(server.url, target, attempts=1)
    assert files(target) == {"net.pth.part"}
    download(server.url, target)
    assert target.read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=1000000-"


def test_a_server_that_cannot_continue_starts_anew(server, target):
    server.cuts, server.knows_ranges = 1, False
    download(server.url, target, sha256=SHA256, pause=0)
    assert target.read_bytes() == CONTENT


def test_a_part_that_is_whole_is_taken(server, target):
    target.parent.mkdir()
    target.with_name("net.pth.part").write_bytes(CONTENT)
    download(server.url, target, sha256=SHA256)
    assert files(target) == {"net.pth"}


def test_a_part_that_is_too_long_is_thrown_away(server, target):
    target.parent.mkdir()
    target.with_name("net.pth.part").write_bytes(CONTENT + b"x")
    download(server.url, target, sha256=SHA256, pause=0)
    assert target.read_bytes() == CONTENT


def test_another_hash_is_refused_and_nothing_is_left(server, target):
    with pytest.raises(UserError, match=f"model 'm': .* has SHA-256 {SHA256}, expected 000"):
        download(server.url, target, sha256="0" * 64, what="model 'm'")
    assert files(target) == set()


def test_what_is_not_there_is_refused_at_once(server, target):
    url = server.url.replace("/weights/net.pth", "/missing")
    with pytest.raises(UserError, match="model 'm': .*/missing: .* 404"):
        download(url, target, what="model 'm'")
    assert len(server.ranges) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(server, target, status):
    server.failures = [status, status]
    download(server.url, target, sha256=SHA256, pause=0)
    assert len(server.ranges) == 3


def test_a_busy_server_is_given_the_time_it_asks_for(server, target, monkeypatch):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    for asked in ("7", "1", "100000", "Wed, 21 Oct 2015 07:28:00 GMT"):
        server.failures, server.retry_after = [429], asked
        download(server.url, target.with_name(f"{len(pauses)}.pth"))
    assert pauses == [7, 2, 600, 2]


def test_a_damaged_part_is_fetched_anew(server, target):
    target.parent.mkdir()
    target.with_name("net.pth.part").write_bytes(b"x" * 1000)
    download(server.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-", None]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_token_stays_with_its_host(server, target, host):
    """A hub redirects to its store: a token must not go along; to a new name of the set it must."""
    elsewhere = server.url.replace("127.0.0.1", host)
    server.redirects = [elsewhere, server.url]
    download(server.url, target, sha256=SHA256, headers={"Authorization": "secret"})
    kept = "secret" if host == "127.0.0.1" else None
    assert server.tokens == ["secret", kept, kept]


def test_several_processes_download_it_once(server, target):
    server.cuts = 1
    threads = [
        threading.Thread(target=download, args=(server.url, target), kwargs={"pause": 0.05})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert len(server.ranges) == 2
