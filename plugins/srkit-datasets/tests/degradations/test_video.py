"""Compression by video codecs."""

from __future__ import annotations

import sys

import pytest

import srkit
from srkit_datasets import Video
from srkit_datasets.degradations.draws import seeded


@pytest.mark.parametrize("codec", ["h264", "h265", "mpeg4"])
def test_video_codecs(codec, picture):
    """Each codec changes the picture the less, the higher the quality."""
    pytest.importorskip("av")
    picture = picture[..., :97, :131]
    outs = [Video(codecs={codec: 1}, quality=quality)(picture, seeded(0)) for quality in (0, 0.5, 1)]
    errors = [float((out - picture).square().mean()) for out in outs]
    assert errors == sorted(errors, reverse=True)
    assert 0 < errors[-1] < 0.003


def test_without_pyav_video_says_what_to_install(monkeypatch, picture):
    """Where PyAV is not installed, the error has the command that installs it."""
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(srkit.SettingsError, match=r'pip install "srkit-datasets\[video\]"'):
        Video()(picture, seeded(0))
