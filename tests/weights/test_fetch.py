"""Downloads against a real HTTP server on loopback that truncates, corrupts, stalls and refuses."""

from __future__ import annotations

import contextlib
import errno
import gc
import hashlib
import http.client
import io
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from srkit.errors import DigestMismatch, DownloadError, Offline
from srkit.weights.fetch import ATTEMPTS, fetch

BODY = random.Random(0).randbytes(300_000)
DIGEST = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves the server's body; how the nth request is answered, the nth item of its script says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = self.headers.get("Range")
        with self.server.lock:
            number = len(self.server.ranges)
            self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        script = self.server.script
        (script[number] if number < len(script) else self.server.otherwise)(self, start)

    def send(self, body, start, *, upto=None, status=None, then=lambda: None):
        """The body from ``start``, broken off at byte ``upto`` after ``then`` was called."""
        if start >= len(body):
            self.refuse(416)
            return
        self.send_response(status or (206 if start else 200))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:upto])
        self.wfile.flush()
        then()
        self.close_connection = True

    def refuse(self, status, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/net.pth"
        self.ranges, self.script, self.otherwise = [], [], whole
        self.lock, self.released = threading.Lock(), threading.Event()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # a client that hung up is what some tests are about
            super().handle_error(request, client_address)


def whole(handler, start):
    handler.send(BODY, start)


def deaf(handler, start):
    """Knows no ranges."""
    handler.send(BODY, 0, status=200)


def cut(upto):
    return lambda handler, start: handler.send(BODY, start, upto=max(start, upto))


def stall(upto):
    def answer(handler, start):
        handler.send(BODY, start, upto=max(start, upto), then=lambda: handler.server.released.wait(10))

    return answer


def other(body):
    return lambda handler, start: handler.send(body, start)


def status(code, **headers):
    return lambda handler, start: handler.refuse(code, **headers)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("SRKIT_OFFLINE")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()
    gc.collect()  # a connection left open is told now, at the test that left it


@pytest.fixture
def target(tmp_path):
    return tmp_path / "models" / "net.pth"


@pytest.fixture
def part(target):
    """Where an unfinished download is kept."""
    target.parent.mkdir()
    return target.with_name("net.pth.part")


def test_whole(server, target, capsys):
    """A download arrives whole, in a folder made for it, announced with address, size and place, and no bar in a pipe."""
    assert fetch(server.url, target, sha256=DIGEST, size=67_040_989) == target
    assert target.read_bytes() == BODY
    assert [p for p in target.parent.iterdir() if p.suffix != ".lock"] == [target]
    assert server.ranges == [None]
    assert capsys.readouterr() == ("", f"srkit: fetching {server.url} (67 MB) to {target}\n")


def test_bar_on_a_terminal(server, target, monkeypatch):
    """On a terminal a bar shows name and size while the download runs."""
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    fetch(server.url, target, sha256=DIGEST)
    assert "net.pth:" in terminal.getvalue()
    assert "300k" in terminal.getvalue()


def test_already_there(server, target):
    """A file that is there with the right digest is not fetched again; one with another digest is replaced."""
    target.parent.mkdir()
    target.write_bytes(BODY)
    assert fetch(server.url, target, sha256=DIGEST) == target
    assert server.ranges == []
    target.write_bytes(BODY[:-1])
    fetch(server.url, target, sha256=DIGEST)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("redirected", [False, True])
def test_truncated(server, target, redirected):
    """What a broken connection brought is kept: the next ones ask for the rest, through redirections too."""
    cuts = [cut(100_000), cut(200_000)]
    hop = [status(302, Location="/elsewhere")] if redirected else []
    server.script = [step for answer in (*cuts, whole) for step in (*hop, answer)]
    fetch(server.url, target, sha256=DIGEST)
    assert target.read_bytes() == BODY
    asked = [None, "bytes=100000-", "bytes=200000-"]
    assert server.ranges == [item for item in asked for _ in range(1 + redirected)]


def test_resumed_later(server, target, part):
    """What an earlier run left is resumed."""
    part.write_bytes(BODY[:123_456])
    fetch(server.url, target, sha256=DIGEST)
    assert target.read_bytes() == BODY
    assert server.ranges == ["bytes=123456-"]
    assert not part.exists()


def test_no_ranges(server, target, part):
    """A server that ignores ranges and sends the file from its start does no harm."""
    part.write_bytes(BODY[:1000])
    server.otherwise = deaf
    fetch(server.url, target, sha256=DIGEST)
    assert target.read_bytes() == BODY
    assert server.ranges == ["bytes=1000-"]


def test_no_progress(server, target, part):
    """Connections that bring nothing new end in a DownloadError that says what is kept and where; it is kept."""
    server.otherwise = cut(1000)
    with pytest.raises(DownloadError, match=f"1000 bytes are kept in {part}; run the same again") as caught:
        fetch(server.url, target, sha256=DIGEST)
    assert server.url in str(caught.value)
    assert part.read_bytes() == BODY[:1000]
    assert not target.exists()
    assert len(server.ranges) == 1 + ATTEMPTS


def test_no_progress_without_ranges(server, target):
    """Bytes that come again and again are no progress, where each connection ends at another place."""
    server.script = [lambda handler, start, n=n: handler.send(BODY, 0, status=200, upto=n) for n in (500, 1000)] * 20
    server.otherwise = status(410)  # so that the test ends
    with pytest.raises(DownloadError):
        fetch(server.url, target, sha256=DIGEST)
    assert len(server.ranges) < 20


def test_corrupt(server, target, part):
    """Wrong bytes, twice, are a DigestMismatch with both digests, and nothing of them stays."""
    bad = BODY[:-1] + b"?"
    server.otherwise = other(bad)
    with pytest.raises(DigestMismatch, match="do not use it") as caught:
        fetch(server.url, target, sha256=DIGEST)
    assert (caught.value.expected, caught.value.actual) == (DIGEST, hashlib.sha256(bad).hexdigest())
    assert DIGEST in str(caught.value)
    assert server.url in str(caught.value)
    assert not target.exists()
    assert not part.exists()
    assert len(server.ranges) == 2


def test_corrupt_once(server, target):
    """Bytes damaged on their way are mended by a second download from the start."""
    server.script = [other(BODY[:-1] + b"?")]
    fetch(server.url, target, sha256=DIGEST)
    assert target.read_bytes() == BODY
    assert server.ranges == [None, None]


@pytest.mark.parametrize("length", [100, len(BODY), len(BODY) + 100])
def test_stale_part(server, target, part, length):
    """What is left of another file, shorter, as long or longer, costs a fresh start and no more."""
    part.write_bytes(b"x" * length)
    fetch(server.url, target, sha256=DIGEST)
    assert target.read_bytes() == BODY
    assert server.ranges[0] == f"bytes={length}-"
    assert server.ranges[-1] is None


def test_stale_part_without_digest(server, target, part):
    """Without a digest nothing could tell what is left of another file, so none of it gets into the result."""
    part.write_bytes(b"x" * 100)
    fetch(server.url, target, sha256=None)
    assert target.read_bytes() == BODY


def test_no_connection(target, monkeypatch):
    """Where names cannot be looked up, the error says so in words, and nothing of bytes that were not kept."""

    def unknown(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.delenv("SRKIT_OFFLINE", raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    with pytest.raises(
        DownloadError, match=r"address of example\.org cannot be looked up.*internet\. Run the same again to retry"
    ) as caught:
        fetch("https://example.org/x.pth", target, sha256=DIGEST)
    assert "bytes" not in str(caught.value)
    assert "Errno" not in str(caught.value)


def test_stall(server, target):
    """A connection that falls silent is given up, and the rest fetched by another."""
    server.script, start = [stall(50_000)], time.monotonic()
    fetch(server.url, target, sha256=DIGEST, timeout=0.3)
    assert time.monotonic() - start < 5
    assert target.read_bytes() == BODY
    assert server.ranges[:2] == [None, "bytes=50000-"]


def test_stalls_always(server, target, part):
    """A server that never says more is a DownloadError, after as many timeouts as there are attempts."""
    server.otherwise = stall(50_000)
    with pytest.raises(DownloadError, match=f"timed out.* 50000 bytes are kept in {part}"):
        fetch(server.url, target, sha256=DIGEST, timeout=0.2)
    assert len(server.ranges) == 1 + ATTEMPTS


@pytest.mark.parametrize("code", [403, 404])
def test_refused_by_the_server(server, target, part, code):
    """An address that is wrong is told at once, with the server's status."""
    server.otherwise = status(code)
    with pytest.raises(DownloadError, match=f"{server.url} .*{code}") as caught:
        fetch(server.url, target, sha256=DIGEST)
    assert caught.value.url == server.url
    assert len(server.ranges) == 1
    assert not target.exists()


def test_server_error(server, target):
    """A server's own failure is tried again, and told with its status if it stays."""
    server.script = [status(500), status(503)]
    fetch(server.url, target, sha256=DIGEST)
    assert target.read_bytes() == BODY
    target.unlink()
    server.otherwise = status(503)
    with pytest.raises(DownloadError, match="503"):
        fetch(server.url, target, sha256=DIGEST)


def test_nobody_listens(server, target):
    """A refused connection is a DownloadError that says so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(DownloadError, match="refused"):
        fetch(f"http://127.0.0.1:{port}/net.pth", target, sha256=DIGEST)


def test_network_goes_away(server, target, monkeypatch):
    """A network that goes away in the middle is a broken connection like any other, not a bare OSError."""
    read, failures = http.client.HTTPResponse.read1, [OSError(errno.ENETUNREACH, "Network is unreachable")]

    def read1(response, n=-1):
        if failures:
            raise failures.pop()
        return read(response, n)

    monkeypatch.setattr(http.client.HTTPResponse, "read1", read1)
    fetch(server.url, target, sha256=DIGEST)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_offline(server, target, monkeypatch, value, offline):
    """SRKIT_OFFLINE forbids every request, unless it is empty or 0."""
    monkeypatch.setenv("SRKIT_OFFLINE", value)
    with pytest.raises(Offline, match="unset it") if offline else contextlib.nullcontext():
        fetch(server.url, target, sha256=DIGEST)
    assert len(server.ranges) == (0 if offline else 1)
    assert target.exists() is not offline


def check_disk_full(server, target):
    with pytest.raises(OSError) as caught:
        fetch(server.url, target, sha256=DIGEST)
    assert caught.value.errno == errno.ENOSPC
    assert "SRKIT_CACHE" in str(caught.value)
    assert str(target.parent) in str(caught.value)
    assert [p.name for p in target.parent.iterdir() if p.suffix != ".lock"] == []


def test_disk_full(server, target, monkeypatch):
    """A full disk is an OSError that says whose and what to do; what could not be finished does not fill it further."""

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    check_disk_full(server, target)


def test_disk_really_full(server, tmp_path):
    """The same on a file system of 64 kB."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False)
    if mount.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {mount.stderr.decode().strip()}")
    try:
        check_disk_full(server, disk / "net.pth")
    finally:
        subprocess.run(["umount", disk], check=True)


def test_two_threads_fetch_once(server, target):
    """Threads that want the same file at the same time make one download, and all get it."""
    server.script = [stall(1000)]
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(fetch(server.url, target, sha256=DIGEST, timeout=0.5)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [target] * 3
    assert server.ranges[:2] == [None, "bytes=1000-"]
    assert target.read_bytes() == BODY


def test_two_processes_fetch_once(server, target):
    """A process that comes while another fetches waits for it, and requests nothing."""
    asked = threading.Event()
    server.script = [lambda handler, start: (asked.set(), server.released.wait(10), whole(handler, start))]
    mine = threading.Thread(target=fetch, args=(server.url, target), kwargs={"sha256": DIGEST})
    mine.start()
    assert asked.wait(10)
    code = (
        "import sys, pathlib; from srkit.weights.fetch import fetch; print('ready', flush=True); "
        "fetch(sys.argv[1], pathlib.Path(sys.argv[2]), sha256=sys.argv[3])"
    )
    command = [sys.executable, "-c", code, server.url, str(target), DIGEST]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.3)
        assert child.poll() is None, "it did not wait"
        server.released.set()
        assert child.communicate(timeout=30) == (b"", b"")
    mine.join()
    assert child.returncode == 0
    assert server.ranges == [None]
