"""Animations played in the terminal."""

import io
import re

import numpy as np
import pytest
from command import run
from PIL import Image
from test_terminal import on_screen

import kqf
from kqf.cli.playing import play
from kqf.io.moving_pictures import MovingPicture

FRAMES = np.zeros((4, 6, 8, 3), np.uint8)
FRAMES[:, :, :, 0] = np.array([10, 20, 30, 40])[:, None, None]
REDS = r"38;2;(\d+);0;0"


class Clock:
    """A clock that stands still but for the time that is slept, and that each writing takes."""

    def __init__(self, writing=0.0):
        self.time, self.slept, self.written = 100.0, [], []
        self._writing = writing

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.slept.append(round(seconds, 6))
        self.time += seconds

    def write(self, text):
        self.written.append(text)
        self.time += self._writing

    def play(self, durations, loop=1):
        data = kqf.encode_animation(FRAMES, durations=durations, loop=loop)
        with Image.open(io.BytesIO(data)) as image:
            play(MovingPicture([image]), True, self.write, self.now, self.sleep)

    @property
    def shown(self):
        return [int(found[1]) for text in self.written if (found := re.search(REDS, text))]


@pytest.fixture(autouse=True)
def screen(monkeypatch, tmp_path):
    on_screen(monkeypatch)
    monkeypatch.chdir(tmp_path)


def test_each_frame_is_shown_for_its_time_as_often_as_it_is_to_be_played():
    clock = Clock()
    clock.play([50, 70, 0, 200], loop=2)
    assert clock.shown == [10, 20, 30, 40] * 2
    assert clock.slept == [0.05, 0.07, 0.1, 0.2] * 2
    assert clock.written[0] == "\x1b[?25l"
    assert clock.written[-1] == "\x1b[?25h"
    # Each but the first is drawn over the one before.
    lines = clock.written[1].count("\n") + 1
    assert [text.split("F")[0] for text in clock.written[2:-1]] == [f"\x1b[{lines}"] * 7


def test_frames_are_left_out_where_drawing_is_too_slow():
    clock = Clock(writing=0.11)
    clock.play([50, 50, 50, 50])
    assert clock.shown == [10, 20, 40]


def test_ctrl_c_ends_it():
    def stop(seconds):
        raise KeyboardInterrupt

    clock = Clock()
    clock.sleep = stop
    clock.play(50, loop=0)
    assert clock.shown == [10]
    assert clock.written[-1] == "\x1b[?25h"


def test_view_plays_in_a_terminal_and_draws_the_first_frame_elsewhere(monkeypatch):
    kqf.write_animation("a.kqf", FRAMES, durations=20, loop=1)
    run("convert", "a.kqf", "-o", "a.gif")
    for name in ("a.kqf", "a.gif"):
        result = run("view", "--terminal", name)
        assert re.findall(REDS, result.stdout)[::20][:1] == ["10"]
        assert "38;2;40;0;0" not in result.stdout
    played = []
    monkeypatch.setattr("kqf.cli.playing.play", lambda moving, *_: played.append(len(moving)))
    monkeypatch.setattr("kqf.cli.view._is_terminal", lambda: True)
    assert not run("view", "--terminal", "a.gif").stdout
    assert played == [4]
    run("view", "--terminal", "--frame", "1", "a.gif")
    assert played == [4]


def test_the_browser_gets_animations_as_kqf(monkeypatch):
    kqf.write_animation("a.kqf", FRAMES, durations=20, loop=1)
    run("convert", "a.kqf", "-o", "a.gif")
    served = []
    monkeypatch.setattr(
        "kqf.cli.view.serve_until_interrupted", lambda files, _: served.extend(files)
    )
    run("view", "--browser", "a.gif")
    with kqf.open_animation(served[0].content) as animation:
        assert np.array_equal(animation, FRAMES)
        assert animation.durations == (20,) * 4
