"""Images of Pillow's modes in those that KQF stores, and the advice where there is no one way."""

import re
from types import MappingProxyType

import numpy as np
import PIL
import pytest
from PIL import Image

from kqf.io.modes import codebook_of, in_stored_mode

# Of 12 bits, as scanners and cameras give them.
RAMP = np.tile(np.linspace(0, 4095, 256).astype(np.uint16), (8, 1))


def advice_for(im):
    with pytest.raises(ValueError, match=r"im\.") as caught:
        in_stored_mode(im)
    return re.search(r"im\..*\)$|Image\.frombytes.*\)$", str(caught.value))[0]


@pytest.mark.parametrize(
    "im",
    [
        Image.frombytes("I;16", (256, 8), RAMP.astype("<u2").tobytes()),
        Image.frombytes("I;16L", (256, 8), RAMP.astype("<u2").tobytes()),
        Image.frombytes("I;16B", (256, 8), RAMP.astype(">u2").tobytes()),
        pytest.param(
            Image.frombytes("I;16N", (256, 8), RAMP.astype("=u2").tobytes()),
            marks=pytest.mark.skipif(
                int(PIL.__version__.split(".")[0]) < 13, reason="older Pillow cuts it to 8 bits"
            ),
        ),
        Image.fromarray(RAMP.astype(np.int32)),
        Image.fromarray(RAMP.astype(np.int32) - 2000),
        Image.fromarray(RAMP.astype(np.int32) * 100_000),
        Image.fromarray((RAMP / 4095).astype(np.float32)),
        Image.fromarray((RAMP / 4095 - 0.5).astype(np.float32)),
        Image.fromarray(RAMP.astype(np.float32)),
    ],
    ids=lambda im: im.mode,
)
def test_the_advice_keeps_the_picture(im):
    advised = eval(advice_for(im), {"im": im})
    assert advised.mode == "L"
    levels = np.asarray(advised)[0].astype(int)
    assert len(np.unique(levels)) > 200
    assert np.abs(levels - np.arange(256)).max() <= 2
    assert in_stored_mode(advised) == (advised, [])


def test_the_advice_for_values_of_8_bits_keeps_them():
    im = Image.fromarray(np.arange(256, dtype=np.int32)[None])
    assert np.array_equal(np.asarray(eval(advice_for(im), {"im": im})), np.asarray(im))


def test_infinite_values_and_those_that_are_no_number_are_named():
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="replace what is not a number or infinite"):
            in_stored_mode(Image.new("F", (2, 2), value))


def test_black_of_16_bits_is_black():
    stored, _ = in_stored_mode(Image.new("I;16", (2, 2)))
    assert not np.asarray(stored).any()


def test_the_advice_for_modes_that_pillow_cannot_convert():
    class Odd:
        mode = "BGR;15"
        info = MappingProxyType({})

    advice = r"Image\.frombytes\('RGB', im\.size, im\.tobytes\(\), 'raw', 'BGR;15'\)"
    with pytest.raises(ValueError, match=advice):
        in_stored_mode(Odd())


def test_an_unscaled_transparent_gray_is_told():
    im = Image.fromarray(np.array([[0, 85, 170, 255]], np.uint8))
    im.format = "PNG"
    im.info["transparency"] = 2
    _, notes = in_stored_mode(im)
    assert "no pixel has the transparent gray 2" in notes[0]
    im.format = "GIF"
    assert in_stored_mode(im)[1] == []
    im.format = "PNG"
    im.putpixel((0, 0), 2)
    assert in_stored_mode(im)[1] == []


def test_the_source_stays_as_it_was():
    im = Image.new("L", (2, 2), 17)
    im.info["transparency"] = 1
    stored, _ = in_stored_mode(im, 4)
    assert stored.getpixel((0, 0)) == (17, 0)
    assert (im.mode, im.info) == ("L", {"transparency": 1})


def test_a_codebook_has_all_entries_as_pillow_shows_them():
    im = Image.new("P", (1, 1), 0)
    im.putpalette(bytes(range(12)))
    im.info["transparency"] = 3
    assert codebook_of(im).tolist() == [
        [0, 1, 2, 255],
        [3, 4, 5, 255],
        [6, 7, 8, 255],
        [9, 10, 11, 0],
    ]
