"""Dithering: the pixels of one colour share codewords, so that their mean comes near it."""

from collections.abc import Callable
from enum import IntEnum
from functools import partial

import numpy as np

from kqf.quantization.colorspace import lightness, snap, to_points
from kqf.quantization.diffusion import floyd_steinberg
from kqf.quantization.histogram import Rows
from kqf.quantization.nearest import assign, ban, nearest
from kqf.threads import each

# (index, colors, codebook, metric, threads) -> labels (H, W) uint8. Arguments:
#     index: (H, W) int32 or Rows, the row of each pixel's colour in colors.
#     colors: (N, C) uint8, distinct; codebook: (K, C) uint8; metric: of colorspace.METRICS.
Dither = Callable[[np.ndarray | Rows, np.ndarray, np.ndarray, str, int], np.ndarray]

# In which order the pixels of a square leave the darkest codeword of their colour: B. Bayer, "An
# optimum method for two-level rendition of continuous-tone pictures", 1973.
_MATRIX = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
# What the scatter of a colour's codewords counts beside the error of their mean. At 0 even a colour
# next to a codeword is mixed from many; from 0.5 on contours come back.
_SCATTER = 0.25
# Points beyond this on an axis are no colours (see colorspace).
_REACH = 128
# Colours that are mixed at a time, and pixels that are looked up at a time.
_COLORS = 2**15
_PIXELS = 2**20


def name_of(dither: object) -> str | None:
    """Return the name of a dithering, None for none.

    Arguments:
        dither: None, ``"none"``, ``"ordered"``, ``"floyd-steinberg"`` or a ``PIL.Image.Dither``.

    Raises:
        ValueError: there is no such dithering.
    """
    if dither is None or (isinstance(dither, str) and dither == "none"):
        return None
    name: object = dither
    if isinstance(dither, IntEnum):
        from PIL import Image

        names = {Image.Dither.ORDERED: "ordered", Image.Dither.FLOYDSTEINBERG: "floyd-steinberg"}
        if dither is Image.Dither.NONE:
            return None
        name = names.get(dither) if isinstance(dither, Image.Dither) else None
    if isinstance(name, str) and name in _DITHERS:
        return name
    raise ValueError(f"dither must be one of none, auto, {', '.join(_DITHERS)}, not {dither!r}")


def find(name: str | None, strength: float = 1.0) -> Dither | None:
    """Return the dithering of a name from name_of, of a strength from 0 to 1; None for none."""
    return None if name is None or not strength else partial(_DITHERS[name], strength=strength)


def ordered(
    index: np.ndarray | Rows,
    colors: np.ndarray,
    codebook: np.ndarray,
    metric: str,
    threads: int,
    strength: float = 1.0,
) -> np.ndarray:
    """Return labels by a pattern for each colour, which repeats and so costs fewer bytes."""
    patterns = mix(colors, codebook, metric, threads, strength)
    height, width = index.shape
    side = len(_MATRIX)
    places = np.tile(_MATRIX.astype(np.uint8), (1, -(-width // side)))[:, :width]
    labels = np.empty(index.shape, np.uint8)
    # Whole squares, so that each band begins with the first row of one.
    rows = max(_PIXELS // width // side, 1) * side
    for start in range(0, height, rows):
        band = index[start : start + rows]
        repeated = np.tile(places, (-(-len(band) // side), 1))[: len(band)]
        labels[start : start + rows] = patterns[band, repeated]
    return labels


def mix(
    colors: np.ndarray, codebook: np.ndarray, metric: str, threads: int, strength: float = 1.0
) -> np.ndarray:
    """Return the labels that each colour is mixed of, darkest first, (N, 16) uint8.

    One after the other, each label is the one that leaves the least of

        squared error of the mean so far + 1/4 x mean squared error of the labels so far

    (T. Knoll, US patent 6606166, 1999, without the second term). With the colour p, n labels so
    far and their summed error e, that is the codeword nearest to p + e / (1 + (n + 1) / 4).
    Wholly transparent and opaque colours keep to their kind as in ``nearest.assign``.

    Arguments:
        colors: (N, C) uint8; codebook: (K, C) uint8; metric: of ``colorspace.METRICS``.
        strength: 0 to 1, what the error so far counts.
    """
    codewords = to_points(codebook, metric)
    by_lightness = np.argsort(lightness(codebook), kind="stable").astype(np.uint8)
    places = np.argsort(by_lightness).astype(np.uint8)
    patterns = np.empty((len(colors), _MATRIX.size), np.uint8)

    def work(start: int) -> None:
        some = slice(start, start + _COLORS)
        first = assign(colors[some], codebook, metric)
        patterns[some] = first[:, None]
        points = to_points(colors[some], metric)
        # What a codeword hits exactly is left to it.
        inexact = np.flatnonzero((points != codewords[first]).any(axis=1))
        rows, points = start + inexact, points[inexact]
        errors = points - codewords[first[inexact]]
        banned = ban(colors[rows], codebook)
        for number in range(1, _MATRIX.size):
            aims = points + errors * np.float32(strength) / np.float32(1 + _SCATTER * (number + 1))
            labels = nearest(snap(aims.clip(-_REACH, _REACH)), codewords, banned)
            patterns[rows, number] = labels
            errors += points - codewords[labels]
        patterns[some] = by_lightness[np.sort(places[patterns[some]], axis=1)]

    for _ in each(work, range(0, len(colors), _COLORS), threads):
        pass
    return patterns


_DITHERS: dict[str, Callable[..., np.ndarray]] = {
    "ordered": ordered,
    "floyd-steinberg": floyd_steinberg,
}
