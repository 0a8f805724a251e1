"""An image as labels and a codebook."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from kqf.parallel import each

# Pixels looked up at a time.
_BAND = 2**18


@dataclass(frozen=True, eq=False)
class IndexedImage:
    """Labels, the codebook that they are rows of, and what else a file says of the image.

    Attributes:
        labels: (H, W) uint8, each below K.
        codebook: (K, C) uint8, K from 1 to 256, C 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA),
            straight alpha.
        metadata: any of ``icc_profile``, ``exif``, ``xmp`` (bytes), ``dpi`` (two floats, pixels
            per inch) and ``comment`` (str).
    """

    labels: np.ndarray
    codebook: np.ndarray
    metadata: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_indexed(self.labels, self.codebook)

    @property
    def pixels(self) -> np.ndarray:
        """The pixels: (H, W) uint8 for gray, (H, W, C) uint8 otherwise."""
        return look_up(self.labels, self.codebook)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the picture, its colours and numbers."""
        # Imported where it is used: Pillow is more than decoding needs.
        from kqf.display import as_html

        return as_html(self.labels, self.codebook)


def look_up(
    labels: np.ndarray, codebook: np.ndarray, threads: int = 1, out: np.ndarray | None = None
) -> np.ndarray:
    """Return the pixels that labels stand for, (H, W) for one channel, else (H, W, C).

    Arguments:
        out: memory for them, (H * W * C,) uint8; its end may hold the labels.
    """
    entries = codebook[:, 0] if codebook.shape[1] == 1 else codebook
    shape = labels.shape + entries.shape[1:]
    pixels = np.empty(shape, np.uint8) if out is None else out.reshape(shape)
    labels, flat = labels.reshape(-1), pixels.reshape(-1, *entries.shape[1:])

    # A band at a time, whatever the width: numpy makes an index of eight bytes of every label.
    places = [slice(first, first + _BAND) for first in range(0, labels.size, _BAND)]
    # Pixels come to lie on labels of their own band or earlier ones, which are copied by then.
    bands = ((band, labels[band] if out is None else labels[band].copy()) for band in places)

    def look_up_band(band: tuple[slice, np.ndarray]) -> None:
        np.take(entries, band[1], axis=0, out=flat[band[0]], mode="clip")

    for _ in each(look_up_band, bands, min(threads, len(places))):
        pass
    return pixels


def check_codebook(codebook: np.ndarray) -> None:
    """Raise TypeError or ValueError unless ``codebook`` is (1..256, 1..4) uint8."""
    if not isinstance(codebook, np.ndarray) or codebook.dtype != np.uint8:
        raise TypeError(f"a codebook must be a uint8 array, not {describe(codebook)}")
    if codebook.ndim != 2 or not 1 <= len(codebook) <= 256 or not 1 <= codebook.shape[1] <= 4:
        raise ValueError(f"a codebook must be (1..256, 1..4), not {describe(codebook)}")


def check_indexed(labels: np.ndarray, codebook: np.ndarray) -> None:
    """Raise TypeError or ValueError unless the two make an image."""
    check_codebook(codebook)
    if not isinstance(labels, np.ndarray) or labels.dtype != np.uint8:
        raise TypeError(f"labels must be a uint8 array, not {describe(labels)}")
    if labels.ndim != 2 or not labels.size:
        raise ValueError(f"labels must be (H, W) of at least one pixel, not {describe(labels)}")
    if len(codebook) < 256 and (highest := int(labels.max())) >= len(codebook):
        raise ValueError(f"label {highest} has no entry in a codebook of {len(codebook)} colours")


def describe(value: object) -> str:
    """Name what a caller gave: type, and shape of an array."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} array of shape {value.shape}"
    return type(value).__name__
