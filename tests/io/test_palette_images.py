"""Labels and a codebook in the palette formats of others."""

import io
import sys

import numpy as np
import pytest
from conftest import indexed_images
from hypothesis import given
from PIL import Image

import kqf
from kqf.display import in_color
from kqf.io.palette_images import palette_png, png_optimizer, save_palette_image


def chunks_of(png):
    """Return the payloads of a PNG by type."""
    chunks, at = {}, 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        chunks[png[at + 4 : at + 8].decode()] = png[at + 8 : at + 8 + length]
        at += 12 + length
    return chunks


def random_image(colors, channels, side=40):
    random = np.random.default_rng(colors)
    codebook = random.integers(0, 256, (colors, channels), np.uint8)
    # One colour twice and one that is not used: neither may be touched.
    codebook[colors // 2] = codebook[0]
    labels = random.integers(0, max(colors - 1, 1), (side, side), np.uint8)
    return labels, codebook


@given(indexed_images())
def test_a_png_has_the_very_labels_and_palette(image):
    labels, codebook = image
    data, lost = save_palette_image(labels, codebook, "PNG")
    with Image.open(io.BytesIO(data)) as saved:
        assert saved.mode == "P"
        assert np.array_equal(np.asarray(saved), labels)
        shown = np.asarray(saved.convert("RGBA"))
    meant = Image.fromarray(in_color(codebook)[labels]).convert("RGBA")
    assert np.array_equal(shown, np.asarray(meant))
    colors = in_color(codebook)
    assert chunks_of(data)["PLTE"] == colors[:, :3].tobytes()
    if colors.shape[1] == 4:
        assert chunks_of(data).get("tRNS", b"").ljust(len(colors), b"\xff") == bytes(colors[:, 3])
    assert lost == []


@pytest.mark.parametrize(("colors", "bits"), [(2, 1), (4, 2), (16, 4), (17, 8), (256, 8)])
def test_few_colours_take_few_bits(colors, bits, monkeypatch):
    labels, codebook = random_image(colors, 3)
    monkeypatch.setitem(sys.modules, "oxipng", None)
    data, _ = save_palette_image(labels, codebook, "PNG")
    assert chunks_of(data)["IHDR"][8] == bits


def test_oxipng_makes_it_smaller_where_it_is_installed(monkeypatch):
    pytest.importorskip("oxipng")
    labels, codebook = random_image(17, 3)
    assert "oxipng" in png_optimizer()
    small, _ = save_palette_image(labels, codebook, "PNG")
    smallest, _ = save_palette_image(labels, codebook, "PNG", keep_palette=False)
    monkeypatch.setitem(sys.modules, "oxipng", None)
    assert "Pillow" in png_optimizer()
    plain, _ = save_palette_image(labels, codebook, "PNG")
    assert len(smallest) < len(small) < len(plain)


def test_a_palette_may_be_sorted_if_asked_for():
    pytest.importorskip("oxipng")
    labels, codebook = random_image(17, 4)
    data, _ = save_palette_image(labels, codebook, "PNG", keep_palette=False)
    assert len(chunks_of(data)["PLTE"]) < 3 * 17
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    assert np.array_equal(shown, codebook[labels])


@given(indexed_images())
def test_lossless_webp_shows_the_very_pixels(image):
    pytest.importorskip("PIL._webp")
    labels, codebook = image
    data, _ = save_palette_image(labels, codebook, "WEBP")
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    meant = Image.fromarray(in_color(codebook)[labels]).convert("RGBA")
    assert np.array_equal(shown, np.asarray(meant))


@pytest.mark.parametrize("colors", [1, 2, 3, 16, 200, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_gif_has_the_very_labels_and_palette(colors, channels):
    labels, codebook = random_image(colors, channels)
    data, _ = save_palette_image(labels, codebook, "GIF")
    saved = Image.open(io.BytesIO(data))
    palette = np.reshape(saved.getpalette("RGB"), (-1, 3))
    assert np.array_equal(palette[:colors], in_color(codebook))
    assert np.array_equal(np.asarray(saved), labels)


def test_transparent_pixels_of_a_gif_are_of_one_label():
    labels = np.array([[0, 1, 2, 3]], np.uint8)
    # A translucent colour that no pixel has is no obstacle.
    codebook = np.array([[9, 9, 9, 255], [1, 2, 3, 0], [7, 7, 7, 255], [4, 5, 6, 0], [0] * 3 + [9]])
    data, _ = save_palette_image(labels, codebook.astype(np.uint8), "GIF")
    saved = Image.open(io.BytesIO(data))
    assert np.asarray(saved).tolist() == [[0, 1, 2, 1]]
    assert np.asarray(saved.convert("RGBA"))[0, :, 3].tolist() == [255, 0, 255, 0]


def test_a_gif_has_no_translucent_colours():
    codebook = np.array([[16, 32, 48, 128]], np.uint8)
    with pytest.raises(ValueError, match=r"GIF has no translucent colours.*#10203080"):
        save_palette_image(np.zeros((2, 2), np.uint8), codebook, "GIF")


METADATA = {
    "icc_profile": b"profile",
    "exif": Image.Exif().tobytes(),
    "xmp": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    "dpi": (72.0, 72.0),
    "comment": "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
}


@pytest.mark.parametrize(
    ("file_format", "expected"),
    [("PNG", []), ("GIF", ["icc_profile", "exif", "xmp", "dpi"]), ("WEBP", ["dpi", "comment"])],
)
def test_metadata_is_kept_where_the_format_keeps_it(file_format, expected):
    exif = Image.Exif()
    exif[0x0112] = 6
    metadata = METADATA | {"exif": exif.tobytes().removeprefix(b"Exif\0\0")}
    labels, codebook = random_image(20, 3)
    data, lost = save_palette_image(labels, codebook, file_format, metadata)
    assert lost == expected
    # Back through the whole of KQF's way in.
    found = kqf.IndexedImage.open(data).metadata
    assert set(found) == set(metadata) - set(lost)
    for key in found:
        if key != "dpi":
            assert found[key] == metadata[key]


def test_options_of_the_writer_are_passed_on():
    labels, codebook = random_image(20, 3)
    plain, _ = save_palette_image(labels, codebook, "GIF")
    commented, _ = save_palette_image(labels, codebook, "GIF", comment=b"here")
    assert b"here" in commented
    assert b"here" not in plain


def test_another_format_is_refused():
    with pytest.raises(ValueError, match="one of PNG, GIF, WEBP, not 'JPEG'"):
        save_palette_image(*random_image(2, 3), "JPEG")


def test_a_quantized_image_of_pillow_becomes_a_png():
    picture = Image.fromarray(random_image(90, 3)[1][None]).quantize(8)
    shown = Image.open(io.BytesIO(palette_png(picture))).convert("RGB")
    assert np.array_equal(np.asarray(shown), np.asarray(picture.convert("RGB")))
