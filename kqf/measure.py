"""How far a picture is from the original."""

from dataclasses import dataclass
from math import inf, log10

import numpy as np


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
    errors = squared_errors(original, result)
    channels = 1 if original.ndim == 2 else original.shape[2]
    mean = float(errors.sum()) / (errors.size * channels)
    return 10 * log10(255**2 / mean) if mean else inf


def ssim(original: np.ndarray, result: np.ndarray) -> float:
    """Return the structural similarity, at most 1.

    With the Gaussian window of Z. Wang et al., 2004 (doi:10.1109/TIP.2003.819861), the mean over
    channels premultiplied by alpha. Needs scikit-image (``pip install 'kqf[ssim]'``).

    Raises:
        ImportError: it is not installed. ValueError: an image smaller than the window, 11 x 11.
    """
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise ImportError("SSIM needs scikit-image: pip install 'kqf[ssim]'") from error
    return float(
        structural_similarity(
            _premultiplied(original),
            _premultiplied(result),
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def largest_error(original: np.ndarray, result: np.ndarray) -> LargestError:
    """Return the pixel that differs most. Arguments: as for psnr."""
    errors = squared_errors(original, result)
    y, x = np.unravel_index(int(errors.argmax()), errors.shape)
    return LargestError(float(errors[y, x]) ** 0.5, int(x), int(y))


def squared_errors(original: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Return the squared distance of each pixel's colours, premultiplied, (H, W) float64."""
    if original.shape != result.shape:
        raise ValueError(f"images must be of one shape, not {original.shape} and {result.shape}")
    offsets = _premultiplied(original) - _premultiplied(result)
    return np.einsum("ijk,ijk->ij", offsets, offsets)


def _premultiplied(pixels: np.ndarray) -> np.ndarray:
    values = np.atleast_3d(pixels).astype(np.float64)
    if values.shape[2] in (2, 4):
        values[..., :-1] *= values[..., -1:] / 255
    return values
