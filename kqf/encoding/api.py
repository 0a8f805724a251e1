"""From pixels, or labels and a codebook, to the bytes of a file."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from kqf.encoding.layout import best_layouts
from kqf.encoding.options import (
    DEFAULT_EFFORT,
    DEFAULT_LEARNER,
    Colors,
    Options,
    Storage,
    Tile,
    as_pixels,
)
from kqf.encoding.quantizer import Quantized, Quantizer
from kqf.encoding.targets import highest_within, lowest_reaching
from kqf.format import writer
from kqf.format.declarations import MAX_COLORS
from kqf.image import IndexedImage, check_indexed
from kqf.io.files import Target, check_target, write_whole
from kqf.metrics import psnr, ssim


def encode(
    pixels: np.ndarray,
    *,
    colors: int = MAX_COLORS,
    metric: str = "mse",
    quality: int | None = None,
    palette: np.ndarray | None = None,
    learner: str = DEFAULT_LEARNER,
    dither: str | None = None,
    keep: Colors | None = None,
    target_psnr: float | None = None,
    target_ssim: float | None = None,
    max_bytes: int | None = None,
    predictor: str = "auto",
    tile: Tile | None = None,
    effort: int = DEFAULT_EFFORT,
    seed: int = 0,
    threads: int | None = None,
    metadata: Mapping[str, object] | None = None,
) -> bytes:
    """Return an image as the bytes of a file.

    An image of at most ``colors`` distinct colours is stored exactly. The same pixels and
    arguments, ``threads`` aside, give the same bytes.

    Arguments:
        pixels: uint8 or bool, (H, W) or (H, W, 1) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or
            (H, W, 4) RGBA; straight alpha.
        colors: entries of the codebook at the most, 1 to 256.
        metric: what counts as error: ``"mse"``, squared error of the sRGB values, or
            ``"perceptual"``, distance in Oklab.
        quality: 100, each pixel becomes the nearest colour of the codebook; the lower (1 at least),
            the more error is taken for fewer bytes. What is exact at 100 is exact at all. None:
            75, which looks like 100; 100 with effort 1, dither, or as the highest to try for a
            target.
        palette: codebook to use, (K, C) uint8 or bool; its order and unused entries are kept.
        learner: how to learn a codebook otherwise: ``"kmeans"``, the best; ``"minibatch"``
            (k-means on small batches), ``"agglomerative"`` (Ward's merging), ``"median-cut"``
            (Pillow's, without alpha), ``"octree"`` (Pillow's), ``"random"`` (colours of random
            pixels) or ``"sample:N"`` (scikit-learn's k-means on N random pixels).
            ``"median-cut"``, ``"octree"`` and ``"random"`` learn alike for all metrics.
        dither: None; ``"ordered"``, a pattern that compresses well; or ``"floyd-steinberg"``,
            Pillow's error diffusion, for metric ``"mse"`` without alpha. For quality 100 alone.
        keep: colours that the codebook must have exactly, (n, C) integers.
        target_psnr, target_ssim: find the lowest quality that reaches so much (``kqf.psnr`` in dB,
            ``kqf.ssim``).
        max_bytes: find the highest quality whose file takes no more.
        predictor: ``"none"``, ``"left"``, ``"up"``, or ``"auto"`` for the smallest file.
        tile: (width, height) of tiles in pixels, an int for square ones; None to try some.
        effort: 1 (fast) to 9 (small).
        seed: of the codebook's search, at least 0.
        threads: at most so many; None for one for each processor.
        metadata: as ``IndexedImage.metadata``.

    Raises:
        TypeError, ValueError: an argument is not as above. TargetError: a target can't be met.
    """
    options = Options(
        colors=colors,
        metric=metric,
        quality=quality,
        palette=palette,
        learner=learner,
        dither=dither,
        keep=keep,
        target_psnr=target_psnr,
        target_ssim=target_ssim,
        max_bytes=max_bytes,
        predictor=predictor,
        tile=tile,
        effort=effort,
        seed=seed,
        threads=threads,
        metadata=metadata,
    )
    return _build(_meet(as_pixels(pixels), options), options)


def quantize(pixels: np.ndarray, **options: Any) -> IndexedImage:
    """Return the labels and the codebook that encode stores.

    Arguments:
        pixels, options, errors: as for encode.
    """
    checked = Options(**options)
    image = _meet(as_pixels(pixels), checked).image
    return replace(image, metadata=checked.metadata or {})


def write(path_or_file: Target, pixels: np.ndarray, **options: Any) -> None:
    """Encode an image and write the file: a path holds all of it or is left as it was.

    Arguments:
        path_or_file: path or open binary file.
        pixels, options, errors: as for encode. OSError: the file cannot be written.
    """
    check_target(path_or_file)
    write_whole(path_or_file, encode(pixels, **options))


def encode_indexed(
    labels: np.ndarray,
    codebook: np.ndarray,
    *,
    predictor: str = "auto",
    tile: Tile | None = None,
    effort: int = DEFAULT_EFFORT,
    threads: int | None = None,
    metadata: Mapping[str, object] | None = None,
) -> bytes:
    """Return labels and a codebook, both kept as they are, as the bytes of a file.

    Arguments:
        labels: (H, W) uint8, each below K.
        codebook: (K, C) uint8, K 1 to 256, C 1 to 4.
        others, errors: as for encode.
    """
    check_indexed(labels, codebook)
    storage = Storage(
        predictor=predictor, tile=tile, effort=effort, threads=threads, metadata=metadata
    )
    return _build(Quantized(IndexedImage(labels, codebook), predictor, tile), storage)


def write_indexed(
    path_or_file: Target, labels: np.ndarray, codebook: np.ndarray, **options: Any
) -> None:
    """Encode labels and codebook and write the file, as write does.

    Arguments:
        path_or_file: path or open binary file.
        labels, codebook, options, errors: as for encode_indexed. OSError: it cannot be written.
    """
    check_target(path_or_file)
    write_whole(path_or_file, encode_indexed(labels, codebook, **options))


def _meet(pixels: np.ndarray, options: Options) -> Quantized:
    """Quantize pixels (H, W, C) at the quality asked for, or that meets the target."""
    quantizer = Quantizer(pixels, options)
    at = cache(quantizer.at)

    def likeness(measure: Callable[[np.ndarray, np.ndarray], float], quality: int) -> float:
        image = at(quality).image
        return measure(pixels, image.codebook[image.labels])

    quality = options.highest
    if options.target_psnr is not None:
        quality = lowest_reaching(
            partial(likeness, psnr), quality, "target_psnr", options.target_psnr
        )
    elif options.target_ssim is not None:
        quality = lowest_reaching(
            partial(likeness, ssim), quality, "target_ssim", options.target_ssim
        )
    elif options.max_bytes is not None:
        quality = highest_within(
            lambda quality: len(_build(at(quality), options)),
            quality,
            "max_bytes",
            options.max_bytes,
        )
    return at(quality)


def _build(quantized: Quantized, storage: Storage) -> bytes:
    """Return the smallest file of labels and codebook."""
    image = quantized.image
    storage = replace(storage, predictor=quantized.predictor, tile=quantized.tile)
    files = [
        writer.build(layout.head, image.codebook, layout.ranking, storage.metadata or {}, streams)
        for layout, streams in best_layouts(
            image.labels,
            image.codebook,
            storage.predictors,
            storage.tile_size,
            storage.settings.trials,
            storage.thread_count,
        )
    ]
    return min(files, key=len)
