"""From pixels to a codebook and the nearest label of each pixel."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kqf.quantization.color_counts import ColorCounts, merge
from kqf.quantization.color_image import Box, ColorImage, Samples
from kqf.quantization.colorspace import to_points
from kqf.quantization.histogram import (
    Histogram,
    are_among,
    bands_of,
    pack,
    unpack,
    without_hidden,
)
from kqf.quantization.kmeans import in_order
from kqf.quantization.methods import Method
from kqf.quantization.nearest import assign, squared_error
from kqf.threads import each, run

# A codeword becomes the colour that makes so large a share of its pixels.
_FLAT_SHARE = 0.75
# Colours of a table that are given their labels at a time.
_FILLED = 2**18


@dataclass(frozen=True)
class CodebookSettings:
    """How to learn a codebook.

    Attributes:
        colors: entries at most, 1 to 256.
        metric: one of ``colorspace.METRICS``.
        fixed: (n, C) uint8, distinct colours that the codebook must hold, n at most ``colors``.
        method: function that learns the other colours.
        seed: passed to the method, at least 0.
        weighted: whether pixels of calm areas count more, with the perceptual metric.
    """

    colors: int
    metric: str
    fixed: np.ndarray
    method: Method
    seed: int
    weighted: bool = True


def learn_codebook(
    histogram: Histogram, settings: CodebookSettings, threads: int = 1
) -> np.ndarray:
    """Return a codebook for the colours of an image, (K, C) uint8, by lightness."""
    colors, fixed = settings.colors, settings.fixed
    if len(histogram.colors) <= colors:
        every = np.unique(np.concatenate([histogram.colors, fixed]), axis=0)
        if len(every) <= colors:
            return in_order(every)
    is_fixed = are_among(histogram.colors, fixed)
    others = Histogram(histogram.colors[~is_fixed], histogram.counts[~is_fixed])
    room = colors - len(fixed)
    if len(others.colors) <= room:
        learned = others.colors
    elif room:
        learned = settings.method(others, room, settings.metric, settings.seed)
        if settings.metric != "mse":
            labels = assign(others.colors, learned, settings.metric, threads)
            learned = _with_flat_colors(learned, others, labels)
    else:
        learned = fixed
    return in_order(np.concatenate([learned, fixed]))


def _with_flat_colors(codebook: np.ndarray, histogram: Histogram, labels: np.ndarray) -> np.ndarray:
    """Return a codebook that holds what is flat in the image exactly.

    A codeword that stands for little else than one colour becomes that colour. Arguments: as for
    _flat_colors.
    """
    flat, rows = _flat_colors(codebook, histogram, labels)
    exact = codebook.copy()
    exact[flat] = histogram.colors[rows[flat]]
    return exact


def _flat_colors(
    codebook: np.ndarray, histogram: Histogram, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return which codewords stand for little else than one colour, (K,) bool, and its row, (K,).

    Arguments:
        labels: (N,) uint8, the label of each colour of the histogram.
    """
    mass = np.bincount(labels, histogram.counts, len(codebook))
    by_count = np.argsort(histogram.counts, kind="stable")
    # Of several values for one place numpy keeps the last: the most frequent colour.
    rows = np.zeros(len(codebook), np.int64)
    rows[labels[by_count]] = by_count
    return (mass > 0) & (histogram.counts[rows] >= _FLAT_SHARE * mass), rows


@dataclass(frozen=True)
class Quantized:
    """An image with a codebook and the label of the nearest codeword of each pixel.

    Attributes:
        image: the pixels.
        metric: one of ``colorspace.METRICS``.
        codebook: (K, C) uint8.
        fixed: (n, C) uint8, codewords that must stay as they are, and so must their pixels.
        color_labels: (N,) uint8, the nearest codeword of each distinct colour.
        weighted: whether pixels of calm areas count more.
        given: labels (H, W) uint8, and the pixels (H, W) bool that keep them, as dithered ones do;
            None if there are none.
    """

    image: ColorImage
    metric: str
    codebook: np.ndarray
    fixed: np.ndarray
    color_labels: np.ndarray
    weighted: bool
    given: tuple[np.ndarray, np.ndarray] | None = None

    @cached_property
    def samples(self) -> Samples:
        """The pixels, with their weights."""
        image = self.image
        samples = image.weighted_samples if self.weighted else Samples.unweighted(image)
        return samples.holding(*self.given, len(self.codebook)) if self.given else samples

    def part(self, box: Box) -> "Quantized":
        """Return a part of the image with exact colours, however many the whole has."""
        image = self.image.part(box)
        labels = self._nearest_of(image.histogram.colors)
        given = self.given and (self.given[0][box], self.given[1][box])
        return replace(self, image=image, color_labels=labels, given=given)

    def _nearest_of(self, colors: np.ndarray) -> np.ndarray:
        """Return the label of each of some of the image's colours, (N,) uint8."""
        if colors.shape[1] == 3 and self.image.in_bands:
            labels: np.ndarray = self._table[pack(colors[None])[0]]
            return labels
        return assign(colors, self.codebook, self.metric)

    @cached_property
    def _table(self) -> np.ndarray:
        """The label of every colour of three channels, (2**24,) uint8; 0 of those not there."""
        keys = self.image.keys
        present, table = np.zeros(2**24, np.bool_), np.zeros(2**24, np.uint8)
        for rows in bands_of(keys.shape):
            present[keys[rows]] = True

        def fill(first: int) -> None:
            found = np.flatnonzero(present[first : first + _FILLED]) + first
            table[found] = assign(unpack(found, 3), self.codebook, self.metric)

        run(fill, range(0, len(present), _FILLED), self.image.threads)
        return table

    @cached_property
    def labels(self) -> np.ndarray:
        """The nearest labels, or those given, (H, W) uint8."""
        nearest = self._nearest()
        return np.where(self.given[1], self.given[0], nearest) if self.given else nearest

    def _nearest(self) -> np.ndarray:
        """Return the nearest labels, (H, W) uint8."""
        image = self.image
        if not image.in_bands:
            return image.spread(self.color_labels)
        labels = np.empty(image.keys.shape, np.uint8)
        is_rgb = image.histogram.colors.shape[1] == 3

        def find(box: Box) -> None:
            if is_rgb:
                labels[box] = self._table.take(image.keys[box])
            else:
                part = self.part(box)
                labels[box] = part.image.spread(part.color_labels)

        run(find, image.bands, image.band_threads)
        return labels

    @cached_property
    def exact(self) -> bool:
        """Whether the codebook holds every colour of the image."""
        if self.image.histogram.in_cells:
            return False
        return np.array_equal(self.codebook[self.color_labels], self.image.histogram.colors)

    @cached_property
    def points(self) -> np.ndarray:
        """The points of all samples in the metric, (R, D) float32."""
        colors = to_points(self.image.histogram.colors, self.metric)
        return colors.take(self.samples.colors, axis=0)

    @cached_property
    def power(self) -> float:
        """Sum of the squares of all samples' points, by their mass."""
        mass = self.samples.mass[:, None]
        return float((mass * (self.points * self.points)).sum(dtype=np.float64))

    @cached_property
    def error(self) -> float:
        """Weighted squared error in the metric of the nearest labels, summed over all pixels."""
        image = self.image
        if image.in_bands:
            # Not by ``error``: Python 3.11 lets one thread at a time find it.
            errors = each(
                lambda box: self.part(box)._nearest_error(), image.bands, image.band_threads
            )
            return sum(errors)
        return self._nearest_error()

    def _nearest_error(self) -> float:
        return self.error_of(self.codebook, self.color_labels.take(self.samples.colors))

    def error_of(self, codebook: np.ndarray, sample_labels: np.ndarray) -> float:
        """Return the weighted squared error of labels (R,), one for each sample."""
        codewords = to_points(codebook, self.metric)
        mass, threads = self.samples.mass, self.image.threads
        return squared_error(self.points, codewords, sample_labels, mass, threads)


def quantize(
    image: ColorImage, settings: CodebookSettings, palette: np.ndarray | None = None
) -> Quantized:
    """Return an image with a codebook and the nearest label of each pixel.

    Arguments:
        settings: how to learn the codebook; with a palette only its metric counts.
        palette: (K, C) uint8, codebook to use as it is.
    """
    colors, metric, threads = settings.colors, settings.metric, image.threads
    lossy = palette is None and len(image.histogram.colors) > colors
    if lossy:
        # Exact images keep even the colours that alpha 0 hides.
        image = image.without_hidden()
    weighted = settings.weighted and metric != "mse"
    if palette is not None:
        labels = assign(image.histogram.colors, palette, metric, threads)
        return Quantized(image, metric, palette, palette, labels, weighted)
    histogram = image.histogram
    if weighted and lossy:
        histogram = replace(histogram, counts=image.weighted_counts())
    codebook = learn_codebook(histogram, settings, threads)
    labels = assign(histogram.colors, codebook, metric, threads)
    fixed = settings.fixed
    if lossy and metric != "mse":
        flat, rows = _flat_colors(codebook, histogram, labels)
        flat &= (codebook == histogram.colors[rows]).all(axis=1)
        fixed = np.unique(np.concatenate([fixed, codebook[flat]]), axis=0)
    return Quantized(image, metric, codebook, fixed, labels, weighted)


def count_colors(images: Iterable[np.ndarray], threads: int) -> Histogram:
    """Count the colours of several images, one after another, in bounded memory.

    Arguments:
        images: (H, W, C) uint8 arrays, at least one; C may differ between images.

    Returns:
        colours with as many channels as show all of the images.
    """
    by_channels: dict[int, ColorCounts] = {}
    for pixels in images:
        channels = pixels.shape[2]
        counts = ColorCounts.of(pixels, threads)
        if channels in by_channels:
            counts = merge([by_channels[channels], counts])
        by_channels[channels] = counts
    if not by_channels:
        raise ValueError("a palette is learned from at least one image, but none was given")
    color = any(channels > 2 for channels in by_channels)
    alpha = any(channels in (2, 4) for channels in by_channels)
    parts = [_with_channels(counts.histogram(), color, alpha) for counts in by_channels.values()]
    if len(parts) == 1:
        return parts[0]
    return merge(ColorCounts.of_histogram(part) for part in parts).histogram()


def _with_channels(histogram: Histogram, color: bool, alpha: bool) -> Histogram:
    """Return the histogram with channels for colour and alpha added where they are missing."""
    colors = histogram.colors
    opaque = np.full((len(colors), 1), 255, np.uint8)
    own = colors[:, -1:] if colors.shape[1] in (2, 4) else opaque
    planes = colors[:, :3] if colors.shape[1] > 2 else colors[:, :1]
    if color and planes.shape[1] == 1:
        planes = np.repeat(planes, 3, axis=1)
    return replace(histogram, colors=np.concatenate([planes, own], axis=1) if alpha else planes)


def learn_palette(histogram: Histogram, settings: CodebookSettings) -> np.ndarray:
    """Return a codebook, (K, C) uint8, for the colours of several images from count_colors."""
    if len(histogram.colors) > settings.colors:
        histogram = without_hidden(histogram)
    return learn_codebook(histogram, settings)
