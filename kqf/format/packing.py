"""Predictor 4, packed: some labels of a column in a byte (section 7.5)."""

import numpy as np

from kqf.errors import FormatError

# The most bits a label that are worth it: 16 colours.
MAX_LAST_LABEL = 15
# With one colour there is nothing to tell apart. So many pixels for each byte keep it from claiming
# an image of any size.
_OF_ONE_COLOR = 64


def labels_per_byte(last_label: int) -> int:
    """Return how many labels share a byte: 8, 4 or 2, or 64 if all are 0.

    Raises:
        ValueError: more than 16 labels, which this predictor is not for.
    """
    if not 0 <= last_label <= MAX_LAST_LABEL:
        raise ValueError(f"last_label must be 0 to {MAX_LAST_LABEL}, not {last_label}")
    if not last_label:
        return _OF_ONE_COLOR
    return 8 if last_label == 1 else 4 if last_label <= 3 else 2


def packed_bytes(shape: tuple[int, int], last_label: int) -> int:
    """Return the bytes of a tile of (height, width) pixels."""
    height, width = shape
    return -(-height // labels_per_byte(last_label)) * width


def pack(labels: np.ndarray, last_label: int) -> bytes:
    """Return the labels (h, w) uint8 of one tile, each at most last_label, packed."""
    height, width = labels.shape
    share = labels_per_byte(last_label)
    if share == _OF_ONE_COLOR:
        return bytes(packed_bytes(labels.shape, last_label))
    bits = 8 // share
    if bits == 1:
        return np.packbits(labels, axis=0, bitorder="little").tobytes()
    padded = np.zeros((-(-height // share), share, width), np.uint8)
    padded.reshape(-1, width)[:height] = labels
    packed = padded[:, 0].copy()
    for place in range(1, share):
        packed |= padded[:, place] << np.uint8(bits * place)
    return packed.tobytes()


def unpack(data: bytes, shape: tuple[int, int], last_label: int, tile: int) -> np.ndarray:
    """Return the labels of one tile, (h, w) uint8, the inverse of pack.

    Arguments:
        data: inflated. shape: (height, width) of the tile. tile: its number, for messages.

    Raises:
        FormatError: too short or too long, bits beyond the last row are set, a label is too high.
    """
    height, width = shape
    share = labels_per_byte(last_label)
    expected = packed_bytes(shape, last_label)
    if len(data) != expected:
        raise FormatError("LABL", f"inflated size of tile {tile}", expected, len(data))
    packed = np.frombuffer(data, np.uint8).reshape(-1, width)
    if share == _OF_ONE_COLOR:
        if (highest := int(packed.max())) > 0:
            raise FormatError("LABL", f"label in tile {tile}", "at most 0", highest)
        return np.zeros(shape, np.uint8)
    bits = 8 // share
    if (rest := height % share) and (packed[-1] >> (bits * rest)).any():
        raise FormatError("LABL", f"labels beyond tile {tile}", "zero", "others")
    if bits == 1:
        labels = np.unpackbits(packed, axis=0, count=height, bitorder="little")
    else:
        unpacked = np.empty((len(packed), share, width), np.uint8)
        for place in range(share):
            np.right_shift(packed, np.uint8(bits * place), out=unpacked[:, place])
        unpacked &= np.uint8(2**bits - 1)
        labels = unpacked.reshape(-1, width)[:height]
    # Of all that fits the bits there may be labels that the codebook has not.
    if last_label < 2**bits - 1 and (highest := int(labels.max())) > last_label:
        raise FormatError("LABL", f"label in tile {tile}", f"at most {last_label}", highest)
    return labels
