"""How far a picture is from the original."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, log10

import numpy as np

from kqf.text import how_to_install

# Pixels at work at once.
_BAND = 2**18
# Of the Gaussian window of SSIM, pixels.
_WINDOW = 11


@dataclass(frozen=True)
class LargestError:
    """The pixel that differs most.

    Attributes:
        distance: Euclidean distance of the two colours, premultiplied by alpha, 0 to 510.
        x, y: where, the first of equals row by row.
    """

    distance: float
    x: int
    y: int


def psnr(original: np.ndarray, result: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB, infinite where nothing differs.

    Over all channels, with colours premultiplied by alpha.

    Arguments:
        original, result: uint8 (H, W) or (H, W, C), of one shape.
    """
    total = sum(float(errors.sum()) for _, errors in _squared_errors(original, result))
    mean = total / original.size
    return 10 * log10(255**2 / mean) if mean else inf


def ssim(original: np.ndarray, result: np.ndarray) -> float:
    """Return the structural similarity, at most 1.

    With the Gaussian window of Z. Wang et al., 2004 (doi:10.1109/TIP.2003.819861), the mean over
    channels premultiplied by alpha. Needs scikit-image (extra ``ssim``).

    Raises:
        ImportError: it is not installed. ValueError: an image smaller than the window, 11 x 11.
    """
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise ImportError(f"SSIM needs scikit-image: {how_to_install('ssim')}") from error
    check_window(original.shape)
    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            _premultiplied(original),
            _premultiplied(result),
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def check_window(shape: tuple[int, ...]) -> None:
    """Raise ValueError unless an image of this shape, (H, W, ...), is as large as SSIM's window."""
    height, width = shape[:2]
    if min(height, width) < _WINDOW:
        window = f"{_WINDOW} x {_WINDOW} pixels"
        raise ValueError(f"SSIM needs at least {window}, not {width} x {height}")


def largest_error(original: np.ndarray, result: np.ndarray) -> LargestError:
    """Return the pixel that differs most. Arguments: as for psnr."""
    largest, at = -1.0, (0, 0)
    for first, errors in _squared_errors(original, result):
        y, x = np.unravel_index(int(errors.argmax()), errors.shape)
        if errors[y, x] > largest:
            largest, at = float(errors[y, x]), (int(x), first + int(y))
    return LargestError(largest**0.5, *at)


def _squared_errors(original: np.ndarray, result: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield first row and squared distances (rows, W) float64, band by band to bound memory."""
    if original.shape != result.shape:
        raise ValueError(f"images must be of one shape, not {original.shape} and {result.shape}")
    step = max(_BAND // original.shape[1], 1)
    for first in range(0, len(original), step):
        rows = slice(first, first + step)
        offsets = _premultiplied(original[rows]) - _premultiplied(result[rows])
        yield first, np.einsum("ijk,ijk->ij", offsets, offsets)


def _premultiplied(pixels: np.ndarray) -> np.ndarray:
    values = np.atleast_3d(pixels).astype(np.float64)
    if values.shape[2] in (2, 4):
        values[..., :-1] *= values[..., -1:] / 255
    return values
