"""Groups of frames, read one after another: what is known of them before they are painted."""

import io
from pathlib import Path

import numpy as np
import pytest
from conftest import put_together, take_apart

import kqf
from kqf.errors import FormatError
from kqf.format.frame_reader import FrameReader
from kqf.format.reader import ImageReader

VALID = Path(__file__).parents[2] / "spec" / "vectors" / "valid"


def pieces(name):
    """Return the chunks (type, payload) of a valid file before its first group, and the others."""
    chunks = take_apart((VALID / name).read_bytes())
    after = max(at for at, (kind, _) in enumerate(chunks) if kind == b"LABL") + 1
    return chunks[:after], chunks[after:]


def frame_reader(chunks):
    data = put_together(chunks)
    return FrameReader(ImageReader(io.BytesIO(data), len(data)))


START, GROUPS = pieces("5.11_goes-on-frame-0.kqf")
assert [kind for kind, _ in GROUPS] == [b"CODE", b"FRAM", b"FRAM", b"DONE"]
CODE, FRAM = GROUPS[:2]


@pytest.mark.parametrize(
    ("groups", "goes_on"),
    [
        (GROUPS, True),
        ([(b"PCOD", b"anything"), FRAM], True),
        ([CODE, (b"RANK", b"anything"), (b"SHAP", b"anything"), FRAM], True),
        ([FRAM], False),
        ([(b"RANK", b"anything"), FRAM], False),
        ([CODE, (b"FRAM", (1).to_bytes(4) + FRAM[1][4:])], False),
        ([CODE, (b"FRAM", (2**24).to_bytes(4) + FRAM[1][4:])], False),
        ([CODE, (b"LABL", FRAM[1])], False),
        ([CODE, (b"LABL", b"anything"), FRAM], False),
        ([CODE], False),
    ],
)
def test_whether_the_first_group_goes_on_painting_the_image(groups, goes_on):
    reader = frame_reader([*START, *groups])
    assert reader.goes_on() is goes_on
    if groups is GROUPS:
        assert reader.next().frames.first_frame == 0


def groups_of(reader):
    """Read all groups that follow, and the tiles of whole frames."""
    groups = []
    while group := reader.next():
        groups.append(group.frames.first_frame)
        if group.image is not None:
            list(group.image.tiles(range(group.image.head.tiles)))
    return groups


def test_after_a_whole_frame_is_sought_the_rest_is_read():
    reader = frame_reader([part for parts in pieces("6.7_fidx.kqf") for part in parts])
    index = reader.read_index()
    every = groups_of(reader)
    assert set(index) <= set(every)
    assert index == reader.whole
    for frame in index:
        reader.seek(frame, None)
        assert groups_of(reader) == every[every.index(frame) :]
    reader.restart()
    assert groups_of(reader) == every
    # One that has read nothing before the frame sought knows less than the index.
    last = max(index)
    other = frame_reader([part for parts in pieces("6.7_fidx.kqf") for part in parts])
    other.seek(last, index[last])
    assert groups_of(other) == every[every.index(last) :]


@pytest.mark.parametrize("kind", [b"CODE", b"PCOD"])
def test_a_codebook_far_too_long_is_refused_before_it_is_read(kind):
    for length, message in ((2048, "1 to 256 entries|zlib|inflate"), (2049, "at most 2048")):
        reader = frame_reader([*START, (kind, bytes(length)), FRAM])
        with pytest.raises(FormatError, match=message) as caught:
            reader.next()
        assert caught.value.chunk == kind.decode()


def test_labels_are_those_of_a_codebook_even_of_one_colour():
    start, (_, changes, *_) = pieces("5.11_codebook.kqf")
    channels = ImageReader(io.BytesIO(put_together(start)), 10**6).head.channels
    reader = frame_reader([*start, (b"CODE", bytes(channels)), changes])
    with pytest.raises(FormatError, match="label: expected at most 0"):
        reader.next()


def test_with_an_index_nothing_is_read_before_the_whole_frame_asked_for():
    random = np.random.default_rng(0)
    frames = [
        random.integers(0, 256, (6, 3), np.uint8)[random.integers(0, 6, (24, 40))] for _ in range(3)
    ]
    chunks = take_apart(kqf.encode_animation(frames, colors=6, quality=100))
    kinds = [kind for kind, _ in chunks]
    assert kinds.count(b"fidx") == 1
    data = bytearray(put_together(chunks))
    with kqf.open_animation(bytes(data)) as animation:
        expected = animation[2]
    at = data.index(b"FRAM") + 4
    data[at] ^= 255
    with kqf.open_animation(bytes(data)) as animation:
        assert np.array_equal(animation[2], expected)
        with pytest.raises(FormatError, match="crc"):
            animation[1]
