"""Rate-distortion search in images of many colours or pixels, of which no table can be kept."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kqf.encoding.layout import count_pairs
from kqf.encoding.rate_distortion import (
    FEW,
    SAMPLE,
    NearestCodewords,
    Refined,
    add_up,
    errors_from,
    gather,
    lengths_of,
    move_codewords,
    nearest_codewords,
    refined,
    search_tiles,
    to_costs,
)
from kqf.format.declarations import Predictor
from kqf.format.header import Head
from kqf.quantization.api import Quantized
from kqf.quantization.color_image import Box
from kqf.quantization.colorspace import to_points
from kqf.quantization.histogram import are_among, bands_of
from kqf.threads import each


def refine_in_bands(
    quantized: Quantized, candidates: int, lambda_: float, head: Head, rounds: int
) -> Refined:
    """Return what ``rate_distortion.refine`` does, with colours counted anew in each band.

    Arguments:
        candidates: nearest codewords to choose from, for each pixel.
        lambda_: squared error in the metric that one bit is worth, above 0.
        head: tiles and predictor.
        rounds: of search and of moving codewords to the middle of their pixels, at least 1.
    """
    metric = quantized.metric
    fixed = are_among(quantized.codebook, quantized.fixed)
    up = head.predictor == Predictor.UP
    codebook, lengths = _learn(quantized, candidates, lambda_, head, rounds, fixed)
    codewords = to_points(codebook, metric)
    labels = np.empty(quantized.labels.shape, np.uint8)

    def search(box: Box) -> tuple[np.ndarray, np.ndarray, float]:
        part = quantized.part(box)
        nearest = nearest_codewords(part, candidates)
        index = part.samples.index
        found = _search(part, nearest, codewords, lambda_, lengths, _head_of(index, head))
        labels[box] = found
        return *gather(part, index, found), part.power

    image = quantized.image
    # The memory of a band grows with the candidates of its pixels.
    boxes = _boxes(labels.shape, up, image.band_pixels * FEW // max(candidates, FEW))
    mass, sums, power = add_up(list(each(search, boxes, image.band_threads)))
    codebook = move_codewords(metric, codebook, mass, sums, fixed)
    return refined(labels, codebook, metric, mass, sums, power, fixed)


def _learn(
    quantized: Quantized,
    candidates: int,
    lambda_: float,
    head: Head,
    rounds: int,
    fixed: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the codebook of all rounds but the last, and lengths for the last, from lengths_of.

    Arguments:
        fixed: (K,) bool, codewords that stay as they are.
    """
    metric, codebook = quantized.metric, quantized.codebook
    stride = max(quantized.labels.size // SAMPLE, 1)
    # Statistics of a part are good enough: only the last round looks at all of the image.
    up = head.predictor == Predictor.UP
    every = slice(None, None, stride)
    sample = quantized.part((slice(None), every) if up else (every, slice(None)))
    nearest, labels = nearest_codewords(sample, candidates), sample.labels
    chains = _head_of(labels, head)

    def measure() -> np.ndarray:
        counts = count_pairs(labels, chains, len(codebook), 1) * stride
        return lengths_of(counts, codebook, head.predictor)

    for _ in range(rounds - 1):
        lengths = measure()
        index, codewords = sample.samples.index, to_points(codebook, metric)
        labels = _search(sample, nearest, codewords, lambda_, lengths, chains)
        mass, sums = gather(sample, index, labels)
        codebook = move_codewords(metric, codebook, mass, sums, fixed)
    return codebook, measure()


def _search(
    part: Quantized,
    nearest: NearestCodewords,
    codewords: np.ndarray,
    lambda_: float,
    lengths: np.ndarray,
    head: Head,
) -> np.ndarray:
    """Return the cheapest labels of a part, (H, W) uint8."""
    # Costs have no name here, so that they are freed when others are made of them.
    return search_tiles(
        part.samples.index,
        nearest.labels,
        to_costs(errors_from(part, codewords, nearest), lambda_),
        lengths,
        head,
        1,
    )


def _head_of(part: np.ndarray, head: Head) -> Head:
    """Return the head of a part of an image as one tile, whose chains are as long as the image's.

    Without a predictor, deflate still sees labels follow one another along rows.
    """
    height, width = part.shape
    predictor = head.predictor or Predictor.LEFT
    size = {"width": width, "height": height, "tile_width": width, "tile_height": height}
    return replace(head, predictor=predictor, **size)


def _boxes(shape: tuple[int, ...], up: bool, pixels: int) -> Iterator[Box]:
    """Yield bands of whole chains, of about so many pixels: columns with predictor up, or rows."""
    height, width = shape
    for band in bands_of((width, height) if up else (height, width), pixels):
        yield (slice(None), band) if up else (band, slice(None))
