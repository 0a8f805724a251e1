"""How much an error at each pixel is seen: much in calm areas, little in busy ones.

libimagequant weighs errors likewise, by an importance map.
"""

import numpy as np

from kqf.threads import each

# Pixels whose local standard deviation of luma is s are 8 / (s + 4) times as visible as others,
# rounded to classes half an octave apart. Weights are whole sixteenths, so that sums are exact.
_OFFSET = 4.0
_UNIT_DEVIATION = 8.0
_LEAST_CLASS, _GREATEST_CLASS = -5, 2
CLASSES = _GREATEST_CLASS - _LEAST_CLASS + 1
_OCTAVES = np.arange(_LEAST_CLASS, _GREATEST_CLASS + 1) / 2
# What an error counts where a codebook is learned.
WEIGHTS = np.rint(16 * 2.0**_OCTAVES) / 16
# Classes from this one on are calm: there dots are less seen than bands.
CALM = 5
# What an error counts where labels are searched: streaks are seen in calm areas alone.
SEARCH_WEIGHTS = (
    np.rint(16 * 2.0 ** (1.2 * _OCTAVES) * np.where(np.arange(CLASSES) < CALM, 1, 1.4)) / 16
)
# Deviations from which on a pixel falls into the next lower class.
_BOUNDS = (
    _UNIT_DEVIATION * 2.0 ** ((0.5 - np.arange(_GREATEST_CLASS, _LEAST_CLASS, -1)) / 2) - _OFFSET
)
# Deviations are kept as whole sixteenths.
_STEPS = 16
# Rows and columns that a pixel's deviation looks at on each side, and those of its blur, which is
# about a Gaussian of sigma 2.
_REACH = 2
_HALO = 3 * _REACH
# Pixels of a band of rows, about.
_BAND = 2**19


def weight_classes(luma: np.ndarray, threads: int = 1) -> np.ndarray:
    """Return the row of each pixel's weight in ``WEIGHTS``, (H, W) uint8.

    Arguments:
        luma: (H, W) uint8.
    """
    height, width = luma.shape
    padded = np.pad(luma, _HALO, mode="symmetric")
    classes = np.empty(luma.shape, np.uint8)
    rows = max(_BAND // width, 1)

    def classify(top: int) -> None:
        band = padded[top : min(top + rows, height) + 2 * _HALO].astype(np.int32)
        area = (2 * _REACH + 1) ** 2
        sums, squares = _box_sum(band), _box_sum(band * band)
        # Whole numbers below 2**31 throughout: the same on every machine.
        deviations = np.sqrt((area * squares - sums * sums).astype(np.float64)) * (_STEPS / area)
        blurred = _box_sum(_box_sum(np.rint(deviations).astype(np.int32)))
        bounds = _BOUNDS * (_STEPS * area * area)
        lower = np.searchsorted(bounds, blurred.ravel(), side="right")
        classes[top : top + rows] = (CLASSES - 1 - lower).reshape(blurred.shape)

    for _ in each(classify, range(0, height, rows), threads):
        pass
    return classes


def _box_sum(values: np.ndarray) -> np.ndarray:
    """Return the sums over squares of 5 x 5, without the border that has none, int32."""
    side = 2 * _REACH + 1
    height, width = (length - side + 1 for length in values.shape)
    across = values[:, :width].copy()
    for first in range(1, side):
        across += values[:, first : first + width]
    total = across[:height].copy()
    for first in range(1, side):
        total += across[first : first + height]
    return total


def weights_of(deviations: np.ndarray) -> np.ndarray:
    """Return the weight of pixels where luma deviates so much from its mean, (N,) float32."""
    lower = np.searchsorted(_BOUNDS, deviations, side="right")
    return WEIGHTS[CLASSES - 1 - lower].astype(np.float32)
