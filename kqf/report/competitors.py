"""The ways to store an image: as KQF, and in other formats through Pillow."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image, features

import kqf
from kqf.display import picture_of
from kqf.io.palette_images import palette_png

# For scale alone: Pillow's default.
_JPEG_QUALITY = 75
_MOST_COLORS = 256


@dataclass(frozen=True)
class Way:
    """One way to store one image.

    Attributes:
        encoder: format, and what else sets it apart.
        colors: entries of the palette at the most, None for all of the image's.
        quality: the encoder's own, None where it has none.
        make: gives the file. Raises OSError or ValueError where the format can't hold the image.
        show: gives the pixels of a file, in the channels of the original.
    """

    encoder: str
    colors: int | None
    quality: int | None
    make: Callable[[], bytes]
    show: Callable[[bytes], np.ndarray]


def shown(pixels: np.ndarray) -> np.ndarray:
    """Return pixels (H, W[, C]) uint8 as RGB (H, W, 3) or, with alpha, RGBA (H, W, 4)."""
    picture = Image.fromarray(pixels)
    return np.asarray(picture.convert("RGBA" if picture.has_transparency_data else "RGB"))


def ways(
    pixels: np.ndarray,
    *,
    counts: Sequence[int],
    more_counts: Sequence[int],
    qualities: Sequence[int],
    threads: int | None,
) -> Iterator[Way]:
    """Yield the ways to store an image. Those that hold the labels of a KQF file come after it.

    Arguments:
        pixels: uint8, (H, W) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or (H, W, 4) RGBA.
        counts: of colours, ascending, for every format with a palette.
        more_counts: of colours, for KQF alone.
        qualities: of KQF at each of ``counts``, besides 100.
        threads: as for kqf.encode.
    """
    picture = Image.fromarray(pixels)
    full = Image.fromarray(shown(pixels))
    files: dict[int, bytes] = {}

    def kqf_file(colors: int, quality: int) -> bytes:
        data = kqf.encode(pixels, colors=colors, quality=quality, threads=threads)
        if quality == 100:
            files[colors] = data
        return data

    def same_labels(colors: int) -> Image.Image:
        found = kqf.read_indexed(files[colors], max_pixels=None)
        return picture_of(found.labels, found.codebook)

    by_pillow = partial(_open, modes=(full.mode, picture.mode))
    by_kqf = partial(kqf.decode, max_pixels=None, threads=threads)
    webp = partial(_save, file_format="WEBP", lossless=True, exact=True)
    most = counts[-1]
    yield Way("PNG", None, None, lambda: _save(picture, "PNG", optimize=True), by_pillow)
    if features.check("webp"):
        yield Way("WebP lossless", None, None, lambda: webp(full), by_pillow)
    if full.mode == "RGB":
        jpeg = partial(_save, picture, "JPEG", quality=_JPEG_QUALITY)
        yield Way("JPEG", None, _JPEG_QUALITY, jpeg, by_pillow)
    yield Way("GIF", _MOST_COLORS, None, lambda: _save(full, "GIF"), by_pillow)
    for colors in sorted({*counts, *more_counts}):
        for quality in (100, *(qualities if colors in counts else ())):
            yield Way("KQF", colors, quality, partial(kqf_file, colors, quality), by_kqf)
    for colors in counts:

        def png8(colors: int = colors) -> bytes:
            return palette_png(same_labels(colors), keep_palette=False)

        yield Way("PNG8 of KQF's labels", colors, None, png8, by_pillow)
    for colors in counts:

        def by_quantize(colors: int = colors) -> bytes:
            return palette_png(full.quantize(colors, dither=Image.Dither.NONE), keep_palette=False)

        yield Way("PNG8 by Pillow", colors, None, by_quantize, by_pillow)
    if features.check("webp"):
        yield Way(
            "WebP of KQF's labels",
            most,
            None,
            lambda: webp(same_labels(most).convert(full.mode)),
            by_pillow,
        )


def _save(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def _open(data: bytes, modes: tuple[str, str]) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as saved:
        # To gray by way of colour: from a palette Pillow would lose alpha.
        return np.asarray(saved.convert(modes[0]).convert(modes[1]))
