"""How far an image is from the original."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from math import inf, log10
from typing import Any

import numpy as np
from PIL import Image

from kqf.text import describe, how_to_install

# Returns the pixels of some rows, or of some rows and columns, of a result.
Part = Callable[[slice | tuple[slice, slice]], np.ndarray]

# Pixels compared at a time, and by SSIM.
_BAND, _SSIM_BAND = 2**18, 2**20
# Side of the Gaussian window of SSIM, pixels.
SSIM_WINDOW = 11
# Shortest side of an image that SSIMULACRA2 compares, pixels.
_SSIMULACRA2_SIDE = 8
# It takes 500 bytes a pixel. Larger images than the first are compared square by square.
_WHOLE_PIXELS, _SQUARE = 2**24, 768


@dataclass(frozen=True)
class LargestError:
    """The pixel that differs most.

    Attributes:
        distance: Euclidean distance of the two colours, premultiplied by alpha, 0 to 510.
        x, y: its place in pixels; of several, the first one row by row.
    """

    distance: float
    x: int
    y: int


def psnr(original: np.ndarray, result: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB, infinite where nothing differs.

    The error is the mean over all channels, with colours premultiplied by alpha.

    Arguments:
        original, result: uint8, of one shape: (H, W), or (H, W, C) with C from 1 to 4.

    Raises:
        TypeError, ValueError: the arrays are not as above, or empty.
    """
    _check(original, result)
    return psnr_of(original, result.__getitem__)


def psnr_of(original: np.ndarray, result: Part) -> float:
    """Return what ``psnr`` does, of a result that is made part by part, to bound memory."""
    total = sum(float(errors.sum()) for _, errors in _squared_errors(original, result))
    mean = total / original.size
    return 10 * log10(255**2 / mean) if mean else inf


def ssim(original: np.ndarray, result: np.ndarray) -> float:
    """Return the structural similarity, at most 1.

    With the Gaussian window of Z. Wang et al., 2004 (doi:10.1109/TIP.2003.819861), the mean over
    channels premultiplied by alpha. Needs scikit-image (extra ``ssim``).

    Arguments:
        original, result: uint8, of one shape: (H, W), or (H, W, C) with C from 1 to 4; H and W at
            least 11.

    Raises:
        ImportError: scikit-image is not installed. TypeError, ValueError: the arrays are not as
        above.
    """
    _check(original, result)
    return ssim_of(original, result.__getitem__)


def ssim_of(original: np.ndarray, result: Part) -> float:
    """Return what ``ssim`` does, of a result that is made part by part, to bound memory."""
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise ImportError(f"SSIM needs scikit-image: {how_to_install('ssim')}") from error
    check_window(original.shape)
    # Windows reach over the edge of each band, and none over that of the image is looked at.
    height: int = original.shape[0] - SSIM_WINDOW + 1
    total = 0.0
    step = max(_SSIM_BAND // original.shape[1], SSIM_WINDOW)
    for first in range(0, height, step):
        band = slice(first, min(first + step, height) + SSIM_WINDOW - 1)
        mean: Any = structural_similarity(  # type: ignore[no-untyped-call]
            _premultiplied(original[band]),
            _premultiplied(result(band)),
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        total += float(mean) * (min(first + step, height) - first)
    return total / height


def ssimulacra2(original: np.ndarray, result: np.ndarray) -> float:
    """Return the SSIMULACRA2 of a result, at most 100: how like the original it looks to people.

    About 90 cannot be told from the original, 70 is of high quality, 50 of medium, 30 of low (J.
    Sneyers, https://github.com/cloudinary/ssimulacra2). Images with alpha are compared on black and
    on white, and the lower score counts. Of images of more than 2**24 pixels it is the mean of the
    scores of squares of at most 768 pixels a side, which may be some points higher than a score of
    the whole, and bounds memory. Needs the package ssimulacra2 (extra ``ssimulacra2``).

    Arguments:
        original, result: uint8, of one shape: (H, W), or (H, W, C) with C from 1 to 4; H and W at
            least 8.

    Raises:
        ImportError: ssimulacra2 is not installed. TypeError, ValueError: the arrays are not as
        above.
    """
    _check(original, result)
    return ssimulacra2_of(original, result.__getitem__)


def ssimulacra2_of(original: np.ndarray, result: Part) -> float:
    """Return what ``ssimulacra2`` does, of a result that is made part by part, to bound memory."""
    check_ssimulacra2(original.shape)
    height, width = original.shape[:2]
    side = max(height, width) if height * width <= _WHOLE_PIXELS else _SQUARE
    total = 0.0
    for rows in _parts(height, side):
        for columns in _parts(width, side):
            part = original[rows, columns]
            total += _ssimulacra2(part, result((rows, columns))) * (part.size / original.size)
    return total


def _parts(length: int, most: int) -> Iterator[slice]:
    """Yield slices of about equal lengths, of at most so much."""
    count = -(-length // most)
    for number in range(count):
        yield slice(length * number // count, length * (number + 1) // count)


def _ssimulacra2(original: np.ndarray, result: np.ndarray) -> float:
    from ssimulacra2 import compute_ssimulacra2

    def file_of(pixels: np.ndarray, ground: int) -> io.BytesIO:
        values = _premultiplied(pixels)
        if values.shape[2] in (2, 4):
            values = values[..., :-1] + ground * (1 - values[..., -1:] / 255)
        shown = np.rint(values).astype(np.uint8)
        file = io.BytesIO()
        # It takes files alone. Those without compression are read fastest.
        Image.fromarray(shown[..., 0] if shown.shape[2] == 1 else shown).save(file, "BMP")
        return file

    has_alpha = original.ndim == 3 and original.shape[2] in (2, 4)
    return min(
        float(compute_ssimulacra2(file_of(original, ground), file_of(result, ground)))
        for ground in ((0, 255) if has_alpha else (0,))
    )


def check_ssimulacra2(shape: tuple[int, ...]) -> None:
    """Raise ImportError unless SSIMULACRA2 can be measured, ValueError if (H, W, ...) is small."""
    if find_spec("ssimulacra2") is None:
        package = how_to_install("ssimulacra2")
        raise ImportError(f"SSIMULACRA2 needs the package ssimulacra2: {package}")
    height, width = shape[:2]
    if min(height, width) < _SSIMULACRA2_SIDE:
        least = f"{_SSIMULACRA2_SIDE} x {_SSIMULACRA2_SIDE} pixels"
        raise ValueError(f"SSIMULACRA2 needs at least {least}, not {width} x {height}")


def check_window(shape: tuple[int, ...]) -> None:
    """Raise ValueError unless an image of this shape, (H, W, ...), is as large as SSIM's window."""
    height, width = shape[:2]
    if min(height, width) < SSIM_WINDOW:
        window = f"{SSIM_WINDOW} x {SSIM_WINDOW} pixels"
        raise ValueError(f"SSIM needs at least {window}, not {width} x {height}")


def largest_error(original: np.ndarray, result: np.ndarray) -> LargestError:
    """Return the pixel that differs most.

    Arguments:
        original, result: uint8, of one shape: (H, W), or (H, W, C) with C from 1 to 4.

    Raises:
        TypeError, ValueError: the arrays are not as above, or empty.
    """
    _check(original, result)
    largest, at = -1.0, (0, 0)
    for first, errors in _squared_errors(original, result.__getitem__):
        y, x = np.unravel_index(int(errors.argmax()), errors.shape)
        if errors[y, x] > largest:
            largest, at = float(errors[y, x]), (int(x), first + int(y))
    return LargestError(largest**0.5, *at)


def _squared_errors(original: np.ndarray, result: Part) -> Iterator[tuple[int, np.ndarray]]:
    """Yield first row and squared distances (rows, W) float64, band by band to bound memory."""
    step = max(_BAND // original.shape[1], 1)
    for first in range(0, len(original), step):
        rows = slice(first, first + step)
        offsets = _premultiplied(original[rows]) - _premultiplied(result(rows))
        yield first, np.einsum("ijk,ijk->ij", offsets, offsets)


def _check(original: np.ndarray, result: np.ndarray) -> None:
    """Raise TypeError or ValueError unless the two are images that can be compared."""
    for pixels in (original, result):
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
            # 16 bits, or floats from 0 to 1, would have another peak.
            raise TypeError(f"images to compare must be uint8 arrays, not {describe(pixels)}")
    if original.shape != result.shape:
        raise ValueError(f"images must be of one shape, not {original.shape} and {result.shape}")
    if original.ndim not in (2, 3) or (original.ndim == 3 and not 1 <= original.shape[2] <= 4):
        raise ValueError(f"images must be (H, W) or (H, W, 1..4), not {original.shape}")
    if not original.size:
        raise ValueError(f"images must have at least one pixel, not shape {original.shape}")


def _premultiplied(pixels: np.ndarray) -> np.ndarray:
    values = np.atleast_3d(pixels).astype(np.float64)
    if values.shape[2] in (2, 4):
        values[..., :-1] *= values[..., -1:] / 255
    return values
