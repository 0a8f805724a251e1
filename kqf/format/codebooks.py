"""The codebook of a file: `CODE`, or differences from entry to entry in `PCOD` (section 5.7)."""

import numpy as np

from kqf.errors import FormatError

# Of the channels of red, green, blue and alpha, those stored less the difference of green.
_GREEN = 1
_LESS_GREEN = (0, 2)


def build(codebook: np.ndarray) -> bytes:
    """Return what ``PCOD`` of a codebook (K, C) uint8 inflates to, the inverse of parse."""
    # Arithmetic of uint8 wraps round, which is what the format has.
    steps = np.diff(codebook, axis=0, prepend=np.zeros_like(codebook[:1]))
    if codebook.shape[1] > 2:
        for channel in _LESS_GREEN:
            steps[:, channel] -= steps[:, _GREEN]
    return steps.T.tobytes()


def parse(kind: bytes, data: bytes, colors: int, channels: int) -> np.ndarray:
    """Return the codebook (colors, channels) uint8 of ``CODE``, or of ``PCOD``, inflated.

    Raises:
        FormatError: another size.
    """
    if len(data) != colors * channels:
        field = "inflated size" if kind == b"PCOD" else "length"
        raise FormatError(kind.decode(), field, colors * channels, len(data))
    if kind == b"CODE":
        return np.frombuffer(data, np.uint8).reshape(colors, channels)
    steps = np.frombuffer(data, np.uint8).reshape(channels, colors).copy()
    if channels > 2:
        for channel in _LESS_GREEN:
            steps[channel] += steps[_GREEN]
    return np.ascontiguousarray(np.cumsum(steps, axis=1, dtype=np.uint8).T)
