"""The fewest colours with which an image looks like the original."""

from dataclasses import dataclass

import numpy as np

import kqf
from kqf.report.distortion import Distortion

_COUNTS = (16, 32, 64, 128, 256)
# The share of the pixels that may differ visibly. Photographs that meet it score 70 or more by
# SSIMULACRA2, which stands for high quality.
VISIBLE = 0.01


@dataclass(frozen=True)
class Suggestion:
    """How many colours to take.

    Attributes:
        colors: how many.
        reason: why, as the end of a sentence.
    """

    colors: int
    reason: str


def suggest(
    pixels: np.ndarray, distinct: int, distortion: Distortion, *, threads: int | None = None
) -> Suggestion:
    """Return the fewest colours with which an image looks like the original.

    That is all of its colours if there are no more than 256, for nothing is lost then. Otherwise
    it is the first of 16, 32, 64, 128 and 256 with which at most 1 % of the pixels differ
    visibly, at quality 100 and the lowest effort.

    Arguments:
        pixels: uint8, (H, W) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or (H, W, 4) RGBA.
        distinct: the number of colours that the image has.
        distortion: measures against ``pixels``.
        threads: at the most; None for all processors.
    """
    if distinct <= _COUNTS[-1]:
        return Suggestion(distinct, "all that it has, so nothing is lost")

    def share(colors: int) -> float:
        found = kqf.quantize(pixels, colors=colors, quality=100, effort=1, threads=threads)
        return distortion.visible_share(found.pixels)

    # More colours look better: halve the list rather than walk along it.
    low, high = 0, len(_COUNTS) - 1
    while low < high:
        middle = (low + high) // 2
        if share(_COUNTS[middle]) <= VISIBLE:
            high = middle
        else:
            low = middle + 1
    colors = _COUNTS[low]
    if colors == _COUNTS[-1] and (rest := share(colors)) > VISIBLE:
        return Suggestion(colors, f"although {100 * rest:.1f} % of it then differs visibly")
    return Suggestion(
        colors, f"the fewest with which at most {100 * VISIBLE:g} % of it differs visibly"
    )
