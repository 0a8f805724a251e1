"""Pixels with their distinct colours, and with the weights of calm and busy areas."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kqf.quantization.color_counts import ColorCounts
from kqf.quantization.colorspace import TRANSPARENT, lightness, translucency
from kqf.quantization.histogram import (
    Histogram,
    PackedPixels,
    Rows,
    bands_of,
    count,
    spread,
    without_hidden,
    without_hidden_keys,
)
from kqf.quantization.visibility import CLASSES, SEARCH_WEIGHTS, WEIGHTS, weight_classes

# Images of so many pixels have their colours counted in bounded memory.
_LARGE = 2**21
# With more pixels than this, an image is worked on in bands, as one of many colours is.
_HUGE = 2**24
# Pixels of a band, with more than two threads of as many bands as two have, and threads that work
# on bands at most, to bound memory.
BAND = 2**19
BAND_THREADS = 4

# Rows and columns of a part of an image.
Box = tuple[slice, slice]


@dataclass(frozen=True)
class ColorImage:
    """Pixels and their distinct colours.

    Attributes:
        keys: (H, W) uint32, from ``histogram.pack``; of a large image packed when they are needed.
        histogram: colours of the image and their counts; of many colours, cells of them.
        threads: at most so many are used.
        whole: the image that this is a part of, and which; None for an image of its own.
    """

    keys: np.ndarray | PackedPixels
    histogram: Histogram
    threads: int
    whole: "tuple[ColorImage, Box] | None" = None

    @classmethod
    def of(cls, pixels: np.ndarray, threads: int) -> "ColorImage":
        """Count the colours of pixels (H, W, C) uint8."""
        packed = PackedPixels(pixels)
        if packed.size < _LARGE:
            keys = packed[:]
            return cls(keys, count(keys, pixels.shape[2]), threads)
        image = cls(packed, ColorCounts.of(pixels, threads).histogram(), threads)
        return image if image.in_bands else replace(image, keys=packed[:])

    @property
    def in_bands(self) -> bool:
        """Whether the image is worked on in bands, each with exact colours of its own."""
        return self.histogram.in_cells or self.keys.size > _HUGE

    @property
    def bands(self) -> list[Box]:
        """Bands of rows to work on."""
        return [(rows, slice(None)) for rows in bands_of(self.keys.shape, self.band_pixels)]

    @property
    def band_pixels(self) -> int:
        """Pixels of a band, about."""
        return 2 * BAND // max(self.band_threads, 2)

    @property
    def band_threads(self) -> int:
        """Threads that work on bands."""
        return min(self.threads, BAND_THREADS)

    @cached_property
    def weight_classes(self) -> np.ndarray:
        """The class of each pixel's weight, (H, W) uint8, from ``visibility``."""
        if self.whole is not None:
            image, box = self.whole
            return image.weight_classes[box]
        colors = self.histogram.colors
        luma = lightness(colors) // 1000
        if colors.shape[1] in (2, 4):
            luma = luma * colors[:, -1] // 255
        return weight_classes(self.spread(luma.astype(np.uint8)), self.threads)

    @cached_property
    def weighted_samples(self) -> "Samples":
        """The pixels, with the weights of calm and busy areas."""
        return Samples.weighted(self)

    @cached_property
    def index(self) -> np.ndarray:
        """The row of each pixel's colour in the histogram, (H, W) int32."""
        return self.spread(np.arange(len(self.histogram.colors), dtype=np.int32))

    @property
    def rows(self) -> np.ndarray | Rows:
        """As ``index``, of an image in bands looked up where it is asked for."""
        return Rows(self.keys, self.histogram) if self.in_bands else self.index

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return for each pixel the value of its colour, (H, W), from values (N,)."""
        return spread(self.keys, self.histogram, values, self.threads)

    def part(self, box: Box) -> "ColorImage":
        """Return a part of the image with exact colours, however many the whole has."""
        keys = self.keys[box]
        return ColorImage(keys, count(keys, self.histogram.colors.shape[1]), 1, (self, box))

    def weighted_counts(self) -> np.ndarray:
        """Return the weight of each colour's pixels together, (N,) int64 in sixteenths."""
        count = len(self.histogram.colors)
        if not self.in_bands:
            samples = self.weighted_samples
            return np.bincount(samples.colors, 16 * samples.mass, count).astype(np.int64)
        index = self.rows
        sixteenths = (16 * WEIGHTS).astype(np.float64)
        total = np.zeros(count, np.float64)
        for rows in bands_of(self.keys.shape):
            found = index[rows].ravel()
            total += np.bincount(found, sixteenths[self.weight_classes[rows].ravel()], count)
        return total.astype(np.int64)

    def without_hidden(self) -> "ColorImage":
        """Return the image with all colours of alpha 0 replaced by one."""
        colors = self.histogram.colors
        if (translucency(colors) == TRANSPARENT).sum() < 2:
            return self
        if isinstance(self.keys, PackedPixels):
            packed = PackedPixels(self.keys.pixels, merges_hidden=True)
            return ColorImage(packed, without_hidden(self.histogram), self.threads)
        keys = without_hidden_keys(self.keys)
        if self.histogram.index is None:
            return ColorImage(keys, without_hidden(self.histogram), self.threads)
        return ColorImage(keys, count(keys, colors.shape[1]), self.threads)


@dataclass(frozen=True)
class Samples:
    """The pixels of an image, equal ones counted together: of one colour and one weight.

    Attributes:
        index: (H, W) int32, the row of each pixel in the other arrays.
        colors: (R,) rows of the image's histogram.
        weights: (R,) float32, what an error counts: whole sixteenths.
        search_weights: (R,) float32, what it counts in the search of labels.
        mass: (R,) float64, weight of all pixels of a row together.
        held: so many of the last rows stand for pixels whose labels are given, one row for each
            label from 0 on. They weigh nothing, and their colours do not matter.
    """

    index: np.ndarray
    colors: np.ndarray
    weights: np.ndarray
    search_weights: np.ndarray
    mass: np.ndarray
    held: int = 0

    @classmethod
    def unweighted(cls, image: ColorImage) -> "Samples":
        """Return samples of an image in which every pixel counts the same: one for each colour."""
        counts = image.histogram.counts.astype(np.float64)
        ones = np.ones(len(counts), np.float32)
        return cls(image.index, np.arange(len(counts)), ones, ones, counts)

    @classmethod
    def weighted(cls, image: ColorImage) -> "Samples":
        """Return samples of an image with the weights of its calm and busy areas."""
        count = len(image.histogram.colors)
        keys = image.index * np.int32(CLASSES)
        keys += image.weight_classes
        counts = np.bincount(keys.ravel(), minlength=count * CLASSES)
        rows = np.flatnonzero(counts)
        positions = np.zeros(len(counts), np.int32)
        positions[rows] = np.arange(len(rows), dtype=np.int32)
        colors, classes = rows // CLASSES, rows % CLASSES
        weights, search_weights = WEIGHTS[classes], SEARCH_WEIGHTS[classes].astype(np.float32)
        mass = counts[rows] * weights
        return cls(positions.take(keys), colors, weights.astype(np.float32), search_weights, mass)

    def holding(self, labels: np.ndarray, where: np.ndarray, count: int) -> "Samples":
        """Return the samples with labels, (H, W) uint8 below ``count``, given for some pixels."""
        first = len(self.colors)
        index = np.where(where, labels + np.int32(first), self.index)
        colors, weights, search_weights = (
            np.concatenate([values, np.zeros(count, values.dtype)])
            for values in (self.colors, self.weights, self.search_weights)
        )
        mass = np.bincount(index.ravel(), minlength=first + count) * weights.astype(np.float64)
        return Samples(index, colors, weights, search_weights, mass, count)
