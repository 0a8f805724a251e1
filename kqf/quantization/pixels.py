"""Pixels as the encoder takes them."""

import numpy as np

from kqf.format.declarations import MAX_SIDE
from kqf.text import describe


def as_pixels(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as (H, W, C) uint8, C 1 to 4; a bool image as 0 and 255.

    Raises:
        TypeError, ValueError: not an image that can be encoded.
    """
    taken = "a uint8 or bool array (H, W) or (H, W, 1..4)"
    if not isinstance(pixels, np.ndarray) or pixels.dtype not in (np.uint8, np.bool_):
        raise TypeError(f"pixels must be {taken}, not {describe(pixels)}")
    shaped = pixels[..., None] if pixels.ndim == 2 else pixels
    if shaped.ndim != 3 or not 1 <= shaped.shape[2] <= 4:
        raise ValueError(f"pixels must be {taken}, not {describe(pixels)}")
    if not shaped.size or max(shaped.shape[:2]) > MAX_SIDE:
        raise ValueError(f"pixels must have sides of 1 to {MAX_SIDE}, not {describe(pixels)}")
    return shaped * np.uint8(255) if shaped.dtype == np.bool_ else shaped
