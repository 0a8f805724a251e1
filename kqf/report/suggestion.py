"""The fewest colours with which an image looks like the original."""

from dataclasses import dataclass

import numpy as np

import kqf
from kqf.metrics import check_ssimulacra2, ssimulacra2
from kqf.report.distortion import Distortion

_COUNTS = (16, 32, 64, 128, 256)
# SSIMULACRA2 calls this high quality.
SCORE = 70.0
# Where SSIMULACRA2 cannot be measured: the share of the pixels that may differ visibly.
# Photographs that meet it mostly score 70 or more.
SHARE = 0.01
# SSIMULACRA2 takes a dozen seconds and a gigabyte for images of more than a few megapixels.
_SCORED_PIXELS = 2**22


@dataclass(frozen=True)
class Suggestion:
    """How many colours to take.

    Attributes:
        colors: how many.
        reason: why, as the end of a sentence.
        target: what is to be reached, in words; None for an image of so few colours that nothing
            is lost.
    """

    colors: int
    reason: str
    target: str | None = None


def suggest(
    pixels: np.ndarray, distinct: int, distortion: Distortion, *, threads: int | None = None
) -> Suggestion:
    """Return the fewest colours with which an image looks like the original.

    That is all of its colours if there are no more than 256, for nothing is lost then. Otherwise
    it is the first of 16, 32, 64, 128 and 256 with which KQF at effort 2, which looks like the
    default and is faster, scores 70 by SSIMULACRA2. Without the package ssimulacra2, and for images
    of less than 8 pixels a side or more than four million pixels, at most 1 % of the pixels may
    differ visibly.

    Arguments:
        pixels: uint8, (H, W) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or (H, W, 4) RGBA.
        distinct: the number of colours that the image has.
        distortion: measures against ``pixels``.
        threads: at the most; None for all processors.
    """
    if distinct <= _COUNTS[-1]:
        return Suggestion(distinct, "all that it has, so nothing is lost")
    scored = _can_be_scored(pixels)
    target = (
        f"it scores {SCORE:g} by SSIMULACRA2"
        if scored
        else f"at most {100 * SHARE:g} % of its pixels differ visibly"
    )

    def reached(colors: int) -> tuple[bool, str]:
        found = kqf.quantize(pixels, colors=colors, effort=2, threads=threads).pixels
        if scored:
            score = ssimulacra2(pixels, found)
            return score >= SCORE, f"it then scores {score:.0f} by SSIMULACRA2"
        share = distortion.visible_share(found)
        return share <= SHARE, f"{100 * share:.1f} % of its pixels then differ visibly"

    # More colours look better: halve the list rather than walk along it.
    low, high = 0, len(_COUNTS) - 1
    while low < high:
        middle = (low + high) // 2
        if reached(_COUNTS[middle])[0]:
            high = middle
        else:
            low = middle + 1
    colors = _COUNTS[low]
    if colors == _COUNTS[-1]:
        enough, rest = reached(colors)
        if not enough:
            return Suggestion(colors, f"although {rest}", target)
    return Suggestion(colors, f"the fewest with which {target}", target)


def _can_be_scored(pixels: np.ndarray) -> bool:
    """Return whether SSIMULACRA2 can be measured in reasonable time."""
    try:
        check_ssimulacra2(pixels.shape)
    except (ImportError, ValueError):
        return False
    height: int = pixels.shape[0]
    width: int = pixels.shape[1]
    return height * width <= _SCORED_PIXELS
