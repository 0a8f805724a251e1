"""Labels of frames one by one, at the highest quality, that do not flicker where nothing moves."""

from collections.abc import Iterable, Iterator

import numpy as np

from kqf.encoding.animation.stillness import without_noise
from kqf.quantization.color_image import ColorImage
from kqf.quantization.colorspace import PixelPoints
from kqf.quantization.dither import Dither
from kqf.quantization.histogram import pack
from kqf.quantization.nearest import assign
from kqf.quantization.visibility import CALM


def nearest_labels(
    frames: Iterable[np.ndarray], codebook: np.ndarray, metric: str, threads: int
) -> Iterator[np.ndarray]:
    """Yield the labels (H, W) uint8 of the codewords nearest to the pixels of frames (H, W, C)."""
    for pixels in frames:
        image = ColorImage.of(pixels, threads)
        yield image.spread(assign(image.histogram.colors, codebook, metric, threads))


def dithered_labels(
    frames: Iterable[np.ndarray],
    codebook: np.ndarray,
    dither: Dither,
    metric: str,
    threads: int,
    unseen: float,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the labels (H, W) uint8 of frames (H, W, C) uint8, dithered, and where they are calm.

    The latter, (H, W) bool, is of the frames without their noise, too.

    A pixel keeps its label for as long as its colour is about the one that it was chosen for, so
    that the pattern does not crawl.

    Arguments:
        codebook: (K, C) uint8. metric: one of ``colorspace.METRICS``.
        unseen: squared difference in the metric between colours that are about the same.
    """
    points = PixelPoints(metric)
    labels, shown = np.empty((0, 0), np.uint8), np.empty((0, 0, 0), np.float32)
    exact = pack(codebook[None])[0]
    for pixels in without_noise(frames, unseen):
        image = ColorImage.of(pixels, threads)
        found = dither(image.index, image.histogram.colors, codebook, metric, threads)
        now = points.of(pixels.reshape(-1, pixels.shape[2])).reshape(-1, *pixels.shape[:2])
        if labels.size:
            offsets = now - shown
            stays = np.einsum("cij,cij->ij", offsets, offsets) <= unseen
            # What the codebook holds is shown as it is.
            stays &= ~np.isin(image.keys[:], exact)
            found[stays] = labels[stays]
            now[:, stays] = shown[:, stays]
        labels, shown = found, now
        yield found.copy(), image.weight_classes >= CALM
