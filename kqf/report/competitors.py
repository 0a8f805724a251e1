"""The formats that KQF is compared with, and how an image is stored in each."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from PIL import Image, features

import kqf
from kqf.display import picture_of
from kqf.io.palette_images import palette_png, png_optimizer

KQF = "KQF"
# KQF's default, and the quality at which each pixel takes the nearest colour.
DEFAULT_QUALITY, NEAREST = 75, 100
# Below the default, for a full report.
_LOW_QUALITY = 50
# Pillow's default. JPEG is in a full report to show the scale.
_JPEG_QUALITY = 75
_MOST_COLORS = 256


@dataclass(frozen=True)
class Competitor:
    """One format with its settings, ready to store one image.

    Attributes:
        encoder: the format, and the programs that write it where several could.
        colors: entries of the palette at the most, None for all colours of the image.
        quality: the encoder's own setting, None where it has none.
        encode: returns the file. Raises OSError or ValueError where the format cannot hold the
            image.
        decode: returns the pixels of such a file, in the channels of the original.
    """

    encoder: str
    colors: int | None
    quality: int | None
    encode: Callable[[], bytes]
    decode: Callable[[bytes], np.ndarray]


def in_color(pixels: np.ndarray) -> np.ndarray:
    """Return pixels (H, W[, C]) uint8 as RGB (H, W, 3) or, with alpha, RGBA (H, W, 4)."""
    picture = Image.fromarray(pixels)
    return np.asarray(picture.convert("RGBA" if picture.has_transparency_data else "RGB"))


def png8_by(quantizer: str) -> str:
    """Return what PNG8 is called: with its quantizer, and oxipng where that is installed."""
    optimizer = png_optimizer().split(",")[0]
    return f"PNG8 ({quantizer}, oxipng)" if optimizer == "oxipng" else f"PNG8 ({quantizer})"


def competitors(
    pixels: np.ndarray,
    *,
    counts: Sequence[int],
    more_counts: Sequence[int],
    full: bool,
    threads: int | None,
) -> Iterator[Competitor]:
    """Yield KQF, its default first, then the other formats.

    A format that stores the labels of a KQF file comes after that file and must be encoded after
    it.

    Arguments:
        pixels: uint8, (H, W) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or (H, W, 4) RGBA.
        counts: numbers of colours, ascending, for every format with a palette.
        more_counts: numbers of colours for KQF alone.
        full: whether to yield all of them, in place of those that matter most.
        threads: at the most; None for all processors.
    """
    picture = Image.fromarray(pixels)
    full_color = Image.fromarray(in_color(pixels))
    by_pillow = partial(_open, modes=(full_color.mode, picture.mode))
    by_kqf = partial(kqf.decode, max_pixels=None, threads=threads)
    webp = partial(_save, file_format="WEBP", lossless=True, exact=True)
    png8 = partial(palette_png, keep_palette=False)
    nearest: dict[int, bytes] = {}

    def kqf_file(colors: int, quality: int) -> bytes:
        data = kqf.encode(pixels, colors=colors, quality=quality, threads=threads)
        if quality == NEAREST:
            nearest[colors] = data
        return data

    @cache
    def quantized(colors: int) -> Image.Image:
        return full_color.quantize(colors, dither=Image.Dither.NONE)

    def same_labels(colors: int) -> Image.Image:
        found = kqf.read_indexed(nearest[colors], max_pixels=None)
        return picture_of(found.labels, found.codebook)

    qualities = (DEFAULT_QUALITY, NEAREST, _LOW_QUALITY) if full else (DEFAULT_QUALITY,)
    for colors in sorted({*counts, *more_counts}, reverse=True):
        for quality in qualities if colors in counts else qualities[:1]:
            yield Competitor(KQF, colors, quality, partial(kqf_file, colors, quality), by_kqf)
    for colors in counts:
        encode = partial(lambda colors: png8(quantized(colors)), colors)
        yield Competitor(png8_by("Pillow"), colors, None, encode, by_pillow)
    if full_color.mode == "RGB":
        gif = partial(lambda: _save(quantized(_MOST_COLORS), "GIF"))
    else:
        # GIF has no alpha but one transparent colour, which Pillow chooses.
        gif = partial(_save, full_color, "GIF")
    yield Competitor("GIF (Pillow)", _MOST_COLORS, None, gif, by_pillow)
    if features.check("webp"):
        yield Competitor("WebP lossless", None, None, partial(webp, full_color), by_pillow)
    if not full:
        return
    png = partial(_save, picture, "PNG", optimize=True)
    yield Competitor("PNG", None, None, png, by_pillow)
    if full_color.mode == "RGB":
        jpeg = partial(_save, picture, "JPEG", quality=_JPEG_QUALITY)
        yield Competitor("JPEG", None, _JPEG_QUALITY, jpeg, by_pillow)
    for colors in counts:
        encode = partial(
            lambda colors: palette_png(same_labels(colors), keep_palette=False), colors
        )
        yield Competitor(png8_by("KQF's labels"), colors, None, encode, by_pillow)
    if features.check("webp"):
        for colors in counts:
            encode = partial(
                lambda colors: webp(same_labels(colors).convert(full_color.mode)), colors
            )
            yield Competitor("WebP (KQF's labels)", colors, None, encode, by_pillow)


def _save(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def _open(data: bytes, modes: tuple[str, str]) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as saved:
        # To gray by way of colour: from a palette Pillow would lose alpha.
        return np.asarray(saved.convert(modes[0]).convert(modes[1]))
