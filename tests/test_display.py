"""Labels and a codebook as a picture, and in notebooks."""

import base64
import io
import re

import numpy as np
import pytest
from conftest import indexed_images
from hypothesis import given
from PIL import Image

import kqf
from kqf.display import picture_of


@given(indexed_images())
def test_a_picture_shows_the_pixels(image):
    labels, codebook = image
    shown = picture_of(labels, codebook).convert("RGBA")
    pixels = kqf.IndexedImage(labels, codebook).pixels
    meant = Image.fromarray(pixels).convert("RGBA")
    assert meant.size == shown.size
    assert (np.asarray(shown) == np.asarray(meant)).all()


def image_in(text):
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return np.asarray(image.convert("RGBA"))[..., :3]


def test_a_notebook_shows_picture_swatches_and_numbers():
    labels = np.array([[0, 1, 1], [1, 1, 3]], np.uint8)
    codebook = np.array([[1, 2, 3], [255, 0, 0], [4, 5, 6], [7, 8, 9]], np.uint8)
    text = kqf.IndexedImage(labels, codebook)._repr_html_()
    assert (image_in(text) == codebook[labels]).all()
    assert re.findall(r'title="([^"]+)"', text) == [
        "0: #010203, 16.67%",
        "1: #ff0000, 66.67%",
        "2: #040506, 0.00%",
        "3: #070809, 16.67%",
    ]
    assert "3 \N{MULTIPLICATION SIGN} 2 pixels, 4 colours, 3 of them used" in text
    assert "shown:" not in text


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_channels(channels):
    codebook = np.full((2, channels), 200, np.uint8)
    text = kqf.IndexedImage(np.zeros((5, 5), np.uint8), codebook)._repr_html_()
    assert image_in(text).shape == (5, 5, 3)
    assert "#c8c8c8" in text


def test_large_images_are_thinned_out_and_say_so():
    labels = (np.arange(3000 * 2) % 7).astype(np.uint8).reshape(2, 3000)
    codebook = np.arange(7, dtype=np.uint8)[:, None]
    text = kqf.IndexedImage(labels, codebook)._repr_html_()
    assert (image_in(text)[..., 0] == labels[::5, ::5]).all()
    assert "shown: one of 5 x 5 pixels" in text


def test_the_largest_picture_takes_half_a_megabyte_of_a_notebook():
    labels = np.random.default_rng(0).integers(0, 256, (1280, 1280)).astype(np.uint8)
    codebook = np.random.default_rng(1).integers(0, 256, (256, 3)).astype(np.uint8)
    assert len(kqf.IndexedImage(labels, codebook)._repr_html_()) < 600_000
