"""How much of a file is there."""

import io

import pytest
from command import many

import kqf
from kqf.decoding.extent import whole_tiles

DATA = kqf.encode(many(), tile=8, effort=1)


def test_each_whole_tile_counts():
    counts = [whole_tiles(DATA[:size]) for size in range(len(DATA) + 1)]
    assert counts[-1] == (15, True)
    assert counts[-2] == (15, False)
    assert counts[0] == (0, False)
    # One more at a time, and none that is cut.
    tiles = [count for count, _ in counts]
    assert sorted(set(tiles)) == list(range(16))
    assert tiles == sorted(tiles)


def test_files_count_from_their_position(tmp_path):
    path = tmp_path / "a.kqf"
    path.write_bytes(DATA[:-13])
    assert whole_tiles(path) == (14, False)
    stream = io.BytesIO(b"before" + DATA)
    stream.seek(6)
    assert whole_tiles(stream) == (15, True)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff" * 100])
def test_other_files_have_none(data):
    assert whole_tiles(data) == (0, False)
