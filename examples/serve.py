"""A web service that enlarges PNG files, and answers with the first rows while later ones are still computed.

    python serve.py [--port 8000] [--model NAME]
    curl --data-binary @photo.png http://127.0.0.1:8000/ > large.png

A sketch: one process, no limits but one, no authentication. What it shows is how rows go from a file through the network to
the socket, so that neither the picture nor the result is ever whole in memory.
"""

from __future__ import annotations

import argparse
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

import srkit
import srkit_io

MOST = 64 << 20
"""Bytes of a picture that are taken."""


def main(argv: list[str] | None = None) -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--model")
    parser.add_argument("--memory", help="what the network may take, such as 2GiB")
    options = parser.parse_args(argv)
    server = service(srkit.load(options.model, memory=options.memory), options.port)
    print(f"http://127.0.0.1:{server.server_port}/")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


def service(up: srkit.Upscaler, port: int = 0) -> ThreadingHTTPServer:
    """A server on the loopback interface; with port 0 on a free one."""
    turn = threading.Lock()  # one picture at a time has all of the processor, and the memory that was planned

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "in.png")
                try:
                    path.write_bytes(self._body())
                    picture = srkit_io.upscaled(srkit_io.open_picture(path), up)
                    if len(picture.pages) > 1:
                        raise ValueError(f"{len(picture.pages)} frames; expected one picture")
                except (srkit.SrkitError, ValueError) as error:
                    self._refuse(400, str(error))
                    return
                with turn:
                    self._answer(picture)

        def _body(self) -> bytes:
            length = int(self.headers.get("Content-Length") or 0)
            if not 0 < length <= MOST:
                raise ValueError(f"{length} bytes; expected a PNG file of at most {MOST}")
            return self.rfile.read(length)

        def _answer(self, picture: srkit_io.Picture) -> None:
            page = picture.pages[0]
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in png(picture.strips(), page.size):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")

        def _refuse(self, code: int, reason: str) -> None:
            body = f"{reason}\n".encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def png(strips: Iterator[np.ndarray], size: tuple[int, int]) -> Iterator[bytes]:
    """The file, piece by piece, of strips (h, W) or (h, W, C) of uint8 or uint16 (PNG specification, 3rd edition)."""
    packer, first = zlib.compressobj(6), True
    for strip in strips:
        rows = strip if strip.ndim == 3 else strip[..., None]
        if first:
            colour = {1: 0, 2: 4, 3: 2, 4: 6}[rows.shape[2]]
            head = struct.pack(">IIBBBBB", size[1], size[0], rows.itemsize * 8, colour, 0, 0, 0)
            yield b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head)
            first = False
        big_endian = rows.astype(rows.dtype.newbyteorder(">")).reshape(len(rows), -1).view(np.uint8)
        unfiltered = np.concatenate([np.zeros((len(rows), 1), np.uint8), big_endian], 1)
        packed = packer.compress(unfiltered.tobytes()) + packer.flush(zlib.Z_SYNC_FLUSH)
        yield _chunk(b"IDAT", packed)
    yield _chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    main()
