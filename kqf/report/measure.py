"""What an image takes as KQF and in other formats, in bytes, error and time."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

import kqf
from kqf.report.competitors import ways

COLORS = (16, 64, 256)
# The default, and less.
QUALITIES = (75, 50)
# Over which another number of colours is suggested.
_ELBOW = (2, 4, 8, 16, 32, 64, 128, 256)
_KQF = "KQF"
# The quality at which each pixel becomes the nearest colour.
_NEAREST = 100
# A row of one encoder as a share of a row of another: what a fair comparison is about.
_FAIR = (
    (_KQF, "PNG8 of KQF's labels"),
    (_KQF, "WebP of KQF's labels"),
    (_KQF, "PNG8 by Pillow"),
)
# Of structural similarity: its window, and the pixels that it is measured of at the most, for it
# takes seconds and gigabytes for a few megapixels.
_WINDOW = 11
_SSIM_PIXELS = 2**22


@dataclass(frozen=True)
class Row:
    """One way to store one image.

    Attributes:
        encoder: format, and what else sets it apart.
        colors: entries of the palette at the most, None for all of the image's.
        quality: the encoder's own, None where it has none.
        bytes: of the whole file.
        ratio, file_ratio: bytes as a share of the raw pixels' and of the file given.
        bits_per_pixel: bits of the file for each pixel.
        psnr: in dB as of kqf.psnr, infinite where nothing is lost.
        ssim: as of kqf.ssim; None without scikit-image, or of an image of less than 11 pixels a
            side or more than four million in all.
        largest_error: as of kqf.largest_error, None where nothing is lost.
        encode_seconds, decode_seconds: of one run, None where nothing was done. Rows of KQF's
            labels take the time of writing them alone.
    """

    encoder: str
    colors: int | None
    quality: int | None
    bytes: int
    ratio: float
    file_ratio: float
    bits_per_pixel: float
    psnr: float
    ssim: float | None = None
    largest_error: kqf.LargestError | None = None
    encode_seconds: float | None = None
    decode_seconds: float | None = None

    @property
    def name(self) -> str:
        colors = [] if self.colors is None else [counted(self.colors)]
        quality = [] if self.quality is None else [f"quality {self.quality}"]
        return ", ".join([self.encoder, *colors, *quality])

    @property
    def lossless(self) -> bool:
        return math.isinf(self.psnr)

    @property
    def rmse(self) -> float:
        """Root of the mean squared error of a channel, 0 to 255."""
        return 255 / 10 ** (self.psnr / 20)

    def record(self) -> dict[str, Any]:
        """Return the row for JSON, which has no infinity."""
        more = {"name": self.name, "rmse": self.rmse, "lossless": self.lossless}
        return asdict(self) | more | {"psnr": None if self.lossless else self.psnr}


@dataclass(frozen=True)
class ImageReport:
    """One image, stored in every way.

    Attributes:
        name: whatever the caller calls the image.
        file_format: format of the file that it came in.
        file_bytes: of that file.
        width, height: pixels.
        channels: 1 gray, 2 gray + alpha, 3 RGB, 4 RGBA.
        colors: distinct colours.
        rows: one for each way.
        suggested: how many colours to take, and why.
        pictures: of each row of KQF, by its name: labels and codebook.
    """

    name: str
    file_format: str
    file_bytes: int
    width: int
    height: int
    channels: int
    colors: int
    rows: tuple[Row, ...]
    suggested: tuple[int, str]
    pictures: dict[str, kqf.IndexedImage] = field(repr=False, default_factory=dict)

    @property
    def elbow(self) -> tuple[Row, ...]:
        """The rows that the suggestion rests on, by colours."""
        return elbow(self.rows, self.colors)

    def record(self) -> dict[str, Any]:
        """Return the report for JSON."""
        record = {key: value for key, value in vars(self).items() if key != "pictures"}
        number, why = self.suggested
        rows = [row.record() for row in self.rows]
        return record | {"rows": rows, "suggested": {"colors": number, "reason": why}}


@dataclass(frozen=True)
class Unreadable:
    """An image that cannot be reported on: its name, and what is wrong with it."""

    name: str
    error: str

    def record(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Summary:
    """One way to store images, over several of them.

    Attributes:
        name: the way.
        images: how many images.
        bytes, ratio, file_ratio, bits_per_pixel: geometric means of a row's.
        worst_ratio, worst_image: the highest ratio to raw pixels, and the image that has it.
        psnr: mean in dB over the images that lost something; infinite where none did.
        worst_psnr: the lowest.
        lossless: how many images lost nothing.
    """

    name: str
    images: int
    bytes: float
    ratio: float
    file_ratio: float
    bits_per_pixel: float
    worst_ratio: float
    worst_image: str
    psnr: float
    worst_psnr: float
    lossless: int

    def record(self) -> dict[str, Any]:
        """Return the row for JSON, which has no infinity."""
        errors = {key: getattr(self, key) for key in ("psnr", "worst_psnr")}
        finite = {key: None if math.isinf(error) else error for key, error in errors.items()}
        return asdict(self) | finite


@dataclass(frozen=True)
class Comparison:
    """Bytes of one way as a share of another's, over several images.

    Attributes:
        name, other: the two ways, of as many colours.
        images: how many images.
        ratio: geometric mean.
        worst, worst_image: the highest, and the image that has it.
    """

    name: str
    other: str
    images: int
    ratio: float
    worst: float
    worst_image: str

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
    counts: Sequence[int] = COLORS,
    threads: int | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> ImageReport:
    """Store an image in every way and say what each takes.

    A way that cannot hold the image is left out.

    Arguments:
        pixels: uint8, (H, W) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or (H, W, 4) RGBA.
        name, file_format, file_bytes: of the file that the pixels come from.
        counts: of colours, for every format with a palette.
        threads: as for kqf.encode.
        progress: is told the share that is done, 0 to 1.
    """
    distinct = count_distinct(pixels)
    height, width = pixels.shape[:2]
    gauge = Gauge(pixels)

    def sizes(size: int) -> dict[str, Any]:
        return {
            "bytes": size,
            "ratio": size / pixels.nbytes,
            "file_ratio": size / file_bytes,
            "bits_per_pixel": 8 * size / (width * height),
        }

    exact: dict[str, Any] = {"psnr": math.inf, "ssim": gauge.ssim(pixels)}
    rows = [
        Row("raw pixels", None, None, **sizes(pixels.nbytes), **exact),
        Row("file given", None, None, **sizes(file_bytes), **exact),
    ]
    pictures = {}
    every = list(
        ways(
            pixels,
            counts=sorted(counts),
            more_counts=_elbow_counts(distinct),
            qualities=QUALITIES,
            threads=threads,
        )
    )
    for number, way in enumerate(every):
        progress(number / len(every))
        start = time.perf_counter()
        try:
            data = way.make()
        except (OSError, ValueError):
            # Too wide or too high for the format, which Pillow has no error of its own for.
            continue
        made = time.perf_counter()
        result = way.show(data)
        read = time.perf_counter()
        row = Row(
            way.encoder,
            way.colors,
            way.quality,
            **sizes(len(data)),
            **gauge.errors(result),
            encode_seconds=made - start,
            decode_seconds=read - made,
        )
        rows.append(row)
        if way.encoder == _KQF:
            pictures[row.name] = kqf.read_indexed(data, max_pixels=None)
    return ImageReport(
        name=name,
        file_format=file_format,
        file_bytes=file_bytes,
        width=width,
        height=height,
        channels=1 if pixels.ndim == 2 else pixels.shape[2],
        colors=distinct,
        rows=tuple(rows),
        suggested=suggest(elbow(rows, distinct)),
        pictures=pictures,
    )


class Gauge:
    """Errors against one original (H, W[, C]) uint8."""

    def __init__(self, original: np.ndarray) -> None:
        self._original = original
        self._known: dict[bytes, dict[str, Any]] = {}

    def errors(self, result: np.ndarray) -> dict[str, Any]:
        """Return ``psnr``, ``ssim`` and ``largest_error`` as Row has them."""
        # Several formats show the very same: it is measured once.
        key = hashlib.sha256(result.tobytes()).digest()
        if key not in self._known:
            largest = kqf.largest_error(self._original, result)
            self._known[key] = {
                "psnr": kqf.psnr(self._original, result),
                "ssim": self.ssim(result),
                "largest_error": largest if largest.distance else None,
            }
        return self._known[key]

    def ssim(self, result: np.ndarray) -> float | None:
        """Return the structural similarity, or None where it can't be had."""
        height, width = self._original.shape[:2]
        if min(height, width) < _WINDOW or height * width > _SSIM_PIXELS:
            return None
        try:
            return kqf.ssim(self._original, result)
        except ImportError:
            return None


def _elbow_counts(distinct: int) -> list[int]:
    most = min(distinct, _ELBOW[-1])
    return [count for count in _ELBOW if count < most] + [most]


def elbow(rows: Sequence[Row], distinct: int) -> tuple[Row, ...]:
    """Return the rows of KQF that differ in colours alone, as many as there are to tell apart."""
    counts = _elbow_counts(distinct)
    found = [row for row in rows if row.encoder == _KQF and row.quality == _NEAREST]
    return tuple(row for row in found if row.colors in counts)


def suggest(rows: Sequence[Row]) -> tuple[int, str]:
    """Return how many colours to take, and why.

    All of them, where nothing is lost. Else where the curve of error over bytes bends most:
    farthest below the line between its ends, both scaled to 1 (V. Satopää et al., 2011,
    doi:10.1109/ICDCSW.2011.20).

    Arguments:
        rows: of one image, by colours, at least one.
    """
    last = rows[-1]
    assert last.colors is not None
    if last.lossless:
        return last.colors, "all of its colours, so nothing is lost"
    size, error = ([float(row.bytes) for row in rows], [row.rmse for row in rows])
    below = [1 - x - y for x, y in zip(_scaled(size), _scaled(error), strict=True)]
    colors = rows[below.index(max(below))].colors
    assert colors is not None
    return colors, "where the curve of error over bytes bends most"


def _scaled(values: Sequence[float]) -> list[float]:
    low, span = min(values), max(values) - min(values)
    return [(value - low) / span if span else 0.0 for value in values]


def summarize(reports: Sequence[ImageReport]) -> tuple[Summary, ...]:
    """Return the means of each way that all images could be stored in."""
    summaries = []
    for name, rows in _common(reports):
        errors = [row.psnr for row in rows if not row.lossless]
        worst = max(range(len(rows)), key=lambda number: rows[number].ratio)
        summaries.append(
            Summary(
                name=name,
                images=len(rows),
                bytes=_geometric_mean([row.bytes for row in rows]),
                ratio=_geometric_mean([row.ratio for row in rows]),
                file_ratio=_geometric_mean([row.file_ratio for row in rows]),
                bits_per_pixel=_geometric_mean([row.bits_per_pixel for row in rows]),
                worst_ratio=rows[worst].ratio,
                worst_image=reports[worst].name,
                psnr=sum(errors) / len(errors) if errors else math.inf,
                worst_psnr=min(errors, default=math.inf),
                lossless=len(rows) - len(errors),
            )
        )
    return tuple(summaries)


def compare(reports: Sequence[ImageReport]) -> tuple[Comparison, ...]:
    """Return KQF as a share of others that hold as many colours, where all images have both."""
    found = {
        (rows[0].encoder, rows[0].colors): rows
        for _, rows in _common(reports)
        if rows[0].quality in (None, _NEAREST)
    }
    comparisons = []
    for encoder, other in _FAIR:
        for (name, colors), theirs in found.items():
            if name != other or (encoder, colors) not in found:
                continue
            ours = found[encoder, colors]
            ratios = [a.bytes / b.bytes for a, b in zip(ours, theirs, strict=True)]
            worst = ratios.index(max(ratios))
            mean = _geometric_mean(ratios)
            names = ours[0].name, theirs[0].name
            comparisons.append(
                Comparison(*names, len(ratios), mean, ratios[worst], reports[worst].name)
            )
    return tuple(comparisons)


def _common(reports: Sequence[ImageReport]) -> Iterator[tuple[str, list[Row]]]:
    """Yield each way that all images could be stored in, with its rows."""
    tables = [{row.name: row for row in report.rows} for report in reports]
    for name in tables[0] if tables else ():
        if all(name in table for table in tables):
            yield name, [table[name] for table in tables]


def count_distinct(pixels: np.ndarray) -> int:
    """Return the number of distinct colours of pixels (H, W[, C]) uint8."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    padded = np.zeros((pixels.size // channels, 4), np.uint8)
    padded[:, :channels] = pixels.reshape(-1, channels)
    return len(np.unique(padded.view(np.uint32)))


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))
