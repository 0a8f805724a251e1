"""Videos converted to animations; PyAV makes them, where it is installed."""

import io
import struct
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from command import run

import kqf
from kqf.io.videos import Video

HEIGHT, WIDTH = 32, 48


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def frames():
    """Return five frames in gray, which video codecs keep exactly."""
    found = np.zeros((5, HEIGHT, WIDTH, 3), np.uint8)
    for number, frame in enumerate(found):
        frame[8:24, 8 * number : 8 * number + 8] = 40 * number + 60
    return found


def video(times, codec="ffv1", pixels="bgr0", suffix="matroska", turns=0):
    """Return a video of the frames, turned to the left, which begin at these milliseconds."""
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format=suffix) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = (HEIGHT, WIDTH) if turns % 2 else (WIDTH, HEIGHT)
        stream.pix_fmt = pixels
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for pixels, time in zip(frames(), times, strict=True):
            turned = np.ascontiguousarray(np.rot90(pixels, turns))
            frame = av.VideoFrame.from_ndarray(turned, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_frames_of_turned_videos_are_upright(turns):
    data = video([0, 40, 80, 120, 160], "qtrle", "rgb24", "mov", turns)
    # The matrix of QuickTime's track header, by which a player turns the picture to the right.
    cosine, sine = ((0, 1), (-1, 0), (0, -1))[turns - 1]
    parts = (cosine, sine, 0, -sine, cosine, 0, 0, 0)
    upright, turning = (
        struct.pack(">8i", *(part << 16 for part in each))
        for each in ((1, 0, 0, 0, 1, 0, 0, 0), parts)
    )
    track = data.index(b"tkhd")
    at = data.index(upright, track)
    data = data[:at] + turning + data[at + len(turning) :]
    assert np.array_equal(list(Video(data)), frames())


def test_frames_and_times_of_a_video():
    Path("a.mkv").write_bytes(video([0, 40, 100, 140, 200]))
    assert "lossless" in run("convert", "a.mkv", "-o", "a.kqf").stdout
    with kqf.open_animation("a.kqf") as animation:
        assert np.array_equal(animation, frames())
        assert animation.durations[:4] == (40, 60, 40, 60)
        assert animation.durations[4] > 0
        assert animation.loop == 0
    options = ["--frames", "1:5", "--every", "2", "--fps", "10", "--size", "50%"]
    run("convert", "a.mkv", *options, "-o", "b.kqf")
    with kqf.open_animation("b.kqf") as animation:
        assert animation.shape == (2, HEIGHT // 2, WIDTH // 2, 3)
        assert animation.durations == (100, 100)
    run("convert", "a.mkv", "-o", "a.gif")
    assert kqf.info("a.kqf").frames == 5
    result = run("convert", "a.mkv", "--frame", "2", "-o", "c.kqf", code=1)
    assert "--frames 2:3" in result.stderr


def test_damaged_videos_are_refused():
    data = video([0, 40, 80, 120, 160])
    Path("a.mkv").write_bytes(data[:200])
    Path("b.mp4").write_bytes(b"no video at all")
    for name in ("a.mkv", "b.mp4"):
        result = run("convert", name, "-o", "a.kqf", code=1)
        assert "video" in result.stderr
    assert not Path("a.kqf").exists()


def test_without_pyav_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    Path("a.mp4").write_bytes(b"anything")
    result = run("convert", "a.mp4", "-o", "a.kqf", code=1)
    assert "videos need PyAV: pip install '.[video]'" in result.stderr
    with pytest.raises(ImportError, match="PyAV"):
        Video(b"anything")
