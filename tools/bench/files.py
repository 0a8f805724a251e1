"""Whole files side by side, and KQF's bytes at the quality of another encoder.

    pip install '.[bench]'
    python tools/benchmark.py files [FOLDER|IMAGE ...] [--colors N ...] [--effort N] [--jobs N]
                                    [--json FILE] [--markdown FILE]

Without folders or images it takes scikit-learn's two sample photographs. It measures

- PNG8 and GIF by Pillow, PNG8 by libimagequant (slowest, undithered and dithered) and oxipng
  (level 6), lossless WebP of libimagequant's pixels and of the original, KQF at quality 100;
- what KQF takes at the quality of libimagequant + oxipng, undithered: at equal PSNR (metric
  ``"mse"``) and, for images without alpha, at equal SSIMULACRA2 (metric ``"perceptual"``). With
  alpha, PSNR is of premultiplied colour and alpha.

A size at equal quality is interpolated, log size against quality measure, between two qualities of
one codebook size that enclose the peer's value, never extrapolated. Where a file that was made is
as good as the peer's and smaller than that, as those stored exactly are, its own size counts.
Codebooks of more colours than the peer's are tried too, halving from 256 while that helps.
"""

import io
import math
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

import kqf
from kqf import psnr
from kqf.encoding.effort import DEFAULT_EFFORT

from .encoders import by_libimagequant, gif, png8, save, webp
from .images import Picture, pictures
from .output import add_images, add_output, decimals, geometric_mean, parser_for, table, write

DEFAULT_COLORS = (256, 64)
CODEBOOKS = (256, 128, 64, 32, 16, 8, 4, 2)

PEER = "libimagequant + oxipng"
PSNR, SSIMULACRA2 = "psnr", "ssimulacra2"
MEASURES = {PSNR: "PSNR", SSIMULACRA2: "SSIMULACRA2"}
# Metric for each measure.
METRICS = {PSNR: "mse", SSIMULACRA2: "perceptual"}
# How many times the other's bytes a file may have to interpolate between the two. (Near quality 100
# bytes fall long before quality does: files of like quality may be far apart.)
CLOSE = 1.06
# How far the search for a lower quality goes down at once.
STRIDE = 30

# Size at equal quality as a share of the peer's, at most: kind, the peer's colours, measure.
TARGETS = {
    ("photographs", 256, PSNR): 0.68,
    ("photographs", 256, SSIMULACRA2): 0.55,
    ("photographs", 64, PSNR): 0.65,
    ("photographs", 64, SSIMULACRA2): 0.60,
    ("screenshots", 256, PSNR): 0.65,
    ("screenshots", 256, SSIMULACRA2): 0.65,
    ("sprites", 256, PSNR): 0.80,
}
# Screenshots have fewer distinct colours for each pixel than this, photographs more.
_FEW_COLORS = 0.01


@dataclass(frozen=True)
class File:
    """One way to store an image.

    Attributes:
        way: encoder and its setting.
        colors: at most, None for all of the original's.
        bytes: of the whole file.
        psnr: in dB, infinite where nothing is lost.
        ssimulacra2: 100 where nothing is lost, None where it was not measured.
    """

    way: str
    colors: int | None
    bytes: int
    psnr: float
    ssimulacra2: float | None


@dataclass(frozen=True)
class Match:
    """KQF's size at the quality of the peer.

    Attributes:
        measure: that is equal.
        colors: the peer's, at most.
        value: of the measure.
        bytes: of KQF, None where the highest quality falls short of the value.
        share: bytes as a share of the peer's.
        codebook: colours of KQF, at most.
        qualities: lower and upper setting that the size was interpolated between.
    """

    measure: str
    colors: int
    value: float
    bytes: float | None = None
    share: float | None = None
    codebook: int | None = None
    qualities: tuple[int, int] | None = None


@dataclass(frozen=True)
class Result:
    """All files of one image, and all sizes at equal quality."""

    folder: str
    name: str
    kind: str
    pixels: int
    files: list[File]
    matches: list[Match]
    sweep: list[File]


def peer_of(files: Sequence[File], colors: int) -> File:
    return next(file for file in files if (file.way, file.colors) == (PEER, colors))


def kind_of(picture: Picture) -> str:
    """Return which targets hold for an image."""
    pixels = picture.pixels
    if pixels.shape[2] == 4:
        return "sprites"
    distinct = len(np.unique(pixels.reshape(-1, 3), axis=0))
    return "screenshots" if distinct < _FEW_COLORS * pixels[..., 0].size else "photographs"


# Whole files at equal quality


def pixels_of(data: bytes, channels: int) -> np.ndarray:
    """Return the pixels of a file, RGB for 3 channels or RGBA for 4."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGBA" if channels == 4 else "RGB"))


class Sweep:
    """Files of one image; KQF's are encoded once for each setting."""

    def __init__(self, pixels: np.ndarray, effort: int, threads: int) -> None:
        self.pixels = pixels
        self.encode = partial(kqf.encode, pixels, effort=effort, threads=threads)
        self.original = io.BytesIO(save(Image.fromarray(pixels), "PNG", compress_level=1))
        self.files: dict[tuple[str, int, int], File] = {}

    def measured(self, way: str, colors: int | None, data: bytes, *, scored: bool = True) -> File:
        """Return what a file takes; SSIMULACRA2 if ``scored`` and without alpha."""
        result = pixels_of(data, self.pixels.shape[2])
        score = None
        if scored and self.pixels.shape[2] == 3:
            from ssimulacra2 import compute_ssimulacra2

            saved = save(Image.fromarray(result), "PNG", compress_level=1)
            score = float(compute_ssimulacra2(self.original, io.BytesIO(saved)))
        return File(way, colors, len(data), psnr(self.pixels, result), score)

    def file(self, metric: str, colors: int, quality: int) -> File:
        """Return the KQF file of a setting."""
        setting = metric, colors, quality
        if setting not in self.files:
            data = self.encode(metric=metric, colors=colors, quality=quality)
            way = f"KQF, {metric}, quality {quality}"
            # The score takes about as long as the file: only where it is shown or searched.
            scored = quality == 100 or metric == METRICS[SSIMULACRA2]
            self.files[setting] = self.measured(way, colors, data, scored=scored)
        return self.files[setting]

    def match(self, peer: File, measure: str) -> Match:
        """Return the smallest size of KQF at the peer's value of a measure."""
        value = getattr(peer, measure)
        best = Match(measure, peer.colors, value)
        for codebook in [count for count in CODEBOOKS if count > peer.colors] + [peer.colors]:
            file_at = partial(self.file, METRICS[measure], codebook)
            limit = math.inf if best.bytes is None else best.bytes
            qualities = enclose(file_at, measure, value, limit)
            if qualities is None:
                break
            size = size_between(*map(file_at, qualities), measure, value)
            if size >= limit:
                break
            share = size / peer.bytes
            best = Match(measure, peer.colors, value, size, share, codebook, qualities)
        return best


def enclose(
    file_at: Callable[[int], File], measure: str, value: float, limit: float
) -> tuple[int, int] | None:
    """Return two qualities of close sizes, one that falls short of a value and one that does not.

    They are the same where no other quality can make a smaller file that does not fall short;
    None where all do, or where those that do not take ``limit`` bytes or more.
    """

    def reached(quality: int) -> float:
        return getattr(file_at(quality), measure)

    low = high = 100
    if reached(high) < value:
        return None
    # What is exact at 100 is exact at all.
    if math.isinf(file_at(high).psnr):
        return high, high
    while reached(low) >= value:
        if low == 1:
            return low, low
        low, high = max(1, low - STRIDE), low
    while high - low > 1 and file_at(high).bytes > CLOSE * file_at(low).bytes:
        if file_at(low).bytes >= limit:
            return None
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) >= value else (middle, high)
    return low, high


def size_between(low: File, high: File, measure: str, value: float) -> float:
    """Return the size at a value between two files': interpolated, or the better file's if less."""
    below, above = getattr(low, measure), getattr(high, measure)
    if below >= value:
        return low.bytes
    part = (value - below) / (above - below)
    return min(high.bytes, low.bytes ** (1 - part) * high.bytes**part)


def measure_files(picture: Picture, colors: Sequence[int], effort: int, threads: int) -> Result:
    """Store an image in all ways and find KQF's sizes at equal quality."""
    pixels = picture.pixels
    sweep = Sweep(pixels, effort, threads)
    measures = [PSNR] if pixels.shape[2] == 4 else [PSNR, SSIMULACRA2]
    files = [sweep.measured("WebP lossless of the original", None, webp(pixels, quality=90))]
    matches = []
    for count in colors:
        plain, dithered = (
            by_libimagequant(pixels, count, dithered=dithered) for dithered in (False, True)
        )
        quantized = Image.fromarray(pixels).quantize(count)
        ways = {
            PEER: png8(plain),
            f"{PEER}, dithered": png8(dithered),
            "WebP lossless of libimagequant": webp(plain.codebook[plain.labels], quality=100),
            "PNG8, Pillow": save(quantized, "PNG", optimize=True),
            "GIF, Pillow": gif(pixels, count),
        }
        files += [sweep.measured(way, count, data) for way, data in ways.items()]
        files += [sweep.file(METRICS[measure], count, 100) for measure in measures]
        peer = peer_of(files, count)
        matches += [sweep.match(peer, measure) for measure in measures]
    swept = [file for _, file in sorted(sweep.files.items())]
    size = pixels.shape[0] * pixels.shape[1]
    return Result(picture.folder, picture.name, kind_of(picture), size, files, matches, swept)


def measure_all(
    pictures: Sequence[Picture], colors: Sequence[int], effort: int, jobs: int
) -> list[Result]:
    """Return results in the order of the pictures, and say on stderr which is done."""
    threads = max(1, (os.cpu_count() or 1) // jobs)
    # Processes share the processors: libraries that start threads of their own must not.
    for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    results = []
    work = partial(measure_files, colors=colors, effort=effort, threads=threads)
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for result in pool.map(work, pictures):
            results.append(result)
            shares = "  ".join(
                f"{match.colors} {MEASURES[match.measure]} {decimals(match.share, 3)}"
                for match in result.matches
            )
            done = f"{len(results)}/{len(pictures)} {result.folder}/{result.name}"
            print(f"{done}  {shares}", file=sys.stderr, flush=True)
    return results


# Tables in Markdown


def markdown(results: Sequence[Result], colors: Sequence[int]) -> str:
    folders: dict[str, list[Result]] = {}
    for result in results:
        folders.setdefault(result.folder, []).append(result)
    blocks = ["Share: bytes as a share of libimagequant + oxipng, undithered, of as many colours."]
    for folder, group in folders.items():
        for count in colors:
            blocks.append(f"## {folder}, {count} colours")
            blocks.append(
                table(
                    ("At equal", "Share", "Target", "Worst", "Reached"),
                    means_of_matches(group, count),
                )
            )
            head = ("Geometric mean", "Share", "Bits per pixel", "PSNR", "SSIMULACRA2")
            blocks.append(table(head, means_of_files(group, count)))
            head = ("Image", "Way", "Bytes", "Share", "PSNR", "SSIMULACRA2", "Setting")
            blocks.append(table(head, (row for result in group for row in rows_of(result, count))))
    return "\n\n".join(blocks) + "\n"


def means_of_matches(group: Sequence[Result], colors: int) -> Iterator[Sequence[str]]:
    for measure, name in MEASURES.items():
        found = {
            result.name: match.share
            for result in group
            for match in result.matches
            if (match.colors, match.measure) == (colors, measure)
        }
        shares = {image: share for image, share in found.items() if share is not None}
        if not shares:
            continue
        worst = max(shares, key=lambda image: shares[image])
        target = TARGETS.get((usual_kind(group), colors, measure))
        yield (
            name,
            decimals(geometric_mean(list(shares.values())), 3),
            decimals(target, 2),
            f"{decimals(shares[worst], 3)} {worst}",
            f"{len(shares)} of {len(found)}",
        )


def usual_kind(group: Sequence[Result]) -> str:
    kinds = [result.kind for result in group]
    return max(kinds, key=kinds.count)


def means_of_files(group: Sequence[Result], colors: int) -> Iterator[Sequence[str]]:
    """Yield means of each way; PSNR over the images that lost something."""
    peers = [peer_of(result.files, colors) for result in group]
    for way in [file.way for file in group[0].files if file.colors in (None, colors)]:
        files = [
            next(f for f in result.files if f.way == way and f.colors in (None, colors))
            for result in group
        ]
        losses = [file.psnr for file in files if math.isfinite(file.psnr)]
        scores = [file.ssimulacra2 for file in files if file.ssimulacra2 is not None]
        bits = [8 * file.bytes / result.pixels for file, result in zip(files, group, strict=True)]
        yield (
            way,
            decimals(
                geometric_mean([f.bytes / p.bytes for f, p in zip(files, peers, strict=True)]), 3
            ),
            decimals(geometric_mean(bits), 2),
            decimals(sum(losses) / len(losses) if losses else math.inf, 2),
            decimals(sum(scores) / len(scores) if scores else None, 1),
        )


def rows_of(result: Result, colors: int) -> Iterator[Sequence[str]]:
    """Yield a row for each file of an image, then for each size at equal quality."""
    peer = peer_of(result.files, colors)
    for file in result.files:
        if file.colors in (None, colors):
            share = decimals(file.bytes / peer.bytes, 3)
            score = decimals(file.ssimulacra2, 1)
            yield result.name, file.way, f"{file.bytes:,}", share, decimals(file.psnr, 2), score, ""
    for match in result.matches:
        if match.colors != colors:
            continue
        setting = "-"
        if match.qualities is not None:
            qualities = " to ".join(map(str, sorted(set(match.qualities))))
            setting = f"{match.codebook} colours, quality {qualities}"
        yield (
            result.name,
            f"KQF, {METRICS[match.measure]}, at equal {MEASURES[match.measure]}",
            "-" if match.bytes is None else f"{match.bytes:,.0f}",
            decimals(match.share, 3),
            decimals(match.value, 2) if match.measure == PSNR else "",
            decimals(match.value, 1) if match.measure == SSIMULACRA2 else "",
            setting,
        )


def main(arguments: Sequence[str]) -> None:
    parser = parser_for(__doc__)
    add_images(parser)
    parser.add_argument("--colors", nargs="+", type=int, default=DEFAULT_COLORS, metavar="N")
    parser.add_argument("--effort", type=int, default=DEFAULT_EFFORT, metavar="N")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="images at a time")
    add_output(parser)
    asked = parser.parse_args(arguments)
    results = measure_all(list(pictures(asked.places)), asked.colors, asked.effort, asked.jobs)
    write(asked, markdown(results, asked.colors), results)
