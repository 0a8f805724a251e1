"""Storing drawn images: copied and packed labels, shapes, and codebooks in a free order."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

import kqf
from kqf.encoding import drawn
from kqf.encoding.drawn import is_noisy
from kqf.encoding.shapes import share_of_changes

PALETTE = np.array([[i * 16, 255 - i * 9, i * i % 256] for i in range(16)], np.uint8)


def page(width=400, height=300, step=17):
    """Return a page of text in black and white, (height, width) bool."""
    image = Image.new("1", (width, height), 1)
    draw = ImageDraw.Draw(image)
    words = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "sleeps"]
    for line, y in enumerate(range(10, height - 20, step)):
        draw.text((10, y), " ".join(words[line % 5 :] + words[: line % 5]), fill=0)
    return np.asarray(image)


def drawing(seed=0, size=(90, 120)):
    """Return rectangles of 16 colours, (H, W) uint8."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(size, np.uint8)
    for label in rng.integers(1, 16, 40):
        y, x = rng.integers(size[0]), rng.integers(size[1])
        labels[y : y + rng.integers(3, 30), x : x + rng.integers(3, 30)] = label
    return labels


def test_repeated_letters_are_shapes():
    pixels = page()
    data = kqf.encode(pixels)
    info = kqf.info(data)
    assert info.version == 2
    assert info.part_bytes["shapes"] > 50
    assert np.array_equal(kqf.decode(data), pixels * np.uint8(255))
    plain = kqf.encode(pixels, predictor="left")
    assert kqf.info(plain).version == 1
    assert len(data) < 0.6 * len(plain)


def test_what_layouts_have_in_common_is_deflated_once(monkeypatch):
    deflated, deflate_smallest = [], drawn.deflate_smallest

    def counting(data, zopfli_bytes):
        assert zopfli_bytes > 0
        deflated.append(data)
        return deflate_smallest(data, zopfli_bytes)

    monkeypatch.setattr(drawn, "deflate_smallest", counting)
    kqf.encode(page(), threads=1)
    assert len(deflated) == len(set(deflated)) > 1


@pytest.mark.parametrize("predictor", ["copy", "packed"])
@pytest.mark.parametrize("tile", [None, 33, (120, 7)])
@pytest.mark.parametrize("effort", [1, 5])
def test_predictor_is_kept(predictor, tile, effort):
    labels = drawing()
    data = kqf.encode_indexed(labels, PALETTE, predictor=predictor, tile=tile, effort=effort)
    info = kqf.info(data)
    assert info.predictor == predictor
    if tile is not None:
        assert (info.tile_width, info.tile_height) == ((33, 33) if tile == 33 else tile)
    image = kqf.read_indexed(data)
    assert np.array_equal(image.labels, labels)
    assert np.array_equal(image.codebook, PALETTE)


def test_many_colours_are_not_packed():
    codebook = np.arange(17, dtype=np.uint8)[:, None]
    with pytest.raises(ValueError, match="'packed' is for at most 16 colours, not 17"):
        kqf.encode_indexed(drawing(), codebook, predictor="packed")


def test_wide_images_are_copied_in_tiles_of_the_format():
    labels = np.zeros((3, 70_000), np.uint8)
    labels[1, ::9] = 3
    data = kqf.encode_indexed(labels, PALETTE, predictor="copy")
    assert kqf.info(data).tile_width < 65282
    assert np.array_equal(kqf.read_indexed(data).labels, labels)
    assert kqf.info(kqf.encode_indexed(labels, PALETTE, tile=70_000)).predictor != "copy"
    with pytest.raises(ValueError, match="at most 65281 a side, not 70000"):
        kqf.encode_indexed(labels, PALETTE, predictor="copy", tile=70_000)


def test_the_order_of_a_given_codebook_is_kept():
    labels = drawing(3)
    codebook = np.random.default_rng(0).permutation(PALETTE)
    image = kqf.read_indexed(kqf.encode_indexed(labels, codebook))
    assert np.array_equal(image.labels, labels)
    assert np.array_equal(image.codebook, codebook)
    stored = kqf.read_indexed(kqf.encode(codebook[labels], palette=codebook))
    assert np.array_equal(stored.codebook, codebook)


def test_a_free_order_makes_the_file_smaller():
    rng = np.random.default_rng(5)
    colors = np.stack([np.arange(250), np.arange(250)[::-1], np.arange(250) // 2], 1)
    colors = rng.permutation(colors.astype(np.uint8))
    labels = rng.integers(0, 250, (40, 40)).astype(np.uint8)
    free, kept = kqf.encode(colors[labels]), kqf.encode_indexed(labels, colors)
    assert np.array_equal(kqf.decode(free), colors[labels])
    assert len(free) < len(kept) - 200


def test_smooth_images_do_without_a_table():
    y, x = np.mgrid[-100:100, -100:100]
    pixels = np.clip(255 - np.hypot(x, y) * 2, 0, 255).astype(np.uint8)
    data = kqf.encode(pixels)
    assert kqf.info(data).part_bytes["ranking"] == 0
    assert np.array_equal(kqf.decode(data), pixels)


def test_one_colour_takes_fewer_bytes_than_png():
    data = kqf.encode(np.full((1000, 1000, 3), 77, np.uint8))
    assert len(data) < 130
    assert (kqf.decode(data) == 77).all()


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_nothing(threads):
    pixels = PALETTE[drawing(7, (300, 500))]
    assert kqf.encode(pixels, threads=threads) == kqf.encode(pixels, threads=1)


def test_lower_quality_makes_no_drawing_larger():
    rng = np.random.default_rng(2)
    pixels = np.kron(rng.integers(0, 256, (12, 15, 3)), np.ones((12, 12, 1))).astype(np.uint8)
    pixels[50:62] = rng.integers(0, 256, (12, 180, 3))
    sizes = [len(kqf.encode(pixels, quality=quality)) for quality in (30, 75, 95, 100)]
    assert max(sizes) == sizes[-1]


def test_noise_is_told_from_drawings():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (400, 400)).astype(np.uint8)
    assert share_of_changes(noise) > 0.9
    assert is_noisy(noise, 256)
    assert not is_noisy(noise, 16)
    assert not is_noisy(drawing(0, (400, 400)), 256)
