"""Downloads that arrive whole, verified, or not at all."""

from __future__ import annotations

import errno
import hashlib
import http
import http.client
import os
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from filelock import FileLock
from tqdm import tqdm

from ..errors import DigestMismatch, DownloadError, Offline

TIMEOUT = 30.0
"""Seconds of silence after which a connection counts as dead."""
ATTEMPTS = 4
"""Connections that bring nothing new before a fetch is given up."""
_CHUNK = 1 << 18


def fetch(url: str, target: Path, *, sha256: str | None, size: int | None = None, timeout: float = TIMEOUT) -> Path:
    """Download ``url`` to ``target`` and return it; says so on standard error first.

    What an interrupted fetch left (``target`` + ``.part``) is resumed. The file appears under its name only when it is
    whole and its sha256 is right. ``size``: expected bytes, for the announcement. Two processes fetch once.

    Raises Offline, DigestMismatch or DownloadError; the last with the ``errno`` of the disk if that is full or read-only.
    """
    if os.environ.get("SRKIT_OFFLINE", "0") not in {"", "0"}:
        raise Offline(f"SRKIT_OFFLINE is set, so {url} is not fetched; unset it, or bring the file by other means", url)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(target.name + ".lock")):
            if not (target.is_file() and sha256 is not None and digest_of(target) == sha256):
                megabytes = f" ({size / 1e6:.0f} MB)" if size else ""
                sys.stderr.write(f"srkit: fetching {url}{megabytes} to {target}\n")
                _bring(url, target, sha256, timeout)
    except DownloadError:
        raise
    except OSError as error:
        failure = DownloadError(
            f"{url} cannot be saved in {target.parent}: {error.strerror}; set SRKIT_CACHE to a place with room that can be "
            f"written",
            url,
        )
        failure.errno = error.errno
        raise failure from error
    return target


def _bring(url: str, target: Path, sha256: str | None, timeout: float) -> None:
    part = target.with_name(target.name + ".part")
    if sha256 is None:
        part.unlink(missing_ok=True)  # nothing could tell what is left of another file
    _download(url, part, timeout)
    if sha256 is not None and digest_of(part) != sha256:
        # What was resumed may have been another file's beginning: once more, from the start.
        part.unlink()
        _download(url, part, timeout)
        actual = digest_of(part)
        if actual != sha256:
            part.unlink()
            raise DigestMismatch(
                f"{url} has the sha256 {actual}, not {sha256}; the download was deleted. The file at this address is damaged "
                f"or was replaced: do not use it",
                url,
                sha256,
                actual,
            )
    part.replace(target)


def digest_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Incomplete(Exception):
    """A connection ended before the file did."""


def _download(url: str, part: Path, timeout: float) -> None:
    """Bring ``part`` to its full length, over as many connections as bring something new."""
    fruitless = most = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _one_connection(url, part, before, timeout)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and before:
                    part.unlink()  # longer than the file is: not its beginning
                    continue
                if error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise DownloadError(
                        f"{url} cannot be fetched: the server says {error.code} {error.reason}", url
                    ) from error
                reason = f"the server says {error.code} {error.reason}"
        except (
            _Incomplete,
            http.client.HTTPException,
            urllib.error.URLError,
            ConnectionError,
            TimeoutError,
        ) as error:
            reason = _why(getattr(error, "reason", error), url)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                part.unlink(missing_ok=True)
            raise
        else:
            return
        after = part.stat().st_size if part.exists() else 0
        fruitless = 0 if after > max(before, most) else fruitless + 1
        most = max(before, after, most)
        if fruitless == ATTEMPTS:
            kept = f"{after} bytes are kept in {part}; run" if after else "Run"
            raise DownloadError(
                f"{url} cannot be fetched: {reason}. {kept} the same again to {'resume' if after else 'retry'}", url
            )


def _why(reason: object, url: str) -> str:
    if isinstance(reason, socket.gaierror):
        host = urllib.parse.urlsplit(url).hostname
        return f"the address of {host} cannot be looked up ({reason.strerror}), as without a connection to the internet"
    return str(reason) or type(reason).__name__


def _receive(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK)
    except OSError as error:  # the network's; what goes wrong with the file is raised elsewhere
        raise _Incomplete(f"the connection broke: {error}") from error


def _one_connection(url: str, part: Path, have: int, timeout: float) -> None:
    headers = {"User-Agent": "srkit"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 -- only http and https get here
    try:
        answer = urllib.request.urlopen(request, timeout=timeout)  # noqa: S310
    except urllib.error.URLError:
        raise
    except OSError as error:
        raise _Incomplete(f"the connection broke: {error}") from error
    with answer as response:
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        start = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length is not None else None
        bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=part.stem, disable=None, leave=False)
        with part.open("ab" if resumed else "wb") as file, bar:
            while chunk := _receive(response):
                file.write(chunk)
                bar.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())
    have = part.stat().st_size
    if total is not None and have < total:
        raise _Incomplete(f"the connection ended at {have} of {total} bytes")
