"""Whether bands are seen where an image has its nearest labels."""

import numpy as np

from kqf.quantization.color_image import ColorImage
from kqf.quantization.colorspace import to_points
from kqf.quantization.visibility import CALM

# Distance in Oklab that an eye just notices, in points of the perceptual metric.
_SEEN = 0.02 * 255
# Share of an image's pixels from which on bands are worth dithering.
_LEAST_SHARE = 0.01
# Pixels of a band of rows, about, and rows and columns that a blur looks at on each side.
_PIXELS = 2**19
_REACH = 2


def bands_are_seen(image: ColorImage, codebook: np.ndarray, color_labels: np.ndarray) -> bool:
    """Return whether calm areas differ visibly from the original, as seen from afar.

    Arguments:
        codebook: (K, C) uint8. color_labels: (N,) uint8, the label of each of the image's colours.
    """
    colors = image.histogram.colors
    errors = to_points(colors, "perceptual")
    errors -= to_points(codebook, "perceptual").take(color_labels, axis=0)
    rows_of, (height, width) = image.rows, image.keys.shape
    seen, rows = 0, max(_PIXELS // width, 1)
    calm = image.weight_classes >= CALM
    for top in range(0, height, rows):
        first, last = max(top - 2 * _REACH, 0), min(top + rows + 2 * _REACH, height)
        index = rows_of[first:last]
        squares = np.zeros(index.shape, np.float32)
        for axis in errors.T:
            squares += _blurred(_blurred(axis.take(index))) ** 2
        inside = slice(top - first, top - first + min(rows, height - top))
        seen += int((calm[top : top + rows] & (squares[inside] > _SEEN**2)).sum())
    return seen > _LEAST_SHARE * image.keys.size


def _blurred(values: np.ndarray) -> np.ndarray:
    """Return the means over squares of 5 x 5, the border repeated."""
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (_REACH, _REACH)
        padded = np.pad(values, padding, mode="edge")
        size = values.shape[axis]
        parts = [padded.take(range(n, n + size), axis=axis) for n in range(2 * _REACH + 1)]
        values = sum(parts[1:], parts[0]) / np.float32(len(parts))
    return values
