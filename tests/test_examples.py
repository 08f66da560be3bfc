"""The scripts of examples/ do what they say; its distributions have tests of their own, run by `nox -s examples`."""

from __future__ import annotations

import http.client
import importlib.util
import io
import json
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("srkit_io")

import torch
from PIL import Image

import srkit
import srkit_io

EXAMPLES = Path(__file__).parents[1] / "examples"


def script(name):
    """A script of the examples as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Slow(torch.nn.Module):
    """Enlarges twice; tells which rows it has seen."""

    def forward(self, x):
        return torch.nn.functional.interpolate(x, scale_factor=2, mode="nearest")


@pytest.fixture
def up():
    return srkit.Upscaler.from_network(Slow(), srkit.Traits(scale=2), rows=4)


@pytest.fixture
def server(up):
    """The web service at work; gives a connection to it."""
    service = script("serve").service(up)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", service.server_port)
    yield connection
    connection.close()
    service.shutdown()
    service.server_close()


def png_of(array):
    written = io.BytesIO()
    Image.fromarray(array).save(written, "PNG")
    return written.getvalue()


@pytest.mark.parametrize("shape", [(9, 7, 3), (9, 7, 4), (9, 7), (200, 33, 3)])
def test_the_service_answers_with_what_srkit_makes(server, up, shape):
    """The answer is a PNG that others read, with the very values, of any channels."""
    img = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    server.request("POST", "/", png_of(img))
    answer = server.getresponse()
    assert answer.status == 200
    with Image.open(io.BytesIO(answer.read())) as image:
        assert np.array_equal(np.asarray(image), up(img))


def test_the_service_tells_what_is_wrong(server):
    """What is no picture is told, and the next is served."""
    server.request("POST", "/", b"no picture")
    answer = server.getresponse()
    assert (answer.status, b"in.png" in answer.read()) == (400, True)
    server.request("POST", "/", png_of(np.zeros((2, 2), np.uint8)))
    assert server.getresponse().status == 200


def test_rows_leave_before_the_last_are_computed():
    """The file is given piece by piece: its head when the first strip is there, and each strip's pixels at once."""
    given = []

    def strips():
        for number in range(3):
            given.append(number)
            yield np.full((2, 5), 40 * number, np.uint16)

    pieces = script("serve").png(strips(), (6, 5))
    assert next(pieces).startswith(b"\x89PNG")
    assert given == [0]
    rest = [*pieces]
    assert len(rest) == 4
    file = b"".join([next(script("serve").png(strips(), (6, 5))), *rest])
    with Image.open(io.BytesIO(file)) as image:
        assert np.array_equal(np.asarray(image), np.repeat([0, 40, 80], 2)[:, None].repeat(5, 1))


def test_the_pipeline_makes_one_width_of_all(tmp_path, monkeypatch, up):
    """Small pictures go through the network, large ones do not, transparency stays, and a bad file is told in the report."""
    pipeline = script("pipeline")
    monkeypatch.setattr(srkit, "load", lambda model: up)
    rng = np.random.default_rng(0)
    source = tmp_path / "in"
    source.mkdir()
    pictures = {"small": (20, 10, 3), "cut-out": (8, 16, 4), "large": (30, 60), "large-cut-out": (30, 60, 4)}
    for name, shape in pictures.items():
        srkit_io.write(source / f"{name}.png", rng.integers(0, 256, shape, np.uint8))
    (source / "bad.png").write_bytes(b"nothing")
    assert pipeline.main([str(source), str(tmp_path / "out"), "--width", "24"]) == 1
    lines = [json.loads(line) for line in (tmp_path / "out" / "report.jsonl").read_text().splitlines()]
    told = {line.pop("file"): line for line in lines}
    assert "error" in told["bad.png"]
    for name, shape in pictures.items():
        made = srkit_io.read(tmp_path / "out" / f"{name}.png")
        assert made.shape == (round(shape[0] * 24 / shape[1]), 24, *shape[2:])
        assert (told[f"{name}.png"]["network"] is None) == name.startswith("large")
