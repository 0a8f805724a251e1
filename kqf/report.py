"""What an image takes as KQF and in other formats, in bytes and in error."""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, features

import kqf

COLORS = (16, 64, 256)
# Rows of pixels whose error is summed at a time, which bounds the memory that this takes.
_BLOCK_ROWS = 256


@dataclass(frozen=True)
class Row:
    """One way to store one image.

    Attributes:
        name: the way.
        bytes: of the whole file.
        ratio: bytes as a share of the raw pixels'.
        bits_per_pixel: bits of the file for each pixel.
        psnr: peak signal-to-noise ratio in dB, infinite where nothing is lost.
    """

    name: str
    bytes: int
    ratio: float
    bits_per_pixel: float
    psnr: float

    @property
    def lossless(self) -> bool:
        return math.isinf(self.psnr)

    def record(self) -> dict[str, object]:
        """Return the row for JSON, which has no infinity."""
        return _without_infinity(asdict(self)) | {"lossless": self.lossless}


@dataclass(frozen=True)
class ImageReport:
    """One image, stored in every way.

    Attributes:
        name: whatever the caller calls the image.
        file_format: format of the file that it came in.
        width, height: pixels.
        channels: 1 gray, 2 gray + alpha, 3 RGB, 4 RGBA.
        colors: distinct colours.
        rows: one for each way.
    """

    name: str
    file_format: str
    width: int
    height: int
    channels: int
    colors: int
    rows: tuple[Row, ...]

    def record(self) -> dict[str, object]:
        """Return the report for JSON."""
        return asdict(self) | {"rows": [row.record() for row in self.rows]}


@dataclass(frozen=True)
class Summary:
    """One way to store images, over several of them.

    Attributes:
        name: the way.
        images: how many images.
        bytes, ratio, bits_per_pixel: geometric means of a row's.
        psnr: mean in dB over the images that lost something; infinite where none did.
        lossless: how many images lost nothing.
    """

    name: str
    images: int
    bytes: float
    ratio: float
    bits_per_pixel: float
    psnr: float
    lossless: int

    def record(self) -> dict[str, object]:
        """Return the row for JSON, which has no infinity."""
        return _without_infinity(asdict(self))


def _without_infinity(record: dict[str, Any]) -> dict[str, Any]:
    return record | {"psnr": None if math.isinf(record["psnr"]) else record["psnr"]}


def measure(
    pixels: np.ndarray,
    *,
    name: str,
    file_format: str,
    file_bytes: int,
    threads: int | None = None,
) -> ImageReport:
    """Store an image in every way and say what each takes.

    A way that cannot hold an image of this size is left out.

    Arguments:
        pixels: uint8, (H, W) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or (H, W, 4) RGBA.
        name, file_format, file_bytes: of the file that the pixels come from.
        threads: as for kqf.encode.
    """
    height, width = pixels.shape[:2]
    picture = Image.fromarray(pixels)
    full = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    shown = np.asarray(full)
    distinct = _distinct(pixels)
    rows = []

    def add(name: str, size: int, error: float) -> None:
        rows.append(Row(name, size, size / pixels.nbytes, 8 * size / (width * height), error))

    def add_saved(name: str, save: Callable[[], bytes]) -> None:
        try:
            data = save()
        except (OSError, ValueError):
            # Too wide or too high for the format, which Pillow has no error of its own for.
            return
        with Image.open(io.BytesIO(data)) as saved:
            add(name, len(data), psnr(shown, np.asarray(saved.convert(full.mode))))

    files = {colors: kqf.encode(pixels, colors=colors, threads=threads) for colors in COLORS}
    add("raw pixels", pixels.nbytes, math.inf)
    add("file given", file_bytes, math.inf)
    add_saved("PNG", lambda: _save(picture, "PNG", optimize=True))
    add_saved("GIF", lambda: _save(full, "GIF"))
    add_saved("PNG8, Pillow's colours", lambda: _save(_quantized(full), "PNG", optimize=True))
    same = _with_palette(kqf.read_indexed(files[max(COLORS)], max_pixels=None))
    add_saved("PNG8, KQF's colours", lambda: _save(same, "PNG", optimize=True))
    if features.check("webp"):
        # Pillow's default method and quality: the slowest take seconds for a few percent.
        webp = partial(_save, file_format="WEBP", lossless=True, exact=True)
        add_saved("WebP lossless, default", lambda: webp(full))
        add_saved("WebP lossless, default, KQF's colours", lambda: webp(same.convert(full.mode)))
    for colors, data in files.items():
        found = kqf.read_indexed(data, max_pixels=None)
        error = psnr(shown, np.asarray(_with_palette(found).convert(full.mode)))
        add(f"KQF, {colors} colours", len(data), error)
    return ImageReport(
        name=name,
        file_format=file_format,
        width=width,
        height=height,
        channels=1 if pixels.ndim == 2 else pixels.shape[2],
        colors=distinct,
        rows=tuple(rows),
    )


def summarize(reports: Sequence[ImageReport]) -> tuple[Summary, ...]:
    """Return the means of each way that all images could be stored in."""
    tables = [{row.name: row for row in report.rows} for report in reports]
    summaries = []
    for name in tables[0] if tables else ():
        if not all(name in table for table in tables):
            continue
        rows = [table[name] for table in tables]
        errors = [row.psnr for row in rows if not row.lossless]
        summaries.append(
            Summary(
                name=name,
                images=len(rows),
                bytes=_geometric_mean([row.bytes for row in rows]),
                ratio=_geometric_mean([row.ratio for row in rows]),
                bits_per_pixel=_geometric_mean([row.bits_per_pixel for row in rows]),
                psnr=sum(errors) / len(errors) if errors else math.inf,
                lossless=len(rows) - len(errors),
            )
        )
    return tuple(summaries)


def psnr(pixels: np.ndarray, result: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of two images in dB, infinite for equal ones.

    Colour is premultiplied by alpha, and alpha counts as a channel.

    Arguments:
        pixels, result: uint8 of one shape, (H, W, 3) RGB or (H, W, 4) RGBA.

    >>> import numpy
    >>> black = numpy.zeros((2, 2, 3), "uint8")
    >>> psnr(black, black), psnr(black, black + numpy.uint8(255))
    (inf, 0.0)
    """
    total = 0.0
    for start in range(0, len(pixels), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        difference = _premultiplied(pixels[rows]) - _premultiplied(result[rows])
        total += float((difference**2).sum())
    return 10 * math.log10(255**2 * pixels.size / total) if total else math.inf


def _premultiplied(pixels: np.ndarray) -> np.ndarray:
    values = pixels.astype(np.float64)
    if pixels.shape[2] == 4:
        values[..., :3] *= values[..., 3:] / 255
    return values


def _save(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def _quantized(picture: Image.Image) -> Image.Image:
    return picture.quantize(max(COLORS), dither=Image.Dither.NONE)


def _with_palette(image: kqf.IndexedImage) -> Image.Image:
    """Return labels and codebook as an image of mode ``P``, whatever the channels."""
    height, width = image.labels.shape
    colors = image.codebook
    if colors.shape[1] < 3:
        colors = np.concatenate([np.repeat(colors[:, :1], 3, axis=1), colors[:, 1:]], axis=1)
    picture = Image.frombytes("P", (width, height), image.labels.tobytes())
    picture.putpalette(colors.tobytes(), "RGBA" if colors.shape[1] == 4 else "RGB")
    return picture


def _distinct(pixels: np.ndarray) -> int:
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    padded = np.zeros((pixels.size // channels, 4), np.uint8)
    padded[:, :channels] = pixels.reshape(-1, channels)
    return len(np.unique(padded.view(np.uint32)))


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))
