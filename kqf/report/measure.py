"""What one image takes as KQF and in other formats, in bytes, error and time."""

import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from PIL import Image

import kqf
from kqf.decoding.parts import measure_parts
from kqf.report.competitors import KQF, Competitor, competitors
from kqf.report.distortion import Distortion
from kqf.report.suggestion import Suggestion, suggest

# Colours of the formats with a palette: by default, and in a full report.
COLORS = (256,)
FULL_COLORS = (16, 64, 256)
# More numbers of colours of KQF in a full report, and one that every report shows.
_FULL_KQF_COLORS = (2, 4, 8, 16, 32, 64, 128, 256)
_KQF_COLORS = (64,)


# Of an ImageReport: what is no measurement.
_NOT_RECORDED = ("pictures", "files")


@dataclass(frozen=True)
class Measurement:
    """What one image takes in one format with certain settings.

    Attributes:
        encoder: the format, and the programs that write it where several could.
        colors: entries of the palette at the most, None for all colours of the image.
        quality: the encoder's own setting, None where it has none.
        bytes: size of the whole file.
        kqf_share: bytes of KQF at its default setting as a share of these bytes.
        bits_per_pixel: bits of the file for each pixel.
        psnr, visible, ssim, largest_error: errors, as kqf.report.distortion.Errors has them.
        encode_seconds, decode_seconds: of one run, None where nothing was done. Where labels of a
            KQF file are stored, this is the time of writing alone.
    """

    encoder: str
    colors: int | None
    quality: int | None
    bytes: int
    kqf_share: float
    bits_per_pixel: float
    psnr: float = math.inf
    visible: float = 0.0
    ssim: float | None = None
    largest_error: kqf.LargestError | None = None
    encode_seconds: float | None = None
    decode_seconds: float | None = None

    @property
    def name(self) -> str:
        """The encoder with its settings, which differ from those of all other measurements."""
        colors = [] if self.colors is None else [counted(self.colors)]
        quality = [] if self.quality is None else [f"quality {self.quality}"]
        return ", ".join([self.encoder, *colors, *quality])

    @property
    def lossless(self) -> bool:
        return math.isinf(self.psnr)

    def record(self) -> dict[str, Any]:
        """Return the measurement for JSON, which has no infinity."""
        more = {"name": self.name, "lossless": self.lossless}
        return asdict(self) | more | {"psnr": None if self.lossless else self.psnr}


@dataclass(frozen=True)
class ImageReport:
    """One image, stored in every format.

    Attributes:
        name: whatever the caller calls the image.
        file_format: format of the file that it came in.
        file_bytes: size of that file.
        width, height: in pixels.
        channels: 1 gray, 2 gray + alpha, 3 RGB, 4 RGBA.
        colors: number of distinct colours.
        rows: the measurements; first the file that was given, then KQF at its default setting.
        suggested: how many colours to take.
        parts: bytes of each part of the KQF file at its default setting.
        pictures: labels and codebook of each measurement that has them, by its name.
        files: the KQF files among them, by the same names.
    """

    name: str
    file_format: str
    file_bytes: int
    width: int
    height: int
    channels: int
    colors: int
    rows: tuple[Measurement, ...]
    suggested: Suggestion
    parts: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, kqf.IndexedImage] = field(repr=False, default_factory=dict)
    files: dict[str, bytes] = field(repr=False, default_factory=dict)

    @property
    def default(self) -> Measurement:
        """KQF at its default setting."""
        return next(row for row in self.rows if row.encoder == KQF)

    def record(self) -> dict[str, Any]:
        """Return the report for JSON."""
        record = {key: value for key, value in vars(self).items() if key not in _NOT_RECORDED}
        rows = [row.record() for row in self.rows]
        return record | {"rows": rows, "suggested": asdict(self.suggested)}


@dataclass(frozen=True)
class Unreadable:
    """An image that cannot be reported on: its name, and what is wrong with it."""

    name: str
    error: str

    def record(self) -> dict[str, Any]:
        return asdict(self)


def counted(colors: int) -> str:
    """Return a number of colours in words."""
    return f"{colors:,} colour" if colors == 1 else f"{colors:,} colours"


def measure(
    pixels: np.ndarray,
    *,
    name: str,
    file_format: str,
    file_bytes: int,
    counts: Sequence[int] = (),
    full: bool = False,
    threads: int | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> ImageReport:
    """Store an image in every format and measure what each takes.

    A format that cannot hold the image is left out.

    Arguments:
        pixels: uint8, (H, W) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or (H, W, 4) RGBA.
        name, file_format, file_bytes: of the file that the pixels come from.
        counts: numbers of colours for every format with a palette, 256 by default, and 16, 64 and
            256 for a full report.
        full: whether to measure all formats, numbers of colours and qualities, and SSIM where
            scikit-image is installed.
        threads: at the most; None for all processors.
        progress: is told the share that is done, 0 to 1.
    """
    progress(0)
    distinct = count_distinct(pixels)
    height, width = pixels.shape[:2]
    distortion = Distortion(pixels, with_ssim=full)
    suggested = suggest(pixels, distinct, distortion, threads=threads)
    counts = sorted(counts or (FULL_COLORS if full else COLORS))
    more: tuple[int, ...] = _FULL_KQF_COLORS if full else (*_KQF_COLORS, suggested.colors)
    # More colours than the image has change nothing.
    more = tuple(count for count in more if count < min(distinct, counts[-1]))
    candidates = list(
        competitors(pixels, counts=counts, more_counts=more, full=full, threads=threads)
    )
    rows: list[Measurement] = []
    pictures, files = {}, {}
    parts: dict[str, int] = {}
    for number, each in enumerate(candidates, 1):
        progress(number / (len(candidates) + 1))
        start = time.perf_counter()
        try:
            data = each.encode()
        except (OSError, ValueError):
            # Too wide or too high for the format, which Pillow has no error of its own for.
            continue
        encoded = time.perf_counter()
        result = each.decode(data)
        decoded = time.perf_counter()
        first = rows[0].bytes if rows else len(data)
        row = Measurement(
            each.encoder,
            each.colors,
            each.quality,
            bytes=len(data),
            kqf_share=first / len(data),
            bits_per_pixel=8 * len(data) / (width * height),
            **vars(distortion.of(result)),
            encode_seconds=encoded - start,
            decode_seconds=decoded - encoded,
        )
        rows.append(row)
        parts = parts or measure_parts(data)
        if (picture := _indexed(each, data)) is not None:
            pictures[row.name] = picture
        if each.encoder == KQF:
            files[row.name] = data
    given = Measurement(
        f"{file_format} file as given",
        None,
        None,
        bytes=file_bytes,
        kqf_share=rows[0].bytes / file_bytes,
        bits_per_pixel=8 * file_bytes / (width * height),
    )
    return ImageReport(
        name=name,
        file_format=file_format,
        file_bytes=file_bytes,
        width=width,
        height=height,
        channels=1 if pixels.ndim == 2 else pixels.shape[2],
        colors=distinct,
        rows=(given, *rows),
        suggested=suggested,
        parts=parts,
        pictures=pictures,
        files=files,
    )


def _indexed(competitor: Competitor, data: bytes) -> kqf.IndexedImage | None:
    """Return labels and codebook of a KQF file or of PNG8 with colours of its own."""
    if competitor.encoder == KQF:
        return kqf.read_indexed(data, max_pixels=None)
    if not competitor.encoder.startswith("PNG8 (Pillow"):
        return None
    with Image.open(io.BytesIO(data)) as saved:
        if saved.mode != "P":
            return None
        mode = "RGBA" if saved.has_transparency_data else "RGB"
        saved.apply_transparency()
        codebook = np.array(saved.getpalette(mode), np.uint8).reshape(-1, len(mode))
        labels = np.asarray(saved)
    return kqf.IndexedImage(labels, codebook[: int(labels.max()) + 1])


def count_distinct(pixels: np.ndarray) -> int:
    """Return the number of distinct colours of pixels (H, W[, C]) uint8."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    padded = np.zeros((pixels.size // channels, 4), np.uint8)
    padded[:, :channels] = pixels.reshape(-1, channels)
    return len(np.unique(padded.view(np.uint32)))
