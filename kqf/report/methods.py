"""Quantization methods compared on one image."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import kqf
from kqf.display import picture_of
from kqf.report.competitors import in_color
from kqf.report.distortion import Distortion
from kqf.report.measure import counted

# Of the picture, in pixels: room for a title, between pictures, and of a side at the most.
_TITLE, _GAP, _SIDE = 44, 12, 1600
_FONT_SIZE = 15
_PAPER, _INK = "white", "black"


@dataclass(frozen=True)
class Learned:
    """One image with the colours that one method found.

    Attributes:
        method: its name, as kqf.encode takes it.
        colors: entries of the codebook.
        learn_seconds, assign_seconds: time to find the codebook, and to give each pixel its nearest
            entry, each of the faster of two runs. The first is what remains of the time for both.
        bytes, bits_per_pixel: size of the file.
        psnr, visible, ssim, largest_error: as kqf.report.distortion.Errors has them.
        picture: labels and codebook.
    """

    method: str
    colors: int
    learn_seconds: float
    assign_seconds: float
    bytes: int
    bits_per_pixel: float
    psnr: float
    visible: float
    ssim: float | None
    largest_error: kqf.LargestError | None
    picture: kqf.IndexedImage = field(repr=False)

    @property
    def rmse(self) -> float:
        """Root of the mean squared error of a channel, 0 to 255."""
        return 255 / 10 ** (self.psnr / 20)

    def record(self) -> dict[str, Any]:
        """Return the result for JSON, which has no infinity, without the picture."""
        record = {key: value for key, value in vars(self).items() if key != "picture"}
        largest = None if self.largest_error is None else asdict(self.largest_error)
        exact = math.isinf(self.psnr)
        return record | {
            "psnr": None if exact else self.psnr,
            "rmse": self.rmse,
            "largest_error": largest,
        }


def learn_each(
    pixels: np.ndarray,
    methods: Sequence[str],
    *,
    colors: int,
    seed: int = 0,
    threads: int | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> list[Learned]:
    """Learn the colours of an image by each method, and give each pixel the nearest.

    Arguments:
        pixels: uint8, (H, W) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or (H, W, 4) RGBA.
        methods: names as kqf.encode takes them.
        colors: entries of the codebook at the most, 1 to 256.
        seed: of the random numbers, 0 or more.
        threads: at the most; None for all processors.
        progress: is told the share that is done, 0 to 1.

    Raises:
        ValueError: there is no such method, or it cannot learn alpha.
    """
    distortion = Distortion(pixels, with_ssim=True)
    found = []
    for number, method in enumerate(methods):
        progress(number / len(methods))
        options: kqf.EncodeOptions = {
            "quality": 100,
            "colors": colors,
            "method": method,
            "seed": seed,
            "threads": threads,
        }
        picture, both = _timed(partial(kqf.quantize, pixels, **options))
        _, assign = _timed(
            partial(kqf.quantize, pixels, palette=picture.codebook, quality=100, threads=threads)
        )
        # The encoder orders the codebook that it learns, which takes fewer bytes.
        size = len(kqf.encode(pixels, **options))
        result = Learned(
            method=method,
            colors=len(picture.codebook),
            learn_seconds=max(both - assign, 0.0),
            assign_seconds=assign,
            bytes=size,
            bits_per_pixel=8 * size / picture.labels.size,
            **vars(distortion.of(picture.pixels)),
            picture=picture,
        )
        found.append(result)
    return found


def _timed(run: Callable[[], kqf.IndexedImage]) -> tuple[kqf.IndexedImage, float]:
    """Return what a run gives and its seconds, of two runs: the first may load libraries."""

    def timed() -> tuple[kqf.IndexedImage, float]:
        start = time.perf_counter()
        return run(), time.perf_counter() - start

    return min(timed(), timed(), key=lambda found: found[1])


def draw(pixels: np.ndarray, found: Sequence[Learned]) -> Image.Image:
    """Return one picture: the original and the result of each method, with their numbers.

    Pictures of more than 1600 pixels a side are reduced.
    """
    original = Image.fromarray(in_color(pixels))
    scale = math.ceil(max(original.size) / _SIDE)
    titles = [f"original\n{original.width:,} x {original.height:,}"]
    pictures = [original.reduce(scale)]
    for each in found:
        error = "exact" if math.isinf(each.psnr) else f"RMSE {each.rmse:.2f}"
        times = f"learned in {each.learn_seconds:.3f} s, assigned in {each.assign_seconds:.3f} s"
        titles.append(f"{each.method}: {counted(each.colors)}, {error}\n{times}")
        made = picture_of(each.picture.labels, each.picture.codebook)
        pictures.append(made.convert(original.mode).reduce(scale))
    font = ImageFont.load_default(_FONT_SIZE)
    pen = ImageDraw.Draw(original)
    widest = max(pen.multiline_textbbox((0, 0), title, font)[2] for title in titles)
    width, height = max(pictures[0].width, math.ceil(widest)), pictures[0].height
    # Wide pictures one below the other, others in rows that make about a square.
    columns = min(round(math.sqrt(len(pictures) * (height + _TITLE) / width)) or 1, len(pictures))
    columns = max(columns, 2) if len(pictures) % 2 == 0 and width < 2 * height else columns
    rows = math.ceil(len(pictures) / columns)
    size = (columns * (width + _GAP) + _GAP, rows * (height + _TITLE + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, (title, picture) in enumerate(zip(titles, pictures, strict=True)):
        row, column = divmod(number, columns)
        left, top = (_GAP + column * (width + _GAP), _GAP + row * (height + _TITLE + _GAP))
        pen.multiline_text((left, top), title, _INK, font)
        mask = picture if picture.mode == "RGBA" else None
        sheet.paste(picture, (left, top + _TITLE), mask)
    return sheet
