"""From the pixels of a block to its labels, as workers do it."""

from dataclasses import dataclass, replace

import numpy as np

from kqf.encoding.layout import Layout, LayoutSettings, count_pairs, head_of, trial_size
from kqf.encoding.rate_distortion import (
    SearchParameters,
    hold_labels,
    lengths_of,
    search_tiles,
    to_costs,
    whole_chains,
)
from kqf.format.declarations import Predictor
from kqf.quantization.colorspace import to_points
from kqf.quantization.histogram import (
    are_among,
    bands_of,
    count,
    pack,
    spread,
    without_hidden_keys,
)
from kqf.quantization.nearest import assign, candidates_of, squared_error
from kqf.quantization.pixels import as_pixels

# Pixels that are labelled at a time.
_BAND = 2**19
# Of so many chains of the sample, rounds of the search look at one, or at more where it is small.
_STRIDE = 4
_ENOUGH = 2**18


@dataclass(frozen=True)
class CheckedLabels:
    """Returns labels as they are, after a check that each is below ``colors``."""

    colors: int

    def __call__(self, labels: np.ndarray) -> np.ndarray:
        if (highest := int(labels.max())) >= self.colors:
            raise ValueError(f"labels must be below {self.colors}, not {highest}")
        return labels


@dataclass(frozen=True)
class Search:
    """How to search for labels.

    Attributes:
        lambda_: squared error in the metric that one bit is worth.
        candidates: codewords for each pixel.
        lengths: from rate_distortion.lengths_of.
        layout: predictor, left or up, and tiles.
    """

    lambda_: float
    candidates: int
    lengths: np.ndarray
    layout: Layout


@dataclass(frozen=True)
class PixelLabels:
    """Returns labels for pixels: the nearest ones, or with ``search`` those that it finds.

    Attributes:
        codebook: (K, C) uint8.
        metric: one of ``colorspace.METRICS``.
        merges_hidden: whether all colours of alpha 0 count as one.
        fixed: (n, C) uint8, colours of the codebook that must keep their pixels.
        search: how to search, None for the nearest labels.
    """

    codebook: np.ndarray
    metric: str
    merges_hidden: bool
    fixed: np.ndarray
    search: Search | None = None

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        pixels = as_pixels(pixels)
        labels = np.empty(pixels.shape[:2], np.uint8)
        # In bands of whole chains, to bound the memory at work.
        down = self.search is not None and self.search.layout.predictor == Predictor.UP
        turned = labels.T if down else labels
        for band in bands_of(turned.shape, _BAND):
            if down:
                labels[:, band] = self._label(pixels[:, band])
            else:
                labels[band] = self._label(pixels[band])
        return labels

    def _label(self, pixels: np.ndarray) -> np.ndarray:
        channels = pixels.shape[2]
        keys = pack(pixels)
        if self.merges_hidden and channels in (2, 4):
            keys = without_hidden_keys(keys)
        histogram = count(keys, channels)
        colors, search = histogram.colors, self.search
        if search is None:
            return spread(keys, histogram, assign(colors, self.codebook, self.metric))
        index = spread(keys, histogram, np.arange(len(colors), dtype=np.int32))
        few = min(search.candidates, len(self.codebook))
        nearest, errors = candidates_of(colors, self.codebook, self.metric, few)
        held = are_among(colors, self.fixed)
        own = assign(colors[held], self.codebook, self.metric)
        hold_labels(nearest, errors, held, own)
        head = whole_chains(head_of(keys, self.codebook, search.layout))
        costs = to_costs(errors, search.lambda_)
        return search_tiles(index, nearest, costs, search.lengths, head, 1)

    def error(self, pixels: np.ndarray, labels: np.ndarray) -> float:
        """Return the squared error in the metric, summed over all pixels."""
        pixels, codewords = as_pixels(pixels), to_points(self.codebook, self.metric)
        total = 0.0
        for band in bands_of(pixels.shape, _BAND):
            points = to_points(pixels[band].reshape(-1, pixels.shape[2]), self.metric)
            total += squared_error(points, codewords, labels[band].ravel())
        return total


def searching(
    nearest: PixelLabels,
    sample: np.ndarray,
    sample_labels: np.ndarray,
    layout: Layout,
    parameters: SearchParameters,
    settings: LayoutSettings,
) -> tuple[PixelLabels, np.ndarray]:
    """Return what finds labels by search, as learned from a sample, and the sample's labels.

    Where the nearest labels are cheaper, they are returned.

    Arguments:
        nearest: what finds the nearest labels.
        sample, sample_labels: pixels to learn from, tiles one below another, and their nearest
            labels.
        layout: of the file.
    """
    codebook, threads = nearest.codebook, settings.threads
    # Without a predictor, deflate still sees labels follow one another along rows.
    chains = replace(layout, predictor=layout.predictor or Predictor.LEFT)

    def cost(labels: np.ndarray) -> float:
        size = trial_size(labels, codebook, layout, settings)
        return nearest.error(sample, labels) + parameters.lambda_ * 8 * size

    # Statistics of a part are good enough, of some chains of each tile.
    stride = min(_STRIDE, max(sample_labels.size // _ENOUGH, 1))
    every = slice(None, None, stride)
    few = (slice(None), every) if chains.predictor == Predictor.UP else (every,)
    part, labels, found = sample[few], sample_labels[few], nearest
    for number in range(parameters.rounds):
        if number:
            labels = found(part)
        head = head_of(labels, codebook, chains)
        counts = count_pairs(labels, head, len(codebook), threads) * stride
        lengths = lengths_of(counts, codebook, layout.predictor)
        search = Search(parameters.lambda_, parameters.candidates, lengths, chains)
        found = replace(nearest, search=search)
    labels = found(sample)
    if cost(labels) < cost(sample_labels):
        return found, labels
    return nearest, sample_labels
