"""How far results are from one original, by several measures."""

import hashlib
from dataclasses import dataclass

import numpy as np

import kqf
from kqf.metrics import SSIM_WINDOW
from kqf.quantization.colorspace import srgb_to_oklab

# A difference of colours that is just noticeable, as a distance in Oklab.
_NOTICEABLE = 0.02
# The eye averages neighbouring pixels: standard deviation of a Gaussian, in pixels.
_BLUR = 1.0
# Structural similarity takes seconds and gigabytes for images of more than a few megapixels.
_SSIM_PIXELS = 2**22
_GRAYS = (0, 255)


@dataclass(frozen=True)
class Errors:
    """How far one result is from its original.

    Attributes:
        psnr: in dB as kqf.psnr gives it, infinite where nothing is lost.
        visible: share of the pixels that differ visibly, 0 to 1, as visible_share gives it.
        ssim: as kqf.ssim gives it; None where it was not asked for, without scikit-image, and for
            images of less than 11 pixels a side or more than four million pixels.
        largest_error: as kqf.largest_error gives it, None where nothing is lost.
    """

    psnr: float
    visible: float
    ssim: float | None
    largest_error: kqf.LargestError | None


class Distortion:
    """Measure results against one original (H, W[, C]) uint8; equal results are measured once.

    Arguments:
        original: the pixels that results are compared with.
        with_ssim: whether to measure SSIM too, which takes longer than all else.
    """

    def __init__(self, original: np.ndarray, *, with_ssim: bool) -> None:
        self._original = original
        self._with_ssim = with_ssim
        self._known: dict[bytes, Errors] = {}
        self._seen = [_seen(original, gray) for gray in _grays(original)]

    def of(self, result: np.ndarray) -> Errors:
        """Return the errors of a result, which has the original's shape and dtype."""
        key = hashlib.sha256(result.tobytes()).digest()
        if key not in self._known:
            largest = kqf.largest_error(self._original, result)
            self._known[key] = Errors(
                psnr=kqf.psnr(self._original, result),
                visible=self.visible_share(result),
                ssim=self._ssim(result),
                largest_error=largest if largest.distance else None,
            )
        return self._known[key]

    def visible_share(self, result: np.ndarray) -> float:
        """Return the share of the pixels that differ visibly from the original, 0 to 1.

        Those are pixels whose colour, averaged with its neighbours by a Gaussian of one pixel,
        is more than 0.02 away in Oklab, over black or over white where there is alpha.
        """
        distances = [
            np.linalg.norm(_seen(result, gray) - seen, axis=2)
            for gray, seen in zip(_grays(result), self._seen, strict=True)
        ]
        return float((np.max(distances, axis=0) > _NOTICEABLE).mean())

    def _ssim(self, result: np.ndarray) -> float | None:
        height, width = self._original.shape[:2]
        too_small = min(height, width) < SSIM_WINDOW
        if not self._with_ssim or too_small or height * width > _SSIM_PIXELS:
            return None
        try:
            return kqf.ssim(self._original, result)
        except ImportError:
            return None


def _grays(pixels: np.ndarray) -> tuple[int, ...]:
    """Return the backgrounds that pixels are looked at over."""
    return _GRAYS if pixels.ndim == 3 and pixels.shape[2] in (2, 4) else _GRAYS[:1]


def _seen(pixels: np.ndarray, gray: int) -> np.ndarray:
    """Return pixels over a gray background, blurred, as Oklab (H, W, 3) float32."""
    from scipy.ndimage import gaussian_filter

    values = np.atleast_3d(pixels)
    if values.shape[2] in (2, 4):
        alpha = values[..., -1:].astype(np.float32) / 255
        faded = values[..., :-1] * alpha + gray * (1 - alpha)
        values = np.rint(faded).astype(np.uint8)
    if values.shape[2] == 1:
        values = np.repeat(values, 3, axis=2)
    lab = srgb_to_oklab(values.reshape(-1, 3)).reshape(values.shape).astype(np.float32)
    return np.asarray(gaussian_filter(lab, (_BLUR, _BLUR, 0)))
